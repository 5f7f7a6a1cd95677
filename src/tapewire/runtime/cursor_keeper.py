"""Saves how far each stream came, about once a second, and lets the next process (or host) begin there."""

from __future__ import annotations

import asyncio
from collections.abc import Collection, Iterable, Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any, Protocol

import msgspec

from tapewire.config import FeedOptions
from tapewire.hub.listening import Stream
from tapewire.hub.mailbox import Mailbox
from tapewire.model.reached import Reached
from tapewire.model.status import Disconnected, FeedEvent
from tapewire.model.subscription import Subscription
from tapewire.runtime.account import AccountWatch
from tapewire.runtime.building import Carrier
from tapewire.runtime.clock import Clock
from tapewire.runtime.cursor_file import AccountState, Aside, CursorFile, Saved
from tapewire.runtime.driver import Driver
from tapewire.runtime.holes import Holes
from tapewire.runtime.limits import account_of
from tapewire.runtime.observe import log_fields, logger
from tapewire.runtime.taping import FeedTape
from tapewire.session.actions import Now, Progress
from tapewire.session.cursor import Cursor, Key, Place, Seen

#: Seconds between two looks at the streams; what one finds is saved by the next.
EVERY = 1.0
#: Seconds after which it is saved that the process lives, even if nothing came.
AT_LEAST = 60.0
#: Seconds that a clean end waits for callbacks that work off what was received, and how often it looks.
PATIENCE, LOOK = 4.0, 0.05

_encode = msgspec.json.encode


class Found(Protocol):
    """Where to look: the pool's connections, and who has not taken yet what was received."""

    @property
    def carriers(self) -> Collection[Carrier]: ...

    @property
    def mailboxes(self) -> Iterable[Mailbox]: ...


class _Look:
    """What one look found; it counts when all that had been received by then was taken out of the mailboxes, and is as
    safe on the tape as that promises.
    """

    def __init__(self, content: bytes, mailboxes: Iterable[Mailbox], tape: FeedTape | None, t: float) -> None:
        self.content, self.t = content, t
        self._tape, self._mark = tape, 0 if tape is None else tape.mark()
        self._due = [(box, box.put_count) for box in tuple(mailboxes)]

    @property
    def counts(self) -> bool:
        if self._tape is not None and not self._tape.is_safe(self._mark):
            return False
        return all(box.taken + box.dropped + box.conflated >= due for box, due in self._due)


