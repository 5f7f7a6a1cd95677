"""A feed's tape: taps into its lines and REST calls, keeps its events, and tells how the writing fares."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from tapewire.config import FeedOptions, TapeOptions
from tapewire.errors import TapeError
from tapewire.model.status import FeedEvent, Lagged, Taping
from tapewire.runtime.clock import Clock
from tapewire.runtime.observe import logger
from tapewire.tape.format import Header, Kind
from tapewire.tape.recorder import Position, Recorder, Trouble
from tapewire.tape.taps import TappedHttp, tapped_lines
from tapewire.transport.contract import Http, LineFactory
from tapewire.venues.contract import Venue


class FeedTape:
    """The tape of one pool. Its file is begun by the first dial or REST call, and ended when nobody uses the pool."""

    def __init__(self, venue: Venue, options: FeedOptions, tape: TapeOptions, clock: Clock) -> None:
        self._venue, self._tape, self._clock = venue.name, tape, clock
        facts = venue.facts
        header = Header(venue.name, 0, 0, options.url or facts.url, options.rest_url or facts.rest_url)
        self._loop = asyncio.get_running_loop()
        self._recorder = Recorder(tape, header, clock.wall_ns, self._troubled)
        self._missed = 0
        self._mended = 0

    @property
    def position(self) -> Position:
        """How far it has come: what is in its files, what the disk itself has."""
        return self._recorder.position

    def mark(self) -> int:
        """Where it is now, for ``is_safe``."""
        return self._recorder.mark()

    def is_safe(self, mark: int) -> bool:
        """See ``Recorder.is_safe``."""
        return self._recorder.is_safe(mark)

    def hurry(self) -> None:
        """See ``Recorder.hurry``."""
        self._recorder.hurry()

    def tapped(self, make_line: LineFactory, http: Http) -> tuple[LineFactory, Http]:
        """The same lines and REST client, with all that goes over them kept."""
        return tapped_lines(make_line, self._recorder), TappedHttp(http, self._recorder)

    def begin(self, publish: Callable[[FeedEvent], None]) -> None:
        """From now on tell ``publish`` how the writing fares."""
        self._publish = publish

    def hear(self, event: FeedEvent) -> None:
        """Keep an event of the feed itself, once the tape has begun."""
        if self._recorder.state != "idle":
            self._recorder.note(Kind.FEED, 0, event)
            self._tell_mended()

    def close(self) -> None:
        """End the file: what came is on the disk then. A failure is told: nobody could be stopped by it any more.

        Waits for the disk (4 s at most): what follows may be the end of the program.
        """
        try:
            self._recorder.close()
        except TapeError as error:
            logger.error("%s: the tape: %s", self._venue, error)
            self._told(Trouble(error.reason, self._recorder.missed))

    def _tell_mended(self) -> None:
        mended = self._recorder.mended[self._mended :]
        if mended:
            self._mended += len(mended)
            self._publish(self._taping("", tuple(map(str, mended))))

    def _troubled(self, trouble: Trouble) -> None:
        """Called on whichever thread saw it."""
        if not self._loop.is_closed():
            self._loop.call_soon_threadsafe(self._told, trouble)

    def _told(self, trouble: Trouble) -> None:
        self._publish(self._taping(trouble.reason))
        dropped, self._missed = trouble.missed - self._missed, trouble.missed
        if dropped:
            lagged = Lagged(
                venue=self._venue,
                connection="",
                at_ns=self._clock.wall_ns(),
                subscriber="tape",
                rule="drop_newest",
                dropped=dropped,
                total_dropped=trouble.missed,
                size=self._tape.pending,
            )
            self._publish(lagged)

    def _taping(self, reason: str, mended: tuple[str, ...] = ()) -> Taping:
        return Taping(
            venue=self._venue,
            connection="",
            at_ns=self._clock.wall_ns(),
            folder=self._tape.folder,
            reason=reason,
            missed=self._recorder.missed,
            mended=mended,
        )
