"""Orders and balances of a simulated exchange's customers: what matching writes and a venue's REST calls read (pure).

All amounts are exact decimals. A bid reserves its whole cost and the fee for it; what is not spent comes back when
the order ends. An ask reserves its volume; its fee is taken from what it earns (spec/upbit.md 4.5).
"""

from __future__ import annotations

from decimal import Context, Decimal
from typing import Literal, Protocol

from msgspec import Struct

Side = Literal["bid", "ask"]
OrderType = Literal["limit", "price", "market", "best"]
TimeInForce = Literal["ioc", "fok", "post_only"]
SmpType = Literal["reduce", "cancel_maker", "cancel_taker"]
#: What is wrong with an order; each venue has its own names for these.
Fault = Literal["market", "type", "price", "volume", "minimum", "funds", "identifier", "unknown"]

ZERO = Decimal(0)
#: Wide enough for every sum and product of prices, sizes and fees: nothing is ever rounded.
EXACT = Context(prec=60)


class OrderRefused(Exception):
    """An order or a cancellation that the exchange does not take.

    Attributes:
        fault: what is wrong.
        message: the same in words.
    """

    def __init__(self, fault: Fault, message: str) -> None:
        super().__init__(fault, message)
        self.fault, self.message = fault, message


class NewOrder(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """An order as a customer asks for it.

    Attributes:
        symbol: the market.
        side: ``"bid"`` buys, ``"ask"`` sells.
        ord_type: ``limit``; ``price``: a market buy for an amount; ``market``: a market sell; ``best``: at the best
            price of the other side, a buy for an amount, a sell of a volume.
        volume: in base units; None where an amount is spent.
        price: of one unit (``limit``), or the amount to spend.
        time_in_force: ``ioc`` or ``fok`` (``limit``, ``best``), ``post_only`` (``limit``).
        smp_type: what happens when it would meet an order of the same account; None: they trade.
        identifier: the customer's own name for it, unique in the account.
    """

    symbol: str
    side: Side
    ord_type: OrderType = "limit"
    volume: Decimal | None = None
    price: Decimal | None = None
    time_in_force: TimeInForce | None = None
    smp_type: SmpType | None = None
    identifier: str | None = None

    @property
    def spends(self) -> bool:
        """Whether it buys for an amount instead of a volume."""
        return self.side == "bid" and self.ord_type != "limit"


class Fill(Struct, frozen=True):
    """One execution of an order.

    ``funds`` is price times volume, ``buys`` the taker's side, ``ms`` its time (UTC), ``trade`` the id of the public
    trade.
    """

    uuid: str
    price: Decimal
    volume: Decimal
    funds: Decimal
    fee: Decimal
    is_maker: bool
    buys: bool
    ms: int
    trade: int = 0


class Position(Struct):
    """Contracts of one market.

    ``volume`` is negative for a short position; ``profit`` is what was realized, without the ``fee`` paid; ``trade``
    and ``ms`` are the last execution's.
    """

    symbol: str
    volume: Decimal = ZERO
    mean: Decimal = ZERO
    profit: Decimal = ZERO
    fee: Decimal = ZERO
    opened_ms: int = 0
    ms: int = 0
    trade: int = 0


class Order(Struct, kw_only=True):
    """One order from its placement to its end.

    At any time: ``executed + prevented + remaining = volume``; of a bid ``paid_fee + remaining_fee = reserved_fee``
    (what SMP took is reserved no longer); ``locked`` is what lies in it now, 0 after its end: of a ``contract`` the
    margin and the fee, given back part by part as it is executed. ``ended_ms`` is when it ended (Unix ms, UTC), 0
    while it waits.
    """

    uuid: str
    account: str
    asked: NewOrder
    fee_rate: Decimal
    ms: int
    state: Literal["wait", "done", "cancel"] = "wait"
    locked: Decimal
    reserved_fee: Decimal
    paid_fee: Decimal = ZERO
    executed_volume: Decimal = ZERO
    executed_funds: Decimal = ZERO
    prevented_volume: Decimal = ZERO
    prevented_locked: Decimal = ZERO
    fills: list[Fill] = []
    contract: bool = False
    ended_ms: int = 0

    @property
    def remaining_volume(self) -> Decimal | None:
        """What is left to trade; None for an order that spends an amount."""
        if self.asked.volume is None:
            return None
        return self.asked.volume - self.executed_volume - self.prevented_volume

    @property
    def remaining_funds(self) -> Decimal:
        """The amount that is left to spend, without fee (orders that spend an amount)."""
        return (self.asked.price or ZERO) - self.executed_funds - self.prevented_locked

    @property
    def remaining_fee(self) -> Decimal:
        """What is reserved for fees and not paid."""
        return self.reserved_fee - self.paid_fee if self.asked.side == "bid" else ZERO

    @property
    def complete(self) -> bool:
        """Nothing is left of it."""
        remaining = self.remaining_volume
        return (self.remaining_funds if remaining is None else remaining) == 0

    def execute(self, fill: Fill) -> None:
        """Count an execution in."""
        share = self._share(fill.volume)
        self.fills.append(fill)
        self.executed_volume += fill.volume
        self.executed_funds += fill.funds
        self.paid_fee += fill.fee
        if self.contract:
            self.locked -= share
        else:
            self.locked -= fill.funds + fill.fee if self.asked.side == "bid" else fill.volume

    def _share(self, volume: Decimal) -> Decimal:
        """What of the margin belongs to so much of what remains."""
        remaining = self.remaining_volume
        return self.locked * volume / remaining if remaining else ZERO

    def prevent(self, volume: Decimal, amount: Decimal) -> Decimal:
        """Self-match prevention takes ``volume`` (worth ``amount``) away; what that releases, its fee too."""
        share = self._share(volume)
        self.prevented_volume += volume
        if self.contract:
            self.prevented_locked += share
            released = share
        elif self.asked.side == "ask":
            self.prevented_locked += volume
            released = volume
        else:
            self.prevented_locked += amount
            self.reserved_fee -= amount * self.fee_rate
            released = amount * (1 + self.fee_rate)
        self.locked -= released
        return released

    def end(self, state: Literal["done", "cancel"]) -> Decimal:
        """It is over; what that releases."""
        self.state = state
        released, self.locked = self.locked, ZERO
        return released


class Balance(Struct):
    """One currency of an account: what is free, what lies in orders, at what mean price it was bought."""

    currency: str
    free: Decimal = ZERO
    locked: Decimal = ZERO
    avg_buy_price: Decimal = ZERO


class TradingDesk(Protocol):
    """Where customers' orders are taken and matched."""

    def balances(self, account: str) -> list[Balance]:
        """All currencies of an account, in the order in which it got them."""
        ...

    def positions(self, account: str) -> list[Position]:
        """All positions of an account, in the order in which they came; some may be closed."""
        ...

    def orders(self, account: str) -> list[Order]:
        """All orders that are still known, oldest first."""
        ...

    def place(self, account: str, asked: NewOrder) -> Order:
        """Take an order; what it meets is traded at once.

        Raises:
            OrderRefused: naming what is wrong.
        """
        ...

    def amend(self, account: str, uuid: str, *, price: Decimal | None = None, volume: Decimal | None = None) -> Order:
        """Give an open order another price, another volume (of all, what was executed too) or both.

        It loses its place among those of its price, and what it meets is traded at once.

        Raises:
            OrderRefused: naming what is wrong; nothing has changed then.
        """
        ...

    def cancel(self, account: str, uuid: str) -> Order:
        """Cancel an open order.

        Raises:
            OrderRefused: ``unknown``.
        """
        ...
