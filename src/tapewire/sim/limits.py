"""The exchange's own counting: sliding windows, and blocks of addresses that do not stop (pure)."""

from __future__ import annotations

from collections import deque
from math import inf

from tapewire.sim.link import Pinged

ADDRESSES = 10_000  # remembered at once
_WAITING = 1000  # pings of one connection that nobody answered


class Log:
    """What was let through in each sliding window; refused attempts do not count (spec/upbit.md section 11, 24)."""

    def __init__(self, windows: tuple[tuple[int, float], ...]) -> None:
        self._windows = windows
        self._times: deque[float] = deque(maxlen=max(count for count, _ in windows))

    def add(self, now: float) -> bool:
        """Whether this one is within every window; then it counts."""
        if any(self._used(now, seconds) >= count for count, seconds in self._windows):
            return False
        self._times.append(now)
        return True

    def left(self, now: float) -> int:
        """How many the tightest window still allows."""
        return min(count - self._used(now, seconds) for count, seconds in self._windows)

    def _used(self, now: float, seconds: float) -> int:
        return sum(at > now - seconds for at in self._times)


class Blocks:
    """Temporary blocks of addresses that do not stop."""

    def __init__(self, seconds: float | None) -> None:
        self._seconds = seconds
        self._refused: dict[str, deque[float]] = {}
        self._until: dict[str, tuple[float, float]] = {}

    def blocked(self, now: float, address: str, *, refused: bool) -> float | None:
        """Seconds an address is still blocked, None when it is not."""
        if self._seconds is None:
            return None
        until, length = self._until.get(address, (0.0, self._seconds))
        if now < until:
            return until - now
        times = self._refused.setdefault(address, deque(maxlen=10))
        if len(self._refused) > ADDRESSES:
            longest_known = next(iter(self._refused))
            del self._refused[longest_known]
            self._until.pop(longest_known, None)
        if refused:
            times.append(now)
        if len(times) == 10 and now - times[0] <= 10:
            times.clear()
            self._until[address] = (now + length, length * 2)
            return length
        return None


class Questions:
    """The PING frames on one connection that wait for their pong.

    A pong answers its own ping and all before it (RFC 6455 section 5.5.3); one that answers nothing says nothing.
    """

    def __init__(self) -> None:
        self._open: deque[tuple[float, Pinged]] = deque(maxlen=_WAITING)
        self._count = 0

    @property
    def deadline(self) -> float:
        """When the first of them has waited too long."""
        return min((until for until, _ in self._open), default=inf)

    def ask(self, now: float, connection: int, within: float) -> Pinged:
        """One more, its pong due ``within`` so many seconds."""
        self._count += 1
        ping = Pinged(now, connection, b"%d" % self._count)
        self._open.append((now + within, ping))
        return ping

    def answer(self, now: float, payload: bytes) -> None:
        """A pong came."""
        if any(ping.payload == payload for _, ping in self._open):
            answered = b""
            while answered != payload:
                _, ping = self._open.popleft()
                ping.answered, answered = now, ping.payload
