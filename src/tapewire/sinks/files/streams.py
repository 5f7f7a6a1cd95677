"""The lines of one place: the file they go to, those that wait, and another file where the disk did not confirm."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable

from tapewire.sinks.files.appending import AppendFile
from tapewire.sinks.files.layout import FRAMES, Place, Slot


class Texts:
    """Lines of one span that wait, many to a piece of text."""

    def __init__(self, slot: Slot) -> None:
        self.slot, self.count = slot, 0
        self._parts: list[bytes] = []

    def take(self, texts: list[bytes], count: int) -> None:
        """Keep these, whole lines with their ends, ``count`` in all."""
        self._parts += texts
        self.count += count

    def text(self, _end: int) -> bytes:
        """All of them: nobody asks for fewer."""
        self._parts = [b"".join(self._parts)]
        return self._parts[0]

    def wrote(self, end: int) -> int:
        """The first ``end`` of those in ``text`` are written; their bytes."""
        whole = self.text(end)
        rest = whole.split(b"\n", end)[end] if end < self.count else b""
        self._parts = [rest] if rest else []
        self.count -= end
        return len(whole) - len(rest)


class SingleLines:
    """Lines of one span that wait, each by itself: where a file ends, or a frame, is to be seen for each of them.

    Attributes:
        lines: without their ends.
    """

    def __init__(self, slot: Slot) -> None:
        self.slot = slot
        self.lines: list[bytes] = []

    @property
    def count(self) -> int:
        """How many these are."""
        return len(self.lines)

    def take(self, texts: list[bytes], _count: int) -> None:
        """As of ``Texts``."""
        for text in texts:
            self.lines += text.split(b"\n")
            self.lines.pop()  # what follows the last line end

    def text(self, end: int) -> bytes:
        """The first ``end`` of them."""
        return b"\n".join((*self.lines[:end], b""))

    def wrote(self, end: int) -> int:
        """As of ``Texts``."""
        size = sum(map(len, self.lines[:end])) + end
        del self.lines[:end]
        return size


class Stream:
    """The lines of one place: the file they go to, and those that wait.

    Args:
        place: whose lines these are.
        suffix: of its files.
        slot: of its first line.
        single: where its files end depends on each line.
    """

    def __init__(self, place: Place, suffix: str, slot: Slot, *, single: bool) -> None:
        self.place, self.suffix = place, suffix
        self.waiting: deque[Texts | SingleLines] = deque()
        self.waiting_bytes = 0
        self.file: AppendFile | None = None
        #: Takes the place of ``file``, which the disk did not confirm, as soon as it is whole.
        self.anew: AppendFile | None = None
        self.file_slot, self.number, self.count = slot, 0, 0
        self.lines = self.stored = 0
        self._waiting_of = SingleLines if single else Texts

    def take(self, texts: list[bytes], count: int, slot: Slot) -> int:
        """Keep ``count`` lines until they are written, each with its end; their bytes."""
        if not self.waiting or self.waiting[-1].slot != slot:
            self.waiting.append(self._waiting_of(slot))
        self.waiting[-1].take(texts, count)
        size = sum(map(len, texts))
        self.waiting_bytes += size
        return size

    def wrote(self, waiting: Texts | SingleLines, end: int, stored: int) -> int:
        """The first ``end`` of these lines are in the file, as so many bytes; how many they were as lines."""
        size = waiting.wrote(end)
        self.waiting_bytes -= size
        self.count += end
        self.lines += end
        self.stored += stored
        return size


def within(lines: list[bytes], end: int, size: int) -> int:
    """As many of the first ``end`` lines as have ``size`` bytes, one at least."""
    total = 0
    for index in range(end):
        total += len(lines[index]) + 1
        if total > size and index:
            return index
    return end


def renewed(stream: Stream, make: Callable[[], AppendFile]) -> bool:
    """Give up a file that the disk did not confirm: what is in doubt goes to another, and is cut off the first.

    Args:
        stream: whose file it is; after a failure this is called again.
        make: the file of the next number, not yet there.

    Returns:
        Whether there was one; the other is on the disk then.

    Raises:
        OSError: the disk refuses that, too.
    """
    doubtful = stream.file
    if doubtful is None or not doubtful.is_doubtful:
        return False
    if stream.anew is None:
        anew = make()
        anew.begin()
        stream.anew = anew
    stream.anew.write_anew(doubtful.held)
    doubtful.end_confirmed()
    if stream.suffix != FRAMES:  # of frames nobody knows the lines: the file is over somewhat sooner
        stream.count = sum(part.count(b"\n") for part in doubtful.held)
    stream.file, stream.anew, stream.number = stream.anew, None, stream.number + 1
    return True
