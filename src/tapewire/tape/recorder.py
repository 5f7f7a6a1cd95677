"""Keeps a tape of a feed: what the taps bring is written by a thread of its own; the feed never waits for the disk."""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable
from typing import Literal

from msgspec import Struct, json

from tapewire.config import TapeOptions
from tapewire.errors import TapeError
from tapewire.model.counted import count_of
from tapewire.tape.files import Damage
from tapewire.tape.format import Header, Kind, Missing, Packed, Run, pack
from tapewire.tape.right_of_way import BEHIND, RightOfWay
from tapewire.tape.writer import TapeWriter

#: Bytes of payloads after which a block is full: it is written whole or not at all.
BLOCK_BYTES = 2 * 1024 * 1024
#: Records after which it is.
BLOCK_RECORDS = 10_000
#: Bytes that wait, for which the writing thread is woken before its time.
DUE_BYTES = 4 * 1024 * 1024
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

    That thread never waits for the disk. It stands still for moments (``right_of_way``) when the writing one, which has
    to ask for Python's lock, is behind; where that is of no use it goes on, and what finds no room is left out.

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
        #: What waits, each with the bytes of its payloads. It is packed while the processor has it at hand.
        self._runs: deque[tuple[Packed, int]] = deque()
        #: The payloads of the run that grows, None: none does. Only ``end`` hands it to the writing thread.
        self.growing: list[bytes] | None = None
        self._shared = (0, 0, 0)
        #: Bytes that came (counted on the feed's thread) and went (on the writing one): so no lock is needed.
        self._came = self._went = 0
        #: How many of those that went the disk has confirmed; whether it is to confirm the rest at once.
        self._confirmed, self._is_hurried = 0, False
        self._block: list[tuple[Packed, int]] = []
        self._left_out: Missing | None = None
        self._reason = ""
        self._synced_ns = 0
        self._thread: threading.Thread | None = None
        self._closing, self._due = threading.Event(), threading.Event()
        self._way, self._behind = RightOfWay(), min(BEHIND, options.pending // 2)
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

    def mark(self) -> int:
        """Where it is now, for ``is_safe``."""
        self.end()
        return self._came

    def is_safe(self, mark: int) -> bool:
        """Whether all that was put before this mark survives what the options promise: the end of the machine, or with
        ``fsync="none"`` that of the process. What was left out does not count: the tape says so itself.
        """
        return (self._went if self._options.fsync == "none" else self._confirmed) >= mark

    def hurry(self) -> None:
        """Have what came written and confirmed now, not when it is time."""
        self._is_hurried = True
        self._due.set()

    def open(self) -> None:
        """Begin to write, also anew after ``close``; a second call does nothing. Raises TapeError: it cannot."""
        if self._thread is None:
            self._writer.open()
            self._note_absence()
            self._closing.clear()
            self._due.clear()
            self._thread = threading.Thread(target=self._run, name="tape", daemon=True)
            self._thread.start()

    def connection(self) -> int:
        """A number for a new connection."""
        self._connections += 1
        return self._connections

    def put(self, kind: int, connection: int, at_ns: int, payload: bytes) -> None:
        """Keep one record. Never blocks: what finds no room is counted, told, and noted on the tape."""
        if self.growing is not None:
            self.end()
        self._take(Run(kind, connection, at_ns, (payload,)), len(payload))

    def begin(self, kind: int, connection: int, at_ns: int) -> list[bytes]:
        """A list for the payloads of records that share all else.

        It may be added to until something else is put, a run begins, or ``end`` is called, which must be soon: then
        ``growing`` is another.
        """
        if self.growing is not None:
            self.end()
        self._shared = kind, connection, at_ns
        grown: list[bytes] = []
        self.growing = grown
        return grown

    def end(self) -> None:
        """The run that grows is whole, if there is one."""
        payloads, self.growing = self.growing, None
        if not payloads:
            return
        size = sum(map(len, payloads))
        if size <= BLOCK_BYTES:
            self._take(Run(*self._shared, payloads), size)
            return
        for payload in payloads:  # large ones: no block is to be larger than a reader takes
            self._take(Run(*self._shared, (payload,)), len(payload))

    def _take(self, run: Run, size: int) -> None:
        waiting = self._came - self._went
        if waiting > self._behind and self._thread is not None and not self._reason:
            self._give_way()
            waiting = self._came - self._went
        if waiting > self._options.pending or (self._left_out is not None and waiting > self._options.pending // 2):
            self._leave_out(run)  # until there is some room, so that a disk at its limit is not told of each time
            return
        if self._left_out is not None:
            self._note_left_out()
        self._came += size
        self._runs.append((pack(run), size))
        if waiting > DUE_BYTES and not self._due.is_set():
            self._due.set()

    def _give_way(self) -> None:
        self._way.begin()
        self._due.set()
        self._way.give_at_times(self._wall_ns)

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
        self.end()
        if self._left_out is not None:
            self._note_left_out()
        self._closing.set()
        self._due.set()
        thread.join(STOP_TIMEOUT)
        waiting = sum(run.records for run, _ in (*self._runs, *self._block))
        if waiting or thread.is_alive():
            reason = self._reason or "the disk does not answer"
            raise TapeError(str(self._writer.path), f"{reason}; {count_of(waiting, 'record')} could not be written")

    def _leave_out(self, run: Run) -> None:
        count, at_ns = len(run.payloads), run.at_ns
        self.missed += count
        before = self._left_out
        if before is None:
            reason = self._reason or "the disk is too slow"
            self._left_out = Missing(count, f"{reason}: {self._options.pending:,} bytes wait already", at_ns, at_ns)
            self._tell(Trouble(self._left_out.reason, self.missed))
        else:
            self._left_out = Missing(before.records + count, before.reason, before.first_ns, at_ns)

    def _note_absence(self) -> None:
        """An earlier recorder wrote here: what lies between is on no tape, and the tape says so."""
        earlier_ns, now = self._writer.earlier_ns, self._wall_ns()
        if earlier_ns is not None:
            missing = Missing(0, "nothing was recorded", earlier_ns, now)
            self._runs.appendleft((pack(Run(Kind.GAP, 0, now, (json.encode(missing),))), 0))

    def _note_left_out(self) -> None:
        missing, self._left_out = self._left_out, None
        self._runs.append((pack(Run(Kind.GAP, 0, self._wall_ns(), (json.encode(missing),))), 0))
        self._tell(Trouble(self._reason, self.missed))

    # The writing thread.

    def _run(self) -> None:
        self._synced_ns = self._wall_ns()
        while not self._pause():
            self._guarded(self._keep)
            self._way.end()
        self._guarded(self._finish)

    def _keep(self) -> None:
        """Write what came, and have the disk confirm what it has, also while it takes no more."""
        now, options = self._wall_ns(), self._options
        try:
            self._write()
        finally:
            is_due = self._is_hurried or abs(now - self._synced_ns) >= options.fsync_every * 1e9
            if options.fsync == "interval" and is_due:
                self._is_hurried = False
                self._sync()
                self._synced_ns = now

    def _sync(self) -> None:
        self._writer.sync()
        self._confirmed = self._went

    def _pause(self) -> bool:
        """Until it is time to write, or the end has come, which it says."""
        if self._reason:
            return self._closing.wait(RETRY)
        self._due.wait(self._options.write_every)
        self._due.clear()
        return self._closing.is_set()

    def _finish(self) -> None:
        try:
            self._write()
        finally:
            self._writer.close()
        self._confirmed = self._went

    def _write(self) -> None:
        """Write everything that came, block by block; what the disk refuses waits to be tried again."""
        each, left = self._options.fsync == "each", len(self._block) + len(self._runs)
        if each:
            self._sync()  # of a block that the disk took the last time, but did not confirm
        while left > 0 and self._fill():
            self._writer.append([run for run, _ in self._block])
            left -= len(self._block)
            self._went += sum(size for _, size in self._block)
            self._block = []
            if each:
                self._sync()

    def _fill(self) -> bool:
        """Have a block of what came first; False: nothing came."""
        runs, block = self._runs, self._block
        size, records = sum(size for _, size in block), sum(run.records for run, _ in block)
        while runs and size < BLOCK_BYTES and records < BLOCK_RECORDS:
            block.append(runs.popleft())
            size, records = size + block[-1][1], records + block[-1][0].records
        return bool(block)

    def _guarded(self, step: Callable[[], None]) -> None:
        before = self._reason
        try:
            step()
        except TapeError as error:
            self._reason = error.reason
        else:
            self._reason = ""
        if self._reason != before:
            self._tell(Trouble(self._reason, self.missed))
