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

from tapewire.model.events import EVENT_CLASSES, Asset, CandleEvent, Event, OrderbookUnit
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
    "myOrder": (
        "code cd|uuid uid|ask_bid ab|order_type ot|state s|trade_uuid tuid|price p|avg_price ap|volume v|"
        "remaining_volume rv|executed_volume ev|trades_count tc|reserved_fee rsf|remaining_fee rmf|paid_fee pf|"
        "locked l|executed_funds ef|time_in_force tif|trade_fee tf|is_maker im|identifier id|smp_type smpt|"
        "prevented_volume pv|prevented_locked pl|trade_timestamp ttms|order_timestamp otms|timestamp tms|stream_type st"
    ),
    "myAsset": "asset_uuid astuid|assets ast|asset_timestamp asttms|timestamp tms|stream_type st",
    "announcement": (
        "event_type et|uuid uid|title tt|category cat|url url|first_listed_at flat|listed_at lat|body bd|"
        "timestamp tms|stream_type st"
    ),
    "indicator": (
        "code cd|timeframe tf|indicator ind|params p|value v|candle_date_time_utc cdttmu|timestamp tms|stream_type st"
    ),
    "indicator_signal": (
        "code cd|timeframe tf|indicator ind|params p|value v|candle_date_time_utc cdttmu|timestamp tms|stream_type st|"
        "trigger tr|event_params ep"
    ),
    "unit": "ask_price ap|bid_price bp|ask_size as|bid_size bs",
    "asset": "currency cu|balance b|locked l",
    "params": ("period p|type t|short_period shp|long_period lop|multiplier m|fast f|slow s|signal_period sgp"),
    "event_params": "threshold th|multiplier mul",
    "value": (
        "volume vol|avg_volume av|ratio rto|rsi rsi|value value|ma_short mas|ma_long mal|bb_upper bbu|bb_middle bbm|"
        "bb_lower bbl|macd macd|macd_signal macds|histogram hist"
    ),
}
#: What stands within a message: the field and the table of its names.
LISTS: dict[str, tuple[str, Any]] = {"orderbook_units": ("unit", OrderbookUnit), "assets": ("asset", Asset)}
OBJECTS = ("params", "event_params", "value")
SIMPLE = {kind: dict(pair.split(" ") for pair in pairs.split("|")) for kind, pairs in NAMES.items()}
PUBLIC = EVENT_CLASSES
TEXTS = frozenset(
    ["code", "change", "ask_bid", "trade_date", "trade_time", "highest_52_week_date", "lowest_52_week_date",
     "market_state", "is_trading_suspended", "delisting_date", "market_warning", "stream_type",
     "candle_date_time_utc", "candle_date_time_kst", "uuid", "order_type", "state", "trade_uuid", "time_in_force",
     "is_maker", "identifier", "smp_type", "asset_uuid", "currency", "event_type", "title", "category", "url",
     "first_listed_at", "listed_at", "body", "timeframe", "indicator", "trigger"]
)  # fmt: skip
WHOLE = frozenset(
    ["timestamp", "trade_timestamp", "sequential_id", "trades_count", "order_timestamp", "asset_timestamp"]
)


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
    if kind in ("myOrder", "myAsset"):
        number = Decimal
    values: dict[str, Any] = {"venue": venue} | ({"unit": unit} if unit else {})
    for name, value in _full(kind, said, simple=simple).items():
        if name in LISTS and value is not None:
            table, made = LISTS[name]
            values[name] = [made(**_exact(_full(table, one, simple=simple), number)) for one in value]
        elif name in OBJECTS and value is not None:
            values[name] = _exact(_full(name, value, simple=simple), number if name == "value" else _plain)
        else:
            values["symbol" if name == "code" else name] = _exact({name: value}, number)[name]
    return PUBLIC[kind](**values)


def _full(table: str, said: dict[str, Any], *, simple: bool) -> dict[str, Any]:
    full = {short if simple else name: name for name, short in SIMPLE[table].items()}
    assert said.keys() <= full.keys(), f"unexpected keys {said.keys() - full.keys()}"
    return {full[key]: value for key, value in said.items()}


def _exact(said: dict[str, Any], number: Any) -> dict[str, Any]:
    values = {}
    for name, value in said.items():
        texts = name in TEXTS or value is None or (isinstance(value, str) and name == "type")
        values[name] = value if texts else int(value) if name in WHOLE else number(value)
    return values


def _plain(value: Decimal) -> float:
    """A parameter: a whole number or not, as it is written."""
    return float(value) if "." in str(value) else int(value)


def renamed(frame: bytes) -> bytes:
    """The same message in the other form, DEFAULT ↔ SIMPLE; every value keeps its very text."""
    said = msgspec.json.decode(frame, type=dict[str, msgspec.Raw])
    to_simple = "type" in said
    tag = said.pop("type" if to_simple else "ty")
    kind = msgspec.json.decode(tag, type=str).partition(".")[0]
    full = {short if not to_simple else name: name for name, short in SIMPLE[kind].items()}
    other: dict[str, Any] = {"ty" if to_simple else "type": tag}
    for key, value in said.items():
        name = full[key]
        key = SIMPLE[kind][name] if to_simple else name  # noqa: PLW2901
        if name in LISTS:
            elements = msgspec.json.decode(value, type=list[dict[str, msgspec.Raw]])
            other[key] = [_other(LISTS[name][0], one, to_simple=to_simple) for one in elements]
        elif name in OBJECTS:
            one = msgspec.json.decode(value, type=dict[str, msgspec.Raw])
            other[key] = _other(name, one, to_simple=to_simple)
        else:
            other[key] = value
    return msgspec.json.encode(other)


def _other(table: str, said: dict[str, msgspec.Raw], *, to_simple: bool) -> dict[str, msgspec.Raw]:
    names = SIMPLE[table] if to_simple else {short: name for name, short in SIMPLE[table].items()}
    return {names[key]: value for key, value in said.items()}


def frame_of(event: Event, *, simple: bool) -> bytes:
    """An event as Upbit would send it; None is left out."""
    kind = next(kind for kind, public in PUBLIC.items() if type(event) is public)
    name = f"{kind}.{event.unit}" if isinstance(event, CandleEvent) else kind
    body: dict[str, Any] = {"ty" if simple else "type": name}
    for full, short in SIMPLE[kind].items():
        value = getattr(event, "symbol" if full == "code" else full)
        if value is not None:
            body[short if simple else full] = _json(full, value, simple=simple)
    return msgspec.json.encode(body)


def _json(name: str, value: Any, *, simple: bool) -> Any:
    if name in LISTS:
        return [_json(LISTS[name][0], msgspec.structs.asdict(one), simple=simple) for one in value]
    if isinstance(value, dict) and name in SIMPLE:
        names = SIMPLE[name] if simple else {}
        return {names.get(key, key): _json(key, one, simple=simple) for key, one in value.items()}
    return msgspec.Raw(str(value).encode()) if isinstance(value, Decimal) else value


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
