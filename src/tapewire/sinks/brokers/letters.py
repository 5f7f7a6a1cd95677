"""Events as messages of a broker, and back: payload forms, packs of several, headers (pure)."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import cache, lru_cache
from typing import Any, Literal, Union

import msgspec
from msgspec import Raw, Struct

from tapewire.errors import ConfigError, DecodeError, UnknownName
from tapewire.model.book import DepthOrderbookEvent
from tapewire.model.events import EVENT_CLASSES, Event
from tapewire.model.status import FeedEvent
from tapewire.sinks.brokers.grouping import Head, grouped, own_part
from tapewire.sinks.brokers.identity import (
    batch_identity,
    full_id,
    identities,
    identity,
    marked_identities,
    marked_identity,
)
from tapewire.sinks.brokers.runs import OVERHEAD, Form, Letter, Part, Run, as_list, letters_of, weight_of
from tapewire.sinks.brokers.subjects import FEED, Place, place_of, subject, token
from tapewire.venues.registry import get_venue

FORMS: tuple[Form, ...] = ("event", "venue", "msgpack")
OrderIds = Literal["whole", "mark"]
ORDER_IDS: tuple[OrderIds, ...] = ("whole", "mark")
#: Version of headers and payloads; it is raised when a consumer would have to know.
SCHEMA = 1
#: Events of one message at most.
BATCH_MOST = 1_000
#: Books whose sides stand apart, and by what their payloads are known.
_DEEP, _SIDES = "orderbook with sides", (b'"asks":[', b"\xa4asks")
#: Subjects that a writer remembers.
SUBJECTS_MOST = 100_000


class Message(Struct):
    """What a broker is given: one event, or several of one subject. ``id`` is the same each time it is sent.

    ``parts``: what it was made of; ``count``: its events; ``weight``: bytes that it takes here, about; ``turn``: its
    place in the outbox's order.
    """

    subject: str
    id: str
    headers: dict[str, str]
    payload: bytes
    parts: tuple[Part, ...]
    count: int
    weight: int
    turn: tuple[int, int] = (0, 0)

    @property
    def letters(self) -> tuple[Letter, ...]:
        """Its events, each by itself."""
        return tuple(letters_of(self.parts))


#: By what an event's head is known.
_Key = tuple[type, str, str, object]


class Writer:
    """Turns events into letters.

    Args:
        form: ``"event"``: our event as JSON; ``"venue"``: the exchange's own JSON (``keep_raw``), in which one frame is
            one event; ``"msgpack"``: our event as MessagePack.
        prefix: of every subject.
        batch, batch_bytes: events and payload of a run at most.
        order_ids: ``"mark"``: an order's events are known by ``marked_identity``.
    """

    def __init__(
        self, form: Form = "event", prefix: str = "md", *, batch: int = 1, batch_bytes: int = 256 * 1024,
        order_ids: OrderIds = "whole",
    ) -> None:  # fmt: skip
        self._identity = marked_identity if order_ids == "mark" else identity
        self._identities = marked_identities if order_ids == "mark" else identities
        self._form: Form = form
        self._plain: Form = "msgpack" if form == "msgpack" else "event"
        self._prefix, self._batch, self._batch_bytes = prefix, batch, batch_bytes
        self._heads: dict[_Key, Head] = {}
        encoder: Any = (msgspec.msgpack if form == "msgpack" else msgspec.json).Encoder()
        self._encode: Callable[[Any], bytes] = encoder.encode
        self._encode_into: Callable[[Any, bytearray], None] = encoder.encode_into
        self._buffer = bytearray()

    def letter(self, item: Event | FeedEvent) -> Letter:
        """One event as a letter."""
        if not isinstance(item, Event):
            payload = self._encode(item)
            return Letter(*self._head(item), self._identity(item), self._plain, payload, None, item.at_ns, False)
        subject, venue, word, symbol = self._remembered(item)
        form, payload = (self._plain, self._encode(item)) if item.raw is None else self._payload(item, item.raw)
        return Letter(
            subject, venue, word, symbol, self._identity(item), form, payload, item.timestamp, item.received_ns,
            item.recovered or item.polled,
        )  # fmt: skip

    def parts(self, items: Sequence[Event | FeedEvent]) -> Sequence[Part]:
        """Events as letters, or as runs if a message may hold several: each subject's in their order."""
        if self._batch == 1:
            return [self.letter(item) for item in items]
        return [part for head, group in grouped(items, self._remembered) for part in self._parts(head, group)]

    def _parts(self, head: Head | None, group: Sequence[Any]) -> Iterator[Part]:
        """Events of one subject as runs of ``batch`` at most."""
        for start in range(0, len(group), self._batch):
            items = group[start : start + self._batch]
            if head is None or len(items) == 1:
                yield from map(self.letter, items)
                continue
            self._encode_into(items, self._buffer)  # half of the time of ``encode``, whose answer grows in many steps
            if len(self._buffer) > self._batch_bytes:
                yield from map(self.letter, items)
                continue
            last = items[-1]
            yield Run(
                *head, self._identities(items), self._plain, bytes(self._buffer), last.timestamp, last.received_ns,
                len(items),
            )  # fmt: skip

    def _remembered(self, item: Event) -> Head:
        kind = item.__class__
        part = own_part[kind]
        key = (kind, item.venue, item.symbol, None if part is None else getattr(item, part))
        head = self._heads.get(key)
        if head is None:
            head = self._head(item)
            if len(self._heads) < SUBJECTS_MOST:  # codes of any length and number may come
                self._heads[key] = head
        return head

    def _head(self, item: Event | FeedEvent) -> Head:
        place = place_of(item)
        return subject(place, self._prefix), *place

    def _payload(self, item: Event, raw: bytes) -> tuple[Form, bytes]:
        if self._form == "venue" and holds_one(raw):
            return "venue", raw
        return self._plain, self._encode(msgspec.structs.replace(item, raw=None))


