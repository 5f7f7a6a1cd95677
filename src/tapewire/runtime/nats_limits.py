"""The exchange's limits in NATS: the grants of each gate are one value of a bucket, swapped by its revision."""

from __future__ import annotations

import asyncio
import os
import threading
import weakref
from collections.abc import Callable, Coroutine, Sequence
from contextlib import suppress
from datetime import datetime
from importlib.util import find_spec
from math import inf
from typing import TYPE_CHECKING, Any, TypeVar

import msgspec
from msgspec import Struct

from tapewire.errors import ConfigError
from tapewire.runtime.server_limits import ANSWER_WITHIN, KEPT, Gone, Link, mark_of, server_gates
from tapewire.session.gate import LONGEST_WAIT
from tapewire.session.limits import MakeGate, is_of_account
from tapewire.sinks.brokers.address import Address, without_options
from tapewire.sinks.brokers.link import Away, NotLetIn
from tapewire.sinks.brokers.nats_line import SCHEMES, connect, hang_up, words_of
from tapewire.sinks.brokers.subjects import token

if TYPE_CHECKING:
    from nats.aio.client import Client

_BUCKET = "tapewire_limits"
_STREAM, _KEYS = f"KV_{_BUCKET}", f"$KV.{_BUCKET}."
#: Seconds after which NATS forgets a state: it was needed no more long before.
_TTL = 2 * LONGEST_WAIT + KEPT
#: Seconds that the first line may take, and each question while it is opened; seconds to end it.
_OPEN_WITHIN, _MAKE_WITHIN, _END_WITHIN = 2.0, 2.0, 3.0
#: Seconds between two looks at the server's clock, and by how much it may be slewed meanwhile (500 ppm).
_CLOCK_EVERY, _SLEW = 10.0, 0.005
#: What JetStream says of a subject without a message, of a revision that is another by now.
_NO_MESSAGE, _OTHER_REVISION = 10037, 10071
_REVISION = "Nats-Expected-Last-Subject-Sequence"

Answer = TypeVar("Answer")


class _Found(Struct):
    """A message of the bucket's stream."""

    seq: int
    time: datetime
    data: bytes = b""


class _Error(Struct):
    err_code: int = 0
    description: str = ""


class _Told(Struct):
    """An answer of JetStream."""

    message: _Found | None = None
    error: _Error | None = None
    seq: int = 0


_decode = msgspec.json.Decoder(_Told).decode


