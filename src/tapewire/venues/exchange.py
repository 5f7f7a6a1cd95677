"""The other side of a venue: what its simulated exchange is asked, and what market it may speak of (pure).

``Venue.exchange()`` makes a ``VenueExchange``. ``tapewire.sim.peer`` drives it with time and limits; the market
behind it is any ``MarketView`` (``tapewire.sim.market`` in this package).
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import NamedTuple, Protocol

from msgspec import Struct

from tapewire.model.events import CandleEvent, OrderbookEvent, TickerEvent, TradeEvent
from tapewire.model.market import Market


class Due(NamedTuple):
    """Something the market publishes now. ``trade`` is set for trades; all else is read from the market's state.

    A ``candle`` stands for the candles of every unit.
    """

    kind: str
    symbol: str
    trade: TradeEvent | None = None


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
    is_text: bool
    too_many: str
    idle_timeout: float
    connects: tuple[tuple[int, float], ...]
    messages: tuple[tuple[int, float], ...]
    messages_per_address: bool
    origin: tuple[int, float] | None
    rest: tuple[int, float]

    def handshake(self, path: str, headers: Mapping[str, str]) -> HttpAnswer | None:
        """Why this handshake is refused; None: it is not."""
        ...

    def counts(self, payload: bytes) -> bool:
        """Whether this message counts against the message limits."""
        ...

    def conversation(self, market: MarketView) -> Conversation: ...

    def group(self, path: str) -> str:
        """The REST limit's group of a path."""
        ...

    def http(self, path: str, query: Mapping[str, str], market: MarketView) -> HttpAnswer:
        """Answer one GET."""
        ...

    def limited(self, status: int, seconds: float | None) -> HttpAnswer:
        """The refusal of a handshake or call over the limits; ``seconds`` is the wait to state, None states none."""
        ...

    def http_headers(self, group: str, left: int) -> tuple[tuple[str, str], ...]:
        """Headers on every REST answer: ``left`` calls in this second."""
        ...
