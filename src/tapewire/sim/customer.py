"""A customer who trades by himself, by seed: so that private streams have something to say without any code (pure)."""

from __future__ import annotations

from collections.abc import Iterable
from decimal import Decimal
from math import log

from tapewire.sim.desk import Desk
from tapewire.sim.market import Chance, SeededMarket
from tapewire.sim.pit import Pit
from tapewire.sim.rules import MINIMA
from tapewire.venues.exchange import Due
from tapewire.venues.trading import ZERO, NewOrder, Side

_OPEN = 5  # open orders at the most; then he cancels the oldest
_CANCELS, _AT_MARKET = 0.15, 0.4
_LEAST, _MOST = 2, 20  # worth of an order in the smallest that is allowed
_LEAST_KNOWN = Decimal(1)


class Customer:
    """Places an order or cancels one, again and again, within what the account can pay.

    Args:
        desk: where.
        market: whose clock and prices.
        account: whose money.
        pause: mean seconds between two deeds.
        chance: his own draws, so that he does not disturb the market's.
    """

    def __init__(self, desk: Desk, market: SeededMarket, account: str, pause: float, chance: Chance) -> None:
        self._desk, self._market, self._account, self._pause = desk, market, account, pause
        self._draw = chance.random
        self._symbols = sorted(symbol for symbol in market.symbols if market.pits[symbol].listing.spot)
        self._wait(0.0)

    def _wait(self, at: float) -> None:
        self._market.at(at - log(1.0 - self._draw()) * self._pause, self._act)

    def _act(self, at: float) -> Iterable[Due]:
        self._wait(at)
        waiting = [order for order in self._desk.orders(self._account) if order.state == "wait"]
        if waiting and (len(waiting) >= _OPEN or self._draw() < _CANCELS):
            self._desk.cancel(self._account, waiting[0].uuid)
        else:
            asked = self._order(self._market.pits[self._symbols[int(self._draw() * len(self._symbols))]])
            if asked is not None:
                self._desk.place(self._account, asked)
        return ()  # the desk tells it

    def _order(self, pit: Pit) -> NewOrder | None:
        """An order that the account can pay; None: it can pay neither side."""
        buys, at_market = self._draw() < 0.5, self._draw() < _AT_MARKET
        worth = MINIMA.get(pit.listing.market.quote, _LEAST_KNOWN) * (_LEAST + int(self._draw() * (_MOST - _LEAST)))
        away = 1 + int(self._draw() * 3)
        for side in self._sides(buys=buys):
            asked = self._priced(pit, side, worth, away, at_market=at_market)
            if asked is not None:
                return asked
        return None

    @staticmethod
    def _sides(*, buys: bool) -> tuple[Side, Side]:
        return ("bid", "ask") if buys else ("ask", "bid")

    def _priced(self, pit: Pit, side: Side, worth: Decimal, away: int, *, at_market: bool) -> NewOrder | None:
        symbol, market = pit.symbol, pit.listing.market
        own, *_ = pit.best(ask=side == "ask")
        ticks = max(1, own + (away if side == "ask" else -away))
        price = pit.tick.decimal(ticks)
        lot = Decimal(pit.listing.lot).scaleb(-8)
        volume = (worth / price) // lot * lot + lot
        free = {balance.currency: balance.free for balance in self._desk.balances(self._account)}
        if side == "bid" and free.get(market.quote, ZERO) < worth * 2:
            return None
        if side == "ask" and free.get(market.base, ZERO) < volume:
            return None
        if not at_market:
            return NewOrder(symbol=symbol, side=side, price=price, volume=volume)
        if side == "bid":
            return NewOrder(symbol=symbol, side=side, ord_type="price", price=worth)
        return NewOrder(symbol=symbol, side=side, ord_type="market", volume=volume)
