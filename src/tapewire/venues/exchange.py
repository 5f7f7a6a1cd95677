"""The other side of a venue: what its simulated exchange is asked, and what market it may speak of (pure).

``Venue.exchange()`` makes a ``VenueExchange``. ``tapewire.sim.peer`` drives it with time and limits; the market
behind it is any ``MarketView`` (``tapewire.sim.market`` in this package).
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from decimal import Decimal
from types import MappingProxyType
from typing import Literal, NamedTuple, Protocol, get_args
from urllib.parse import parse_qsl

from msgspec import Struct
from msgspec.structs import force_setattr

from tapewire.config import Secret
from tapewire.errors import ConfigError
from tapewire.model.events import CandleEvent, Event, OrderbookEvent, TickerEvent, TradeEvent
from tapewire.model.market import Market
from tapewire.venues.trading import Fill, NewOrder, Order, TradingDesk


class Due(NamedTuple):
    """Something the exchange publishes now; what is not set here is read from the market's state.

    ``kind`` is a kind of event, or ``close``: a candle of ``unit`` closed at ``ms`` (UTC). A ``candle`` stands for the
    candles of every unit, ``myPosition`` says that a position of the account changed. ``trade`` is set for trades,
    ``event`` for what only ``account`` may hear, or everybody (an announcement: ``account`` is ``""``). Kinds of venues
    that have deltas of books: ``orderbook-fast`` (see ``Rhythm``), ``still`` (the book has not changed for a while),
    ``restart`` (the numbering of the books of ``symbol`` begins again, ``""``: of all).

    Attributes:
        parts: the single matches of a trade that took several at one price, in order; empty: it is one.
        fill: what an order's event of the state ``trade`` tells of; ``asked``: the order as it was asked for.
        flaw: what is wrong with what is sent, by fault: ``checksum``.
    """

    kind: str
    symbol: str
    trade: TradeEvent | None = None
    event: Event | None = None
    account: str = ""
    unit: str = ""
    ms: int = 0
    parts: tuple[TradeEvent, ...] = ()
    fill: Fill | None = None
    asked: NewOrder | None = None
    flaw: str = ""


class Contract(Struct, frozen=True):
    """What one contract is.

    Attributes:
        worth: of one, in coins; of an inverse one in money.
        settle: the currency that it is paid in.
        inverse: worth so much money, paid in coins.
    """

    worth: Decimal
    settle: str
    inverse: bool = False


class Terms(Struct, frozen=True, kw_only=True):
    """What a venue's code says of a market.

    Attributes:
        base: what is bought. quote: what is paid.
        grouped: its book can be grouped by ten to 100,000 ticks.
        tick: mantissa and power of ten; None: by price, as Upbit's markets.
        lot: the smallest step of a size, in 1e-8.
        spot: bought coins are held; else it is a contract.
        contract: what one is, where customers can trade it.
    """

    base: str
    quote: str
    grouped: bool = False
    tick: tuple[int, int] | None = None
    lot: int = 1
    spot: bool = True
    contract: Contract | None = None


class Rhythm(Struct, frozen=True, kw_only=True):
    """How an exchange publishes; the defaults are Upbit's (2021 and 2026 captures).

    Attributes:
        book_pause: seconds between two books of one market at the least; up to ``book_spread`` more by chance.
        fast_pause: the same for the kind ``orderbook-fast``; None: there is none.
        ticker_pause: seconds between tickers, which tell of books too; None: one with each trade and only then.
        quiet: seconds after which a book that did not change is told again (``still``); None: never.
        depth: levels on each side of a book.
        late: part of the trades that are published out of order.
        counted: trade ids count the matches one by one; else they are made of the time.
        every_window: windows without trades have candles too.
        units: of candles; ``+8`` at the end: days begin at UTC+8.
        closing_units: those whose close is told, ``closing`` seconds after it.
    """

    book_pause: float = 0.295
    book_spread: float = 0.045
    fast_pause: float | None = None
    ticker_pause: float | None = None
    quiet: float | None = None
    depth: int = 30
    late: float = 0.05
    counted: bool = False
    every_window: bool = False
    units: tuple[str, ...] = (
        "1s", "1m", "3m", "5m", "10m", "15m", "30m", "60m", "240m", "1d", "1w", "1M", "1y",
    )  # fmt: skip
    closing_units: tuple[str, ...] = ("5m", "15m", "60m", "240m", "1d")
    closing: float = 1.1


class Ladder(NamedTuple):
    """A book in whole numbers, the best first: prices in units of ``10**power``, sizes in 1e-8."""

    asks: Mapping[int, int]
    bids: Mapping[int, int]
    power: int


class NothingThere(Exception):
    """A market cannot tell that: a tape does not hold it, or has not come to it yet."""


class Quotes(Protocol):
    """The present state of markets. Prices and sizes as ``float``, times in ms UTC.

    What returns events may raise ``NothingThere``.
    """

    @property
    def symbols(self) -> Collection[str]: ...
    def listing(self, symbol: str) -> Market: ...
    def ticker(self, symbol: str) -> TickerEvent: ...
    def last_trade(self, symbol: str) -> TradeEvent: ...
    def orderbook(self, symbol: str, level: float = 0) -> OrderbookEvent: ...
    def candle(self, symbol: str, unit: str) -> CandleEvent: ...


class Offer(Protocol):
    """What can be asked for."""

    @property
    def symbols(self) -> Collection[str]: ...

    def lacks(self, kind: str, symbol: str, detail: str = "") -> str:
        """Why there is no such stream (``detail``: unit of candles, level of a book), ``""``: there is."""
        ...


class MarketView(Quotes, Offer, Protocol):
    """What can be read of a market, its past too. Events carry no ``stream_type``.

    An event with ``raw`` is a recorded one: told as it was.
    """

    @property
    def now_ms(self) -> int: ...
    def tick_size(self, symbol: str) -> str: ...

    def ladder(self, symbol: str) -> Ladder:
        """The book now, every level that is shown."""
        ...

    def trades(self, symbol: str, before_ms: int, before_id: int | None, count: int) -> list[TradeEvent]:
        """Newest first: executed before ``before_ms``, with an id lower than ``before_id``."""
        ...

    def candles(self, symbol: str, unit: str, before_ms: int, count: int) -> list[CandleEvent]:
        """Newest first: windows that begin before ``before_ms``; ``unit`` also ``1d 1w 1M 1y``."""
        ...


_USUAL = "sim-passphrase"
#: What a key may do: see balances, see orders, place and cancel orders.
Permission = Literal["view_accounts", "view_orders", "trade"]


class SimKey(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One API key of a simulated exchange.

    Attributes:
        access_key, secret_key: as a client is given them; the secret is shown by no ``repr``.
        permissions: what it may do.
        ips: addresses it may be used from; none named: from anywhere.
        expired: its year is over.
        account: whose balances and orders it sees; keys of one account see the same.
        passphrase: the third part of a key where a venue has one; None: ``sim-passphrase``.
    """

    access_key: str
    secret_key: Secret
    permissions: frozenset[Permission] = frozenset({"view_accounts", "view_orders", "trade"})
    ips: tuple[str, ...] = ()
    expired: bool = False
    account: str = "main"
    passphrase: Secret | None = None

    def __post_init__(self) -> None:
        for name in ("secret_key", "passphrase"):
            given: object = getattr(self, name)
            if given is not None and not isinstance(given, Secret):
                force_setattr(self, name, Secret(given))
        if not self.access_key:
            raise ConfigError("access_key", self.access_key, "a text that is not empty")
        if unknown := sorted(self.permissions - set(get_args(Permission))):
            raise ConfigError("permissions", unknown[0], f"some of {', '.join(get_args(Permission))}")

    @property
    def phrase(self) -> str:
        """The passphrase, in clear."""
        return _USUAL if self.passphrase is None else self.passphrase.reveal()