class _Frame(Struct):
    data: Raw = Raw(b"null")


_frame = msgspec.json.Decoder(_Frame)
_several = msgspec.json.Decoder(list[Raw])


def holds_one(raw: bytes) -> bool:
    """Whether this frame is JSON of one event: no list, and no list of several under ``data`` (OKX)."""
    try:
        data = bytes(_frame.decode(raw).data)
        return data[:1] != b"[" or len(_several.decode(data)) == 1
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return False


def fit(one: Part, other: Part) -> bool:
    """Whether one message of their subject can hold both."""
    return one.form == other.form and one.recovered == other.recovered


@lru_cache(maxsize=1_024)
def _typed(kind: str) -> str:
    word, dot, unit = kind.partition(".")
    return f"{token(word)}{dot}{token(unit)}"


@lru_cache(maxsize=16_384)
def _stamp(venue: str, kind: str, symbol: str, form: str, *, late: bool) -> tuple[str, dict[str, str]]:
    """What the ids of a subject's messages begin with, and their headers but for the times."""
    return full_id(Place(venue, kind, symbol), ""), {
        "tw-schema": str(SCHEMA),
        "tw-venue": venue,
        "tw-type": _typed(kind),
        "tw-symbol": token(symbol),
        "tw-form": form,
        "tw-timestamp": "",
        "tw-received-ns": "",
        "tw-recovered": "1" if late else "0",
    }


def pack(parts: Sequence[Part], *, batch: bool) -> Message:
    """Parts that ``fit`` together as one message; with ``batch`` the payload is a list, even of one."""
    first, last = parts[0], parts[-1]
    start, stamped = _stamp(first.venue, first.type, first.symbol, first.form, late=first.recovered)
    headers = stamped.copy()
    if last.timestamp is not None:
        headers["tw-timestamp"] = str(last.timestamp)
    headers["tw-received-ns"] = str(last.received_ns)
    if not batch:
        return Message(
            first.subject, start + first.identity, headers, first.payload, (first,), 1, len(first.payload) + OVERHEAD
        )
    if len(parts) == 1:
        joined, count, weight = first.identity, first.count, weight_of(first)
    else:
        joined = ",".join([part.identity for part in parts])
        count = sum([part.count for part in parts])
        weight = sum([len(part.payload) for part in parts]) + OVERHEAD * count
    headers["tw-ids"] = joined
    return Message(
        first.subject, start + batch_identity(count, joined), headers, as_list(parts), tuple(parts), count, weight
    )


