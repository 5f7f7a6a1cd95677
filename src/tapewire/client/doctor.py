"""Every step towards a venue tried in turn, each told with what was found and what to do."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncGenerator, Awaitable, Callable
from pathlib import Path
from typing import Any, Literal
from urllib.parse import urlsplit

from msgspec import Struct

from tapewire.client import local
from tapewire.client.advice import advice
from tapewire.client.front import WebSocketClient
from tapewire.client.probe import probe
from tapewire.client.reach import Answer, Reach, place_of
from tapewire.client.snapshots import check_timeout
from tapewire.config import Credentials, FeedOptions
from tapewire.errors import FeedError
from tapewire.model.subscription import Subscription
from tapewire.runtime.clock import LoopClock
from tapewire.venues.registry import get_venue

State = Literal["ok", "warning", "failed", "skipped"]

#: Days that a certificate should be good still; seconds that two clocks may differ; bytes that should be free;
#: files that a program with some connections and a recording wants to open.
CERTIFICATE_DAYS, CLOCK_SECONDS, FREE_BYTES, OPEN_FILES = 14.0, 2.0, 1_000_000_000, 256
#: Seconds for one step at most, within the time of the whole run.
_STEP = 10.0
#: Streams that show a permission of the key, and its name (spec/upbit.md section 2).
_PERMISSIONS = {"myAsset": "view accounts", "myOrder": "view orders"}


class Finding(Struct, frozen=True, kw_only=True):
    """What one step found.

    Attributes:
        step: its short name: ``name``, ``tcp``, ``tls`` …
        state: ``ok``, ``warning`` (works, but look at it), ``failed``, or ``skipped`` (could not be tried).
        found: what was found, for people; no secret is in it.
        advice: what to do, ``""`` when nothing is.
        facts: the same as figures, for programs.
    """

    step: str
    state: State
    found: str
    advice: str = ""
    facts: dict[str, Any] = {}


Step = Callable[[], Awaitable[Finding]]


async def examine(
    venue: str = "upbit",
    *,
    options: FeedOptions | None = None,
    credentials: Credentials | None = None,
    folder: Path | None = None,
    timeout: float = 30.0,  # noqa: ASYNC109 - the user's limit
) -> AsyncGenerator[Finding, None]:
    """Try every step from this machine to the venue and yield what each found. Never longer than ``timeout``.

    Costs the exchange three connections, one REST call, one subscription of one market, and with a key those of its
    own streams, one after the other.

    Args:
        venue: whose.
        options: address, proxy, TLS and the rest, as the feed will have them.
        credentials: a key to try, if there is one.
        folder: where a recording would go; None: the working directory.
        timeout: seconds for all steps together.

    Raises:
        ConfigError, UnknownName: a wrong option or venue. Whatever else fails is a finding.
    """
    check_timeout(timeout)
    doctor = _Doctor(venue, options or FeedOptions(), credentials, folder or Path())
    now = asyncio.get_running_loop().time
    ends = now() + timeout
    failed: dict[str, str] = {}
    try:
        for name, needs, step in doctor.steps():
            broken = next((need for need in needs if need in failed), None)
            left = ends - now()
            if broken is not None:
                finding = Finding(step=name, state="skipped", found=f"not tried: it needs {failed[broken]}")
            elif left <= 0:
                finding = Finding(step=name, state="skipped", found=f"not tried: {timeout:g} s were over")
            else:
                finding = await _tried(name, step, min(left, _STEP), doctor.path)
            if finding.state in ("failed", "skipped"):
                failed[name] = failed.get(broken or "", name)
            yield finding
    finally:
        await doctor.close()


async def _tried(name: str, step: Step, seconds: float, path: str) -> Finding:
    """The step's finding, or what it raised as one; ``path``: of the exchange's address."""
    try:
        async with asyncio.timeout(seconds):
            return await step()
    except (FeedError, OSError, ValueError) as error:  # ValueError: a host name that can be none
        text = str(error) or f"no answer within {seconds:.1f} s"
        return Finding(step=name, state="failed", found=text, advice=advice(error, path) or advice(OSError(text)))


class _Doctor:
    """The steps and what they share."""

    def __init__(self, venue: str, options: FeedOptions, credentials: Credentials | None, folder: Path) -> None:
        self._venue, self._options, self._credentials = get_venue(venue), options, credentials
        self._folder = folder
        self._venue.permit(options)
        self._url = self._venue.address(options.url)
        #: Of the exchange's own address.
        self.path = urlsplit(self._venue.facts.url).path
        self._wall_ns = LoopClock().wall_ns  # a loop's own clock may count in whole milliseconds (uvloop's does)
        self._reach = Reach(place_of(self._url, options), options, self._wall_ns)
        self._client: WebSocketClient | None = None
        self._symbol = ""
        self._answer: Answer | None = None
        self._stack = contextlib.AsyncExitStack()

    def steps(self) -> list[tuple[str, tuple[str, ...], Step]]:
        """Name, what must have gone well before, and the step, in order."""
        keys = [
            (f"key {kind}", ("upgrade",), self._own_stream(kind))
            for kind in _PERMISSIONS
            if kind in self._venue.facts.kinds
        ]
        way = ("tcp",) if self._reach.place.hidden else ("tls",)
        return [
            ("proxy", (), self._proxy),
            ("folder", (), self._write),
            ("disk", (), self._disk),
            ("files", (), self._files),
            ("name", (), self._name),
            ("tcp", ("name",), self._tcp),
            ("tls", ("tcp",), self._certificate),
            ("http", ("tls",), self._http),
            ("clock", ("http",), self._clock),
            ("limits", ("http",), self._limits),
            ("upgrade", way, self._upgrade),
            ("ping", ("upgrade",), self._ping),
            ("markets", way, self._markets),
            ("snapshot", ("upgrade", "markets"), self._snapshot),
            *(keys if self._credentials is not None else [("key", (), self._no_key)]),
        ]

    async def close(self) -> None:
        """End every connection."""
        await self._reach.close()
        await self._stack.aclose()

    # This machine.

    async def _proxy(self) -> Finding:
        through = self._reach.place.through
        return _ok("proxy", f"through {through}" if through else "none: straight to the exchange", proxy=through)

    async def _write(self) -> Finding:
        try:
            place = local.writable(self._folder)
        except OSError as error:
            reason = (error.strerror or str(error)).lower()
            words = f"{self._folder.absolute()}: {reason}"
            return Finding(step="folder", state="failed", found=words, advice="choose another folder with --out")
        there = place == self._folder.absolute()
        found = f"{place} can be written" if there else f"{self._folder} can be made in {place}"
        return _ok("folder", found, folder=str(self._folder.absolute()))

    async def _disk(self) -> Finding:
        free = local.free_bytes(self._folder)
        found = f"{free / 1e9:,.1f} GB free"
        if free >= FREE_BYTES:
            return _ok("disk", found, free_bytes=free)
        todo = "make room: a recording of every market takes some GB a day"
        return Finding(step="disk", state="warning", found=found, advice=todo, facts={"free_bytes": free})

    async def _files(self) -> Finding:
        limit = local.file_limit()
        if limit.allowed is None:
            return _ok("files", "no limit of open files", limit=None)
        found = f"{limit.allowed:,} files and sockets may be open, {limit.used} are"
        if limit.allowed - limit.used >= OPEN_FILES:
            return _ok("files", found, limit=limit.allowed, used=limit.used)
        facts = {"limit": limit.allowed, "used": limit.used}
        return Finding(step="files", state="warning", found=found, advice="raise it: ulimit -n 4096", facts=facts)

    # The way there.

    async def _name(self) -> Finding:
        host, _ = self._reach.place.next_hop
        began = self._wall_ns()
        addresses = await self._reach.resolve()
        ms = self._ms(began)
        more = f" and {len(addresses) - 2} more" if len(addresses) > 2 else ""
        whose = f"{host} (the proxy)" if self._reach.place.proxy else host
        return _ok("name", f"{whose} is {', '.join(addresses[:2])}{more}, in {ms:g} ms", addresses=addresses, ms=ms)

    async def _tcp(self) -> Finding:
        began = self._wall_ns()
        address = await self._reach.connect()
        ms, place = self._ms(began), self._reach.place
        if place.hidden:
            return _ok("tcp", f"connected to the proxy {place.through} in {ms:g} ms", address=address, ms=ms)
        way = f" through {place.through}" if place.proxy else ""
        return _ok("tcp", f"connected to {place.host}:{place.port}{way} in {ms:g} ms", address=address, ms=ms)

    async def _certificate(self) -> Finding:
        if self._reach.place.hidden:
            words = "lies inside the proxy's own TLS; it is verified at the upgrade"
            return Finding(step="tls", state="skipped", found=words)
        certificate = await self._reach.encrypt()
        if certificate is None:
            return _ok("tls", "none: the address is ws://, nothing is encrypted", days_left=None)
        days = int(certificate.days_left)
        found = f"{certificate.protocol}, certificate for {certificate.subject}, {days} days left"
        facts = {"protocol": certificate.protocol, "subject": certificate.subject, "days_left": days}
        if certificate.days_left >= CERTIFICATE_DAYS:
            return Finding(step="tls", state="ok", found=found, facts=facts)
        return Finding(step="tls", state="warning", found=found, advice="the far end must renew it soon", facts=facts)

    async def _http(self) -> Finding:
        self._answer = answer = await self._reach.ask(self._venue.markets_request)
        return _ok("http", f"answers a plain request with HTTP {answer.status}", status=answer.status)

    async def _clock(self) -> Finding:
        answer = self._answer
        if answer is None or answer.offset is None:
            return Finding(step="clock", state="skipped", found="the far end tells no time")
        found = f"{abs(answer.offset):.1f} s {'behind' if answer.offset > 0 else 'ahead of'} the exchange's"
        facts = {"offset_seconds": round(answer.offset, 3), "error_seconds": round(answer.error, 3)}
        if abs(answer.offset) <= answer.error:
            found = "equal to the exchange's, as far as whole seconds tell"
        if abs(answer.offset) <= max(CLOCK_SECONDS, answer.error):
            return Finding(step="clock", state="ok", found=found, facts=facts)
        todo = "set this machine's clock (NTP): latencies and times of receipt are wrong by as much"
        return Finding(step="clock", state="warning", found=found, advice=todo, facts=facts)

    async def _limits(self) -> Finding:
        facts = self._venue.facts
        kept = [
            f"{what} {' and '.join(f'{w.count} in {w.seconds:g} s' for w in windows)}"
            for what, windows in (("dials", facts.connects), ("messages", facts.messages), ("REST", facts.rest_calls))
            if windows
        ]
        told = self._answer.remaining if self._answer else ""
        left = f"; the exchange says: {told}" if told else ""
        return _ok("limits", f"kept by us: {', '.join(kept)}{left}", remaining=told)

    # The exchange.

    async def _upgrade(self) -> Finding:
        self._signs = probe(self._venue.name, options=self._options, timeout=_STEP)
        self._stack.push_async_callback(self._signs.aclose)
        sign = await anext(self._signs)
        return _ok(
            "upgrade", f"WebSocket open in {_shown(sign.seconds)}", ms=round(sign.seconds * 1000, 1), url=sign.url
        )

    async def _ping(self) -> Finding:
        sign = await anext(self._signs)
        return _ok("ping", f"answered in {_shown(sign.seconds)}", ms=round(sign.seconds * 1000, 1))

    async def _markets(self) -> Finding:
        listed = await self._opened().markets()
        self._symbol = listed[0].symbol if listed else ""
        if not listed:
            return Finding(step="markets", state="failed", found="an empty list", advice="look at --rest-url")
        return _ok("markets", f"{len(listed):,} markets by REST", markets=len(listed))

    async def _snapshot(self) -> Finding:
        began = self._wall_ns()
        [ticker] = await self._opened().ticker_snapshot(self._symbol, timeout=_STEP)
        ms = self._ms(began)
        price = "without a price" if ticker.trade_price is None else f"at {ticker.trade_price:,.10g}"
        return _ok("snapshot", f"{ticker.symbol} {price}, in {ms:g} ms", symbol=ticker.symbol, ms=ms)

    def _own_stream(self, kind: str) -> Step:
        async def subscribe() -> Finding:
            handle = await self._opened().subscribe([Subscription(kind, "")], lambda _event: None)
            try:
                await handle.live(_STEP)
            finally:
                await handle.unsubscribe()
            return _ok(f"key {kind}", f"taken: the key has the permission {_PERMISSIONS[kind]}", permission=True)

        return subscribe

    async def _no_key(self) -> Finding:
        return Finding(step="key", state="skipped", found="none was given; public streams need none")

    def _ms(self, began: int) -> float:
        """Milliseconds since then; the wall clock may have been set back in between."""
        return round(max(0, self._wall_ns() - began) / 1e6, 1)

    def _opened(self) -> WebSocketClient:
        if self._client is None:
            client = WebSocketClient(
                "doctor", self._venue.name, options=self._options, credentials=self._credentials, max_retries=0
            )
            self._stack.push_async_callback(client.cleanup)
            self._client = client
        return self._client


def _ok(step: str, found: str, **facts: Any) -> Finding:
    return Finding(step=step, state="ok", found=found, facts=facts)


def _shown(seconds: float) -> str:
    return f"{seconds * 1000:.1f} ms" if seconds < 1 else f"{seconds:.1f} s"
