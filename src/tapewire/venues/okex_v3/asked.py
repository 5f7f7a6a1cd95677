"""Which streams a client's request asks for: the reverse of ``requests`` (spec/okx.md B1)."""

from __future__ import annotations

from typing import Any

import msgspec
from msgspec import Struct

from tapewire.model.subscription import Subscription
from tapewire.venues.okex_v3.channels import read_argument


class _Request(Struct):
    op: str = ""
    args: list[Any] = []


def streams_asked(payload: bytes) -> list[Subscription]:
    """The streams of one request, of channels that are known; none of what subscribes to nothing.

    Raises:
        msgspec.MsgspecError: it is no request.
    """
    request = msgspec.json.decode(payload, type=_Request)
    texts = [one for one in request.args if isinstance(one, str)] if request.op == "subscribe" else []
    return [stream for text in texts if (stream := read_argument(text)) is not None]
