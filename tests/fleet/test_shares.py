"""Who carries what: everybody agrees, little moves, nothing is let go before others carry it."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from tapewire.fleet.shares import Member, Steps, carriers, steps

NAMES = st.sets(st.text("abcdefgh", min_size=1, max_size=3), min_size=1, max_size=6)
SYMBOLS = [f"KRW-{number}" for number in range(40)]
COPIES = st.integers(1, 3)


@given(NAMES, COPIES)
def test_each_symbol_has_as_many_carriers_as_asked_or_all(names: set[str], copies: int) -> None:
    for symbol in SYMBOLS:
        found = carriers(symbol, names, copies)
        assert len(set(found)) == len(found) == min(copies, len(names))
        assert found == carriers(symbol, sorted(names, reverse=True), copies)


@given(NAMES, COPIES, st.data())
def test_who_goes_moves_only_what_was_his(names: set[str], copies: int, data: st.DataObject) -> None:
    gone = data.draw(st.sampled_from(sorted(names)))
    for symbol in SYMBOLS:
        before, after = carriers(symbol, names, copies), carriers(symbol, names - {gone}, copies)
        assert [name for name in before if name != gone] == list(after[: len(before) - (gone in before)])


def test_the_shares_are_about_equal() -> None:
    names, symbols = ["a", "b", "c", "d"], [f"KRW-{number}" for number in range(1000)]
    loads = {name: sum(name in carriers(symbol, names, 2) for symbol in symbols) for name in names}
    assert sum(loads.values()) == 2000
    assert all(430 <= load <= 570 for load in loads.values())


def test_what_nobody_carries_is_taken_as_an_orphan() -> None:
    alone = [Member("a")]
    assert steps("a", (), alone, ["X", "Y"], 2) == Steps(("X", "Y"), frozenset({"X", "Y"}))
    beside = [Member("a"), Member("b", frozenset({"X"}))]
    assert steps("a", (), beside, ["X", "Y"], 2) == Steps(("X", "Y"), frozenset({"Y"}))


def test_a_symbol_is_given_up_when_all_who_are_to_carry_it_do() -> None:
    chosen = carriers("X", ["a", "b", "c"], 2)
    [spare] = {"a", "b", "c"} - set(chosen)
    waiting = [Member(name, frozenset({"X"}) if name in (spare, chosen[0]) else frozenset()) for name in "abc"]
    assert steps(spare, {"X"}, waiting, ["X"], 2) == Steps()
    ready = [Member(name, frozenset({"X"})) for name in "abc"]
    assert steps(spare, {"X"}, ready, ["X"], 2) == Steps(release=("X",))


def test_who_leaves_is_given_nothing_and_waits_for_the_others() -> None:
    carries = frozenset({"X"})
    assert steps("a", {"X"}, [Member("a", carries, leaving=True), Member("b")], ["X"], 2) == Steps()
    both = [Member("a", carries, leaving=True), Member("b", carries)]
    assert steps("a", {"X"}, both, ["X"], 2) == Steps(release=("X",))
    assert steps("a", {"X"}, [Member("a", carries, leaving=True)], ["X"], 2) == Steps(release=("X",))
    assert steps("b", (), [Member("a", carries, leaving=True), Member("b")], ["X"], 2) == Steps(("X",))


def test_what_is_listed_no_more_is_given_up() -> None:
    assert steps("a", {"X", "Z"}, [Member("a", frozenset({"X"}))], ["X"], 2) == Steps(release=("Z",))


@given(st.lists(st.tuples(st.sampled_from("join leave die"), st.sampled_from("abcde")), max_size=12), COPIES)
def test_whatever_comes_and_goes_ends_with_all_copies_and_never_without_one(
    changes: list[tuple[str, str]], copies: int
) -> None:
    fleet = Fleet(copies)
    fleet.change("join", "z")
    for what, name in changes:
        fleet.change(what, name)
    assert fleet.carried() == {symbol: frozenset(carriers(symbol, fleet.held, copies)) for symbol in SYMBOLS}


class Fleet:
    """Members that act in turn, each with the same view of the others; one, ``z``, never goes."""

    def __init__(self, copies: int) -> None:
        self._copies = copies
        self.held: dict[str, set[str]] = {}
        self._leaving: set[str] = set()

    def change(self, what: str, name: str) -> None:
        if what == "join":
            self.held.setdefault(name, set())
        elif name in self.held and name != "z":
            before = self.carried()
            if what == "leave":
                self._leaving.add(name)
                self._settle()
                assert not self.held[name]
                assert all(self.carried()[symbol] for symbol in before)
            self.held.pop(name)
            self._leaving.discard(name)
        self._settle()

    def carried(self) -> dict[str, frozenset[str]]:
        return {symbol: frozenset(name for name, own in self.held.items() if symbol in own) for symbol in SYMBOLS}

    def _settle(self) -> None:
        for _ in range(4):
            for name in sorted(self.held):
                was = {symbol for symbol, who in self.carried().items() if who}
                members = [Member(one, frozenset(own), one in self._leaving) for one, own in self.held.items()]
                todo = steps(name, self.held[name], members, SYMBOLS, self._copies)
                assert set(todo.orphans) == set(todo.take) - was
                self.held[name] |= set(todo.take)
                self.held[name] -= set(todo.release)
                assert was <= {symbol for symbol, who in self.carried().items() if who}
