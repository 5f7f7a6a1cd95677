"""The far side for these tests: recorded lines, and what they say, read with a table of their own.

The names are spelled out a second time here, from spec/okx.md A6 and A7, so that a slip in the product's table cannot
hide behind itself.
"""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

from tapewire.model.book import BookChange, BookLevel, DepthOrderbookEvent
from tapewire.model.events import CandleEvent, Event, FundingRateEvent, TickerEvent, TradeEvent

DATA = Path(__file__).parents[2] / "data" / "okx5"
CAPTURES = (
    "all_cryptofeed-2022-02-27", "all_cryptofeed-2022-05-13", "mixed_crypto-msg-parser-2022", "mixed_gocryptotrader",
)  # fmt: skip
TICKER = {
    "instType": "market_type", "last": "trade_price", "lastSz": "trade_volume", "askPx": "best_ask_price",
    "askSz": "best_ask_size", "bidPx": "best_bid_price", "bidSz": "best_bid_size", "open24h": "opening_price_24h",
    "high24h": "high_price_24h", "low24h": "low_price_24h", "sodUtc0": "opening_price", "sodUtc8": "opening_price_utc8",
}  # fmt: skip


def lines(name: str) -> list[bytes]:
    """The payloads of one recording."""
    return (DATA / f"{name}.jsonl").read_bytes().splitlines()


def expected(frame: bytes, numbers: str = "float") -> list[Event]:
    """What a push says; any field that is not known here fails."""
    said = json.loads(frame)
    assert said.keys() <= {"arg", "action", "data"}
    channel, symbol = said["arg"].pop("channel"), said["arg"].pop("instId")
    assert not said["arg"]
    read: Any = {
        "tickers": _ticker, "trades": _trade, "funding-rate": _funding, "books5": _book, "bbo-tbt": _book,
        "books": _change, "books-l2-tbt": _change, "candle1m": _candle,
    }[channel]  # fmt: skip
    number: Any = Decimal if numbers == "decimal" else float
    return [read(channel, symbol, row, said.get("action"), number) for row in said["data"]]


def _ticker(_channel: str, symbol: str, row: dict[str, str], _action: None, number: Any) -> Event:
    said: dict[str, Any] = {
        "timestamp": int(row.pop("ts")),
        "symbol": row.pop("instId"),
        "market_type": row.pop("instType"),
    }
    volume, turnover = number(row.pop("vol24h")), number(row.pop("volCcy24h"))
    if said["market_type"] == "SPOT":
        said |= {"acc_trade_volume_24h": volume, "acc_trade_price_24h": turnover}
    else:
        said |= {"contracts_24h": volume, "acc_trade_volume_24h": turnover}
    assert said["symbol"] == symbol
    prices: dict[str, Any] = {TICKER[name]: number(value) if value else None for name, value in row.items()}
    return TickerEvent(venue="okx", **said, **prices)


def _trade(_channel: str, symbol: str, row: dict[str, str], _action: None, number: Any) -> Event:
    assert row.keys() - {"count"} == {"instId", "tradeId", "px", "sz", "side", "ts"}
    assert row["instId"] == symbol
    return TradeEvent(
        venue="okx", symbol=symbol, sequential_id=int(row["tradeId"]), trade_price=number(row["px"]),
        trade_volume=number(row["sz"]), ask_bid={"buy": "BID", "sell": "ASK"}[row["side"]], timestamp=int(row["ts"]),
        trade_timestamp=int(row["ts"]), count=int(row["count"]) if "count" in row else None,
    )  # fmt: skip


def _funding(_channel: str, symbol: str, row: dict[str, str], _action: None, number: Any) -> Event:
    assert row.keys() == {"fundingRate", "fundingTime", "instId", "instType", "nextFundingRate"}
    assert row["instId"] == symbol
    return FundingRateEvent(
        venue="okx", symbol=symbol, market_type=row["instType"], funding_rate=number(row["fundingRate"]),
        funding_time=int(row["fundingTime"]), next_funding_rate=number(row["nextFundingRate"]),
    )  # fmt: skip


def _book(channel: str, symbol: str, row: dict[str, Any], _action: None, number: Any) -> Event:
    assert row.keys() <= {"asks", "bids", "ts", "instId", "seqId"}
    assert row.get("instId", symbol) == symbol
    asks, bids = (
        [BookLevel(number(p), number(s), int(x), int(n)) for p, s, x, n in row[side]] for side in ("asks", "bids")
    )
    return DepthOrderbookEvent(
        venue="okx", symbol=symbol, channel=channel, timestamp=int(row["ts"]), sequence=row.get("seqId"), asks=asks,
        bids=bids,
    )  # fmt: skip


def _change(channel: str, symbol: str, row: dict[str, Any], action: Any, _number: Any) -> Event:
    assert row.keys() <= {"asks", "bids", "ts", "checksum", "prevSeqId", "seqId"}
    asks, bids = ([tuple(level) for level in row[side]] for side in ("asks", "bids"))
    return BookChange(
        venue="okx", symbol=symbol, channel=channel, action=action, timestamp=int(row["ts"]), asks=asks, bids=bids,
        checksum=row["checksum"], sequence=row.get("seqId"), previous_sequence=row.get("prevSeqId"),
    )  # fmt: skip


def _candle(channel: str, symbol: str, row: list[str], _action: None, number: Any) -> Event:
    begin = datetime.fromtimestamp(int(row[0]) / 1000, UTC).replace(tzinfo=None)
    volume, turnover, *rest = map(number, row[5:8])
    spot = symbol.count("-") == 1
    volumes = (volume, turnover, None) if spot else (turnover, rest[0] if rest else None, volume)
    return CandleEvent(
        venue="okx", symbol=symbol, unit=channel.removeprefix("candle"), timestamp=int(row[0]),
        candle_date_time_utc=begin.isoformat(), candle_date_time_kst=(begin + timedelta(hours=9)).isoformat(),
        opening_price=number(row[1]), high_price=number(row[2]), low_price=number(row[3]), trade_price=number(row[4]),
        candle_acc_trade_volume=volumes[0], candle_acc_trade_price=volumes[1], contracts=volumes[2],
        final=row[8:] == ["1"],
    )  # fmt: skip
