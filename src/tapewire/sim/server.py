"""The simulated exchange with a clock: over real sockets, over memory lines, and by hand."""

from __future__ import annotations

import asyncio
import ssl
import time
from collections.abc import Callable, Iterable, Mapping
from types import TracebackType
from typing import Any, Self, TypeVar
from urllib.parse import urlsplit

import msgspec

from tapewire.config import LineOptions
from tapewire.errors import ConfigError, HttpFailed, UsageError
from tapewire.model.events import TradeEvent
from tapewire.model.line import Loss
from tapewire.sim.link import Pinged, Sent, Unreachable, Violation
from tapewire.sim.peer import Exchange, Peer
from tapewire.sim.scenario import Scenario, build, keys_of
from tapewire.sim.taped import TapedMarket
from tapewire.transport.contract import Answered, Http, Line, LineFactory
from tapewire.transport.memory import FarEnd, MemoryLine
from tapewire.venues.exchange import HttpAnswer, HttpCall, SimKey
from tapewire.venues.trading import NewOrder, Order, Side

_Result = TypeVar("_Result")

_BREATH = 0.0005  # seconds between two looks at a market of many thousand messages a second
_HERE = "127.0.0.1"  # where a client in the same process comes from
_SLICE = 0.01  # seconds of the exchange in one turn of the loop


