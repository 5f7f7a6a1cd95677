"""File names from codes that a server sends: reversible, without collisions, never outside their folder."""

from __future__ import annotations

import re
from hashlib import sha256
from string import ascii_lowercase, ascii_uppercase, digits

#: Where everything goes that belongs to no market.
MISC = "misc.jsonl"

_SUFFIX = ".jsonl"
_CODE_SAFE = frozenset((ascii_uppercase + digits + "-").encode())
_KIND_SAFE = frozenset((ascii_lowercase + digits + ".").encode())
_WHOLE_NAME = 200  # bytes: every file system takes 255, and copies like to add a suffix
_MIXED_CASE = {"myOrder": "myOrder", "myorder": "%6Dyorder"}  # Upbit's word as it is, its only neighbour encoded
_DEVICES = frozenset({"CON", "PRN", "AUX", "NUL", *(f"{port}{n}" for port in ("COM", "LPT") for n in range(10))})
_ESCAPES = re.compile(rb"%([0-9A-F]{2})")


def file_name(code: str, kind: str) -> str | None:
    """``KRW-BTC``, ``trade`` → ``KRW-BTC_trade.jsonl``.

    A code of ``A-Z``, ``0-9`` and ``-`` stands as it is (a kind: ``a-z``, ``0-9`` and ``.``); every other byte
    of its UTF-8 form is percent-encoded. Since each part has letters of one case only (``myOrder`` aside, whose
    twin ``myorder`` is encoded), no two names differ by case alone, and since ``_`` is encoded in both, the first
    ``_`` parts them.

    Returns:
        The name, or None for what can be no market's (an empty or over-long code): that belongs into ``MISC``.
    """
    if not code or not kind:
        return None
    shown = _quote(code, _CODE_SAFE)
    if shown in _DEVICES:  # Windows opens the device, whatever stands behind the name
        shown = f"%{ord(shown[0]):02X}{shown[1:]}"
    name = f"{shown}_{_MIXED_CASE.get(kind) or _quote(kind, _KIND_SAFE)}{_SUFFIX}"
    return name if len(name) <= _WHOLE_NAME else None


def parse_file_name(name: str) -> tuple[str, str] | None:
    """The code and kind that ``file_name`` made this name from; None for any other file, ``MISC`` included."""
    stem, dot, rest = name.rpartition(_SUFFIX)
    code, underscore, kind = stem.partition("_")
    if not dot or rest or not underscore:
        return None
    try:
        found = _unquote(code), _unquote(kind)
    except ValueError:
        return None
    return found if file_name(*found) == name else None


def quoted(text: str) -> str:
    """A folder's name for any text: letters, digits, ``.`` and ``-`` as they are, everything else percent-encoded.

    Never empty, never one that leads out of its folder.
    """
    shown = _quote(text, _CODE_SAFE | _KIND_SAFE) or "%"
    if len(shown) > _WHOLE_NAME:  # what such a long one is called matters less than that no other is called so
        shown = f"{shown[: _WHOLE_NAME - 64]}{sha256(shown.encode()).hexdigest()}"
    return shown if shown.strip(".") else shown.replace(".", "%2E")


def _quote(text: str, safe: frozenset[int]) -> str:
    return "".join(chr(byte) if byte in safe else f"%{byte:02X}" for byte in text.encode("utf-8", "surrogatepass"))


def _unquote(text: str) -> str:
    plain = _ESCAPES.sub(lambda match: bytes.fromhex(match[1].decode()), text.encode())
    return plain.decode("utf-8", "surrogatepass")
