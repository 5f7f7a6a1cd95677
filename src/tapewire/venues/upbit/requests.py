"""What is sent to Upbit: the whole set of wishes as one request, and the question what is subscribed."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import msgspec

from tapewire.config import Format
from tapewire.errors import UsageError
from tapewire.model.subscription import Subscription, Wish

#: Keys of the flags; neither: snapshot and realtime (spec/upbit.md 3.3).
_ONLY = ("", "is_only_snapshot", "is_only_realtime")


class _Group(NamedTuple):
    """What one type object has in common; sorted in this order."""

    type: str
    level: float
    only: int


def encode(wishes: Sequence[Wish], ticket: str, format: Format) -> list[bytes]:  # noqa: A002
    """All ``wishes`` as exactly one request: a new one replaces the one before (section 3.8).

    Ticket first, then one object per (type, level, flags), sorted, the format last. Codes stand in the order
    of their first wish; a depth is a suffix of the code.

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
    """False for two order books of one market with different depth or level: frames do not say which (3.4)."""
    if one.kind != "orderbook" or other.kind != "orderbook" or one.symbol != other.symbol:
        return True
    return one.depth == other.depth and one.level == other.level


def _group(wish: Wish) -> _Group:
    if not (wish.snapshot or wish.realtime):
        raise UsageError(f"{wish.subscription}: asks for neither snapshot nor realtime; it must ask for one or both")
    only = 0 if wish.snapshot and wish.realtime else 1 if wish.snapshot else 2
    subscription = wish.subscription
    name = f"{subscription.kind}.{subscription.unit}" if subscription.unit else subscription.kind
    return _Group(name, subscription.level, only)


def _code(subscription: Subscription) -> str:
    return f"{subscription.symbol}.{subscription.depth}" if subscription.depth else subscription.symbol


def _type_object(group: _Group, codes: list[str]) -> dict[str, Any]:
    body: dict[str, Any] = {"type": group.type, "codes": codes}
    if group.level:
        body["level"] = int(group.level) if group.level == int(group.level) else group.level
    if group.only:
        body[_ONLY[group.only]] = True
    return body
