"""The far side for these tests: recorded frames, and what they say, read with a table of their own.

The names are spelled out a second time here, from spec/okx.md B4, so that a slip in the product's table cannot hide
behind itself.
"""

from __future__ import annotations

import json
from base64 import b64decode
from datetime import datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

from tapewire.model.book import BookChange, BookLevel, DepthOrderbookEvent
from tapewire.model.events import EVENT_CLASSES, CandleEvent, Event
from tapewire.venues.contract import Codec

DATA = Path(__file__).parents[2] / "data" / "okex3"
RECORDING = "all_cryptofeed-2021-04-17-c1"

NAMES = {
    "ticker": {
        "last": "trade_price", "last_qty": "trade_volume", "best_bid": "best_bid_price",
        "best_bid_size": "best_bid_size", "best_ask": "best_ask_price",
        "best_ask_size": "best_ask_size", "open_24h": "opening_price_24h",
        "high_24h": "high_price_24h", "low_24h": "low_price_24h", "open_utc0": "opening_price",
        "open_utc8": "opening_price_utc8", "base_volume_24h": "acc_trade_volume_24h",
        "quote_volume_24h": "acc_trade_price_24h", "volume_24h": "contracts_24h",
        "volume_token_24h": "acc_trade_volume_24h", "open_interest": "open_interest",
    },
    "trade": {"price": "trade_price", "size": "trade_volume", "qty": "trade_volume"},
    "funding_rate": {
        "funding_rate": "funding_rate", "estimated_rate": "next_funding_rate", "interest_rate": "interest_rate",
    },
    "mark_price": {"mark_price": "mark_price"},
    "price_range": {"highest": "highest_bid", "lowest": "lowest_ask"},
    "index": {
        "last": "index_price", "open_24h": "opening_price_24h", "high_24h": "high_price_24h",
        "low_24h": "low_price_24h",
    },
}  # fmt: skip
KINDS = {
    "ticker": "ticker", "trade": "trade", "funding_rate": "fundingRate", "mark_price": "markPrice",
    "price_range": "priceLimit", "index": "indexTicker",
}  # fmt: skip
UNITS = {
    60: "1m", 180: "3m", 300: "5m", 900: "15m", 1800: "30m", 3600: "1H", 7200: "2H", 14400: "4H", 21600: "6H",
    43200: "12H", 86400: "1D", 604800: "1W",
}  # fmt: skip
#: The specification's examples that no recording has (B3, B4), two of them written in its words.
EXAMPLES = [
    b'{"table":"futures/depth5","data":[{"asks":[["7870.21","12",0,3],["7870.55","40",0,2]],"bids":[["7869.8","30",0,2],["7869.52","7",0,1]],"instrument_id":"BTC-USD-190517","timestamp":"2019-05-16T08:00:01.120Z"}]}',
    b'{"table":"spot/depth","action":"update","data":[{"instrument_id":"WAVES-BTC","asks":[["0.000715","100.48199596",3],["0.000716","62.21679881",1]],"bids":[["0.000713","38.95772168",1]],"timestamp":"2019-03-12T22:22:42.938Z","checksum":-131160897}]}',
    b'{"table":"swap/ticker","data":[{"last":"170.91","open_24h":"198.4","best_bid":"170.92","high_24h":"199.03","low_24h":"166","volume_24h":"31943233","volume_token_24h":"1730040.0174","best_ask":"170.97","open_interest":"4162489","instrument_id":"ETH-USD-SWAP","timestamp":"2020-03-12T08:30:41.738Z","best_bid_size":"101","best_ask_size":"2050","last_qty":"1"}]}',
    b'{"table":"swap/candle14400s","data":[{"candle":["2021-03-30T04:00:00.000Z","57.1","58","56.9","57.3","1200","0.0021"],"instrument_id":"BTC-USD-SWAP"}]}',
    b'{"table":"index/candle604800s","data":[{"candle":["2021-03-29T00:00:00.000Z","57.1","58","56.9","57.3","0","0"],"instrument_id":"BTC-USD"}]}',
    b'{"table":"swap/mark_price","data":[{"instrument_id":"BTC-USD-SWAP","mark_price":"5620.9","timestamp":"2019-05-06T07:03:33.799Z"}]}',
    b'{"table":"futures/price_range","data":[{"highest":"5665.9","instrument_id":"BTC-USD-190628","lowest":"5553.6","timestamp":"2019-05-06T07:19:30.013Z"}]}',
    b'{"table":"index/ticker","data":[{"last":"5.17","open_24h":"5.23","high_24h":"5.3","low_24h":"5.06","instrument_id":"EOS-USD","timestamp":"2019-05-05T12:47:03.265Z"}]}',
]


