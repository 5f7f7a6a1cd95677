"""Exact bytes that break the protocol or a limit, over real sockets (RELIABILITY S5, S6, S7)."""

from __future__ import annotations

import asyncio
import contextlib
import struct
import time
import zlib
from collections.abc import AsyncIterator, Awaitable, Callable

import psutil
import pytest

from tapewire.config import LineOptions
from tapewire.model.line import Loss
from tests.sizes import figure

from . import wire
from .benches import SOCKET_LINES, Recorder, wall_ns
from .wire import BINARY, CONT, PING, PONG, TEXT, frame

MIB = 1024 * 1024


def rss() -> int:
    return int(psutil.Process().memory_info().rss)


@contextlib.asynccontextmanager
async def against(name: str, handler: wire.Handler, **options: object) -> AsyncIterator[Recorder]:
    """A line opened to a server whose part after the handshake is ``handler``."""

    async def accept(peer: wire.Peer) -> None:
        offered = b"permessage-deflate" in peer.request
        peer.accept(*(["Sec-WebSocket-Extensions: permessage-deflate"] if offered else []))
        await handler(peer)
        await peer.gone()

    listener = Recorder()
    async with wire.serve(accept) as served:
        line = SOCKET_LINES[name](LineOptions(**options), wall_ns)  # type: ignore[arg-type]
        await line.open(served.url, {}, listener)
        yield listener
        line.close(Loss("stopped"), graceful=False)


def writing(*data: bytes) -> Callable[[wire.Peer], Awaitable[None]]:
    async def handler(peer: wire.Peer) -> None:
        for part in data:
            peer.write(part)

    return handler


@pytest.mark.parametrize(
    ("broken", "code"),
    [
        (frame(TEXT, b"x", rsv=4), 1002),
        (frame(TEXT, b"x", rsv=2), 1002),
        (frame(BINARY, b"x" * 500, rsv=1), 1002),
        (frame(PING, b"x", rsv=4), 1002),
        (frame(3, b"x"), 1002),
        (frame(11, b"x"), 1002),
        (frame(PING, b"", fin=False), 1002),
        (frame(PING, b"x" * 126), 1002),
        (frame(CONT, b"x" * 300), 1002),
        (frame(TEXT, b"x", fin=False) + frame(TEXT, b"y" * 200), 1002),
        (b"\x82\x81\0\0\0\0x", 1002),
        (frame(TEXT, b"\xc3\x28" * 100), 1007),
        (frame(TEXT, b"\xe2\x82", fin=False) + frame(CONT, b"\xff"), 1007),
        (wire.close_frame(1005), 1002),
        (wire.close_frame(0), 1002),
        (frame(wire.CLOSE, b"\x03"), 1002),
        (frame(wire.CLOSE, b"\x03\xe8\xff"), 1007),
        (frame(BINARY, b"x" * (MIB + 1)), 1009),
        (frame(BINARY, b"x" * 600_000, fin=False) + frame(CONT, b"x" * 600_000), 1009),
        (frame(BINARY, b"", fin=False) + frame(CONT, b"", fin=False) * 1024, 1009),
    ],
)
async def test_a_violation_ends_the_line_with_its_code_after_what_was_good(
    socket_line: str, broken: bytes, code: int
) -> None:
    good = frame(TEXT, b"good")
    async with against(socket_line, writing(good + broken + frame(TEXT, b"after"))) as listener:
        loss = await listener.lost()
        assert (loss.cause, loss.code) == ("protocol", code)
        assert loss.reason
        assert listener.messages in ([b"good"], [])
        if socket_line == "picows":
            assert listener.messages == [b"good"]


async def test_a_message_in_as_many_fragments_as_allowed_passes(socket_line: str) -> None:
    data = frame(BINARY, b"a", fin=False) + frame(CONT, b"b", fin=False) * 1022 + frame(CONT, b"c")
    async with against(socket_line, writing(data)) as listener:
        assert await listener.next() == ("message", b"a" + b"b" * 1022 + b"c", False)


async def test_pings_between_fragments_are_answered_at_once(socket_line: str) -> None:
    answered: list[tuple[int, bytes]] = []

    async def handler(peer: wire.Peer) -> None:
        peer.write(frame(TEXT, b"a", fin=False) + frame(PING, b"now") + frame(PONG, b"unasked"))
        answered.append(await peer.frame())
        peer.write(frame(CONT, b"b"))

    async with against(socket_line, handler) as listener:
        assert await listener.next() == ("pong", b"unasked")
        assert await listener.next() == ("message", b"ab", True)
        assert answered == [(PONG, b"now")]


async def test_nothing_after_the_far_ends_close_frame_counts(socket_line: str) -> None:
    data = frame(TEXT, b"a") + wire.close_frame(1001, "bye") + frame(TEXT, b"b") + frame(wire.CLOSE, b"\x00")
    async with against(socket_line, writing(data)) as listener:
        loss = await listener.lost()
        assert listener.messages == [b"a"]
        assert (loss.cause, loss.code, loss.reason) == ("closed", 1001, "bye")


