"""The holes in one connection's streams: each is told, and filled where that is possible."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence

from msgspec.structs import replace

from tapewire.hub.held import HELD_SECONDS, Held
from tapewire.hub.listening import Listener, Stream
from tapewire.hub.router import Router
from tapewire.model.events import Event
from tapewire.model.status import Disconnected, FeedEvent, Gap, Stale
from tapewire.model.subscription import Subscription
from tapewire.runtime.clock import Clock
from tapewire.runtime.conflicts import Conflicts
from tapewire.runtime.missed import missed_candles, missed_trades
from tapewire.runtime.recovery import Recovery
from tapewire.runtime.signing import Signer


class Holes:
    """Stands between one connection's router and the pool's recovery (``recovery.Hearing``).

    Args:
        venue, connection: where the holes are.
        failed: told of a callback that raised.
        signer: signs REST calls, on a connection with a key.

    Attributes:
        account: who looks after orders and balances; None: nobody can.
    """

    def __init__(  # noqa: PLR0917 - each handed in once, by the driver
        self,
        venue: str,
        connection: str,
        router: Router,
        clock: Clock,
        publish: Callable[[FeedEvent], None],
        recovery: Recovery,
        failed: Callable[[Listener, BaseException], None],
        signer: Signer | None,
    ) -> None:
        self._venue, self._connection, self._router, self._clock = venue, connection, router, clock
        self._publish, self._recovery, self._failed = publish, recovery, failed
        #: Streams of candles on a line of which some stream fell silent, until a snapshot shows how far they are.
        self._suspects: set[Subscription] = set()
        self._filling: Counter[Subscription] = Counter()
        router.conflicted = Conflicts(venue, connection, clock, publish).hear
        self.account = None if signer is None else recovery.watch(router, signer, failed, self._account_told)

    def look(self, stream: Stream, snapshot: Event) -> Gap | None:
        """A stream that was silent while the exchange had trades: the gap is told, and returned."""
        gap = missed_trades(self._venue, self._connection, self._clock.now(), stream, snapshot)
        if gap is not None:
            self.tell(gap)
        elif stream.subscription in self._suspects:
            self._suspects.discard(stream.subscription)
            candles = missed_candles(self._venue, self._connection, self._clock.now(), stream, snapshot)
            if candles is not None and self._recovery.takes(candles):
                self.tell(candles)
        return gap

    def hear(self, event: FeedEvent) -> None:
        """The machine told something: hand it on, unless it is a hole that can be filled."""
        if isinstance(event, Stale) and not event.over:
            self._suspects.update(one for one in self._router.streams if one.kind == "candle")
        elif isinstance(event, Disconnected):
            self._suspects.clear()  # the gap ledger tells what it cost
        taken = self.account is not None and self.account.hear(event)
        if taken and isinstance(event, Gap) and self._recovery.before:
            stream = self._router.streams.get(event.subscription)
            if stream is not None:
                self._hold(stream)
        if isinstance(event, Gap) and not taken:
            self.tell(event)
        else:
            self._publish(replace(event, state="filling") if taken else event)

    def tell(self, gap: Gap) -> None:
        """Tell it. One that can be filled is told as such, and looked after before anything else is delivered.

        One in which nothing seems to be missed is looked after in silence, and told again if something was.
        """
        stream = self._router.streams.get(gap.subscription)
        if stream is None or not self._recovery.takes(gap):
            self._publish(gap)
            return
        self._router.hole(stream)
        if self._recovery.before:
            self._hold(stream)
        self._publish(gap if gap.state == "nothing_missed" else replace(gap, state="filling"))
        self._filling[stream.subscription] += 1
        self._recovery.begin(self, stream, gap)

    def filled(self, stream: Stream, held: Held | None) -> None:
        """A hole is filled, or will not be: what waited for it alone is delivered."""
        if held is not None and stream.held is held:
            held.filled()

    def _account_told(self, gap: Gap) -> None:
        """What became of a hole of an account: nothing waits for it any more."""
        stream = self._router.streams.get(gap.subscription)
        if stream is not None:
            self.filled(stream, stream.held)

    def _hold(self, stream: Stream) -> None:
        if stream.held is None:
            stream.held = Held(stream)
            self._clock.call_at(self._clock.now().t + HELD_SECONDS, stream.held.let_go)
        stream.held.holes += 1

    def hears(self, stream: Stream) -> bool:
        """Whether anybody still wants this stream here."""
        return self._router.streams.get(stream.subscription) is stream

    def fill(self, stream: Stream, missed: Sequence[Event]) -> int:
        """Deliver what was missed; returns how many of them were new."""
        return self._router.fill(stream, missed, self._failed) if self.hears(stream) else 0

    def whole(self, stream: Stream) -> None:
        """Nothing more is filled."""
        self._filling[stream.subscription] -= 1
        self._router.whole(stream)

    def is_filling(self, subscription: Subscription) -> bool:
        """Whether what a stream missed is still being asked for, or a double of it may still come."""
        account = self.account
        return self._filling[subscription] > 0 or (account is not None and account.is_reading(subscription))
