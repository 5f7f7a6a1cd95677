"""What OKX lists: an instrument's terms from its id, its listing, its amounts in coins (spec/okx.md A6.6, A6.5)."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from decimal import Decimal
from functools import cache
from math import floor, log10
from typing import Any
from zlib import crc32

from msgspec import Struct

from tapewire.errors import ConfigError
from tapewire.venues.digits import plain, text_of
from tapewire.venues.exchange import Contract, MarketView, Terms

_ID = re.compile(
    r"(?P<base>[A-Z0-9]+)-(?P<quote>[A-Z]+)"
    r"(?:-(?P<swap>SWAP)|-(?P<date>\d{6})(?:-(?P<strike>\d+(?:\.\d+)?)-(?P<side>[CP]))?)?"
)
_EXAMPLES = "BTC-USDT, BTC-USDT-SWAP, BTC-USD-261225, BTC-USD-261225-90000-C"
#: Worth of one contract in coins (USDT, USDC) where it is not ten; inverse ones are of 100 USD (BTC) or 10 USD.
_WORTH = {"BTC": "0.01", "ETH": "0.1", "SOL": "1", "XRP": "100", "DOGE": "1000", "LTC": "1", "ADA": "100"}
_LISTED_MS = 1_606_468_572_000
_UNIT = 10**8


class Instrument(Struct, frozen=True):
    """One instrument.

    Attributes:
        id, type, base, quote, settle: as OKX writes them; ``settle`` is ``""`` of spot.
        worth: of one contract, in ``worth_currency``; 0 of spot.
        inverse: a contract is worth so many USD, and is paid in coins.
        expires_ms: Unix ms; None: never.
        strike, option: of an option, ``C`` or ``P``.
    """

    id: str
    type: str
    base: str
    quote: str
    settle: str = ""
    worth: Decimal = Decimal(0)
    inverse: bool = False
    expires_ms: int | None = None
    strike: str = ""
    option: str = ""

    @property
    def family(self) -> str:
        """The index it belongs to, ``""`` of spot."""
        return "" if self.type == "SPOT" else f"{self.base}-{self.quote}"

    @property
    def index(self) -> str:
        """The index whose price it follows."""
        return f"{self.base}-{self.quote}"

    @property
    def code(self) -> int:
        """``instIdCode``."""
        return crc32(self.id.encode()) % 10**9

    @property
    def lot(self) -> int:
        """Smallest step of a size, in 1e-8."""
        if self.type == "SPOT":
            return 1 if self.base == "BTC" else 100
        return _UNIT // 100 if self.type == "SWAP" and not self.inverse else _UNIT

    def sized(self, volume: float) -> float:
        """A sum of sizes without the parts that no size has."""
        return round(volume, 8 if self.type == "SPOT" else 2)

    def coins(self, volume: float, turnover: float) -> tuple[float, float]:
        """(coins, money) of what was traded: ``volume`` in sizes, ``turnover`` as price times size."""
        if self.type in ("SPOT", "OPTION"):
            return volume, turnover
        worth = float(self.worth)
        if not self.inverse:
            return round(volume * worth, 8), round(turnover * worth, 8)
        mean = turnover / volume if volume else 1.0
        return round(volume * worth / mean, 8), round(volume * worth, 8)


@cache
def instrument(code: str) -> Instrument:
    """The instrument of an id.

    Raises:
        ConfigError: no id of OKX looks like that.
    """
    found = _ID.fullmatch(code)
    if found is None:
        raise ConfigError("markets", code, f"an id in capitals such as {_EXAMPLES}")
    base, quote, date = found["base"], found["quote"], found["date"]
    if not found["swap"] and not date:
        return Instrument(code, "SPOT", base, quote)
    inverse = quote == "USD"
    worth = Decimal((100 if base == "BTC" else 10) if inverse else _WORTH.get(base, "10"))
    kind = "SWAP" if found["swap"] else "OPTION" if found["strike"] else "FUTURES"
    if kind == "OPTION":
        worth = Decimal("0.01")
    settle = base if inverse else quote
    return Instrument(
        code, kind, base, quote, settle, worth, inverse and kind != "OPTION", _expiry(code, date),
        found["strike"] or "", found["side"] or "",
    )  # fmt: skip


def _expiry(code: str, date: str | None) -> int | None:
    if date is None:
        return None
    try:
        day = datetime.strptime(date, "%y%m%d").replace(hour=8, tzinfo=UTC)
    except ValueError:
        raise ConfigError("markets", code, f"an id whose date is YYMMDD, such as {_EXAMPLES}") from None
    return int(day.timestamp() * 1000)


def terms(code: str, price: float | None) -> Terms:
    """What the market is made from.

    Raises:
        ConfigError: no id of OKX looks like that.
    """
    one = instrument(code)
    return Terms(
        base=one.base, quote=one.quote, tick=None if price is None else _tick(one, price), lot=one.lot,
        spot=one.type == "SPOT",
        contract=None if one.type == "SPOT" else Contract(one.worth, one.settle, one.inverse),
    )  # fmt: skip


def _tick(one: Instrument, price: float) -> tuple[int, int]:
    """Five or six digits, as the listings of 2022 have them; options step by 0.0005 coins."""
    return (5, -4) if one.type == "OPTION" else (1, max(-8, floor(log10(price)) - 5))


def listing_row(one: Instrument, market: MarketView, *, is_old: bool) -> dict[str, Any]:
    """A row of ``instruments`` (A6.6)."""
    spot, lot = one.type == "SPOT", text_of(one.lot, -8)
    row: dict[str, Any] = {
        "alias": "", "baseCcy": one.base if spot else "", "category": "1",
        "ctMult": "" if spot else "0.01" if one.type == "OPTION" else "1",
        "ctType": "" if spot or one.type == "OPTION" else "inverse" if one.inverse else "linear",
        "ctVal": "" if spot else "1" if one.type == "OPTION" else plain(one.worth),
        "ctValCcy": "" if spot else "USD" if one.inverse else one.base,
        "expTime": "" if one.expires_ms is None else str(one.expires_ms), "instId": one.id, "instType": one.type,
        "lever": "" if one.type == "OPTION" else "10", "listTime": str(_LISTED_MS), "lotSz": lot,
        "maxIcebergSz": "9999999999", "maxLmtSz": "9999999999", "maxMktSz": "1000000", "maxStopSz": "1000000",
        "maxTriggerSz": "9999999999", "maxTwapSz": "9999999999", "minSz": lot, "optType": one.option,
        "quoteCcy": one.quote if spot else "", "settleCcy": one.settle, "state": "live", "stk": one.strike,
        "tickSz": market.tick_size(one.id), "uly": one.family,
    }  # fmt: skip
    return row if is_old else row | _since(one)


def _since(one: Instrument) -> dict[str, Any]:
    """What was added to the listing since 2022."""
    return {
        "auctionEndTime": "", "contTdSwTime": "", "futureSettlement": False, "groupId": "1", "instCategory": "1",
        "instFamily": one.family, "instIdCode": one.code, "maxLmtAmt": "20000000", "maxMktAmt": "1000000",
        "openType": "", "preMktSwTime": "", "ruleType": "normal", "upcChg": [],
    }  # fmt: skip
