"""What waits for a broker: one encoded event, or several of one subject that were encoded at once (pure)."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Literal

import msgspec
from msgspec import Raw, Struct

from tapewire.sinks.brokers.subjects import Place

Form = Literal["event", "venue", "msgpack"]
#: Bytes that a letter takes beside its payload, about.
OVERHEAD = 400
#: Values of a list in MessagePack whose number takes two bytes behind its first; of fewer it stands in the first.
_MANY = 16


class Letter(Struct, array_like=True, gc=False):
    """One event, ready to be sent.

    Attributes:
        subject: where to; venue, type, symbol: of the event.
        identity: last part of its id.
        form: of this payload: what has no form of the venue's is sent as ``event``.
        payload: one JSON or MessagePack value.
        timestamp: the venue's, ms; received_ns: ours, ns UTC.
        recovered: REST told of it afterwards, or in the stream's place.
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
    recovered: bool

    @property
    def place(self) -> Place:
        return Place(self.venue, self.type, self.symbol)


class Run(Struct, gc=False):
    """Several events of one subject in their order, none of which is recovered: a letter's fields, each several times.

    ``payload``: their JSON values joined by commas, or their MessagePack values one behind the other.
    """

    subject: str
    venue: str
    type: str
    symbol: str
    form: Form
    identities: list[str]
    payload: bytes
    timestamps: list[int | None]
    received: list[int]
    recovered: bool = False

    def letters(self) -> list[Letter]:
        """Each event by itself, byte for byte as it was encoded."""
        whole = as_list(self.form, len(self.identities), [self.payload])
        values = (msgspec.msgpack if self.form == "msgpack" else msgspec.json).decode(whole, type=list[Raw])
        several = zip(self.identities, values, self.timestamps, self.received, strict=True)
        return [
            Letter(self.subject, self.venue, self.type, self.symbol, identity, self.form, bytes(value), timestamp,
                   received_ns, False)
            for identity, value, timestamp, received_ns in several
        ]  # fmt: skip


#: What an outbox holds.
Part = Letter | Run


def count_of(part: Part) -> int:
    """Events of a part."""
    return len(part.identities) if part.__class__ is Run else 1


def weight_of(part: Part) -> int:
    """Bytes that a part takes in memory, about."""
    return len(part.payload) + OVERHEAD * count_of(part)


def letters_of(parts: Iterable[Part]) -> list[Letter]:
    """Each event by itself, in order."""
    found: list[Letter] = []
    for part in parts:
        if isinstance(part, Run):
            found += part.letters()
        else:
            found.append(part)
    return found


def as_list(form: Form, count: int, payloads: Sequence[bytes]) -> bytes:
    """The payloads of ``count`` events as one JSON or MessagePack list."""
    if form != "msgpack":
        return b"[%b]" % b",".join(payloads)
    return _head(count) + b"".join(payloads)


def without_list(form: Form, count: int, whole: bytes) -> bytes:
    """The payload of a run from a list of ``count`` values as msgspec writes it."""
    return whole[len(_head(count)) :] if form == "msgpack" else whole[1:-1]


def _head(count: int) -> bytes:
    """What a list begins with in MessagePack; no message holds more than 65,535 events."""
    return b"\xdc" + count.to_bytes(2) if count >= _MANY else bytes([0x90 | count])
