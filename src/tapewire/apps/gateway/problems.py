"""What the gateway answers when it does not do what was asked: status, name, and words that hold no secret (pure)."""

from __future__ import annotations

import msgspec

#: Name → HTTP status, and what is said where nothing more can be.
PROBLEMS: dict[str, tuple[int, str]] = {
    "bad_request": (400, "The request cannot be read."),
    "unauthorized": (401, "A token is needed: Authorization: Bearer …"),
    "forbidden": (403, "This is not allowed here."),
    "not_found": (404, "There is no such thing here."),
    "method_not_allowed": (405, "Only GET is answered here."),
    "misdirected": (421, "This server has another name."),
    "too_many": (429, "Too many requests."),
    "internal": (500, "The gateway failed to answer."),
    "upstream": (502, "The exchange refused or did not answer."),
    "unavailable": (503, "The gateway takes no more clients now."),
    "upstream_timeout": (504, "The exchange took too long."),
}

#: Said, as ``unauthorized``, to a token that is good for other doors (S3).
OTHER_SCOPE = "A token with another scope is needed."


class Problem(Exception):
    """A request that is not answered as it was meant.

    Args:
        name: one of ``PROBLEMS``.
        message: what was wrong and what would be right; None: the constant words.
        retry_after: seconds after which trying again can help.
    """

    def __init__(self, name: str, message: str | None = None, *, retry_after: float | None = None) -> None:
        self.name, self.status = name, PROBLEMS[name][0]
        self.message = PROBLEMS[name][1] if message is None else message
        self.retry_after = retry_after
        super().__init__(f"{name}: {self.message}")

    @property
    def facts(self) -> dict[str, str]:
        """Name and message."""
        return {"name": self.name, "message": self.message}

    @property
    def body(self) -> bytes:
        """``{"error": {"name", "message"}}``."""
        return msgspec.json.encode({"error": self.facts})