def recorded() -> list[bytes]:
    """Every recorded frame as text."""
    return (DATA / f"{RECORDING}.jsonl").read_bytes().splitlines()


def deflated() -> list[bytes]:
    """The same frames as they came."""
    return [b64decode(line) for line in (DATA / f"{RECORDING}.rawdeflate.b64.txt").read_bytes().splitlines()]


def sent() -> bytes:
    """The request that the recording answers."""
    return (DATA / f"{RECORDING}.sent.jsonl").read_bytes()


def singles() -> list[bytes]:
    """Single frames of many channels."""
    return (DATA / "mixed_crypto-msg-parser-2021-2022.jsonl").read_bytes().splitlines()


def data_frames() -> list[bytes]:
    """Every frame with data, recorded or of the specification."""
    return [frame for frame in recorded() if b'"table"' in frame] + singles() + EXAMPLES


def expected(frame: bytes, numbers: str = "float") -> Event:
    """What a frame says, read by the standard library's json, refusing any key it does not know."""
    said = json.loads(frame)
    market, _, channel = said["table"].partition("/")
    [row] = said["data"]
    number: Any = Decimal if numbers == "decimal" else float
    values: dict[str, Any] = {"venue": "okex3", "symbol": row.pop("instrument_id")}
    if "timestamp" in row:
        values["timestamp"] = _ms(row.pop("timestamp"))
    if channel.startswith("depth"):
        return _book(channel, said.get("action"), row, values, number)
    if channel.startswith("candle"):
        return _candle(market, UNITS[int(channel[6:-1])], row, values, number)
    if channel == "trade":
        values["sequential_id"] = int(row.pop("trade_id"))
        values["ask_bid"] = {"buy": "BID", "sell": "ASK"}[row.pop("side")]
        values["trade_timestamp"] = values["timestamp"]
    if channel == "funding_rate":
        values["funding_time"] = _ms(row.pop("funding_time"))
        values["next_funding_time"] = _ms(row.pop("settlement_time"))
    channel = "index" if market == "index" else channel
    if channel in ("ticker", "funding_rate", "mark_price"):
        values["market_type"] = market.upper()
    values |= {NAMES[channel][name]: number(value) for name, value in row.items()}
    return EVENT_CLASSES[KINDS[channel]](**values)


def _book(channel: str, action: str | None, row: dict[str, Any], values: dict[str, Any], number: Any) -> Event:
    asks, bids, checksum = row.pop("asks"), row.pop("bids"), row.pop("checksum", None)
    assert not row, f"unexpected keys {row.keys()}"
    values["channel"] = channel
    if channel == "depth5":
        return DepthOrderbookEvent(**values, asks=_levels(asks, number), bids=_levels(bids, number))
    texts = [[tuple(str(one) for one in level) for level in side] for side in (asks, bids)]
    which: Any = {"partial": "snapshot", "update": "update"}[action or ""]
    return BookChange(**values, action=which, asks=texts[0], bids=texts[1], checksum=checksum)


def _levels(side: list[list[Any]], number: Any) -> list[BookLevel]:
    """Of three elements the last is the number of orders, of four too."""
    return [
        BookLevel(number(level[0]), number(level[1]), int(level[2]) if len(level) == 4 else 0, int(level[-1]))
        for level in side
    ]


def _candle(market: str, unit: str, row: dict[str, Any], values: dict[str, Any], number: Any) -> Event:
    begin, *figures = row.pop("candle")
    assert not row, f"unexpected keys {row.keys()}"
    names = ["opening_price", "high_price", "low_price", "trade_price"]
    names += (
        ["candle_acc_trade_volume", ""] if market in ("spot", "index") else ["contracts", "candle_acc_trade_volume"]
    )
    values |= {name: number(value) for name, value in zip(names, figures, strict=False) if name}
    values["timestamp"] = _ms(begin)
    return CandleEvent(**values, unit=unit, candle_date_time_utc=begin.removesuffix(".000Z"))


def _ms(text: str) -> int:
    return round(datetime.fromisoformat(text).timestamp() * 1000)


def short_road(codec: Codec, frame: bytes) -> Event:
    """As the driver does it, and a change of a book as the codec alone."""
    event = codec.decode(frame)
    if not isinstance(event, BookChange):
        event.__class__ = codec.classes[event.__class__][0]
    public: Event = event
    return public


def long_road(codec: Codec, frame: bytes, received_ns: int = 0) -> Event:
    reading = codec.read(frame, received_ns)
    assert not reading.controls
    assert not reading.quarantined
    [event] = reading.events
    return event
