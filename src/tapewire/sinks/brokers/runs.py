"""What waits for a broker: one encoded event, or several of one subject that were encoded at once (pure)."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any, Literal

import msgspec
from msgspec import Raw, Struct

from tapewire.sinks.brokers.subjects import Place

Form = Literal["event", "venue", "msgpack"]
#: Bytes that a letter takes beside its payload, about.
OVERHEAD = 400
#: Values of a list in MessagePack whose number takes two bytes behind its first; of fewer it stands in the first.
_MANY = 16


class _Encoded(Struct, gc=False):
    """What is known of it beside its payload.

    Attributes:
        subject: where to; venue, type, symbol: of the events.
        identity: last part of each event's id, joined by commas.
        form: of this payload: what has no form of the venue's is sent as ``event``.
        payload: one JSON or MessagePack value, or a list of them.
        timestamp: the venue's, ms, of the last event; received_ns: ours, ns UTC.
    """

    subject: str
    venue: str
    type: str
    symbol: str
    identity: str
    form: Form
    payload: bytes
    timestamp: int | None
    received_ns: int

    @property
    def place(self) -> Place:
        return Place(self.venue, self.type, self.symbol)


class Letter(_Encoded, array_like=True, gc=False):
    """One event, ready to be sent. ``recovered``: REST told of it afterwards, or in the stream's place."""

    recovered: bool

    @property
    def count(self) -> int:
        """Events."""
        return 1


class Run(_Encoded, gc=False):
    """Several events of one subject in their order, so many as ``count``, none of which is recovered: one list."""

    count: int
    recovered: bool = False

    def letters(self) -> list[Letter]:
        """Each event by itself, byte for byte as it was encoded."""
        codec: Any = msgspec.msgpack if self.form == "msgpack" else msgspec.json
        values, times = codec.decode(self.payload, type=list[Raw]), codec.decode(self.payload, type=list[_Times])
        several = zip(self.identity.split(","), values, times, strict=True)
        return [
            Letter(self.subject, self.venue, self.type, self.symbol, identity, self.form, bytes(value), when.timestamp,
                   when.received_ns, False)
            for identity, value, when in several
        ]  # fmt: skip


class _Times(Struct):
    """What an event's payload says of when it was."""

    timestamp: int | None = None
    received_ns: int = 0


#: What an outbox holds.
Part = Letter | Run


def weight_of(part: Part) -> int:
    """Bytes that a part takes in memory, about."""
    return len(part.payload) + OVERHEAD * part.count


def letters_of(parts: Iterable[Part]) -> list[Letter]:
    """Each event by itself, in order."""
    found: list[Letter] = []
    for part in parts:
        if isinstance(part, Run):
            found += part.letters()
        else:
            found.append(part)
    return found


def as_list(parts: Sequence[Part]) -> bytes:
    """The events of all parts as one JSON or MessagePack list."""
    first, form = parts[0], parts[0].form
    if len(parts) == 1 and isinstance(first, Run):
        return first.payload
    if form != "msgpack":
        return b"[%b]" % b",".join([part.payload[1:-1] if part.__class__ is Run else part.payload for part in parts])
    values = [part.payload[len(_head(part.count)) :] if part.__class__ is Run else part.payload for part in parts]
    return _head(sum(part.count for part in parts)) + b"".join(values)


def _head(count: int) -> bytes:
    """What a list begins with in MessagePack; no message holds more than 65,535 events."""
    return b"\xdc" + count.to_bytes(2) if count >= _MANY else bytes([0x90 | count])
