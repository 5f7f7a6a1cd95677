"""Questions of ``check_venue`` about frames: are they read, whole and exactly, whatever comes?"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from decimal import Decimal
from random import Random
from typing import Any, Protocol

import msgspec

from tapewire.book.keeper import Keeper
from tapewire.config import Format
from tapewire.model.book import BookChange
from tapewire.model.events import EVENT_CLASSES, Event, TradeEvent
from tapewire.model.subscription import Subscription
from tapewire.venues.contract import Codec, Reading, Venue

#: Unix ms between which every exchange's messages lie: 2009 to 2100.
_SINCE, _UNTIL = 1_230_768_000_000, 4_102_444_800_000
#: Frames of which every cut is tried; others are cut at a few places.
_CUT_WHOLE = 60


class Frames(Protocol):
    """The part of a ``VenueCase`` that is needed here."""

    @property
    def venue(self) -> Venue: ...
    @property
    def captures(self) -> Sequence[bytes]: ...
    @property
    def streams(self) -> Sequence[Subscription]: ...
    @property
    def unread(self) -> int: ...
    @property
    def format(self) -> Format: ...


def every_capture_is_read_or_refused_by_name(case: Frames) -> None:
    """Events or the exchange's words; what is neither says why."""
    readings = list(_readings(case))
    empty = [number for number, one in enumerate(readings) if not (one.events or one.controls or one.quarantined)]
    must(not empty, f"capture {empty[:1]} is neither read nor refused")
    refused = [item for one in readings for item in one.quarantined]
    must(len(refused) == case.unread, f"{len(refused)} refused and not {case.unread}; first: {refused[:1]}")
    must(all(item.reason for item in refused), "something is refused without a reason")
    must(any(one.events for one in readings), "no capture holds an event")


def every_event_is_complete_and_exact(case: Frames) -> None:
    """Name, class, times; and exact numbers that are the same numbers as floats."""
    exact = case.venue.codec(case.format, "decimal", False)
    for frame, reading in zip(case.captures, _readings(case), strict=True):
        for event, twin in zip(reading.events, exact.read(frame, 1).events, strict=True):
            must(event.venue == case.venue.name, f"an event says it is of {event.venue!r}")
            known = EVENT_CLASSES.get(event.kind, BookChange)
            must(isinstance(event, known), f"{type(event).__name__} is no class of {event.kind!r}")
            at = event.timestamp
            must(at is None or (type(at) is int and _SINCE < at < _UNTIL), f"{event.kind} has the time {at!r}")
            ours = _plain(twin)
            must(_plain(event) == ours, f"{event.kind} differs with exact numbers: {_plain(event)} {ours}")


def the_same_bytes_give_the_same_events(case: Frames) -> None:
    """A reader remembers nothing."""
    first = [repr(one) for one in _readings(case)]
    codec = _codec(case)
    backwards = [repr(codec.read(frame, 1)) for frame in reversed(case.captures)]
    must(first == backwards[::-1], "a frame is read otherwise after other frames")
    raw = case.venue.codec(case.format, "float", True)
    kept = [event.raw for frame in case.captures for event in raw.read(frame).events]
    must(all(kept), "an event does not keep its bytes when it is asked to")


def both_roads_give_the_same_events(case: Frames) -> None:
    """What the short road delivers is what the careful road reads."""
    codec, hot = _codec(case), 0
    for frame in case.captures:
        reading = codec.read(frame)
        for event in _short(codec, frame, reading):
            hot += 1
            must(repr([event]) == repr(list(reading.events)), f"the short road says {event} of {reading.events}")
    must(hot > 0, "no capture takes the short road")


def frames_that_begin_alike_are_of_one_stream(case: Frames) -> None:
    """Who takes frames that are not read knows whose they are by how they begin, and when they were."""
    codec = case.venue.codec(case.format, "float", True)
    if codec.skim is None:
        return
    begin, heads = codec.skim.begin, dict[bytes, tuple[str, str]]()
    for frame, event in ((one, event) for one in case.captures for event in codec.read(one).events):
        head = codec.skim.head(event) if event.kind in codec.skim.kinds else None
        if head is not None:
            must(head == frame[: frame.find(b",", begin)], f"{head!r} is not how a frame of {event.symbol} begins")
            must(codec.skim.timestamp(frame) == event.timestamp, f"a {event.kind} that is not read has another time")
            heads.setdefault(head, (event.kind, event.symbol))
    must(bool(heads), "no capture says by how it begins whose it is")
    for frame in case.captures:
        whose = heads.get(frame[: frame.find(b",", begin)])
        found = [(event.kind, event.symbol) for event in codec.read(frame).events]
        must(whose is None or found == [whose], f"frames of {whose} begin as those of {found}")


