"""Serves tapes as simulated exchanges: each venue on a port of its own, from the moment its first client comes."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from pathlib import Path
from random import Random

import click
from msgspec import Struct

from tapewire.apps.cli.running import Stop, run
from tapewire.apps.cli.terminal import count_of, json_line
from tapewire.client import WebSocketClient
from tapewire.client.replaying import Replay, paced_loop, recorded_streams, replay
from tapewire.errors import ConfigError
from tapewire.model.counted import clause_of
from tapewire.model.events import Event, OrderbookEvent
from tapewire.model.subscription import Subscription
from tapewire.sim.peer import Peer
from tapewire.sim.scenario import Scenario, listings, side_of
from tapewire.sim.server import Simulator
from tapewire.sim.taped import TapedMarket
from tapewire.tape.reader import header_of
from tapewire.venues.exchange import Due

#: Seconds of the tape in which each stream is looked for first: what it says there stands for the time before.
PRIMED = 10
#: Seconds (of the tape) after its end until every connection is closed: what was sent last arrives.
FAREWELL = 0.2
_EVER = 1_000_000
#: The close of a tape that has ended: the exchange is gone.
GONE = 1001


class Served(Struct):
    """What to serve: tapes, which part, how fast, and where.

    Attributes:
        folders: of the tapes; since_ns, until_ns: which part, ns UTC.
        speed: times as fast as it was.
        host: an address of this machine; port: of the first venue, the next one's is one more; 0: any.
        at_once: play without a client, too.
    """

    folders: Sequence[Path]
    since_ns: int = 0
    until_ns: int = 2**64
    speed: float = 1.0
    host: str = "127.0.0.1"
    port: int = 9001
    at_once: bool = False


class _Exchange(Simulator):
    """It says when the first client has asked for something."""

    def __init__(
        self, scenario: Scenario, wall_ns: Callable[[], int], market: TapedMarket, asked: asyncio.Event
    ) -> None:
        super().__init__(scenario, wall_ns, market)
        self._asked = asked

    def tell(self, dues: Sequence[Due]) -> None:
        """Publish what the tape says now."""
        if dues:
            self.exchange.advance(self.now)
            for due in dues:
                self.exchange.tell(due)
            self.wake()

    def receive(self, peer: Peer, payload: bytes, *, is_text: bool) -> None:
        """A client's message."""
        super().receive(peer, payload, is_text=is_text)
        self._asked.set()


class Stage:
    """The exchanges of some tapes. Made, and used, on one loop whose time passes ``speed`` times as fast.

    Args:
        served: what is served.
        first: the first event of each stream (``first_events``).
        begin_ns: where the tapes begin, ns UTC.
    """

    def __init__(self, served: Served, first: Sequence[Event], begin_ns: int) -> None:
        self._served, self._begin_ns = served, begin_ns
        self._replay: Replay | None = None
        self._asked = asyncio.Event()
        self._streams = streams_of(served.folders)
        self.markets = {venue: self._market(venue, streams) for venue, streams in self._streams.items()}
        for event in first:
            self.markets[event.venue].prime(event)
        self.simulators = {
            venue: _Exchange(Scenario(venue=venue, limits=False), self._wall_ns, market, self._asked)
            for venue, market in self.markets.items()
        }

    async def open(self) -> None:
        """Listen. Raises OSError: the port is taken, or the host is not ours."""
        for number, simulator in enumerate(self.simulators.values()):
            port = self._served.port
            await simulator.start(self._served.host, port + number if port else 0)

    async def close(self) -> None:
        """Tell every client that this was all, and stop listening."""
        for simulator in self.simulators.values():
            simulator.refuse(503, body=b"the tape has ended", times=_EVER)
            simulator.drop(GONE, "the tape has ended")
        await asyncio.sleep(FAREWELL)
        for simulator in self.simulators.values():
            await simulator.stop()

    async def play(self) -> int:
        """Play the tapes when the first client has asked for something; how many events there were."""
        if not self._served.at_once:
            await self._asked.wait()
        self._replay = Replay(self._served.folders, self._served.since_ns, self._served.until_ns)
        return await self._replay.play(self._program(self._replay))

    async def _program(self, again: Replay) -> int:
        count = 0

        def told(venue: str) -> Callable[[Event], None]:
            market, simulator = self.markets[venue], self.simulators[venue]

            def hear(event: Event) -> None:
                nonlocal count
                count += 1
                simulator.tell(market.hear(event))

            return hear

        clients = {venue: WebSocketClient("served", venue, keep_raw=True) for venue in self._streams}
        try:
            for venue, client in clients.items():
                await client.subscribe(self._streams[venue], told(venue))
            await again.ended()
        finally:
            await asyncio.gather(*(client.cleanup() for client in clients.values()))
        return count

    def _market(self, venue: str, streams: Sequence[Subscription]) -> TapedMarket:
        symbols = tuple(dict.fromkeys(stream.symbol for stream in streams if stream.symbol))
        scenario = Scenario(venue=venue, markets=symbols)
        side = side_of(scenario)
        if not side.tells_tapes:
            raise ConfigError("DIR", venue, "a tape of Upbit or OKX: no other can be served yet")
        rows = listings(scenario, side=side)
        return TapedMarket(
            venue, rows, streams, rhythm=side.rhythm, clock_ms=lambda: self._wall_ns() // 1_000_000,
            units=side.candle_units, chance=Random(0),  # noqa: S311 - nothing is drawn
        )  # fmt: skip

    def _wall_ns(self) -> int:
        return self._begin_ns if self._replay is None else self._replay.wall_ns()


