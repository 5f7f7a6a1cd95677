"""The exchange's trading desk: takes customers' orders, matches them with the market and each other, tells it (pure).

Every step of an order is told as it happens: a ``MyOrderEvent`` of the order as it is now, then a ``MyAssetEvent`` with
the new absolute balances of what changed. So an order's events tell one story: ``wait``, ``trade`` …, then ``done`` or
``cancel``; ``prevented`` where self-match prevention took a part.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from decimal import ROUND_DOWN, Decimal, localcontext
from hashlib import sha256

from msgspec.structs import replace

from tapewire.model.events import Asset, MyAssetEvent, MyOrderEvent
from tapewire.sim.book import UNIT
from tapewire.sim.holdings import Holdings, value
from tapewire.sim.market import SeededMarket
from tapewire.sim.pit import Done, Pit
from tapewire.sim.purse import Purse
from tapewire.sim.resting import Quote
from tapewire.sim.rules import check, ticks_of
from tapewire.venues.exchange import Due
from tapewire.venues.trading import EXACT, ZERO, Balance, Fill, NewOrder, Order, OrderRefused, Position

FEE_RATE = Decimal("0.0005")
#: How much more than its margin an order of contracts is worth.
LEVERAGE = 10
_SATOSHI = Decimal(1).scaleb(-8)
_ORDERS = 10_000  # kept of each account; the oldest that ended are forgotten
_STEPS = 1_000  # executions of one order at once; what is left then is cancelled


class Desk:
    """All customers' accounts and orders.

    Args:
        venue: name that events carry.
        market: where orders meet the others.
        seed: of the ids; the same seed and the same orders give the same ids.
        accounts: name → balances by currency at the beginning.
    """

    def __init__(
        self, venue: str, market: SeededMarket, seed: int, accounts: Mapping[str, Mapping[str, Decimal]]
    ) -> None:
        self._venue, self._market, self._seed = venue, market, seed
        self._purses = {name: Purse(balances) for name, balances in accounts.items()}
        self._orders: dict[str, dict[str, Order]] = {name: {} for name in accounts}
        self._holdings = {name: Holdings() for name in accounts}
        self._waiting: dict[str, tuple[Order, Quote]] = {}
        self._count = 0
        self._told: list[Due] = []
        market.settle = self._settle

    # -- what a customer may ask --------------------------------------------------------------------------------

    def balances(self, account: str) -> list[Balance]:
        """See ``TradingDesk.balances``."""
        return self._purses[account].balances()

    def positions(self, account: str) -> list[Position]:
        """See ``TradingDesk.positions``."""
        return self._holdings[account].all()

    def orders(self, account: str) -> list[Order]:
        """See ``TradingDesk.orders``."""
        return list(self._orders[account].values())

    def place(self, account: str, asked: NewOrder) -> Order:
        """See ``TradingDesk.place``. What happens is published at once."""
        pit = self._market.pits.get(asked.symbol)
        if pit is None:
            raise OrderRefused("market", f"no market {asked.symbol}")
        check(asked, pit.tick, pit.listing)
        self._check_known(account, asked)
        with localcontext(EXACT):
            order = self._opened(account, asked, pit)
            self._orders[account][order.uuid] = order
            self._tell(order, "wait")
            if not self._kept_out(order, pit):
                self._match(order, pit)
            if order.state == "wait":
                self._rest(order, pit)
        self._publish(asked.symbol)
        return order

    def cancel(self, account: str, uuid: str) -> Order:
        """See ``TradingDesk.cancel``."""
        order, quote = self._waiting.get(uuid, (None, None))
        if order is None or quote is None or order.account != account:
            raise OrderRefused("unknown", "no open order of that id")
        self._market.pits[order.asked.symbol].resting.take(quote, quote.left)
        with localcontext(EXACT):
            self._end(order, "cancel")
        self._publish(order.asked.symbol)
        return order

    def amend(self, account: str, uuid: str, *, price: Decimal | None = None, volume: Decimal | None = None) -> Order:
        """See ``TradingDesk.amend``."""
        order, quote = self._waiting.get(uuid, (None, None))
        if order is None or quote is None or order.account != account:
            raise OrderRefused("unknown", "no open order of that id")
        pit = self._market.pits[order.asked.symbol]
        asked = replace(order.asked, price=price or order.asked.price, volume=volume or order.asked.volume)
        check(asked, pit.tick, pit.listing)
        left = (asked.volume or ZERO) - order.executed_volume - order.prevented_volume
        if left <= 0:
            raise OrderRefused("volume", f"{order.executed_volume} were executed, {asked.volume} is no more than that")
        with localcontext(EXACT):
            self._lock_anew(order, replace(asked, volume=left), pit)
            pit.resting.take(quote, quote.left)
            del self._waiting[uuid]
            order.asked = asked
            self._tell(order, "wait")
            self._match(order, pit)
            if order.state == "wait":
                self._rest(order, pit)
        self._publish(asked.symbol)
        return order

    # -- an order's way -----------------------------------------------------------------------------------------

    def _check_known(self, account: str, asked: NewOrder) -> None:
        """Room for one more order, and no second one of the same name."""
        orders = self._orders[account]
        if len(orders) == _ORDERS:
            oldest = next((uuid for uuid, known in orders.items() if known.state != "wait"), None)
            if oldest is None:
                raise OrderRefused("type", f"{_ORDERS:,} open orders, no more")
            del orders[oldest]
        if asked.identifier is not None and any(asked.identifier == one.asked.identifier for one in orders.values()):
            raise OrderRefused("identifier", f"identifier {asked.identifier} was used before")

    def _opened(self, account: str, asked: NewOrder, pit: Pit) -> Order:
        """A new order, its cost locked."""
        locked, fee, currency = _cost(asked, pit)
        self._purses[account].lock(currency, locked)
        return Order(
            uuid=self._uuid(), account=account, asked=asked, fee_rate=FEE_RATE, ms=self._market.now_ms, locked=locked,
            reserved_fee=fee, contract=pit.listing.contract is not None,
        )  # fmt: skip

    def _lock_anew(self, order: Order, rest: NewOrder, pit: Pit) -> None:
        """What lies in an order becomes what the rest of it costs now; if there is not so much, all stays as it was."""
        locked, fee, currency = _cost(rest, pit)
        purse = self._purses[order.account]
        purse.release(currency, order.locked)
        try:
            purse.lock(currency, locked)
        except OrderRefused:
            purse.lock(currency, order.locked)
            raise
        order.locked, order.reserved_fee = locked, order.paid_fee + fee

    def _kept_out(self, order: Order, pit: Pit) -> bool:
        """``post_only`` that would trade, ``fok`` that cannot be filled whole: cancelled."""
        limit, asked = self._limit(order, pit), order.asked
        if asked.time_in_force == "post_only":
            price, *_ = pit.best(ask=asked.side == "bid")
            keep_out = _within(price, limit, buys=asked.side == "bid")
        elif asked.time_in_force == "fok":
            keep_out = not self._fits(order, pit, limit)
        else:
            return False
        if keep_out:
            self._end(order, "cancel")
        return keep_out

    def _fits(self, order: Order, pit: Pit, limit: int | None) -> bool:
        """Whether the ladder as it stands holds the whole order."""
        ladder, buys = pit.ladder, order.asked.side == "bid"
        prices, sizes = (ladder.asks, ladder.ask_sizes) if buys else (ladder.bids, ladder.bid_sizes)
        units, funds = ZERO, ZERO
        for price, size in zip(prices, sizes, strict=True):
            if _within(price, limit, buys=buys):
                units += size
                funds += _amount(pit, price, size)
        if order.asked.spends:
            return funds >= order.remaining_funds
        return units >= (order.remaining_volume or ZERO) * UNIT

    def _match(self, order: Order, pit: Pit) -> None:
        """Trade with whatever is there, as far as price and size allow."""
        limit, buys = self._limit(order, pit), order.asked.side == "bid"
        for _ in range(_STEPS):
            price, _, quote = pit.best(ask=buys)
            size = self._room(order, pit, price)
            if order.state != "wait" or size == 0 or not _within(price, limit, buys=buys):
                break
            maker = self._waiting[quote.uuid][0] if quote is not None else None
            if quote is not None and maker is not None and maker.account == order.account and order.asked.smp_type:
                self._prevent(order, maker, quote, pit, size)
            else:
                trade = pit.execute(self._market.now_ms, size, buy=buys)
                self._market.done(order.asked.symbol, trade)
                uuid = self._uuid()
                if maker is not None:
                    self._fill(maker, trade, pit, uuid, is_maker=True)
                self._fill(order, trade, pit, uuid, is_maker=False)
        else:
            self._end(order, "cancel")
        if order.state == "wait" and (order.asked.ord_type != "limit" or order.asked.time_in_force in ("ioc", "fok")):
            self._end(order, "cancel")

    def _rest(self, order: Order, pit: Pit) -> None:
        ticks, units = ticks_of(order.asked, pit.tick), int((order.remaining_volume or ZERO) * UNIT)
        quote = Quote(order.uuid, ticks, units, order.asked.side == "ask")
        pit.resting.add(quote)
        self._waiting[order.uuid] = order, quote

    def _settle(self, symbol: str, trade: Done) -> Iterable[Due]:
        """The market traded with a waiting order."""
        if trade.maker is None:
            return ()
        order, pit = self._waiting[trade.maker.uuid][0], self._market.pits[symbol]
        with localcontext(EXACT):
            self._fill(order, trade, pit, self._uuid(), is_maker=True)
        told, self._told = self._told, []
        return told

    def _fill(self, order: Order, trade: Done, pit: Pit, uuid: str, *, is_maker: bool) -> None:
        price, volume = pit.tick.decimal(trade.price), _decimal(trade.size)
        contract = pit.listing.contract
        funds = price * volume if contract is None else value(contract, price, volume)
        fill = Fill(uuid, price, volume, funds, funds * order.fee_rate, is_maker, trade.buy, trade.ms, trade.id)
        before = order.locked
        order.execute(fill)
        purse, market = self._purses[order.account], pit.listing.market
        if contract is not None:
            profit = self._holdings[order.account].trade(pit.symbol, contract, fill, buys=order.asked.side == "bid")
            purse.release(contract.settle, before - order.locked)
            purse.settle(contract.settle, profit - fill.fee)
        elif order.asked.side == "bid":
            purse.spend(market.quote, before - order.locked)
            purse.earn(market.base, volume, price)
        else:
            purse.spend(market.base, volume)
            purse.earn(market.quote, funds - fill.fee)
        self._tell(order, "trade", fill)
        if contract is not None:
            self._told.append(Due("myPosition", pit.symbol, account=order.account))
        if order.complete:
            self._end(order, "done")

    def _prevent(self, order: Order, maker: Order, quote: Quote, pit: Pit, size: int) -> None:
        """Two orders of one account would meet: one of them, or both, give way (spec 4.5, ``smp_type``)."""
        both = min(size, quote.left)
        taken, met = {"reduce": (both, both), "cancel_maker": (0, quote.left), "cancel_taker": (size, 0)}[
            order.asked.smp_type or "reduce"
        ]
        price = quote.price
        if met:
            pit.resting.take(quote, met)
            self._give_way(maker, pit, price, met, whole=quote.left == 0)
        if taken:
            self._give_way(order, pit, price, taken, whole=order.asked.smp_type == "cancel_taker")

    def _give_way(self, order: Order, pit: Pit, price: int, size: int, *, whole: bool) -> None:
        volume = _decimal(size)
        amount = volume * ((order.asked.price or ZERO) if order.asked.ord_type == "limit" else pit.tick.decimal(price))
        if whole and order.asked.spends:
            amount = order.remaining_funds
        self._purses[order.account].release(_locks(order, pit), order.prevent(volume, amount))
        self._tell(order, "prevented")
        if order.complete:
            self._end(order, "cancel")

    def _end(self, order: Order, state: str) -> None:
        self._waiting.pop(order.uuid, None)
        pit = self._market.pits[order.asked.symbol]
        released = order.end("done" if state == "done" else "cancel")
        order.ended_ms = self._market.now_ms
        if released:
            self._purses[order.account].release(_locks(order, pit), released)
        self._tell(order, state)

    def _limit(self, order: Order, pit: Pit) -> int | None:
        """The worst price in ticks; None: any."""
        if order.asked.ord_type == "limit":
            return ticks_of(order.asked, pit.tick)
        return pit.best(ask=order.asked.side == "bid")[0] if order.asked.ord_type == "best" else None

    def _room(self, order: Order, pit: Pit, price: int) -> int:
        """How much it still wants at a price, in 1e-8 units."""
        remaining = order.remaining_volume
        if remaining is None:
            remaining = (order.remaining_funds / pit.tick.decimal(price)).quantize(_SATOSHI, ROUND_DOWN)
        return int(remaining * UNIT) // pit.listing.lot * pit.listing.lot

    # -- what is told -------------------------------------------------------------------------------------------

    def _publish(self, symbol: str) -> None:
        told, self._told = self._told, []
        self._market.tell(told)
        self._market.touched(symbol)

    def _tell(self, order: Order, state: str, fill: Fill | None = None) -> None:
        event = order_event(order, self._venue, self._market.now_ms, state, fill)
        asked = order.asked
        self._told.append(Due("myOrder", asked.symbol, event=event, account=order.account, fill=fill, asked=asked))
        changed = self._purses[order.account].changes()
        if changed:
            assets = [Asset(balance.currency, balance.free, balance.locked) for balance in changed]
            now_ms = self._market.now_ms
            told = MyAssetEvent(
                venue=self._venue, asset_uuid=self._uuid(), assets=assets, asset_timestamp=now_ms, timestamp=now_ms
            )
            self._told.append(Due("myAsset", "", event=told, account=order.account))

    def _uuid(self) -> str:
        self._count += 1
        text = sha256(b"%d %d" % (self._seed, self._count)).hexdigest()
        return f"{text[:8]}-{text[8:12]}-4{text[13:16]}-a{text[17:20]}-{text[20:32]}"


def order_event(order: Order, venue: str, now_ms: int, state: str, fill: Fill | None = None) -> MyOrderEvent:
    """An order as its owner hears of it; with ``fill`` price and volume are the execution's (spec/upbit.md 4.5)."""
    asked = order.asked
    mean = round(order.executed_funds / order.executed_volume, 8) if order.executed_volume else None
    return MyOrderEvent(
        venue=venue, symbol=asked.symbol, timestamp=now_ms, uuid=order.uuid, ask_bid=asked.side.upper(),
        order_type=asked.ord_type, state=state, trade_uuid=fill.uuid if fill else None,
        price=fill.price if fill else asked.price, avg_price=mean, volume=fill.volume if fill else asked.volume,
        remaining_volume=order.remaining_volume, executed_volume=order.executed_volume, trades_count=len(order.fills),
        reserved_fee=order.reserved_fee, remaining_fee=order.remaining_fee, paid_fee=order.paid_fee,
        locked=order.locked, executed_funds=order.executed_funds, time_in_force=asked.time_in_force,
        trade_fee=fill.fee if fill else None, is_maker=fill.is_maker if fill else None, identifier=asked.identifier,
        smp_type=asked.smp_type, prevented_volume=order.prevented_volume, prevented_locked=order.prevented_locked,
        trade_timestamp=fill.ms if fill else None, order_timestamp=order.ms,
    )  # fmt: skip


def _cost(asked: NewOrder, pit: Pit) -> tuple[Decimal, Decimal, str]:
    """What an order sets aside, the fee in it, and the currency of both."""
    contract = pit.listing.contract
    if contract is not None:
        cost = value(contract, asked.price or ZERO, asked.volume or ZERO)
        fee = cost * FEE_RATE
        return cost / LEVERAGE + fee, fee, contract.settle
    if asked.side == "ask":
        return asked.volume or ZERO, ZERO, pit.listing.market.base
    cost = (asked.price or ZERO) * (1 if asked.volume is None else asked.volume)
    fee = cost * FEE_RATE
    return cost + fee, fee, pit.listing.market.quote


def _locks(order: Order, pit: Pit) -> str:
    """The currency that lies in an order."""
    market, contract = pit.listing.market, pit.listing.contract
    if contract is not None:
        return contract.settle
    return market.base if order.asked.side == "ask" else market.quote


def _within(price: int, limit: int | None, *, buys: bool) -> bool:
    return limit is None or (price <= limit if buys else price >= limit)


def _decimal(units: int) -> Decimal:
    return Decimal(units).scaleb(-8)


def _amount(pit: Pit, price: int, size: int) -> Decimal:
    return pit.tick.decimal(price) * _decimal(size)
