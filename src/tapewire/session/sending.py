"""When the next request may be sent: the limits, the pause after a refusal, the window in which changes are merged."""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence

from tapewire.config import SessionOptions
from tapewire.session.gate import MARGIN, Gate, own_gate
from tapewire.session.limits import MESSAGE_LEEWAY
from tapewire.venues.contract import Facts

#: Share of a long window's budget from which on the merge window grows.
PLENTY = 0.5
#: Seconds from which on a window counts as long: the short ones are full for a moment only.
LONG = 15.0


class Sending:
    """What may be sent on one connection, and when.

    A change of what is wanted waits a moment for others, so that many components that subscribe at once cost one
    request. The moment is ``pending_window`` while at least half of the message budget is left, and grows from there to
    ``pending_window_max`` as the budget is spent: so a program that changes its mind all day keeps half of it for
    reconnects.

    Args:
        options: the session's.
        gate: the exchange's limit of messages, shared by all connections to one address.
        facts: the exchange's message limits, and those of requests on one connection.
    """

    def __init__(self, options: SessionOptions, gate: Gate, facts: Facts) -> None:
        self._options, self._gate, self._windows = options, own_gate(options, gate), facts.requests
        self._requests = self._gate
        self._longest = max((window.seconds for window in facts.messages), default=0.0)
        self._outbox: deque[bytes] = deque()
        self._hold_until = float("-inf")
        self._merge_until: float | None = None

    @property
    def waiting(self) -> bool:
        """A part of the last request is not sent yet."""
        return bool(self._outbox)

    @property
    def request_at(self) -> float:
        """The earliest time for a request (monotonic seconds)."""
        return self._requests.next_at(self._earliest)

    def other_at(self, t: float) -> float:
        """The earliest time, ``t`` or later, for what is no request: a text ping, a question."""
        return self._gate.next_at(t)

    def opened(self) -> None:
        """A new line: requests on it are counted from here."""
        if self._windows:
            self._requests = Gate(self._windows, MESSAGE_LEEWAY, self._gate)

    def changed(self, t: float) -> None:
        """What is wanted changed: the merge window opens, unless it is open already."""
        if self._merge_until is None:
            self._merge_until = t + self._window(t)

    def hurry(self) -> None:
        """There is nothing to wait for: the next request restores what was there."""
        self._merge_until = None

    def put(self, payloads: Sequence[bytes]) -> None:
        """The request as it is to be sent; the merge window is over."""
        self._outbox = deque(payloads)
        self._merge_until = None

    def begin(self, t: float) -> bool:
        """Whether a part of a request may be sent now; then it counts as sent, and ``next`` is to be."""
        return t >= self._earliest and self._requests.take(t)

    @property
    def login_at(self) -> float:
        """The earliest time for a login: it need not wait for changes of what is wanted."""
        return self._requests.next_at(float("-inf"))

    def begin_login(self, t: float) -> bool:
        """Whether the login, which counts as a request, may be sent now; then it counts as sent."""
        return self._requests.take(t)

    def next(self) -> bytes:
        """The next payload."""
        return self._outbox.popleft()

    def begin_other(self, t: float) -> bool:
        """Whether what is no request may be sent now; then it counts as sent."""
        return self._gate.take(t)

    @property
    def _earliest(self) -> float:
        return self._hold_until if self._merge_until is None else max(self._hold_until, self._merge_until)

    def clear(self) -> None:
        """What was not sent yet is not to be sent."""
        self._outbox.clear()

    def hold(self, t: float, seconds: float | None = None) -> None:
        """Nothing is asked for so many seconds; None: until every window is surely empty."""
        self._hold_until = max(self._hold_until, t + (self._longest if seconds is None else seconds) + MARGIN)

    def _window(self, t: float) -> float:
        shortest, longest = self._options.pending_window, self._options.pending_window_max
        spent = (self._requests.spent(t, LONG) - PLENTY) / (1 - PLENTY)
        return shortest + (longest - shortest) * min(1.0, max(0.0, spent))
