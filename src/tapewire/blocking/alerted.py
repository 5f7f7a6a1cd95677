"""Alerts of a blocking client: their figures and their end."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from tapewire.blocking.handle import guarded
from tapewire.blocking.thread import PATIENCE, LoopThread
from tapewire.client import alerts


class Alerts:
    """What ``client.alerts`` gives back: rules at work until ``close``, its own or the client's."""

    def __init__(self, thread: LoopThread, running: alerts.Alerts) -> None:
        self._thread, self._running = thread, running

    def statistics(self) -> alerts.AlertStatistics:
        """What was told so far, and what became of it."""
        return self._thread.do("the alerts' statistics", self._running.statistics)

    def close(self, timeout: float = 3.0) -> None:
        """Hear no more, deliver what waits for at most ``timeout`` seconds. A second call does nothing."""
        self._thread.run("closing the alerts", lambda: self._running.aclose(timeout), timeout + PATIENCE)


def plain_channels(channels: Sequence[Any]) -> list[alerts.Channel | Callable[[alerts.Notice], Any]]:
    """The channels, functions of the program among them guarded. Raises UsageError for an async one."""
    return [one if isinstance(one, alerts.Channel) else guarded(one) for one in channels]
