"""Upbit's market messages as typed structs: wire classes per region, form and number type, and their decoders.

A wire class is a subclass of the public event class with the same slots: only the names on the wire and the
defaults differ. So ``event.__class__ = public`` turns a decoded message into a public event at no cost.
The types of the private and info sides have none: they are few, and read field by field (``lax``).
"""

from __future__ import annotations

from collections.abc import Callable
from decimal import Decimal
from functools import cache, reduce
from operator import or_
from sys import float_info
from typing import Annotated, Any, NamedTuple

import msgspec
from msgspec.structs import FieldInfo

from tapewire.config import Format, Numbers
from tapewire.model.events import EVENT_CLASSES, Event, OrderbookEvent, OrderbookUnit
from tapewire.venues.upbit.fields import UNIT_FIELDS, attribute_names
from tapewire.venues.upbit.profile import CANDLE_UNITS, INFO_KINDS, PRIVATE_KINDS, PUBLIC_KINDS

#: Upbit's Long (section 4.0). Larger whole numbers are refused: they fit no time and no id.
LONG_MIN, LONG_MAX = -(2**63), 2**63 - 1
#: The largest float64; exact decimals are held to the same range.
NUMBER_MAX = Decimal(float_info.max)

_LONG = Annotated[int, msgspec.Meta(ge=LONG_MIN, le=LONG_MAX)]
#: The short road takes no null: that costs 4 % of decoding, and a frame that has one is read on the slow road.
_PLAIN: dict[Any, Any] = {float | None: float, int | None: _LONG, str | None: str, bool | None: bool}
_EXACT: dict[Any, Any] = {float: Decimal, float | None: Decimal | None, int | None: _LONG | None}


class Form(NamedTuple):
    """What a wire class depends on besides its type."""

    venue: str
    simple: bool
    numbers: Numbers


class WireType(NamedTuple):
    """One value of ``type`` on the wire."""

    public: type[Event]
    kind: str
    unit: str | None = None


#: Every ``type`` that is read → the event it becomes. All else goes to quarantine by name.
WIRE_TYPES: dict[str, WireType] = {
    **{kind: WireType(EVENT_CLASSES[kind], kind) for kind in PUBLIC_KINDS if kind != "candle"},
    **{f"candle.{unit}": WireType(EVENT_CLASSES["candle"], "candle", unit) for unit in CANDLE_UNITS},
    **{kind: WireType(EVENT_CLASSES[kind], kind) for kind in PRIVATE_KINDS + INFO_KINDS},
}


@cache
def wire_classes(form: Form) -> dict[type, WireType]:
    """The wire classes of ``form``, one per public ``type``, with what each becomes."""
    return {_wire_class(form, name, wire): wire for name, wire in WIRE_TYPES.items() if wire.kind in PUBLIC_KINDS}


@cache
def element_decoder(form: Form) -> Callable[[Any], Any]:
    """JSON object of ``form`` → wire class instance; raises on anything that is not exactly that."""
    return _settled(msgspec.json.Decoder(reduce(or_, wire_classes(form))).decode, form)


@cache
def frame_decoder(venue: str, format: Format, numbers: Numbers) -> Callable[[bytes], Any]:  # noqa: A002
    """Frame of the asked format → wire class instance; raises on anything else.

    A list format's frame must hold exactly one element here, as Upbit sends it; others are for the slow road.
    """
    form = Form(venue, format.startswith("SIMPLE"), numbers)
    if not format.endswith("_LIST"):
        return element_decoder(form)
    decode = msgspec.json.Decoder(list[reduce(or_, wire_classes(form))]).decode  # type: ignore[misc]

    def only(payload: bytes) -> Any:
        [event] = decode(payload)
        return event

    return _settled(only, form)


def _wire_class(form: Form, name: str, wire: WireType) -> type:
    """Every field of the public class is declared anew: under its wire name, or out of the wire's reach."""
    own = {name: name for name in ("recovered", "polled", "final")}  # words of our recordings
    names = attribute_names(wire.kind, simple=form.simple) | own
    fixed = {"venue": form.venue, "unit": wire.unit}
    fields = [
        (info.name, _wire_type(info.type, form), _wire_field(info, names.get(info.name, f"({info.name})"), fixed))
        for info in msgspec.structs.fields(wire.public)
    ]
    title = f"Upbit{'Simple' if form.simple else ''}{wire.public.__name__}"
    return msgspec.defstruct(
        title, fields, bases=(wire.public,), gc=False, kw_only=True, tag_field="ty" if form.simple else "type", tag=name
    )


def _wire_field(info: FieldInfo, name: str, fixed: dict[str, str | None]) -> Any:
    if info.name in fixed:
        return msgspec.field(name=name, default=fixed[info.name])
    if info.default_factory is not msgspec.NODEFAULT:
        return msgspec.field(name=name, default_factory=info.default_factory)
    return msgspec.field(name=name, default=info.default)


def _wire_type(annotation: Any, form: Form) -> Any:
    if annotation == list[OrderbookUnit]:
        return list[_unit_class(form)]  # type: ignore[misc]
    return (_EXACT if form.numbers == "decimal" else _PLAIN).get(annotation, annotation)


@cache
def _unit_class(form: Form) -> Any:
    if not form.simple and form.numbers == "float":
        return OrderbookUnit
    fields = [
        (full, Decimal if form.numbers == "decimal" else float, msgspec.field(name=short if form.simple else full))
        for full, short in UNIT_FIELDS.items()
    ]
    return msgspec.defstruct("UpbitOrderbookUnit", fields, bases=(OrderbookUnit,), gc=False)


def _settled(decode: Callable[[Any], Any], form: Form) -> Callable[[Any], Any]:
    """``decode`` with the last touch where the decoder alone cannot give public units or refuse a number."""
    if form.numbers == "decimal":
        return _with_range(_with_public_units(decode))
    return _with_public_units(decode) if form.simple else decode


def _with_public_units(decode: Callable[[Any], Any]) -> Callable[[Any], Any]:
    def with_public_units(payload: Any) -> Any:
        event = decode(payload)
        if isinstance(event, OrderbookEvent):
            for unit in event.orderbook_units:
                unit.__class__ = OrderbookUnit
        return event

    return with_public_units


def _with_range(decode: Callable[[Any], Any]) -> Callable[[Any], Any]:
    """A Decimal may be NaN (sent as text) or ``1e999999``, which a float decoder refuses by itself."""

    def with_range(payload: Any) -> Any:
        event = decode(payload)
        for value in decimals(event):
            if not -NUMBER_MAX <= value <= NUMBER_MAX:  # NaN raises InvalidOperation here
                raise ValueError(f"number out of range: {value:.3e}")
        return event

    return with_range


def decimals(event: Event) -> list[Decimal]:
    """Every Decimal in ``event``, those of order-book units included."""
    values: list[Any] = list(msgspec.structs.astuple(event))
    if isinstance(event, OrderbookEvent):
        for unit in event.orderbook_units:
            values += msgspec.structs.astuple(unit)
    return [value for value in values if isinstance(value, Decimal)]
