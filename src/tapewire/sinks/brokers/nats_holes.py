"""Whether JetStream threw away messages of a subject before they were heard: by the stream's first number (pure)."""

from __future__ import annotations

from collections import deque

#: Checks that wait for messages on their way; more are put together.
_CHECKS = 100


class Ledger:
    """How far one subject of a stream was heard. All subjects of a stream share its numbers.

    A server does not count what it threw away of one subject. But what begins behind our last message was all there
    when we heard it: so nothing is lost while the stream's first number is not beyond what had been heard at the check
    before. Where it is, and the numbers that were heard are not all of them, something may be lost, and that is told.

    Args:
        heard: number of the last message that was heard; 0: none was.
        known: all of this subject up to here was heard, or is of no interest.
    """

    def __init__(self, heard: int, known: int) -> None:
        self.heard, self.known = heard, max(heard, known)
        self.count = 0
        self._since = 0  # messages heard behind ``known``
        self._checks: deque[tuple[int, int]] = deque()

    def begin(self, first: int) -> bool:
        """The line begins here, and the stream with this number: whether something between may be lost."""
        lost = first > self.known + 1
        self.known = max(self.known, first - 1)
        return lost

    def check(self, first: int, waiting: int) -> bool:
        """The stream begins with this number, and so many messages were sent before and not heard yet.

        Returns:
            whether something may be lost; if messages wait, it is found when they were heard.
        """
        due = self.count + waiting
        if self._checks and (self._checks[-1][0] == due or len(self._checks) == _CHECKS):
            self._checks.pop()
        self._checks.append((due, first))
        return self._judge()

    def hear(self, number: int) -> bool:
        """A message of this number comes. Returns whether something before it may be lost."""
        lost = self._judge()
        self.heard = number
        self.count += 1
        self._since += 1
        return lost

    def is_old(self, first: int, last: int) -> bool:
        """What is known is in the older half of the stream: it is time to ask for the newest of this subject."""
        return not self._checks and self.known + 1 >= first and 2 * (self.known - first) < last - first

    def nothing_new(self, newest: int | None, last: int) -> None:
        """The newest of this subject that is stored; ``last`` had been stored in the stream before that was asked."""
        if newest is None or newest <= self.heard:
            self.known, self._since = max(self.known, last), 0

    def _judge(self) -> bool:
        lost = False
        while self._checks and self.count >= self._checks[0][0]:
            _, first = self._checks.popleft()
            all_heard = self._since == self.heard - self.known and self.heard + 1 >= first
            lost |= first > self.known + 1 and not all_heard
            self.known, self._since = max(self.known, self.heard, first - 1), 0
        return lost
