"""Canary keys through every way a signed connection can fail: nothing that is written holds them (P10, S1, S17)."""

from __future__ import annotations

import asyncio
import base64
import copy
import faulthandler
import gc
import io
import logging
import pickle
import subprocess
import sys
import tempfile
import time
import traceback
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, Self

import msgspec
import pytest
import rich.console
import rich.traceback

from tapewire import (
    Credentials,
    FeedError,
    FeedOptions,
    Secret,
    WebSocketClient,
    blocking,
    create_websocket_client,
    quick_ticker_subscription,
)
from tapewire.client.lines import real_ports
from tapewire.config import HiddenText, LineOptions
from tapewire.model.status import FeedEvent
from tapewire.testing.background import BackgroundSimulator
from tapewire.venues.exchange import SimKey

ACCESS, SECRET = "CanaryAccess0123456789abcdefghijklmnopqr", "CanarySecret9876543210zyxwvutsrqponmlkji"
FORBIDDEN = b'{"error":{"name":"jwt_verification","message":"no"}}'


class Exchange:
    """A raw TCP server: notes what came with each connection and answers as it was told."""

    def __init__(self, answer: bytes) -> None:
        self._answer = answer
        self.heads: list[bytes] = []
        self.came = asyncio.Event()

    async def __aenter__(self) -> Self:
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", 0)
        self.port = self._server.sockets[0].getsockname()[1]
        return self

    async def __aexit__(self, *_: object) -> None:
        self._server.close()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            head = await reader.readuntil(b"\r\n\r\n")
            self.heads.append(head)
            self.came.set()
            key = next(line for line in head.split(b"\r\n") if line.lower().startswith(b"sec-websocket-key"))
            accept = _accept(key.partition(b":")[2].strip())
            writer.write(self._answer.replace(b"ACCEPT", accept))
            await writer.drain()
        finally:
            writer.close()


