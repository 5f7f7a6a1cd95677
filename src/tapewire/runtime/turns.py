"""Who waits for a grant of one gate: those in a hurry first, polling last, and each in the order they came."""

from __future__ import annotations

import asyncio
import heapq
from enum import IntEnum
from itertools import count

from tapewire.runtime.clock import Clock
from tapewire.session.gate import Gate


class Rank(IntEnum):
    """Who goes before whom: what somebody waits for, what was missed, what replaces a stream."""

    ASKED = 0
    HISTORY = 1
    POLLING = 2


class Turns:
    """The callers of one event loop. A gate is asked for the first of them only, when it may have a grant."""

    def __init__(self, gate: Gate, clock: Clock) -> None:
        self.gate, self._clock = gate, clock
        self._waiting: list[tuple[Rank, int, asyncio.Future[float]]] = []
        self._numbers = count()
        self._timer: asyncio.Handle | None = None

    async def take(self, rank: Rank = Rank.ASKED) -> float:
        """Wait for a grant; the time it was taken at (monotonic seconds). Lower ranks go before."""
        turn: asyncio.Future[float] = asyncio.get_running_loop().create_future()
        heapq.heappush(self._waiting, (rank, next(self._numbers), turn))
        self._look()
        try:
            return await turn
        except asyncio.CancelledError:
            if turn.done() and not turn.cancelled():
                self.gate.arrived(turn.result(), self._clock.now().t)
            raise

    def _look(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        t = self._clock.now().t
        while self._waiting:
            turn = self._waiting[0][2]
            if not turn.done():
                if not self.gate.take(t):
                    self._timer = self._clock.call_at(self.gate.ask_at(t), self._look)
                    return
                turn.set_result(t)
            heapq.heappop(self._waiting)
