"""What OKX's REST tells of the past: trades and candles that a stream missed (spec/okx.md A8)."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import datetime, timedelta, timezone
from decimal import Decimal
from functools import partial
from typing import Any
from urllib.parse import urlencode

import msgspec

from tapewire.config import Numbers
from tapewire.errors import DecodeError
from tapewire.model.book import BookLevel, DepthOrderbookEvent, RpiBookLevel
from tapewire.model.events import CandleEvent, Event, TickerEvent, TradeEvent
from tapewire.venues.contract import History
from tapewire.venues.okx.channels import CHANNELS, DELTA_BOOKS, RPI, Meaning
from tapewire.venues.okx.fields import CANDLE_PRICES, CANDLE_VOLUMES, FIELDS, SIDES, VOLUMES
from tapewire.venues.okx.private_frames import private_frame
from tapewire.venues.okx.rest import read_data
from tapewire.venues.okx.rows import Push, read_row
from tapewire.venues.okx.symbols import in_contracts

#: Trades of the newest page, and of one of older ones; candles of one page (section A8).
NEWEST_PAGE, OLDER_PAGE, CANDLES_PAGE = 500, 100, 300

_HOUR_MS, _DAY_MS = 3_600_000, 86_400_000
_LENGTHS = {"s": 1_000, "m": 60_000, "H": _HOUR_MS, "D": _DAY_MS, "W": 7 * _DAY_MS}
#: Hours that windows of six hours and more are ahead of UTC (A6.5).
_AHEAD = 8
#: 1 January 1970 was a Thursday; weeks begin on Mondays.
_TO_MONDAY = 4 * _DAY_MS
#: Kind → the channel of its push, as far as REST is asked for it.
_WIRE_SIDES = {ours: theirs for theirs, ours in SIDES.items()}


def trades_request(symbol: str, cursor: int | None, _days_ago: int) -> str:
    """Path of one page of single matches, newest first: those older than an id; None: the newest."""
    if cursor is None:
        return f"/api/v5/market/trades?{urlencode({'instId': symbol, 'limit': NEWEST_PAGE})}"
    asked = {"instId": symbol, "type": 1, "after": cursor, "limit": OLDER_PAGE}
    return f"/api/v5/market/history-trades?{urlencode(asked)}"


def read_trades(venue: str, body: bytes, numbers: Numbers) -> list[TradeEvent]:
    """Its body → trades, newest first. Raises DecodeError."""
    push = Push(venue, "trades-all", Meaning("trade"), "", numbers)
    return read_rows(venue, push, body, TradeEvent, "list of trades")


def candles_request(symbol: str, unit: str, before_ms: int | None) -> str:
    """Path of one page of candles, newest first: windows that began before a time (Unix ms, UTC); None: the newest."""
    asked: dict[str, Any] = {"instId": symbol, "bar": unit, "limit": CANDLES_PAGE}
    if before_ms is not None:
        asked["after"] = before_ms
    path = "history-candles" if unit == "1s" else "candles"
    return f"/api/v5/market/{path}?{urlencode(asked)}"


def read_candles(venue: str, symbol: str, unit: str, body: bytes, numbers: Numbers) -> list[CandleEvent]:
    """Its body → candles, newest first. Raises DecodeError."""
    push = Push(venue, f"candle{unit}", Meaning("candle", unit=unit), symbol, numbers)
    return read_rows(venue, push, body, CandleEvent, "list of candles")


def window_start(unit: str, ms: int) -> int:
    """When the window that holds a time began (both Unix ms, UTC)."""
    span, letter = unit.removesuffix("utc"), unit.removesuffix("utc")[-1]
    count = int(span[:-1])
    long = letter in "DWM" or (letter == "H" and count > 4)
    ahead = timedelta(hours=_AHEAD if long and not unit.endswith("utc") else 0)
    if letter == "M":
        at = datetime.fromtimestamp(ms / 1000, timezone(ahead))
        first = at.replace(month=(at.month - 1) // count * count + 1, day=1, hour=0, minute=0, second=0, microsecond=0)
        return int(first.timestamp()) * 1000
    length = _LENGTHS[letter] * count
    origin = (_TO_MONDAY if letter == "W" else 0) - int(ahead.total_seconds()) * 1000
    return (ms - origin) // length * length + origin


def frame(event: Event) -> bytes:
    """The push of an event that REST told, without what REST does not tell."""
    if (private := private_frame(event)) is not None:
        return private
    if isinstance(event, DepthOrderbookEvent):
        return _book_frame(event)
    if isinstance(event, CandleEvent):
        argument = {"channel": f"candle{event.unit}", "instId": event.symbol}
        return _frame(argument, _candle_row(event))
    return _frame({"channel": CHANNELS[event.kind], "instId": event.symbol}, _row(event))


def history(venue: str) -> History:
    """All of this as the contract has it."""
    return History(
        trades_request=trades_request,
        read_trades=lambda _symbol, body, numbers: read_trades(venue, body, numbers),
        candles_request=candles_request,
        read_candles=partial(read_candles, venue),
        frame=frame,
        ids_ascend=True,
        window=window_start,
        candles_late_ms=0,
    )


def _frame(argument: Mapping[str, str], row: Any) -> bytes:
    return msgspec.json.encode({"arg": argument, "data": [row]})


def _book_frame(event: DepthOrderbookEvent) -> bytes:
    """A book that comes as changes begins with a snapshot (A6.4)."""
    kept = event.channel in DELTA_BOOKS
    row: dict[str, Any] = {
        side: [[_text(one.price), _text(one.size), _third(one), str(one.orders)] for one in levels]
        for side, levels in (("asks", event.asks), ("bids", event.bids))
    }
    row |= {"ts": _text(event.timestamp), "seqId": event.sequence}
    said: dict[str, Any] = {"arg": {"channel": event.channel, "instId": event.symbol}}
    if kept:
        said["action"] = "snapshot"
        row |= {"prevSeqId": -1} | ({} if event.channel == RPI else {"checksum": 0})
    return msgspec.json.encode(said | {"data": [row]})


def _third(level: BookLevel) -> str:
    return _text(level.organic) if isinstance(level, RpiBookLevel) else str(level.liquidated)


def _row(event: Event) -> dict[str, str]:
    kind = str(event.__struct_config__.tag)
    names = dict(FIELDS[kind])
    if isinstance(event, TickerEvent):
        names |= VOLUMES[in_contracts(event.symbol)]
    said = {name: _text(getattr(event, attribute, None)) for attribute, name in names.items()}
    if "side" in said:
        said["side"] = _WIRE_SIDES.get(said["side"], said["side"])
    return {name: value for name, value in said.items() if value}


def _candle_row(event: CandleEvent) -> list[str]:
    names = (*CANDLE_PRICES, *CANDLE_VOLUMES[in_contracts(event.symbol)])
    figures = [_text(None if name is None else getattr(event, name)) for name in names]
    return [str(event.timestamp), *figures, "1" if event.final else "0"]


def _text(value: object) -> str:
    if value is None:
        return ""
    return f"{Decimal(repr(value)):f}" if isinstance(value, float) else str(value)


def read_rows(
    venue: str, push: Push, body: bytes, made: type[Any], what: str, *, shown: Callable[[Any], Any] = lambda row: row
) -> list[Any]:
    """A body with the rows of a push, as ``shown`` lets them be → events of one class.

    Raises:
        DecodeError: says ``what`` it is not.
    """
    rows = read_data(venue, body, list[Any], what)
    try:
        events = [read_row(push, shown(row)) for row in rows]
    except (ValueError, TypeError, ArithmeticError) as error:
        raise DecodeError(venue, f"no {what}: {error}", body) from error
    assert all(isinstance(event, made) for event in events)  # noqa: S101 - the meaning says so
    return events
