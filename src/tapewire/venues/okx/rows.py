"""One element of a push's ``data`` → its event, whatever of it the exchange left out (spec/okx.md A6, A7)."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import UTC, datetime, tzinfo
from types import MappingProxyType
from typing import Any

from msgspec import Struct, structs

from tapewire.config import Numbers
from tapewire.model.book import BookChange, BookLevel, DepthOrderbookEvent, Row
from tapewire.model.derivatives import Liquidation, LiquidationEvent
from tapewire.model.events import (
    EVENT_CLASSES,
    KST,
    Asset,
    CandleEvent,
    Event,
    MyAssetEvent,
    MyOrderEvent,
    TickerEvent,
    TradeEvent,
)
from tapewire.model.listing import InstrumentEvent
from tapewire.model.positions import (
    BalanceAndPositionEvent,
    CashBalance,
    FillEvent,
    PositionChange,
    PositionEvent,
    TradeReference,
)
from tapewire.venues.okx import values
from tapewire.venues.okx.channels import DELTA_BOOKS, Meaning
from tapewire.venues.okx.fields import CANDLE_PRICES, CANDLE_VOLUMES, FIELDS, MAKER, NEEDED, PARTS, VOLUMES
from tapewire.venues.okx.symbols import CASH_TYPES, in_contracts

_SECOND_TEXT = "%Y-%m-%dT%H:%M:%S"
#: Elements of a level (A6.4), and of the rows of a candle (A6.5).
_LEVEL = (2, 4)
_CANDLE = (7, 9)


class Push(Struct, frozen=True):
    """What a push says beside its ``data``, and how numbers are to be read.

    Attributes:
        channel, meaning: the channel, and what it is in our words.
        symbol: of the argument, ``""``: it names none.
        action: of changes of books.
        beside: what else stands beside ``data``: ``eventType``, ``curPage``, ``lastPage``.
    """

    venue: str
    channel: str
    meaning: Meaning
    symbol: str
    numbers: Numbers
    action: str | None = None
    beside: Mapping[str, Any] = MappingProxyType({})


def read_row(push: Push, row: Any) -> Event:
    """The event of one element. Raises ValueError for what it cannot be."""
    kind = push.meaning.kind
    if kind == "candle":
        return _candle(push, row)
    if not isinstance(row, dict):
        raise ValueError(f"expected an object in data, got {type(row).__name__}")  # noqa: TRY004 - a bad frame
    return _READERS.get(kind, _plain)(push, row)


def _common(push: Push, made: type[Event], row: values.Row, *more: Mapping[str, str]) -> dict[str, Any]:
    """Keyword arguments of ``made`` by its table; the argument names the symbol where the element does not."""
    kind = str(made.__struct_config__.tag)
    read: dict[str, Any] = {"venue": push.venue}
    for names in (FIELDS[kind], *more):
        read |= values.read(made, names, row, push.numbers)
    if push.symbol and read.setdefault("symbol", push.symbol) != push.symbol:
        raise ValueError(f"instId: the argument says {push.symbol!r}, the data {read['symbol']!r}")
    if "symbol" in FIELDS[kind] and "symbol" not in read:
        raise ValueError("neither the argument nor the data name an instId")
    for attribute in NEEDED.get(kind, ()):
        _need(read, attribute, FIELDS[kind][attribute])
    return read


def _plain(push: Push, row: values.Row) -> Event:
    made = EVENT_CLASSES[push.meaning.kind]
    return made(**_common(push, made, row))


def _ticker(push: Push, row: values.Row) -> Event:
    said = _common(push, TickerEvent, row)
    counted = said.get("market_type") not in CASH_TYPES if "market_type" in said else in_contracts(said["symbol"])
    return TickerEvent(**said, **values.read(TickerEvent, VOLUMES[counted], row, push.numbers))


def _trade(push: Push, row: values.Row) -> Event:
    said = _common(push, TradeEvent, row)
    return TradeEvent(**said, trade_timestamp=said["timestamp"])


def _book(push: Push, row: values.Row) -> Event:
    if push.channel in DELTA_BOOKS:
        return _change(push, row)
    said = _common(push, DepthOrderbookEvent, row)
    number: Callable[[Any], Any] = values.exact if push.numbers == "decimal" else values.near
    sides: dict[str, Any] = {
        side: [
            BookLevel(number(price), number(size), *map(values.whole, figures))
            for price, size, *figures in _levels(row, side)
        ]
        for side in ("asks", "bids")
    }
    return DepthOrderbookEvent(**said, **sides, channel=push.channel)


def _change(push: Push, row: values.Row) -> Event:
    """The texts of the levels are kept, a checksum is made of them; who keeps the book reads them as numbers."""
    if push.action not in ("snapshot", "update"):
        raise ValueError(f'action is {push.action!r}; it must be "snapshot" or "update"')
    said = _common(push, BookChange, row)
    sides: dict[str, Any] = {side: [_texts(level) for level in _levels(row, side)] for side in ("asks", "bids")}
    return BookChange(**said, **sides, channel=push.channel, action=push.action)  # type: ignore[arg-type]


def _levels(row: values.Row, side: str) -> list[list[Any]]:
    levels = row.get(side)
    if not isinstance(levels, list):
        raise ValueError(f"{side}: expected a list of levels")  # noqa: TRY004 - a bad frame
    for level in levels:
        if not isinstance(level, list) or not _LEVEL[0] <= len(level) <= _LEVEL[1]:
            raise ValueError(f"{side}: expected levels of 2 to 4 elements")
    return levels


def _texts(level: list[Any]) -> Row:
    if all(type(figure) is str for figure in level):  # of 800 levels, this is what a snapshot costs
        return tuple(level)
    return tuple(map(values.text, level))


def _candle(push: Push, row: Any) -> Event:
    if not isinstance(row, list) or not _CANDLE[0] <= len(row) <= _CANDLE[1]:
        raise ValueError("expected a row of 7 to 9 elements in data")
    if not push.symbol:
        raise ValueError("the argument names no instId")
    number: Callable[[Any], Any] = values.exact if push.numbers == "decimal" else values.near
    begin, figures = values.named("ts", values.whole, row[0]), row[1:8]
    names = (*CANDLE_PRICES, *CANDLE_VOLUMES[in_contracts(push.symbol)])
    read = {
        name: values.named(name, number, figure)
        for name, figure in zip(names, figures, strict=False)
        if name is not None and figure not in ("", None)
    }
    return CandleEvent(
        venue=push.venue,
        symbol=push.symbol,
        timestamp=begin,
        unit=push.meaning.unit,
        candle_date_time_utc=_clock(begin, UTC),
        candle_date_time_kst=_clock(begin, KST),
        final=len(row) == _CANDLE[1] and row[8] == "1",
        **read,
    )


def _clock(at_ms: int, zone: tzinfo) -> str:
    """The beginning of a window as Upbit writes it."""
    try:
        return datetime.fromtimestamp(at_ms / 1000, zone).strftime(_SECOND_TEXT)
    except (OverflowError, OSError, ValueError) as error:
        raise ValueError(f"ts: {at_ms} is no time") from error


def _instrument(push: Push, row: values.Row) -> Event:
    said = _common(push, InstrumentEvent, row)
    return InstrumentEvent(**said, fields=values.rest(row, FIELDS["instrument"]))


def _liquidation(push: Push, row: values.Row) -> Event:
    parts = [Liquidation(**_part("liquidation", Liquidation, one, push.numbers)) for one in _list(row, "details")]
    newest = max((one.timestamp for one in parts if one.timestamp is not None), default=None)
    return LiquidationEvent(**_common(push, LiquidationEvent, row), timestamp=newest, liquidations=parts)


def _order(push: Push, row: values.Row) -> Event:
    """A message that tells an execution has its price and size, as Upbit's have; the order's own are in ``fields``."""
    said = _common(push, MyOrderEvent, row)
    price, volume = ("fillPx", "fillSz") if "trade_uuid" in said else ("px", "sz")
    said |= values.read(MyOrderEvent, {"price": price, "volume": volume}, row, push.numbers)
    maker = MAKER.get(row.get("execType", ""))
    return MyOrderEvent(**said, is_maker=maker, fields=values.rest(row, FIELDS["myOrder"]))


def _assets(push: Push, row: values.Row) -> Event:
    said: dict[str, Any] = {"venue": push.venue}
    changed = values.said(row, "uTime")
    at = None if changed is None else values.named("uTime", values.whole, changed)
    details = _list(row, "details")
    assets = [Asset(**_part("asset", Asset, one, push.numbers)) for one in details]
    return MyAssetEvent(
        **said, timestamp=at, asset_timestamp=at, assets=assets, fields={**push.beside, **values.rest(row)}
    )


def _position(push: Push, row: values.Row) -> Event:
    said = _common(push, PositionEvent, row)
    return PositionEvent(**said, fields={**push.beside, **values.rest(row, FIELDS["myPosition"])})


def _balance_and_position(push: Push, row: values.Row) -> Event:
    balances = [
        CashBalance(**_part("balance", CashBalance, one, push.numbers)) for one in _list(row, "balData", needed=False)
    ]
    positions = [
        PositionChange(
            **_part("position", PositionChange, one, push.numbers), fields=values.rest(one, PARTS["position"])
        )
        for one in _list(row, "posData", needed=False)
    ]
    trades = [
        TradeReference(**_part("trade", TradeReference, one, push.numbers))
        for one in _list(row, "trades", needed=False)
    ]
    said = _common(push, BalanceAndPositionEvent, row)
    return BalanceAndPositionEvent(**said, balances=balances, positions=positions, trades=trades)


def _fill(push: Push, row: values.Row) -> Event:
    said = _common(push, FillEvent, row)
    return FillEvent(**said, is_maker=MAKER.get(row.get("execType", "")))


def _list(row: values.Row, name: str, *, needed: bool = True) -> list[values.Row]:
    found = row.get(name, None if needed else [])
    if not isinstance(found, list) or not all(isinstance(one, dict) for one in found):
        raise ValueError(f"{name}: expected a list of objects")
    return found


def _part(table: str, made: type[Any], row: values.Row, numbers: Numbers) -> dict[str, Any]:
    read = values.read(made, PARTS[table], row, numbers)
    for info in structs.fields(made):
        if info.required:
            _need(read, info.name, PARTS[table][info.name])
    return read


def _need(read: Mapping[str, Any], attribute: str, name: str) -> None:
    if attribute not in read:
        raise ValueError(f"{name}: no value")


_READERS: Mapping[str, Callable[[Push, values.Row], Event]] = {
    "ticker": _ticker,
    "trade": _trade,
    "orderbook": _book,
    "instrument": _instrument,
    "liquidation": _liquidation,
    "myOrder": _order,
    "myAsset": _assets,
    "myPosition": _position,
    "balanceAndPosition": _balance_and_position,
    "myFill": _fill,
}
