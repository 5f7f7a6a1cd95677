"""Questions of ``check_venue`` about what is asked: facts, wishes, requests step by step, refusals."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import combinations, count
from typing import Any, Protocol

import msgspec
from msgspec import Struct
from msgspec.structs import replace

from tapewire.config import FeedOptions, Format, SessionOptions
from tapewire.errors import SubscriptionError
from tapewire.model.events import EVENT_CLASSES
from tapewire.model.line import Handshake, Loss
from tapewire.model.status import Rejected
from tapewire.model.subscription import Subscription, Wish
from tapewire.session.actions import Action, Now, Progress, Publish, Send
from tapewire.session.gate import Gate
from tapewire.session.machine import Machine
from tapewire.testing.venue_frames import must
from tapewire.venues.contract import Changes, Control, Operation, Venue

_WALL = 1_700_000_000 * 10**9
#: Seconds between two steps: no limit is in the way, and no sign of life is due.
_STEP = 3.0


class Written(Struct, frozen=True):
    """What is sent in each step, decoded from JSON; tickets are ``ticket1``, ``ticket2`` … in their order.

    Attributes:
        subscribe: to ask for the first stream. add: for the others beside it.
        remove: to have the first no more. reconnect: on a new line after a loss.
    """

    subscribe: Sequence[Any]
    add: Sequence[Any]
    remove: Sequence[Any]
    reconnect: Sequence[Any]


class Talks(Protocol):
    """The part of a ``VenueCase`` that is needed here."""

    @property
    def venue(self) -> Venue: ...
    @property
    def streams(self) -> Sequence[Subscription]: ...
    @property
    def written(self) -> Written: ...
    @property
    def refusal(self) -> bytes: ...
    @property
    def format(self) -> Format: ...


def facts_hang_together(case: Talks) -> None:
    """No fact contradicts another, and no function is missing that one promises."""
    venue, facts = case.venue, case.venue.facts
    must(facts.url.startswith("wss://"), f"url {facts.url!r} is not encrypted")
    must(facts.rest_url.startswith("https://"), f"rest_url {facts.rest_url!r} is not encrypted")
    must(facts.replaces or venue.changes is not None, "requests add to each other, and nothing says how: Venue.changes")
    must(not facts.acknowledges or venue.changes is not None, "answers come, and nothing says of what: Venue.changes")
    must("public" in facts.sides, "there is no public side")
    must(set(facts.side_of.values()) <= set(facts.sides), "a kind is of a side that does not exist")
    must(facts.signed_sides <= set(facts.sides), "a side that does not exist wants a key")
    shows_key = venue.authorize is not None or venue.login is not None
    must(not facts.signed_sides or shows_key, "a side wants a key, and nothing shows it")
    must(set(facts.kinds) <= set(EVENT_CLASSES), f"no event for {sorted(set(facts.kinds) - set(EVENT_CLASSES))}")
    must(
        facts.full_state_kinds | facts.event_kinds <= set(facts.kinds), "something is said of a kind that is not there"
    )
    must(("candle" in facts.kinds) == bool(facts.candle_units), "candles without units, or units without candles")
    must(facts.idle_timeout > 0 and bool(facts.connects), "no time-out, or no limit of connections")
    must(bool(facts.text_ping) or facts.keep_alive == "frame", "signs of life are texts, and there is none")


def wrong_wishes_are_refused(case: Talks) -> None:
    """Before anything is sent, naming the field; and what is right is not."""
    first = case.streams[0]
    for stream in case.streams:
        case.venue.check(stream, None)
    for one, other in combinations(case.streams, 2):
        must(case.venue.same_line(one, other), f"{one} and {other} may not share a line")
    wrong: list[tuple[str, Any]] = [("kind", "moonPhase"), ("symbol", "no such thing"), ("symbol", "")]
    wrong += [("unit", "7 days")] if first.kind != "candle" else []
    for field, value in wrong:
        try:
            case.venue.check(replace(first, **{field: value}), None)
        except SubscriptionError as error:
            must(error.field == field and bool(error.allowed), f"{field} {value!r} is refused as {error}")
        else:
            raise AssertionError(f"{field} {value!r} is not refused")


def requests_are_as_written(case: Talks) -> None:
    """Subscribe, add, remove, reconnect: the payloads that the author wrote down."""
    talk, (first, *others) = _Talk(case), case.streams
    for step, sent in (
        ("subscribe", talk.opened([first])),
        ("add", talk.wanting([first, *others])),
        ("remove", talk.wanting(others)),
        ("reconnect", talk.back()),
    ):
        said = [msgspec.json.decode(payload) for payload in sent]
        must(said == list(getattr(case.written, step)), f"{step}: {said} is sent")


def a_refusal_reaches_the_user(case: Talks) -> None:
    """As the event that names the stream, with the exchange's words."""
    talk, first = _Talk(case), case.streams[0]
    talk.opened([first], granted=False)
    reading = case.venue.codec(case.format, "float", False).read(case.refusal)
    must(bool(reading.controls), f"the refusal is no word of the exchange: {reading}")
    told = [event for control in reading.controls for event in talk.hear(control)]
    must(bool(told), f"nobody is told of {reading.controls}")
    must(bool(told[0].name or told[0].message), "the refusal has lost its words")
    must(told[0].subscriptions == (first,), f"the refusal is said to be about {told[0].subscriptions}")


