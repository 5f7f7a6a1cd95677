"""Keeps a tape of a feed: what the taps bring is written by a thread of its own; the feed never waits for the disk."""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable
from typing import Literal

from msgspec import Struct, json

from tapewire.config import TapeOptions
from tapewire.errors import TapeError
from tapewire.tape.files import Damage
from tapewire.tape.format import Header, Kind, Missing, Record
from tapewire.tape.writer import TapeWriter

#: Records in one block at most: a block is written whole or not at all.
BLOCK_RECORDS = 2_000
#: Seconds until a disk that refused is tried again.
RETRY = 1.0
#: Seconds that a stop waits for the disk.
STOP_TIMEOUT = 4.0

State = Literal["idle", "recording", "degraded"]


class Trouble(Struct, frozen=True):
    """The writing changed: ``reason`` says what is wrong, "" that all is well again; ``missed``: left out so far."""

    reason: str
    missed: int


class Position(Struct, frozen=True):
    """How far a recorder has come with all its files.

    Attributes:
        written: records that are in a file: they survive the end of the process, however it comes.
        synced: records that the disk itself has: they survive the end of the machine (0 with ``fsync="none"``).
        until_ns: when the newest written record came, ns UTC; 0: none is written.
        missed: records that were left out, because the disk refused or was too slow.
    """

    written: int
    synced: int
    until_ns: int
    missed: int


class Recorder:
    """One tape for all connections of a feed; called from the feed's thread alone.

    Args:
        options: where and how.
        header: venue and addresses, for each file.
        wall_ns: clock, ns UTC.
        tell: told of each trouble and of its end, on whichever thread saw it.
    """

    def __init__(
        self, options: TapeOptions, header: Header, wall_ns: Callable[[], int], tell: Callable[[Trouble], None]
    ) -> None:
        self._options, self._wall_ns, self._tell = options, wall_ns, tell
        self._writer = TapeWriter(options, header, wall_ns)
        self._records: deque[Record] = deque()
        #: Bytes that came (counted on the feed's thread) and went (on the writing one): so no lock is needed.
        self._came = self._went = 0
        self._block: list[Record] = []
        self._left_out: Missing | None = None
        self._reason = ""
        self._thread: threading.Thread | None = None
        self._closing = threading.Event()
        self._connections = 0
        self.missed = 0

    @property
    def state(self) -> State:
        """``degraded``: the disk refuses, or there is no room for what comes."""
        if self._thread is None:
            return "idle"
        return "degraded" if self._reason or self._left_out else "recording"

    @property
    def mended(self) -> list[Damage]:
        """What a crash of an earlier recorder had left unfinished, and was cut off."""
        return self._writer.mended

    @property
    def records(self) -> int:
        """Records written."""
        return self._writer.records

    @property
    def position(self) -> Position:
        """How far it has come; a moment old, as another thread writes."""
        writer = self._writer
        return Position(writer.records, writer.synced, writer.until_ns, self.missed)

    def open(self) -> None:
        """Begin to write, also anew after ``close``; a second call does nothing. Raises TapeError: it cannot."""
        if self._thread is None:
            self._writer.open()
            self._note_absence()
            self._closing.clear()
            self._thread = threading.Thread(target=self._run, name="tape", daemon=True)
            self._thread.start()

    def connection(self) -> int:
        """A number for a new connection."""
        self._connections += 1
        return self._connections

    def put(self, kind: int, connection: int, at_ns: int, payload: bytes) -> None:
        """Keep one record. Never blocks: what finds no room is counted, told, and noted on the tape."""
        if self._came - self._went > self._options.pending:
            self._leave_out(at_ns)
            return
        if self._left_out is not None:
            self._note_left_out()
        self._came += len(payload)
        self._records.append(Record(kind, connection, at_ns, payload))

    def note(self, kind: Kind, connection: int, said: Struct) -> None:
        """Keep something that happened, as JSON, at this moment."""
        self.put(kind, connection, self._wall_ns(), json.encode(said))

    def close(self) -> None:
        """Write what came and end the file; a second call does nothing.

        Raises:
            TapeError: not all of it could be written.
        """
        thread, self._thread = self._thread, None
        if thread is None:
            return
        if self._left_out is not None:
            self._note_left_out()
        self._closing.set()
        thread.join(STOP_TIMEOUT)
        waiting = len(self._records) + len(self._block)
        if waiting or thread.is_alive():
            reason = self._reason or "the disk does not answer"
            raise TapeError(str(self._writer.path), f"{reason}; {waiting:,} records could not be written")

    def _leave_out(self, at_ns: int) -> None:
        self.missed += 1
        before = self._left_out
        if before is None:
            reason = self._reason or "the disk is too slow"
            self._left_out = Missing(1, f"{reason}: {self._options.pending:,} bytes wait already", at_ns, at_ns)
            self._tell(Trouble(self._left_out.reason, self.missed))
        else:
            self._left_out = Missing(before.records + 1, before.reason, before.first_ns, at_ns)

    def _note_absence(self) -> None:
        """An earlier recorder wrote here: what lies between is on no tape, and the tape says so."""
        earlier_ns, now = self._writer.earlier_ns, self._wall_ns()
        if earlier_ns is not None:
            missing = Missing(0, "nothing was recorded", earlier_ns, now)
            self._records.appendleft(Record(Kind.GAP, 0, now, json.encode(missing)))

    def _note_left_out(self) -> None:
        missing, self._left_out = self._left_out, None
        self._records.append(Record(Kind.GAP, 0, self._wall_ns(), json.encode(missing)))
        self._tell(Trouble(self._reason, self.missed))

    # The writing thread.

    def _run(self) -> None:
        options, unsynced = self._options, 0.0
        while not self._closing.wait(RETRY if self._reason else options.write_every):
            unsynced += options.write_every
            due = options.fsync == "interval" and unsynced >= options.fsync_every
            if self._guarded(self._write) and due and self._guarded(self._writer.sync):
                unsynced = 0.0
        self._guarded(self._finish)

    def _finish(self) -> None:
        try:
            self._write()
        finally:
            self._writer.close()

    def _write(self) -> None:
        """Write everything that came, block by block; what the disk refuses waits to be tried again."""
        records = self._records
        for _ in range(1 + len(records) // BLOCK_RECORDS):
            while records and len(self._block) < BLOCK_RECORDS:
                self._block.append(records.popleft())
            if self._block:
                self._writer.write(self._block)
                if self._options.fsync == "each":
                    self._writer.sync()
                self._went += sum(len(record.payload) for record in self._block if record.kind != Kind.GAP)
                self._block = []

    def _guarded(self, step: Callable[[], None]) -> bool:
        before = self._reason
        try:
            step()
        except TapeError as error:
            self._reason = error.reason
        else:
            self._reason = ""
        if self._reason != before:
            self._tell(Trouble(self._reason, self.missed))
        return not self._reason
