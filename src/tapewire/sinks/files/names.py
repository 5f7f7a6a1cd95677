"""Names of files and folders from codes that a server sends: reversible, without collisions, never outside."""

from __future__ import annotations

import re
from hashlib import sha256
from string import ascii_lowercase, ascii_uppercase, digits

from tapewire.model.events import EVENT_CLASSES

#: Where everything goes that belongs to no market.
MISC = "misc.jsonl"
#: The folder of what belongs to no market: letters that no code's name has.
ALL = "all"

_SUFFIX = ".jsonl"
_CODE_SAFE = frozenset((ascii_uppercase + digits + "-").encode())
_KIND_SAFE = frozenset((ascii_lowercase + digits + ".").encode())
_WHOLE_NAME = 200  # bytes: every file system takes 255, and copies like to add a suffix
_MIXED = [kind for kind in EVENT_CLASSES if kind != kind.lower()]
#: Words of mixed case as they are (``myOrder``), their only neighbours encoded (``%6Dyorder``).
_MIXED_CASE = {kind: kind for kind in _MIXED} | {
    kind.lower(): f"%{ord(kind[0]):02X}{kind[1:].lower()}" for kind in _MIXED
}
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
    stem = file_stem(code, kind)
    return None if stem is None else f"{stem}{_SUFFIX}"


def file_stem(code: str, kind: str) -> str | None:
    """``file_name`` without what stands behind it: ``KRW-BTC_trade``."""
    if not code or not kind:
        return None
    name = f"{_code(code)}_{_kind(kind)}"
    return name if len(name) <= _WHOLE_NAME - len(_SUFFIX) else None


def parse_file_name(name: str) -> tuple[str, str] | None:
    """The code and kind that ``file_name`` made this name from; None for any other file, ``MISC`` included."""
    return parse_file_stem(name.removesuffix(_SUFFIX)) if name.endswith(_SUFFIX) else None


def parse_file_stem(stem: str) -> tuple[str, str] | None:
    """The code and kind that ``file_stem`` made this of; None for anything else."""
    code, underscore, kind = stem.partition("_")
    if not underscore:
        return None
    try:
        found = unquoted(code), unquoted(kind)
    except ValueError:
        return None
    return found if file_stem(*found) == stem else None


def code_folder(code: str) -> str | None:
    """A folder's name for a market's code, by the rules of ``file_name``; ``all`` for what belongs to no market.

    Returns:
        The name, or None for a code that is too long to be a market's.
    """
    shown = _code(code) if code else ALL
    return shown if len(shown) <= _WHOLE_NAME else None


def kind_folder(kind: str) -> str:
    """A folder's name for a kind of event."""
    return _MIXED_CASE.get(kind) or quoted(kind)


def quoted(text: str) -> str:
    """A folder's name for any text: letters, digits, ``.`` and ``-`` as they are, everything else percent-encoded.

    Never empty, never one that leads out of its folder.
    """
    shown = _quote(text, _CODE_SAFE | _KIND_SAFE) or "%"
    if len(shown) > _WHOLE_NAME:  # what such a long one is called matters less than that no other is called so
        shown = f"{shown[: _WHOLE_NAME - 64]}{sha256(shown.encode()).hexdigest()}"
    return shown if shown.strip(".") else shown.replace(".", "%2E")


def _code(code: str) -> str:
    shown = _quote(code, _CODE_SAFE)
    if shown in _DEVICES:  # Windows opens the device, whatever stands behind the name
        return f"%{ord(shown[0]):02X}{shown[1:]}"
    return shown


def _kind(kind: str) -> str:
    return _MIXED_CASE.get(kind) or _quote(kind, _KIND_SAFE)


def _quote(text: str, safe: frozenset[int]) -> str:
    return "".join(chr(byte) if byte in safe else f"%{byte:02X}" for byte in text.encode("utf-8", "surrogatepass"))


def unquoted(text: str) -> str:
    """What stands behind a quoted name. Raises ValueError: it is none."""
    plain = _ESCAPES.sub(lambda match: bytes.fromhex(match[1].decode()), text.encode())
    return plain.decode("utf-8", "surrogatepass")
