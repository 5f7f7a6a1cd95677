"""What is sent to Upbit: the whole set of wishes as one request, and the question what is subscribed."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import msgspec

from tapewire.config import Format
from tapewire.errors import UsageError
from tapewire.model.subscription import Subscription, Wish
from tapewire.venues.upbit.profile import INFO_KINDS, PRIVATE_KINDS

#: Keys of the flags; neither: snapshot and realtime (spec/upbit.md 3.3).
_ONLY = ("", "is_only_snapshot", "is_only_realtime")
#: Codes times indicators in one request (section 3.8): the whole of it is refused above that.
MAX_INDICATORS = 100


class _Group(NamedTuple):
    """What one type object has in common; sorted in this order."""

    type: str
    level: float
    only: int
    timeframe: str
    detail: str


def encode(wishes: Sequence[Wish], ticket: str, format: Format) -> list[bytes]:  # noqa: A002
    """All ``wishes`` as exactly one request: a new one replaces the one before (section 3.8).

    Ticket first, then one object per (type, level, flags, time frame, indicator or choice), sorted, the format last.
    Codes stand in the order of their first wish; a depth is a suffix of the code.

    Raises:
        UsageError: nothing is wished (Upbit knows no empty request: close the connection instead), or a wish
            asks for neither snapshot nor realtime.
    """
    if not wishes:
        raise UsageError("an empty request does not exist at Upbit; close the connection instead")
    groups: dict[_Group, dict[str, None]] = {}
    for wish in wishes:
        groups.setdefault(_group(wish), {})[_code(wish.subscription)] = None
    types = [_type_object(group, list(codes)) for group, codes in sorted(groups.items())]
    return [msgspec.json.encode([{"ticket": ticket}, *types, {"format": format}])]


def encode_list(ticket: str, format: Format) -> bytes:  # noqa: A002
    """LIST_SUBSCRIPTIONS. ``format`` must be the streams' own: they take on the one given here (section 3.9)."""
    return msgspec.json.encode([{"ticket": ticket}, {"method": "LIST_SUBSCRIPTIONS"}, {"format": format}])


def same_line(one: Subscription, other: Subscription) -> bool:
    """False where frames do not say which of the two they are for: order books of one market with different depth or
    level (3.4), different choices of announcements (4.7).
    """
    if one.kind != other.kind or one.symbol != other.symbol:
        return True
    if one.kind == "announcement":
        return one.detail == other.detail
    return one.kind != "orderbook" or (one.depth == other.depth and one.level == other.level)


def fits(subscriptions: Sequence[Subscription]) -> bool:
    """Whether their indicators and signals are no more than one connection may have (section 3.8)."""
    return len({one for one in subscriptions if one.kind in INFO_KINDS}) <= MAX_INDICATORS


def _group(wish: Wish) -> _Group:
    if not (wish.snapshot or wish.realtime):
        raise UsageError(f"{wish.subscription}: asks for neither snapshot nor realtime; it must ask for one or both")
    kind, unit, detail = wish.subscription.kind, wish.subscription.unit or "", wish.subscription.detail
    if kind in PRIVATE_KINDS + INFO_KINDS:  # they have no snapshot, and know no flags (section 3.3)
        return _Group(kind, 0, 0, unit, detail)
    only = 0 if wish.snapshot and wish.realtime else 1 if wish.snapshot else 2
    return _Group(f"{kind}.{unit}" if unit else kind, wish.subscription.level, only, "", "")


def _code(subscription: Subscription) -> str:
    return f"{subscription.symbol}.{subscription.depth}" if subscription.depth else subscription.symbol


def _type_object(group: _Group, codes: list[str]) -> dict[str, Any]:
    body: dict[str, Any] = {"type": group.type}
    if "" not in codes:  # myAsset and announcement have none; myOrder without them is every market
        body["codes"] = codes
    if group.level:
        body["level"] = int(group.level) if group.level == int(group.level) else group.level
    if group.only:
        body[_ONLY[group.only]] = True
    if group.type in INFO_KINDS:
        return body | {"timeframe": group.timeframe, "indicators": [msgspec.Raw(group.detail.encode())]}
    return body | (msgspec.json.decode(group.detail) if group.detail else {})
