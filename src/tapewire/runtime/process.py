"""Memory and CPU of this process."""

from __future__ import annotations

from functools import cached_property
from typing import Any

from tapewire.model.metrics import ProcessMetrics


class ProcessFigures:
    """Asks the operating system; CPU percent is measured from one question to the next (the first says 0.0)."""

    @cached_property
    def _process(self) -> Any:
        import psutil  # noqa: PLC0415 - heavy, loaded when asked

        process = psutil.Process()
        process.cpu_percent(None)
        return process

    def read(self) -> ProcessMetrics:
        """As of now; children that have ended do not count."""
        with self._process.oneshot():
            times = self._process.cpu_times()
            memory = self._process.memory_info().rss
            return ProcessMetrics(memory, times.user + times.system, self._process.cpu_percent(None))
