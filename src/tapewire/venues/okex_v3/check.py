"""What may be asked of OKEX v3: here is refused what the exchange would refuse."""

from __future__ import annotations

from collections.abc import Mapping
from difflib import get_close_matches

from tapewire.errors import SubscriptionError, UnknownSymbol
from tapewire.model.market import Market
from tapewire.model.subscription import Subscription
from tapewire.venues.okex_v3.channels import (
    CANDLE_SECONDS,
    DEPTH,
    INDEX,
    LEVELS,
    TABLES,
    TICK_BY_TICK,
    market_of,
    table_of,
)
from tapewire.venues.okex_v3.profile import KINDS, NAME
from tapewire.venues.okex_v3.symbols import EXAMPLES, guess
from tapewire.venues.wording import id_wanted, quoted_choice


def check(subscription: Subscription, markets: Mapping[str, Market] | None) -> None:
    """See ``Venue.check``.

    Raises:
        SubscriptionError: names the field, what came and what would be right.
        UnknownSymbol: a well-formed spot id that is not among ``markets``, which are spot's only.
    """
    _check_kind(subscription)
    _check_form(subscription)
    market = market_of(subscription)
    if market is None:
        raise SubscriptionError(
            "symbol", subscription.symbol, id_wanted(subscription.symbol, guess(subscription.symbol), EXAMPLES)
        )
    _check_unit(subscription)
    _check_book(subscription)
    _check_detail(subscription, market)
    if table_of(subscription) is None:
        having = {table.market for table in TABLES.values() if table.kind == subscription.kind}
        raise SubscriptionError(
            "symbol",
            subscription.symbol,
            f"one of {quoted_choice(sorted(having))}: {market} has no {subscription.kind}",
        )
    if markets is not None and market == "spot" and subscription.symbol not in markets:
        raise UnknownSymbol(subscription.symbol, NAME, get_close_matches(subscription.symbol, markets, n=3))


def _check_kind(subscription: Subscription) -> None:
    kind = subscription.kind
    if kind not in KINDS:
        raise SubscriptionError("kind", kind, f"{quoted_choice(KINDS)} (private streams of v3 are not read)")


def _check_form(subscription: Subscription) -> None:
    if subscription.level != 0:
        raise SubscriptionError("level", subscription.level, "0: books of OKEX v3 are not grouped")


def _check_unit(subscription: Subscription) -> None:
    if subscription.kind == "candle":
        if subscription.unit not in CANDLE_SECONDS:
            raise SubscriptionError("unit", subscription.unit, quoted_choice(CANDLE_SECONDS))
    elif subscription.unit is not None:
        raise SubscriptionError("unit", subscription.unit, f"left out for {subscription.kind}: only candles have one")


def _check_book(subscription: Subscription) -> None:
    depth = subscription.depth
    if depth is None:
        return
    if subscription.kind != "orderbook":
        raise SubscriptionError("depth", depth, f"left out for {subscription.kind}: only order books have a depth")
    if type(depth) is not int or not 1 <= depth <= LEVELS:
        raise SubscriptionError("depth", depth, f"{DEPTH}, any other from 1 to {LEVELS}, or left out for all")


def _check_detail(subscription: Subscription, market: str) -> None:
    kind, detail, allowed = subscription.kind, subscription.detail, ""
    if kind == "orderbook" and subscription.depth != DEPTH:
        allowed = TICK_BY_TICK
    elif kind == "candle" and market in ("spot", "index"):  # an index has the form of a spot id
        allowed = INDEX
    if detail not in ("", allowed):
        raise SubscriptionError("detail", detail, f"{allowed}, or left out" if allowed else "left out")
