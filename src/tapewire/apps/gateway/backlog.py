"""What waits for a client that does not take it: the newest of each stream, every trade, within bounds (pure)."""

from __future__ import annotations

from collections.abc import Hashable

#: Bytes, and seconds of the oldest, that may wait for a client.
MOST_BYTES, MOST_SECONDS = 1024 * 1024, 5.0


class Backlog:
    """Messages of one client, in the order in which they were last renewed.

    Args:
        size: bytes that may wait.
        seconds: for how long the oldest may.

    Attributes:
        conflated: messages that gave way to a newer one.
        allowed: bytes beyond ``size``, for what is sent again to a client that came back; until nothing waits.
    """

    def __init__(self, size: int = MOST_BYTES, seconds: float = MOST_SECONDS) -> None:
        self._most, self._seconds = size, seconds
        self._waiting: dict[Hashable, tuple[float, bytes]] = {}
        self._bytes = self._count = 0
        self.conflated = self.allowed = 0

    def __len__(self) -> int:
        return len(self._waiting)

    def put(self, key: Hashable | None, message: bytes, at: float) -> None:
        """Let it wait since ``at`` (monotonic seconds). One of the same key gives way; None: it never does."""
        if key is None:
            self._count += 1
            key = self._count
        else:
            before = self._waiting.pop(key, None)
            if before is not None:
                self._bytes -= len(before[1])
                self.conflated += 1
        self._waiting[key] = (at, message)
        self._bytes += len(message)

    def take(self, room: int) -> list[bytes]:
        """The oldest messages, as many as have room in so many bytes; at least one."""
        taken: list[bytes] = []
        while self._waiting and (not taken or room > 0):
            _, message = self._waiting.pop(next(iter(self._waiting)))
            self._bytes -= len(message)
            room -= len(message)
            taken.append(message)
        return taken

    def is_over(self, at: float, unsent: int) -> bool:
        """Whether the client is to be cut now; ``unsent``: bytes that its connection has taken and not sent."""
        if not self._waiting and not unsent:
            self.allowed = 0
        if self._bytes + unsent > self._most + self.allowed:
            return True
        return bool(self._waiting) and next(iter(self._waiting.values()))[0] < at - self._seconds
