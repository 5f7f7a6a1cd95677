"""Lines that break anywhere, again and again, leave nothing behind (RELIABILITY N2, N8)."""

from __future__ import annotations

import asyncio
import gc
import random
import weakref

import psutil
import uvloop

from tapewire.config import LineOptions
from tapewire.errors import ConnectFailed
from tapewire.model.line import Loss
from tapewire.transport.contract import LineFactory
from tests.sizes import figure, size

from . import wire
from .benches import SOCKET_LINES, Recorder, wall_ns

RESETS, RECONNECTS = size(100, 1_000), size(500, 10_000)
MESSAGES = [b'{"n":%d,"x":"%s"}' % (i, b"y" * (i * 7 % 400)) for i in range(60)]


async def _resets(factory: LineFactory) -> None:
    """The server breaks the connection at a random byte of handshake and messages, again and again."""
    chance = random.Random(7)

    async def handler(peer: wire.Peer) -> None:
        whole = wire.answer_101(peer.request) + b"".join(wire.frame(wire.TEXT, payload) for payload in MESSAGES)
        at = chance.randrange(len(whole)) if chance.random() < 0.8 else chance.randrange(200)
        peer.write(whole[:at])
        await peer.writer.drain()
        await wire.turns(chance.randrange(4))
        peer.reset()

    async with wire.serve(handler) as served:
        files, tasks = wire.open_files(), len(asyncio.all_tasks())
        outcomes = set()
        for _ in range(RESETS):
            listener = Recorder()
            try:
                await factory(LineOptions(), wall_ns).open(served.url, {}, listener)
            except ConnectFailed as failed:
                outcomes.add(failed.loss.cause)
                assert listener.told == []
            else:
                loss = await listener.lost()
                outcomes.add(loss.cause)
                assert loss.code == 1006
                assert listener.messages == MESSAGES[: len(listener.messages)]
                assert [what[0] for what in listener.told].count("lost") == 1
        assert outcomes == {"unreachable", "reset"}
        await wire.settled(files, tasks)
        figure(f"N2: {RESETS:,} resets, no file and no task left")


async def _reconnects(factory: LineFactory) -> None:
    async def handler(peer: wire.Peer) -> None:
        peer.accept()
        peer.write(wire.frame(wire.TEXT, b"hello"))
        await peer.gone()

    async def once() -> None:
        listener = Recorder()
        line = factory(LineOptions(), wall_ns)
        await line.open(served.url, {}, listener)
        await listener.next()
        line.close(Loss("stopped"), graceful=False)
        await listener.lost()

    async with wire.serve(handler) as served:
        for _ in range(100):
            await once()
        gc.collect()
        files, tasks = wire.open_files(), len(asyncio.all_tasks())
        before = psutil.Process().memory_info().rss
        for _ in range(RECONNECTS):
            await once()
        gc.collect()
        each = (psutil.Process().memory_info().rss - before) / RECONNECTS
        figure(f"N8: {RECONNECTS:,} reconnects, {each:.0f} bytes of memory each, {wire.open_files() - files:+} files")
        assert each < size(2048, 1024)  # few reconnects show the allocator's steps
        assert wire.open_files() <= files + 4
        assert len(asyncio.all_tasks()) <= tasks + 4


async def test_resets_at_random_bytes_leave_nothing_behind(socket_line: str) -> None:
    await _resets(SOCKET_LINES[socket_line])


async def test_reconnects_cost_no_memory(socket_line: str) -> None:
    await _reconnects(SOCKET_LINES[socket_line])


def test_the_same_on_uvloop(socket_line: str) -> None:
    uvloop.run(_resets(SOCKET_LINES[socket_line]))
    uvloop.run(_reconnects(SOCKET_LINES[socket_line]))


async def test_a_lost_line_is_freed_at_once(socket_line: str) -> None:
    """Not when the collector happens to run: a read buffer may hang on it."""

    async def handler(peer: wire.Peer) -> None:
        peer.accept()
        await peer.gone()

    async with wire.serve(handler) as served:
        listener = Recorder()
        line = SOCKET_LINES[socket_line](LineOptions(), wall_ns)
        await line.open(served.url, {}, listener)
        gone = weakref.ref(line)
        gc.collect()
        gc.disable()
        try:
            line.close(Loss("stopped"), graceful=False)
            await listener.lost()
            await wire.turns()
            del line
            assert gone() is None
        finally:
            gc.enable()