def streams_of(folders: Sequence[Path]) -> dict[str, list[Subscription]]:
    """The streams that the tapes tell of, by venue. Raises TapeError."""
    found: dict[str, list[Subscription]] = {}
    for folder in folders:
        venue, streams = recorded_streams(folder)
        found.setdefault(venue, []).extend(streams)
    return found


def first_events(served: Served) -> tuple[list[Event], int]:
    """What each stream says first, as far as that is within ``PRIMED`` seconds, and when the tapes begin (ns UTC)."""
    begin_ns = max(served.since_ns, min(header_of(folder).created_ns for folder in served.folders))
    first: dict[tuple[object, ...], Event] = {}

    def hear(event: Event) -> None:
        depth = len(event.orderbook_units) if isinstance(event, OrderbookEvent) else 0
        told = (
            type(event),
            event.venue,
            event.symbol,
            getattr(event, "unit", None),
            getattr(event, "level", None),
            depth,
        )
        first.setdefault(told, event)

    async def program(again: Replay) -> None:
        async with contextlib.AsyncExitStack() as stack:
            for venue, streams in streams_of(served.folders).items():
                client = await stack.enter_async_context(WebSocketClient("first", venue, keep_raw=True))
                await client.subscribe(streams, hear)
            await again.ended()

    until_ns = min(served.until_ns, begin_ns + PRIMED * 10**9)
    replay(served.folders, program, since_ns=served.since_ns, until_ns=until_ns)
    return list(first.values()), begin_ns


def serve(served: Served, *, as_json: bool) -> int:
    """Serve until the tapes end or somebody stops it; the exit code.

    Raises:
        TapeError: there is no tape, or nothing on it in that time.
        ConfigError: a venue that cannot be served, an address that cannot be listened at.
    """
    first, begin_ns = first_events(served)
    return run(lambda stop: _serve(stop, served, first, begin_ns, as_json=as_json), paced_loop(served.speed))


async def _serve(stop: Stop, served: Served, first: Sequence[Event], begin_ns: int, *, as_json: bool) -> None:
    stage = Stage(served, first, begin_ns)
    try:
        await stage.open()
    except OSError as error:
        await stage.close()
        raise ConfigError(
            "--port", f"{served.host}:{served.port}", f"an address that is free ({error.strerror or error})"
        ) from error
    playing = asyncio.create_task(stage.play(), name="served tapes")
    stopping = asyncio.create_task(stop.wait(), name="stopping")
    try:
        _greet(stage, begin_ns, as_json=as_json)
        await asyncio.wait({playing, stopping}, return_when=asyncio.FIRST_COMPLETED)
        if playing.done():
            click.echo(f"the tape has ended: {clause_of(playing.result(), 'event', 'was', 'were')} told", err=True)
    finally:
        for task in (playing, stopping):
            task.cancel()
        await asyncio.wait({playing, stopping})
        await stage.close()


def _greet(stage: Stage, begin_ns: int, *, as_json: bool) -> None:
    begin = datetime.fromtimestamp(begin_ns / 1e9, UTC).strftime("%Y-%m-%d %H:%M:%S")
    for venue, simulator in stage.simulators.items():
        symbols = list(stage.markets[venue].symbols)
        if as_json:
            facts = {"venue": venue, "url": simulator.url, "rest_url": simulator.rest_url, "urls": simulator.urls}
            click.echo(json_line(facts | {"markets": symbols, "begin": begin}).decode(), nl=False)
            continue
        sides = "".join(f"  {side:<9}  {url}\n" for side, url in simulator.urls.items() if side != "public")
        click.echo(
            f"A tape of {venue}, {count_of(len(symbols), 'market')}, from {begin} UTC on, when the first client asks.\n"
            f"  WebSocket  {simulator.url}\n{sides}  REST       {simulator.rest_url}"
        )
