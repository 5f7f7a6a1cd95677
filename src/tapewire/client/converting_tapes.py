"""Plays a tape into Parquet, file by file, so that a run that was stopped goes on with the one where it stopped."""

from __future__ import annotations

import zlib
from array import array
from collections.abc import Callable, Sequence
from operator import attrgetter
from pathlib import Path
from typing import TYPE_CHECKING

from tapewire.client.converted import Conversion, Ledger, Source
from tapewire.client.front import WebSocketClient
from tapewire.client.replaying import Replay, recorded_streams, replay
from tapewire.errors import ConfigError, TapeError
from tapewire.model.event import Event

if TYPE_CHECKING:
    from tapewire.sinks.files.columns import Exactness
    from tapewire.sinks.files.dataset import Dataset

#: A piece that gives other events now than those it was converted of (since then, a stream was subscribed that the tape
#: had before) is converted anew when the tape is played again.
_PLAYS_MOST = 2
_received, _symbol = attrgetter("received_ns"), attrgetter("symbol")


def convert_tape(
    sources: Sequence[Source],
    ledger: Ledger,
    open_dataset: Callable[[Source], Dataset],
    *,
    numbers: Exactness,
    progress: Callable[[Source, int], None],
) -> Conversion:
    """Play a tape; what REST recovered is in the columns, what came twice is not.

    What the exchange said in one file of the tape, and what came of it while that was played, is one piece. One that
    the target holds is played, too (books, trade ids, losses reach from one to the next), but only compared with what
    was converted then.

    Args:
        sources: the tape's files.
        ledger: of the target.
        open_dataset: where the events of a file go.
        numbers: as of ``convert``.
        progress: told how many bytes of a file are done.

    Raises:
        ConfigError: the target has this tape in the form of an older version, which it would double.
        SinkError, TapeError: as of ``convert``; the tape is played otherwise each time.
    """
    done = Conversion()
    folder = sources[0].path.parent
    if ledger.has_begun(Source(folder, 0, 0)):
        raise ConfigError("TARGET", folder.name, "a folder into which no earlier version converted this tape")
    known = [source for source in sources if source.key in ledger]
    done.skipped = len(known)
    for source in known:
        progress(source, source.size)
    for _ in range(_PLAYS_MOST):
        if all(source.key in ledger for source in sources):
            return done
        pieces = _Pieces(sources, ledger, open_dataset, progress, done)
        try:
            _play(folder, pieces, numbers)
            pieces.close()
        except BaseException:
            pieces.give_up()
            raise
    if all(source.key in ledger for source in sources):
        return done
    raise TapeError(str(folder), "gives other events each time it is played")


def _play(folder: Path, pieces: _Pieces, numbers: Exactness) -> None:
    venue, streams = recorded_streams(folder)

    async def program(again: Replay) -> None:
        again.each_part(pieces.passed)
        # What was subscribed is known: a market that has no list on the tape is not looked up, which would take seconds
        # in which the tape goes on.
        made = WebSocketClient("convert", venue, url=again.url_of(venue), numbers=numbers, validate=False)
        async with made as client:
            await client.subscribe(streams, pieces.hear)
            await again.ended()

    replay(folder, program)


class _Pieces:
    """Gives what is heard to the file of the tape that it came from."""

    def __init__(
        self,
        sources: Sequence[Source],
        ledger: Ledger,
        open_dataset: Callable[[Source], Dataset],
        progress: Callable[[Source, int], None],
        done: Conversion,
    ) -> None:
        self._sources = {source.path: source for source in sources}
        self._ledger, self._open_dataset, self._progress, self._done = ledger, open_dataset, progress, done
        self._heard: list[Event] = []
        self._file: Path | None = None
        self._bytes = 0
        self._print = _Print()
        self._dataset: Dataset | None = None
        self._seen: set[Path] = set()

    def hear(self, event: Event) -> None:
        """An event, of the file that is being played."""
        self._heard.append(event)

    def passed(self, file: Path, size: int) -> None:
        """So many more bytes of a file are behind, and all that was heard since is of them. Raises SinkError."""
        if file != self._file:
            self._end()
            self._begin(file)
        self._take()
        self._bytes += size
        if self._dataset is not None:
            self._progress(self._sources[file], self._bytes)

    def close(self) -> None:
        """The tape is at its end: files in which nothing was are done, too. Raises SinkError."""
        self._take()
        self._end()
        for source in self._sources.values():
            if source.path not in self._seen and source.key not in self._ledger:
                self._ledger.add(source.key, str(_Print()))

    def give_up(self) -> None:
        """Leave nothing of a piece that is not whole."""
        if self._dataset is not None:
            self._dataset.give_up()

    def _begin(self, file: Path) -> None:
        self._file, self._bytes, self._print = file, 0, _Print()
        self._seen.add(file)
        source = self._sources.get(file)  # none: begun by a recorder meanwhile, for the next run
        if source is not None and source.key not in self._ledger:
            self._dataset = self._open_dataset(source)

    def _take(self) -> None:
        heard, self._heard = self._heard, []
        self._print.add(heard)
        if self._dataset is not None:
            self._dataset.write(heard)

    def _end(self) -> None:
        source = None if self._file is None else self._sources.get(self._file)
        if source is None:
            return
        dataset, self._dataset = self._dataset, None
        if dataset is None:
            if self._ledger.content_of(source.key) != str(self._print):
                self._ledger.forget(source.key)
            return
        try:
            dataset.close()
        except BaseException:
            dataset.give_up()
            raise
        self._ledger.add(source.key, str(self._print))
        self._progress(source, source.size)
        self._done.converted += 1
        self._done.events += dataset.events
        self._done.files += len(dataset.files)


class _Print:
    """What tells events from others: their number, order, times of receipt and symbols."""

    def __init__(self) -> None:
        self._count = self._sum = 0

    def add(self, events: list[Event]) -> None:
        self._count += len(events)
        self._sum = zlib.crc32(array("q", map(_received, events)), self._sum)
        self._sum = zlib.crc32("".join(map(_symbol, events)).encode(), self._sum)

    def __str__(self) -> str:
        return f"{self._count} {self._sum:08x}"
