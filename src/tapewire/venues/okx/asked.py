"""Which streams a client's request asks for: the reverse of ``requests`` (spec/okx.md A5)."""

from __future__ import annotations

from typing import Any

import msgspec
from msgspec import Struct

from tapewire.model.subscription import Subscription
from tapewire.venues.okx.channels import meaning_of


class _Request(Struct):
    op: str = ""
    args: list[dict[str, Any]] = []


def streams_asked(payload: bytes) -> list[Subscription]:
    """The market streams of one request, of channels that are known; none of what subscribes to nothing.

    Raises:
        msgspec.MsgspecError: it is no request.
    """
    request = msgspec.json.decode(payload, type=_Request)
    found = []
    for argument in request.args if request.op == "subscribe" else ():
        meaning = meaning_of(argument.get("channel", ""))
        if meaning is not None and argument.get("instId"):
            found.append(
                Subscription(
                    meaning.kind, argument["instId"], unit=meaning.unit, depth=meaning.depth, detail=meaning.detail
                )
            )
    return found
