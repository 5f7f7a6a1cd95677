"""Writes events to files: lines of JSON for each market and kind, or Parquet, and the others for everything else."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from datetime import UTC, datetime
from itertools import groupby
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from msgspec import json, structs

from tapewire.errors import ConfigError, SinkError
from tapewire.model.counted import clause_of, count_of
from tapewire.model.events import CandleEvent, Event
from tapewire.model.frame_run import FrameRun
from tapewire.model.status import Quarantined
from tapewire.sinks.contract import Item, Promise, Written
from tapewire.sinks.files.condensed import Condensed, condensing
from tapewire.sinks.files.lanes import Lanes
from tapewire.sinks.files.layout import MISC_KIND, NEVER, Layout, Place, Slot
from tapewire.sinks.files.lines import misc_line, one_line
from tapewire.sinks.files.options import RecordOptions
from tapewire.sinks.files.segments import Segments

if TYPE_CHECKING:
    from tapewire.sinks.files.finishing import Finisher

Form = Literal["raw", "event"]
#: What becomes of one line that was not written, and of several.
_WAITING, _MISSING = ("waits", "wait"), ("is not there", "are not there")
_Key = tuple[type[Event], str, str, str | None]


class JsonlSink:
    """Appends one JSON object a line to ``{code}_{type}.jsonl`` in one folder, or as the options lay it out.

    Names: ``KRW-BTC_trade.jsonl``, ``KRW-BTC_candle.1s.jsonl``; order books of every depth and level of a market
    share ``KRW-BTC_orderbook.jsonl``. In the flat layout a venue's name is in none: give each venue its own folder.
    ``misc.jsonl`` gets the feed's own events (connections, gaps) and every frame that is no market's: a JSON
    object as it came, other text as ``{"raw": …}``, what is no UTF-8 as ``{"raw_base64": …}``.

    A batch goes to the operating system in one write per file, so what ``write`` took survives ``kill -9`` (with zstd:
    what ``flush`` took); after ``flush`` it survives a power loss, unless ``fsync`` is ``"none"``. What a full disk
    refuses is kept and written when there is space again. An unfinished end found in an older file is cut off and kept
    in ``misc.jsonl``.

    Args:
        folder: where the files go (made if it is not there); symbolic links among the files are refused.
        form: ``"raw"`` writes the venue's own JSON as received where the event has it (``keep_raw``), with nothing
            added; ``"event"`` our event, ``received_ns`` included. None: raw, but of Parquet, which knows events only.
        options: layout, rotation, retention, compression, safety.
        max_open: files kept open at most; the least recently used is closed for another.
    """

    #: Lines of one file are written at once: the more there are, the less each costs.
    batch = 50_000

    def __init__(
        self, folder: str | Path, *, form: Form | None = None, options: RecordOptions | None = None, max_open: int = 512
    ) -> None:
        options = options or RecordOptions()
        columns = options.files == "parquet"
        if form not in ("raw", "event", None) or (columns and form == "raw"):
            raise ConfigError("form", form, '"event", for Parquet' if columns else '"raw" or "event"')
        if max_open < 1:
            raise ConfigError("max_open", max_open, "1 or more")
        self.promise = Promise("at_least_once", "process" if options.fsync == "none" else "power")
        self.flush_every = options.fsync_every
        self._path, self._raw = Path(folder), form != "event" and not columns
        self._finisher = _finisher(self._path, options) if columns else None
        add, unfinished = (self._finisher.add, self._finisher.unfinished) if self._finisher else (_nothing, frozenset)
        self._segments = Segments(self._path, options, finish=add, unfinished=unfinished, max_open=max_open)
        self._places: dict[_Key, Place] = {}
        self._encoder = json.Encoder()
        self._last_ns = 0
        self.condensing = condensing if self._raw else None
        #: What takes frames in place of events (``FrameRun`` in a batch); None: events are wanted whole.
        self.frames = Lanes(Layout(options)) if self._raw else None

    def open(self) -> None:
        """Make the folder, see that it can be written to, and lock it against a second recorder."""
        self._segments.open()
        if self._finisher is not None:
            self._finisher.open()

    def write(self, batch: Sequence[Item | Condensed | FrameRun]) -> None:
        """Append the batch, each file's lines in the order of the batch."""
        runs = [item for item in batch if isinstance(item, FrameRun)]
        others = batch if not runs else [item for item in batch if not isinstance(item, FrameRun)]
        if runs and self.frames is not None:
            self.frames.deal(runs, self._segments.slot, self._segments.take)
        for slot, items in self._slots(others):  # type: ignore[arg-type]
            lines: dict[Place, list[bytes]] = {}
            for item in items:
                place, line = self._line(item)
                lines.setdefault(place, []).append(line)
            for place, own in lines.items():
                self._segments.take(place, [b"\n".join((*own, b""))], len(own), slot)
        self._do(self._segments.commit)
        self._last_ns = _time_of(batch[-1]) if batch else self._last_ns

    def flush(self) -> None:
        """Nothing is held back in this process any more; unless ``fsync`` is "none": wait until the disk has it."""
        while self._finisher is not None and self._finisher.notices:
            self._segments.note(self._finisher.notices.popleft())
        self._do(self._segments.flush)

    def close(self) -> None:
        """Flush and close every file; what is to become Parquet does so, as far as a second allows."""
        try:
            self._do(self._segments.end)
        finally:
            if self._finisher is None:
                self._segments.release()
            else:
                self._finisher.close(self._segments.release)

    def written(self) -> tuple[Written, ...]:
        """Lines and bytes that went to each stream since ``open``, by its name: that of its file where it has one."""
        return self._segments.written()

    def _slots(
        self, batch: Sequence[Item | Condensed]
    ) -> Iterator[tuple[Slot, Iterator[Item | Condensed] | Sequence[Item | Condensed]]]:
        """The batch by the spans of time whose lines share files."""
        if not batch:
            return
        slot = self._segments.slot(_time_of(batch[-1]))
        if slot.end_ns == NEVER:
            yield slot, batch
        else:
            yield from groupby(batch, key=lambda item: self._segments.slot(_time_of(item)))

    def _line(self, item: Item | Condensed) -> tuple[Place, bytes]:
        if isinstance(item, Condensed):
            key = (item.form, item.venue, item.symbol, item.unit)
            return self._places.get(key) or self._place(key), item.line
        if not isinstance(item, Event):
            line = misc_line(item.payload) if isinstance(item, Quarantined) else self._encoder.encode(item)
            return self._segments.misc(item.venue), line
        unit = item.unit if isinstance(item, CandleEvent) else None
        key = (item.__class__, item.venue, item.symbol, unit)
        place = self._places.get(key) or self._place(key)
        raw = item.raw
        if raw is None:
            return place, self._encoder.encode(item)
        return place, (self._raw and one_line(raw)) or self._encoder.encode(structs.replace(item, raw=None))

    def _place(self, key: _Key) -> Place:
        form, venue, symbol, unit = key
        place = self._segments.place(venue, str(form.__struct_config__.tag), symbol, unit)
        if place.kind != MISC_KIND:  # codes of any length and number may come: what has no file is not remembered
            self._places[key] = place
        return place

    def _do(self, step: Callable[[], None]) -> None:
        try:
            step()
        except SinkError as error:
            safe = self._safe(_WAITING if error.retryable else _MISSING)
            raise SinkError(error.target, error.reason, safe, retryable=error.retryable) from error

    def _safe(self, become: tuple[str, str]) -> str:
        files = [file for file in self.written() if file.events]
        waiting = self._segments.waiting
        more = f", {clause_of(waiting, 'line', *become)}" if waiting else ""
        if not files:
            return f"nothing was written{more}"
        count = sum(file.events for file in files)
        until = f", the last whole batch of {_shown(self._last_ns)}" if self._last_ns else ""
        return f"safe there: {count_of(count, 'line')} in {count_of(len(files), 'file')}{until}{more}"


def _finisher(folder: Path, options: RecordOptions) -> Finisher:
    from tapewire.sinks.files.finishing import Finisher  # noqa: PLC0415 - pyarrow takes 170 ms to load

    return Finisher(folder, options)


def _nothing(_name: str) -> None:
    """No file becomes Parquet."""


def _time_of(item: Item | Condensed | FrameRun) -> int:
    """When it came, ns UTC; of an event that nobody received, the venue's own time."""
    if isinstance(item, FrameRun):
        return item.at_ns
    if isinstance(item, Condensed):
        return item.received_ns
    if not isinstance(item, Event):
        return item.at_ns
    return item.received_ns or (item.timestamp or 0) * 1_000_000


def _shown(ns: int) -> str:
    return datetime.fromtimestamp(ns / 1e9, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
