"""A fleet at a glance: one row a collector, which symbols lack a copy, who carries what (pure)."""

from __future__ import annotations

from collections.abc import Sequence

from msgspec import Struct

from tapewire.fleet.words import Counts, Plan, State


class Row(Struct, frozen=True, kw_only=True):
    """One collector.

    Attributes:
        seconds: since it began.
        carries, asked: symbols that are live there, and that it has asked for.
        first_share: of the events that it brought, those whose copy the broker had from nobody before (0 to 1); None:
            it has brought nothing yet.
    """

    name: str
    host: str
    seconds: float
    leaving: bool
    carries: int
    asked: int
    first_share: float | None
    counts: Counts


class Board(Struct, frozen=True, kw_only=True):
    """A fleet.

    Attributes:
        plans: what it carries; more than one: its members do not agree (one of them is about to end).
        carriers: symbol → names of those that carry it, sorted.
        accounts: name of each account → names of those that carry it, sorted.
        short: symbols and accounts with fewer carriers than the plan says, though there are collectors enough.
    """

    fleet: str
    plans: tuple[Plan, ...]
    rows: tuple[Row, ...]
    carriers: dict[str, tuple[str, ...]]
    short: tuple[str, ...]
    accounts: dict[str, tuple[str, ...]] = {}

    @property
    def copies(self) -> int:
        """Carriers that each symbol can have now."""
        staying = sum(not row.leaving for row in self.rows)
        return min(staying, max((plan.copies for plan in self.plans), default=0))


def board(fleet: str, states: Sequence[State], now_ns: int) -> Board:
    """What the members of a fleet say, put together.

    Args:
        fleet: its name.
        states: of all members.
        now_ns: the time (ns UTC).
    """
    carriers: dict[str, tuple[str, ...]] = {}
    for state in sorted(states, key=lambda one: one.name):
        for symbol in state.carries:
            carriers[symbol] = (*carriers.get(symbol, ()), state.name)
    plans = tuple(dict.fromkeys(state.plan for state in states))
    rows = tuple(_row(state, now_ns) for state in states)
    made = Board(fleet=fleet, plans=plans, rows=rows, carriers=dict(sorted(carriers.items())), short=())
    short = tuple(symbol for symbol, names in made.carriers.items() if len(names) < made.copies)
    held, lacking = _accounts(states, made.copies)
    return Board(fleet=fleet, plans=plans, rows=rows, carriers=made.carriers, short=short + lacking, accounts=held)


def _accounts(states: Sequence[State], copies: int) -> tuple[dict[str, tuple[str, ...]], tuple[str, ...]]:
    """Who carries each account, and which of them lack a copy that a holder of the key could carry."""
    holders: dict[str, list[State]] = {}
    for state in sorted(states, key=lambda one: one.name):
        for name in state.accounts:
            holders.setdefault(name, []).append(state)
    carried = {
        name: tuple(state.name for state in those if state.accounts[name].live) for name, those in holders.items()
    }
    short = tuple(
        f"account {name}"
        for name, those in holders.items()
        if len(carried[name]) < min(copies, sum(not state.leaving for state in those))
    )
    return dict(sorted(carried.items())), short


def _row(state: State, now_ns: int) -> Row:
    counts = state.counts
    brought = counts.first + counts.second
    return Row(
        name=state.name, host=state.host, seconds=max(0.0, (now_ns - state.since_ns) / 1e9), leaving=state.leaving,
        carries=len(state.carries), asked=state.asked, first_share=counts.first / brought if brought else None,
        counts=counts,
    )  # fmt: skip
