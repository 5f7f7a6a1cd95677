"""The gateway with a certificate: who speaks no TLS is cut without a word, and others do not notice."""

from __future__ import annotations

import asyncio
import logging
from pathlib import Path

import aiohttp
import pytest
import uvloop

from tapewire import Gateway, GatewayOptions, WebSocketClient
from tests.apps.gateway.stage import PATIENCE
from tests.transport.certificates import Authority


async def _visits(authority: Authority) -> None:
    upstream = WebSocketClient("tls", url="ws://127.0.0.1:1/")
    options = GatewayOptions(port=0, header_seconds=1.0)
    async with asyncio.timeout(PATIENCE), Gateway(upstream, options, tls=authority.server("gateway")) as gateway:
        port = int(gateway.url.rpartition(":")[2])
        plain, to_plain = await asyncio.open_connection("127.0.0.1", port)
        to_plain.write(b"GET /health HTTP/1.1\r\nHost: localhost\r\n\r\n")
        silent, to_silent = await asyncio.open_connection("127.0.0.1", port)
        _, to_gone = await asyncio.open_connection("127.0.0.1", port)
        to_gone.close()
        assert await plain.read() == b""
        async with aiohttp.ClientSession() as session:
            answer = await session.get(f"{gateway.url}/v1/venues", ssl=authority.trusting())
            assert (answer.status, (await answer.json())["default"]) == (200, "upbit")
        assert await silent.read() == b"", "cut when its time is over"
        late, to_late = await asyncio.open_connection("127.0.0.1", port)
    assert await late.read() == b"", "cut in the midst of its handshake"
    for writer in (to_plain, to_silent, to_late):
        writer.close()


@pytest.mark.parametrize("make", [asyncio.new_event_loop, uvloop.new_event_loop])
def test_what_is_no_tls_is_cut_and_nothing_is_said_of_it(
    make: object, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.WARNING), asyncio.Runner(loop_factory=make) as runner:  # type: ignore[arg-type]
        runner.run(_visits(Authority(tmp_path)))
    assert caplog.records == []


async def test_handshakes_under_way_count_as_connections(tmp_path: Path) -> None:
    """Whoever only connects and says nothing holds a file, too."""
    upstream = WebSocketClient("tls", url="ws://127.0.0.1:1/")
    options = GatewayOptions(port=0, header_seconds=PATIENCE, most_clients=1)
    async with Gateway(upstream, options, tls=Authority(tmp_path).server("gateway")) as gateway:
        port = int(gateway.url.rpartition(":")[2])
        crowd = [await asyncio.open_connection("127.0.0.1", port) for _ in range(6)]
        async with asyncio.timeout(PATIENCE / 2):
            assert await crowd[5][0].read() == b""
        assert not any(reader.at_eof() for reader, _ in crowd[:5])
        for _, writer in crowd:
            writer.close()
