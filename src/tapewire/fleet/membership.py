"""A collector's place in its fleet: joins, beats, notices that it was cut off or lost its lease, comes back."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from math import inf

from tapewire.errors import ConfigError, SinkError
from tapewire.fleet.lease import Bucket, LeaseLost
from tapewire.fleet.roster import Roster
from tapewire.fleet.words import FleetOptions, State, disagreement
from tapewire.sinks.brokers.link import Away, NotLetIn

#: Beats in one lease.
BEATS = 5
#: Leases that a name may be taken by a value that nobody renews, and then some.
_TAKEN_MOST = 2.0

Tell = Callable[[str, str], None]


class Membership:
    """One member. Every call but ``leave`` is short, and none raises because NATS is away.

    Args:
        bucket: the fleet's; opened and closed here.
        options: see ``FleetOptions``.
        tell: told of each step: a style and words.
    """

    def __init__(self, bucket: Bucket, options: FleetOptions, tell: Tell) -> None:
        self._bucket, self._options, self._tell = bucket, options, tell
        self._roster = Roster(options.name, options.lease)
        self._said: State | None = None
        self._joined = self._cut_off = self._watches = False
        self._due = -inf
        self._watched_at = self._taken_since = inf
        self._now = 0.0
        #: Times that the lease was lost.
        self.fenced = 0

    @property
    def others(self) -> list[State]:
        """The other members that live, as far as it is known."""
        return self._roster.others

    def sees(self, t: float) -> bool:
        """Whether it is a member at ``t`` (monotonic seconds), and what it knows of the others is of now."""
        return self._joined and self._roster.sees(t)

    async def beat(self, t: float, state: State, *, changed: bool) -> None:
        """Say that it lives, when it is time or something changed.

        Raises:
            ConfigError: the fleet carries something else, or somebody else has this name.
            SinkError: NATS does not let us in.
        """
        self._now = t
        if t < self._due and not (changed and self._joined):
            return
        self._due = t + self._options.lease / BEATS
        try:
            await self._open()
            await self._say(t, state)
            await self._look(t)
        except Away as error:
            await self._away(str(error))
        except NotLetIn as error:
            raise SinkError(f"the fleet {self._options.fleet}", str(error)) from None
        for name in self._roster.bury():
            self._tell("yellow", f"{name} is not heard of any more: its share is taken over")

    async def leave(self) -> None:
        """Take its leave, so that nobody waits for the end of its lease; when NATS is away they do."""
        if self._joined:
            self._joined = False
            try:
                await self._bucket.leave(self._options.name)
            except (Away, NotLetIn, LeaseLost) as error:
                self._tell("yellow", f"left without a word: {error}")
        await self._bucket.close()

    async def _open(self) -> None:
        if not self._bucket.is_open:
            self._watches = False
            await self._bucket.close()
            await self._bucket.open(make=True)
        if not self._watches:
            self._watches = True
            await self._watch()

    async def _watch(self) -> None:
        self._watched_at = self._now
        await self._bucket.watch(self._heard)

    async def _say(self, t: float, state: State) -> None:
        self._said = state
        if self._joined:
            try:
                await self._bucket.renew(state)
            except LeaseLost:
                self._joined = False
                self.fenced += 1
                self._roster.blind()
                self._tell("red", "the lease is lost: others carry what is carried here; it joins again")
            else:
                return
        await self._join(t, state)

    async def _join(self, t: float, state: State) -> None:
        others = [one for one in await self._bucket.states() if one.name != state.name]
        wrong = disagreement(state.plan, others, state.accounts)
        if wrong:
            raise ConfigError("fleet", self._options.fleet, f"one that carries the same, or another name ({wrong})")
        try:
            await self._bucket.join(state)
        except LeaseLost:
            self._taken(t)
            return
        self._joined, self._taken_since = True, inf
        self._tell("green", f"in the fleet {self._options.fleet} as {state.name}")

    def _taken(self, t: float) -> None:
        """A value of this name is there: of a run before, which ends with its lease, or of somebody who lives."""
        if self._taken_since == inf:
            self._taken_since = t
            self._tell("yellow", f"{self._options.name} is there already: waiting for the end of its lease")
        elif t - self._taken_since > _TAKEN_MOST * self._options.lease:
            raise ConfigError("name", self._options.name, "one that no other collector of the fleet has")

    async def _look(self, t: float) -> None:
        """A line over which nothing is heard, though it takes what is said, is heard anew."""
        if self._cut_off and self._roster.sees(t):
            self._cut_off = False
            self._tell("green", "back in the fleet")
        if self._joined and not self._roster.sees(t) and t - self._watched_at > self._options.lease:
            await self._watch()

    async def _away(self, reason: str) -> None:
        if not self._cut_off:
            self._cut_off = True
            self._tell("red", f"cut off from the fleet: {reason}; what is carried is carried on")
        self._roster.blind()
        await self._bucket.close()

    def _heard(self, name: str, state: State | None) -> None:
        if state is None:
            self._roster.gone(name)
        elif name != self._options.name or (self._said is not None and state.since_ns == self._said.since_ns):
            self._roster.heard(asyncio.get_running_loop().time(), state)