class Caller(Struct, frozen=True):
    """Who opened a connection: to which side of the exchange, with which key (public: none), from which address."""

    side: str = "public"
    key: SimKey | None = None
    address: str = ""


class HttpCall(Struct, frozen=True):
    """One HTTP request.

    Attributes:
        path: of the address.
        query: what stands behind ``?``, percent-encoded as it was sent.
        headers: names in lower case.
        address: whose limits it counts against.
        method, body: as sent.
    """

    path: str
    query: str = ""
    headers: Mapping[str, str] = MappingProxyType({})
    address: str = ""
    method: str = "GET"
    body: bytes = b""

    @property
    def parameters(self) -> list[tuple[str, str]]:
        """Name and value of each parameter of the query, decoded, in order; names may repeat."""
        return parse_qsl(self.query, keep_blank_values=True)


class Answer(Struct, frozen=True):
    """What an exchange says to one message: frames, then perhaps a close; ``subscribed`` when it was a wish granted.

    ``books`` are snapshots of books that deltas follow: they come after the frames, later by fault.
    """

    payloads: tuple[bytes, ...] = ()
    close: tuple[int, str] | None = None
    subscribed: bool = False
    books: tuple[bytes, ...] = ()


class HttpAnswer(Struct, frozen=True):
    """One HTTP answer."""

    status: int
    body: bytes
    headers: tuple[tuple[str, str], ...] = ()


