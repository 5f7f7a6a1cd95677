"""The doctor: each step says what it found, the first that fails says what to do, and no password is shown."""

from __future__ import annotations

import asyncio
import contextlib
import email.utils
import resource
import ssl
import time
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any

import pytest

import tapewire.client.reach  # noqa: F401 - python_socks imported late trips pytest's rewriting in CPython 3.11.7
from tapewire.client import local
from tapewire.client.advice import advice
from tapewire.client.doctor import Finding, examine
from tapewire.config import Credentials, FeedOptions, LineOptions, Secret, SessionOptions
from tapewire.errors import (
    AuthenticationFailed,
    ConfigError,
    ConnectFailed,
    HttpFailed,
    Rejected,
    TimedOut,
    UnknownName,
)
from tapewire.model.line import Loss
from tapewire.testing.background import BackgroundSimulator
from tapewire.venues.exchange import SimKey
from tests.open_files import files_allowed
from tests.transport.certificates import Authority
from tests.transport.proxies import ProxyServer
from tests.transport.wire import listening

HERE = ("proxy", "folder", "disk", "files")
WAY = ("name", "tcp", "tls", "http", "clock", "limits", "upgrade", "ping", "markets", "snapshot")


@pytest.fixture(scope="module")
def exchange() -> Iterator[BackgroundSimulator]:
    """Many patients a second come from one address here: it refuses none for that."""
    with BackgroundSimulator(markets=("KRW-BTC", "KRW-ETH"), seed=3, limits=False) as simulator:
        yield simulator


@pytest.fixture(scope="module")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    return Authority(tmp_path_factory.mktemp("certificates"))


async def told(url: str, *, seconds: float = 10.0, folder: Path = Path(), **line: Any) -> dict[str, Finding]:
    """Every finding by the name of its step."""
    options = FeedOptions(url=url, line=LineOptions(**line))
    findings = [finding async for finding in examine(options=options, folder=folder, timeout=seconds)]
    return {finding.step: finding for finding in findings}


def states(findings: dict[str, Finding], *steps: str) -> dict[str, str]:
    return {step: findings[step].state for step in steps}


async def test_a_healthy_way_is_told_step_by_step(tmp_path: Path) -> None:
    with BackgroundSimulator(markets=("KRW-BTC", "KRW-ETH")) as exchange:
        findings = await told(exchange.url, folder=tmp_path / "new" / "folder")
        assert exchange.violations == []
    assert tuple(findings) == (*HERE, *WAY, "key")
    assert states(findings, *HERE, *WAY) == dict.fromkeys((*HERE, *WAY), "ok")
    assert findings["proxy"].found == "none: straight to the exchange"
    assert findings["folder"].found == f"{tmp_path / 'new' / 'folder'} can be made in {tmp_path}"
    assert findings["tcp"].found.startswith("connected to 127.0.0.1:")
    assert findings["tls"].found == "none: the address is ws://, nothing is encrypted"
    assert findings["clock"].found == "equal to the exchange's, as far as whole seconds tell"
    assert "the exchange says: group=market; " in findings["limits"].found
    assert findings["markets"].facts == {"markets": 2}
    assert findings["snapshot"].facts["symbol"] == "KRW-BTC"
    assert (findings["key"].state, findings["key"].found) == ("skipped", "none was given; public streams need none")
    assert not (tmp_path / "new").exists()


async def test_nothing_that_listens_fails_at_tcp_and_the_rest_is_not_tried() -> None:
    findings = await told("ws://127.0.0.1:1/")
    assert findings["tcp"].found == "unreachable (connecting to 127.0.0.1:1: connection refused)"
    assert findings["tcp"].advice.startswith("nothing listens there: look at the port")
    later = WAY[WAY.index("tcp") + 1 :]
    assert states(findings, "name", "tcp", *later) == {"name": "ok", "tcp": "failed", **dict.fromkeys(later, "skipped")}
    assert {findings[step].found for step in later} == {"not tried: it needs tcp"}


async def test_a_name_that_can_be_none_fails_at_the_name() -> None:
    findings = await told("ws://a..b/")
    assert states(findings, "name", "tcp") == {"name": "failed", "tcp": "skipped"}


