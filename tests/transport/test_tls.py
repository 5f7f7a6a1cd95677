"""TLS is always verified, and what was wrong is said (RELIABILITY N6)."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator
from typing import Any

import pytest

from tapewire.config import LineOptions
from tapewire.errors import ConnectFailed, HttpFailed
from tapewire.model.line import Loss
from tapewire.transport.http import AiohttpHttp
from tapewire.transport.loop_errors import without_false_reports

from . import wire
from .benches import SOCKET_LINES, Recorder, wall_ns
from .certificates import Authority
from .proxies import ProxyServer


@pytest.fixture(scope="module")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    return Authority(tmp_path_factory.mktemp("certificates"))


async def greet(peer: wire.Peer) -> None:
    peer.accept()
    peer.write(wire.frame(wire.TEXT, b"safe"))
    await peer.gone()


async def test_a_valid_certificate_is_taken(socket_line: str, authority: Authority) -> None:
    listener = Recorder()
    async with wire.serve(greet, authority.server("good")) as served:
        line = SOCKET_LINES[socket_line](LineOptions(ssl_context=authority.trusting()), wall_ns)
        await line.open(f"wss://127.0.0.1:{served.port}/", {}, listener)
        assert await listener.next() == ("message", b"safe", True)
        line.close(Loss("stopped"), graceful=False)
        await listener.lost()


@pytest.mark.parametrize(
    ("kind", "reason"),
    [
        ({"signed": False}, "self-signed certificate"),
        ({"san": "DNS:elsewhere.example"}, "IP address mismatch"),
        ({"days": "-1"}, "certificate has expired"),
    ],
    ids=["self-signed", "wrong name", "expired"],
)
async def test_a_bad_certificate_is_refused_with_the_reason(
    socket_line: str, authority: Authority, kind: dict[str, Any], reason: str
) -> None:
    reported: list[dict[str, Any]] = []
    asyncio.get_running_loop().set_exception_handler(lambda _, context: reported.append(context))
    tls = authority.server("bad", **kind)
    async with wire.serve(greet, tls) as served:
        line = SOCKET_LINES[socket_line](LineOptions(ssl_context=authority.trusting()), wall_ns)
        with pytest.raises(ConnectFailed) as caught:
            await line.open(f"wss://127.0.0.1:{served.port}/", {"Authorization": "x"}, Recorder())
        assert caught.value.loss.cause == "unreachable"
        assert reason in caught.value.loss.reason
        assert served.requests == []
        http = AiohttpHttp(wall_ns, ssl_context=authority.trusting())
        with pytest.raises(HttpFailed, match=reason):
            await http.get(f"https://127.0.0.1:{served.port}/", timeout=5)
        await http.close()
    assert [context for context in reported if isinstance(context.get("exception"), type)] == []


@contextlib.asynccontextmanager
async def answering(data: bytes) -> AsyncIterator[str]:
    """A server whose answer to anything is these bytes and the end; its wss:// URL."""

    async def handler(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read(100)
        writer.write(data)
        await writer.drain()

    async with wire.listening(handler) as server:
        yield f"wss://127.0.0.1:{server.sockets[0].getsockname()[1]}/"


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (bytes.fromhex("15030100020246"), "TLS failed: .*(?i:alert.protocol.version)"),
        (b"HTTP/1.1 400 Bad Request\r\n\r\n", "TLS failed: .*(?i:wrong.version)"),
        (b"", "(?i:ended|EOF|closed)"),
        (b"\x16\x03", "(?i:ended|EOF|closed)"),
    ],
    ids=["only TLS 1.0", "plain text", "hangs up", "hangs up midway"],
)
async def test_a_server_that_cannot_talk_tls_is_refused_with_a_reason(
    socket_line: str, authority: Authority, data: bytes, reason: str
) -> None:
    reported: list[dict[str, Any]] = []

    def handler(_: object, context: dict[str, Any]) -> None:
        reported.append(context)

    loop = asyncio.get_running_loop()
    loop.set_exception_handler(handler)
    async with answering(data) as url:
        line = SOCKET_LINES[socket_line](LineOptions(ssl_context=authority.trusting()), wall_ns)
        with pytest.raises(ConnectFailed, match=reason):
            await line.open(url, {}, Recorder())
    assert reported == []
    assert loop.get_exception_handler() is handler


async def test_a_dial_cancelled_within_the_tls_handshake_leaves_nothing_behind(
    socket_line: str, authority: Authority
) -> None:
    reported: list[dict[str, Any]] = []
    asyncio.get_running_loop().set_exception_handler(lambda _, context: reported.append(context))
    arrived = asyncio.Event()

    async def silent(reader: asyncio.StreamReader, _: asyncio.StreamWriter) -> None:
        await reader.read(100)
        arrived.set()
        await reader.read()

    async with wire.listening(silent) as server:
        files, tasks = wire.open_files(), len(asyncio.all_tasks())
        url = f"wss://127.0.0.1:{server.sockets[0].getsockname()[1]}/"
        line = SOCKET_LINES[socket_line](LineOptions(ssl_context=authority.trusting()), wall_ns)
        dial = asyncio.create_task(line.open(url, {}, Recorder()))
        await arrived.wait()
        dial.cancel()
        with pytest.raises(asyncio.CancelledError):
            await dial
        await wire.settled(files, tasks)
    assert reported == []


async def test_an_https_proxy_is_verified_and_used(socket_line: str, authority: Authority) -> None:
    async with wire.serve(greet) as served:
        for good in (True, False):
            tls = authority.server("proxy", signed=good)
            async with ProxyServer("https", "ann", "secret").running(tls) as proxy:
                options = LineOptions(proxy=proxy.url("ann:secret"), ssl_context=authority.trusting())
                line, listener = SOCKET_LINES[socket_line](options, wall_ns), Recorder()
                if not good:
                    with pytest.raises(ConnectFailed, match="self-signed certificate"):
                        await line.open(served.url, {}, listener)
                    continue
                await line.open(served.url, {}, listener)
                assert await listener.next() == ("message", b"safe", True)
                assert proxy.asked == [("127.0.0.1", served.port)]
                line.close(Loss("stopped"), graceful=False)
                await listener.lost()


async def test_the_loops_own_handler_hears_of_everything_else_and_is_put_back() -> None:
    loop = asyncio.get_running_loop()
    heard: list[dict[str, Any]] = []

    def handler(_: object, context: dict[str, Any]) -> None:
        heard.append(context)

    loop.set_exception_handler(handler)
    real = {"message": "real", "exception": ValueError()}
    with without_false_reports(loop), without_false_reports(loop):
        loop.call_exception_handler(real)
        loop.call_exception_handler({"message": "false", "exception": ConnectionResetError})
    assert heard == [real]
    assert loop.get_exception_handler() is handler
    with without_false_reports(loop):
        loop.set_exception_handler(None)
    assert loop.get_exception_handler() is None, "a handler set meanwhile is left alone"
