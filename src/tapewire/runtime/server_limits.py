"""The exchange's limits, kept by programs on several hosts together: each gate's grants stand at a server of theirs."""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable, Sequence
from contextlib import suppress
from hashlib import sha256
from typing import Protocol, TypeVar
from urllib.parse import urlsplit

import msgspec
from msgspec import Struct

from tapewire.runtime.host_limits import Busy
from tapewire.runtime.observe import log_fields, logger
from tapewire.session.gate import LONGEST_WAIT, MARGIN, Gate, Grant
from tapewire.session.limits import MakeGate
from tapewire.venues.contract import Window

#: Seconds that one answer of the server may take: the feed stands still meanwhile.
ANSWER_WITHIN = 0.25
#: Seconds after a failure in which the server is not asked.
RETRY = 10.0
#: Seconds until a state that others keep changing is asked for again, and how often it is tried at once.
BUSY_WAIT, TRIES = 0.002, 8
#: Seconds for which a state is kept when nobody needs it any more.
KEPT = 60.0
#: Grants of this process whose answers are awaited.
AWAITED_MOST = 1_000

Answer = TypeVar("Answer")


class Gone(Exception):
    """The server does not answer, or not as it should; the text holds no password."""


class Store(Protocol):
    """One state, and a clock that all who share it have in common.

    Attributes:
        spread: seconds by which the clock may have been ahead of what ``read`` said; never behind.
    """

    @property
    def spread(self) -> float: ...

    def read(self) -> tuple[bytes, float]:
        """The state, ``b""`` without one, and the time (s). Raises Gone."""

    def swap(self, before: bytes, after: bytes, keep: float) -> bool:
        """Put ``after`` in the place of ``before`` for so many seconds; False: it is another by now. Raises Gone."""


class _State(Struct, array_like=True):
    """What stands there. Times are the server's."""

    closed_until: float
    grants: list[Grant]


_encode = msgspec.msgpack.Encoder().encode
_decode = msgspec.msgpack.Decoder(_State).decode


class Link:
    """Whether a server answers, for all gates together: one that is away is asked once in ``RETRY`` seconds.

    Args:
        name: of the server: ``Redis``.
    """

    def __init__(self, name: str) -> None:
        self.retry_at, self._name = float("-inf"), name
        self._away = False

    def lost(self, t: float, error: Gone) -> None:
        """It did not answer at ``t`` (monotonic seconds)."""
        self.retry_at = t + RETRY
        if not self._away:
            self._away = True
            logger.error(
                "limits: %s; until it is back this host keeps half of each for itself", error,
                extra=log_fields("limits_alone", ""),
            )  # fmt: skip

    def found(self) -> None:
        """It answered."""
        self.retry_at = float("-inf")
        if self._away:
            self._away = False
            words = "limits: %s is back, they are kept together"
            logger.warning(words, self._name, extra=log_fields("limits_shared", ""))


