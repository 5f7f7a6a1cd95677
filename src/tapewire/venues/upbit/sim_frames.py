"""Public events → Upbit's own frames in the number forms of the wire (spec/upbit.md section 4): the codec's mirror."""

from __future__ import annotations

from collections.abc import Callable
from operator import attrgetter
from typing import Any

import msgspec

from tapewire.config import Format
from tapewire.model.events import CandleEvent, Event, OrderbookEvent, TickerEvent, TradeEvent
from tapewire.venues.upbit.fields import ATTRIBUTES, FIELDS, UNIT_FIELDS

_ENCODER = msgspec.json.Encoder()
_FIXED = (
    "opening_price",
    "high_price",
    "low_price",
    "trade_price",
    "candle_acc_trade_volume",
    "candle_acc_trade_price",
)
_WHOLE = ("best_ask_price", "best_ask_size", "best_bid_price", "best_bid_size")
_KINDS: dict[type[Event], str] = {
    TickerEvent: "ticker",
    TradeEvent: "trade",
    OrderbookEvent: "orderbook",
    CandleEvent: "candle",
}


def encode(event: Event, format: Format = "DEFAULT", stream_type: str | None = None) -> bytes:  # noqa: A002
    """The frame that tells ``event`` in ``format``; ``stream_type`` takes the place of the event's own.

    A field that is None is left out, except ``delisting_date``, which Upbit sends as null. What only tapewire knows
    (``received_ns``, ``raw``) is not on the wire.
    """
    kind = _KINDS[type(event)]
    make, values = _WIRE[kind, format.startswith("SIMPLE")]
    name = f"candle.{event.unit}" if isinstance(event, CandleEvent) else kind
    wire = make(name, *values(event))
    if stream_type is not None:
        wire.stream_type = stream_type
    _FORMS[kind](wire, format.startswith("SIMPLE"))
    payload = _ENCODER.encode(wire)
    return b"[%b]" % payload if format.endswith("_LIST") else payload


def join(payloads: list[bytes], size: int) -> list[bytes]:
    """List-format frames of one element each → frames of up to ``size`` elements."""
    if size < 2:
        return payloads
    chunks = [payloads[start : start + size] for start in range(0, len(payloads), size)]
    return [b"[%b]" % b",".join(payload[1:-1] for payload in chunk) for chunk in chunks]


def cut(event: OrderbookEvent, depth: int, *, sum_all: bool) -> OrderbookEvent:
    """The same book with ``depth`` levels; totals over those delivered, or over all (spec section 11, 8)."""
    units = event.orderbook_units[:depth]
    if len(units) == len(event.orderbook_units):
        return event
    asks, bids = event.total_ask_size, event.total_bid_size
    if not sum_all:
        asks, bids = round(sum(unit.ask_size for unit in units), 8), round(sum(unit.bid_size for unit in units), 8)
    return OrderbookEvent(
        venue=event.venue, symbol=event.symbol, stream_type=event.stream_type, timestamp=event.timestamp,
        orderbook_units=units, total_ask_size=asks, total_bid_size=bids, level=event.level,
    )  # fmt: skip


def _as_is(wire: Any, simple: bool) -> None:  # noqa: FBT001 - one of three forms
    """Tickers: floats as they are."""


def _trade(wire: Any, simple: bool) -> None:  # noqa: FBT001, ARG001 - one of three forms
    for name in _WHOLE:
        setattr(wire, name, _whole(getattr(wire, name)))


def _candle(wire: Any, simple: bool) -> None:  # noqa: FBT001, ARG001 - one of three forms
    for name in _FIXED:
        setattr(wire, name, _eight_decimals(getattr(wire, name)))


def _orderbook(wire: Any, simple: bool) -> None:  # noqa: FBT001 - one of three forms
    wire.level = _whole(wire.level)
    if simple:  # prices are whole numbers where the market makes them so: 91370000 today, 127.0 in 2021
        wire.orderbook_units = [
            _SimpleUnit(unit.ask_price, unit.bid_price, unit.ask_size, unit.bid_size) for unit in wire.orderbook_units
        ]


def _whole(value: float | None) -> float | None:
    """``91370000`` and not ``91370000.0``; tiny and huge ones stay floats, with an exponent where the encoder likes."""
    if value is not None and value.is_integer() and abs(value) < 2**53 and (value or str(value) == "0.0"):
        return int(value)
    return value


def _eight_decimals(value: float | None) -> Any:
    """``91154000.00000000``, as long as that says the same number."""
    if value is None:
        return None
    whole, point, decimals = repr(value).partition(".")
    if not point or "e" in decimals:
        whole, point, decimals = f"{value:.8f}".partition(".")
    text = f"{whole}.{decimals:0<8}"
    return msgspec.Raw(text.encode()) if len(decimals) <= 8 and float(text) == value else value


def _wire(kind: str, *, simple: bool) -> tuple[Callable[..., Any], Callable[[Event], tuple[Any, ...]]]:
    names = FIELDS[kind]
    fields: list[tuple[str, Any, Any]] = [("type", str, msgspec.field(name="ty" if simple else "type"))]
    for full, short in names.items():
        # None is left out by being the default; delisting_date's default never occurs, so its None is sent.
        default = msgspec.UNSET if full == "delisting_date" else None
        fields.append((full, Any, msgspec.field(name=short if simple else full, default=default)))
    make = msgspec.defstruct(f"Sent{kind.title()}", fields, omit_defaults=True, gc=False)
    return make, attrgetter(*(ATTRIBUTES.get(full, full) for full in names))


_WIRE = {(kind, simple): _wire(kind, simple=simple) for kind in FIELDS for simple in (False, True)}
_SimpleUnit = msgspec.defstruct(
    "SentUnit", [(full, Any, msgspec.field(name=short)) for full, short in UNIT_FIELDS.items()], gc=False
)
_FORMS: dict[str, Callable[[Any, bool], None]] = {
    "ticker": _as_is,
    "trade": _trade,
    "orderbook": _orderbook,
    "candle": _candle,
}