def unpack(headers: Mapping[str, str], payload: bytes) -> list[Event | FeedEvent]:
    """The events of one message, as they were given to the sink.

    Args:
        headers: those that begin with ``tw-``; others do not matter.
        payload: the message's.

    Raises:
        DecodeError: this is no message of a sink of ours, or of a newer one.
    """
    venue = headers.get("tw-venue", "broker")
    try:
        return _read(venue, _form_of(headers), headers, payload)
    except KeyError as error:
        raise DecodeError(venue, f"the message has no header {error}", payload) from None
    except (ValueError, msgspec.MsgspecError, UnknownName) as error:
        raise DecodeError(venue, str(error), payload) from None


def _form_of(headers: Mapping[str, str]) -> str:
    if int(headers["tw-schema"]) != SCHEMA:
        raise ValueError(f"schema {headers['tw-schema']}; this program reads {SCHEMA}")
    if headers["tw-form"] not in FORMS:
        raise ValueError(f"form {headers['tw-form']}; known: {', '.join(FORMS)}")
    return headers["tw-form"]


def _read(venue: str, form: str, headers: Mapping[str, str], payload: bytes) -> list[Event | FeedEvent]:
    parts = _parts(form, payload) if "tw-ids" in headers else [payload]
    if form == "venue":
        return _from_frames(venue, headers, parts)
    kind = headers["tw-type"].partition(".")[0]
    return [_decoder(form, _class_of(kind, part)).decode(part) for part in parts]


def _parts(form: str, payload: bytes) -> list[Any]:
    return list((msgspec.msgpack if form == "msgpack" else msgspec.json).decode(payload, type=list[Raw]))


def _from_frames(venue: str, headers: Mapping[str, str], frames: Sequence[Any]) -> list[Event | FeedEvent]:
    codec, received = _codec(venue), int(headers["tw-received-ns"])
    found: list[Event | FeedEvent] = []
    for frame in frames:
        reading = codec.read(bytes(frame), received)
        if reading.quarantined:
            raise ValueError(reading.quarantined[0].reason)
        for event in reading.events:
            event.recovered = headers["tw-recovered"] == "1"
            found.append(event)
    return found


@cache
def _codec(venue: str) -> Any:
    return get_venue(venue).codec("DEFAULT", "float", False)


def _class_of(kind: str, payload: Any) -> str:
    """What a payload is decoded as: books have two forms, and only one of them has two sides apart."""
    if kind == "orderbook" and any(mark in bytes(payload) for mark in _SIDES):
        return _DEEP
    return kind


@cache
def _decoder(form: str, kind: str) -> Any:
    if kind == FEED:
        wanted: Any = Union[tuple(FeedEvent.__subclasses__())]  # noqa: UP007 - counted at run time
    elif kind == _DEEP:
        wanted = DepthOrderbookEvent
    else:
        wanted = Union[tuple(EVENT_CLASSES.values())]  # noqa: UP007 - counted at run time
    return (msgspec.msgpack if form == "msgpack" else msgspec.json).Decoder(wanted, strict=False)


def check_form(form: str, batch: int) -> None:
    """Raises ConfigError: no such form, or no such batch."""
    if form not in FORMS:
        raise ConfigError("form", form, " or ".join(f'"{one}"' for one in FORMS))
    if type(batch) is not int or not 1 <= batch <= BATCH_MOST:
        raise ConfigError("batch", batch, f"events of one message, 1 to {BATCH_MOST:,}")
