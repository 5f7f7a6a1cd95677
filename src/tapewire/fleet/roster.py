"""Which members live: judged by what was heard of them while one's own word was heard, too (pure)."""

from __future__ import annotations

from tapewire.fleet.words import State


class Roster:
    """All that one member knows of its fleet.

    Its clock stands still while the member is blind: while its own beats do not come back to it. So whoever was cut
    off, stopped (SIGSTOP) or waited for a new leader of NATS takes nobody for dead; a fleet whose broker was away for
    a while does not take everything for orphaned.

    Args:
        me: this member's name.
        lease: seconds without a word after which another is dead.
    """

    def __init__(self, me: str, lease: float) -> None:
        self._me, self._lease = me, lease
        self._states: dict[str, State] = {}
        self._heard: dict[str, float] = {}
        self._clock = 0.0
        self._seen_at: float | None = None

    def heard(self, t: float, state: State) -> None:
        """A member's word came at ``t`` (monotonic seconds)."""
        self._states[state.name] = state
        if state.name == self._me:
            if self._seen_at is not None:
                self._clock += min(t - self._seen_at, self._lease / 2)
            self._seen_at = t
        self._heard[state.name] = self._clock

    def gone(self, name: str) -> None:
        """It took its leave."""
        self._states.pop(name, None)
        self._heard.pop(name, None)

    def blind(self) -> None:
        """Nothing is heard from here on, until one's own word comes again."""
        self._seen_at = None

    def sees(self, t: float) -> bool:
        """Whether what is known of the others is of now: one's own word came within the lease."""
        return self._seen_at is not None and t - self._seen_at <= self._lease

    def bury(self) -> tuple[str, ...]:
        """Forget those whose lease is over; their names."""
        dead = tuple(name for name, at in self._heard.items() if name != self._me and self._clock - at > self._lease)
        for name in dead:
            self.gone(name)
        return dead

    @property
    def others(self) -> list[State]:
        """All that live but oneself, by name."""
        return [self._states[name] for name in sorted(self._states) if name != self._me]
