"""Holds what was told of an account, but its orders, against the exchange's own books: fills, balances, positions."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping
from decimal import Decimal

from tapewire.client import WebSocketClient
from tapewire.model.events import Event, MyAssetEvent, PositionEvent
from tapewire.model.positions import BalanceAndPositionEvent, FillEvent
from tapewire.model.status import FeedEvent, Subscribed
from tapewire.model.subscription import Subscription
from tapewire.sim.server import Simulator
from tapewire.testing.cast import Cast
from tapewire.testing.clock import elapse
from tapewire.testing.other_streams import Execution, FillAccount, judge_fills, matches_of
from tapewire.venues.trading import ZERO, Position, Side

#: One figure of the account: kind of the stream that tells it, its name there.
Row = tuple[str, str]
#: Mean seconds between two orders of contracts; how far from the best price they may trade; contracts of one at most.
PAUSE, FAR, MOST = 90.0, Decimal("0.02"), 3
#: Seconds in which the last changes of the account may still arrive.
LAST = 60


class AccountTruth:
    """One account of a trial.

    Args:
        cast: of the trial.
        simulator: of the trial.
        draw: gives a seeded number in [0, 1) at each call.
        hear: told each event.
    """

    def __init__(
        self, cast: Cast, simulator: Simulator, draw: Callable[[], float], hear: Callable[[Event], None]
    ) -> None:
        self._cast, self._simulator, self._draw, self._hear = cast, simulator, draw, hear
        self._since: int | None = None
        self._fills: Counter[Execution] = Counter()
        self._told: dict[Row, Decimal] = {}

    async def subscribe(self, client: WebSocketClient) -> None:
        """Listen to all that the exchange tells, and REST can tell again."""
        if self._cast.held:
            self._told = dict(self._own())
            await client.subscribe([Subscription(kind, "") for kind in self._cast.held], self._take)

    def told(self, event: FeedEvent) -> None:
        """Something happened on the feed: from when its stream stands, fills count."""
        if isinstance(event, Subscribed) and self._since is None:
            begun = any(stream.kind == "myFill" for stream in event.subscriptions)
            self._since = self._simulator.exchange.market.now_ms + 1 if begun else None

    async def trade(self) -> None:
        """Buy and sell contracts until cancelled, so that there are positions: open, turned over, closed."""
        market, symbol = self._simulator.exchange.market, self._cast.contract
        while symbol:
            await elapse(PAUSE * 2 * self._draw())
            held = next((one.volume for one in self._positions() if one.symbol == symbol), ZERO)
            closes = bool(held) and self._draw() < 0.4
            buys = held < 0 if closes else self._draw() < 0.5
            volume = abs(held) if closes else Decimal(1 + int(self._draw() * MOST))
            best, *_ = market.pits[symbol].best(ask=buys)
            ticks = int(best * (1 + FAR if buys else 1 - FAR))
            price = market.pits[symbol].tick.decimal(ticks)
            side: Side = "bid" if buys else "ask"
            self._simulator.place_order(symbol, side, price=price, volume=volume, time_in_force="ioc")

    async def settle(self) -> None:
        """Wait until what was told is what there is, ``LAST`` seconds at most: the last change may be under way."""
        for _ in range(LAST):
            if not self.wrong:
                return
            await elapse(1.0)

    @property
    def judged(self) -> int:
        """Balances and positions that the exchange has now, of each stream that tells them."""
        return len(self._own()) if self._cast.held else 0

    @property
    def wrong(self) -> list[Row]:
        """Those of them that were told otherwise last, or are told and are not there."""
        own = self._own() if self._cast.held else {}
        rows = own.keys() | self._told.keys()
        return sorted(row for row in rows if own.get(row, ZERO) != self._told.get(row, ZERO))

    def fills(self) -> FillAccount:
        """Of all fills since the stream stood."""
        made = self._simulator.orders() if self._since is not None else ()
        return judge_fills(made, self._fills, self._since or 0, self._simulator.exchange.venue.told_order)

    def figures(self) -> dict[str, int]:
        """Everything together, under the names that ``Proof`` gives it."""
        found = self.fills()
        return {
            "fills": found.made, "fills_missed": len(found.missed), "fills_twice": len(found.twice),
            "holdings": self.judged, "holdings_wrong": len(self.wrong),
        }  # fmt: skip

    def _take(self, event: Event) -> None:
        self._hear(event)
        if isinstance(event, FillEvent):
            self._fills.update(matches_of(event))
        elif isinstance(event, MyAssetEvent):
            for asset in event.assets:
                self._note("myAsset", f"{asset.currency} free", asset.balance)
                self._note("myAsset", f"{asset.currency} locked", asset.locked)
        elif isinstance(event, PositionEvent):
            self._note("myPosition", event.symbol, event.position)
        elif isinstance(event, BalanceAndPositionEvent):
            for cash in event.balances:
                self._note("balanceAndPosition", cash.currency, cash.balance)
            for change in event.positions:
                self._note("balanceAndPosition", change.symbol or "", change.position)

    def _note(self, kind: str, name: str, value: Decimal | None) -> None:
        self._told[kind, name] = value or ZERO

    def _positions(self) -> list[Position]:
        return self._simulator.exchange.desk.positions(self._simulator.keys[0].account)

    def _own(self) -> Mapping[Row, Decimal]:
        """Each row that is not 0, as the exchange has it."""
        rows: dict[Row, Decimal] = {}
        for one in self._simulator.exchange.desk.balances(self._simulator.keys[0].account):
            rows["myAsset", f"{one.currency} free"] = one.free
            rows["myAsset", f"{one.currency} locked"] = one.locked
            rows["balanceAndPosition", one.currency] = one.free + one.locked
        for held in self._positions():
            rows["myPosition", held.symbol] = rows["balanceAndPosition", held.symbol] = held.volume
        return {row: value for row, value in rows.items() if value and row[0] in self._cast.held}
