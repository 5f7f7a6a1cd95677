"""Events as messages of a broker, and back: payload forms, packs of several, headers (pure)."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import cache, lru_cache
from typing import Any, Literal, Union

import msgspec
from msgspec import Raw, Struct

from tapewire.errors import ConfigError, DecodeError, UnknownName
from tapewire.model.book import DepthOrderbookEvent
from tapewire.model.events import EVENT_CLASSES, Event
from tapewire.model.status import FeedEvent
from tapewire.sinks.brokers.identity import batch_id, full_id, identity
from tapewire.sinks.brokers.subjects import FEED, Place, place_of, subject, token
from tapewire.venues.registry import get_venue

Form = Literal["event", "venue", "msgpack"]
FORMS: tuple[Form, ...] = ("event", "venue", "msgpack")
#: Version of headers and payloads; it is raised when a consumer would have to know.
SCHEMA = 1
#: Events of one message at most.
BATCH_MOST = 1_000
#: Bytes that a letter takes beside its payload, about.
OVERHEAD = 400
#: Books whose sides stand apart, and by what their payloads are known.
_DEEP, _SIDES = "orderbook with sides", (b'"asks":[', b"\xa4asks")
#: Subjects that a writer remembers.
SUBJECTS_MOST = 100_000


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


class Message(Struct):
    """What a broker is given: one event, or several of one subject. ``id`` is the same each time it is sent.

    ``weight``: bytes that it takes here, about.
    """

    subject: str
    id: str
    headers: dict[str, str]
    payload: bytes
    letters: tuple[Letter, ...]
    weight: int


class _OwnPart(dict[type, str | None]):
    """What of a class of events is part of the subject, beside venue, type and symbol."""

    def __missing__(self, kind: type[Event]) -> str | None:
        part = self[kind] = next((name for name in ("unit", "level") if name in kind.__struct_fields__), None)
        return part


_own_part = _OwnPart()
#: Subject, venue, type, symbol.
_Head = tuple[str, str, str, str]


class Writer:
    """Turns events into letters.

    Args:
        form: ``"event"``: our event as JSON; ``"venue"``: the exchange's own JSON (``keep_raw``), in which one frame is
            one event; ``"msgpack"``: our event as MessagePack.
        prefix: of every subject.
    """

    def __init__(self, form: Form = "event", prefix: str = "md") -> None:
        self._form: Form = form
        self._plain: Form = "msgpack" if form == "msgpack" else "event"
        self._prefix = prefix
        self._heads: dict[tuple[type, str, str, object], _Head] = {}
        self._encode: Callable[[Any], bytes] = (msgspec.msgpack if form == "msgpack" else msgspec.json).Encoder().encode

    def letter(self, item: Event | FeedEvent) -> Letter:
        """One event as a letter."""
        if not isinstance(item, Event):
            payload = self._encode(item)
            return Letter(*self._head(item), identity(item), self._plain, payload, None, item.at_ns, False)
        kind = item.__class__
        part = _own_part[kind]
        key = (kind, item.venue, item.symbol, None if part is None else getattr(item, part))
        head = self._heads.get(key)
        if head is None:
            head = self._head(item)
            if len(self._heads) < SUBJECTS_MOST:  # codes of any length and number may come
                self._heads[key] = head
        form, payload = (self._plain, self._encode(item)) if item.raw is None else self._payload(item, item.raw)
        subject, venue, word, symbol = head
        return Letter(
            subject, venue, word, symbol, identity(item), form, payload, item.timestamp, item.received_ns,
            item.recovered or item.polled,
        )  # fmt: skip

    def _head(self, item: Event | FeedEvent) -> _Head:
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


def fit(one: Letter, other: Letter) -> bool:
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


def pack(letters: Sequence[Letter], *, batch: bool) -> Message:
    """Letters that ``fit`` together as one message; with ``batch`` the payload is a list, even of one."""
    first, last = letters[0], letters[-1]
    start, stamped = _stamp(first.venue, first.type, first.symbol, first.form, late=first.recovered)
    headers = stamped.copy()
    if last.timestamp is not None:
        headers["tw-timestamp"] = str(last.timestamp)
    headers["tw-received-ns"] = str(last.received_ns)
    if not batch:
        payload = first.payload
        return Message(first.subject, start + first.identity, headers, payload, (first,), len(payload) + OVERHEAD)
    identities = [letter.identity for letter in letters]
    headers["tw-ids"] = ",".join(identities)
    payloads = [letter.payload for letter in letters]
    weight = sum(map(len, payloads)) + OVERHEAD * len(payloads)
    one = batch_id(first.place, identities)
    return Message(first.subject, one, headers, _list(first.form, payloads), tuple(letters), weight)


def _list(form: Form, payloads: list[bytes]) -> bytes:
    if form == "msgpack":
        return msgspec.msgpack.encode([Raw(payload) for payload in payloads])
    return b"[%s]" % b",".join(payloads)


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