class CursorKeeper:
    """One for each pool; without a file it only knows what it is told (``expect``).

    What it saves is never ahead of the callbacks and mailboxes: a look is saved at the next one at the earliest, and
    only when what was received before it has been taken. So after a crash some messages may come again, none is lost.

    Args:
        venue: whose streams.
        options: of the feed: the file (None: nothing is kept), how much of the past is asked.
        clock, aside: as of the manager.
        found: where to look.
        tape: of the pool, if it keeps one: what is saved is never ahead of it either.
    """

    def __init__(
        self,
        venue: str,
        options: FeedOptions,
        clock: Clock,
        aside: Aside,
        found: Found,
        *,
        tape: FeedTape | None = None,
    ) -> None:
        self._venue, self._clock, self._aside, self._found, self._tape = venue, clock, aside, found, tape
        path = options.cursor_file
        self._file = None if path is None else CursorFile(Path(path), venue)
        self._history = options.history
        self._cursor, self._accounts = Cursor(), dict[str, AccountState]()
        self._expected: dict[Key, Place] = {}
        self._task: asyncio.Task[None] | None = None
        self._look: _Look | None = None
        self._saved_at = float("-inf")
        self._complained = False

    def open(self) -> None:
        """Take the file, if nobody has it. Raises ConfigError: somebody has it, or it cannot be used."""
        if self._file is not None and self._task is None:
            saved = self._file.open()
            self._cursor, self._accounts = Cursor(saved.streams), dict(saved.accounts)
            self._look = None
            self._task = asyncio.create_task(self._run(self._file), name=f"cursor of {self._venue}")

    @contextmanager
    def expect(self, reached: Iterable[Reached], whose: str = "", state: AccountState | None = None) -> Iterator[None]:
        """Streams that begin within the block go on where somebody else's came to.

        ``whose``: the account they are of (``limits.account_of``), and what was told of it so far.
        """
        keys = {(whose, one.subscription): one for one in reached}
        if whose and state is not None:
            self._accounts[whose] = state
        self._expected |= {
            key: Place(one.subscription, one.at_ns, "", one.last_timestamp, one.ids) for key, one in keys.items()
        }
        try:
            yield
        finally:
            for key in keys:
                self._expected.pop(key, None)

    def begin(self, carrier: Carrier, stream: Stream) -> None:
        """A stream has one listener more: the first who hears realtime lets it begin where the last process ended."""
        if stream.count or not stream.hearing:
            return
        whose, subscription = account_of(carrier.origin.credentials), stream.subscription
        place = self._expected.pop((whose, subscription), None) or self._cursor.take((whose, subscription))
        cause = "restart" if place is not None else "history"
        place = place or self._past(subscription)
        if place is None:
            return
        last = Progress(0, place.ids[-1] if place.ids else None, place.last_timestamp)
        if stream.recent_ids is not None:
            stream.resume(place.ids)
        account = _account(carrier)
        if account is not None and whose in self._accounts:
            account.resume(self._accounts[whose])
        resume = carrier.machine.ledger.resume if isinstance(carrier, Driver) else carrier.resume
        resume(self._clock.now(), subscription, place.at_ns, last, cause)

    def _past(self, subscription: Subscription) -> Place | None:
        """Where a stream that nobody heard before is to begin, in the past."""
        if self._history is None or subscription.kind not in ("trade", "candle"):
            return None
        since_ns = self._clock.wall_ns() - round(self._history * 1e9)
        return Place(subscription, since_ns, "", since_ns // 1_000_000, ())

    def story(self, whose: str) -> AccountState | None:
        """What was told of an account so far; None: it is being read, or one of its streams is not live."""
        ours = [one for one in self._found.carriers if account_of(one.origin.credentials) == whose]
        told = [account.state() for one in ours if (account := _account(one)) is not None]
        if not told or any(one.gaps or not one.live.issuperset(one.router.streams) for one in ours):
            return None
        fields: dict[str, Any] = {}
        for state in told:
            if state is None:
                return None
            fields |= {name: value for name in state.__struct_fields__ if (value := getattr(state, name)) is not None}
        return AccountState(**fields)

    def leave(self, carrier: Carrier, subscription: Subscription) -> None:
        """A stream is about to lose a listener: note how it stands."""
        stream = carrier.router.streams.get(subscription)
        if self._task is not None and stream is not None and len(stream.listeners) == 1:
            self._note(carrier, [stream])
            self._cursor.leave((account_of(carrier.origin.credentials), subscription))

    def hear(self, event: FeedEvent) -> None:
        """A line is lost: note how its streams stand, before any has a hole."""
        if self._task is not None and isinstance(event, Disconnected):
            self._note_all()

    async def close(self) -> None:
        """Nobody uses the connections any more: save how it all ended, and give the file back."""
        if self._file is None or self._task is None:
            return
        task, self._task = self._task, None
        task.cancel()
        await asyncio.wait([task])
        last = self._take()
        if self._tape is not None:
            self._tape.hurry()
        until = last.t + PATIENCE
        while not last.counts and self._clock.now().t < until:
            await self._clock.until(self._clock.now().t + LOOK)
        if last.counts:
            await self._save(self._file, last)
        self._file.close()

    def kill(self) -> None:
        """Leave everything as it is."""
        if self._task is not None:
            self._task.cancel()
            self._task = None
        if self._file is not None:
            self._file.close()

    async def _run(self, file: CursorFile) -> None:
        while True:
            await self._clock.until(self._clock.now().t + EVERY)
            if self._look is not None and self._look.counts:
                look, self._look = self._look, None
                await self._save(file, look)
            self._note_all()
            due = self._clock.now().t - self._saved_at >= AT_LEAST
            if self._look is None and (self._cursor.changed or due):
                self._look = self._take()

    def _note_all(self) -> None:
        for carrier in self._found.carriers:
            self._note(carrier, carrier.router.streams.values())

    def _note(self, carrier: Carrier, streams: Iterable[Stream]) -> None:
        now, whose, live = self._clock.now(), account_of(carrier.origin.credentials), carrier.live
        lost = {row.subscription: row.from_ns for row in carrier.gaps}
        for stream in streams:
            subscription = stream.subscription
            told = stream.count > 0 if subscription in lost else subscription in live
            if stream.hearing and told:
                at = Now(now.t, lost.get(subscription, now.ns))
                seen = Seen(
                    stream.count, *stream.told_to_all(), stream.last_timestamp, not stream.holes, tuple(stream.parts)
                )
                self._cursor.note(at, (whose, subscription), seen)
        account = _account(carrier)
        if account is not None and (state := account.state()) is not None:
            self._accounts[whose] = state

    def _take(self) -> _Look:
        self._cursor.changed = False
        saved = Saved(venue=self._venue, streams=self._cursor.places(), accounts=self._accounts)
        return _Look(_encode(saved), self._found.mailboxes, self._tape, self._clock.now().t)

    async def _save(self, file: CursorFile, look: _Look) -> None:
        self._saved_at = look.t
        try:
            await self._aside(partial(file.write, look.content))
        except OSError as error:
            self._cursor.changed = True
            if not self._complained:
                self._complained = True
                logger.error(
                    "%s: how far its streams came cannot be saved: %s", self._venue, error,
                    extra=log_fields("cursor_unwritten", self._venue),
                )  # fmt: skip
            return
        self._complained = False


def _account(carrier: Carrier) -> AccountWatch | None:
    """Who looks after its orders and balances; a group has no key."""
    return carrier.holes.account if isinstance(carrier, Driver) and isinstance(carrier.holes, Holes) else None
