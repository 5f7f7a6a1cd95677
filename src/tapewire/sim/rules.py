"""What the desk takes as an order: which fields go together, prices on the tick, sizes of eight decimals (pure)."""

from __future__ import annotations

from decimal import Decimal

from tapewire.sim.pit import Listing
from tapewire.sim.ticks import Tick
from tapewire.venues.trading import ZERO, Fault, NewOrder, OrderRefused

#: Smallest worth of an order by quote currency; Upbit Korea's own (docs, krw-market-info), others made up alike.
MINIMA = {
    "KRW": Decimal(5_000), "BTC": Decimal("0.00005"), "USDT": Decimal("0.5"), "SGD": Decimal("0.5"),
    "IDR": Decimal(10_000), "THB": Decimal(20),
}  # fmt: skip
_LARGEST = Decimal(10) ** 12
_IN_FORCE = {"limit": (None, "ioc", "fok", "post_only"), "best": ("ioc", "fok"), "price": (None,), "market": (None,)}


def check(asked: NewOrder, tick: Tick, listing: Listing) -> None:
    """Refuse what the exchange would refuse whatever is in the account.

    Args:
        asked: the order.
        tick: of its market.
        listing: its market.

    Raises:
        OrderRefused: names what is wrong.
    """
    _check_type(asked)
    needs_price = asked.ord_type == "limit" or asked.spends
    _check_number("price", asked.price, wanted=needs_price)
    _check_number("volume", asked.volume, wanted=not asked.spends)
    if asked.ord_type == "limit":
        ticks_of(asked, tick)
    if asked.volume is not None and asked.volume != round(asked.volume, 8):
        raise OrderRefused("volume", f"volume {asked.volume} has more than eight decimals")
    if asked.volume is not None and asked.volume.scaleb(8) % listing.lot:
        raise OrderRefused("volume", f"volume {asked.volume} is no multiple of {Decimal(listing.lot).scaleb(-8)}")
    if listing.contract is not None:
        if asked.ord_type != "limit":
            raise OrderRefused("type", f"contracts are traded with a limit, not {asked.ord_type}")
        return
    quote = listing.market.quote
    worth = (asked.price or ZERO) * (1 if asked.volume is None else asked.volume)
    if needs_price and worth < MINIMA.get(quote, ZERO):
        raise OrderRefused("minimum", f"{worth} {quote} is less than {MINIMA[quote]} {quote}")


def ticks_of(asked: NewOrder, tick: Tick) -> int:
    """A limit order's price in ticks.

    Raises:
        OrderRefused: it is between two ticks.
    """
    price = asked.price or ZERO
    ticks = price / tick.decimal(1)
    if ticks != int(ticks):
        raise OrderRefused("price", f"price {price} is no multiple of {tick}")
    return int(ticks)


def _check_type(asked: NewOrder) -> None:
    if {"price": "bid", "market": "ask"}.get(asked.ord_type, asked.side) != asked.side:
        raise OrderRefused("type", f"no {asked.side} of type {asked.ord_type}")
    if asked.time_in_force not in _IN_FORCE[asked.ord_type]:
        raise OrderRefused("type", f"time_in_force {asked.time_in_force} does not go with {asked.ord_type}")
    if asked.time_in_force == "post_only" and asked.smp_type is not None:
        raise OrderRefused("type", "post_only does not go with smp_type")


def _check_number(name: str, value: Decimal | None, *, wanted: bool) -> None:
    fault: Fault = "price" if name == "price" else "volume"
    if value is None:
        if wanted:
            raise OrderRefused(fault, f"{name} is missing")
    elif not wanted:
        raise OrderRefused(fault, f"{name} does not go with this type of order")
    elif not value.is_finite() or not ZERO < value <= _LARGEST:
        raise OrderRefused(fault, f"{name} {value} is not more than 0 and at most 1e12")
