"""Reads every frame that Upbit sends: the fast road for market data of the asked format, the slow one for all else."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import msgspec
from msgspec import Raw

from tapewire.config import Format, Numbers
from tapewire.model.events import Event
from tapewire.venues.contract import Control, Quarantine, Reading, Skim
from tapewire.venues.upbit.fields import LIST_FIELDS, full_names
from tapewire.venues.upbit.lax import read_event
from tapewire.venues.upbit.listing import entry, read_list
from tapewire.venues.upbit.messages import (
    WIRE_TYPES,
    Form,
    WireType,
    element_decoder,
    frame_decoder,
    wire_classes,
)
from tapewire.venues.upbit.profile import CANDLE_UNITS, PUBLIC_KINDS, Region

#: What any malformed JSON can raise: damage, wrong type, bad UTF-8, impossible number, too deep.
_UNREADABLE = (msgspec.MsgspecError, ValueError, ArithmeticError, RecursionError)
_LIST = msgspec.json.Decoder(list[Raw])
_OBJECT = msgspec.json.Decoder(dict[str, Raw])
_NULL = b"null"
#: Kinds of which a recorder needs no field: no gap of theirs is filled, and none comes twice. They are most of a feed.
_SKIMMED = frozenset({"ticker", "orderbook"})
#: A byte between the comma behind the type of such a frame, of either form, and the comma behind its code.
_NAMED = 20


class UpbitCodec:
    """``tapewire.venues.contract.Codec`` of one region, form and number type."""

    def __init__(self, region: Region, format: Format, numbers: Numbers, keep_raw: bool) -> None:  # noqa: A002, FBT001
        self._venue, self._numbers, self._keep_raw = region.name, numbers, keep_raw
        form = Form(region.name, format.startswith("SIMPLE"), numbers)
        self.classes: Mapping[type, tuple[type[Event], str, str | None]] = wire_classes(form)
        self.decode = frame_decoder(region.name, format, numbers)
        self.skim: Skim | None = None
        if keep_raw:
            self.decode = _keeping_raw(self.decode)
            if not format.endswith("_LIST"):
                self.skim = Skim(_SKIMMED, _NAMED, _head_of, self._timestamp)

    def read(self, payload: bytes, received_ns: int = 0) -> Reading:
        """Any frame of any of the four formats. Never raises; one bad element of a list costs only itself."""
        try:
            elements = _LIST.decode(payload) if payload.lstrip(b" \t\r\n")[:1] == b"[" else [Raw(payload)]
        except _UNREADABLE as error:
            return Reading(quarantined=(Quarantine(_reason(error), payload),))
        said = [self._element(element) for element in elements]
        events = tuple(one for one in said if isinstance(one, Event))
        for event in events:
            event.received_ns = received_ns
        return Reading(
            events,
            tuple(one for one in said if isinstance(one, Control)),
            tuple(one for one in said if isinstance(one, Quarantine)),
        )

    def _timestamp(self, frame: bytes) -> int | None:
        """See ``Skim.timestamp``."""
        try:
            event = self.decode(frame)
        except _UNREADABLE:  # not in the form that was asked for
            event = next(iter(self.read(frame).events), None)
        return None if event is None else event.timestamp

    def _element(self, element: Raw) -> Event | Control | Quarantine:
        """Told apart in the order of spec/upbit.md 4.10; a null is as good as nothing (4.0)."""
        try:
            fields = {name: raw for name, raw in _OBJECT.decode(element).items() if bytes(raw) != _NULL}
            if "error" in fields:
                return _error(fields["error"])
            if "status" in fields:
                return _status(fields["status"])
            if "method" in fields or "mthd" in fields:
                return _subscriptions(fields)
            event = self._event(element, fields)
            event.raw = bytes(element) if self._keep_raw else None
            return event  # noqa: TRY300 - a whole reading, not the rest of it
        except _UNREADABLE as error:
            return Quarantine(_reason(error), bytes(element))

    def _event(self, element: Raw, fields: Mapping[str, Raw]) -> Event:
        simple = "type" not in fields
        wire = _wire_type(fields)
        if wire.kind in PUBLIC_KINDS:
            try:
                event: Event = element_decoder(Form(self._venue, simple, self._numbers))(element)
            except _UNREADABLE:  # the slow road reads more, and says better what it cannot read
                pass
            else:
                event.__class__ = wire.public
                return event
        return read_event(self._venue, wire, fields, simple=simple, numbers=self._numbers)


def _keeping_raw(decode: Callable[[bytes], Any]) -> Callable[[bytes], Any]:
    def decode_with_raw(payload: bytes) -> Any:
        event = decode(payload)
        event.raw = payload
        return event

    return decode_with_raw


def _head_of(event: Event) -> bytes | None:
    """See ``Skim.head``: Upbit says the type first, and then the code."""
    frame, kind, code = event.raw or b"", event.kind.encode(), event.symbol.encode()
    head = frame[: frame.find(b",", _NAMED)]
    return (
        head if head in {b'{"type":"%s","code":"%s"' % (kind, code), b'{"ty":"%s","cd":"%s"' % (kind, code)} else None
    )


def _wire_type(fields: Mapping[str, Raw]) -> WireType:
    raw = fields.get("type", fields.get("ty"))
    if raw is None:
        raise ValueError("neither error, status, method nor type")
    name = msgspec.json.decode(raw, type=str)
    if name in WIRE_TYPES:
        return WIRE_TYPES[name]
    if name.startswith("candle."):
        raise ValueError(f"unknown candle unit {name!r}; known: {', '.join(CANDLE_UNITS)}")
    raise ValueError(f"unknown type {name!r}")


def _error(raw: Raw) -> Control:
    """Name and message as they came; REST-like whole-number names too (section 5.2), unknown names are kept."""
    body = msgspec.json.decode(raw)
    if not isinstance(body, dict):
        return Control("error", message=str(body))
    name, message = body.get("name"), body.get("message")
    return Control("error", "" if name is None else str(name), "" if message is None else str(message))


def _status(raw: Raw) -> Control:
    status = msgspec.json.decode(raw)
    if status != "UP":
        raise ValueError(f"unknown status {status!r}")
    return Control("alive")


def _subscriptions(fields: Mapping[str, Raw]) -> Control:
    """The answer of LIST_SUBSCRIPTIONS under its full names, whatever the format it came in."""
    answer = full_names(fields, LIST_FIELDS)
    method = msgspec.json.decode(answer["method"])
    if method != "LIST_SUBSCRIPTIONS":
        raise ValueError(f"unknown method {method!r}")
    result = msgspec.json.decode(answer.get("result", b"[]"), type=list[dict[str, Any]])
    ticket = msgspec.json.decode(answer.get("ticket", b"null"))
    details = {
        "ticket": None if ticket is None else str(ticket),  # one old table says Long (section 3.9)
        "result": [entry(one) for one in result],
    }
    read_list(details)  # what nobody could make sense of belongs into quarantine
    return Control("subscriptions", details=details)


def _reason(error: Exception) -> str:
    return str(error) or type(error).__name__
