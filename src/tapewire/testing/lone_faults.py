"""Lets faults hit one line alone, and only while its sister is well: what redundancy is for."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence

from tapewire.sim.deeds import DEEDS
from tapewire.sim.faults import Fault, FaultPlan
from tapewire.sim.peer import Exchange, Peer
from tapewire.sim.server import Simulator

#: Seconds for which another line must be open and unharmed before one is hit: so long a silent one may stand unnoticed.
WELL = 120.0


class LoneFaults:
    """Faults of lines that happen to one connection, drawn by chance.

    Args:
        simulator: whose connections.
        faults: timed ones.
        draw: gives a seeded number in [0, 1) at each call.
    """

    def __init__(self, simulator: Simulator, faults: Iterable[Fault], draw: Callable[[], float]) -> None:
        self._simulator, self._plan, self._draw = simulator, FaultPlan(faults, draw), draw
        self._harmed: dict[int, float] = {}
        #: How many happened.
        self.struck = 0

    async def run(self) -> None:
        """Until it is cancelled, or no fault is left."""
        simulator = self._simulator
        while (moment := self._plan.deadline) is not None:
            await simulator.reached(moment)
            for fault in self._plan.due(simulator.now):
                self._strike(simulator.now, fault)
            simulator.wake()

    def _strike(self, now: float, fault: Fault) -> None:
        peers = self._simulator.exchange.everyone()
        well = [peer for peer in peers if now - self._harmed.setdefault(peer.number, now) >= WELL]
        if not peers:  # a line that was never seen before counts from now on
            return
        victim = self._spared(peers[int(self._draw() * len(peers))], peers, well)
        if victim is None or fault.side not in (None, victim.side):
            return
        self._harmed[victim.number] = now
        self.struck += 1
        DEEDS[fault.name](_Alone(self._simulator.exchange, victim), now, fault)

    @staticmethod
    def _spared(victim: Peer, peers: Sequence[Peer], well: Sequence[Peer]) -> Peer | None:
        """Who may be hit in its place, or itself: of the lines that carry the same one must stay that is well.

        The other sides have one line each, which nobody stands in for.
        """
        if victim.side != "public":
            return victim
        sisters = [peer for peer in peers if peer.side == victim.side and peer is not victim]
        if any(peer in well for peer in sisters):
            return victim
        return sisters[0] if sisters and victim in well else None


class _Alone:
    """The exchange as a fault sees it that happens to one connection (``sim.deeds.Whole``)."""

    def __init__(self, exchange: Exchange, peer: Peer) -> None:
        self._peer = peer
        self.maintain, self.slow, self.tell = exchange.maintain, exchange.slow, exchange.tell

    def everyone(self, side: str | None = None) -> list[Peer]:
        return [self._peer] if side in (None, self._peer.side) else []
