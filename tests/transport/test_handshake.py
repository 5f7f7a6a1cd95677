"""Opening a line over a socket: what is asked, what is refused, what is kept secret (RELIABILITY S1, S17)."""

from __future__ import annotations

import asyncio
import base64
import logging
import ssl
import subprocess
import sys

import pytest

from tapewire.config import LineOptions
from tapewire.errors import ConfigError, ConnectFailed
from tapewire.model.line import Loss
from tapewire.transport import handshake

from . import wire
from .benches import NOW_NS, SOCKET_LINES, Recorder, wall_ns

CANARY = "canary-7f3a-secret"


async def dial(name: str, url: str, headers: dict[str, str] | None = None, **options: object) -> Loss:
    """The loss that a dial which must fail ends with."""
    with pytest.raises(ConnectFailed) as caught:
        await SOCKET_LINES[name](LineOptions(**options), wall_ns).open(url, headers or {}, Recorder())  # type: ignore[arg-type]
    assert caught.value.__cause__ is None
    return caught.value.loss


def answering(*lines: str, body: bytes = b"") -> wire.Handler:
    async def handler(peer: wire.Peer) -> None:
        peer.write("\r\n".join([*lines, f"Content-Length: {len(body)}", "", ""]).encode() + body)
        await peer.gone()

    return handler


def header_lines(request: bytes) -> dict[str, str]:
    lines = (line.partition(": ") for line in request.decode().split("\r\n")[1:] if line)
    return {name.lower(): value for name, _, value in lines}


async def test_the_request_has_our_headers_and_no_origin(socket_line: str) -> None:
    async def handler(peer: wire.Peer) -> None:
        peer.accept()
        await peer.gone()

    async with wire.serve(handler) as served:
        listener = Recorder()
        line = SOCKET_LINES[socket_line](LineOptions(headers=(("X-Mine", "1"),)), wall_ns)
        opened = await line.open(served.url + "a?b=c", {"Authorization": "Bearer x"}, listener)
        line.close(Loss("stopped"), graceful=False)
        await listener.lost()
        sent = header_lines(served.requests[0])
        assert served.requests[0].startswith(b"GET /a?b=c HTTP/1.1\r\n")
        assert (opened.url, opened.compression) == (served.url + "a?b=c", None)
        assert (sent["authorization"], sent["x-mine"], sent["user-agent"]) == ("Bearer x", "1", "tapewire")
        assert {"origin", "sec-websocket-extensions"}.isdisjoint(sent)


async def test_compression_is_offered_when_asked_for_and_told_when_agreed(socket_line: str) -> None:
    for answer, agreed in (("permessage-deflate", "deflate"), (None, None)):

        async def handler(peer: wire.Peer, answer: str | None = answer) -> None:
            peer.accept(*([f"Sec-WebSocket-Extensions: {answer}"] if answer else []))
            await peer.gone()

        async with wire.serve(handler) as served:
            listener = Recorder()
            line = SOCKET_LINES[socket_line](LineOptions(compression="deflate"), wall_ns)
            opened = await line.open(served.url, {}, listener)
            assert opened.compression == agreed
            assert header_lines(served.requests[0])["sec-websocket-extensions"].startswith("permessage-deflate")
            line.close(Loss("stopped"), graceful=False)
            await listener.lost()


@pytest.mark.parametrize("offered", [None, "deflate"])
async def test_an_extension_nobody_offered_fails_the_dial(socket_line: str, offered: str | None) -> None:
    async def handler(peer: wire.Peer) -> None:
        peer.accept("Sec-WebSocket-Extensions: x-other")
        await peer.gone()

    async with wire.serve(handler) as served:
        loss = await dial(socket_line, served.url, compression=offered)
        assert loss.cause == "unreachable"
        assert "extension" in loss.reason


@pytest.mark.parametrize("status", [302, 307, 401, 403, 418, 429, 500, 503, 520, 599])
async def test_every_other_status_is_a_refusal_that_is_told_whole(socket_line: str, status: int) -> None:
    async with wire.serve(answering(f"HTTP/1.1 {status} No", "Retry-After: 7", body=b'{"error":1}')) as served:
        loss = await dial(socket_line, served.url)
        assert (loss.cause, loss.status, loss.retry_after, loss.body) == ("refused", status, 7.0, b'{"error":1}')


