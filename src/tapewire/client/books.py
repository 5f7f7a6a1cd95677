"""The part of the client that reads the order books which are kept from an exchange's changes."""

from __future__ import annotations

from tapewire.client.component import Component
from tapewire.errors import UsageError
from tapewire.model.book import DepthOrderbookEvent
from tapewire.runtime.pool import Place, Pool
from tapewire.venues.contract import Venue


class BookView:
    """What ``WebSocketClient`` can say of a book at any moment, whatever its subscribers heard last."""

    name: str
    venue: Venue
    _component: Component

    @property
    def _pool(self) -> Pool:
        raise NotImplementedError

    def book(self, symbol: str, *, depth: int | None = None) -> DepthOrderbookEvent | None:
        """The order book of a subscribed market as it is now. Never waits.

        Args:
            symbol: the market's code.
            depth: levels of each side, the best first; None: as many as the exchange keeps up to date.

        Returns:
            None: it is not known yet, or not to be trusted at present (``Stale`` tells why).

        Raises:
            UsageError: no book of this market is subscribed that is kept from changes: other books come whole, see
                ``latest``.
        """
        places = self._kept_books(symbol)
        if not places:
            raise UsageError(
                f"{self.name}: no order book of {symbol!r} is kept from changes here; subscribe_orderbook() it at a "
                "venue that sends changes, or use keep_latest('orderbook') and latest()"
            )
        for place in places:
            for driver in self._pool.drivers_of(place):
                event = driver.books.book(place[1], depth)
                if event is not None:
                    return event
        return None

    def book_is_spoilt(self, symbol: str) -> bool:
        """Whether the kept book of a market is not the exchange's any more, on every line that carries it."""
        drivers = [driver for place in self._kept_books(symbol) for driver in self._pool.drivers_of(place)]
        return bool(drivers) and all(driver.books.is_spoilt(symbol) for driver in drivers)

    def _kept_books(self, symbol: str) -> list[Place]:
        return [place for place in self._component.places() if place[1].symbol == symbol and self.venue.keeps(place[1])]
