"""Reads every frame that OKX sends: pushes, which their argument tells apart, and its words to the client."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Any

import msgspec
from msgspec import Raw

from tapewire.config import Format, Numbers
from tapewire.model.events import Event, TickerEvent
from tapewire.venues.contract import Control, Head, Quarantine, Reading, Skim
from tapewire.venues.okx.channels import meaning_of, name_of
from tapewire.venues.okx.messages import Shape, frame_decoder, public_class
from tapewire.venues.okx.rows import Push, read_row
from tapewire.venues.okx.symbols import CASH_TYPES, in_contracts

#: What any malformed JSON can raise: damage, wrong type, bad UTF-8, impossible number, too deep.
_UNREADABLE = (msgspec.MsgspecError, ValueError, TypeError, ArithmeticError, RecursionError)
_OBJECT = msgspec.json.Decoder(dict[str, Raw])
_ARGUMENT = msgspec.json.Decoder(dict[str, str])
_ROWS = msgspec.json.Decoder(list[Raw])
_HEAD = msgspec.json.Decoder(dict[str, Any])
#: Keep-alive words, which are no JSON (section A3).
_ALIVE = (b"pong", b"ping")
#: Events that acknowledge one argument (A5) → our word.
_ACKNOWLEDGED = MappingProxyType({"subscribe": "subscribed", "unsubscribe": "unsubscribed"})


class OkxCodec:
    """``tapewire.venues.contract.Codec`` of one venue name and number type; OKX has but one format."""

    #: No class is told apart by the frame alone: ``Reading.head`` leads to the short road.
    classes: Mapping[type, tuple[type[Event], str, str | None]] = MappingProxyType({})
    skim: Skim | None = None

    def __init__(self, venue: str, _format: Format, numbers: Numbers, keep_raw: bool) -> None:  # noqa: FBT001
        self._venue, self._keep_raw = venue, keep_raw
        self._numbers: Numbers = numbers
        self.decode: Callable[[bytes], Any] = self._only_event

    def _only_event(self, payload: bytes) -> Event:
        """The only event of a frame; raises ValueError for a frame that is anything else."""
        reading = self.read(payload)
        if len(reading.events) != 1 or reading.quarantined:
            raise ValueError(f"not one event, but {len(reading.events)}")
        return reading.events[0]

    def read(self, payload: bytes, received_ns: int = 0) -> Reading:
        """Any frame. Never raises; one bad element of ``data`` costs only itself."""
        if payload in _ALIVE:
            return Reading(controls=(Control("alive", payload.decode()),))
        try:
            fields = _OBJECT.decode(payload)
            if "event" in fields:
                return Reading(controls=(_control(fields),))
            if "op" in fields:
                return Reading(controls=(_reply(fields),))
            return self._push(fields, payload, received_ns)
        except _UNREADABLE as error:
            return Reading(quarantined=(Quarantine(_reason(error), payload),))

    def _push(self, fields: Mapping[str, Raw], payload: bytes, received_ns: int) -> Reading:
        if "arg" not in fields or "data" not in fields:
            raise ValueError("neither event, op, nor arg and data")
        argument = _ARGUMENT.decode(fields["arg"])
        push = self._opened(argument, fields)
        events: list[Event] = []
        bad: list[Quarantine] = []
        rows = _ROWS.decode(fields["data"])
        for row in rows:
            try:
                event = read_row(push, msgspec.json.decode(row))
            except _UNREADABLE as error:
                bad.append(Quarantine(_reason(error), payload if len(rows) == 1 else bytes(row)))
                continue
            event.received_ns = received_ns
            event.raw = payload if self._keep_raw else None
            events.append(event)
        head = self._head(push, argument, payload, events[0]) if events else None
        return Reading(tuple(events), quarantined=tuple(bad), stream=name_of(argument), head=head)

    def _opened(self, argument: Mapping[str, str], fields: Mapping[str, Raw]) -> Push:
        channel = argument.get("channel", "")
        meaning = meaning_of(channel)
        if meaning is None:
            raise ValueError(f"unknown channel {channel!r}")
        beside = {name: msgspec.json.decode(raw) for name, raw in fields.items() if name not in ("arg", "data")}
        symbol = argument.get("instId", "")
        return Push(self._venue, channel, meaning, symbol, self._numbers, beside.pop("action", None), beside)

    def _head(self, push: Push, argument: Mapping[str, str], payload: bytes, event: Event) -> Head | None:
        """What all further frames of the stream begin with, if they are for the short road."""
        public = public_class(push.channel)
        if public is None or not push.symbol or push.action == "snapshot" or push.beside:
            return None
        text = payload.partition(b"[")[0]
        try:
            said = _HEAD.decode(text + b"[]}")
        except _UNREADABLE:  # a [ in a name
            return None
        if said.get("arg") != argument or "data" not in said:  # the data came first: so do those of every stream
            return None
        kind = event.market_type if isinstance(event, TickerEvent) else None
        counted = in_contracts(push.symbol) if kind is None else kind not in CASH_TYPES
        decode = frame_decoder(Shape(self._venue, push.channel, self._numbers, counted))
        return Head(text, _keeping_raw(decode) if self._keep_raw else decode, public)


def _keeping_raw(decode: Callable[[bytes], Any]) -> Callable[[bytes], Any]:
    def decode_with_raw(payload: bytes) -> Any:
        frame = decode(payload)
        for event in frame.data:
            event.raw = payload
        return frame

    return decode_with_raw


def _control(fields: Mapping[str, Raw]) -> Control:
    """Answers and notices (A4, A5); an event that nobody knew when this was written is a notice."""
    said = {name: msgspec.json.decode(raw) for name, raw in fields.items()}
    event, request = str(said["event"]), str(said.get("id", ""))
    name, message = str(said.get("code", "")), str(said.get("msg", ""))
    if event in _ACKNOWLEDGED:
        stream = name_of(_ARGUMENT.decode(fields.get("arg", b"null")))
        return Control(_ACKNOWLEDGED[event], stream=stream, request=request, details=said)
    if event == "login" and name in ("0", ""):
        return Control("login", details=said)
    if event in ("error", "login"):
        stream = name_of(_ARGUMENT.decode(fields["arg"])) if "arg" in fields else ""
        return Control("error", name, message, said, stream, request)
    if "connCount" in said and not message:
        message = f"{said['connCount']} connections have the channel {said.get('channel', '')}"
    return Control("notice", name or event, message, said, request=request)


def _reply(fields: Mapping[str, Raw]) -> Control:
    """The answer to an order operation (A7.5), which tapewire itself never sends."""
    said = {name: msgspec.json.decode(raw) for name, raw in fields.items()}
    return Control("notice", str(said["op"]), str(said.get("msg", "")), said, request=str(said.get("id", "")))


def _reason(error: Exception) -> str:
    return str(error) or type(error).__name__
