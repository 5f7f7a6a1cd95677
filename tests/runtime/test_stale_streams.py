"""What is told of a stream that several lines carry: stale on all of them, and each begin has its end."""

from __future__ import annotations

from typing import Any

from tapewire.model.status import Stale
from tapewire.model.subscription import Subscription
from tapewire.runtime.stale_streams import StaleStreams

BOOK = Subscription("orderbook", "A")
SECOND = 10**9


class Bench:
    """Two lines; ``carriers`` are those that carry the book. ``told``: (over, whose words, cause, seconds)."""

    def __init__(self, *carriers: int) -> None:
        self.carriers = frozenset(carriers)
        self.told: list[tuple[bool, str, str, float]] = []
        self.ns = 0
        self.streams = StaleStreams(2, lambda _one: self.carriers, self._hear, lambda: self.ns)

    def say(self, line: int, **changes: Any) -> None:
        facts: dict[str, Any] = {"silent": 0.0, "limit": 0.0, "cause": "sequence", "subscription": BOOK}
        self.streams.hear(line, Stale(venue="made-up", connection=f"line {line}", at_ns=self.ns, **facts | changes))

    def carried_by(self, *carriers: int) -> None:
        self.carriers = frozenset(carriers)
        self.streams.judge([BOOK])

    def _hear(self, event: Stale) -> None:
        self.told.append((event.over, event.connection, event.cause, event.silent))


def test_only_what_is_stale_on_every_line_is_told() -> None:
    bench = Bench(0, 1)
    bench.say(0)
    bench.say(0, over=True)
    assert bench.told == []
    bench.say(0)
    bench.say(1)
    bench.say(0, over=True, silent=3.0)
    bench.say(1, over=True, silent=2.0)
    assert bench.told == [(False, "line 1", "sequence", 0.0), (True, "line 0", "sequence", 3.0)]


def test_a_line_that_joins_ends_it() -> None:
    bench = Bench(0)
    bench.say(0)
    bench.ns = 2 * SECOND
    bench.carried_by(0, 1)
    bench.say(0, over=True, silent=2.5)
    assert bench.told == [(False, "line 0", "sequence", 0.0), (True, "line 0", "sequence", 2.0)]


def test_a_line_that_leaves_may_leave_it_to_a_stale_one() -> None:
    bench = Bench(0, 1)
    bench.say(0, cause="silent", silent=61.0)
    bench.streams.lost(1)
    bench.carried_by(0)
    assert bench.told == [(False, "line 0", "silent", 61.0)]


def test_while_no_line_carries_it_nothing_is_over() -> None:
    bench = Bench(0)
    bench.say(0)
    bench.streams.lost(0)
    bench.carried_by()
    assert bench.told == [(False, "line 0", "sequence", 0.0)]
    bench.ns = SECOND
    bench.carried_by(1)
    assert bench.told[1:] == [(True, "line 0", "sequence", 1.0)]


def test_the_end_is_of_the_trouble_that_was_told() -> None:
    bench = Bench(0, 1)
    bench.say(0, cause="silent", silent=61.0)
    bench.say(1)
    bench.ns = SECOND
    bench.say(0, cause="silent", over=True, silent=62.0)
    assert bench.told == [(False, "line 1", "sequence", 0.0), (True, "line 1", "sequence", 1.0)]


def test_of_what_nobody_wants_any_more_nothing_is_told() -> None:
    bench = Bench(0)
    bench.say(0)
    bench.streams.follow([])
    bench.say(0, over=True)
    bench.carried_by(0, 1)
    assert len(bench.told) == 1
