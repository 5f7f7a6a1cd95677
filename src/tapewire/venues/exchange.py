"""The other side of a venue: what its simulated exchange is asked, and what market it may speak of (pure).

``Venue.exchange()`` makes a ``VenueExchange``. ``tapewire.sim.peer`` drives it with time and limits; the market
behind it is any ``MarketView`` (``tapewire.sim.market`` in this package).
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from types import MappingProxyType
from typing import Literal, NamedTuple, Protocol, get_args
from urllib.parse import parse_qsl

from msgspec import Struct
from msgspec.structs import force_setattr

from tapewire.config import Secret
from tapewire.errors import ConfigError
from tapewire.model.events import CandleEvent, Event, OrderbookEvent, TickerEvent, TradeEvent
from tapewire.model.market import Market
from tapewire.venues.trading import TradingDesk


class Due(NamedTuple):
    """Something the exchange publishes now; what is not set here is read from the market's state.

    ``kind`` is a kind of event, or ``close``: a candle of ``unit`` closed at ``ms`` (UTC). A ``candle`` stands for the
    candles of every unit. ``trade`` is set for trades, ``event`` for what only ``account`` may hear, or everybody
    (an announcement: ``account`` is ``""``).
    """

    kind: str
    symbol: str
    trade: TradeEvent | None = None
    event: Event | None = None
    account: str = ""
    unit: str = ""
    ms: int = 0


class MarketView(Protocol):
    """What can be read of a market. Prices and sizes as ``float``, times in ms UTC; events carry no ``stream_type``."""

    @property
    def now_ms(self) -> int: ...
    @property
    def symbols(self) -> Collection[str]: ...
    def listing(self, symbol: str) -> Market: ...
    def tick_size(self, symbol: str) -> str: ...
    def ticker(self, symbol: str) -> TickerEvent: ...
    def last_trade(self, symbol: str) -> TradeEvent: ...
    def orderbook(self, symbol: str, level: float = 0) -> OrderbookEvent: ...
    def candle(self, symbol: str, unit: str) -> CandleEvent: ...

    def trades(self, symbol: str, before_ms: int, before_id: int | None, count: int) -> list[TradeEvent]:
        """Newest first: executed before ``before_ms``, with an id lower than ``before_id``."""
        ...

    def candles(self, symbol: str, unit: str, before_ms: int, count: int) -> list[CandleEvent]:
        """Newest first: windows that begin before ``before_ms``; ``unit`` also ``1d 1w 1M 1y``."""
        ...


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
    """

    access_key: str
    secret_key: Secret
    permissions: frozenset[Permission] = frozenset({"view_accounts", "view_orders", "trade"})
    ips: tuple[str, ...] = ()
    expired: bool = False
    account: str = "main"

    def __post_init__(self) -> None:
        given: object = self.secret_key
        if not isinstance(given, Secret):
            force_setattr(self, "secret_key", Secret(given))
        if not self.access_key:
            raise ConfigError("access_key", self.access_key, "a text that is not empty")
        if unknown := sorted(self.permissions - set(get_args(Permission))):
            raise ConfigError("permissions", unknown[0], f"some of {', '.join(get_args(Permission))}")


class Caller(Struct, frozen=True):
    """Who opened a connection: to which side of the exchange, with which key (public: none)."""

    side: str = "public"
    key: SimKey | None = None


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
    """What an exchange says to one message: frames, then perhaps a close; ``subscribed`` when it was a wish granted."""

    payloads: tuple[bytes, ...] = ()
    close: tuple[int, str] | None = None
    subscribed: bool = False


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


class VenueExchange(Protocol):
    """One exchange's own side: addresses, talk, REST."""

    ws_path: str
    paths: Mapping[str, str]  # WebSocket path → the side it leads to
    is_text: bool
    too_many: str
    idle_timeout: float
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

    def conversation(self, market: MarketView, caller: Caller) -> Conversation: ...

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