class Simulator:
    """One simulated exchange: ``await start()`` for sockets, ``lines()`` and ``http()`` without.

    Its time is the running loop's (so a virtual loop works) times ``scenario.speed``; it begins at the first use.

    Args:
        scenario: what is played; taped: a tape's market in place of its own.
        wall_ns: wall clock of the beginning, ns UTC; None: the loop's own ``wall_ns`` if it has one, else the system's.
    """

    def __init__(
        self,
        scenario: Scenario | None = None,
        wall_ns: Callable[[], int] | None = None,
        taped: TapedMarket | None = None,
    ) -> None:
        self.scenario, self._taped = scenario or Scenario(), taped
        self._wall_ns = wall_ns
        self._exchange: Exchange | None = None
        self._loop: asyncio.AbstractEventLoop
        self._began = self._next = 0.0
        self._timer: asyncio.TimerHandle | None = None
        self._sockets: Any = None
        self.url = self.rest_url = ""

    async def __aenter__(self) -> Self:
        await self.start()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.stop()

    async def start(self, host: str = "127.0.0.1", port: int = 0, *, ssl_context: ssl.SSLContext | None = None) -> None:
        """Listen; then ``url`` and ``rest_url`` say where.

        Args:
            host: an address of this machine.
            port: 0 takes a free one.
            ssl_context: speak TLS with its certificate; some clients know no other way.

        Raises:
            OSError: the port is taken or the host is not ours.
        """
        from tapewire.sim.sockets import Sockets  # noqa: PLC0415 - aiohttp costs 300 ms

        if self._sockets is not None:
            raise UsageError("this simulator listens already")
        exchange = self.exchange
        sockets = Sockets(self, compression=self.scenario.compression, ssl_context=ssl_context)
        port = await sockets.listen(host, port)
        self._sockets = sockets
        shown = f"[{host}]" if ":" in host else host
        s = "s" if ssl_context else ""
        self.url, self.rest_url = f"ws{s}://{shown}:{port}{exchange.venue.ws_path}", f"http{s}://{shown}:{port}"

    async def stop(self) -> None:
        """Stop listening, break what is open, stop the clock. A second call does nothing."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        if self._exchange is not None:
            for peer in self._exchange.everyone():
                peer.abort()
        sockets, self._sockets = self._sockets, None
        if sockets is not None:
            await sockets.stop()

    @property
    def exchange(self) -> Exchange:
        """The exchange itself, begun if it was not. Raises RuntimeError: no loop is running."""
        if self._exchange is None:
            self._loop = asyncio.get_running_loop()
            loops_own: Callable[[], int] = getattr(self._loop, "wall_ns", time.time_ns)
            wall_ns = self._wall_ns or loops_own
            start_ms = self.scenario.start_ms
            # building takes a while: both clocks are read at the same moment, or the exchange's would run late
            self._began, began_ms = self._loop.time(), wall_ns() // 1_000_000
            self._exchange = build(self.scenario, began_ms if start_ms is None else start_ms, self._taped)
            self.wake()
        return self._exchange

    @property
    def now(self) -> float:
        """Seconds of the exchange since its beginning."""
        return (self._loop.time() - self._began) * self.scenario.speed if self._exchange is not None else 0.0

    async def reached(self, moment: float) -> None:
        """Wait until the exchange's clock says ``moment``."""
        await asyncio.sleep(max(0.0, (moment - self.now) / self.scenario.speed))

    # -- what it saw --------------------------------------------------------------------------------------------

    @property
    def connects(self) -> list[float]:
        """When each handshake came, seconds since the beginning (the last 100,000, as all these lists)."""
        return list(self.exchange.connects)

    @property
    def requests(self) -> list[Sent]:
        """Every message of every client: (at, connection, payload)."""
        return list(self.exchange.requests)

    @property
    def violations(self) -> list[Violation]:
        """Every limit broken by a client."""
        return list(self.exchange.violations)

    @property
    def pings(self) -> list[Pinged]:
        """Every PING frame that was sent to a client, and when its pong came."""
        return list(self.exchange.pings)

    @property
    def trades(self) -> list[TradeEvent]:
        """Every trade the market published, in order (the last 200,000)."""
        return list(self.exchange.market.trades_made)

    @property
    def urls(self) -> dict[str, str]:
        """Side → address, once it listens: ``public`` (``url``), ``private``, ``info``."""
        paths = self.exchange.venue.paths.items()
        return {side: self.url.removesuffix(self.exchange.venue.ws_path) + path for path, side in paths}

    @property
    def keys(self) -> tuple[SimKey, ...]:
        """The API keys that its private and info sides accept."""
        return keys_of(self.scenario)

    def orders(self, account: str | None = None) -> list[Order]:
        """All orders of an account (None: the first key's), oldest first, as they stand."""
        return self.exchange.desk.orders(self._account(account))

    @property
    def connected(self) -> int:
        """Open connections."""
        return len(self.exchange.peers)

    # -- by hand ------------------------------------------------------------------------------------------------

    def drop(self, code: int = 1000, reason: str = "", *, side: str | None = None) -> None:
        """Close every connection (``side``: of that side only) with a close frame."""
        self._each(lambda peer: peer.close(code, reason), side)

    def abort(self, *, side: str | None = None) -> None:
        """Break every connection without a close frame."""
        self._each(lambda peer: peer.abort(), side)

    def freeze(self, *, side: str | None = None) -> None:
        """Half-open: everything vanishes both ways on the open connections, and nothing is closed."""
        self._each(lambda peer: peer.freeze(), side)

    def cut(self) -> None:
        """Send half a frame on every connection, then break it."""
        self._each(lambda peer: peer.cut(b'{"type":"trade","code":"KRW-BTC"}'))

    def silence(self, seconds: float | None = None) -> None:
        """Stop the data of the open connections, for good or for some seconds; pings are answered."""
        until = float("inf") if seconds is None else self.now + seconds
        self._each(lambda peer: peer.silence(until))

    def ping(self, within: float = 10.0) -> None:
        """Send a PING frame on every connection; one whose pong has not come ``within`` so many seconds is cut."""
        self._each(lambda peer: peer.ping(self.now, within))

    def inject(self, payload: bytes, *, is_text: bool = False) -> None:
        """Send one frame of your own on every connection."""
        self._each(lambda peer: peer.link.send(payload, is_text=is_text))

    def refuse(self, status: int, headers: Iterable[tuple[str, str]] = (), body: bytes = b"", times: int = 1) -> None:
        """Answer the next ``times`` handshakes with an HTTP status."""
        self.exchange.refuse(status, tuple(headers), body, times)

    def maintenance(self, seconds: float) -> None:
        """Break every connection and be unreachable for some seconds."""
        self.exchange.maintain(self.now, seconds, Unreachable())
        self.wake()

    def slow(self, seconds: float) -> None:
        """Everything sent from now on arrives that much later; 0 ends it."""
        self.exchange.slow(seconds)

    def place_order(self, symbol: str, side: Side, *, account: str | None = None, **asked: Any) -> Order:
        """Place an order as a customer would; its events go to the account's private streams.

        Args:
            symbol: the market.
            side: ``"bid"`` or ``"ask"``.
            account: whose; None: the first key's.
            **asked: the other fields of ``tapewire.venues.trading.NewOrder``; price and volume may be text.

        Returns:
            the order, which lives on: its fields tell how it stands.

        Raises:
            OrderRefused: naming what is wrong.
            msgspec.ValidationError: a word or number that no order has.
        """
        order = msgspec.convert({"symbol": symbol, "side": side, **asked}, NewOrder)
        return self._by_hand(lambda exchange: exchange.desk.place(self._account(account), order))

    def cancel_order(self, uuid: str, *, account: str | None = None) -> Order:
        """Cancel an open order. Raises ``OrderRefused`` when there is none of that id."""
        return self._by_hand(lambda exchange: exchange.desk.cancel(self._account(account), uuid))

    def announce(self, title: str, category: str = "notice", body: str | None = None, uuid: str | None = None) -> str:
        """Publish an announcement, or the change of the one called ``uuid``; its ``uuid`` (see ``Crier``)."""
        return self._by_hand(lambda exchange: exchange.crier.announce(title, category, body, uuid))

    def close_candles(self, timeframe: str = "5m") -> None:
        """Tell indicators and signals of the running candles of a time frame, as if these closed now.

        Raises:
            ConfigError: no such time frame.
        """
        units = self.exchange.market.rhythm.closing_units
        if timeframe not in units:
            raise ConfigError("timeframe", timeframe, f"one of {', '.join(units)}")
        self._by_hand(lambda exchange: exchange.market.close(timeframe))

    def _by_hand(self, deed: Callable[[Exchange], _Result]) -> _Result:
        exchange = self.exchange
        exchange.advance(self.now)
        result = deed(exchange)
        self.wake()
        return result

    def _account(self, name: str | None) -> str:
        return self.keys[0].account if name is None else name

    def _each(self, deed: Callable[[Peer], object], side: str | None = None) -> None:
        for peer in self.exchange.everyone(side):
            deed(peer)
        self.wake()

    # -- without sockets ----------------------------------------------------------------------------------------

    def lines(self) -> LineFactory:
        """Memory lines into this exchange; any address is taken for it, only the path counts."""

        def line(options: LineOptions, wall_ns: Callable[[], int]) -> Line:
            return MemoryLine(self._connect, options, wall_ns)

        return line

    def http(self) -> Http:
        """REST calls into this exchange; any address is taken for it."""
        return _MemoryHttp(self)

    def _connect(self, far: FarEnd) -> None:
        headers = {name.lower(): value for name, value in far.headers.items()}
        answer = self.exchange.dial(self.now, urlsplit(far.url).path, headers, _HERE)
        if isinstance(answer, Unreachable):
            far.unreachable()
        elif isinstance(answer, HttpAnswer):
            far.refuse(answer.status, answer.headers, answer.body)
        elif far.accept():
            peer = self.exchange.accept(self.now, _MemoryLink(far), answer)
            far.on_message = lambda payload, is_text: self.receive(peer, payload, is_text=is_text)
            far.on_ping = lambda _: peer.pinged(self.now)
            far.on_pong = lambda payload: self.ponged(peer, payload)
            far.on_lost = lambda _: peer.lost()
            self.wake()

    # -- the clock ----------------------------------------------------------------------------------------------

    def receive(self, peer: Peer, payload: bytes, *, is_text: bool) -> None:
        """A client's message, from whatever line."""
        peer.receive(self.now, payload, is_text=is_text)
        self.wake()

    def ponged(self, peer: Peer, payload: bytes) -> None:
        """A client's PONG frame, from whatever line."""
        peer.ponged(self.now, payload)
        self.wake()

    def wake(self) -> None:
        """Look again when the exchange wants to be called next."""
        exchange = self._exchange
        if exchange is None:
            return
        if self._timer is not None:
            self._timer.cancel()
        deadline, loop = exchange.deadline, self._loop
        self._next = deadline
        at = self._began + deadline / self.scenario.speed
        self._timer = None if deadline == float("inf") else loop.call_at(max(at, loop.time() + _BREATH), self._tick)
        if self._sockets is not None and exchange.down:
            self._sockets.leave(self._began + exchange.down_until / self.scenario.speed)

    def _tick(self) -> None:
        """Move on by a slice: an exchange that cannot keep up falls behind, but lets others have their turn."""
        self._timer = None
        exchange, now = self.exchange, self.now
        exchange.advance(min(now, max(self._next, exchange.moment) + _SLICE))
        self.wake()