@pytest.mark.parametrize(
    ("status", "words"),
    [
        (400, "no WebSocket endpoint"),
        (404, "an address ends with /websocket/v1"),
        (418, "blocked for a while"),
        (429, "wait a second"),
        (302, "redirects are not followed"),
        (503, "in maintenance"),
        (406, "look at the address"),
    ],
)
async def test_a_refused_handshake_says_what_to_do(exchange: BackgroundSimulator, status: int, words: str) -> None:
    exchange.refuse(status)
    findings = await told(exchange.url)
    assert states(findings, "tls", "upgrade", "ping", "snapshot") == {
        "tls": "ok", "upgrade": "failed", "ping": "skipped", "snapshot": "skipped",
    }  # fmt: skip
    assert f"refused ({status}" in findings["upgrade"].found
    assert words in findings["upgrade"].advice


async def test_the_whole_examination_is_limited_in_time() -> None:
    async def silent(reader: asyncio.StreamReader, _writer: asyncio.StreamWriter) -> None:
        await reader.read()

    began = time.monotonic()
    async with listening(silent) as server:
        findings = await told(f"ws://127.0.0.1:{server.sockets[0].getsockname()[1]}/", seconds=0.4)
    assert time.monotonic() - began < 5
    assert (findings["http"].state, findings["clock"].found) == ("failed", "not tried: it needs http")
    assert findings["http"].found.startswith("no answer within 0.")
    assert findings["upgrade"].found == "not tried: 0.4 s were over"


