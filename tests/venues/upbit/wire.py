"""The far side for these tests: recorded lines, and events and frames written with a table of their own.

The names are spelled out a second time here, from spec/upbit.md section 4, so that a slip in the product's
table cannot hide behind itself.
"""

from __future__ import annotations

import json
from decimal import Decimal
from pathlib import Path
from typing import Any

import msgspec

from tapewire.model.events import CandleEvent, Event, OrderbookEvent, OrderbookUnit, TickerEvent, TradeEvent
from tapewire.venues.contract import Codec

DATA = Path(__file__).parents[2] / "data" / "upbit"

NAMES = {
    "ticker": (
        "code cd|opening_price op|high_price hp|low_price lp|trade_price tp|prev_closing_price pcp|change c|"
        "change_price cp|signed_change_price scp|change_rate cr|signed_change_rate scr|trade_volume tv|"
        "acc_trade_volume atv|acc_trade_volume_24h atv24h|acc_trade_price atp|acc_trade_price_24h atp24h|"
        "trade_date tdt|trade_time ttm|trade_timestamp ttms|ask_bid ab|acc_ask_volume aav|acc_bid_volume abv|"
        "highest_52_week_price h52wp|highest_52_week_date h52wdt|lowest_52_week_price l52wp|"
        "lowest_52_week_date l52wdt|market_state ms|is_trading_suspended its|delisting_date dd|market_warning mw|"
        "timestamp tms|stream_type st"
    ),
    "trade": (
        "code cd|trade_price tp|trade_volume tv|ask_bid ab|prev_closing_price pcp|change c|change_price cp|"
        "trade_date td|trade_time ttm|trade_timestamp ttms|timestamp tms|sequential_id sid|best_ask_price bap|"
        "best_ask_size bas|best_bid_price bbp|best_bid_size bbs|stream_type st"
    ),
    "orderbook": (
        "code cd|total_ask_size tas|total_bid_size tbs|orderbook_units obu|timestamp tms|level lv|stream_type st"
    ),
    "candle": (
        "code cd|candle_date_time_utc cdttmu|candle_date_time_kst cdttmk|opening_price op|high_price hp|"
        "low_price lp|trade_price tp|candle_acc_trade_volume catv|candle_acc_trade_price catp|timestamp tms|"
        "stream_type st"
    ),
    "unit": "ask_price ap|bid_price bp|ask_size as|bid_size bs",
}
SIMPLE = {kind: dict(pair.split(" ") for pair in pairs.split("|")) for kind, pairs in NAMES.items()}
PUBLIC: dict[str, type[Event]] = {
    "ticker": TickerEvent,
    "trade": TradeEvent,
    "orderbook": OrderbookEvent,
    "candle": CandleEvent,
}
TEXTS = frozenset(
    ["code", "change", "ask_bid", "trade_date", "trade_time", "highest_52_week_date", "lowest_52_week_date",
     "market_state", "is_trading_suspended", "delisting_date", "market_warning", "stream_type",
     "candle_date_time_utc", "candle_date_time_kst"]
)  # fmt: skip
WHOLE = frozenset(["timestamp", "trade_timestamp", "sequential_id"])


def lines(name: str) -> list[bytes]:
    return (DATA / f"{name}.jsonl").read_bytes().splitlines()


def recorded() -> list[bytes]:
    """Every recorded data frame."""
    return [
        *lines("all_simple_cryptofeed-2021-04-17"),
        *lines("mixed_default_ccxt-2026-08-13"),
        *lines("candle1m_default_maxt-2026-07-30"),
    ]


def expected(frame: bytes, venue: str = "upbit", numbers: str = "float") -> Event:
    """What a frame says, read by the standard library's json and the table above, refusing any key it does not know."""
    number: Any = Decimal if numbers == "decimal" else float
    said = json.loads(frame, parse_float=Decimal, parse_int=Decimal)
    simple = "ty" in said
    kind, _, unit = said.pop("ty" if simple else "type").partition(".")
    full = {short: name for name, short in SIMPLE[kind].items()}
    values: dict[str, Any] = {"venue": venue} | ({"unit": unit} if unit else {})
    for key, value in said.items():
        name = full[key] if simple else key
        assert name in SIMPLE[kind], f"unexpected key {key}"
        if name == "orderbook_units":
            values[name] = [_unit(one, number, simple=simple) for one in value]
        elif name in WHOLE:
            values[name] = int(value)
        elif name in TEXTS or value is None:
            values["symbol" if name == "code" else name] = value
        else:
            values[name] = number(value)
    return PUBLIC[kind](**values)


def _unit(said: dict[str, Decimal], number: Any, *, simple: bool) -> OrderbookUnit:
    keys = SIMPLE["unit"] if simple else {name: name for name in SIMPLE["unit"]}
    assert said.keys() == set(keys.values())
    return OrderbookUnit(**{name: number(said[key]) for name, key in keys.items()})


def renamed(frame: bytes) -> bytes:
    """The same message in the other form, DEFAULT ↔ SIMPLE; every value keeps its very text."""
    said = msgspec.json.decode(frame, type=dict[str, msgspec.Raw])
    to_simple = "type" in said
    tag = said.pop("type" if to_simple else "ty")
    kind = msgspec.json.decode(tag, type=str).partition(".")[0]
    table = SIMPLE[kind] if to_simple else {short: name for name, short in SIMPLE[kind].items()}
    unit = SIMPLE["unit"] if to_simple else {short: name for name, short in SIMPLE["unit"].items()}
    other: dict[str, Any] = {"ty" if to_simple else "type": tag}
    for key, value in said.items():
        if key in ("orderbook_units", "obu"):
            units = msgspec.json.decode(value, type=list[dict[str, msgspec.Raw]])
            other[table[key]] = [{unit[name]: number for name, number in one.items()} for one in units]
        else:
            other[table[key]] = value
    return msgspec.json.encode(other)


def frame_of(event: Event, *, simple: bool) -> bytes:
    """An event as Upbit would send it; None is left out."""
    kind = next(kind for kind, public in PUBLIC.items() if type(event) is public)
    unit = getattr(event, "unit", None)
    body: dict[str, Any] = {"ty" if simple else "type": f"{kind}.{unit}" if unit else kind}
    for full, short in SIMPLE[kind].items():
        value = getattr(event, "symbol" if full == "code" else full)
        if value is not None:
            body[short if simple else full] = _json(value, simple=simple)
    return msgspec.json.encode(body)


def _json(value: Any, *, simple: bool) -> Any:
    if isinstance(value, Decimal):
        return msgspec.Raw(str(value).encode())
    if isinstance(value, list) and value and isinstance(value[0], OrderbookUnit):
        pairs = [(full, short if simple else full) for full, short in SIMPLE["unit"].items()]
        return [{key: _json(getattr(unit, full), simple=simple) for full, key in pairs} for unit in value]
    return value


def short_road(codec: Codec, frame: bytes) -> Event:
    """As the driver does it."""
    event = codec.decode(frame)
    event.__class__ = codec.classes[event.__class__][0]
    public: Event = event
    return public


def long_road(codec: Codec, frame: bytes, received_ns: int = 0) -> Event:
    reading = codec.read(frame, received_ns)
    [event] = reading.events
    assert not reading.controls
    assert not reading.quarantined
    return event
