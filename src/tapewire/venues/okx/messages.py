"""OKX's pushes for the short road: wire classes of events, and decoders of whole frames (spec/okx.md A5, A6).

A wire class is a subclass of the public event class with the same slots: only the names on the wire and the defaults
differ, so ``event.__class__ = public`` makes a public event at no cost. Numbers come as texts, which msgspec's lax mode
reads. The symbol is not read again: all frames of one stream have the same (``venues.contract.Head``).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from decimal import Decimal
from functools import cache
from sys import float_info
from typing import Annotated, Any

import msgspec
from msgspec import Struct
from msgspec.structs import FieldInfo

from tapewire.config import Numbers
from tapewire.model.book import BookChange, BookLevel, DepthOrderbookEvent
from tapewire.model.events import EVENT_CLASSES, Event
from tapewire.venues.okx.channels import DELTA_BOOKS, meaning_of
from tapewire.venues.okx.fields import FIELDS, NEEDED, SIDES, VOLUMES

_MAX = Decimal(float_info.max)
_LONG = Annotated[int, msgspec.Meta(ge=-(2**63), le=2**63 - 1)]
#: Texts such as ``"nan"`` are read, too: the bounds refuse them.
_FLOAT = Annotated[float, msgspec.Meta(ge=-float_info.max, le=float_info.max)]
#: A null or an empty text is for the careful road: what every message has takes none.
_PLAIN: dict[Any, Any] = {float | None: _FLOAT, int | None: _LONG, str | None: str, bool | None: bool}
_EXACT: dict[Any, Any] = _PLAIN | {float | None: Decimal}
#: Kinds whose every field is in ``FIELDS``, that are sent often enough for the short road.
_KINDS = ("ticker", "trade", "orderbook", "markPrice", "indexTicker", "openInterest", "priceLimit", "fundingRate")


class Shape(Struct, frozen=True):
    """What a wire class depends on. ``counted``: sizes are contracts."""

    venue: str
    channel: str
    numbers: Numbers
    counted: bool


class _ExactLevel(BookLevel, array_like=True, gc=False):
    price: Decimal  # type: ignore[assignment]
    size: Decimal  # type: ignore[assignment]


def public_class(channel: str) -> type[Event] | None:
    """What frames of a channel become on the short road; None: they are not for it."""
    meaning = meaning_of(channel)
    if meaning is None or meaning.kind not in _KINDS:
        return None
    if meaning.kind != "orderbook":
        return EVENT_CLASSES[meaning.kind]
    return BookChange if channel in DELTA_BOOKS else DepthOrderbookEvent


@cache
def frame_decoder(shape: Shape) -> Callable[[bytes], Any]:
    """Frame of ``shape.channel`` → an object whose ``data`` are wire events; raises on anything else."""
    wire = _wire_class(shape)
    row: Any = list[wire]  # type: ignore[valid-type]
    frame = msgspec.defstruct("Push", [("data", row)], gc=False)
    decode = msgspec.json.Decoder(frame, strict=False).decode
    return _exact(decode) if shape.numbers == "decimal" else decode


def _wire_class(shape: Shape) -> type:
    """Every field of the public class is declared anew: under its wire name, or out of the wire's reach."""
    public = public_class(shape.channel)
    assert public is not None  # noqa: S101 - who asks for a decoder has asked for the class
    kind = str(public.__struct_config__.tag) if public is BookChange else _kind(shape.channel)
    names = dict(FIELDS[kind]) | (dict(VOLUMES[shape.counted]) if kind == "ticker" else {})
    needed = NEEDED.get(kind, ())
    if kind in ("orderbook", "bookChange"):
        names |= {"asks": "asks", "bids": "bids"}
        needed = ("asks", "bids")
    del names["symbol"]
    fixed = {"venue": shape.venue, "symbol": "", "channel": shape.channel, "action": "update"}
    fields = [
        (
            info.name,
            _type(info.type, shape),
            msgspec.field(name=names[info.name])
            if info.name in needed
            else _field(info, names.get(info.name, f"({info.name})"), fixed),
        )
        for info in msgspec.structs.fields(public)
    ]
    namespace = {"__post_init__": _finish_trade} if kind == "trade" else {}
    return msgspec.defstruct(
        f"Okx{public.__name__}", fields, bases=(public,), namespace=namespace, gc=False, kw_only=True, tag=False
    )


def _kind(channel: str) -> str:
    meaning = meaning_of(channel)
    return "" if meaning is None else meaning.kind


def _finish_trade(trade: Any, sides: Mapping[str, str] = SIDES) -> None:
    trade.ask_bid, trade.trade_timestamp = sides[trade.ask_bid], trade.timestamp


def _field(info: FieldInfo, name: str, fixed: Mapping[str, str]) -> Any:
    if info.name in fixed:
        return msgspec.field(name=name, default=fixed[info.name])
    return msgspec.field(name=name, default=info.default)


def _type(annotation: Any, shape: Shape) -> Any:
    if annotation == list[BookLevel]:
        return list[_ExactLevel] if shape.numbers == "decimal" else annotation
    return (_EXACT if shape.numbers == "decimal" else _PLAIN).get(annotation, annotation)


def _exact(decode: Callable[[bytes], Any]) -> Callable[[bytes], Any]:
    """A Decimal may be NaN (sent as text) or ``1e999999``, which a float decoder refuses by itself."""

    def decode_exactly(payload: bytes) -> Any:
        frame = decode(payload)
        for event in frame.data:
            values = msgspec.structs.astuple(event)
            if isinstance(event, DepthOrderbookEvent):
                for level in (*event.asks, *event.bids):
                    values += (level.price, level.size)
                    level.__class__ = BookLevel
            for value in values:
                if isinstance(value, Decimal) and not -_MAX <= value <= _MAX:  # NaN raises InvalidOperation here
                    raise ValueError(f"number out of range: {value:.3e}")
        return frame

    return decode_exactly
