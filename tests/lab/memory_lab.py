"""The lab's misbehaving exchange behind memory lines: the same faults under virtual time."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable, Mapping
from urllib.parse import urlsplit

from benchmarks.lab.misbehaviour import REST, Misbehaviour

from tapewire.config import LineOptions
from tapewire.errors import HttpFailed
from tapewire.transport.contract import Line
from tapewire.transport.memory import FarEnd, MemoryLine


class MemoryEnd:
    """The exchange's end of one memory line."""

    def __init__(self, far: FarEnd) -> None:
        self._far = far
        self.silent = self.simple = False

    def send(self, payload: bytes) -> None:
        self._far.send(payload)

    def close(self, code: int) -> None:
        self._far.close(code)

    def abort(self) -> None:
        self._far.abort()


class MemoryLab(Misbehaviour):
    """The exchange: hand ``line`` and itself (as ``Http``) to a client."""

    def line(self, options: LineOptions, wall_ns: Callable[[], int]) -> Line:
        """A ``LineFactory``."""
        return MemoryLine(self._connect, options, wall_ns)

    def _connect(self, far: FarEnd) -> None:
        if self.down:
            far.unreachable()
            return
        end = MemoryEnd(far)
        far.on_message = lambda payload, _: self.hear(end, payload)
        far.on_lost = lambda _: self.gone(end)
        if far.accept():
            self.connected(end)

    async def get(
        self,
        url: str,
        *,
        timeout: float,  # noqa: ASYNC109 - the limit of one request
        headers: Mapping[str, str] | None = None,
    ) -> bytes:
        await asyncio.sleep(0)
        path = urlsplit(url).path
        if path not in REST:
            raise HttpFailed(url, 404, "not in the lab")
        return json.dumps(REST[path]).encode()

    async def close(self) -> None:
        """Nothing is held."""
