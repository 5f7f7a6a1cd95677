"""An event or a word of the gateway → the bytes of each form: WebSocket, server-sent events (pure)."""

from __future__ import annotations

import struct
from typing import Any, Literal

import msgspec

from tapewire.model.events import Event

#: What stands in a message: an event, one that is not new, the feed's news, the answer to a message, a refusal.
Part = Literal["event", "state", "news", "answer", "error"]
#: How a client hears: WebSocket messages, server-sent events.
Form = Literal["websocket", "sse"]

TEXT, BINARY, CLOSE, PING, PONG = 0x81, 0x82, 0x88, 0x89, 0x8A
#: The head of a frame of 126 to 65,535 bytes, of its first byte, 126 and its size.
LONGER = struct.Struct("!BBH").pack
_ENCODER = msgspec.json.Encoder(enc_hook=str)


def body_of(item: Any) -> bytes:
    """The public JSON of an event, a feed event or any plain value; an event's raw frame is left out."""
    raw = item.raw if isinstance(item, Event) else None
    if raw is None:
        return _ENCODER.encode(item)
    item.raw = None
    try:
        return _ENCODER.encode(item)
    finally:
        item.raw = raw


def framed(payload: bytes, first: int = TEXT) -> bytes:
    """One whole, unmasked WebSocket frame, as servers send it."""
    size = len(payload)
    if 126 <= size < 65_536:
        return LONGER(first, 126, size) + payload
    if size < 126:
        return b"%c%c%b" % (first, size, payload)
    return struct.pack("!BBQ", first, 127, size) + payload


def close_frame(code: int, reason: str) -> bytes:
    """A close frame; of the reason as much as fits."""
    return framed(struct.pack("!H", code) + reason.encode()[:123], CLOSE)


def message(form: Form, part: Part, cursor: str, body: bytes) -> bytes:
    """What a client of that form is sent.

    Args:
        form: see ``Form``.
        part: what ``body`` is.
        cursor: where the gateway stands with it; ``""``: it has none.
        body: JSON.
    """
    if form == "sse":
        return b"%bevent: %b\ndata: %b\n\n" % (b"id: %b\n" % cursor.encode() if cursor else b"", part.encode(), body)
    key, tail = ("event", b',"state":true}') if part == "state" else (part, b"}")
    head = b'{"cursor":"%b",' % cursor.encode() if cursor else b"{"
    return framed(b'%b"%b":%b%b' % (head, key.encode(), body, tail))
