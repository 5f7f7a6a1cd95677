"""Runs a program on a tape instead of the exchange: the same client, its time, its losses, its REST answers."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine, Iterable, Mapping
from pathlib import Path
from typing import Any, TypeVar
from urllib.parse import urlsplit

from msgspec import Struct, json, structs

from tapewire.config import FeedOptions
from tapewire.errors import ConfigError
from tapewire.model.status import Subscribed
from tapewire.model.subscription import Subscription
from tapewire.runtime.clock import LoopClock
from tapewire.runtime.loops import PacedLoop, VirtualTimeLoop
from tapewire.runtime.manager import WebSocketManager, share_manager
from tapewire.tape.copying import TapeCopy
from tapewire.tape.files import Damage
from tapewire.tape.format import Kind, Record
from tapewire.tape.player import Player, Source
from tapewire.tape.ranks import number_in
from tapewire.tape.reader import header_of, read_tape
from tapewire.transport.contract import Http, LineFactory
from tapewire.venues.registry import get_venue

Result = TypeVar("Result")
_SUBSCRIBED = b'{"type":"subscribed"'
#: Seconds of the tape's time that a program may go on after its end.
PATIENCE = 3600.0
_FOREVER = 1e9


class Replayed(Struct, frozen=True):
    """What was played.

    Attributes:
        records: of the tape.
        left_out: connections of the tape that the program had no need for.
        damages: what of the tape could not be read.
    """

    records: int
    left_out: int
    damages: tuple[Damage, ...]


class Replay:
    """Tapes to be played to one program. Made by ``replay``; ``wall_ns`` is the tape's wall clock (ns UTC)."""

    def __init__(
        self, folders: Iterable[str | Path], since_ns: int = 0, until_ns: int = 2**64, copy: TapeCopy | None = None
    ) -> None:
        self._loop = asyncio.get_running_loop()
        sources = [_source(Path(folder)) for folder in folders]
        headers = [header_of(source.folder) for source in sources]
        self.venues = tuple(header.venue for header in headers)
        self._urls = {header.venue: header.url for header in headers if header.url != get_venue(header.venue).facts.url}
        self._player = Player(sources, since_ns=since_ns, until_ns=until_ns, copy=copy)
        self._began = self._loop.time()
        self._ended = asyncio.Event()
        self.manager = WebSocketManager(
            self._ports, clock=LoopClock(self.wall_ns), draw=lambda: 0.0, free=True, adjusted=_patient
        )

    def url_of(self, venue: str) -> str | None:
        """The address for a client of this venue: that of the tape, where it is not the exchange's own of today."""
        return self._urls.get(venue)

    def wall_ns(self) -> int:
        """The tape's wall clock, ns UTC."""
        return self._player.begin_ns + int((self._loop.time() - self._began) * 1e9)

    async def ended(self) -> None:
        """Wait until everything was played."""
        await self._ended.wait()

    async def play(self, program: Coroutine[Any, Any, Result]) -> Result:
        """Run the program; when the tape has ended its clients are closed, which ends its iterators.

        Raises:
            TimeoutError: the program went on for an hour of the tape's time after its end.
        """
        share_manager(self.manager)
        running = asyncio.create_task(program, name="replayed program")
        playing = asyncio.create_task(self._player.play(), name="tape")
        playing.add_done_callback(lambda _task: self._ended.set())
        try:
            await asyncio.wait({running, playing}, return_when=asyncio.FIRST_COMPLETED)
            if not running.done():
                playing.result()
                await self.manager.stop()
            async with asyncio.timeout(PATIENCE):
                return await running
        finally:
            playing.cancel()
            running.cancel()
            await asyncio.wait({running, playing})
            self.manager.kill()

    @property
    def played(self) -> Replayed:
        """What was played so far."""
        player = self._player
        return Replayed(player.records, player.left_out, tuple(player.damages))

    def each_part(self, passed: Callable[[Path, int], None]) -> None:
        """Have told file and bytes of each block that was played to its end. What is raised ends the replay."""
        self._player.passed = passed

    def _ports(self, _options: FeedOptions, _wall_ns: Callable[[], int]) -> tuple[LineFactory, Http]:
        return self._player.line, self._player.http()


