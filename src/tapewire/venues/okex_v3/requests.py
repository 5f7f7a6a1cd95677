"""What is sent to OKEX v3: changes of what is asked; answers name the argument, there are no ids (spec/okx.md B2)."""

from __future__ import annotations

from collections.abc import Sequence

import msgspec

from tapewire.config import Format
from tapewire.errors import UsageError
from tapewire.model.subscription import Wish
from tapewire.venues.contract import Control, Operation
from tapewire.venues.okex_v3.channels import argument

#: Arguments of one request (B1: a client sent no more, after a refusal); of 60 bytes each they are within the 4,096
#: bytes that another client took for the limit.
MOST = 33


def encode_change(operation: Operation, names: Sequence[str], ticket: str) -> bytes:  # noqa: ARG001 - v3 knows no ids
    """One request that asks for these arguments, or for no more of them."""
    return msgspec.json.encode({"op": operation, "args": names})


def request_id(ticket: str) -> str:  # noqa: ARG001 - v3 knows no ids
    """No answer repeats anything of its request."""
    return ""


def concerns(control: Control, names: Sequence[str]) -> list[str]:
    """Those of ``names`` that an error speaks of: ``Channel spot/tickerinvalid:NEO-USDT doesn't exist``."""
    words = control.message.replace(",", " ").split()
    return [name for name in names if name in words]


def encode(wishes: Sequence[Wish], ticket: str, format: Format) -> list[bytes]:  # noqa: A002, ARG001 - one form only
    """All ``wishes`` as subscribe requests, for whoever speaks without a session.

    Raises:
        UsageError: nothing is wished.
    """
    if not wishes:
        raise UsageError("an empty request does not exist at OKEX; unsubscribe what is held instead")
    names = list(dict.fromkeys(argument(wish.subscription) for wish in wishes))
    return [encode_change("subscribe", names[at : at + MOST], ticket) for at in range(0, len(names), MOST)]
