"""Lines and requests through proxies (RELIABILITY N7)."""

from __future__ import annotations

import asyncio

import pytest

from tapewire.config import LineOptions
from tapewire.errors import ConnectFailed, HttpFailed
from tapewire.model.line import Loss
from tapewire.transport.http import AiohttpHttp

from . import wire
from .benches import SOCKET_LINES, Recorder, wall_ns
from .proxies import ProxyServer

PASSWORD = "p@ss:w%rd"
QUOTED = "p%40ss%3Aw%25rd"


async def greet(peer: wire.Peer) -> None:
    if peer.request.startswith(b"GET /rest"):
        peer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n[]")
    else:
        peer.accept()
        peer.write(wire.frame(wire.TEXT, b"hello"))
    await peer.gone()


@pytest.mark.parametrize(
    ("scheme", "user"), [("http", None), ("http", "ann"), ("socks4", None), ("socks5", None), ("socks5", "ann")]
)
async def test_a_line_goes_through_the_proxy(socket_line: str, scheme: str, user: str | None) -> None:
    async with wire.serve(greet) as served, ProxyServer(scheme, user, PASSWORD).running() as proxy:
        listener = Recorder()
        url = proxy.url(f"{user}:{QUOTED}" if user else None)
        line = SOCKET_LINES[socket_line](LineOptions(proxy=url), wall_ns)
        await line.open(served.url, {}, listener)
        assert await listener.next() == ("message", b"hello", True)
        assert proxy.asked == [("127.0.0.1", served.port)]
        line.close(Loss("stopped"), graceful=False)
        await listener.lost()


@pytest.mark.parametrize("scheme", ["socks5", "socks5h", "http"])
async def test_the_proxy_looks_the_name_up(socket_line: str, scheme: str) -> None:
    async with wire.serve(greet) as served, ProxyServer(scheme.removesuffix("h")).running() as proxy:
        listener = Recorder()
        url = proxy.url().replace("socks5://", f"{scheme}://")
        line = SOCKET_LINES[socket_line](LineOptions(proxy=url), wall_ns)
        await line.open(f"ws://only-the-proxy-knows.invalid:{served.port}/", {}, listener)
        assert proxy.asked == [("only-the-proxy-knows.invalid", served.port)]
        line.close(Loss("stopped"), graceful=False)
        await listener.lost()


@pytest.mark.parametrize("scheme", ["http", "socks5"])
async def test_a_proxy_that_refuses_us_is_named_without_credentials(socket_line: str, scheme: str) -> None:
    async with wire.serve(greet) as served, ProxyServer(scheme, "ann", PASSWORD).running() as proxy:
        line = SOCKET_LINES[socket_line](LineOptions(proxy=proxy.url("ann:wr%6Fng-secret")), wall_ns)
        with pytest.raises(ConnectFailed) as caught:
            await line.open(served.url, {}, Recorder())
        loss = caught.value.loss
        assert loss.cause == "unreachable"
        assert "proxy" in loss.reason.lower() or "auth" in loss.reason.lower()
        assert "secret" not in loss.reason
        assert served.requests == []


@pytest.mark.parametrize("scheme", ["http", "socks5"])
async def test_a_dead_proxy_is_unreachable(socket_line: str, scheme: str) -> None:
    async with ProxyServer(scheme).running() as proxy:
        url = proxy.url("ann:secret")
    with pytest.raises(ConnectFailed) as caught:
        await SOCKET_LINES[socket_line](LineOptions(proxy=url), wall_ns).open("ws://127.0.0.1:1/", {}, Recorder())
    assert caught.value.loss.cause == "unreachable"
    assert "secret" not in caught.value.loss.reason
    assert "efused" in caught.value.loss.reason or "connect" in caught.value.loss.reason


async def test_a_proxy_that_says_nothing_is_given_up_in_time(socket_line: str) -> None:
    async def silent(reader: asyncio.StreamReader, _: asyncio.StreamWriter) -> None:
        await reader.read()

    async with wire.listening(silent) as server:
        url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
        line = SOCKET_LINES[socket_line](LineOptions(proxy=url, connect_timeout=0.05), wall_ns)
        with pytest.raises(ConnectFailed, match=r"no answer within 0\.05 s"):
            await line.open("ws://127.0.0.1:1/", {}, Recorder())


async def test_a_proxy_that_dies_loses_the_line_and_a_new_one_goes_through(socket_line: str) -> None:
    async with wire.serve(greet) as served, ProxyServer("http").running() as proxy:
        for _ in range(2):
            listener = Recorder()
            line = SOCKET_LINES[socket_line](LineOptions(proxy=proxy.url()), wall_ns)
            await line.open(served.url, {}, listener)
            await listener.next()
            proxy.kill()
            assert (await listener.lost()).cause == "reset"
        assert len(proxy.asked) == 2


@pytest.mark.parametrize("user", [None, "ann"])
async def test_a_request_goes_through_a_socks_proxy(user: str | None) -> None:
    async with wire.serve(greet) as served, ProxyServer("socks5", user, PASSWORD).running() as proxy:
        http = AiohttpHttp(wall_ns, proxy=proxy.url(f"{user}:{QUOTED}" if user else None))
        assert await http.get(f"http://only-the-proxy-knows.invalid:{served.port}/rest", timeout=5) == b"[]"
        assert proxy.asked == [("only-the-proxy-knows.invalid", served.port)]
        await http.close()


async def test_a_request_that_the_proxy_refuses_fails_without_credentials() -> None:
    for scheme in ("http", "socks5"):
        async with ProxyServer(scheme, "ann", PASSWORD).running() as proxy:
            http = AiohttpHttp(wall_ns, proxy=proxy.url("ann:secret"))
            with pytest.raises(HttpFailed) as caught:
                await http.get("https://x.invalid/rest", timeout=5)
            assert "secret" not in str(caught.value)
            await http.close()
