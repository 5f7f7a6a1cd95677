"""Single HTTP requests."""

from __future__ import annotations

import asyncio
import subprocess
import sys

import pytest

from tapewire.config import HiddenText
from tapewire.errors import HttpFailed
from tapewire.transport.http import BODY_LIMIT, AiohttpHttp

from . import wire
from .benches import wall_ns


def answering(status: str, *headers: str, body: bytes = b"") -> wire.Handler:
    async def handler(peer: wire.Peer) -> None:
        lines = [f"HTTP/1.1 {status}", *headers, f"Content-Length: {len(body)}", "Connection: close", "", ""]
        peer.write("\r\n".join(lines).encode() + body)
        await peer.gone()

    return handler


async def failing(handler: wire.Handler, timeout: float = 5) -> HttpFailed:  # noqa: ASYNC109
    http = AiohttpHttp(wall_ns)
    async with wire.serve(handler) as served:
        with pytest.raises(HttpFailed) as caught:
            await http.get(f"http://127.0.0.1:{served.port}/v1/market/all", timeout=timeout)
    await http.close()
    assert "/v1/market/all" in str(caught.value)
    return caught.value


async def test_the_body_of_a_200_comes_back() -> None:
    http = AiohttpHttp(wall_ns)
    async with wire.serve(answering("200 OK", body=b'[{"market":"KRW-BTC"}]')) as served:
        assert await http.get(f"http://127.0.0.1:{served.port}/a?b=1", timeout=5) == b'[{"market":"KRW-BTC"}]'
        assert served.requests[0].startswith(b"GET /a?b=1 HTTP/1.1")
        await http.close()
        assert await http.get(f"http://127.0.0.1:{served.port}/", timeout=5), "a request after close opens anew"
        await http.close()


async def test_a_signed_call_carries_its_headers_and_no_error_shows_them() -> None:
    http, signed = AiohttpHttp(wall_ns), {"Authorization": HiddenText("Bearer very.secret.token")}
    async with wire.serve(answering("401 Unauthorized")) as served:
        with pytest.raises(HttpFailed) as caught:
            await http.get(f"http://127.0.0.1:{served.port}/v1/accounts?a%5B%5D=1", timeout=5, headers=signed)
    await http.close()
    assert b"Authorization: Bearer very.secret.token\r\n" in served.requests[0]
    assert served.requests[0].startswith(b"GET /v1/accounts?a%5B%5D=1 HTTP/1.1\r\n")
    assert "secret" not in f"{caught.value!r} {caught.value}"


@pytest.mark.parametrize("status", [204, 400, 404, 429, 500, 520])
async def test_another_status_fails_with_retry_after_and_body(status: int) -> None:
    failed = await failing(answering(f"{status} No", "Retry-After: 2", body=b"" if status == 204 else b"why" * 1000))
    assert (failed.status, failed.retry_after) == (status, 2.0)
    assert failed.body == (b"" if status == 204 else (b"why" * 1000)[:2048])


async def test_a_redirect_is_a_failure() -> None:
    failed = await failing(answering("302 Found", "Location: http://elsewhere.invalid/"))
    assert failed.status == 302
    assert "redirects are not followed (to elsewhere.invalid)" in failed.reason


async def test_no_answer_in_time_is_a_failure() -> None:
    async def silent(peer: wire.Peer) -> None:
        await peer.gone()

    assert (await failing(silent, 0.05)).reason == "no answer within 0.05 s"


async def test_a_refused_connection_is_a_failure_with_the_reason() -> None:
    async with wire.serve(answering("200 OK")) as served:
        port = served.port
    http = AiohttpHttp(wall_ns)
    with pytest.raises(HttpFailed, match="connection refused"):
        await http.get(f"http://127.0.0.1:{port}/", timeout=5)
    await http.close()


@pytest.mark.parametrize("url", ["not a url", "ftp://x/", "http://"])
async def test_what_is_no_address_is_a_failure(url: str) -> None:
    http = AiohttpHttp(wall_ns)
    with pytest.raises(HttpFailed):
        await http.get(url, timeout=5)
    await http.close()


async def test_a_body_above_the_limit_is_refused() -> None:
    async def endless(peer: wire.Peer) -> None:
        peer.write(b"HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n")
        await peer.flood(bytes(65536))

    failed = await failing(endless)
    assert f"more than {BODY_LIMIT:,} bytes" in failed.reason


async def test_a_cancelled_request_leaves_nothing_behind() -> None:
    files = wire.open_files()
    http = AiohttpHttp(wall_ns)
    arrived = asyncio.Event()

    async def silent(peer: wire.Peer) -> None:
        arrived.set()
        await peer.gone()

    async with wire.serve(silent) as served:
        request = asyncio.create_task(http.get(f"http://127.0.0.1:{served.port}/", timeout=5))
        await arrived.wait()
        request.cancel()
        with pytest.raises(asyncio.CancelledError):
            await request
        await http.close()
    await wire.turns()
    assert wire.open_files() == files


def test_aiohttp_is_imported_only_by_who_asks() -> None:
    script = "import sys, tapewire.transport.http; print('aiohttp' in sys.modules)"
    shown = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert shown.stdout.strip() == "False"
