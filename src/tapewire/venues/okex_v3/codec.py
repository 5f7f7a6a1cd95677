"""Reads every frame that OKEX v3 sends, deflated or as text: data of one row on the fast road, all else on the slow."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import msgspec
from msgspec import Raw

from tapewire.config import Format, Numbers
from tapewire.model.events import CandleEvent, Event
from tapewire.venues.contract import Control, Quarantine, Reading, Skim
from tapewire.venues.okex_v3.channels import TABLES
from tapewire.venues.okex_v3.inflate import inflate
from tapewire.venues.okex_v3.messages import frame_reader, row_reader, wire_classes

#: What anything malformed can raise: damage, wrong type, bad UTF-8, impossible number, too deep.
_UNREADABLE = (msgspec.MsgspecError, ValueError, ArithmeticError, RecursionError)
_OBJECT = msgspec.json.Decoder(dict[str, Raw])
_ROWS = msgspec.json.Decoder(list[Raw])
_TEXT = msgspec.json.Decoder(str)
_ALIVE = (b"pong", b"ping")


class OkexCodec:
    """``tapewire.venues.contract.Codec`` of one number type. ``event.raw`` is the inflated text."""

    skim: Skim | None = None

    def __init__(self, _format: Format, numbers: Numbers, keep_raw: bool) -> None:  # noqa: FBT001 - the contract's call
        self._numbers: Numbers = numbers
        self._keep_raw = keep_raw
        self.classes: Mapping[type, tuple[type[Event], str, str | None]] = wire_classes()
        self.decode: Callable[[bytes], Any] = _decoder(frame_reader(numbers), keep_raw=keep_raw)

    def read(self, payload: bytes, received_ns: int = 0) -> Reading:
        """Any frame. Never raises; one bad row costs only itself."""
        try:
            text = inflate(payload)
            if text in _ALIVE:
                return Reading(controls=(Control("alive", text.decode()),))
            fields = _OBJECT.decode(text)
            if "table" in fields:
                return self._data(fields, text, received_ns)
            return Reading(controls=(_control(fields),))
        except _UNREADABLE as error:
            return Reading(quarantined=(Quarantine(_reason(error), payload),))

    def _data(self, fields: Mapping[str, Raw], text: bytes, received_ns: int) -> Reading:
        name = _TEXT.decode(fields["table"])
        if name not in TABLES:
            raise ValueError(f"unknown table {name!r}")
        action = _TEXT.decode(fields["action"]) if "action" in fields else None
        rows = _ROWS.decode(fields.get("data", b"null"))
        read = row_reader(name, self._numbers)
        events: list[Event] = []
        bad: list[Quarantine] = []
        for row in rows:
            try:
                event = read(row, action)
            except _UNREADABLE as error:
                bad.append(Quarantine(_reason(error), text if len(rows) == 1 else bytes(row)))
                continue
            if isinstance(event, CandleEvent):
                event.__class__ = CandleEvent
            event.received_ns = received_ns
            event.raw = text if self._keep_raw else None
            events.append(event)
        return Reading(tuple(events), quarantined=tuple(bad))


def _decoder(read: Callable[[bytes], Event], *, keep_raw: bool) -> Callable[[bytes], Event]:
    def decode(payload: bytes) -> Event:
        return read(inflate(payload))

    def decode_with_raw(payload: bytes) -> Event:
        text = inflate(payload)
        event = read(text)
        event.raw = text
        return event

    return decode_with_raw if keep_raw else decode


def _control(fields: Mapping[str, Raw]) -> Control:
    """Answers of section B2; what is none of them raises."""
    event = _TEXT.decode(fields["event"]) if "event" in fields else ""
    said = {name: msgspec.json.decode(raw) for name, raw in fields.items()}
    match event:
        case "subscribe" | "unsubscribe":
            return Control(f"{event}d", stream=_TEXT.decode(fields.get("channel", b"null")))
        case "login" if str(said.get("success")).lower() == "true":
            return Control("login")
        case "login":
            return Control("error", "30027", "login failed")
        case "error":
            return Control("error", str(said.get("errorCode", "")), str(said.get("message", "")))
        case "":
            raise ValueError("neither table nor event")
        case _:
            return Control("notice", event, str(said.get("message", "")), said)


def _reason(error: Exception) -> str:
    return str(error) or type(error).__name__
