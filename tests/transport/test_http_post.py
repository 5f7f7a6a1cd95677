"""Single HTTP posts to secret addresses: what is sent, what is refused, and that no error shows the secret."""

from __future__ import annotations

import traceback

import pytest

from tapewire.config import Secret
from tapewire.errors import HttpFailed
from tapewire.transport.http import AiohttpHttp

from . import wire
from .benches import wall_ns
from .test_http import answering

CANARY = "T0canary0B0canary0X9"
HEADERS = {"Content-Type": Secret("application/json"), "Authorization": Secret("Bearer c4n4ry-token")}


async def posted(url: str, timeout: float = 5.0) -> bytes:  # noqa: ASYNC109
    http = AiohttpHttp(wall_ns)
    try:
        return await http.post(Secret(url), b'{"a":1}', HEADERS, timeout=timeout)
    finally:
        await http.close()


async def failing(handler: wire.Handler, path: str = f"/services/{CANARY}?key={CANARY}", **how: float) -> HttpFailed:
    async with wire.serve(handler) as served:
        with pytest.raises(HttpFailed) as caught:
            await posted(f"http://127.0.0.1:{served.port}{path}", **how)
    failed = caught.value
    shown = "".join(traceback.format_exception(failed)) + repr(vars(failed)) + repr(failed)
    assert CANARY not in shown
    assert "c4n4ry" not in shown
    assert failed.__cause__ is None
    assert failed.__context__ is None, "its frames would hold the address"
    assert failed.url == f"http://127.0.0.1:{served.port}/…"
    return failed


@pytest.mark.parametrize("status", ["200 OK", "201 Created", "204 No Content"])
async def test_a_body_is_posted_with_its_headers(status: str) -> None:
    heard: list[bytes] = []

    async def handler(peer: wire.Peer) -> None:
        heard.append(await peer.reader.readexactly(7))
        await answering(status)(peer)

    async with wire.serve(handler) as served:
        assert await posted(f"http://127.0.0.1:{served.port}/hook/{CANARY}") == b""
        [request] = served.requests
    assert request.startswith(f"POST /hook/{CANARY} HTTP/1.1".encode())
    assert b"Authorization: Bearer c4n4ry-token" in request
    assert b"Content-Type: application/json" in request
    assert heard == [b'{"a":1}']


async def test_another_status_fails_with_retry_after_and_a_body_without_the_address() -> None:
    body = f"no such hook: /services/{CANARY} {CANARY}".encode()
    failed = await failing(answering("429 Too Many", "Retry-After: 7", body=body))
    assert (failed.status, failed.retry_after, failed.reason) == (429, 7.0, "Too Many Requests")
    assert failed.body == b"no such hook: /***/*** ***"


async def test_a_redirect_is_not_followed() -> None:
    failed = await failing(answering("307 Elsewhere", "Location: http://elsewhere.invalid/"))
    assert failed.reason == "Temporary Redirect; redirects are not followed (to elsewhere.invalid)"


async def test_no_answer_in_time_is_a_failure() -> None:
    async def silent(peer: wire.Peer) -> None:
        await peer.gone()

    failed = await failing(silent, timeout=0.05)
    assert (failed.status, failed.reason) == (None, "no answer within 0.05 s")


async def test_garbage_for_an_answer_is_a_failure() -> None:
    async def garbage(peer: wire.Peer) -> None:
        peer.write(f"{CANARY} is no HTTP\r\n\r\n".encode())
        await peer.gone()

    assert (await failing(garbage)).status is None


async def test_a_refused_connection_is_a_failure_with_the_reason() -> None:
    async with wire.serve(answering("200 OK")) as served:
        port = served.port
    with pytest.raises(HttpFailed, match=r"http://127.0.0.1:\d+/…: connection refused") as caught:
        await posted(f"http://127.0.0.1:{port}/{CANARY}")
    assert CANARY not in str(caught.value)
