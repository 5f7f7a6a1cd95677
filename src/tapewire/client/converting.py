"""Turns recordings (folders of JSON lines, raw tapes) into Parquet."""

from __future__ import annotations

import contextlib
import hashlib
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from msgspec import DecodeError as Unreadable
from msgspec import Struct, json

from tapewire.client.front import WebSocketClient
from tapewire.client.replaying import Replay, recorded_streams, replay
from tapewire.client.tables import need_arrow
from tapewire.errors import ConfigError, DecodeError
from tapewire.model.event import Event
from tapewire.sinks.files.event_lines import event_reader, kind_of_line
from tapewire.sinks.files.reading import is_misc, lines_of, recorded_lines
from tapewire.tape.files import tape_files
from tapewire.venues.registry import get_venue

if TYPE_CHECKING:
    from tapewire.sinks.files.columns import Exactness
    from tapewire.sinks.files.dataset import Dataset

#: Where a folder keeps which sources are in it.
LEDGER = "converted.json"
#: Events handed over at once.
_BATCH = 10_000


class Source(Struct, frozen=True):
    """One piece of work: a file of JSON lines, or a whole tape; and what it looked like."""

    path: Path
    size: int
    modified_ns: int

    @property
    def key(self) -> str:
        return f"{self.stem} {self.size} {self.modified_ns}"

    @property
    def stem(self) -> str:
        """The same for the same source: its files are written over when it is converted again."""
        return hashlib.sha256(str(self.path.absolute()).encode()).hexdigest()[:10]


class Conversion(Struct):
    """What was done: sources converted and skipped (they had not changed), events, lines that could not be read."""

    converted: int = 0
    skipped: int = 0
    events: int = 0
    unreadable: int = 0
    files: int = 0


def sources_of(folder: Path) -> list[Source]:
    """What there is to convert in a folder: the tape, or each file of lines of a recording but ``misc``.

    Raises:
        ConfigError: it is neither a tape nor a recording.
    """
    tape = tape_files(folder)
    if tape:
        status = tape[-1].stat()
        return [Source(folder, sum(path.stat().st_size for path in tape), status.st_mtime_ns)]
    lines = recorded_lines(folder) if folder.is_dir() else []
    found = [one.path for one in lines if not is_misc(one)]
    if not found:
        raise ConfigError(
            "SOURCE", str(folder), "the folder of a tape (*.tape) or of a recording ({code}_{type}.jsonl …)"
        )
    return [Source(path, (status := path.stat()).st_size, status.st_mtime_ns) for path in found]


def convert(
    folder: Path,
    target: Path,
    *,
    venue: str = "upbit",
    numbers: Exactness = "float",
    zone: str = "UTC",
    progress: Callable[[Source, int], None] = lambda _source, _bytes: None,
) -> Conversion:
    """Turn a recording into Parquet files (``sinks.dataset``). Sources that are in the target already are skipped.

    Args:
        folder: of a tape, or of JSON lines (the exchange's own or our events).
        target: folder for the files.
        venue: whose JSON it is; a tape and our own events say so themselves.
        numbers: ``"float"`` or ``"decimal"``.
        zone: ``"UTC"`` or ``"KST"``, for dates and hours in names.
        progress: told how many bytes of a source are done.

    Raises:
        ConfigError: there is nothing to convert.
        SinkError: the target cannot be written.
        TapeError: the tape cannot be read at all.
    """
    need_arrow()
    from tapewire.sinks.files.dataset import Dataset  # noqa: PLC0415 - pyarrow takes 170 ms to load

    done, ledger = Conversion(), Ledger(target)
    for source in sources_of(folder):
        if source.key in ledger:
            done.skipped += 1
            progress(source, source.size)
            continue
        dataset = Dataset(target, source.stem, numbers=numbers, zone=zone)
        try:
            if source.path.is_dir():
                _play_into(dataset, source, numbers, progress)
                progress(source, source.size)
            else:
                done.unreadable += _read_into(dataset, source, LineReader(venue, numbers), progress)
            dataset.close()
        except BaseException:
            dataset.give_up()
            raise
        ledger.add(source.key)
        done.converted += 1
        done.events += dataset.events
        done.files += len(dataset.files)
    return done


def _play_into(dataset: Dataset, source: Source, numbers: Exactness, progress: Callable[[Source, int], None]) -> None:
    """A tape is played: what was recovered by REST is in it, what came twice is not."""
    folder = source.path
    venue, streams = recorded_streams(folder)

    async def program(again: Replay) -> None:
        # What was subscribed is known: a market that has no list on the tape is not looked up, which would take seconds
        # in which the tape goes on.
        made = WebSocketClient("convert", venue, url=again.url_of(venue), numbers=numbers, validate=False)
        async with made as client:
            batch: list[Event] = []

            def hear(event: Event) -> None:
                batch.append(event)
                if len(batch) >= _BATCH:
                    dataset.write(batch)
                    batch.clear()
                    progress(source, again.passed)

            await client.subscribe(streams, hear)
            await again.ended()
            dataset.write(batch)

    replay(folder, program)


def _read_into(dataset: Dataset, source: Source, reader: LineReader, progress: Callable[[Source, int], None]) -> int:
    unreadable = done = 0
    batch: list[Event] = []
    damages: list[str] = []
    for line in lines_of(source.path, damages.append):
        try:
            batch += reader.read(line)
        except (DecodeError, Unreadable):
            unreadable += 1
        done += len(line)
        if len(batch) >= _BATCH:
            dataset.write(batch)
            batch.clear()
            progress(source, done)
    dataset.write(batch)
    progress(source, source.size)
    return unreadable + len(damages)


class LineReader:
    """Reads lines of recordings in either form: the exchange's own JSON, and our events."""

    def __init__(self, venue: str, numbers: Exactness = "float") -> None:
        self._numbers = numbers
        self._venue, self._codec = venue, get_venue(venue).codec("DEFAULT", numbers, False)

    def read(self, line: bytes) -> list[Event]:
        """The events of one line.

        Raises:
            DecodeError: it is no message of the venue.
            msgspec.DecodeError: it is no event of ours.
        """
        kind = kind_of_line(line)
        if kind is not None:
            return [event_reader(kind, self._numbers)(line)]
        line = line.rstrip()
        try:  # as on the short road of a feed
            event = self._codec.decode(line)
            event.__class__ = self._codec.classes[type(event)][0]
        except Exception:  # whatever is no plain data message
            reading = self._codec.read(line)
        else:
            return [event]
        if reading.quarantined or not reading.events:
            raise DecodeError(self._venue, "no event is in this line", line)
        return list(reading.events)


class Ledger:
    """Which sources a target holds whole; written anew after each, all at once."""

    def __init__(self, target: Path) -> None:
        self._path = target / LEDGER
        self._keys: list[str] = []
        with contextlib.suppress(FileNotFoundError, Unreadable):
            self._keys = json.decode(self._path.read_bytes(), type=list[str])

    def __contains__(self, key: str) -> bool:
        return key in self._keys

    def has_begun(self, source: Source) -> bool:
        """Whether the target has anything of it, of whichever time."""
        return any(key.partition(" ")[0] == source.stem for key in self._keys)

    def begin(self, source: Source) -> None:
        """Files of it are put into the target from now on."""
        self.add(f"{source.stem} begun")

    def add(self, key: str) -> None:
        name, _, _ = key.partition(" ")
        self._keys = [*(one for one in self._keys if one.partition(" ")[0] != name), key]
        self._path.parent.mkdir(parents=True, exist_ok=True)
        part = self._path.with_suffix(".part")
        part.write_bytes(json.encode(self._keys))
        part.replace(self._path)