def cut_garbled_and_doubled_frames_raise_nothing(case: Frames) -> None:
    """Whatever comes is an event, a word, or kept with a reason; the short road may raise, and reads nothing else."""
    codec, draw = _codec(case), Random(1)  # noqa: S311 - repeatable
    for frame in _damaged(case.captures, draw):
        reading = codec.read(frame)
        must(isinstance(reading, Reading), f"{frame[:40]!r} gives {reading!r}")
        try:
            codec.decode(frame)
        except Exception:  # noqa: S112 - the short road raises on all that is not plain data
            continue
        must(bool(reading.events), f"only the short road reads {frame[:40]!r}")


def holes_are_seen(case: Frames) -> None:
    """A missing change spoils its book; a trade says its number."""
    events = [event for reading in _readings(case) for event in reading.events]
    for event in events:
        number, at = case.venue.position(event)
        if isinstance(event, TradeEvent):
            must(number == event.sequential_id is not None, f"position of a trade is {(number, at)}")
        must(at == event.timestamp, f"position of a {event.kind} has the time {at}")
    books = {name: changes for name, changes in _books(events).items() if _is_a_run(changes)}
    seen = [_a_hole_is_seen(case, name, changes) for name, changes in books.items()]
    must(not books or any(seen), "nobody sees that changes of a book are missing")


def _a_hole_is_seen(case: Frames, name: str, changes: Sequence[BookChange]) -> bool:
    """A recorded book is kept whole; and is it, without every other of its changes?"""
    subscription = next((one for one in case.streams if case.venue.keeps(one)), None)
    rule = None if subscription is None else case.venue.rule(subscription)
    if rule is None:
        raise AssertionError(f"no stream is a book that is kept, and yet changes of {name} were captured")
    whole, holed = Keeper(rule, "float"), Keeper(rule, "float")
    answers = {whole.apply(change) for change in changes}
    must(answers <= {"applied", "ignored"}, f"the recorded book of {name} is not kept: {sorted(answers)}")
    found = {holed.apply(change) for place, change in enumerate(changes) if not place or place % 2}
    return bool(found & {"sequence", "checksum"})


def _readings(case: Frames) -> Iterator[Reading]:
    codec = _codec(case)
    return (codec.read(frame, 1) for frame in case.captures)


def _codec(case: Frames) -> Codec:
    return case.venue.codec(case.format, "float", False)


def _short(codec: Codec, frame: bytes, reading: Reading) -> Iterator[Event]:
    """What the driver's short road would deliver of this frame, if it took it."""
    if reading.head is not None:
        [event] = reading.head.decode(frame).data
        event.symbol = reading.events[0].symbol
        event.__class__ = reading.head.public
        yield event
        return
    try:
        event = codec.decode(frame)
    except Exception:  # not for the short road
        return
    if type(event) in codec.classes:
        event.__class__ = codec.classes[type(event)][0]
        yield event


def _plain(value: Any) -> Any:
    """Every value in it, exact numbers as the floats they are."""
    if isinstance(value, Decimal):
        return float(value)
    if isinstance(value, msgspec.Struct):
        return [_plain(getattr(value, name)) for name in value.__struct_fields__ if name != "raw"]
    if isinstance(value, dict):
        return {name: _plain(one) for name, one in value.items()}
    if isinstance(value, Sequence) and not isinstance(value, (str, bytes)):
        return [_plain(one) for one in value]
    return value


def _damaged(captures: Iterable[bytes], draw: Random) -> Iterator[bytes]:
    yield from (b"", b"\x00", b"{", b"[", b"null", b"{}", b"[]", b'"text"', b"\xff\xfe" * 50, b"[" * 5000)
    for number, frame in enumerate(captures):
        places = (
            range(0, len(frame), 1 + len(frame) // 60) if number < _CUT_WHOLE else [draw.randrange(len(frame) or 1)]
        )
        yield from (frame[:place] for place in places)
        yield frame + frame
        garbled = bytearray(frame)
        for _ in range(3):
            garbled[draw.randrange(len(garbled))] = draw.randrange(256)
        yield bytes(garbled)


def _books(events: Iterable[Event]) -> dict[str, list[BookChange]]:
    found: dict[str, list[BookChange]] = {}
    for event in events:
        if isinstance(event, BookChange):
            found.setdefault(f"{event.channel} {event.symbol}", []).append(event)
    return found


def _is_a_run(changes: Sequence[BookChange]) -> bool:
    """Whether they are a recorded stretch, and not single messages."""
    return changes[0].action == "snapshot" and sum(bool(one.asks or one.bids) for one in changes) > 10


def must(true: bool, otherwise: str) -> None:  # noqa: FBT001 - a sentence: must be so, otherwise
    """Raise AssertionError with what was found instead."""
    if not true:
        raise AssertionError(otherwise)
