"""A line, a REST call and a proxy's connection come from the address of this host that was asked for."""

from __future__ import annotations

import pytest

from tapewire.config import LineOptions
from tapewire.errors import ConnectFailed, HttpFailed
from tapewire.model.line import Loss
from tapewire.transport.dial import Dial
from tapewire.transport.http import AiohttpHttp

from . import wire
from .benches import SOCKET_LINES, Recorder, wall_ns
from .proxies import ProxyServer

OTHER = "127.0.0.2"


class Host:
    """A server that notes where its peers come from."""

    def __init__(self) -> None:
        self.callers: list[str] = []

    async def greet(self, peer: wire.Peer) -> None:
        self.callers.append(peer.writer.get_extra_info("peername")[0])
        if b"Upgrade: websocket" not in peer.request and b"upgrade: websocket" not in peer.request.lower():
            peer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n[]")
            return
        peer.accept()
        await peer.gone()


@pytest.mark.parametrize("address", [None, OTHER])
async def test_a_line_comes_from_the_address_asked_for(socket_line: str, address: str | None) -> None:
    host = Host()
    async with wire.serve(host.greet) as served:
        listener = Recorder()
        line = SOCKET_LINES[socket_line](LineOptions(local_address=address), wall_ns)
        await line.open(served.url, {}, listener)
        line.close(Loss("stopped"), graceful=False)
        await listener.lost()
    assert host.callers == [address or "127.0.0.1"]


async def test_a_dial_says_from_where_it_is_made() -> None:
    host = Host()
    async with wire.serve(host.greet) as served:
        dial = Dial(OTHER)
        with await dial.connect("127.0.0.1", served.port) as own:
            assert own.getsockname()[0] == OTHER


async def test_an_address_of_another_host_is_unreachable_with_the_reason(socket_line: str) -> None:
    host = Host()
    async with wire.serve(host.greet) as served:
        line = SOCKET_LINES[socket_line](LineOptions(local_address="192.0.2.7"), wall_ns)
        with pytest.raises(ConnectFailed) as caught:
            await line.open(served.url, {}, Recorder())
    assert caught.value.loss.cause == "unreachable"
    assert "assign requested address" in caught.value.loss.reason
    assert host.callers == []


async def test_a_rest_call_comes_from_it_too() -> None:
    host = Host()
    async with wire.serve(host.greet) as served:
        http = AiohttpHttp(wall_ns, local_address=OTHER)
        assert await http.get(f"http://127.0.0.1:{served.port}/rest", timeout=5) == b"[]"
        await http.close()
        assert host.callers == [OTHER]
        http = AiohttpHttp(wall_ns, local_address="192.0.2.7")
        with pytest.raises(HttpFailed, match="assign requested address"):
            await http.get(f"http://127.0.0.1:{served.port}/rest", timeout=5)
        await http.close()


@pytest.mark.parametrize("scheme", ["http", "socks5"])
async def test_through_a_proxy_it_is_the_way_to_the_proxy(socket_line: str, scheme: str) -> None:
    host = Host()
    async with wire.serve(host.greet) as served, ProxyServer(scheme).running() as proxy:
        listener = Recorder()
        line = SOCKET_LINES[socket_line](LineOptions(local_address=OTHER, proxy=proxy.url()), wall_ns)
        await line.open(served.url, {}, listener)
        line.close(Loss("stopped"), graceful=False)
        await listener.lost()
        if scheme == "socks5":
            http = AiohttpHttp(wall_ns, local_address=OTHER, proxy=proxy.url())
            await http.get(f"http://127.0.0.1:{served.port}/rest", timeout=5)
            await http.close()
    assert set(proxy.callers) == {OTHER}
