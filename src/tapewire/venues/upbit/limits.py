"""What Upbit says of its limits: the group of each REST call, what is left, how long a refusal lasts (section 7)."""

from __future__ import annotations

import re
from collections.abc import Mapping

from tapewire.venues.contract import Remaining, Window

#: Calls a second of each group, by the names that the header gives them (section 7.2).
QUOTATION_GROUPS = ("market", "candles", "crix-trades", "ticker", "orderbook")
SIGNED_GROUPS = frozenset({"default", "order", "order-test", "order-cancel-all"})

_BY_PATH = {
    "market": "market",
    "candles": "candles",
    "trades": "crix-trades",
    "ticker": "ticker",
    "orderbook": "orderbook",
}
_REMAINING = re.compile(r"\s*group=([^;\s]+)\s*;(?:.*;)?\s*sec=(\d{1,9})\s*(?:;.*)?")
_STATED = re.compile(r"(\d{1,6}(?:\.\d{1,3})?)\s*(seconds?|secs?|s\b|초|minutes?|mins?|분|hours?|시간)", re.IGNORECASE)
_UNITS = {"s": 1.0, "초": 1.0, "m": 60.0, "분": 60.0, "h": 3600.0, "시": 3600.0}


def rest_groups(*, korea: bool) -> dict[str, tuple[Window, ...]]:
    """Windows of each group (section 7.2); Korea allows more orders than the others."""
    quotation: dict[str, tuple[Window, ...]] = {group: (Window(10, 1.0),) for group in QUOTATION_GROUPS}
    return quotation | {
        "default": (Window(30, 1.0),),
        "order": (Window(12 if korea else 8, 1.0),),
        "order-test": (Window(8, 1.0),),
        "order-cancel-all": (Window(1, 2.0),),
    }


def rest_group(path: str) -> str:
    """The group that a GET of this path counts against; ``default`` for all that is not a quotation."""
    parts = path.partition("?")[0].split("/")
    return _BY_PATH.get(parts[2] if len(parts) > 2 else "", "default")


def read_remaining(headers: Mapping[str, str]) -> Remaining | None:
    """``Remaining-Req: group=market; min=600; sec=9`` (names in lower case); None without one that can be read."""
    found = _REMAINING.fullmatch(headers.get("remaining-req", ""))
    return None if found is None else Remaining(found[1], int(found[2]), 1.0)


def read_block(body: bytes) -> float | None:
    """Seconds that the text of a 418 states; None: it states none that can be read (its form is not documented)."""
    found = _STATED.search(body.decode("utf-8", "replace"))
    return None if found is None else float(found[1]) * _UNITS[found[2][0].lower()]
