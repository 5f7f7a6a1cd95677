"""Which of OKX's channels a subscription is: subscription ↔ channel, argument and path (spec/okx.md A1, A6, A7)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import msgspec
from msgspec import Struct

from tapewire.model.subscription import Subscription, as_detail

#: Kind → its channel, where it has but one.
CHANNELS: Mapping[str, str] = {
    "ticker": "tickers",
    "trade": "trades",
    "instrument": "instruments",
    "status": "status",
    "fundingRate": "funding-rate",
    "markPrice": "mark-price",
    "indexTicker": "index-tickers",
    "openInterest": "open-interest",
    "priceLimit": "price-limit",
    "liquidation": "liquidation-orders",
    "myOrder": "orders",
    "myAsset": "account",
    "myPosition": "positions",
    "balanceAndPosition": "balance_and_position",
    "myFill": "fills",
}
#: Order books that are sent whole, by the number of their levels (A6.4). All others are cut from ``books``.
FULL_BOOKS: Mapping[int, str] = {1: "bbo-tbt", 5: "books5"}
#: The book that has retail price improvement orders, too (A6.4).
RPI = "books-rpi"
#: Kind → channels that a ``detail`` may name in place of the usual one.
OTHERS: Mapping[str, tuple[str, ...]] = {"trade": ("trades-all",), "orderbook": ("books50-l2-tbt", "books-l2-tbt", RPI)}
#: Channels whose messages are changes of a book of so many levels a side (A6.4).
DELTA_BOOKS: Mapping[str, int] = {"books": 400, "books50-l2-tbt": 50, "books-l2-tbt": 400, RPI: 400}
#: Kinds that belong to a type of instrument, which the ``detail`` names (A6.6).
TYPED_KINDS: Mapping[str, tuple[str, ...]] = {
    "instrument": ("SPOT", "MARGIN", "SWAP", "FUTURES", "OPTION", "EVENTS"),
    "liquidation": ("SWAP", "FUTURES", "MARGIN", "OPTION"),
}
#: Kinds whose argument names a type beside or in place of a market; every type there is (A7.1, A7.3).
ANY_TYPE = ("myOrder", "myPosition")
#: Kinds that belong to no market at all.
MARKETLESS = ("status", "myAsset", "balanceAndPosition")
PRIVATE_KINDS = ("myOrder", "myAsset", "myPosition", "balanceAndPosition", "myFill")
_TIER = ("books50-l2-tbt", "books-l2-tbt")
_CHOSEN = {as_detail({"channel": name}): name for names in OTHERS.values() for name in names}
_KINDS = {channel: kind for kind, channel in CHANNELS.items()}


class Meaning(Struct, frozen=True):
    """What a channel is in tapewire's words; see ``Subscription`` for each."""

    kind: str
    unit: str | None = None
    depth: int | None = None
    detail: str = ""


def channel_of(subscription: Subscription) -> str:
    """The channel of a subscription that ``symbols.check`` found good.

    ``trade`` is ``trades``, with ``detail={"channel":"trades-all"}`` that; ``orderbook`` of one level is ``bbo-tbt``,
    of five ``books5``, of any other number or none ``books``, and those that want a login, and the
    one with RPI orders, are chosen by ``detail``.
    """
    kind = subscription.kind
    if kind in OTHERS and subscription.detail in _CHOSEN:
        return _CHOSEN[subscription.detail]
    if kind == "orderbook":
        return FULL_BOOKS.get(subscription.depth or 0, "books")
    return f"candle{subscription.unit}" if kind == "candle" else CHANNELS.get(kind, kind)


def meaning_of(channel: str) -> Meaning | None:
    """The reverse of ``channel_of`` as far as the name alone says it; None: a channel that is not known here."""
    if channel.startswith("candle"):
        return Meaning("candle", unit=channel.removeprefix("candle"))
    for depth, full in FULL_BOOKS.items():
        if channel == full:
            return Meaning("orderbook", depth=depth)
    if channel == "books":
        return Meaning("orderbook")
    for kind, names in OTHERS.items():
        if channel in names:
            return Meaning(kind, detail=as_detail({"channel": channel}))
    return Meaning(_KINDS[channel]) if channel in _KINDS else None


def side_of(subscription: Subscription) -> str:
    """The side that serves it (A1)."""
    if subscription.kind in PRIVATE_KINDS:
        return "private"
    channel = channel_of(subscription)
    if channel in _TIER:
        return "tier"
    return "business" if subscription.kind == "candle" or channel == "trades-all" else "public"


def argument(subscription: Subscription) -> dict[str, str]:
    """What stands for it in the ``args`` of a request (A5)."""
    kind, symbol = subscription.kind, subscription.symbol
    said = {"channel": channel_of(subscription)}
    if kind in TYPED_KINDS:
        said |= msgspec.json.decode(subscription.detail, type=dict[str, str])
    if kind in ANY_TYPE:
        said["instType"] = "ANY"
    return said | ({"instId": symbol} if symbol else {})


def name_of(said: Mapping[str, Any]) -> str:
    """One text for an argument, whatever the order of its fields; ``uid``, which private pushes add, is left out."""
    return msgspec.json.encode({key: value for key, value in said.items() if key != "uid"}, order="sorted").decode()


def wire_name(subscription: Subscription) -> str:
    """``name_of`` its argument: equal for streams that are one on the wire."""
    return name_of(argument(subscription))


def same_line(one: Subscription, other: Subscription) -> bool:
    """False where one connection may not have both, or would bring each message twice: streams of one market and of
    all of them (A7.1), deep books of one market beside its usual one (A6.4, 64004).
    """
    if one.kind != other.kind:
        return True
    if one.kind in PRIVATE_KINDS:
        return one.symbol == other.symbol or "" not in (one.symbol, other.symbol)
    first, second = channel_of(one), channel_of(other)
    return one.symbol != other.symbol or first == second or not {first, second} <= DELTA_BOOKS.keys()
