"""A port of this host at another of its addresses, so that a network namespace can reach what listens on loopback."""

from __future__ import annotations

import asyncio
import contextlib
import threading
from typing import Self


class Relay:
    """Hands on what comes to ``host:port`` to ``127.0.0.1:port``, and back; ``with`` ends it."""

    def __init__(self, host: str, port: int) -> None:
        self._host, self._port = host, port
        self._ready = threading.Event()
        self._loop = asyncio.new_event_loop()
        self._tasks: set[asyncio.Task[None]] = set()
        self._lines: set[asyncio.WriteTransport] = set()
        self._thread = threading.Thread(target=self._run, name=f"relay {port}", daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        assert self._ready.wait(20)
        return self

    def __exit__(self, *_: object) -> None:
        self._loop.call_soon_threadsafe(self._ended.set)
        self._thread.join(20)

    def _run(self) -> None:
        with asyncio.Runner(loop_factory=lambda: self._loop) as runner:
            runner.run(self._serve())

    async def _serve(self) -> None:
        self._ended = asyncio.Event()
        server = await asyncio.start_server(self._take, self._host, self._port)
        self._ready.set()
        await self._ended.wait()
        server.close()
        for line in tuple(self._lines):
            line.close()
        await asyncio.gather(*self._tasks)

    def _take(self, near: asyncio.StreamReader, back: asyncio.StreamWriter) -> None:
        task = asyncio.create_task(self._hand_on(near, back))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _hand_on(self, near: asyncio.StreamReader, back: asyncio.StreamWriter) -> None:
        try:
            far, there = await asyncio.open_connection("127.0.0.1", self._port)
        except OSError:  # what listens there is dead: so is this
            back.transport.abort()
            return
        lines = {there.transport, back.transport}
        self._lines |= lines
        await asyncio.gather(_copy(near, there), _copy(far, back))
        self._lines -= lines


async def _copy(source: asyncio.StreamReader, target: asyncio.StreamWriter) -> None:
    with contextlib.suppress(OSError):  # either end may die at any moment: that is what it is for
        while data := await source.read(65536):
            target.write(data)
            await target.drain()
    target.transport.abort()
