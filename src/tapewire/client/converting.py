"""Turns recordings (folders of JSON lines, raw tapes) into Parquet."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from msgspec import DecodeError as Unreadable

from tapewire.client.converted import Conversion, Ledger, Source
from tapewire.client.converting_tapes import convert_tape
from tapewire.client.tables import need_arrow
from tapewire.errors import ConfigError, DecodeError
from tapewire.model.event import Event
from tapewire.sinks.files.event_lines import event_reader, kind_of_line
from tapewire.sinks.files.reading import is_misc, lines_of, recorded_lines
from tapewire.tape.files import number_of, tape_files
from tapewire.venues.registry import get_venue

if TYPE_CHECKING:
    from tapewire.sinks.files.columns import Exactness
    from tapewire.sinks.files.dataset import Dataset

#: Events handed over at once.
_BATCH = 2_000


def sources_of(folder: Path) -> list[Source]:
    """What there is to convert in a folder: each file of a tape, or each file of lines of a recording but ``misc``.

    Raises:
        ConfigError: it is neither a tape nor a recording.
    """
    tape = tape_files(folder)
    if tape:
        return [_source(path) for path in tape]
    lines = recorded_lines(folder) if folder.is_dir() else []
    found = [one.path for one in lines if not is_misc(one)]
    if not found:
        raise ConfigError(
            "SOURCE", str(folder), "the folder of a tape (*.tape) or of a recording ({code}_{type}.jsonl …)"
        )
    return [_source(path) for path in found]


def _source(path: Path) -> Source:
    status = path.stat()
    return Source(path, status.st_size, status.st_mtime_ns)


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

    def open_dataset(source: Source) -> Dataset:
        return Dataset(target, source.stem, numbers=numbers, zone=zone)

    sources, ledger = sources_of(folder), Ledger(target)
    if number_of(sources[0].path) is not None:
        return convert_tape(sources, ledger, open_dataset, numbers=numbers, progress=progress)
    done = Conversion()
    for source in sources:
        if source.key in ledger:
            done.skipped += 1
            progress(source, source.size)
            continue
        dataset = open_dataset(source)
        try:
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