async def test_no_redirect_is_followed_and_no_header_reaches_the_other_host(socket_line: str) -> None:
    async with wire.serve(answering("HTTP/1.1 200 OK")) as other:
        for status in (301, 302, 303, 307, 308):
            async with wire.serve(answering(f"HTTP/1.1 {status} Go", f"Location: {other.url}?t={CANARY}")) as served:
                loss = await dial(socket_line, served.url, {"Authorization": f"Bearer {CANARY}"})
                assert loss.status == status
                assert "redirects are not followed (to 127.0.0.1)" in loss.reason
                assert CANARY not in str(loss)
                assert len(served.requests) == 1
        assert other.requests == []


@pytest.mark.parametrize(
    "answer",
    [
        b"SSH-2.0-OpenSSH_9.2\r\n\r\n",
        (
            b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
            b"Sec-WebSocket-Accept: d3Jvbmc=\r\n\r\n"
        ),
        b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: h2c\r\nConnection: Upgrade\r\n\r\n",
    ],
)
async def test_an_answer_that_is_no_handshake_is_unreachable_with_a_reason(socket_line: str, answer: bytes) -> None:
    async def handler(peer: wire.Peer) -> None:
        peer.write(answer)
        await peer.gone()

    async with wire.serve(handler) as served:
        loss = await dial(socket_line, served.url)
        assert (loss.cause, loss.status) == ("unreachable", None)
        assert loss.reason.startswith(f"127.0.0.1:{served.port}: ")
        assert len(loss.reason) > len(f"127.0.0.1:{served.port}: ") + 10


async def test_a_server_that_hangs_up_is_unreachable_at_once(socket_line: str) -> None:
    async def handler(peer: wire.Peer) -> None:
        peer.writer.close()

    async with wire.serve(handler) as served:
        loss = await dial(socket_line, served.url)
        assert loss.cause == "unreachable"
        assert "ended" in loss.reason or "HTTP" in loss.reason


async def test_a_closed_port_and_an_unknown_name_are_told_apart(socket_line: str) -> None:
    async with wire.serve(answering("HTTP/1.1 200 OK")) as served:
        port = served.port
    assert (await dial(socket_line, f"ws://127.0.0.1:{port}/")).reason == f"127.0.0.1:{port}: connection refused"
    loss = await dial(socket_line, "ws://no-such-host.invalid/")
    assert loss.cause == "unreachable"
    assert loss.reason.startswith("no-such-host.invalid:80: the name cannot be resolved: ")


@pytest.mark.parametrize("url", ["http://x/", "ws:///path", "ws://x:99999/", "ws://x/#part", "ws://user:word@x/", "x"])
async def test_a_url_that_is_no_websocket_address_is_refused_before_dialling(socket_line: str, url: str) -> None:
    with pytest.raises(ConfigError, match=r"url is .*; it must be ws:// or wss:// with a host"):
        await SOCKET_LINES[socket_line](LineOptions(), wall_ns).open(url, {}, Recorder())


@pytest.mark.parametrize("headers", [{"X-Token": f"{CANARY}\r\nEvil: 1"}, {"Bad Name": CANARY}, {"X": f"{CANARY}\n"}])
async def test_a_header_that_would_break_the_request_is_refused_without_showing_it(
    socket_line: str, headers: dict[str, str]
) -> None:
    with pytest.raises(ConfigError) as caught:
        await SOCKET_LINES[socket_line](LineOptions(), wall_ns).open("ws://127.0.0.1:1/", headers, Recorder())
    assert CANARY not in str(caught.value)


async def test_a_tls_context_that_verifies_nothing_is_refused(socket_line: str) -> None:
    blind = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    blind.check_hostname = False
    with pytest.raises(ConfigError, match="one that verifies certificates and host names"):
        await SOCKET_LINES[socket_line](LineOptions(ssl_context=blind), wall_ns).open("wss://x/", {}, Recorder())


