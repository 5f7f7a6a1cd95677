"""Which streams a client's request asks for: the reverse of ``requests`` (spec/upbit.md 3)."""

from __future__ import annotations

from typing import Any

import msgspec

from tapewire.model.subscription import Subscription


def streams_asked(payload: bytes) -> list[Subscription]:
    """The market streams of one request; none of what is no request.

    Raises:
        msgspec.DecodeError: it is no JSON.
    """
    request = msgspec.json.decode(payload)
    parts = request if isinstance(request, list) else []
    return [stream for part in parts if isinstance(part, dict) and "type" in part for stream in _streams(part)]


def _streams(part: dict[str, Any]) -> list[Subscription]:
    kind, _, unit = str(part["type"]).partition(".")
    found = []
    for code in part.get("codes", ()):
        symbol, _, depth = code.partition(".")
        level = float(part.get("level", 0))
        found.append(Subscription(kind, symbol, unit or None, int(depth) if depth else None, level))
    return found
