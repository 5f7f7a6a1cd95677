"""Upbit's field names, full and SIMPLE: one table per type, read by the codec and written by the simulator."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TypeVar

T = TypeVar("T")

#: kind → {full name: SIMPLE name} of every field but ``type``, in the order of Upbit's own frames (section 4).
FIELDS: dict[str, dict[str, str]] = {
    "ticker": {
        "code": "cd",
        "opening_price": "op",
        "high_price": "hp",
        "low_price": "lp",
        "trade_price": "tp",
        "prev_closing_price": "pcp",
        "acc_trade_price": "atp",
        "change": "c",
        "change_price": "cp",
        "signed_change_price": "scp",
        "change_rate": "cr",
        "signed_change_rate": "scr",
        "ask_bid": "ab",
        "trade_volume": "tv",
        "acc_trade_volume": "atv",
        "trade_date": "tdt",
        "trade_time": "ttm",
        "trade_timestamp": "ttms",
        "acc_ask_volume": "aav",
        "acc_bid_volume": "abv",
        "highest_52_week_price": "h52wp",
        "highest_52_week_date": "h52wdt",
        "lowest_52_week_price": "l52wp",
        "lowest_52_week_date": "l52wdt",
        "market_state": "ms",
        "is_trading_suspended": "its",
        "delisting_date": "dd",
        "market_warning": "mw",
        "timestamp": "tms",
        "acc_trade_price_24h": "atp24h",
        "acc_trade_volume_24h": "atv24h",
        "stream_type": "st",
    },
    "trade": {
        "code": "cd",
        "timestamp": "tms",
        "trade_date": "td",
        "trade_time": "ttm",
        "trade_timestamp": "ttms",
        "trade_price": "tp",
        "trade_volume": "tv",
        "ask_bid": "ab",
        "prev_closing_price": "pcp",
        "change": "c",
        "change_price": "cp",
        "sequential_id": "sid",
        "best_ask_price": "bap",
        "best_ask_size": "bas",
        "best_bid_price": "bbp",
        "best_bid_size": "bbs",
        "stream_type": "st",
    },
    "orderbook": {
        "code": "cd",
        "timestamp": "tms",
        "total_ask_size": "tas",
        "total_bid_size": "tbs",
        "orderbook_units": "obu",
        "stream_type": "st",
        "level": "lv",
    },
    "candle": {
        "code": "cd",
        "candle_date_time_utc": "cdttmu",
        "candle_date_time_kst": "cdttmk",
        "opening_price": "op",
        "high_price": "hp",
        "low_price": "lp",
        "trade_price": "tp",
        "candle_acc_trade_volume": "catv",
        "candle_acc_trade_price": "catp",
        "timestamp": "tms",
        "stream_type": "st",
    },
    "myOrder": {
        "code": "cd",
        "uuid": "uid",
        "ask_bid": "ab",
        "order_type": "ot",
        "state": "s",
        "trade_uuid": "tuid",
        "price": "p",
        "avg_price": "ap",
        "volume": "v",
        "remaining_volume": "rv",
        "executed_volume": "ev",
        "trades_count": "tc",
        "reserved_fee": "rsf",
        "remaining_fee": "rmf",
        "paid_fee": "pf",
        "locked": "l",
        "executed_funds": "ef",
        "time_in_force": "tif",
        "trade_fee": "tf",
        "is_maker": "im",
        "identifier": "id",
        "smp_type": "smpt",
        "prevented_volume": "pv",
        "prevented_locked": "pl",
        "trade_timestamp": "ttms",
        "order_timestamp": "otms",
        "timestamp": "tms",
        "stream_type": "st",
    },
    "myAsset": {
        "asset_uuid": "astuid",
        "assets": "ast",
        "asset_timestamp": "asttms",
        "timestamp": "tms",
        "stream_type": "st",
    },
    "announcement": {
        "event_type": "et",
        "uuid": "uid",
        "title": "tt",
        "category": "cat",
        "url": "url",
        "first_listed_at": "flat",
        "listed_at": "lat",
        "body": "bd",
        "timestamp": "tms",
        "stream_type": "st",
    },
    "indicator": {
        "code": "cd",
        "timeframe": "tf",
        "indicator": "ind",
        "params": "p",
        "candle_date_time_utc": "cdttmu",
        "value": "v",
        "timestamp": "tms",
        "stream_type": "st",
    },
    "indicator_signal": {
        "code": "cd",
        "timeframe": "tf",
        "indicator": "ind",
        "params": "p",
        "trigger": "tr",
        "event_params": "ep",
        "candle_date_time_utc": "cdttmu",
        "value": "v",
        "timestamp": "tms",
        "stream_type": "st",
    },
}
#: The same for one element of ``orderbook_units``, and for one of ``assets``.
UNIT_FIELDS = {"ask_price": "ap", "bid_price": "bp", "ask_size": "as", "bid_size": "bs"}
ASSET_FIELDS = {"currency": "cu", "balance": "b", "locked": "l"}
#: The same within a message's objects (sections 4.8 and 4.9). Other names are kept as they come.
OBJECT_FIELDS = {
    "params": {
        "period": "p",
        "type": "t",
        "short_period": "shp",
        "long_period": "lop",
        "multiplier": "m",
        "fast": "f",
        "slow": "s",
        "signal_period": "sgp",
    },
    "event_params": {"threshold": "th", "multiplier": "mul"},
    "value": {
        "volume": "vol",
        "avg_volume": "av",
        "ratio": "rto",
        "rsi": "rsi",
        "value": "value",
        "ma_short": "mas",
        "ma_long": "mal",
        "bb_upper": "bbu",
        "bb_middle": "bbm",
        "bb_lower": "bbl",
        "macd": "macd",
        "macd_signal": "macds",
        "histogram": "hist",
    },
}
#: The same for the answer of LIST_SUBSCRIPTIONS and for each element of its ``result`` (section 3.9). The short names
#: of what private and info streams add are nowhere documented: taken from the messages.
LIST_FIELDS = {"method": "mthd", "result": "rslt", "ticket": "tckt"}
RESULT_FIELDS = {
    "type": "ty",
    "codes": "cds",
    "level": "lv",
    "categories": "cat",
    "include_body": "ib",
    "timeframe": "tf",
    "indicators": "ind",
}
#: The same for one of a result's ``indicators``; what is within its objects has the names of ``OBJECT_FIELDS``.
INDICATOR_FIELDS = {"type": "ty", "params": "p", "trigger": "tr", "event_params": "ep"}
#: Full name → the event's attribute, where they differ.
ATTRIBUTES = {"code": "symbol"}


def attribute_names(kind: str, *, simple: bool) -> dict[str, str]:
    """{event attribute: name on the wire} of ``kind``."""
    return {ATTRIBUTES.get(full, full): short if simple else full for full, short in FIELDS[kind].items()}


def full_names(said: Mapping[str, T], table: Mapping[str, str]) -> dict[str, T]:
    """``said`` under the full names of ``table``, whichever of its two names each key is; others as they come."""
    full = {short: name for name, short in table.items()}
    return {full.get(name, name): value for name, value in said.items()}
