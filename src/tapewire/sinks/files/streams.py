"""The lines of one place: the file they go to, those that wait, and another file where the disk did not confirm."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable

from tapewire.sinks.files.appending import AppendFile
from tapewire.sinks.files.layout import FRAMES, Place, Slot


class Stream:
    """The lines of one place: the file they go to, and those that wait."""

    def __init__(self, place: Place, suffix: str, slot: Slot) -> None:
        self.place, self.suffix = place, suffix
        self.waiting: deque[tuple[Slot, list[bytes]]] = deque()
        self.waiting_bytes = 0
        self.file: AppendFile | None = None
        #: Takes the place of ``file``, which the disk did not confirm, as soon as it is whole.
        self.anew: AppendFile | None = None
        self.file_slot, self.number, self.count = slot, 0, 0
        self.lines = self.stored = 0

    def take(self, lines: list[bytes], size: int, slot: Slot) -> None:
        """Keep lines until they are written."""
        if self.waiting and self.waiting[-1][0] == slot:
            self.waiting[-1][1].extend(lines)
        else:
            self.waiting.append((slot, lines))
        self.waiting_bytes += size

    def wrote(self, lines: list[bytes], end: int, stored: int) -> int:
        """The first ``end`` of these lines are in the file, as so many bytes; how many they were as lines."""
        size = sum(map(len, lines[:end])) + end
        del lines[:end]
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
