"""Puts what a session has to tell into feed events, each with venue, connection and time."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from tapewire.model import status
from tapewire.model.line import Loss
from tapewire.model.subscription import Subscription
from tapewire.session.actions import Now, Publish
from tapewire.session.blocks import LIMITED
from tapewire.session.stale import Silence
from tapewire.venues.contract import Control

#: What dials are counted as (spec/upbit.md 7.1).
CONNECT_GROUP = "websocket-connect"


class Teller:
    """Speaks for one connection."""

    def __init__(self, venue: str, connection: str) -> None:
        self._venue, self._connection = venue, connection

    def say(self, now: Now, event: Callable[..., status.FeedEvent], **facts: Any) -> Publish:
        """An event of this class with these facts."""
        return Publish(event(venue=self._venue, connection=self._connection, at_ns=now.ns, **facts))

    def subscribed(self, now: Now, fresh: tuple[Subscription, ...]) -> list[Publish]:
        """One event for all newly confirmed streams; none, if there are none."""
        return [self.say(now, status.Subscribed, subscriptions=fresh)] if fresh else []

    def disconnected(
        self, now: Now, loss: Loss, attempt: int, *, wait: float | None = None, final: bool = False
    ) -> Publish:
        """``wait``: seconds until the next dial; None and not ``final``: nothing is wanted at present."""
        return self.say(now, status.Disconnected, loss=loss, attempt=attempt, retry_in=wait, final=final)

    def limited(self, now: Now, loss: Loss, wait: float) -> list[Publish]:
        """One event for a dial that was one too many; none for any other loss."""
        if loss.status not in LIMITED:
            return []
        return [self.say(now, status.Limited, group=CONNECT_GROUP, status=loss.status, seconds=wait)]

    def rejected(self, now: Now, control: Control, *culprits: Subscription) -> Publish:
        """An error of the exchange, and whom it ends for good."""
        facts = {"name": control.name, "message": control.message}
        return self.say(now, status.Rejected, **facts, subscriptions=culprits, final=bool(culprits))

    def noticed(self, now: Now, control: Control, *, moving: bool) -> Publish:
        """What the exchange let know; ``moving``: that it will close this line soon."""
        return self.say(now, status.Notice, name=control.name, message=control.message, moving=moving)

    def stale(self, now: Now, silence: Silence) -> Publish:
        """A stream beyond its rhythm, or back in it."""
        facts = {name: getattr(silence, name) for name in ("subscription", "silent", "limit", "over")}
        return self.say(now, status.Stale, **facts)