class ServerGate(Gate):
    """A gate for all programs that name the same server, and its time; without it the gate of this host, halved.

    Every step reads the state, does what ``Gate`` does at the server's time, and puts it back if nobody was quicker.

    Args:
        store: where the state is.
        windows, leeway: as of ``Gate``.
        own: stands in while the server is away: a gate of this host.
        link: shared by all gates of one server.
    """

    def __init__(self, store: Store, windows: Sequence[Window], leeway: float, own: Gate, link: Link) -> None:
        super().__init__(windows, leeway)
        self._store, self._own, self._link, self._mutex = store, own, link, threading.RLock()
        self._sent: dict[float, float] = {}
        self._alone: deque[float] | None = None
        self._offset = self._refused_until = float("-inf")
        self._known = self._inside = False

    def next_at(self, t: float) -> float:
        own, busy = self._own, t + BUSY_WAIT
        return self._do(t, lambda now: Gate.next_at(self, now) - now + t, lambda: own.next_at(t), lambda: busy)

    def ask_at(self, t: float) -> float:
        own, busy = self._own, t + BUSY_WAIT
        return self._do(t, lambda now: Gate.ask_at(self, now) - now + t, lambda: own.ask_at(t), lambda: busy)

    def take(self, t: float) -> bool:
        def taken(now: float) -> bool:
            got = Gate.take(self, now)
            if got:
                self._sent[t] = now
            return got

        def alone() -> bool:
            self._sent.pop(t, None)
            got = self._own.take(t)
            if got and self._alone is not None:
                self._alone.append(t)
            return got

        def busy() -> bool:
            self._sent.pop(t, None)
            return False

        got = self._do(t, taken, alone, busy)
        while len(self._sent) > AWAITED_MOST:
            del self._sent[next(iter(self._sent))]
        return got

    def book(self, t: float) -> None:
        self._do(t, lambda now: Gate.book(self, now), lambda: self._own.book(t), lambda: None)

    def arrived(self, sent: float, t: float) -> None:
        there = self._sent.pop(sent, None)
        if there is None:
            self._own.arrived(sent, t)
        else:  # not told to anybody, it is taken to have been on its way for as long as one can be
            self._do(t, lambda now: Gate.arrived(self, there, now + self._store.spread), lambda: None, lambda: None)

    def told(self, sent: float, t: float, left: int, seconds: float) -> None:
        there = self._sent.get(sent)
        if there is None:
            self._own.told(sent, t, left, seconds)
        else:  # the next answer says it again

            def booked(now: float) -> None:
                Gate.told(self, there, now + self._store.spread, left, seconds)

            self._do(t, booked, lambda: None, lambda: None)

    def close(self, until: float) -> None:
        """As of ``Gate``; whoever asks next tells the others."""
        self._refused_until = max(self._refused_until, until)
        self._own.close(until)

    def spent(self, t: float, at_least: float = 0.0) -> float:
        own = self._own
        return self._do(t, lambda now: Gate.spent(self, now, at_least), lambda: own.spent(t, at_least), lambda: 1.0)

    def left(self, t: float) -> list[tuple[Window, int]]:
        own = self._own
        return self._do(t, lambda now: Gate.left(self, now), lambda: own.left(t), lambda: own.left(t))

    def _do(
        self,
        t: float,
        act: Callable[[float], Answer],
        alone: Callable[[], Answer],
        busy: Callable[[], Answer],
    ) -> Answer:
        """One step with the state, ``alone`` without the server, ``busy`` when others were quicker each time."""
        with self._mutex:
            if self._inside:  # one step asks another, at the server's time
                return act(t)
            if t < self._link.retry_at:
                self._depart(t)
                return alone()
            try:
                for _ in range(TRIES):
                    before, now = self._store.read()
                    self._load(before, t, now)
                    self._inside = True
                    try:
                        answer = act(now)
                    finally:
                        self._inside = False
                    if self._kept(before, now):
                        self._alone = None
                        self._link.found()
                        return answer
            except Gone as error:
                self._link.lost(t, error)
                self._depart(t)
                return alone()
            return busy()

    def _load(self, before: bytes, t: float, now: float) -> None:
        self._offset = now - t
        if before:
            state = _decode(before)
            self._grants, self._closed_until = state.grants, state.closed_until
        elif self._known and any(grant.latest + self.longest > now for grant in self._grants):
            self._closed_until = now + self.longest  # it was started anew: what others were granted is not known
        else:
            self._grants, self._closed_until = [], float("-inf")
        if self._refused_until > t:
            self._closed_until = max(self._closed_until, self._refused_until + self._offset)
        for _ in self._alone or ():
            self._insert(Grant(now + self._store.spread + MARGIN, now, awaited=False), now)

    def _kept(self, before: bytes, now: float) -> bool:
        after = _encode(_State(self._closed_until, self._grants))
        if after == before or not (before or self._grants or self._closed_until > now):
            return True
        latest = max((grant.latest for grant in self._grants), default=now)
        keep = max(latest + self.longest, min(self._closed_until, now + LONGEST_WAIT)) - now + KEPT
        self._known = self._store.swap(before, after, keep)
        return self._known

    def _depart(self, t: float) -> None:
        """From here on this host is alone: what was granted lately counts in its own gate, too."""
        if self._alone is not None:
            return
        self._alone = deque(maxlen=AWAITED_MOST)
        if self._offset == float("-inf"):  # it never answered: others may have used up everything
            self._own.close(t + self.longest)
            return
        self._own.close(max(t, self._closed_until - self._offset))
        for grant in self._grants:
            with suppress(Busy):  # then this host's programs hold the file, and count for themselves
                self._own.book(grant.latest - self._offset)


def server_gates(store: Callable[[str], Store], own: MakeGate, link: Link) -> MakeGate:
    """Makes gates whose states stand at one server.

    Args:
        store: the state of a gate's name.
        own: makes the gates of this host.
        link: of the server.
    """

    def make(name: str, windows: Sequence[Window], leeway: float) -> Gate:
        halved = [Window(max(1, window.count // 2), window.seconds) for window in windows]
        return ServerGate(store(name), windows, leeway, own(f"{name}-alone", halved, leeway), link)

    return make


def mark_of(place: Sequence[str]) -> str:
    """Tells what the limits belong to from other places whose names look alike."""
    return sha256("\n".join(place).encode()).hexdigest()[:8]


def shown(url: str) -> str:
    """An address without user, password and options."""
    parts = urlsplit(str(url))
    return f"{parts.scheme}://{parts.netloc.rpartition('@')[2]}{parts.path}"
