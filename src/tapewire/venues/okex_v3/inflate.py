"""Frame → text: OKEX v3 deflates every message by itself, without header (spec/okx.md B1)."""

from __future__ import annotations

import zlib

#: Bytes that one message may inflate to, as ``LineOptions.max_message`` has it; a book of 400 levels has 25 kB.
INFLATED_MAX = 1024 * 1024

#: How JSON begins, and the two words. No deflated text begins like that: 0x7B and 0x5B would open a fixed-code block
#: whose first letter is above 0xCF, ``p`` a stored block of another length.
_TEXT = (b"{", b"[")
_WORDS = (b"pong", b"ping")


def inflate(payload: bytes) -> bytes:
    """The text of a frame; one that was sent as text (or comes from a recording of text) is passed through.

    Raises:
        ValueError: it is no complete raw deflate stream, something follows it, or it inflates to more than
            ``INFLATED_MAX`` bytes (no more than that is ever inflated).
    """
    if payload.startswith(_TEXT) or payload in _WORDS:
        return payload
    stream = zlib.decompressobj(-zlib.MAX_WBITS)
    try:
        text = stream.decompress(payload, INFLATED_MAX + 1)
    except zlib.error as error:
        raise ValueError(f"neither text nor raw deflate: {error}") from None
    if len(text) > INFLATED_MAX:
        raise ValueError(f"inflates to more than {INFLATED_MAX:,} bytes: refused")
    if not stream.eof:
        raise ValueError(f"the deflated message is cut off after {len(payload)} bytes")
    if stream.unused_data:
        raise ValueError(f"{len(stream.unused_data)} bytes follow the deflated message")
    return text


def deflate(text: bytes) -> bytes:
    """What the exchange makes of a message before it sends it."""
    stream = zlib.compressobj(wbits=-zlib.MAX_WBITS)
    return stream.compress(text) + stream.flush()
