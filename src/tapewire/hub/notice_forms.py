"""Notices as the bodies that web services want, and what an answer of theirs means for the next try (pure)."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

from msgspec import DecodeError, json

from tapewire.errors import HttpFailed
from tapewire.hub.notices import Notice

Form = Callable[[Notice, str], bytes]

#: Characters of a text that every service takes (Telegram: 4,096 after parsing, Slack: 40,000).
TEXT_LIMIT = 3_000
#: Tries of one notice, and the seconds between them: base × 2^(n-1), at most the cap.
TRIES, BACKOFF_BASE, BACKOFF_CAP = 6, 1.0, 60.0
#: Seconds that a service's wish to wait (Retry-After) is followed; a longer one gives the notice up.
LONGEST_WISH = 600.0

_MARKS = {"critical": "🔴", "warning": "🟠", "info": "🔵"}


def generic(notice: Notice, source: str) -> bytes:
    """A JSON object with every field of the notice, ``source`` (the client's name) and ``at`` (ISO 8601, UTC)."""
    at = datetime.fromtimestamp(notice.at_ns / 1e9, UTC).isoformat(timespec="milliseconds")
    fields: dict[str, Any] = {name: getattr(notice, name) for name in notice.__struct_fields__}
    return json.encode({"source": source, "at": at, **fields, "text": shortened(notice.text)})


def slack(notice: Notice, source: str) -> bytes:
    """``{"text": …}`` of an incoming webhook; its three control characters are escaped."""
    text = told(notice, source).replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
    return json.encode({"text": text})


def telegram(chat_id: str) -> Form:
    """The body of Telegram's ``sendMessage`` to one chat, as plain text."""

    def form(notice: Notice, source: str) -> bytes:
        return json.encode({"chat_id": chat_id, "text": told(notice, source), "disable_web_page_preview": True})

    return form


def told(notice: Notice, source: str) -> str:
    """The notice for a chat: a mark of its severity, who says it, and its line."""
    return shortened(f"{'🟢' if notice.over else _MARKS[notice.severity]} {source} {notice.line}")


def shortened(text: str) -> str:
    """The text, cut where no service would take more."""
    return text if len(text) <= TEXT_LIMIT else f"{text[: TEXT_LIMIT - 1]}…"


def wait_before_next(attempt: int, failed: HttpFailed) -> float | None:
    """Seconds until a notice is tried again after its ``attempt``-th failure; None: it is given up.

    No answer, 408, 425, 429 and 5xx can pass; any other answer says that the address or the message is wrong. A wish
    to wait (``Retry-After``, or ``parameters.retry_after`` of Telegram's body) goes before the back-off.
    """
    passing = failed.status is None or failed.status in {408, 425, 429} or failed.status >= 500
    if not passing or attempt >= TRIES:
        return None
    wish = failed.retry_after if failed.retry_after is not None else _wish_in(failed.body)
    if wish is None:
        return float(min(BACKOFF_CAP, BACKOFF_BASE * 2 ** (attempt - 1)))
    return max(wish, BACKOFF_BASE) if wish <= LONGEST_WISH else None


def _wish_in(body: bytes) -> float | None:
    try:
        wish = json.decode(body)["parameters"]["retry_after"]
    except (DecodeError, RecursionError, KeyError, TypeError):
        return None
    return float(wish) if isinstance(wish, int | float) and not isinstance(wish, bool) and wish >= 0 else None
