"""The way out to one client: at once while it keeps up, through its backlog while it does not, and cut beyond that."""

from __future__ import annotations

import asyncio
from collections.abc import Hashable, Iterable
from typing import Protocol

from tapewire.apps.gateway.backlog import Backlog
from tapewire.apps.gateway.frames import Form
from tapewire.client import reads

#: Bytes that a connection may hold unsent before messages wait here, where they can give way to newer ones.
ROOM = 64 * 1024
#: Seconds between two looks at clients for whom something waits.
_PAUSE = 0.05


class Sink(Protocol):
    """A client's connection."""

    def write(self, data: bytes, /) -> object: ...
    def unsent(self) -> int:
        """Bytes written that the system has not taken."""
        ...

    def cut(self) -> None:
        """The client is too slow: say so, and end it."""
        ...


class Pump:
    """Hands on what each socket read of the exchange's lines brought to each client in one write, and what each turn
    of the loop brought else; looks after those that wait.

    Attributes:
        turns: of its loop.
        dirty: to whom something is to be sent at the end of this read or turn.
        sent, conflated, cut: messages to all, those of them that gave way, clients that were too slow.
    """

    def __init__(self) -> None:
        self._loop = asyncio.get_running_loop()
        self.turns = reads.listen(self._loop, self.flush)
        self.dirty: list[Outlet] = []
        self._waiting: dict[Outlet, None] = {}
        self._timer: asyncio.TimerHandle | None = None
        self.sent = self.conflated = self.cut = 0

    def now(self) -> float:
        return self._loop.time()

    def written(self, outlet: Outlet) -> None:
        """Something is to be sent at the end of this turn."""
        if not self.dirty:
            self._loop.call_soon(self.flush)
        self.dirty.append(outlet)

    def wait(self, outlet: Outlet) -> None:
        """Something waits for this client."""
        self._waiting[outlet] = None
        if self._timer is None:
            self._timer = self._loop.call_later(_PAUSE, self._look)

    def forget(self, outlet: Outlet) -> None:
        """The client is gone."""
        self._waiting.pop(outlet, None)

    def close(self) -> None:
        """Look no more."""
        reads.leave(self._loop, self.flush)
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def flush(self, outlets: Iterable[Outlet] | None = None) -> None:
        """Write what this read or turn brought: to these, None: to all."""
        if outlets is None:
            outlets, self.dirty = self.dirty, []
        for outlet in outlets:
            frames = outlet.frames
            if frames and not outlet.closed:
                outlet.frames = []
                write, unsent = outlet.sink.write, outlet.sink.unsent
                write(frames[0] if len(frames) == 1 else b"".join(frames))
                outlet.sent += len(frames)
                self.sent += len(frames)
                if outlet.clear and unsent() > ROOM:
                    outlet.clear = False
                    self.wait(outlet)

    def _look(self) -> None:
        self._timer = None
        now = self._loop.time()
        for outlet in tuple(self._waiting):
            if outlet.look(now):
                self._waiting.pop(outlet, None)
        if self._waiting:
            self._timer = self._loop.call_later(_PAUSE, self._look)


class Outlet:
    """One client's.

    Args:
        sink: its connection.
        form: how it hears.
        pump: of the gateway.
        backlog: what may wait for it.

    Attributes:
        interval: seconds between two rounds of what gives way to newer; 0: at once.
        sent: messages so far.
        frames: of this turn, which the pump writes at its end.
        clear: nothing waits for it.
    """

    __slots__ = (
        "_backlog", "_next", "_pump", "clear", "closed", "form", "frames", "interval", "sent", "sink",
    )  # fmt: skip

    def __init__(self, sink: Sink, form: Form, pump: Pump, backlog: Backlog) -> None:
        self.sink, self.form, self._pump, self._backlog = sink, form, pump, backlog
        self.frames: list[bytes] = []
        self.clear = True
        self._next = 0.0
        self.interval = 0.0
        self.sent = 0
        self.closed = False

    @property
    def conflated(self) -> int:
        """Messages that gave way to a newer one."""
        return self._backlog.conflated

    def put(self, key: Hashable | None, message: bytes) -> None:
        """Send it. While the client is behind, one of the same key gives way; None: it never does."""
        if self.closed:
            return
        if self.clear and (key is None or not self.interval):
            frames = self.frames
            if not frames:
                pump = self._pump
                if pump.turns.reading:
                    pump.dirty.append(self)
                else:
                    pump.written(self)
            frames.append(message)
        else:
            self._backlog.put(key, message, self._pump.now())
            self._pump.wait(self)

    def allow(self, size: int) -> None:
        """So many bytes may wait beyond the usual, until all is sent."""
        self._backlog.allowed += size

    def flush(self) -> None:
        """Write what this turn brought, now."""
        self._pump.flush((self,))

    def look(self, now: float) -> bool:
        """Write of the backlog what there is room for; whether nothing is left to look after."""
        if self.closed:
            return True
        unsent = self.sink.unsent()
        if self._backlog.is_over(now - self.interval, unsent):
            self._pump.cut += 1
            self.close()
            self.sink.cut()
            return True
        if unsent <= ROOM and self._next <= now:
            self._next = now + self.interval
            self._write(max(ROOM - unsent, 1))
        waiting = len(self._backlog)
        self.clear = self.sink.unsent() <= ROOM and (not waiting or self.interval > 0)
        return self.clear and not waiting

    def close(self) -> None:
        """Send nothing more."""
        if not self.closed:
            self.closed = True
            self._pump.conflated += self._backlog.conflated
            self._pump.forget(self)

    def _write(self, room: int) -> None:
        taken = self._backlog.take(room) if len(self._backlog) else []
        if taken:
            self.sink.write(b"".join(taken))
            self.sent += len(taken)
            self._pump.sent += len(taken)
