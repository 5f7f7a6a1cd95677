"""Reads the gap ledger out of a recording's ``misc.jsonl``, with the gaps that nobody lived to tell."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

import msgspec
from msgspec.structs import replace

from tapewire.errors import ConfigError
from tapewire.model.gap_rows import GapRows
from tapewire.model.status import Connected, Disconnected, Gap, Stopped, Subscribed
from tapewire.model.subscription import Subscription
from tapewire.sinks.names import MISC

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
        ConfigError: the folder holds no recording.
        OSError: it cannot be read.
    """
    if not (path := folder / MISC).is_file():
        raise ConfigError("DIR", str(folder), f"the folder of a recording (it has no {MISC})")
    found = _Reading()
    with path.open("rb") as file:
        for event in _events(file):
            found.hear(event)
    return found.rows()


def _events(lines: Iterable[bytes]) -> Iterable[Told]:
    for line in lines:
        if line.startswith(_BEGINNINGS):
            try:
                yield _read(line)
            except msgspec.MsgspecError:  # a frame of the exchange that begins alike, or a line that is being written
                continue


class _Reading:
    """What a recording said so far."""

    def __init__(self) -> None:
        self._told = GapRows(_MOST)
        self._live: dict[str, dict[Subscription, None]] = {}
        #: Losses that no gap told of yet.
        self._untold: dict[tuple[str, Subscription], Gap] = {}

    def rows(self) -> tuple[Gap, ...]:
        return self._told.with_open(self._untold.values())

    def hear(self, event: Told) -> None:
        match event:
            case Gap():
                self._told.hear(event)
                self._tell(event)
            case Subscribed():
                self._live.setdefault(event.connection, {}).update(dict.fromkeys(event.subscriptions))
            case Disconnected():
                self._lose(event)
            case Connected() if not event.reconnect:
                self._begin(event)
            case Stopped():
                self._live.pop(event.connection, None)
            case _:
                pass

    def _tell(self, row: Gap) -> None:
        """The row covers what was lost at its beginning or later, on whichever connection that was."""
        for key, lost in tuple(self._untold.items()):
            if key[1] == row.subscription and row.from_ns <= lost.from_ns:
                del self._untold[key]

    def _lose(self, event: Disconnected) -> None:
        if event.loss.cause == "stopped":
            self._live.pop(event.connection, None)
            return
        for stream in self._live.get(event.connection, ()):
            lost = Gap(
                venue=event.venue, connection=event.connection, at_ns=event.at_ns, subscription=stream,
                cause=event.loss.cause, state="open", from_ns=event.at_ns,
            )  # fmt: skip
            self._untold.setdefault((event.connection, stream), lost)

    def _begin(self, event: Connected) -> None:
        """A connection of this name was new: another process records, and what the last one had lost is over."""
        self._live.pop(event.connection, None)
        for key in [key for key in self._untold if key[0] == event.connection]:
            row = replace(self._untold.pop(key), state="unfilled", to_ns=event.at_ns, at_ns=event.at_ns)
            self._told.hear(row)
