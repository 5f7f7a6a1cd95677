"""A frame as one line of a file: the venue's own JSON where it is that, text or base64 where it is not (pure)."""

from __future__ import annotations

import base64

from msgspec import DecodeError, Raw, json

_LIST = json.Decoder(list[Raw])


def misc_line(payload: bytes) -> bytes:
    """A frame that is no market event, as one line (spec/upbit.md: errors, status; REQUIREMENTS S0-62 to 64)."""
    if payload.lstrip()[:1] == b"{" and (line := one_line(payload)) is not None and is_json(line):
        return line
    return json.encode(as_text(payload))


def one_line(payload: bytes) -> bytes | None:
    """A JSON payload without line breaks; None when it is no UTF-8, which would spoil the file it goes to,
    or a list frame of several elements, of which a line can hold only one.
    """
    if payload[:1] == b"[":
        elements = _LIST.decode(payload)
        if len(elements) != 1:
            return None
        payload = bytes(elements[0])
    if b"\n" in payload or b"\r" in payload:
        try:
            payload = json.format(payload, indent=-1)
        except (DecodeError, RecursionError):
            return None
    if not payload.isascii():
        try:
            payload.decode()
        except UnicodeDecodeError:
            return None
    return payload


def as_text(payload: bytes) -> dict[str, str]:
    """Bytes of no known form, so that JSON can hold them."""
    try:
        return {"raw": payload.decode()}
    except UnicodeDecodeError:
        return {"raw_base64": base64.b64encode(payload).decode()}


def is_json(line: bytes) -> bool:
    """Whether this is one whole JSON value."""
    try:
        json.decode(line)
    except (DecodeError, RecursionError):
        return False
    return True