@pytest.mark.parametrize("debug", [False, True])
async def test_no_library_logs_a_secret_at_any_level(
    socket_line: str, debug: bool, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(1)
    for name in ("picows", "websockets", "websockets.client", "tapewire", "asyncio", "aiofastnet"):
        caplog.set_level(1, logger=name)
    asyncio.get_running_loop().set_debug(debug)

    async def handler(peer: wire.Peer) -> None:
        peer.accept()
        peer.write(wire.frame(wire.TEXT, b"hello") + wire.frame(3))
        await peer.gone()

    headers = {"Authorization": f"Bearer {CANARY}"}
    listener = Recorder()
    async with wire.serve(handler) as served:
        await SOCKET_LINES[socket_line](LineOptions(), wall_ns).open(served.url, headers, listener)
        await listener.lost()
        assert CANARY.encode() in served.requests[0]
    async with wire.serve(answering("HTTP/1.1 401 No")) as served:
        await dial(socket_line, served.url, headers)
    proxy = f"http://user:{CANARY}@127.0.0.1:{served.port}"
    await dial(socket_line, "ws://127.0.0.1:1/", headers, proxy=proxy)
    for secret in (CANARY, base64.b64encode(f"user:{CANARY}".encode()).decode()):
        assert secret not in caplog.text
    assert all(record.levelno >= logging.DEBUG for record in caplog.records if "picows" in record.name)
    assert all(record.levelno >= logging.INFO for record in caplog.records if "websockets" in record.name) or (
        socket_line == "picows"
    )


async def test_the_parsers_complaints_are_no_errors_in_the_log(
    socket_line: str, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(1)

    async def handler(peer: wire.Peer) -> None:
        peer.accept()
        peer.write(wire.frame(3))
        await peer.gone()

    listener = Recorder()
    async with wire.serve(handler) as served:
        await SOCKET_LINES[socket_line](LineOptions(), wall_ns).open(served.url, {}, listener)
        assert (await listener.lost()).code == 1002
    assert [record for record in caplog.records if record.levelno >= logging.WARNING] == []


@pytest.mark.parametrize(
    ("value", "seconds"),
    [
        ("0", 0.0), ("3", 3.0), (" 1.5 ", 1.5), ("Tue, 14 Nov 2023 22:14:20 GMT", 60.0),
        ("Tue, 14 Nov 2023 22:00:00 GMT", 0.0), ("-1", None), ("inf", None), ("nan", None), ("soon", None), ("", None),
        ("9" * 400, None), (None, None),
    ],
)  # fmt: skip
def test_retry_after_in_both_forms(value: str | None, seconds: float | None) -> None:
    assert handshake.retry_after(value, NOW_NS) == seconds


def test_a_proxys_credentials_are_blotted_out_in_every_form() -> None:
    proxy = "http://us%65r:p%40ss@word@proxy:1"
    text = "cannot parse http://us%65r:p%40ss@word@proxy:1 for user with p@ss@word and p%40ss@word"
    shown = handshake.without_credentials(text, proxy)
    assert not any(part in shown for part in ("p%40ss", "p@ss", "us%65r", "word"))
    assert "proxy:1" in shown


def test_a_failure_whose_text_shows_the_proxys_password_is_told_without_it() -> None:
    options = LineOptions(proxy="http://user7:canary@proxy:1")
    failed = handshake.unreachable(OSError("cannot reach http://user7:canary@proxy:1"), options, "proxy:1")
    assert failed.loss.cause == "unreachable"
    assert failed.loss.reason.startswith("proxy:1: cannot reach http://")
    assert "canary" not in str(failed)


def test_without_the_library_the_second_line_says_what_to_install() -> None:
    script = (
        "import sys; sys.modules['websockets'] = None\n"
        "from tapewire.errors import ConfigError\n"
        "try: import tapewire.transport.websockets_line\n"
        "except ConfigError as error: print(error)"
    )
    shown = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert "pip install 'tapewire[websockets]'" in shown.stdout
