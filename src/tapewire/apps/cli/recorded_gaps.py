"""Reads the gap ledger out of what a recording or a tape tells of its feed, with the gaps that nobody lived to tell."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import Path

import msgspec
from msgspec.structs import replace

from tapewire.errors import ConfigError
from tapewire.model.gap_rows import GapRows
from tapewire.model.status import Connected, Disconnected, Gap, Stopped, Subscribed
from tapewire.model.subscription import Subscription
from tapewire.sinks.files.names import MISC
from tapewire.sinks.files.reading import is_misc, lines_of, recorded_lines
from tapewire.tape.files import tape_files
from tapewire.tape.format import Kind, Record
from tapewire.tape.reader import read_tape

Told = Gap | Connected | Disconnected | Subscribed | Stopped

_read = msgspec.json.Decoder(Told).decode
_BEGINNINGS = tuple(
    b'{"type":"%s",' % str(kind.__struct_config__.tag).encode()
    for kind in (Gap, Connected, Disconnected, Subscribed, Stopped)
)
#: Rows of a recording that are kept, the newest.
_MOST = 1_000_000


def recorded_gaps(folder: Path) -> tuple[Gap, ...]:
    """Every interruption that a recording tells, each as it was told last, in the order of their beginnings.

    A process that was killed in an outage told no gap, but it told the loss and had told its streams: these are open,
    or ``unfilled`` up to the next start of a recorder in the same folder.

    Raises:
        ConfigError: the folder holds neither a recording nor a tape.
        TapeError: the tape cannot be read at all.
        OSError: the folder cannot be read.
    """
    told = [one.path for one in recorded_lines(folder) if is_misc(one)] if folder.is_dir() else []
    if not told and not tape_files(folder):
        raise ConfigError("DIR", str(folder), f"the folder of a recording (it has no {MISC}), or of a tape (*.tape)")
    found = _Reading()
    for lines in map(lines_of, told) if told else [_taped(folder)]:
        for event in _events(lines):
            found.hear(event)
    return found.rows()


def _taped(folder: Path) -> Iterator[bytes]:
    """What the feed told of itself while a tape was kept. What of it is damaged tells nothing."""
    for record in read_tape(folder):
        if isinstance(record, Record) and record.kind == Kind.FEED:
            yield record.payload


def _events(lines: Iterable[bytes]) -> Iterable[Told]:
    for line in lines:
        if line.startswith(_BEGINNINGS):
            try:
                yield _read(line)
            except msgspec.MsgspecError:  # a frame of the exchange that begins alike, or a line that is being written
                continue


class _Reading:
    """What a recording said so far. A line is (venue, connection)."""

    def __init__(self) -> None:
        self._told = GapRows(_MOST)
        #: Lines of the process that records, and whether each stands now.
        self._stands: dict[tuple[str, str], bool] = {}
        self._live: dict[tuple[str, str], dict[Subscription, None]] = {}
        #: Losses that no gap told of yet, by venue and stream.
        self._untold: dict[tuple[str, Subscription], Gap] = {}
        #: The same of the process before this one, which may fill them yet (``cursor_file``).
        self._left: dict[tuple[str, Subscription], Gap] = {}

    def rows(self) -> tuple[Gap, ...]:
        return self._told.with_open((*self._left.values(), *self._untold.values()))

    def hear(self, event: Told) -> None:
        line = event.venue, event.connection
        match event:
            case Gap():
                self._told.hear(event)
                self._tell(event)
            case Subscribed():
                self._live.setdefault(line, {}).update(dict.fromkeys(event.subscriptions))
                self._stands[line] = True
            case Disconnected():
                self._lose(event)
            case Connected():
                if not event.reconnect and line in self._stands:
                    self._begin(event)
                self._stands[line] = True
            case Stopped():
                self._end(line)

    def _tell(self, row: Gap) -> None:
        """The row covers what was lost at its beginning or later, and whoever told it has the stream again."""
        key = row.venue, row.subscription
        for losses in (self._untold, self._left):
            if key in losses and row.from_ns <= losses[key].from_ns:
                del losses[key]
        for name in row.connection.split("+") if row.to_ns else ():
            if self._stands.get((row.venue, name)):
                self._live.setdefault((row.venue, name), {})[row.subscription] = None

    def _lose(self, event: Disconnected) -> None:
        """Lost is what no other line of the venue carries (``redundancy``)."""
        line = event.venue, event.connection
        streams = self._live.pop(line, {})
        if event.loss.cause == "stopped":
            self._end(line)
            return
        if line in self._stands:
            self._stands[line] = False
        carried = {stream for (venue, _), live in self._live.items() if venue == event.venue for stream in live}
        for stream in streams:
            if stream not in carried:
                lost = Gap(
                    venue=event.venue, connection=event.connection, at_ns=event.at_ns, subscription=stream,
                    cause=event.loss.cause, state="open", from_ns=event.at_ns,
                )  # fmt: skip
                self._untold.setdefault((event.venue, stream), lost)

    def _begin(self, event: Connected) -> None:
        """A line of this name was new, and had not ended: another process records; the last one's losses are over."""
        for line in [line for line in self._stands if line[0] == event.venue]:
            self._end(line)
        for key in [key for key in self._untold if key[0] == event.venue]:
            if key in self._left:
                self._told.hear(self._left[key])
            self._left[key] = replace(self._untold.pop(key), state="unfilled", to_ns=event.at_ns, at_ns=event.at_ns)

    def _end(self, line: tuple[str, str]) -> None:
        self._stands.pop(line, None)
        self._live.pop(line, None)
