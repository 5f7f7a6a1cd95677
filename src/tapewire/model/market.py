"""One tradable market of a venue and what can be asked of it."""

from __future__ import annotations

from msgspec import Struct


class Market(Struct, frozen=True):
    """One listed market.

    Attributes:
        symbol: the venue's own code, such as ``KRW-BTC``.
        base: what is bought (``BTC``).
        quote: what is paid (``KRW``).
        name: English name, local name: None where the venue gives none.
        levels: supported order-book grouping units, None when the venue was not asked.
    """

    symbol: str
    base: str
    quote: str
    name: str | None = None
    local_name: str | None = None
    warning: bool = False
    levels: tuple[float, ...] | None = None