class _Talk:
    """A session with the venue, on a clock moved by hand; everything asked for is granted at once."""

    def __init__(self, case: Talks) -> None:
        self._t, self._numbers = 0.0, count(1)
        self._wanted: list[Subscription] = []
        self._asked: list[tuple[Operation, Sequence[str], str]] = []
        self._changes = case.venue.changes
        venue = case.venue if self._changes is None else replace(case.venue, changes=self._overheard(self._changes))
        session = SessionOptions(jitter=False, pending_window=0.0, stale_after=None)
        self._machine = Machine(
            venue, "checked", FeedOptions(format=case.format, session=session), Gate(venue.facts.connects),
            Gate(venue.facts.messages), lambda: 1.0, lambda: f"ticket{next(self._numbers)}",
            venue.side(case.streams[0]),
        )  # fmt: skip

    def opened(self, streams: Sequence[Subscription], *, granted: bool = True) -> list[bytes]:
        """Dial, and ask for these."""
        self._want(streams)
        return self._open(granted=granted)

    def wanting(self, streams: Sequence[Subscription]) -> list[bytes]:
        """Want these from now on."""
        self._t += _STEP
        return self._settle(self._want(streams))

    def back(self) -> list[bytes]:
        """Lose the line and have another."""
        self._t += _STEP
        self._machine.lost(self._now, Loss("closed", 1006, "checked"), {})
        self._t = max(self._t, self._machine.deadline or 0.0)
        self._machine.tick(self._now, {})
        return self._open(granted=True)

    def hear(self, control: Control) -> list[Rejected]:
        """The exchange's word; what is told of it."""
        actions = self._machine.control(self._now, control)
        return [one.event for one in actions if isinstance(one, Publish) and isinstance(one.event, Rejected)]

    @property
    def _now(self) -> Now:
        return Now(self._t, _WALL + round(self._t * 1e9))

    def _overheard(self, changes: Changes) -> Changes:
        def encode(operation: Operation, names: Sequence[str], ticket: str) -> bytes:
            self._asked.append((operation, names, changes.request_id(ticket)))
            return changes.encode(operation, names, ticket)

        return replace(changes, encode=encode)

    def _want(self, streams: Sequence[Subscription]) -> list[Action]:
        self._wanted = list(streams)
        return self._machine.want(self._now, {stream: Wish(stream) for stream in streams})

    def _open(self, *, granted: bool) -> list[bytes]:
        return self._settle(self._machine.opened(self._now, Handshake(self._machine.url, None, 0.1)), granted=granted)

    def _settle(self, actions: Sequence[Action], *, granted: bool = True) -> list[bytes]:
        """Everything that is asked now, each request granted before the next."""
        sent, until = _requests(actions), self._t + _STEP / 2
        while granted and (more := _requests(self._grant())):
            sent += more
        while (due := self._machine.deadline) is not None and due <= until:
            self._t = max(self._t, due)
            sent += _requests(self._machine.tick(self._now, {}))
            while granted and (more := _requests(self._grant())):
                sent += more
        return sent

    def _grant(self) -> list[Action]:
        """By an answer to each name in the requests, or where none is given by data."""
        actions: list[Action] = []
        if self._changes is None:
            for stream in set(self._wanted) - self._machine.live:
                actions += self._machine.first_data(self._now, stream, Progress(1), True)
        asked, self._asked = self._asked, []
        for operation, names, ticket in asked:
            for name in names:
                said = Control(f"{operation}d", stream=name, request=ticket)
                actions += self._machine.control(self._now, said)
        return actions


def _requests(actions: Sequence[Action]) -> list[bytes]:
    return [one.payload for one in actions if isinstance(one, Send) and one.request]
