"""Reads an account's orders, fills and balances by REST after each loss of its stream, and delivers what was missed."""

from __future__ import annotations

import asyncio
from collections import Counter, deque
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from contextlib import closing
from functools import partial
from typing import Any, NamedTuple, TypeVar

from msgspec.structs import replace

from tapewire.config import FeedOptions
from tapewire.errors import CredentialsError, DecodeError, HttpFailed, VenueError
from tapewire.hub.listening import Listener
from tapewire.hub.router import Router
from tapewire.model.events import Event, MyOrderEvent
from tapewire.model.status import Disconnected, FeedEvent, Gap, Subscribed
from tapewire.model.subscription import Subscription
from tapewire.runtime.account_story import AccountStory
from tapewire.runtime.clock import Clock
from tapewire.runtime.cursor_file import AccountState
from tapewire.runtime.limits import account_of
from tapewire.runtime.observe import log_fields, logger
from tapewire.runtime.persistence import NotWanted, Persistence, Signed
from tapewire.runtime.signing import Signer
from tapewire.session.reconcile import Orders
from tapewire.venues.contract import Account, Asking, Question, Venue

#: Kinds that can be looked after; a venue tells which (``Account.kinds``).
KINDS = ("myOrder", "myAsset", "myPosition", "balanceAndPosition", "myFill")
#: Messages of one kind that are kept while another line's watch tells it.
KEPT = 10_000
#: Seconds before the loss from which on orders are read: the two clocks may differ, and a loss is noticed late.
OVERLAP = 60.0
#: The status of an answer that finds a signature's time too far from the exchange's.
TOO_OLD = 408

Answer = TypeVar("Answer")


#: What a reading came to: messages delivered of each stream, kind → nothing else can be missing, why it failed.
Done = Callable[[Counter[Subscription], Mapping[str, bool], str], None]


class Reading(NamedTuple):
    """One reading of everything: what was delivered, by stream; from when on; whether it is marked as polled."""

    delivered: Counter[Subscription]
    since_ns: int
    polled: bool = False


class Told(NamedTuple):
    """Whom the watch tells: what became of a hole, a callback that raised."""

    publish: Callable[[FeedEvent], None]
    failed: Callable[[Listener, BaseException], None]


