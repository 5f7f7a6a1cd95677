"""What an account's stream of fills told, held against what REST knows: executions that a lost line missed."""

from __future__ import annotations

from collections.abc import Iterable

from msgspec import Struct

from tapewire.model.positions import FillEvent
from tapewire.session.reconcile import CLOCKS_DIFFER_MS

#: Executions that are remembered of an account, and that another process is told of.
REMEMBERED, HANDED_ON = 10_000, 1_000
#: An execution: its market, its order, its trade. One match is two of them if both orders are the account's own.
Key = tuple[str, str, int]


class FillsState(Struct, frozen=True):
    """What another process must know of an account's fills; see ``Fills``."""

    begun_ms: int | None
    told: list[Key]


class Fills:
    """One account's fills.

    Attributes:
        complete: those made before the stream began are known as such.
        begun_ms: when it began (Unix ms, UTC, the exchange's clock): what was executed since is news, even if it was
            not heard; what was executed earlier is none, even if REST never named it before.
    """

    def __init__(self) -> None:
        self.complete = False
        self.begun_ms: int | None = None
        self._told: dict[Key, None] = {}
        self._before: dict[Key, None] = {}

    def state(self) -> FillsState:
        """For another process: the last ones that were told."""
        return FillsState(self.begun_ms, list(self._told)[-HANDED_ON:])

    def resume(self, state: FillsState) -> None:
        """Begin where another process ended."""
        self.complete, self.begun_ms = True, state.begun_ms
        self._told = dict.fromkeys(state.told)

    def told(self, event: FillEvent) -> bool:
        """The stream tells this; True: all that it stands for was delivered already."""
        keys = _keys(event)
        double = bool(keys) and all(key in self._told for key in keys)
        _remember(self._told, keys)
        return double

    def ask(self) -> None:
        """REST is asked now: an execution is what it is, whenever it is heard of."""

    def learn(self, fills: Iterable[FillEvent]) -> None:
        """What was executed before the stream began: nobody missed that."""
        for fill in fills:
            if self._is_early(fill):
                _remember(self._before, _keys(fill))

    def missed(self, fills: Iterable[FillEvent]) -> list[FillEvent]:
        """Of REST's answer what was not told, in the order in which it was executed."""
        news = [fill for fill in fills if self._is_news(fill)]
        for fill in news:
            _remember(self._told, _keys(fill))
        return sorted(news, key=lambda fill: (fill.timestamp or 0, fill.sequential_id or 0))

    def _is_early(self, fill: FillEvent) -> bool:
        return self.begun_ms is None or (fill.timestamp or 0) < self.begun_ms

    def _is_news(self, fill: FillEvent) -> bool:
        if all(key in self._told or key in self._before for key in _keys(fill)):
            return False
        if not self.complete:
            return not self._is_early(fill)
        return self.begun_ms is None or (fill.timestamp or 0) >= self.begun_ms - CLOCKS_DIFFER_MS


def _keys(fill: FillEvent) -> list[Key]:
    """The executions it stands for: a taker's at one price come together, under the last id (spec/okx.md A7.5)."""
    last = fill.sequential_id
    if last is None:
        return []
    count = min(max(fill.count or 1, 1), REMEMBERED)
    return [(fill.symbol, fill.uuid, last - back) for back in reversed(range(count))]


def _remember(known: dict[Key, None], keys: Iterable[Key]) -> None:
    for key in keys:
        known.pop(key, None)
        known[key] = None
    while len(known) > REMEMBERED:
        del known[next(iter(known))]
