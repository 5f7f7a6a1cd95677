"""Which file of a recording an event goes to, when a file is over, and which may go (pure).

A path is relative to the recording's folder, with ``/``. Names are made and read here only, so whatever a reader or the
retention takes for a file of ours is one that ``Layout.path`` gives.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Sequence
from datetime import UTC, datetime, tzinfo
from typing import NamedTuple

from tapewire.model.event import KST
from tapewire.sinks.files.names import ALL, code_folder, file_stem, kind_folder, parse_file_stem, quoted, unquoted
from tapewire.sinks.files.options import RecordOptions

#: The kind of what belongs to no market: the feed's own events, frames that are no market data, notices.
MISC_KIND = "misc"
#: What names end with: lines, lines in frames, columns, lines that are to become columns, what is not whole yet.
LINES, FRAMES, COLUMNS, SEGMENT, PART = ".jsonl", ".jsonl.zst", ".parquet", ".segment", ".part"
#: A moment that never comes.
NEVER = 2**63 - 1

_ZONES: dict[str, tzinfo] = {"UTC": UTC, "KST": KST}
_SUFFIXES = (FRAMES, LINES, COLUMNS, SEGMENT, PART)
_SECOND = 10**9
_MINUTE, _HOUR, _DAY = 60 * _SECOND, 3600 * _SECOND, 86_400 * _SECOND
#: The last second that has a name: years have four digits.
LAST_SECOND = 253_000_000_000
_NUMBER = r"(?:-([1-9][0-9]{0,6}))?"
_LABEL = r"[0-9]{4}-[0-9]{2}-[0-9]{2}(?:T[0-9]{2}(?:[0-9]{2}){0,2})?"
_FLAT = re.compile(rf"(.+?)(?:-({_LABEL}))?{_NUMBER}")
_HOUR_NAME = re.compile(rf"([0-9]{{2}}){_NUMBER}")
_DATE = re.compile(r"date=([0-9]{4}-[0-9]{2}-[0-9]{2})")


class Place(NamedTuple):
    """The stream of lines that something belongs to. In the flat layout the venue is "", and a kind has its unit
    (``candle.1m``); in the dated one all units of a market share a file. ``MISC_KIND`` has no symbol.
    """

    venue: str
    kind: str
    symbol: str


class Slot(NamedTuple):
    """A span of time whose lines share a file, and what it is called in names: ``2026-11-21T09``, "" for always."""

    label: str
    begin_ns: int
    end_ns: int


class Found(NamedTuple):
    """What a path says. ``number``: which file of its place and label, from 1."""

    place: Place
    label: str
    number: int
    suffix: str


class Kept(NamedTuple):
    """A file that is there: its path, its size in bytes, when it was written to last (ns UTC)."""

    path: str
    size: int
    written_ns: int


class Layout:
    """The names of one recording."""

    def __init__(self, options: RecordOptions) -> None:
        self._dated = options.layout == "dated"
        self._zone = _ZONES[options.zone]
        self._offset_ns = 9 * _HOUR if options.zone == "KST" else 0
        every = None if options.rotate_every is None else int(options.rotate_every * _SECOND)
        self._every_ns = every or _HOUR if self._dated else every

    def place(self, venue: str, kind: str, symbol: str, unit: str | None = None) -> Place:
        """Where events belong (``unit`` of candles); a code that can be no market's goes to the others."""
        if self._dated:
            return self.misc(venue) if code_folder(symbol) is None else Place(venue, kind, symbol)
        kind = f"{kind}.{unit}" if unit else kind
        return self.misc("") if file_stem(symbol, kind) is None else Place("", kind, symbol)

    def misc(self, venue: str) -> Place:
        """Where everything else belongs."""
        return Place(venue if self._dated else "", MISC_KIND, "")

    def slot(self, at_ns: int) -> Slot:
        """The span that a moment (ns UTC) lies in; moments that no calendar has count as its first and last."""
        every = self._every_ns
        if every is None:
            return Slot("", 0, NEVER)
        local = min(max(at_ns, 0), LAST_SECOND * _SECOND) + self._offset_ns
        span = every if every >= _DAY else _HOUR if self._dated else _DAY  # counting begins anew after it
        base = local // span * span
        begin = base + (local - base) // every * every
        end = min(begin + every, base + span)
        shown = (base if self._dated else begin) - self._offset_ns
        return Slot(self._label(shown), begin - self._offset_ns, end - self._offset_ns)

    def _label(self, begin_ns: int) -> str:
        begin, every = datetime.fromtimestamp(begin_ns // _SECOND, self._zone), self._every_ns or _DAY
        if self._dated or every % _HOUR == 0:
            return begin.strftime("%Y-%m-%d" if every % _DAY == 0 and not self._dated else "%Y-%m-%dT%H")
        return begin.strftime("%Y-%m-%dT%H%M" if every % _MINUTE == 0 else "%Y-%m-%dT%H%M%S")

    def path(self, place: Place, label: str, number: int, suffix: str) -> str:
        """``KRW-BTC_trade-2026-11-21-2.jsonl``, ``upbit/trade/KRW-BTC/date=2026-11-21/09-2.jsonl``."""
        more = f"-{number}" if number > 1 else ""
        if self._dated:
            date, _, hour = label.partition("T")
            return f"{stream_name(place, dated=True)}/date={date}/{hour}{more}{suffix}"
        return f"{stream_name(place, dated=False)}{f'-{label}' if label else ''}{more}{suffix}"

    def name(self, place: Place) -> str:
        """What a stream is called in figures: ``KRW-BTC_trade.jsonl``, ``upbit/trade/KRW-BTC``."""
        return stream_name(place, dated=self._dated) + ("" if self._dated else LINES)


#: The names of either layout.
_NAMES = (Layout(RecordOptions()), Layout(RecordOptions(layout="dated")))


def stream_name(place: Place, *, dated: bool) -> str:
    """What the paths of a place begin with."""
    if dated:
        return f"{quoted(place.venue)}/{kind_folder(place.kind)}/{code_folder(place.symbol) or ALL}"
    return MISC_KIND if place.kind == MISC_KIND else file_stem(place.symbol, place.kind) or MISC_KIND


def parse_stream(name: str) -> Place | None:
    """The market and kind that ``Layout.name`` made this of; None for what belongs to no market."""
    found = parse(name) or parse(f"{name}/date=1970-01-01/00{LINES}")
    return found.place if found is not None and found.place.kind != MISC_KIND else None


def parse(path: str) -> Found | None:
    """What a file of a recording is, in whichever layout; None for any other file.

    Exactly the paths that ``Layout.path`` gives are taken.
    """
    suffix = next((suffix for suffix in _SUFFIXES if path.endswith(suffix)), None)
    if suffix is None:
        return None
    parts = path.removesuffix(suffix).split("/")
    try:
        found = _flat(parts[0], suffix) if len(parts) == 1 else _dated(parts, suffix)
    except ValueError:  # no name of ours is quoted like that
        return None
    if found is None:
        return None
    return found if _NAMES[len(parts) > 1].path(*found) == path else None


def _flat(stem: str, suffix: str) -> Found | None:
    match = _FLAT.fullmatch(stem)
    if match is None:
        return None
    name, label, number = match.groups()
    known = ("", MISC_KIND) if name == MISC_KIND else parse_file_stem(name)
    return known and Found(Place("", known[1], known[0]), label or "", int(number or 1), suffix)


def _dated(parts: Sequence[str], suffix: str) -> Found | None:
    if len(parts) != 5:
        return None
    venue, kind, code, folder, hour = parts
    date, name = _DATE.fullmatch(folder), _HOUR_NAME.fullmatch(hour)
    if date is None or name is None:
        return None
    place = Place(unquoted(venue), unquoted(kind), "" if code == ALL else unquoted(code))
    return Found(place, f"{date[1]}T{name[1]}", int(name[2] or 1), suffix)


def fitting(options: RecordOptions, lines: Sequence[bytes], count: int, size: int) -> int:
    """How many of the lines still go to a file that has ``count`` lines and ``size`` bytes; the first one of a file
    always does. With zstd, what is not compressed yet counts nothing: such a file may be one frame larger.
    """
    end = len(lines)
    if options.rotate_count is not None:
        end = min(end, max(options.rotate_count - count, 0))
    if options.rotate_size is None or (options.compress == "zstd" and size < options.rotate_size):
        return end
    for index in range(end):
        more = len(lines[index]) + 1
        if size and size + more > options.rotate_size:
            return index
        size += more
    return end


def to_remove(
    files: Iterable[Kept], options: RecordOptions, now_ns: int, writing: Collection[str]
) -> list[tuple[Kept, str]]:
    """Which files go, oldest first, and the option that says so; those being written count, and stay."""
    newest_first = sorted(files, key=lambda file: (file.written_ns, file.path), reverse=True)
    oldest_ns = None if options.keep_days is None else now_ns - int(options.keep_days * _DAY)
    kept = sum(file.size for file in newest_first if file.path in writing)
    gone: list[tuple[Kept, str]] = []
    for file in newest_first:
        if file.path in writing:
            continue
        kept += file.size
        if oldest_ns is not None and file.written_ns < oldest_ns:
            gone.append((file, "keep_days"))
        elif options.keep_bytes is not None and kept > options.keep_bytes:
            gone.append((file, "keep_bytes"))
    return gone[::-1]
