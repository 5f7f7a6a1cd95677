"""A real ``tapewire record`` against a busy simulator: what it said while it ran, and what it left behind."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, NamedTuple, Self

import msgspec
from msgspec import Struct
from msgspec.structs import replace

from tapewire import decode
from tapewire.model.events import Event, TradeEvent
from tapewire.model.status import Gap
from tapewire.sinks.files.names import MISC
from tapewire.tape.files import Damage, TapeFile, is_unborn, tape_files
from tapewire.tape.format import Kind, Record, RestAnswer
from tapewire.venues.registry import get_venue
from tests.sizes import size

SCRIPT = str(Path(sys.executable).with_name("tapewire"))
MARKETS = ("KRW-BTC", "KRW-ETH")
TYPES = "trade,ticker,orderbook.5"
#: Seconds for anything that a healthy process does in less than one.
PATIENCE = float(size(30, 120))
#: Records after which a recorder may be killed: some of them are trades.
ENOUGH = 100


class Status(Struct, frozen=True):
    """One status line: seconds since the start, events by kind, lines in files, how far the tape is."""

    seconds: float
    received: dict[str, int]
    lines: int = 0
    tape: dict[str, int] = {}


class Life:
    """One recorder, from its start to its end; what it says is read as it comes."""

    def __init__(self, url: str, *arguments: str, cursor: Path | None = None) -> None:
        command = [SCRIPT, "record", *MARKETS, "--types", TYPES, "--url", url, "--json", "--status", "0.05", *arguments]
        environment = os.environ | ({"TAPEWIRE_CURSOR_FILE": str(cursor)} if cursor else {})
        self.process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, env=environment)
        self.said: list[bytes] = []
        self.complaints = b""
        self._news = threading.Condition()
        self._ears = [threading.Thread(target=ear, daemon=True) for ear in (self._hear, self._hear_complaints)]
        for ear in self._ears:
            ear.start()

    @property
    def statuses(self) -> list[Status]:
        """Its status lines so far, whole ones."""
        lines = [line for line in tuple(self.said) if line.startswith(b'{"type":"status"') and line.endswith(b"\n")]
        return [msgspec.json.decode(line, type=Status) for line in lines]

    def told(self, kind: str) -> list[dict[str, Any]]:
        """Everything else that it said of this kind."""
        start = b'{"type":"%b"' % kind.encode()
        return [msgspec.json.decode(line) for line in tuple(self.said) if line.startswith(start)]

    def until(self, condition: Callable[[], bool]) -> None:
        """Wait until it holds; looked at with each line that it says."""
        with self._news:
            assert self._news.wait_for(condition, PATIENCE), (self.complaints, self.said[-3:], self.told("gap")[-6:])

    def until_safe(self, cursor: Path | None = None) -> None:
        """Wait until something is recorded, by its own word, and the next one can begin where this one ends."""
        self.until(lambda: self._is_safe and (cursor is None or cursor.exists()))

    @property
    def _is_safe(self) -> bool:
        return any(max(status.lines, status.tape.get("written", 0)) > ENOUGH for status in self.statuses[-1:])

    def end(self, how: signal.Signals) -> int:
        """Send a signal; the exit code."""
        self.process.send_signal(how)
        return self.wait()

    def wait(self) -> int:
        """Until it has ended and all that it said was read; the exit code."""
        code = self.process.wait(PATIENCE)
        for ear in self._ears:
            ear.join(PATIENCE)
        return code

    def close(self) -> None:
        """Leave nothing running."""
        if self.process.poll() is None:
            self.process.kill()
        self.wait()
        assert self.process.stdout is not None
        assert self.process.stderr is not None
        self.process.stdout.close()
        self.process.stderr.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _hear(self) -> None:
        assert self.process.stdout is not None
        for line in self.process.stdout:
            with self._news:
                self.said.append(line)
                self._news.notify_all()

    def _hear_complaints(self) -> None:
        assert self.process.stderr is not None
        self.complaints = self.process.stderr.read()


class Recording(NamedTuple):
    """What stands in a folder: market events, trades (those that REST told, too), gaps, how many records or lines."""

    events: Counter[str]
    trades: list[TradeEvent]
    gaps: list[Gap]
    records: int

    @property
    def newest_ns(self) -> int:
        """When the newest trade of all was published (ns UTC)."""
        return max(trade.timestamp or 0 for trade in self.trades) * 1_000_000


def read_recorded_tape(folder: Path, skip: int = 0) -> Recording:
    """Every record of a tape but that of its first ``skip`` files; each frame is decoded. Only ends may be torn."""
    return read_files(tape_files(folder)[skip:])


def read_files(paths: list[Path]) -> Recording:
    """The same of some files of a tape."""
    events: Counter[str] = Counter()
    trades: list[TradeEvent] = []
    gaps: list[Gap] = []
    count = 0
    for record in read_records(paths):
        count += 1
        if record.kind in (Kind.RECEIVED_TEXT, Kind.RECEIVED_BINARY):
            found = decode("upbit", record.payload, record.at_ns)
            events.update(type(event).__name__ for event in found)
            trades += [event for event in found if isinstance(event, TradeEvent)]
        elif record.kind == Kind.ANSWERED:
            trades += _told_by_rest(msgspec.json.decode(record.payload, type=RestAnswer))
        elif record.kind == Kind.FEED and record.payload.startswith(b'{"type":"gap"'):
            gaps.append(msgspec.json.decode(record.payload, type=Gap))
    return Recording(events, trades, gaps, count)


def read_records(paths: list[Path]) -> Iterator[Record]:
    """Every record of some files. Only an end may be torn."""
    for path in paths:
        if is_unborn(path):
            continue
        for part in TapeFile(path).parts():
            if isinstance(part, Damage):
                assert part.is_tail, part
            else:
                yield from part.records()


def _told_by_rest(answer: RestAnswer) -> list[TradeEvent]:
    history = get_venue("upbit").history
    if not answer.path.startswith("/v1/trades/ticks") or answer.status != 200 or history is None:
        return []
    return [replace(one, recovered=True) for one in history.read_trades("", answer.body, "float")]


def read_recorded_lines(folder: Path) -> Recording:
    """Every whole line of a folder of JSON lines; each is decoded."""
    events: Counter[str] = Counter()
    trades: list[TradeEvent] = []
    gaps: list[Gap] = []
    count = 0
    for path in sorted(folder.glob("*.jsonl")):
        content = path.read_bytes()
        for line in content[: content.rfind(b"\n") + 1].splitlines():
            count += 1
            if path.name == MISC:
                gaps += [msgspec.json.decode(line, type=Gap)] if line.startswith(b'{"type":"gap"') else []
                continue
            found: list[Event] = decode("upbit", line)
            assert len(found) == 1, line
            events.update(type(event).__name__ for event in found)
            trades += [event for event in found if isinstance(event, TradeEvent)]
    return Recording(events, trades, gaps, count)