async def test_a_close_frame_without_a_code_is_1005(socket_line: str) -> None:
    async with against(socket_line, writing(frame(wire.CLOSE))) as listener:
        assert await listener.lost() == Loss("closed", 1005)


async def test_a_connection_that_ends_within_a_frame_is_a_reset(socket_line: str) -> None:
    async def handler(peer: wire.Peer) -> None:
        peer.write(frame(BINARY, b"x" * 1000)[:500])
        peer.writer.close()

    async with against(socket_line, handler) as listener:
        loss = await listener.lost()
        assert (loss.cause, loss.code, listener.messages) == ("reset", 1006, [])


async def test_a_frame_of_three_mebibytes_never_reaches_the_listener(socket_line: str) -> None:
    async with against(socket_line, writing(frame(BINARY, b"x" * 3 * MIB))) as listener:
        assert (await listener.lost()).code == 1009
        assert listener.messages == []


async def test_a_frame_of_four_gibibytes_is_cut_at_its_header(socket_line: str) -> None:
    taken = []

    async def handler(peer: wire.Peer) -> None:
        peer.write(struct.pack("!BBQ", 0x82, 127, 4 * 1024 * MIB))
        taken.append(await peer.flood(b"x" * 65536))

    before = rss()
    async with against(socket_line, handler) as listener:
        assert (await listener.lost()).code == 1009
        assert rss() - before < 8 * MIB
    assert taken[0] < 16 * MIB


async def test_a_flood_of_empty_fragments_is_cut_within_a_second(socket_line: str) -> None:
    async def handler(peer: wire.Peer) -> None:
        peer.write(frame(TEXT, b"", fin=False))
        await peer.flood(frame(CONT, b"", fin=False) * 32768)

    before, began = rss(), time.monotonic()
    async with against(socket_line, handler) as listener:
        loss = await listener.lost()
        figure(f"S6: cut after {time.monotonic() - began:.3f} s, {(rss() - before) / MIB:+.1f} MiB")
        assert time.monotonic() - began < 1
        assert rss() - before < 16 * MIB
        assert (loss.cause, loss.code) == ("protocol", 1009)
        assert "1,024 fragments" in loss.reason


@pytest.mark.parametrize("opcode", [PING, PONG])
async def test_a_flood_of_control_frames_is_cut_within_a_second(socket_line: str, opcode: int) -> None:
    async def handler(peer: wire.Peer) -> None:
        await peer.flood(frame(opcode, b"") * 10_000)

    before, began = rss(), time.monotonic()
    async with against(socket_line, handler) as listener:
        loss = await listener.lost()
        assert time.monotonic() - began < 1
        assert rss() - before < 16 * MIB
        assert (loss.cause, loss.code) == ("protocol", 1008)
        assert len(listener.told) <= 21


async def test_a_deflate_bomb_is_refused_without_being_inflated(socket_line: str) -> None:
    """510 kB that stand for 500 MiB: raw deflate blocks after a full flush can be strung together."""
    stream = zlib.compressobj(9, wbits=-15)
    block = stream.compress(bytes(MIB)) + stream.flush(zlib.Z_FULL_FLUSH)
    before = rss()
    async with against(socket_line, writing(frame(BINARY, block * 500, rsv=4)), compression="deflate") as listener:
        assert (await listener.lost()).code == 1009
        assert listener.messages == []
        assert rss() - before < 8 * MIB


async def test_data_that_is_no_deflate_ends_the_line(socket_line: str) -> None:
    async with against(socket_line, writing(frame(TEXT, b"\xff" * 20, rsv=4)), compression="deflate") as listener:
        assert (await listener.lost()).cause == "protocol"


async def test_context_takeover_reaches_across_messages(socket_line: str) -> None:
    stream = zlib.compressobj(9, wbits=-15)
    texts = [b'{"code":"KRW-BTC","price":1}' * 3, b'{"code":"KRW-BTC","price":2}' * 3]
    packed = [(stream.compress(text) + stream.flush(zlib.Z_SYNC_FLUSH))[:-4] for text in texts]
    assert len(packed[1]) < len(packed[0]) / 2
    data = frame(TEXT, packed[0], rsv=4) + frame(TEXT, b"plain") + frame(TEXT, packed[1], rsv=4)
    async with against(socket_line, writing(data), compression="deflate") as listener:
        assert [(await listener.next())[1] for _ in range(3)] == [texts[0], b"plain", texts[1]]


async def test_a_far_end_that_reads_nothing_is_cut_when_too_much_is_unsent(socket_line: str) -> None:
    released = asyncio.Event()

    async def accept(peer: wire.Peer) -> None:
        peer.writer.transport.pause_reading()  # type: ignore[attr-defined]
        peer.accept()
        await released.wait()

    listener = Recorder()
    async with wire.serve(accept) as served:
        line = SOCKET_LINES[socket_line](LineOptions(), wall_ns)
        await line.open(served.url, {}, listener)

        def send_a_hundred() -> None:
            for _ in range(100):
                line.send(bytes(MIB), is_text=False)

        with pytest.raises(OSError, match="reads nothing"):
            send_a_hundred()
        loss = await listener.lost()
        assert (loss.cause, loss.code) == ("reset", 1006)
        released.set()
