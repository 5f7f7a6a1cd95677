"""What was told of an account so far, kind by kind: what another line, or another process, goes on with."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import Any, Protocol

from tapewire.model.events import Event, MyOrderEvent
from tapewire.runtime.cursor_file import AccountState
from tapewire.session.fills import Fills
from tapewire.session.positions import CashAndPositions, Positions
from tapewire.session.reconcile import Balances, Orders
from tapewire.venues.contract import OrderWords

#: Kind → its name in ``AccountState``.
_SAVED = {"myAsset": "balances", "myPosition": "positions", "balanceAndPosition": "cash", "myFill": "fills"}


class Kept(Protocol):
    """What was told of one kind but orders, each with its own form of what it is told and of what it tells."""

    complete: bool

    def state(self) -> Any: ...
    def resume(self, state: Any, /) -> None: ...
    def told(self, event: Any, /) -> bool: ...
    def ask(self) -> None: ...
    def learn(self, told: Any, /) -> None: ...
    def missed(self, told: Any, /) -> Sequence[Event] | Event | None: ...


class AccountStory:
    """The orders of one account, and all else by kind. ``words``: how the venue's order events are read."""

    def __init__(self, words: OrderWords) -> None:
        self.orders, self._fills = Orders(words), Fills()
        self.kept: dict[str, Kept] = {
            "myAsset": Balances(),
            "myPosition": Positions(),
            "balanceAndPosition": CashAndPositions(),
            "myFill": self._fills,
        }

    def is_complete(self, kind: str) -> bool:
        """Whether all that there was of a kind when its stream began is known."""
        return self.orders.complete if kind == "myOrder" else self.kept[kind].complete

    def begun(self, kinds: Collection[str], ms: int) -> None:
        """Streams of these kinds began (Unix ms, UTC, the exchange's clock); the first time counts."""
        for kind, one in (("myOrder", self.orders), ("myFill", self._fills)):
            if kind in kinds and one.begun_ms is None:
                one.begun_ms = ms

    def told(self, event: Event) -> bool:
        """A stream tells this; True: it was delivered already."""
        if isinstance(event, MyOrderEvent):
            return self.orders.told(event)
        kept = self.kept.get(event.kind)
        return kept is not None and kept.told(event)

    def state(self) -> AccountState | None:
        """For another process; None: nothing is known yet."""
        kept = {_SAVED[kind]: one.state() for kind, one in self.kept.items() if one.complete}
        orders = self.orders.state() if self.orders.complete else None
        return AccountState(orders, **kept) if kept or orders is not None else None

    def resume(self, state: AccountState) -> None:
        """Begin where another process ended; what this one knows already stays."""
        if state.orders is not None and not self.orders.complete:
            self.orders.resume(state.orders)
        for kind, one in self.kept.items():
            saved = getattr(state, _SAVED[kind])
            if saved is not None and not one.complete:
                one.resume(saved)

    def take(self, kind: str, other: AccountStory) -> None:
        """Go on with the other's story of a kind, all that only lives in this process included; it gets this one's."""
        if kind == "myOrder":
            self.orders, other.orders = other.orders, self.orders
        elif kind == "myFill":
            self._fills, other._fills = other._fills, self._fills
            self.kept[kind], other.kept[kind] = self._fills, other._fills
        else:
            self.kept[kind], other.kept[kind] = other.kept[kind], self.kept[kind]
