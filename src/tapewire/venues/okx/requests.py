"""What is sent to OKX: subscribe and unsubscribe requests, each with an id that its answers repeat (spec/okx.md A5)."""

from __future__ import annotations

from collections.abc import Sequence

import msgspec

from tapewire.config import Format
from tapewire.errors import UsageError
from tapewire.model.subscription import Subscription, Wish
from tapewire.venues.contract import Operation
from tapewire.venues.okx.channels import wire_name
from tapewire.venues.okx.profile import ARGUMENTS_MOST

#: Arguments of one request. Whether one bad argument spoils the others is not documented (Uncertain 5), so they are
#: few; and with the longest known argument (200 bytes) they are far below the 64 KB of section A2.
MOST = 50
#: Longest id (A5).
_ID_MOST = 32


def encode_change(operation: Operation, names: Sequence[str], ticket: str) -> bytes:
    """One request. ``names`` are arguments as ``channels.name_of`` writes them; ``ticket`` becomes its id."""
    arguments = [msgspec.Raw(name.encode()) for name in names]
    return msgspec.json.encode({"id": request_id(ticket), "op": operation, "args": arguments})


def request_id(ticket: str) -> str:
    """1 to 32 letters and digits: the ticket without anything else (a UUID's hyphens)."""
    return "".join(letter for letter in ticket if letter.isascii() and letter.isalnum())[:_ID_MOST]


def encode(wishes: Sequence[Wish], ticket: str, format: Format) -> list[bytes]:  # noqa: A002, ARG001 - one form only
    """All ``wishes`` as subscribe requests, for whoever speaks without a session.

    Raises:
        UsageError: nothing is wished.
    """
    if not wishes:
        raise UsageError("an empty request does not exist at OKX; unsubscribe what is held instead")
    names = list(dict.fromkeys(wire_name(wish.subscription) for wish in wishes))
    groups = [names[start : start + MOST] for start in range(0, len(names), MOST)]
    return [encode_change("subscribe", group, f"{ticket}{number}") for number, group in enumerate(groups)]


def fits(subscriptions: Sequence[Subscription]) -> bool:
    """Whether their arguments together are within what one connection may have (A2)."""
    return sum(map(len, {wire_name(one) for one in subscriptions})) <= ARGUMENTS_MOST