class AccountWatch:
    """One connection's account. As its streams begin it learns how things stand; after each loss it tells the rest.

    Args:
        venue: whose account; it has ``Venue.account``.
        options: of the feed.
        signer: signs each call.
        persistence: asks REST.
        clock: as a driver has it.
        router: where the streams are.
        tell: whom to tell.
    """

    def __init__(  # noqa: PLR0917 - each handed in once, by the pool
        self,
        venue: Venue,
        options: FeedOptions,
        signer: Signer,
        persistence: Persistence,
        clock: Clock,
        router: Router,
        tell: Told,
    ) -> None:
        assert venue.account is not None  # noqa: S101 - the pool asked
        self._account: Account = venue.account
        self._venue, self._options, self._signer = venue, options, signer
        self._persistence, self._clock, self._router, self._tell = persistence, clock, router, tell
        self._whose = account_of(signer.credentials)
        self._kinds = self._account.kinds
        self._story = AccountStory(self._account.words)
        #: Kinds whose story another line's watch hands over, and what this line brought of them meanwhile.
        self._awaited: dict[str, deque[Event]] = {}
        #: Since when (ns, UTC) what was taken over is to be held against REST; None: it is not.
        self._doubted_ns: int | None = None
        self._gaps: list[Gap] = []
        self._fresh: set[Subscription] = set()
        self._losses = 0
        self._task: asyncio.Task[None] | None = None
        router.judge = self.told

    def state(self) -> AccountState | None:
        """For another process: what was told so far; None while it is being read, or another line's watch tells it."""
        if self._task is not None or self._is_due or self._gaps or self._awaited:
            return None
        return self._story.state()

    def resume(self, state: AccountState) -> None:
        """Begin where another process ended; what this one knows already stays."""
        self._story.resume(state)

    def told(self, event: Event) -> bool:
        """The line brought this; True: it was delivered already."""
        if event.kind in self._awaited:
            self._awaited[event.kind].append(event)
        return self._story.told(event)

    def await_story(self, kinds: Iterable[str]) -> None:
        """Another line's watch tells these kinds, until it hands over: REST need not be asked."""
        self._awaited.update((kind, deque[Event](maxlen=KEPT)) for kind in kinds if kind in self._kinds)

    def take_over(self, kind: str, other: AccountWatch, since_ns: int) -> list[Event]:
        """Go on where the other watch ended; returns what this line brought, and was told already by the other one.

        ``since_ns`` (UTC): when the other line was whole; it may have been dead since, and nobody knew. REST is asked.
        """
        heard = self._awaited.pop(kind, ())
        self._story.take(kind, other._story)
        doubles = [event for event in heard if self._story.told(event)]
        self._covered(kind)
        if self._story.is_complete(kind):
            self._doubted_ns = since_ns
            self._begin()
        else:
            self._learn(kind)
        return doubles

    def await_no_longer(self, kind: str) -> None:
        """Nothing of this kind is handed over any more: who hears it here begins here."""
        if self._awaited.pop(kind, None) is not None:
            self._covered(kind)
            self._learn(kind)

    def _covered(self, kind: str) -> None:
        """What this line missed while another told the same was missed by nobody."""
        for gap in [gap for gap in self._gaps if gap.subscription.kind == kind]:
            self._gaps.remove(gap)
            self._tell.publish(replace(gap, at_ns=self._clock.wall_ns(), state="filled"))

    def _learn(self, kind: str) -> None:
        self._fresh.update(stream for stream in self._router.streams if stream.kind == kind)
        self._begin()

    def hear(self, event: FeedEvent) -> bool:
        """Something happened on the connection; True: it is a hole that is being filled now."""
        if isinstance(event, Disconnected):
            self._losses += 1
            self._orders.lost()
        elif isinstance(event, Subscribed):
            ours = {stream for stream in event.subscriptions if stream.kind in self._kinds}
            self._fresh |= {stream for stream in ours if stream.kind not in self._awaited}
            self._story.begun({stream.kind for stream in ours}, self._signer.server_ms)
            self._begin()
        elif isinstance(event, Gap) and event.subscription.kind in self._kinds and event.state == "unfilled":
            self._gaps.append(event)
            self._begin()
            return True
        return False

    def poll(self, since_ns: int, done: Done) -> None:
        """Read everything while there is no line, and deliver what is new, marked ``polled``; the first reading learns.

        Nothing while another reading is under way.
        """
        if self._task is None:
            self._task = asyncio.create_task(self._poll(since_ns, done), name=f"poll account of {self._venue.name}")

    def is_reading(self, stream: Subscription) -> bool:
        """Whether what this stream missed, or how things stood as it began, is still being asked for."""
        return stream.kind in self._kinds and (self._task is not None or self._is_due)

    def kill(self) -> None:
        """Give up at once."""
        if self._task is not None:
            self._task.cancel()

    @property
    def _orders(self) -> Orders:
        return self._story.orders

    @property
    def _is_due(self) -> bool:
        """Whether there is anything to read."""
        return bool(self._fresh or self._due) or self._doubted_ns is not None

    @property
    def _due(self) -> list[Gap]:
        """Holes that are to be read: those that another line covers are not."""
        return [gap for gap in self._gaps if gap.subscription.kind not in self._awaited]

    def _begin(self) -> None:
        if self._task is None and self._is_due:
            self._task = asyncio.create_task(self._run(), name=f"account of {self._venue.name}")

    async def _run(self) -> None:
        """Round by round, until nothing is open; the first begins when everything of this moment was told."""
        try:
            while self._is_due:
                gaps, fresh, doubted_ns = self._due, {stream.kind for stream in self._fresh}, self._doubted_ns
                self._gaps = [gap for gap in self._gaps if gap not in gaps]
                self._fresh, self._doubted_ns = set(), None
                await self._round(gaps, set() if gaps else fresh, doubted_ns)
        finally:
            self._task = None

    async def _poll(self, since_ns: int, done: Done) -> None:
        reading, state, error = Reading(Counter(), since_ns, polled=True), dict.fromkeys(self._kinds, False), ""
        try:
            await self._read(reading, state, {kind for kind in self._kinds if not self._story.is_complete(kind)})
            done(reading.delivered, state, error)
        except NotWanted:
            pass
        except (VenueError, HttpFailed, CredentialsError) as failed:
            done(reading.delivered, state, str(failed))
        finally:
            self._task = None
            self._begin()

    async def _round(self, gaps: Sequence[Gap], fresh: Collection[str], doubted_ns: int | None) -> None:
        """One reading of everything: what was missed is delivered, and what became of ``gaps`` told.

        ``fresh``: kinds whose streams begin, of which nothing can have been missed.
        """
        begins = [gap.from_ns for gap in gaps] + ([] if doubted_ns is None else [doubted_ns])
        since_ns = min(begins, default=self._clock.wall_ns())
        reading, state = Reading(Counter(), since_ns), dict.fromkeys(self._kinds, False)
        try:
            await self._read(reading, state, fresh)
        except NotWanted:
            return
        except (VenueError, HttpFailed, CredentialsError) as error:
            fields = log_fields("recovery_failed", self._venue.name)
            logger.error("%s: orders and balances cannot be read by REST: %s", self._venue.name, error, extra=fields)
        finally:
            for gap in gaps:
                filled = state[gap.subscription.kind]
                self._tell.publish(
                    replace(
                        gap,
                        at_ns=self._clock.wall_ns(),
                        state="filled" if filled else "unfilled",
                        recovered=reading.delivered[gap.subscription],
                    )
                )

    async def _read(self, reading: Reading, state: dict[str, bool], learning: Collection[str]) -> None:
        """Everything; ``state`` says of each kind whether nothing can be missing any more."""
        if learning:
            await self._signer.ready()
            self._story.begun([kind for kind in learning if self._wants(kind)], self._signer.server_ms)
        for kind in self._kinds:
            if self._wants(kind) and kind not in self._awaited:
                read = self._read_orders if kind == "myOrder" else partial(self._read_kept, kind)
                state[kind] = await read(reading, learning=kind in learning)

    async def _read_orders(self, reading: Reading, *, learning: bool) -> bool:
        """Returns whether nothing can be missing any more."""
        losses, complete = self._losses, self._orders.complete
        open_ones = await self._converse(self._account.waiting())
        closed = await self._closed_orders(reading)
        vanished = [self._orders.heard_of(uuid) for uuid in self._orders.vanished((*open_ones, *closed))]
        gone = await self._converse(self._account.named(vanished)) if vanished else []
        every = list({order.uuid: order for order in (*closed, *gone, *open_ones)}.values())
        if learning:
            if losses == self._losses:  # else what was missed since would be learned in silence
                self._orders.learn(every)
                self._orders.complete = True
            return True
        for order in sorted(every, key=lambda one: one.order_timestamp or 0):
            for event in await self._news(order):
                self._deliver(event, reading)
        self._orders.complete = True
        ago = self._clock.wall_ns() / 1e9 - reading.since_ns / 1e9
        holed = any(self._orders.has_hole(order.uuid) for order in every)
        return complete and not holed and ago <= self._account.unfilled_kept

    async def _read_kept(self, kind: str, reading: Reading, *, learning: bool) -> bool:
        """As ``_read_orders``, of any other kind."""
        kept = self._story.kept[kind]
        losses, complete = self._losses, kept.complete
        kept.ask()
        told = await self._converse(self._asking(kind, reading))
        if learning and losses != self._losses:
            return False
        if learning:
            kept.learn(told)
        else:
            for missed in _each(kept.missed(told)):
                self._deliver(missed, reading)
        kept.complete = True
        return complete

    def _asking(self, kind: str, reading: Reading) -> Asking[Any]:
        """What the venue asks to know how things of a kind stand; ``Account.kinds`` says which it can ask for."""
        asking: Mapping[str, Callable[[], Asking[Any]] | None] = {
            "myAsset": self._account.held,
            "myPosition": self._account.positions,
            "balanceAndPosition": self._account.cash,
            "myFill": None if self._account.fills is None else partial(self._account.fills, *self._span(reading)),
        }
        found = asking[kind]
        assert found is not None  # noqa: S101 - the kinds say so
        return found()

    async def _news(self, order: MyOrderEvent) -> list[MyOrderEvent]:
        if not self._orders.is_news(order) or not self._orders.lacks_fills(order):
            return self._orders.missed(order, ())
        whole, fills = await self._converse(self._account.executed(order, self._signer.server_ms))
        return self._orders.missed(whole, fills)

    async def _closed_orders(self, reading: Reading) -> list[MyOrderEvent]:
        """Those that were made since; earlier by what a clock may be wrong, and a loss noticed late."""
        return await self._converse(self._account.ended(*self._span(reading)))

    def _span(self, reading: Reading) -> tuple[int, int]:
        """From when to when something may have been missed (Unix ms, UTC, the exchange's clock)."""
        session, now_ms = self._options.session, self._signer.server_ms
        early = OVERLAP + session.ping_interval + session.ping_timeout
        ago_ms = (self._clock.wall_ns() - reading.since_ns) // 1_000_000
        return now_ms - ago_ms - int(early * 1000), now_ms + int(OVERLAP * 1000)

    async def _converse(self, asking: Asking[Answer]) -> Answer:
        """Ask what the venue wants to ask, until it knows."""
        with closing(asking):
            try:
                question = next(asking)
                while True:
                    try:
                        told = await self._ask(question)
                    except HttpFailed as failed:
                        question = asking.throw(failed)
                    else:
                        question = asking.send(told)
            except StopIteration as known:
                answer: Answer = known.value
                return answer

    async def _ask(self, question: Question) -> Any:
        sign = self._signer.call(self._account, question.call)
        wanted = partial(self._wants, *self._kinds)
        signed = Signed(sign, self._whose, self._ready)
        return await self._persistence.ask(question.call.address, question.read, wanted, signed)

    async def _ready(self, last: HttpFailed | DecodeError | None) -> None:
        """The exchange's time is known; asked anew if a signature was too old."""
        if isinstance(last, HttpFailed) and last.status == TOO_OLD:
            self._signer.doubt()
        await self._signer.ready()

    def _deliver(self, event: Event, reading: Reading) -> None:
        marked = replace(event, received_ns=self._clock.wall_ns(), recovered=not reading.polled, polled=reading.polled)
        if self._options.keep_raw and self._venue.history:
            marked = replace(marked, raw=self._venue.history.frame(marked))
        reading.delivered.update(stream.subscription for stream in self._router.recovered(marked, self._tell.failed))

    def _wants(self, *kinds: str) -> bool:
        return _any_of(kinds, self._router.streams)


def _any_of(kinds: Iterable[str], streams: Iterable[Subscription]) -> bool:
    return any(stream.kind in kinds for stream in streams)


def _each(missed: Sequence[Event] | Event | None) -> Sequence[Event]:
    if missed is None:
        return ()
    return (missed,) if isinstance(missed, Event) else missed
