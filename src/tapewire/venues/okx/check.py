"""What may be asked of OKX: here is refused what the exchange would refuse, with what would be right."""

from __future__ import annotations

from collections.abc import Mapping
from difflib import get_close_matches

import msgspec

from tapewire.errors import SubscriptionError, UnknownSymbol
from tapewire.model.market import Market
from tapewire.model.subscription import Subscription, as_detail
from tapewire.venues.okx.channels import ANY_TYPE, DELTA_BOOKS, MARKETLESS, OTHERS, TYPED_KINDS
from tapewire.venues.okx.profile import CANDLE_UNITS, KINDS
from tapewire.venues.okx.rest import LISTED
from tapewire.venues.okx.symbols import EXAMPLES, guess, split
from tapewire.venues.wording import id_wanted, quoted_choice

#: Most levels of a book that can be asked for (A6.4).
LEVELS_MOST = 400
#: Kinds that may be of one market or of all.
_ANY_MARKET = (*ANY_TYPE, "myFill")
#: Units as other venues call them → as OKX does.
_UNITS = {"60m": "1H", "120m": "2H", "240m": "4H", "1h": "1H", "2h": "2H", "4h": "4H", "1d": "1D", "1w": "1W"}


def check(venue: str, subscription: Subscription, markets: Mapping[str, Market] | None) -> None:
    """See ``Venue.check``.

    Raises:
        SubscriptionError: names the field, what came and what would be right.
        UnknownSymbol: well-formed, but not among ``markets`` although its type is listed there.
    """
    if subscription.kind not in KINDS:
        raise SubscriptionError("kind", subscription.kind, quoted_choice(KINDS))
    _check_symbol(venue, subscription, markets)
    _check_unit(subscription)
    _check_book(subscription)
    _check_detail(subscription)


def _check_symbol(venue: str, subscription: Subscription, markets: Mapping[str, Market] | None) -> None:
    kind, symbol = subscription.kind, subscription.symbol
    if kind in MARKETLESS or kind in TYPED_KINDS:
        if symbol != "":
            raise SubscriptionError("symbol", symbol, f'"": {kind} belongs to no single market')
        return
    if symbol == "" and kind in _ANY_MARKET:
        return
    parts = split(symbol)
    if parts is None:
        raise SubscriptionError("symbol", symbol, id_wanted(symbol, guess(symbol), EXAMPLES))
    if kind == "fundingRate" and parts.type != "SWAP":
        raise SubscriptionError("symbol", symbol, f'a perpetual swap, such as "{EXAMPLES[1]}": others have no funding')
    if kind != "indexTicker" and markets is not None and parts.type in LISTED and symbol not in markets:
        raise UnknownSymbol(symbol, venue, _near(symbol, parts.base, markets))


def _check_unit(subscription: Subscription) -> None:
    kind, unit = subscription.kind, subscription.unit
    if kind != "candle":
        if unit is not None:
            raise SubscriptionError("unit", unit, f"left out for {kind}: only candles have one")
    elif unit not in CANDLE_UNITS:
        known = _UNITS.get(str(unit))
        raise SubscriptionError("unit", unit, f'"{known}" at OKX' if known else quoted_choice(CANDLE_UNITS))


def _check_book(subscription: Subscription) -> None:
    kind, depth, level = subscription.kind, subscription.depth, subscription.level
    if level != 0:
        raise SubscriptionError("level", level, "0: OKX's books are not grouped")
    if depth is None:
        return
    if kind != "orderbook":
        raise SubscriptionError("depth", depth, f"left out for {kind}: only order books have a depth")
    if type(depth) is not int or not 0 < depth <= LEVELS_MOST:
        raise SubscriptionError("depth", depth, f"a whole number from 1 to {LEVELS_MOST}, or left out for all of them")


def _check_detail(subscription: Subscription) -> None:
    kind, detail = subscription.kind, subscription.detail
    right = _right_details(kind)
    if detail in right:
        if detail and kind == "orderbook" and (subscription.depth or 0) > DELTA_BOOKS[_channel(detail)]:
            most = DELTA_BOOKS[_channel(detail)]
            raise SubscriptionError("depth", subscription.depth, f"at most {most} of {_channel(detail)}")
        return
    shown = [text or "left out" for text in right]
    raise SubscriptionError("detail", detail, shown[0] if len(shown) == 1 else " or ".join(shown))


def _right_details(kind: str) -> list[str]:
    if kind in TYPED_KINDS:
        return [as_detail({"instType": name}) for name in TYPED_KINDS[kind]]
    return ["", *(as_detail({"channel": name}) for name in OTHERS.get(kind, ()))]


def _channel(detail: str) -> str:
    return msgspec.json.decode(detail, type=dict[str, str])["channel"]


def _near(symbol: str, base: str, markets: Mapping[str, Market]) -> list[str]:
    _, quote, *rest = symbol.split("-")
    for meant in (symbol.upper(), "-".join([quote, base, *rest]).upper()):
        if meant in markets:
            return [meant]
    return get_close_matches(symbol, markets, n=3, cutoff=0.6)
