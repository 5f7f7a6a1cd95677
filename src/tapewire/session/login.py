"""The login of one line that wants it as a message: nothing else is asked before its answer."""

from __future__ import annotations

from typing import Literal


class Login:
    """One line's login.

    Args:
        wanted: whether the side wants one; if not, it is always done.
        patience: seconds to wait for its answer.
    """

    def __init__(self, *, wanted: bool, patience: float) -> None:
        self.wanted, self._patience = wanted, patience
        self._state: Literal["due", "asked", "done"] = "due" if wanted else "done"
        #: When its answer is overdue (monotonic seconds); None: none is waited for.
        self.until: float | None = None

    @property
    def due(self) -> bool:
        """It is to be sent."""
        return self._state == "due"

    @property
    def done(self) -> bool:
        """Requests may be sent."""
        return self._state == "done"

    def opened(self) -> None:
        """A new line."""
        self._state, self.until = "due" if self.wanted else "done", None

    def sent(self, t: float) -> None:
        """It is on its way."""
        self._state, self.until = "asked", t + self._patience

    def accepted(self) -> None:
        """The exchange took the key."""
        self._state, self.until = "done", None

    def overdue(self, t: float) -> bool:
        """Whether the answer did not come in time."""
        return self.until is not None and t >= self.until