class Conversation(Protocol):
    """The talk on one connection. Times are the exchange's seconds."""

    @property
    def deadline(self) -> float | None: ...

    def receive(self, now: float, payload: bytes, *, is_text: bool) -> Answer: ...

    def advance(self, now: float) -> list[bytes]:
        """Frames that are due by time alone."""
        ...

    def realtime(self, due: Due, cache: dict[object, bytes]) -> list[bytes]:
        """Frames of what the market publishes, for what was asked; ``cache`` is shared by all connections."""
        ...

    def error(self, name: str, message: str = "") -> Answer:
        """The exchange's word for a refusal in this connection's form."""
        ...

    def status(self) -> bytes:
        """The sign of life."""
        ...

    def farewell(self) -> bytes | None:
        """The word that the connection will be closed soon; None: this exchange has none."""
        ...

    def lost(self) -> None:
        """The connection is gone."""
        ...


class VenueExchange(Protocol):
    """One exchange's own side: addresses, talk, REST.

    ``idle_close`` is the close of a connection that is silent for ``idle_timeout``; None: it is just cut.
    ``passphrases``: keys have one.
    """

    ws_path: str
    tells_tapes: bool  # can speak of a market that is a recording
    candle_units: Mapping[str, str]  # the venue's word for a unit of candles → the market's, where they differ
    paths: Mapping[str, str]  # WebSocket path → the side it leads to
    is_text: bool
    too_many: str
    idle_timeout: float
    idle_close: tuple[int, str] | None
    rhythm: Rhythm
    passphrases: bool
    connects: tuple[tuple[int, float], ...]
    messages: tuple[tuple[int, float], ...]
    messages_per_address: bool
    origin: tuple[int, float] | None

    def handshake(self, path: str, headers: Mapping[str, str], address: str) -> HttpAnswer | Caller:
        """Who is let in; or why not. Names of headers are in lower case; ``address`` is the client's own."""
        ...

    def counts(self, payload: bytes) -> bool:
        """Whether this message counts against the message limits."""
        ...

    def conversation(self, market: MarketView, caller: Caller, desk: TradingDesk) -> Conversation: ...

    def observe(self, due: Due, market: MarketView) -> None:
        """Something is published: asked once for each, before any connection hears of it."""
        ...

    def told_order(self, order: Order) -> tuple[str, str]:
        """Id and state of an order as it stands, as customers are told them."""
        ...

    def terms(self, code: str, price: float | None) -> Terms:
        """What a market's code says; ``price`` is where it opens, None: nobody knows yet.

        Raises:
            ConfigError: this exchange has no such code.
        """
        ...

    def made_up(self, number: int) -> str:
        """A code for one more market."""
        ...

    def group(self, call: HttpCall) -> tuple[str, int, float]:
        """The limit that a REST call counts against: its name, and how many calls in how many seconds."""
        ...

    def http(self, call: HttpCall, market: MarketView, desk: TradingDesk) -> HttpAnswer:
        """Answer one REST call."""
        ...

    def refusal(self, status: int) -> HttpAnswer | None:
        """How this exchange words the refusal of a handshake with a status; None: no words of its own."""
        ...

    def limited(self, status: int, seconds: float | None) -> HttpAnswer:
        """The refusal of a handshake or call over the limits; ``seconds`` is the wait to state, None states none."""
        ...

    def http_headers(self, group: tuple[str, int, float], left: int) -> tuple[tuple[str, str], ...]:
        """Headers on every REST answer: ``left`` calls in this window of the group."""
        ...