class _MemoryLink:
    """A memory line as the exchange holds it."""

    def __init__(self, far: FarEnd) -> None:
        self._far = far

    def send(self, payload: bytes, *, is_text: bool) -> None:
        self._far.send(payload, is_text)

    def ping(self, payload: bytes) -> None:
        self._far.ping(payload)

    def close(self, code: int, reason: str) -> None:
        self._far.close(code, reason)

    def abort(self, *, reset: bool) -> None:  # noqa: ARG002 - memory knows one kind of break
        self._far.abort()

    def freeze(self) -> None:
        self._far.freeze()

    def cut(self, payload: bytes) -> None:  # noqa: ARG002 - half a message never arrives as a message
        self._far.abort()


class _MemoryHttp:
    """``Http`` into an exchange in the same process."""

    def __init__(self, simulator: Simulator) -> None:
        self._simulator = simulator

    async def get(
        self,
        url: str,
        *,
        timeout: float,  # noqa: ASYNC109 - as Http
        headers: Mapping[str, str] | None = None,
    ) -> bytes:
        """See ``Http.get``."""
        return (await self.fetch(url, timeout=timeout, headers=headers)).body

    async def fetch(
        self,
        url: str,
        *,
        timeout: float,  # noqa: ASYNC109, ARG002 - as HttpFetch; it answers at once
        headers: Mapping[str, str] | None = None,
    ) -> Answered:
        """See ``HttpFetch.fetch``; it answers at once."""
        await asyncio.sleep(0)
        simulator, parts = self._simulator, urlsplit(url)
        exchange = simulator.exchange
        named = {name.lower(): value for name, value in (headers or {}).items()}
        answer = exchange.http(simulator.now, HttpCall(parts.path, parts.query, named, _HERE))
        simulator.wake()
        if isinstance(answer, Unreachable):
            raise HttpFailed(url, None, str(Loss("unreachable", reason="connection refused")))
        names = {name.lower(): value for name, value in answer.headers}
        if answer.status != 200:
            wait = names.get("retry-after")
            retry_after = None if wait is None else float(wait)
            reason = answer.body[:80].decode("utf-8", "replace")
            raise HttpFailed(url, answer.status, reason, retry_after, answer.body, headers=names)
        return Answered(answer.body, names)

    async def close(self) -> None:
        """Nothing is held."""
