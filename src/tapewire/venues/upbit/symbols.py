"""Upbit's market codes and what may be asked: here is refused what Upbit would refuse or leave unanswered."""

from __future__ import annotations

import re
from collections.abc import Mapping
from difflib import get_close_matches

from tapewire.errors import SubscriptionError, UnknownSymbol
from tapewire.model.market import Market
from tapewire.model.subscription import Subscription, in_full
from tapewire.venues.upbit.details import TIMEFRAMES, check_detail
from tapewire.venues.upbit.profile import CANDLE_UNITS, DEPTHS, INFO_KINDS, REGIONS, Region, kinds
from tapewire.venues.wording import choice

_CODE = re.compile(r"[A-Z0-9]+-[A-Z0-9]+")
_PARTS = re.compile(r"[A-Z0-9]+")


def split(code: str) -> tuple[str, str]:
    """(quote, base) of ``KRW-BTC``: the quote stands first (spec/upbit.md section 1).

    Raises:
        ValueError: ``code`` is not QUOTE-BASE.
    """
    quote, dash, base = code.partition("-")
    if not (quote and dash and base):
        raise ValueError(f"{code!r} is not QUOTE-BASE")
    return quote, base


def check(region: Region, subscription: Subscription, markets: Mapping[str, Market] | None) -> None:
    """See ``Venue.check``.

    Raises:
        SubscriptionError: names the field, what came and what would be right.
        UnknownSymbol: well-formed, but not among ``markets``.
    """
    _check_kind(region, subscription)
    _check_market(region, subscription, markets)
    _check_depth(subscription)
    _check_level(region, subscription, markets)
    _check_unit(subscription)
    check_detail(subscription)


def _check_kind(region: Region, subscription: Subscription) -> None:
    kind, known = subscription.kind, kinds(region)
    if kind in known:
        return
    head, dot, unit = str(kind).partition(".")
    if dot and head == "candle":
        raise SubscriptionError("kind", kind, f'"candle" with unit={unit!r}')
    elsewhere = [other.name for other in REGIONS if kind in kinds(other)]
    raise SubscriptionError("kind", kind, choice(known) + (f" ({kind} is on {elsewhere[0]})" if elsewhere else ""))


def _check_market(region: Region, subscription: Subscription, markets: Mapping[str, Market] | None) -> None:
    """Every kind but three is of one market; indicators only of those of the local currency (spec/upbit.md 4.8)."""
    kind, symbol = subscription.kind, subscription.symbol
    if kind in ("myAsset", "announcement"):
        if symbol != "":
            raise SubscriptionError("symbol", symbol, f'"": {kind} belongs to no market')
    elif (kind, symbol) != ("myOrder", ""):
        _check_symbol(region, symbol, markets)
        if kind in INFO_KINDS and split(symbol)[0] != region.quotes[0]:
            raise SubscriptionError("symbol", symbol, f"a {region.quotes[0]} market: others have no indicators")


def _check_symbol(region: Region, symbol: object, markets: Mapping[str, Market] | None) -> None:
    if not isinstance(symbol, str) or not _CODE.fullmatch(symbol):
        raise SubscriptionError("symbol", symbol, _right_code(region, symbol))
    quote, base = split(symbol)
    if markets is not None:
        if symbol not in markets:
            raise UnknownSymbol(symbol, region.name, _near(symbol, f"{base}-{quote}", markets))
    elif quote not in region.quotes or _is_reversed(region, quote, base):
        raise SubscriptionError("symbol", symbol, _right_quote(region, quote, base))


def _near(symbol: str, reverse: str, markets: Mapping[str, Market]) -> list[str]:
    if reverse in markets:
        return [reverse]
    quote, base = split(symbol)
    same_base = [code for code in markets if split(code)[1] == base]
    if same_base:
        return same_base[:3]
    listed = [split(code) for code in markets]
    bases = get_close_matches(base, [known for at, known in listed if at == quote], n=3, cutoff=0.6)
    return [f"{quote}-{near}" for near in bases]


def _right_code(region: Region, symbol: object) -> str:
    """What a malformed code should have been, as far as it can be guessed."""
    example = f"{region.quotes[0]}-BTC"
    shape = f'a code QUOTE-BASE in upper case, such as "{example}"'
    if not isinstance(symbol, str):
        return f"text: {shape}"
    code, dot, depth = symbol.upper().partition(".")
    guess = _guess(region, code)
    if guess is None:
        return shape
    if dot and depth.isdigit():
        return f'a code without suffix: "{guess}", with depth={depth} for the number of levels'
    return f'the code in upper case, quote first: "{guess}"'


def _guess(region: Region, code: str) -> str | None:
    parts = _PARTS.findall(code)
    if len(parts) == 1:
        [word] = parts
        for quote in region.quotes:
            if word.startswith(quote) and word != quote:
                return f"{quote}-{word.removeprefix(quote)}"
            if word.endswith(quote) and word != quote:
                return f"{quote}-{word.removesuffix(quote)}"
    if len(parts) != 2:
        return None
    first, second = parts
    return f"{second}-{first}" if _is_reversed(region, first, second) else f"{first}-{second}"


def _is_reversed(region: Region, first: str, second: str) -> bool:
    """``BTC-KRW``: the second is a quote currency that stands before the first."""
    rank = {quote: place for place, quote in enumerate(region.quotes)}
    return second in rank and rank[second] < rank.get(first, len(rank))


def _right_quote(region: Region, quote: str, base: str) -> str:
    shape = f"a code of {region.name}, which begins with {choice(region.quotes)}"
    elsewhere = [other.name for other in REGIONS if other != region and quote == other.quotes[0]]
    if elsewhere:
        return f"{shape} ({quote} markets are on {elsewhere[0]})"
    return f'QUOTE-BASE, quote first: "{base}-{quote}"' if _is_reversed(region, quote, base) else shape


def _check_depth(subscription: Subscription) -> None:
    depth = subscription.depth
    if depth is None:
        return
    if subscription.kind != "orderbook":
        raise SubscriptionError("depth", depth, f"left out for {subscription.kind}: only order books have a depth")
    if type(depth) is not int or depth not in DEPTHS:
        raise SubscriptionError("depth", depth, f"{choice(DEPTHS)} (or left out for 30)")


def _check_level(region: Region, subscription: Subscription, markets: Mapping[str, Market] | None) -> None:
    level, symbol = subscription.level, subscription.symbol
    if type(level) not in (int, float) or not 0 <= level < float("inf"):
        raise SubscriptionError("level", level, "a price unit of 0 (no grouping) or more")
    if level == 0:
        return
    if subscription.kind != "orderbook":
        raise SubscriptionError("level", level, f"left out for {subscription.kind}: only order books are grouped")
    if not region.levels or split(symbol)[0] != region.quotes[0]:
        raise SubscriptionError("level", level, f"0 for {symbol}: only the KRW markets of upbit can be grouped")
    known = markets[symbol].levels if markets else None
    if known is not None and level not in known:
        raise SubscriptionError("level", level, f"{choice([in_full(one) for one in known])} for {symbol}")


def _check_unit(subscription: Subscription) -> None:
    kind, unit = subscription.kind, subscription.unit
    if kind == "candle":
        if unit not in CANDLE_UNITS:
            raise SubscriptionError("unit", unit, choice(CANDLE_UNITS))
    elif kind in INFO_KINDS:
        if unit not in TIMEFRAMES:
            raise SubscriptionError("timeframe", unit, choice(TIMEFRAMES))
    elif unit is not None:
        raise SubscriptionError("unit", unit, f"left out for {kind}: only candles and indicators have a unit")
