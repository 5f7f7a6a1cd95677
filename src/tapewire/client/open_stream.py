"""An iterator whose streams come and go while it is iterated, and may go on where somebody else's ended."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from typing import Any

from tapewire.client.component import Component
from tapewire.config import MailboxOptions
from tapewire.errors import FeedError
from tapewire.hub.mailbox import Mailbox
from tapewire.hub.stream import EventStream
from tapewire.model.reached import Reached
from tapewire.model.subscription import Subscription
from tapewire.runtime.cursor_file import AccountState


class OpenStream(EventStream[Any]):
    """What ``WebSocketClient.open_stream`` gives: iterate it, and ``add`` and ``remove`` from another task.

    Args:
        component: of its client.
        mailbox: what waits.
        news_only: kinds whose state is asked for, so that it is known at once what was missed, but not iterated: with
            them events of a stream come in their order, what REST told of an outage among them.
    """

    def __init__(self, component: Component, mailbox: MailboxOptions, news_only: Collection[str]) -> None:
        pool = component.pool
        lag = pool.lag_reporter()
        self._component, self._pool, self._lag, self._news_only = component, pool, lag, frozenset(news_only)
        self._box = box = Mailbox(f"{component.name}:open", mailbox, on_full=self._hold, on_drop=lag)
        nothing = Subscription("", "")
        self._all, self._states = component.handle("open", nothing, "both"), component.handle("states", nothing, "both")
        self._news = component.handle("news", nothing, "realtime_only")
        self._all.bind(box.put, self._handle_ended)
        self._news.bind(box.put, self._handle_ended)
        self._states.bind(_leave_aside, self._handle_ended)
        component.boxes[box] = None
        pool.troubles.mailboxes.add(box)
        super().__init__(box, self._open, self._close)

    @property
    def subscriptions(self) -> tuple[Subscription, ...]:
        """All that it has asked for and that has not ended."""
        return self._all.subscriptions + self._news.subscriptions

    @property
    def live(self) -> frozenset[Subscription]:
        """Those of them that are confirmed: data came, or nothing spoke against it for the quiet time."""
        places = self._all.places() + self._news.places()
        return frozenset(place[1] for place in places if self._pool.is_live(place))

    async def add(
        self,
        subscriptions: Sequence[Subscription],
        reached: Iterable[Reached] = (),
        whose: str = "",
        story: AccountState | None = None,
    ) -> None:
        """Have these streams, too; those of ``reached`` go on there: what was missed since is filled, or told.

        ``whose``, ``story``: the account that they are of, and what was told of it elsewhere.

        Raises:
            SubscriptionError: none of one kind can be subscribed; then none of these is.
        """
        news = [one for one in subscriptions if one.kind in self._news_only]
        rest = [one for one in subscriptions if one.kind not in self._news_only]
        try:
            with self._pool.expect(reached, whose, story):
                for handle, wanted in ((self._all, rest), (self._news, news), (self._states, news)):
                    if wanted:
                        await handle.add_subscriptions(wanted)
        except FeedError:
            await self.remove({one.symbol for one in subscriptions})
            raise

    def story(self, whose: str) -> AccountState | None:
        """What was told of an account so far; None: not all of it is known now."""
        return self._pool.story(whose)

    def put(self, item: Any) -> None:
        """Let something of the caller's own be iterated, behind all that came before it."""
        self._box.put(item)

    async def remove(self, symbols: Iterable[str]) -> None:
        """Have all streams of these symbols no more; those that ended meanwhile are left alone."""
        leaving = frozenset(symbols)
        for handle in (self._all, self._news, self._states):
            await handle.remove([symbol for symbol in handle.symbols if symbol in leaving])

    def _hold(self, holding: bool) -> None:  # noqa: FBT001
        for handle in (self._all, self._news):
            handle.hold(holding)

    async def _open(self) -> None:
        for handle in (self._all, self._news, self._states):
            self._component.begun(handle)
        self._pool.feed_listeners.append(self._box.put)

    def _close(self) -> None:
        self._lag.flush(self._box)  # so that it is the last that is iterated
        for handle in (self._all, self._news, self._states):
            handle.end()
            self._component.ended(handle)
        self._box.close()
        self._lag.flush(self._box)
        if self._box.put in self._pool.feed_listeners:
            self._pool.feed_listeners.remove(self._box.put)
        self._component.box_gone(self._box)

    def _handle_ended(self, error: FeedError | None) -> None:
        """One of its handles ended: what it had is gone, and with an error so is all."""
        if error is not None:
            self._box.close(error)


def _leave_aside(_event: Any) -> None:
    """A state that only has to come."""
