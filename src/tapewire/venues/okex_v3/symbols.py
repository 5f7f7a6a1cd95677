"""OKEX v3's instrument ids: which market one is of, what is bought and what is paid (spec/okx.md B2)."""

from __future__ import annotations

import re
from typing import NamedTuple

#: Markets that have instruments of their own; ``index`` shares the form of spot's ids.
MARKETS = ("spot", "futures", "swap", "option")

_FORMS = (
    ("spot", re.compile(r"[A-Z0-9]+-[A-Z0-9]+")),
    ("swap", re.compile(r"[A-Z0-9]+-[A-Z0-9]+-SWAP")),
    ("futures", re.compile(r"[A-Z0-9]+-[A-Z0-9]+-\d{6}")),
    ("option", re.compile(r"[A-Z0-9]+-[A-Z0-9]+-\d{6}-\d+(?:\.\d+)?-[CP]")),
)
EXAMPLES = ("BTC-USDT", "BTC-USD-190517", "BTC-USD-SWAP", "BTC-USD-200327-11000-C")


class Parts(NamedTuple):
    """An instrument id in parts: ``index`` ids read as ``spot``."""

    market: str
    base: str
    quote: str


def split(symbol: object) -> Parts | None:
    """The parts of an instrument id; None: it is none."""
    if not isinstance(symbol, str):
        return None
    for market, form in _FORMS:
        if form.fullmatch(symbol):
            base, quote = symbol.split("-")[:2]
            return Parts(market, base, quote)
    return None


def guess(symbol: object) -> str | None:
    """What a malformed id was probably meant to be; None: nobody knows."""
    if not isinstance(symbol, str):
        return None
    near = re.sub(r"[/_ :]+", "-", symbol.strip().upper())
    return near if split(near) is not None else None
