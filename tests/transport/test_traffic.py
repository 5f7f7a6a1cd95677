"""Bytes of a connection as the kernel counts them: exact, over all ends of it, and None where nobody knows."""

from __future__ import annotations

import asyncio
import socket
import sys
from collections.abc import Callable

import pytest

from tapewire.config import LineOptions
from tapewire.model.line import Loss
from tapewire.transport.contract import Line, LineFactory
from tapewire.transport.metered_picows_line import MeteredPicowsLine
from tapewire.transport.traffic import Traffic, traffic_of
from tapewire.transport.websockets_line import WebsocketsLine
from tests.transport.wire import answer_101

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="only Linux counts")


def test_both_ends_of_a_connection_count_the_same_bytes() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        near = socket.create_connection(server.getsockname())
        far, _ = server.accept()
        with near, far:
            far.sendall(b"x" * 12_345)
            near.sendall(b"y" * 777)
            assert len(near.recv(12_345, socket.MSG_WAITALL)) == 12_345
            assert len(far.recv(777, socket.MSG_WAITALL)) == 777
            assert traffic_of(near) == Traffic(12_345, 777)
            assert traffic_of(far) == Traffic(777, 12_345)
            far.shutdown(socket.SHUT_WR)
            assert near.recv(1) == b""
            assert traffic_of(near) == Traffic(12_345, 777), "the end itself is no byte"


def test_what_is_no_open_tcp_socket_counts_nothing() -> None:
    assert traffic_of(None) is None
    one, other = socket.socketpair()
    with one, other:
        assert traffic_of(one) is None
    assert traffic_of(one) is None


class Short:
    """A kernel that knows less."""

    def getsockopt(self, _level: int, _option: int, size: int, /) -> bytes:
        return bytes(size - 1)


def test_an_old_kernel_counts_nothing() -> None:
    assert traffic_of(Short()) is None
    assert Traffic(1, 2) + Traffic(10, 20) == Traffic(11, 22)


class Ears:
    """What a line tells."""

    def __init__(self, line: Callable[[], Line]) -> None:
        self.line = line
        self.heard: list[bytes] = []
        self.lost = asyncio.Event()
        self.at_the_end: Traffic | None = None

    def on_message(self, payload: bytes, is_text: bool, received_ns: int) -> None:
        self.heard.append(payload)

    def on_pong(self, payload: bytes) -> None:
        raise AssertionError(payload)

    def on_lost(self, loss: Loss) -> None:
        self.at_the_end = self.line().traffic()  # type: ignore[attr-defined]
        self.lost.set()


@pytest.mark.parametrize("make", [MeteredPicowsLine, WebsocketsLine], ids=["picows", "websockets"])
async def test_a_line_counts_handshake_and_frames_to_its_end(make: LineFactory) -> None:
    sizes: dict[str, int] = {}

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        request = await reader.readuntil(b"\r\n\r\n")
        answer = answer_101(request)
        frames = b"\x82\x7e" + (1000).to_bytes(2, "big") + b"x" * 1000
        writer.write(answer + frames)
        close = await reader.readexactly(8)  # masked, with a code
        writer.write(b"\x88\x02\x03\xe8")
        sizes["in"], sizes["out"] = len(answer) + len(frames) + 4, len(request) + len(close)
        await writer.drain()
        writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    async with server:
        port = server.sockets[0].getsockname()[1]
        line = make(LineOptions(), lambda: 1)
        ears = Ears(lambda: line)
        await line.open(f"ws://127.0.0.1:{port}/", {}, ears)
        line.close(Loss("stopped", 1000))
        await ears.lost.wait()
    assert ears.heard == [b"x" * 1000]
    assert ears.at_the_end == Traffic(sizes["in"], sizes["out"])
    assert line.traffic() == ears.at_the_end  # type: ignore[attr-defined]
