"""What the live view knows of the feed: events in, quotes and figures out (time is handed in)."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Mapping

from msgspec import Struct

from tapewire.apps.cli.news import News
from tapewire.apps.cli.terminal import Styled, event_line, plain
from tapewire.apps.cli.view.quotes import IN_QUOTE, MarketNow, Quote
from tapewire.client import Statistics
from tapewire.model.events import Event, TradeEvent
from tapewire.model.health import HealthStatus
from tapewire.model.market import Market
from tapewire.model.status import FeedEvent, Gap, Rejected, Stale

_NOTES = 200  # kept
_PACE = 3.0  # seconds over which messages a second are counted


class Wire(Struct, frozen=True):
    """One connection's figures; ``rate`` in messages a second, ``retry_in`` in seconds."""

    name: str
    state: str
    streams: int
    rate: float
    total: int
    reconnects: int
    retry_in: float | None
    last_error: str | None


class Figures(Struct, frozen=True):
    """All connections together.

    ``unfilled``: gaps in which messages may be missing. Latencies are in ms from the exchange's time stamp to the
    receipt, None: no samples.
    """

    wires: tuple[Wire, ...] = ()
    rate: float = 0.0
    total: int = 0
    reconnects: int = 0
    unfilled: int = 0
    quarantined: int = 0
    p50: float | None = None
    p99: float | None = None
    health: str = ""
    reasons: tuple[str, ...] = ()


class Picture:
    """Keeps the newest of everything; how often it is looked at does not depend on how much is heard.

    Args:
        symbols: the markets, in the order asked for.
        kinds: what was subscribed (``ticker``, ``trade`` …): panels of other kinds are left out.
        now: monotonic seconds.

    Attributes:
        heard: events so far. version: grows with every change that can be seen.
        notes: the feed's news, and events that belong to no market: (seconds since the start, style and text).
    """

    def __init__(self, symbols: Iterable[str], kinds: Iterable[str], now: float) -> None:
        self.kinds = frozenset(kinds)
        self.heard = 0
        self.version = 0
        self.now = now
        self.figures = Figures()
        self.notes: deque[tuple[float, Styled]] = deque(maxlen=_NOTES)
        self._markets = {symbol: MarketNow(symbol) for symbol in symbols if symbol}
        self._started = now
        self._news = News()
        self._unfilled = 0
        self._pace: deque[tuple[float, Mapping[str, int]]] = deque()

    @property
    def quotes(self) -> list[Quote]:
        """One for each market, as of the last ``advance``."""
        return [market.quote for market in self._markets.values()]

    def hear(self, event: Event) -> None:
        """Take one event in: this is what a message costs."""
        self.heard += 1
        kind = event.kind
        market = self._markets.get(event.symbol)
        if market is None or kind not in IN_QUOTE:
            self._note([("", event_line(event))])
            return
        market.latest[kind] = event
        market.fresh = True
        if isinstance(event, TradeEvent):
            market.trades.append(event)

    def hear_step(self, event: FeedEvent) -> None:
        """Take a step of the feed in, as of the last ``advance``."""
        self._note(self._news.hear(event, self.now))
        match event:
            case Gap(state="unfilled"):
                self._unfilled += 1
            case Rejected():
                self.refuse(subscription.symbol for subscription in event.subscriptions)
            case Stale() if event.subscription.symbol in self._markets:
                market = self._markets[event.subscription.symbol]
                (market.silent.discard if event.over else market.silent.add)(str(event.subscription))
                self._mark(event.subscription.symbol, stale=bool(market.silent))
            case _:
                pass

    def refuse(self, symbols: Iterable[str]) -> None:
        """The exchange does not serve these (until something comes of them)."""
        for symbol in set(symbols):
            self._mark(symbol, refused=True)

    def name(self, markets: Iterable[Market]) -> None:
        """Learn the markets' names: the local one where there is one."""
        for market in markets:
            self._mark(market.symbol, name=market.local_name or market.name or "")

    def tell(self, style: str, text: str) -> None:
        """Add a line to the news."""
        self._note([(style, plain(text))])

    def advance(self, now: float) -> None:
        """Make the quotes as of ``now``, monotonic seconds."""
        self.now = now
        self._note(self._news.late(now))
        for market in self._markets.values():
            self.version += market.advance(now)

    def observe(self, now: float, statistics: Statistics, health: HealthStatus | None = None) -> None:
        """Take the connections' figures in, and how well the feed is (None: not known)."""
        totals = {one.name: sum(one.messages.values()) for one in statistics.connections}
        self._pace.append((now, totals | {"": statistics.total_processed}))
        while len(self._pace) > 2 and now - self._pace[0][0] > _PACE:
            self._pace.popleft()
        latency = statistics.latency_ms
        wires = tuple(
            Wire(
                one.name, one.state, one.subscriptions, self._rate(one.name), totals[one.name], one.reconnects,
                one.retry_in, one.last_error,
            )
            for one in statistics.connections
        )  # fmt: skip
        state, reasons = (str(health.status), tuple(map(str, health.reasons))) if health else ("", ())
        p50, p99 = (latency.p50, latency.p99) if latency else (None, None)
        figures = Figures(
            wires, self._rate(""), statistics.total_processed, statistics.reconnects, self._unfilled,
            statistics.quarantined, p50, p99, state, reasons,
        )  # fmt: skip
        self.version += figures != self.figures
        self.figures = figures

    def _mark(self, symbol: str, **changes: object) -> None:
        if symbol in self._markets:
            self._markets[symbol].change(**changes)
            self.version += 1

    def _note(self, lines: Iterable[Styled]) -> None:
        for line in lines:
            self.notes.append((self.now - self._started, line))
            self.version += 1

    def _rate(self, name: str) -> float:
        (then, before), (now, after) = self._pace[0], self._pace[-1]
        return max(after.get(name, 0) - before.get(name, 0), 0) / (now - then) if now > then else 0.0
