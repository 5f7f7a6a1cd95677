"""Writes events as JSON lines: one file per market and kind, ``misc.jsonl`` for everything else."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Literal

from msgspec import json, structs

from tapewire.errors import ConfigError, SinkError
from tapewire.model.events import CandleEvent, Event
from tapewire.model.status import Quarantined
from tapewire.sinks.contract import Item, Promise, Written
from tapewire.sinks.folder import Folder
from tapewire.sinks.lines import as_text, misc_line, one_line
from tapewire.sinks.names import MISC, file_name

Form = Literal["raw", "event"]


class JsonlSink:
    """Appends one JSON object a line to ``{code}_{type}.jsonl`` in one folder (made if it is not there).

    Names: ``KRW-BTC_trade.jsonl``, ``KRW-BTC_candle.1s.jsonl``; order books of every depth and level of a market
    share ``KRW-BTC_orderbook.jsonl``. A venue's name is in none: give each venue a folder of its own.
    ``misc.jsonl`` gets the feed's own events (connections, gaps) and every frame that is no market's: a JSON
    object as it came, other text as ``{"raw": …}``, what is no UTF-8 as ``{"raw_base64": …}``.

    A batch goes to the operating system in one write per file, so what ``write`` took survives ``kill -9``; with
    ``fsync`` it survives a power loss after ``flush``. When writing fails (disk full), the last line is cut back
    to a whole one and ``SinkError`` says what is safe. An unfinished last line found in an older file is cut off
    and kept in ``misc.jsonl``.

    Args:
        folder: where the files go; symbolic links among the files are refused.
        form: ``"raw"`` writes the venue's own JSON as received where the event has it (``keep_raw``), with nothing
            added; ``"event"`` our event, ``received_ns`` included.
        fsync: ``flush`` waits for the disk itself.
        max_open: files kept open at most; the least recently used is closed for another.
    """

    def __init__(self, folder: str | Path, *, form: Form = "raw", fsync: bool = False, max_open: int = 256) -> None:
        if form not in ("raw", "event"):
            raise ConfigError("form", form, '"raw" or "event"')
        if max_open < 1:
            raise ConfigError("max_open", max_open, "1 or more")
        self.promise = Promise("at_most_once", "power" if fsync else "process")
        self._folder = Folder(Path(folder), max_open)
        self._raw = form == "raw"
        self._fsync = fsync
        self._names: dict[tuple[type[Event], str, str | None], str] = {}
        self._encoder = json.Encoder()
        self._last_ns = 0

    def open(self) -> None:
        """Make the folder, see that it can be written to, and lock it against a second recorder."""
        self._folder.open()

    def write(self, batch: Sequence[Item]) -> None:
        """Append the batch, each file's lines in the order of the batch."""
        lines: dict[str, list[bytes]] = {}
        for item in batch:
            name, line = self._line(item)
            lines.setdefault(name, []).append(line)
        try:
            for name, own in lines.items():
                own.append(b"")
                self._folder.append(name, b"\n".join(own))
            self._keep_torn()
        except SinkError as error:
            raise SinkError(error.target, error.reason, self._safe()) from error
        self._last_ns = _time_of(batch[-1]) if batch else self._last_ns

    def flush(self) -> None:
        """Nothing is held back in this process; with ``fsync``: wait until the disk has it."""
        if self._fsync:
            self._folder.sync()

    def close(self) -> None:
        """Flush and close every file."""
        try:
            self.flush()
        finally:
            self._folder.close()

    def written(self) -> tuple[Written, ...]:
        """Lines written and size of every file touched since ``open``, by name."""
        files = sorted(self._folder.files.values(), key=lambda file: file.name)
        return tuple(Written(file.name, file.lines, file.size) for file in files)

    def _line(self, item: Item) -> tuple[str, bytes]:
        if not isinstance(item, Event):
            return MISC, misc_line(item.payload) if isinstance(item, Quarantined) else self._encoder.encode(item)
        unit = item.unit if isinstance(item, CandleEvent) else None
        key = (item.__class__, item.symbol, unit)
        name = self._names.get(key)
        if name is None:
            name = self._name(*key)
        raw = item.raw
        if raw is None:
            return name, self._encoder.encode(item)
        return name, (self._raw and one_line(raw)) or self._encoder.encode(structs.replace(item, raw=None))

    def _name(self, kind: type[Event], symbol: str, unit: str | None) -> str:
        word = str(kind.__struct_config__.tag)
        name = file_name(symbol, f"{word}.{unit}" if unit else word) or MISC
        if name != MISC:  # codes of any length and number may come: what has no file is not remembered
            self._names[kind, symbol, unit] = name
        return name

    def _keep_torn(self) -> None:
        while self._folder.torn:
            name, torn = self._folder.torn.pop()
            self._folder.append(MISC, self._encoder.encode({"torn_from": name, **as_text(torn)}) + b"\n")

    def _safe(self) -> str:
        files = [file for file in self.written() if file.events]
        if not files:
            return "nothing was written"
        count = sum(file.events for file in files)
        until = f", the last whole batch of {_shown(self._last_ns)}" if self._last_ns else ""
        return f"safe there: {count:,} lines in {len(files):,} {'file' if len(files) == 1 else 'files'}{until}"


def _time_of(item: Item) -> int:
    return item.received_ns if isinstance(item, Event) else item.at_ns


def _shown(ns: int) -> str:
    return datetime.fromtimestamp(ns / 1e9, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
