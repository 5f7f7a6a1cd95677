"""What a trial of ``tapewire prove`` listens to at a venue: its markets, its streams, what can be judged of them."""

from __future__ import annotations

from msgspec import Struct

from tapewire.model.subscription import Subscription
from tapewire.sim.scenario import Scenario, listings
from tapewire.venues.contract import Venue
from tapewire.venues.registry import get_venue

#: Markets of a trial; the candle that is judged.
MARKETS, UNIT = 3, "1m"
#: Markets among which one of contracts is looked for.
KNOWN = 20


class Cast(Struct, frozen=True):
    """The parts of one trial.

    Attributes:
        venue: whose exchange.
        markets: all, whose trades are judged; of the first the candles are, too.
        states: streams of whole states, which are listened to.
        books: streams of books that are kept here, and judged; none: the exchange sends whole books.
        private: whether orders of the account are told, and can be asked for after a loss.
        held: the other kinds of the account of which that is true: fills, balances, positions.
        contract: the market, the last of all, that the account trades contracts in; ``""``: it has no positions.
    """

    venue: Venue
    markets: tuple[str, ...]
    states: tuple[Subscription, ...]
    books: tuple[Subscription, ...]
    private: bool
    held: tuple[str, ...] = ()
    contract: str = ""

    @property
    def closed(self) -> bool:
        """Whether the exchange tells how each window of a candle ended."""
        return self.venue.exchange is not None and UNIT in self.venue.exchange().rhythm.closing_units


def cast(name: str) -> Cast:
    """The parts of a trial of a venue.

    Raises:
        UnknownName: there is no such venue.
        ConfigError: it cannot be simulated.
    """
    venue = get_venue(name)
    kinds = () if venue.account is None else venue.account.kinds
    held = tuple(kind for kind in kinds if kind != "myOrder" and kind in venue.facts.kinds)
    markets = tuple(one.market.symbol for one in listings(Scenario(venue=name, markets=MARKETS)))
    contract = _contract(name) if "myPosition" in held else ""
    books = tuple(Subscription("orderbook", symbol) for symbol in markets[:2])
    kept = tuple(book for book in books if venue.keeps(book))
    whole = () if kept else books[1:]
    private = "myOrder" in venue.facts.kinds and venue.account is not None
    states = (Subscription("ticker", markets[0]), *whole)
    return Cast(venue, (*markets, contract) if contract else markets, states, kept, private, held, contract)


def _contract(name: str) -> str:
    """The first market of contracts that its simulated exchange knows."""
    known = listings(Scenario(venue=name, markets=KNOWN))
    return next(one.market.symbol for one in known if one.contract is not None)