class _Line:
    """The line to NATS, and its clock; all but ``run`` and ``end`` live in the event loop of ``run``'s thread."""

    def __init__(self, address: Address, trust: dict[str, str], replicas: int, wait: float) -> None:
        self._address, self._trust, self._replicas, self._wait = address, trust, replicas, wait
        self._client: Client | None = None
        self._lost: asyncio.Future[str]
        self._opening: asyncio.Task[Client] | None = None
        self._offset, self._seen_at = 0.0, float("-inf")
        self._name = os.urandom(8).hex()
        self.spread = 0.0
        self.ready = threading.Event()

    def run(self) -> None:
        with asyncio.Runner(loop_factory=asyncio.SelectorEventLoop) as runner:  # its time is exact, uvloop's is not
            self.loop = runner.get_loop()
            runner.run(self._live())

    def end(self, thread: threading.Thread) -> None:
        """Hang up, and wait for it; from ``thread`` itself nothing is waited for."""
        with suppress(RuntimeError):  # the loop is closed already
            self.loop.call_soon_threadsafe(self._ended.set)
        if thread is not threading.current_thread():
            thread.join(_END_WITHIN)

    async def read(self, subject: str) -> tuple[bytes, int, float]:
        """A value, its revision (0: there is none) and the server's time."""
        client = await self.opened()
        if self.loop.time() - self._seen_at > _CLOCK_EVERY:
            await self._look_at_clock(client)
        told = await self._asked(client, f"$JS.API.STREAM.MSG.GET.{_STREAM}", _question(last_by_subj=subject))
        now = self.loop.time() + self._offset
        if told.error is not None and told.error.err_code == _NO_MESSAGE:
            return b"", 0, now
        found = _good(told).message
        return (b"", 0, now) if found is None else (found.data, found.seq, now)

    async def swap(self, subject: str, value: bytes, revision: int) -> bool:
        """Put a value in the place of the one of this revision; False: it has another by now."""
        told = await self._asked(await self.opened(), subject, value, {_REVISION: str(revision)})
        if told.error is not None and told.error.err_code == _OTHER_REVISION:
            return False
        _good(told)
        return True

    async def opened(self) -> Client:
        """The line, opened anew if it was lost; who gives up waiting leaves that to be waited for by the next."""
        if self._client is None or not self._client.is_connected:
            if self._opening is None or self._opening.done():
                self._opening = asyncio.create_task(self._open(), name="opening the line of the limits")
                self._opening.add_done_callback(_heard)
            return await asyncio.shield(self._opening)
        return self._client

    async def _live(self) -> None:
        self._ended = asyncio.Event()
        self.ready.set()
        await self._ended.wait()
        if self._opening is not None:
            self._opening.cancel()
            await asyncio.wait([self._opening])
        if self._client is not None:
            await hang_up(self._client)

    async def _open(self) -> Client:
        if self._client is not None:
            await hang_up(self._client)
        self._seen_at = float("-inf")
        self._lost = self.loop.create_future()
        self._client = client = await connect(
            self._address, self._lost, credentials=self._trust.get("credentials"), ca=self._trust.get("ca")
        )  # fmt: skip
        try:
            await self._make(client)
        except BaseException:
            self._client = None
            await hang_up(client)
            raise
        return client

    async def _make(self, client: Client) -> None:
        """The bucket, if it is absent."""
        from nats.js import errors  # noqa: PLC0415 - an optional extra

        js = client.jetstream(timeout=_MAKE_WITHIN)
        try:
            await js.stream_info(_STREAM)
        except errors.NotFoundError:
            await js.create_key_value(
                bucket=_BUCKET, ttl=_TTL, history=1, replicas=self._replicas, description="limits of exchanges: grants"
            )

    async def _look_at_clock(self, client: Client) -> None:
        """A message that is stored between two looks at our clock tells the server's.

        What is said of it is never ahead, and behind by ``spread`` at most: the way there and back, and what it may be
        slewed until the next look.
        """
        subject, before = f"{_KEYS}clock.{self._name}", self.loop.time()
        written = _good(await self._asked(client, subject, b""))
        after = self.loop.time()
        question = _question(seq=written.seq)
        found = _good(await self._asked(client, f"$JS.API.STREAM.MSG.GET.{_STREAM}", question)).message
        if found is None:
            raise Gone("it does not tell the time")
        self._offset = found.time.timestamp() - after - _SLEW
        self.spread = after - before + 2 * _SLEW
        self._seen_at = after

    async def _asked(
        self, client: Client, subject: str, payload: bytes, headers: dict[str, str] | None = None
    ) -> _Told:
        """What it answers; a line that is lost answers nothing any more, and nats-py would wait all the same."""
        request = client.request(subject, payload, timeout=self._wait, headers=headers)
        asked = asyncio.create_task(request, name=f"asking NATS {subject}")
        try:
            await asyncio.wait((asked, self._lost), return_when=asyncio.FIRST_COMPLETED)
            if not asked.done():
                raise Away(self._lost.result())
            return _decode(asked.result().data)
        finally:
            asked.cancel()


class Desk:
    """Where blocking callers ask NATS: a line on a thread of its own, which ends with the last that holds the desk.

    Args:
        address: of NATS. trust: ``ca`` and ``credentials``, files, if any.
        replicas: servers that keep the bucket, if it has to be made.
        wait: seconds that an answer may take.
    """

    def __init__(self, address: Address, trust: dict[str, str], replicas: int = 1, wait: float = ANSWER_WITHIN) -> None:
        self.where, self._wait = f"NATS at {address.shown}", wait
        self._line = line = _Line(address, trust, replicas, wait)
        thread = threading.Thread(target=line.run, name=f"tapewire limits {address.shown}", daemon=True)
        thread.start()
        line.ready.wait()
        self.close = weakref.finalize(self, line.end, thread)

    @property
    def spread(self) -> float:
        return self._line.spread

    def open(self) -> None:
        """Connect. Raises NotLetIn, Gone."""
        self._ask(lambda: self._line.opened(), max(_OPEN_WITHIN, self._wait))  # noqa: PLW0108 - a coroutine is made when it is needed

    def read(self, subject: str) -> tuple[bytes, int, float]:
        """A value, its revision and the server's time (s). Raises Gone."""
        return self._ask(lambda: self._line.read(subject), self._wait)

    def swap(self, subject: str, value: bytes, revision: int) -> bool:
        """Put a value in the place of that of a revision; False: it has another by now. Raises Gone."""
        return self._ask(lambda: self._line.swap(subject, value, revision), self._wait)

    def _ask(self, work: Callable[[], Coroutine[Any, Any, Answer]], within: float) -> Answer:
        from nats import errors  # noqa: PLC0415 - an optional extra
        from nats.js import errors as js_errors  # noqa: PLC0415

        asked = asyncio.run_coroutine_threadsafe(work(), self._line.loop)
        try:
            return asked.result(within)
        except NotLetIn as error:
            raise _NotLetIn(f"{self.where}: {error}") from None
        except (Gone, Away, errors.Error, js_errors.Error, OSError, TimeoutError, msgspec.MsgspecError) as error:
            asked.cancel()
            raise Gone(f"{self.where} does not answer: {words_of(error)}") from None


