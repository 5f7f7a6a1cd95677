"""What JetStream threw away is never hidden, and seldom told in vain: its first number against what was heard."""

from __future__ import annotations

from collections import deque

from hypothesis import given
from hypothesis import strategies as st

from tapewire.sinks.brokers.nats_holes import Ledger


class Stream:
    """A stream of two subjects as its reader of one of them sees it: what was sent waits in a line."""

    def __init__(self) -> None:
        self.last, self.first, self.next = 0, 1, 1
        self.mine: list[int] = []
        self.sent: deque[int] = deque()
        self.ledger = Ledger(0, 0)
        self.told = 0
        self.lost: set[int] = set()

    def add(self, count: int, *, mine: bool) -> None:
        for _ in range(count):
            self.last += 1
            if mine:
                self.mine.append(self.last)

    def send(self, most: int) -> None:
        """The server sends what is due."""
        for number in [one for one in self.mine if one >= self.next][:most]:
            self.sent.append(number)
            self.next = number + 1

    def hear(self, most: int) -> None:
        for _ in range(min(most, len(self.sent))):
            self.told += self.ledger.hear(self.sent.popleft())

    def trim(self, keep: int) -> None:
        self.first = max(self.first, self.last - keep + 1)
        gone = [one for one in self.mine if one < self.first]
        self.lost |= {one for one in gone if one >= self.next}
        self.mine = [one for one in self.mine if one >= self.first]

    def check(self) -> None:
        first, last = self.first, self.last
        self.told += self.ledger.check(first, len(self.sent))
        if self.ledger.is_old(first, last):
            self.ledger.nothing_new(self.mine[-1] if self.mine else None, last)


deeds = st.lists(
    st.tuples(st.sampled_from(["mine", "other", "send", "hear", "trim", "check"]), st.integers(0, 9)), max_size=50
)


@given(deeds)
def test_nothing_that_was_thrown_away_is_hidden(deeds: list[tuple[str, int]]) -> None:
    stream = Stream()
    for deed, number in [*deeds, ("send", 999), ("check", 0), ("hear", 999), ("check", 0)]:
        match deed:
            case "mine" | "other":
                stream.add(number, mine=deed == "mine")
            case "check":
                stream.check()
            case _:
                getattr(stream, deed)(number)
    assert stream.told or not stream.lost


@given(st.lists(st.tuples(st.booleans(), st.integers(1, 5)), min_size=1, max_size=60))
def test_a_reader_that_keeps_up_is_told_nothing(batches: list[tuple[bool, int]]) -> None:
    """Twenty messages are kept, at most five come between two checks; ours may be silent for as long as it likes."""
    stream = Stream()
    for mine, count in batches:
        stream.add(count, mine=mine)
        stream.send(99)
        stream.hear(99)
        stream.trim(20)
        stream.check()
    assert (stream.told, stream.lost) == (0, set())


def test_a_stretch_that_was_heard_whole_is_no_gap() -> None:
    """All numbers of the stream are ours, and it keeps less than comes between two checks."""
    ledger = Ledger(5, 5)
    assert not any(ledger.hear(number) for number in range(6, 60))
    assert not ledger.check(60, 0)


def test_what_waits_here_was_not_thrown_away() -> None:
    ledger = Ledger(5, 5)
    assert not ledger.check(9, 3)
    assert [ledger.hear(number) for number in (6, 7, 8, 9)] == [False] * 4
    assert not ledger.check(10, 0)
    assert not ledger.check(20, 1)
    assert [ledger.hear(number) for number in (10, 21)] == [False, True]


def test_a_line_begins_behind_what_is_known() -> None:
    assert Ledger(5, 5).begin(7)
    assert not Ledger(5, 9).begin(10)
    assert not Ledger(5, 5).begin(6)


def test_checks_that_wait_are_bounded() -> None:
    ledger = Ledger(0, 0)
    assert not any(ledger.check(1, waiting) for waiting in range(1, 5_000))
    assert len(ledger._checks) == 100


def test_what_is_newer_than_we_heard_proves_nothing() -> None:
    ledger = Ledger(5, 5)
    assert ledger.is_old(1, 100)
    ledger.nothing_new(9, 100)
    assert ledger.known == 5
    ledger.nothing_new(5, 100)
    assert ledger.known == 100
