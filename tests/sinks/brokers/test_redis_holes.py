"""What Redis threw away is known exactly: its count of all entries against those that were heard."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from tapewire.sinks.brokers.redis_holes import NOTHING, START, Hole, Id, Ledger, Stock

AT_ONCE = 4


def at(number: int) -> Id:
    return number, 0


def stock(added: int | None, last: int, first: int | None, length: int) -> Stock:
    return Stock(added, at(last), None if first is None else at(first), length)


class Stream:
    """A stream as Redis keeps it, and what its reader never heard."""

    def __init__(self, *, counts: bool) -> None:
        self.counts, self.added, self.last = counts, 0, 0
        self.entries: list[int] = []
        self.lost: set[int] = set()
        self.told: list[Hole] = []
        self.ledger = Ledger(START, 0 if counts else None)

    def add(self, count: int) -> None:
        for _ in range(count):
            self.last += 1
            self.added += 1
            self.entries.append(self.last)

    def drop(self, entries: list[int]) -> None:
        self.entries = [one for one in self.entries if one not in entries]
        self.lost |= {one for one in entries if at(one) > self.ledger.position}

    def check(self) -> None:
        first = self.entries[0] if self.entries else None
        self.tell(self.ledger.check(stock(self.added if self.counts else None, self.last, first, len(self.entries))))

    def read(self) -> None:
        found = [one for one in self.entries if at(one) > self.ledger.position][:AT_ONCE]
        self.tell(self.ledger.hear([at(one) for one in found], whole=len(found) < AT_ONCE))

    def tell(self, hole: Hole | None) -> None:
        if hole is not None:
            assert hole.after <= hole.until
            self.told.append(hole)

    def finish(self) -> None:
        for _ in range(2):
            self.check()
            for _ in range(len(self.entries) // AT_ONCE + 1):
                self.read()


deeds = st.lists(
    st.one_of(
        st.tuples(st.just("add"), st.integers(1, 9)),
        st.tuples(st.just("trim"), st.integers(0, 6)),
        st.tuples(st.just("delete"), st.integers(0, 20)),
        st.tuples(st.sampled_from(["check", "read"]), st.just(0)),
    ),
    max_size=40,
)


def played(stream: Stream, deeds: list[tuple[str, int]]) -> None:
    for deed, number in deeds:
        match deed:
            case "add":
                stream.add(number)
            case "trim":
                stream.drop(stream.entries[: max(0, len(stream.entries) - number)])
            case "delete":
                stream.drop(stream.entries[number : number + 1])
            case "check":
                stream.check()
            case _:
                stream.read()
    stream.finish()


@given(deeds)
def test_a_hole_is_told_exactly_when_there_is_one(deeds: list[tuple[str, int]]) -> None:
    stream = Stream(counts=True)
    played(stream, deeds)
    assert bool(stream.told) == bool(stream.lost)


@given(deeds)
def test_each_hole_is_told_once(deeds: list[tuple[str, int]]) -> None:
    stream = Stream(counts=True)
    played(stream, deeds)
    told = len(stream.told)
    stream.finish()
    assert len(stream.told) == told <= len(stream.lost)


@given(deeds.map(lambda deeds: [deed for deed in deeds if deed[0] != "delete"]))
def test_a_server_that_does_not_count_hides_nothing(deeds: list[tuple[str, int]]) -> None:
    stream = Stream(counts=False)
    stream.add(1)
    stream.read()
    stream.check()
    played(stream, deeds)
    assert stream.told or not stream.lost


def test_a_reader_that_keeps_up_with_a_short_stream_misses_nothing() -> None:
    ledger = Ledger(at(5), 5)
    for number in range(6, 50):
        assert ledger.hear([at(number)], whole=True) is None
        assert ledger.check(stock(number, number, number, 1)) is None


def test_the_hole_lies_between_what_was_heard_and_what_is_there() -> None:
    assert Ledger(at(5), 5).check(stock(20, 20, 16, 5)) == Hole(at(5), at(16))


def test_what_was_cut_off_between_question_and_answer_is_found_at_the_end() -> None:
    ledger = Ledger(at(5), 5)
    assert ledger.check(stock(9, 9, 1, 9)) is None
    assert ledger.hear([at(8), at(9)], whole=False) == Hole(at(5), at(9))


def test_a_stream_that_was_deleted_is_told_once() -> None:
    ledger = Ledger(at(5), 5)
    assert ledger.check(NOTHING) == Hole(at(5), at(5))
    assert ledger.check(NOTHING) is None
    assert ledger.check(stock(2, 9, 8, 2)) is None
    assert ledger.hear([at(8), at(9)], whole=True) is None


def test_a_stream_that_was_made_anew_behind_our_back_is_told() -> None:
    assert Ledger(at(5), 5).check(stock(2, 9, 8, 2)) == Hole(at(5), at(8))


def test_a_server_that_lost_its_end_in_a_crash_goes_on() -> None:
    ledger = Ledger(at(9), 9)
    assert ledger.check(stock(7, 7, 1, 7)) is None
    ledger.hear([at(10)], whole=True)
    assert ledger.check(stock(8, 10, 1, 8)) is None


def test_after_a_crash_numbers_are_not_trusted() -> None:
    """Five were lost in the crash, ten came: the count alone would hide five that were cut off."""
    ledger = Ledger(at(10), 10)
    ledger.doubt()
    assert ledger.check(stock(15, 20, 16, 5)) == Hole(at(10), at(16))
    assert ledger.hear([at(one) for one in range(16, 21)], whole=True) is None
    assert ledger.check(stock(16, 21, 16, 6)) is None
    assert ledger.hear([at(21)], whole=True) is None
    assert ledger.check(stock(17, 23, 23, 1)) is None


def test_after_a_crash_that_cost_nothing_nothing_is_told() -> None:
    ledger = Ledger(at(10), 10)
    ledger.doubt()
    assert ledger.check(stock(20, 20, 10, 11)) is None
    assert ledger.hear([at(one) for one in range(11, 21)], whole=True) is None
    assert ledger.check(stock(20, 20, 20, 1)) == Hole(at(10), at(20))  # it may have happened between the two
    assert ledger.check(stock(20, 20, 20, 1)) is None


def test_history_from_a_time_on_is_counted_when_its_end_was_heard() -> None:
    ledger = Ledger(at(5), None)
    assert ledger.check(stock(20, 20, 3, 18)) is None
    assert ledger.hear([at(one) for one in range(6, 21)], whole=True) is None
    assert ledger.hear([at(21)], whole=True) is None
    assert ledger.check(stock(30, 30, 27, 4)) == Hole(at(5), at(27))
    assert ledger.hear([at(one) for one in range(27, 31)], whole=True) is None
    assert ledger.check(stock(31, 31, 31, 1)) is None


def test_history_of_a_stream_that_is_deleted_is_told() -> None:
    ledger = Ledger(at(5), None)
    assert ledger.check(NOTHING) == Hole(at(5), at(5))
    assert ledger.check(NOTHING) is None


def test_an_older_server_tells_what_may_be_lost() -> None:
    ledger = Ledger(at(5), None)
    assert ledger.check(stock(None, 9, 5, 5)) is None
    assert ledger.hear([at(8), at(9)], whole=True) is None
    assert ledger.check(stock(None, 9, 8, 2)) == Hole(at(5), at(9))
    assert ledger.check(stock(None, 9, None, 0)) is None
    assert Ledger(at(5), 5).check(stock(None, 9, 8, 2)) is None


def test_who_has_heard_nothing_of_an_empty_stream_doubts_nothing() -> None:
    ledger = Ledger(START, 0)
    ledger.doubt()
    assert ledger.check(stock(3, 9, 7, 3)) is None
    other = Ledger(START, 0)
    other.doubt()
    assert other.check(stock(5, 9, 7, 3)) == Hole(START, at(7))