def replay(
    folders: str | Path | Iterable[str | Path],
    program: Callable[[Replay], Coroutine[Any, Any, Result]],
    *,
    speed: float | None = None,
    since_ns: int = 0,
    until_ns: int = 2**64,
    tape: str | Path | None = None,
) -> Result:
    """Run ``program`` on one tape, or several merged by time, as ``asyncio.run`` runs it on the exchange.

    Its event loop's time is the tape's: a sleep of an hour takes an hour of the tape. Every client that it makes hears
    what was recorded, the losses included, and asks REST as it was answered then. The same tape gives the same events
    in the same order.

    Args:
        folders: of the tapes.
        program: called with the replay (``wall_ns()``: what time it is on the tape).
        speed: times as fast as it was; None: as fast as possible, waiting for nothing.
        since_ns: where to begin, ns UTC.
        until_ns: where to end, ns UTC; it is not played itself.
        tape: a folder for another tape, of what is played: of one tape alone, and from end to end the same bytes.

    Returns:
        What ``program`` returned. It should end with its iterators, which end with the tape.

    Raises:
        TapeError: there is no tape, or nothing on it in that time; ``tape`` has one already, or cannot be written.
        UnknownName: the tape's venue is not installed.
        ConfigError: ``speed`` is not more than 0; ``tape`` with several folders.
    """
    if speed is not None and speed <= 0:
        raise ConfigError("speed", speed, "more than 0, or None for as fast as possible")
    named = [folders] if isinstance(folders, str | Path) else list(folders)
    if tape is not None and len(named) > 1:
        raise ConfigError("tape", str(tape), "used with one folder: several tapes do not make one")

    async def play() -> Result:
        copy = None if tape is None else TapeCopy(Path(tape))
        try:
            made = Replay(named, since_ns, until_ns, copy)
            return await made.play(program(made))
        finally:
            if copy is not None:
                copy.close()

    with asyncio.Runner(loop_factory=VirtualTimeLoop if speed is None else lambda: PacedLoop(speed)) as runner:
        return runner.run(play())


def paced_loop(speed: float) -> Callable[[], asyncio.AbstractEventLoop]:
    """Makes a loop whose time passes ``speed`` times as fast, for a ``Replay`` beside something else."""
    return lambda: PacedLoop(speed)


def recorded_streams(folder: Path) -> tuple[str, list[Subscription]]:
    """The tape's venue, and every stream that was subscribed while it was recorded, by connection in their order.

    Who subscribes to them in this order gets connections that carry what the tape's did.

    Raises:
        TapeError: there is no tape.
    """
    connections: dict[str, dict[Subscription, None]] = {}
    for record in read_tape(folder, kinds=frozenset({Kind.FEED})):
        if isinstance(record, Record) and record.payload.startswith(_SUBSCRIBED):
            told = json.decode(record.payload, type=Subscribed)
            connections.setdefault(told.connection, {}).update(dict.fromkeys(told.subscriptions))
    names = sorted(connections, key=lambda name: number_in(name.partition("+")[0]) or 0)
    return header_of(folder).venue, list(dict.fromkeys(stream for name in names for stream in connections[name]))


def _patient(options: FeedOptions) -> FeedOptions:
    """As on a tape, where answers came to other requests, perhaps before these: signs of life that the played line
    answers by itself, and no answer that is missed.
    """
    session = structs.replace(options.session, keep_alive="frame", answer_timeout=_FOREVER)
    return structs.replace(options, session=session)


def _source(folder: Path) -> Source:
    header = header_of(folder)
    facts = get_venue(header.venue).facts
    urls: Mapping[str, None] = dict.fromkeys((facts.url, header.url))
    return Source(folder, frozenset(urlsplit(url).netloc for url in urls))