class _NotLetIn(Gone):
    """No trying again mends it, when it is said at once; later it is as if nobody was there."""


class NatsStore:
    """One key of the bucket."""

    def __init__(self, desk: Desk, key: str) -> None:
        self._desk, self._subject = desk, _KEYS + key
        self._revision = 0

    @property
    def spread(self) -> float:
        return self._desk.spread

    def read(self) -> tuple[bytes, float]:
        value, self._revision, now = self._desk.read(self._subject)
        return value, now

    def swap(self, before: bytes, after: bytes, keep: float) -> bool:  # noqa: ARG002 - the revision, the bucket's age
        return self._desk.swap(self._subject, after, self._revision)


def nats_gates(url: str, place: Sequence[str], own: MakeGate) -> MakeGate:
    """Makes the gates of one address for all programs that name this NATS.

    Args:
        url: ``nats://``, ``tls://``, with user and password if it needs any; servers joined by commas;
            ``?ca=FILE&credentials=FILE&replicas=3&wait=0.25``; ``scope=accounts``: it keeps what the exchange counts by
            account, and ``own`` the rest. Never shown.
        place: what the limits belong to; states of another place have other keys.
        own: makes the gates of this host.

    Raises:
        ConfigError: the ``nats`` package is not there, the address is none, or NATS does not let us in.
    """
    bare, options = without_options(url, ("ca", "credentials", "replicas", "wait", "scope"))
    address = Address(bare, SCHEMES)
    replicas = _number(address, "replicas", options.pop("replicas", "1"), 1, 5)
    wait = _number(address, "wait", options.pop("wait", str(ANSWER_WITHIN)), 0.01, 60)
    scope = options.pop("scope", "all")
    if scope not in ("all", "accounts"):
        raise ConfigError("limits", f"{address.shown}?scope={scope}", "an address with scope=all or scope=accounts")
    if find_spec("nats") is None:
        raise ConfigError("limits", address.shown, "used with the extra nats: pip install tapewire[nats]")
    desk = Desk(address, options, int(replicas), wait)
    try:
        desk.open()
    except _NotLetIn as error:
        desk.close()
        raise ConfigError("limits", address.shown, f"an address that lets us in ({error})") from None
    except Gone:  # told when it is needed
        pass
    start = f"{'.'.join(token(one) for one in place)}.{mark_of(place)}"
    made = server_gates(lambda name: NatsStore(desk, f"{start}.{token(name)}"), own, Link("NATS"))
    if scope == "all":
        return made
    return lambda name, windows, leeway: (made if is_of_account(name) else own)(name, windows, leeway)


def _number(address: Address, option: str, given: str, least: float, most: float) -> float:
    try:
        number = float(given)
    except ValueError:
        number = inf
    if not least <= number <= most:
        words = f"an address with {option} of {least:g} to {most:g}"
        raise ConfigError("limits", f"{address.shown}?{option}={given}", words)
    return number


def _question(**words: str | int) -> bytes:
    return msgspec.json.encode(words)


def _good(told: _Told) -> _Told:
    if told.error is not None:
        raise Gone(told.error.description)
    return told


def _heard(opening: asyncio.Task[Client]) -> None:
    """Nobody may be left who waits for it: what went wrong is asked again."""
    if not opening.cancelled():
        opening.exception()