async def test_what_is_no_http_is_told() -> None:
    async def rude(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.close()

    async with listening(rude) as server:
        findings = await told(f"ws://127.0.0.1:{server.sockets[0].getsockname()[1]}/")
    assert "the connection ended before" in findings["http"].found
    assert "hung up" in findings["http"].advice


# TLS and the clock.


@contextlib.asynccontextmanager
async def answering(tls: ssl.SSLContext | None, *headers: str) -> AsyncIterator[int]:
    """A server that answers any request with 200 and these headers; its port."""

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(OSError, asyncio.IncompleteReadError):
            while True:
                await reader.readuntil(b"\r\n\r\n")
                lines = ("HTTP/1.1 200 OK", "Content-Length: 0", *headers, "", "")
                writer.write("\r\n".join(lines).encode())

    async with listening(answer, tls) as server:
        yield server.sockets[0].getsockname()[1]


async def test_a_certificate_is_told_with_its_days(authority: Authority) -> None:
    for days, state in (("1", "warning"), ("400", "ok")):
        async with answering(authority.server("good", days=days)) as port:
            findings = await told(f"wss://127.0.0.1:{port}/", ssl_context=authority.trusting())
        assert findings["tls"].state == state
        assert findings["tls"].facts["days_left"] == int(days) - 1
        assert findings["tls"].found.startswith("TLSv1.3, certificate for 127.0.0.1, ")
        assert findings["clock"].found == "the far end tells no time"


@pytest.mark.parametrize(
    ("kind", "reason", "todo"),
    [
        ({"signed": False}, "self-signed certificate", "something in between opens the traffic"),
        ({"san": "DNS:elsewhere.example"}, "IP address mismatch", "the far end is not who it should be"),
        ({"days": "-1"}, "certificate has expired", "look at this machine's clock"),
    ],
)
async def test_a_refused_certificate_fails_with_the_reason(
    authority: Authority, kind: dict[str, Any], reason: str, todo: str
) -> None:
    async with answering(authority.server("bad", **kind)) as port:
        findings = await told(f"wss://127.0.0.1:{port}/", ssl_context=authority.trusting())
    assert reason in findings["tls"].found
    assert findings["tls"].advice.startswith(todo)
    assert states(findings, "tcp", "tls", "upgrade") == {"tcp": "ok", "tls": "failed", "upgrade": "skipped"}


async def test_no_tls_where_it_is_wanted_is_told(authority: Authority) -> None:
    async with answering(None) as port:
        findings = await told(f"wss://127.0.0.1:{port}/", ssl_context=authority.trusting(), seconds=0.3)
    assert findings["tls"].state == "failed"


@pytest.mark.parametrize(
    ("seconds", "state", "words"), [(3600, "warning", "behind"), (-3600, "warning", "ahead of"), (0, "ok", "equal to")]
)
async def test_a_clock_that_is_wrong_is_told_with_its_offset(seconds: float, state: str, words: str) -> None:
    date = email.utils.formatdate(time.time() + seconds, usegmt=True)
    async with answering(None, f"Date: {date}") as port:
        findings = await told(f"ws://127.0.0.1:{port}/")
    clock = findings["clock"]
    assert (clock.state, words in clock.found) == (state, True)
    assert clock.facts["offset_seconds"] == pytest.approx(seconds, abs=1.5)


async def test_a_date_that_is_none_is_no_time() -> None:
    async with answering(None, "Date: yesterday") as port:
        findings = await told(f"ws://127.0.0.1:{port}/")
    assert (findings["clock"].state, findings["clock"].found) == ("skipped", "the far end tells no time")


# Proxies.


@pytest.mark.parametrize("scheme", ["http", "socks4", "socks5"])
async def test_the_way_through_a_proxy_is_told(exchange: BackgroundSimulator, scheme: str) -> None:
    async with ProxyServer(scheme).running() as proxy:
        findings = await told(exchange.url, proxy=proxy.url())
    assert findings["proxy"].found == f"through {scheme}://127.0.0.1:{proxy.port}"
    assert findings["name"].found.startswith("127.0.0.1 (the proxy) is 127.0.0.1")
    assert findings["tcp"].found.endswith(
        f"through {scheme}://127.0.0.1:{proxy.port} in {findings['tcp'].facts['ms']:g} ms"
    )
    steps = WAY[:-2] if scheme == "http" else WAY  # the proxy of these tests passes no plain request on
    assert states(findings, *steps) == dict.fromkeys(steps, "ok")


@pytest.mark.parametrize("scheme", ["http", "socks5"])
async def test_a_proxy_that_refuses_is_told_without_its_password(exchange: BackgroundSimulator, scheme: str) -> None:
    async with ProxyServer(scheme, user="me", password="right").running() as proxy:
        findings = await told(exchange.url, proxy=proxy.url("me:canary"))
    assert findings["tcp"].state == "failed"
    assert findings["tcp"].found.startswith(f"unreachable ({scheme}://127.0.0.1:{proxy.port} towards 127.0.0.1:")
    assert findings["tcp"].advice
    assert "canary" not in repr(findings)


async def test_an_https_proxy_is_reached_and_the_rest_is_seen_at_the_upgrade(
    exchange: BackgroundSimulator, authority: Authority
) -> None:
    async with ProxyServer("https").running(authority.server("proxy")) as proxy:
        findings = await told(exchange.url, proxy=proxy.url(), ssl_context=authority.trusting())
    assert findings["tcp"].found.startswith(f"connected to the proxy https://127.0.0.1:{proxy.port} in ")
    assert findings["tls"].found == "lies inside the proxy's own TLS; it is verified at the upgrade"
    assert findings["clock"].found == "not tried: it needs tls"
    assert states(findings, "upgrade", "ping") == {"upgrade": "ok", "ping": "ok"}


async def test_a_proxy_that_is_not_there_is_told() -> None:
    findings = await told("ws://127.0.0.1:9/", proxy="socks5://me:canary@127.0.0.1:1")
    assert findings["tcp"].state == "failed"
    assert "canary" not in repr(findings)


# This machine.


async def test_a_folder_that_cannot_be_written_is_named() -> None:
    findings = await told("ws://127.0.0.1:1/", folder=Path("/proc/here"))
    assert findings["folder"].state == "failed"
    assert findings["folder"].found == "/proc/here: no such file or directory"
    assert findings["folder"].advice == "choose another folder with --out"


async def test_a_file_in_the_place_of_the_folder_is_told(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("here")
    findings = await told("ws://127.0.0.1:1/", folder=tmp_path / "file")
    assert findings["folder"].found == f"{tmp_path / 'file'}: not a directory"


async def test_few_open_files_are_told_with_the_command() -> None:
    soft, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    with files_allowed(200):
        findings = await told("ws://127.0.0.1:1/")
    assert (findings["files"].state, findings["files"].advice) == ("warning", "raise it: ulimit -n 4096")
    assert local.file_limit().allowed == (None if soft == resource.RLIM_INFINITY else soft)


def test_more_files_are_allowed_as_far_as_the_system_lets() -> None:
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    with files_allowed(200):
        local.allow_files(300)
        assert local.file_limit().allowed == 300
        local.allow_files(250)
        assert local.file_limit().allowed == 300, "never fewer"
        if hard != resource.RLIM_INFINITY:
            local.allow_files(hard + 1)
            assert local.file_limit().allowed == hard


async def test_wrong_options_are_refused_at_once() -> None:
    with pytest.raises(UnknownName, match="no venue is called 'upbitt'"):
        await anext(examine("upbitt"))
    with pytest.raises(ConfigError, match="timeout is 0"):
        await anext(examine(timeout=0))


@pytest.mark.parametrize(
    ("error", "words"),
    [
        (AuthenticationFailed("upbit", Loss("refused", None, "invalid_access_key", 401)), "no key of this region"),
        (
            AuthenticationFailed("upbit", Loss("refused", None, "no_authorization_i_p", 401)),
            "list of allowed addresses",
        ),
        (AuthenticationFailed("upbit", Loss("refused", None, "Unauthorized", 401)), "look at both parts of the key"),
        (AuthenticationFailed("upbit", Loss("refused", None, "Forbidden", 403)), "lacks a permission"),
        (Rejected("upbit", "OUT_OF_SCOPE", "no"), "give the key this permission"),
        (Rejected("upbit", "INVALID_AUTH", "no"), "does not take this key for this"),
        (ConnectFailed(Loss("unreachable", None, "x: the name cannot be resolved: no")), "this machine's DNS"),
        (HttpFailed("http://x", 500, "Internal Server Error"), "down or in maintenance"),
        (HttpFailed("http://x", None, "no answer within 3 s"), "a firewall may drop the packets"),
        (TimedOut("doctor: ticker KRW-BTC", 5.0), "a firewall may drop the packets"),
        (OSError("something else"), ""),
    ],
)
def test_each_error_has_its_advice(error: Exception, words: str) -> None:
    assert words in advice(error)
    assert bool(words) == bool(advice(error))


# The key.

GOOD = SimKey(access_key="good", secret_key=Secret("canary-secret-of-forty-characters-000001"))
ORDERS = SimKey(
    access_key="orders",
    secret_key=Secret("canary-secret-of-forty-characters-000002"),
    permissions=frozenset({"view_orders"}),
)
EXPIRED = SimKey(access_key="old", secret_key=Secret("canary-secret-of-forty-characters-000003"), expired=True)


async def asked_with(access_key: str, secret_key: str) -> dict[str, Finding]:
    """What the steps of the key find at an exchange that knows the three above."""
    credentials = Credentials(Secret(access_key), Secret(secret_key))
    with BackgroundSimulator(markets=("KRW-BTC",), keys=(GOOD, ORDERS, EXPIRED)) as exchange:
        options = FeedOptions(url=exchange.url, session=SessionOptions(quiet_time=0.2))
        findings = [finding async for finding in examine(options=options, credentials=credentials)]
        assert exchange.violations == []
    assert "canary" not in repr(findings)
    return {finding.step: finding for finding in findings}


async def test_a_good_key_is_told_with_what_it_permits() -> None:
    findings = await asked_with("good", GOOD.secret_key.reveal())
    assert findings["key myAsset"].found == "taken: the key has the permission view accounts"
    assert findings["key myOrder"].found == "taken: the key has the permission view orders"
    assert "key" not in findings


async def test_a_missing_permission_is_named() -> None:
    findings = await asked_with("orders", ORDERS.secret_key.reveal())
    assert states(findings, "key myAsset", "key myOrder") == {"key myAsset": "failed", "key myOrder": "ok"}
    assert "permission" in findings["key myAsset"].advice


@pytest.mark.parametrize(
    ("access_key", "secret_key", "name", "todo"),
    [
        ("nobody", "canary-secret-of-forty-characters-000001", "invalid_access_key", "no key of this region"),
        ("good", "canary-secret-of-forty-characters-999999", "jwt_verification", "does not belong to the access key"),
        ("old", "canary-secret-of-forty-characters-000003", "expired_access_key", "valid for one year"),
    ],
)
async def test_a_refused_key_is_told_by_the_exchanges_name_for_it(
    access_key: str, secret_key: str, name: str, todo: str
) -> None:
    findings = await asked_with(access_key, secret_key)
    for step in ("key myAsset", "key myOrder"):
        assert (findings[step].state, name in findings[step].found) == ("failed", True)
        assert todo in findings[step].advice
    assert findings["snapshot"].state == "ok", "what is public goes on"


def test_a_wrong_path_is_told_the_exchanges_own() -> None:
    lost = ConnectFailed(Loss("refused", None, "Not Found", 404))
    assert advice(lost, "/ws/v5") == "the path is wrong: an address ends with /ws/v5"
    assert advice(lost) == "the path is wrong: an address ends with the exchange's own path"