def _accept(key: bytes) -> bytes:
    import hashlib  # noqa: PLC0415 - only this server needs it

    return base64.b64encode(hashlib.sha1(key + b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11").digest())  # noqa: S324


SWITCHED = (
    b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
    b"Sec-WebSocket-Accept: ACCEPT\r\n\r\n"
)
ANSWERS = {
    "401": b"HTTP/1.1 401 Unauthorized\r\nContent-Length: %d\r\n\r\n%s" % (len(FORBIDDEN), FORBIDDEN),
    "403": b"HTTP/1.1 403 Forbidden\r\nContent-Length: 5\r\n\r\nplain",
    "429": b"HTTP/1.1 429 Too Many Requests\r\nRetry-After: 1\r\nContent-Length: 0\r\n\r\n",
    "redirect": b"HTTP/1.1 302 Found\r\nLocation: ws://127.0.0.1:1/steal\r\nContent-Length: 0\r\n\r\n",
    "no HTTP": b"\x00\xff garbage \r\n\r\n",
    "cut": b"",
    "wrong accept": SWITCHED.replace(b"ACCEPT", b"bm8="),
    "error frame": SWITCHED + b"\x81\x29" + b'{"error":{"name":"INVALID_AUTH","me":""}}',
    "reserved bits": SWITCHED + b"\xf1\x02{}",
    "giant frame": SWITCHED + b"\x82\x7f\x00\x00\x00\xff\xff\xff\xff\xff",
    "close": SWITCHED + b"\x88\x02\x03\xe8",
}


class Records(logging.Handler):
    """Everything that any logger says, formatted with its traceback."""

    def __init__(self) -> None:
        super().__init__(1)
        self.lines: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        self.lines += [self.format(record), repr(record.__dict__)]


@pytest.fixture
def records() -> Iterator[Records]:
    """All loggers at the lowest level there is."""
    root, records = logging.getLogger(), Records()
    names = ("tapewire", "websockets", "picows", "aiohttp", "asyncio", "jwt", "concurrent")
    before = {name: logging.getLogger(name).level for name in names}
    level = root.level
    root.addHandler(records)
    root.setLevel(1)
    for name in names:
        logging.getLogger(name).setLevel(1)
    yield records
    root.removeHandler(records)
    root.setLevel(level)
    for name, old in before.items():
        logging.getLogger(name).setLevel(old)


def in_all_forms(error: BaseException) -> list[str]:
    """An error as a crash report would show it, with the locals of every frame."""
    console = rich.console.Console(file=io.StringIO(), width=400)
    console.print(rich.traceback.Traceback.from_exception(type(error), error, error.__traceback__, show_locals=True))
    shown = traceback.TracebackException.from_exception(error, capture_locals=True)
    assert isinstance(console.file, io.StringIO)
    return [repr(error), str(error), *shown.format(), console.file.getvalue(), repr(vars(error))]


def everything_of_ours() -> list[str]:
    """``repr`` of every living object of a class of tapewire, and of the dicts and tuples that hold a header."""
    ours = [one for one in gc.get_objects() if str(type(one).__module__).startswith("tapewire")]
    return [repr(one) for one in ours]


def stacks() -> str:
    """What faulthandler writes when a process dies."""
    with tempfile.TemporaryFile() as file:
        faulthandler.dump_traceback(file)
        file.seek(0)
        return file.read().decode()


def canaries(heads: list[bytes]) -> list[str]:
    """The key, its base64, and what the tokens that were really sent say and are signed with."""
    found = [ACCESS, SECRET]
    found += [base64.b64encode(key.encode()).decode().rstrip("=") for key in (ACCESS, SECRET)]
    for head in heads:
        for line in head.decode("latin-1").split("\r\n"):
            if line.lower().startswith("authorization:"):
                found += line.rpartition(" ")[2].split(".")[1:]
    return found


@pytest.mark.parametrize("transport", ["picows", "websockets"])
@pytest.mark.parametrize("way", ANSWERS)
async def test_no_secret_is_written_however_the_connection_fails(way: str, transport: Any, records: Records) -> None:
    told: list[FeedEvent] = []
    written: list[str] = []
    asyncio.get_running_loop().set_debug(True)
    async with Exchange(ANSWERS[way]) as exchange:
        client = WebSocketClient(
            "canary", url=f"ws://127.0.0.1:{exchange.port}/websocket/v1", transport=transport, validate=False,
            access_key=ACCESS, secret_key=SECRET, max_retries=1, backoff_base=0.01, jitter=False, close_timeout=0.2,
        )  # fmt: skip
        client.subscribe_feed(told.append)
        handle = await client.subscribe_my_order(lambda _event: None)
        written += everything_of_ours()
        try:
            await handle.live(timeout=20)
        except FeedError as error:
            written += in_all_forms(error)
        else:
            pytest.fail("the line was never good")
        written += [repr(client.statistics()), stacks(), *everything_of_ours()]
        await client.cleanup()
    tokens = [head for head in exchange.heads if b"authorization: bearer " in head.lower()]
    assert len(tokens) >= 2 - (way == "403")
    assert len(set(tokens)) == len(tokens)
    written += [repr(event) for event in told] + [msgspec.json.encode(event).decode() for event in told]
    assert records.lines
    assert told
    everything = "\n".join(written + records.lines)
    assert [canary for canary in canaries(tokens) if canary in everything] == []


@pytest.mark.parametrize("transport", ["picows", "websockets"])
async def test_a_lines_own_error_shows_no_header_even_with_the_locals_of_every_frame(transport: Any) -> None:
    make_line, http = real_ports(FeedOptions(transport=transport), time.time_ns)
    async with Exchange(ANSWERS["401"]) as exchange:
        line = make_line(LineOptions(connect_timeout=5.0), time.time_ns)
        headers = {"Authorization": HiddenText(f"Bearer {SECRET}")}
        with pytest.raises(FeedError) as failed:
            await line.open(f"ws://127.0.0.1:{exchange.port}/", headers, object())  # type: ignore[arg-type]
    await http.close()
    assert SECRET.encode() in exchange.heads[0]
    assert [form for form in in_all_forms(failed.value) if SECRET in form] == []


async def test_a_token_does_not_follow_a_redirect(records: Records) -> None:
    """S17: what another host is told to be the exchange never sees the key."""
    async with Exchange(b"") as thief:
        answer = b"HTTP/1.1 302 Found\r\nLocation: ws://127.0.0.1:%d/websocket/v1/private\r\n\r\n" % thief.port
        async with Exchange(answer) as exchange:
            client = WebSocketClient(
                "canary", url=f"ws://127.0.0.1:{exchange.port}/websocket/v1", validate=False,
                access_key=ACCESS, secret_key=SECRET, max_retries=0,
            )  # fmt: skip
            handle = await client.subscribe_my_asset(lambda _event: None)
            with pytest.raises(FeedError, match="redirects are not followed"):
                await handle.live(timeout=20)
            await client.cleanup()
        assert (len(exchange.heads), thief.heads) == (1, [])
    assert records.lines


def test_a_recorded_session_holds_no_key_in_any_byte(tmp_path: Path) -> None:
    """Files, table, figures and the engine's log of a program that records orders and balances."""
    keys, out = tmp_path / "keys.toml", tmp_path / "out"
    keys.write_text(f'access_key = "{ACCESS}"\nsecret_key = "{SECRET}"\n', "utf-8")
    keys.chmod(0o600)
    sim_key = SimKey(access_key=ACCESS, secret_key=Secret(SECRET))
    with BackgroundSimulator(markets=("KRW-BTC",), keys=(sim_key,), customer=0.2) as simulator:
        command = ["record", "KRW-BTC", "--types", "trade,myOrder,myAsset", "--out", str(out), "--seconds", "2", "-v"]
        ran = subprocess.run(
            [sys.executable, "-m", "tapewire", *command, "--url", simulator.url, "--keys", str(keys)],
            capture_output=True, timeout=50, check=True, cwd=tmp_path,
        )  # fmt: skip
    files = {path.name: path.read_bytes() for path in out.iterdir()}
    assert files["KRW-BTC_myOrder.jsonl"]
    assert len(ran.stderr) > 200
    everything = b"\n".join([ran.stdout, ran.stderr, *files.values()])
    assert [canary for canary in canaries([]) if canary.encode() in everything] == []
    assert b"Bearer" not in everything
    assert b"eyJ" not in everything, "the beginning of every token"


async def test_the_public_side_shows_no_key(records: Records) -> None:
    async with Exchange(ANSWERS["403"]) as exchange:
        client = WebSocketClient(
            "canary", url=f"ws://127.0.0.1:{exchange.port}/websocket/v1", validate=False,
            access_key=ACCESS, secret_key=SECRET,
        )  # fmt: skip
        handle = await client.subscribe_ticker("KRW-BTC", lambda _event: None)
        with pytest.raises(FeedError, match="403"):
            await handle.live(timeout=20)
        await client.cleanup()
    assert len(exchange.heads) == 1
    assert b"authorization" not in exchange.heads[0].lower()
    assert records.lines


WRONG: dict[str, dict[str, Any]] = {
    "no secret": {"access_key": ACCESS},
    "no access key": {"secret_key": SECRET},
    "no text": {"access_key": ACCESS, "secret_key": SECRET.encode()},
    "twice": {"access_key": ACCESS, "secret_key": SECRET, "credentials": Credentials(Secret(ACCESS), Secret(SECRET))},
    "an option": {"access_key": ACCESS, "secret_key": SECRET, "max_retries": -1},
    "no option": {"access_key": ACCESS, "secret_key": SECRET, "max_retry": 1},
    "a venue": {"access_key": ACCESS, "secret_key": SECRET, "venue": "upbot"},
}
MAKERS: dict[str, Callable[..., Any]] = {
    "asyncio": WebSocketClient,
    "blocking": blocking.WebSocketClient,
    "create": create_websocket_client,
    "quick": lambda **keys: asyncio.run(quick_ticker_subscription("KRW-BTC", lambda _event: None, **keys)),
}


@pytest.mark.parametrize("maker", MAKERS)
@pytest.mark.parametrize("wrong", WRONG)
def test_a_client_that_cannot_be_made_shows_no_key_even_with_the_locals_of_every_frame(maker: str, wrong: str) -> None:
    with pytest.raises(FeedError) as failed:
        MAKERS[maker](**WRONG[wrong])
    error, frames = failed.value, failed.value.__traceback__
    while frames is not None and not frames.tb_frame.f_globals["__name__"].startswith("tapewire"):
        frames = frames.tb_next  # the caller's own variables are not ours
    assert frames is not None
    forms = in_all_forms(error.with_traceback(frames))
    assert [form for form in forms if SECRET in form or ACCESS in form] == []


SHOWN = [Secret(SECRET), Credentials(Secret(ACCESS), Secret(SECRET), Secret(SECRET)), HiddenText(f"Bearer {SECRET}")]


@pytest.mark.parametrize("held", SHOWN, ids=["Secret", "Credentials", "HiddenText"])
def test_what_holds_a_secret_shows_it_in_no_form(held: object) -> None:
    forms = [repr(held), repr([held]), repr({"key": held}), f"{held!r}", f"{[held]}"]
    if not isinstance(held, HiddenText):
        forms += [str(held), f"{held}", f"{held:>20}" if isinstance(held, Secret) else "", "%s" % (held,)]  # noqa: UP031
    assert [form for form in forms if SECRET in form or ACCESS in form] == []


@pytest.mark.parametrize("held", SHOWN[:2], ids=["Secret", "Credentials"])
def test_a_secret_does_not_leave_by_pickle_or_json(held: object) -> None:
    for leave in (pickle.dumps, copy.deepcopy, msgspec.json.encode, msgspec.msgpack.encode):
        with pytest.raises(TypeError) as refused:
            leave(held)
        assert SECRET not in str(refused.value)


def test_a_cut_out_of_a_hidden_text_shows_nothing() -> None:
    """rich cuts long texts before it shows them."""
    hidden = HiddenText(f"Bearer {SECRET}")
    assert (hidden[:80], hidden[3], str(hidden)) == ("***", "***", f"Bearer {SECRET}")


def test_headers_and_proxy_passwords_are_secrets_too() -> None:
    options = LineOptions(headers=(("X-Key", SECRET),), proxy=f"http://user:{SECRET}@127.0.0.1:1")
    assert SECRET not in repr(options)


def test_no_public_switch_turns_certificates_off() -> None:
    """S2: a certificate that cannot be verified is refused, always."""
    sources = list((Path(__file__).parents[1] / "src").rglob("*.py"))
    assert len(sources) > 100
    banned = ("CERT_NONE", "check_hostname = False", "verify=False", "ssl=False")
    assert [(path.name, word) for path in sources for word in banned if word in path.read_text("utf-8")] == []
