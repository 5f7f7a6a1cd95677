"""OKX's instrument ids: which type one is of, what is bought and what is paid (spec/okx.md A6.6)."""

from __future__ import annotations

import re
from typing import NamedTuple

_NAME = r"[A-Za-z0-9]+"
_FORMS = (
    ("SPOT", re.compile(rf"{_NAME}-{_NAME}")),
    ("SWAP", re.compile(rf"{_NAME}-{_NAME}-SWAP")),
    ("FUTURES", re.compile(rf"{_NAME}-{_NAME}-\d{{6}}")),
    ("OPTION", re.compile(rf"{_NAME}-{_NAME}-\d{{6}}-\d+(?:\.\d+)?-[CP]")),
)
#: One id of each type, for messages to people.
EXAMPLES = ("BTC-USDT", "BTC-USDT-SWAP", "BTC-USD-261225", "BTC-USD-261225-50000-C")
#: Types whose sizes are in the base currency; those of all others are in contracts (A6.1, A6.2, A6.5).
CASH_TYPES = ("SPOT", "MARGIN")


class Parts(NamedTuple):
    """An instrument id in parts. Margin is traded under the ids of spot."""

    type: str
    base: str
    quote: str


def split(symbol: object) -> Parts | None:
    """The parts of an instrument id; None: it has no known form."""
    if not isinstance(symbol, str):
        return None
    for name, form in _FORMS:
        if form.fullmatch(symbol):
            base, quote = symbol.split("-")[:2]
            return Parts(name, base, quote)
    return None


def guess(symbol: object) -> str | None:
    """What a malformed id was probably meant to be; None: nobody knows."""
    if not isinstance(symbol, str):
        return None
    near = re.sub(r"[/_ :]+", "-", symbol.strip().upper())
    return near if split(near) is not None else None


def in_contracts(symbol: str) -> bool:
    """Whether sizes of this instrument are contracts: of all but spot and margin."""
    parts = split(symbol)
    return parts is None or parts.type not in CASH_TYPES
