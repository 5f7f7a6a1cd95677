"""One cell of the table: one client process against one server with one fault."""

from __future__ import annotations

import asyncio
import json
import re
import time
from collections import deque
from dataclasses import dataclass
from pathlib import Path

import psutil

from benchmarks.lab.rows import Observation, Row, Verdict, judge, settled
from benchmarks.lab.server import LabServer

CLIENTS = Path(__file__).parent / "clients"
_FIRST_REQUEST = 60.0
_TICK = 0.25
_ERROR_LINE = re.compile(r"^(?:[\w.]+\.)?(\w*(?:Error|Exception|Closed\w*|Status\w*)): ?(.*)")


@dataclass(frozen=True)
class Client:
    """A client of the lab: its name in the table, its script, the interpreter of the environment it lives in."""

    key: str
    script: str
    python: str


@dataclass(frozen=True)
class Cell:
    """The outcome of one client in one row."""

    client: str
    row: str
    version: str
    verdict: Verdict
    connects: int
    most_in_a_second: int
    cpu_share: float


class LabError(Exception):
    """The lab itself failed: a client's environment is broken, so nothing was measured."""


async def run_cell(client: Client, row: Row) -> Cell:
    """Watch one client through one fault and judge it.

    Raises:
        LabError: the client ended before the fault or never asked for anything (its last lines are in the text).
    """
    server = LabServer(row)
    await server.start()
    process = await asyncio.create_subprocess_exec(
        client.python,
        str(CLIENTS / client.script),
        str(server.port),
        stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
        limit=1 << 20,
    )
    watch = _Watch(server, process)
    try:
        seen = await watch.run()
    finally:
        await watch.stop()
        await server.stop()
    if seen.fault_at is None:
        raise LabError(f"{client.key}, row {row.number}: ended before the fault, or never asked; {watch.last_words()}")
    verdict = judge(row, seen)
    return Cell(
        client.key, row.key, seen.version, verdict, len(seen.connects), seen.most_connects_in_a_second(), seen.cpu_share
    )


class _Watch:
    """Reads what a client says, samples its CPU, decides when enough was seen."""

    def __init__(self, server: LabServer, process: asyncio.subprocess.Process) -> None:
        self._server, self._process = server, process
        self._seen = Observation(connects=server.connects)
        self._errors: deque[str] = deque(maxlen=40)
        self._readers = [asyncio.create_task(self._hear()), asyncio.create_task(self._overhear())]
        self._family: dict[int, float] = {}
        self._cpu_at_fault: tuple[float, float] | None = None

    async def run(self) -> Observation:
        started = time.monotonic()
        while not self._enough(started):
            self._sample()
            await asyncio.sleep(_TICK)
            if self._process.returncode is not None:
                await asyncio.gather(*self._readers)
                self._note_exit()
                break
        self._sample()
        self._seen.fault_at, self._seen.last_id = self._server.fault_at, self._server.last_id
        self._seen.until = time.monotonic()
        self._seen.log = self._last_error()
        return self._seen

    def last_words(self) -> str:
        return f"it said {' | '.join(self._errors) or 'nothing'}"

    async def stop(self) -> None:
        """End the client and the processes it started."""
        family = self._processes()
        for member in family:
            try:
                member.kill()
            except psutil.NoSuchProcess:
                continue
        await self._process.wait()
        for reader in self._readers:
            reader.cancel()
        await asyncio.gather(*self._readers, return_exceptions=True)

    def _enough(self, started: float) -> bool:
        now, seen = time.monotonic(), self._seen
        seen.fault_at, seen.last_id = self._server.fault_at, self._server.last_id
        if seen.fault_at is None:
            return not self._server.requests and now > started + _FIRST_REQUEST
        seen.until = now
        return now > seen.fault_at + self._server.row.watch or settled(self._server.row, seen, now)

    async def _hear(self) -> None:
        assert self._process.stdout is not None
        async for line in self._process.stdout:
            if line.startswith(b"{"):
                self._note(json.loads(line))

    def _note(self, said: dict[str, object]) -> None:
        seen, at = self._seen, float(str(said["t"]))
        match said["what"]:
            case "data":
                seen.data.append((at, int(str(said["id"]))))
            case "foreign":
                seen.foreign.append((at, str(said["text"])))
            case "told":
                seen.told.append((at, str(said["text"])))
            case "ended":
                seen.ended = (at, str(said["text"]))
            case "hello":
                seen.version = str(said["version"])

    async def _overhear(self) -> None:
        assert self._process.stderr is not None
        async for line in self._process.stderr:
            self._errors.append(line.decode("utf-8", "replace").rstrip())

    def _note_exit(self) -> None:
        if self._seen.ended is None:
            error = self._last_error() or f"exit code {self._process.returncode}"
            self._seen.ended = (time.monotonic(), f"dies: {error}")

    def _last_error(self) -> str:
        """The name of the last exception on the error output; its text too when that is short."""
        for line in reversed(self._errors):
            if match := _ERROR_LINE.match(line.strip()):
                return match.group(1)
        return ""

    def _processes(self) -> list[psutil.Process]:
        try:
            head = psutil.Process(self._process.pid)
            return [head, *head.children(recursive=True)]
        except psutil.NoSuchProcess:
            return []

    def _sample(self) -> None:
        for member in self._processes():
            try:
                times = member.cpu_times()
            except psutil.NoSuchProcess:
                continue
            self._family[member.pid] = times.user + times.system
        now, spent = time.monotonic(), sum(self._family.values())
        if self._server.fault_at is not None and self._cpu_at_fault is None:
            self._cpu_at_fault = (now, spent)
        elif self._cpu_at_fault is not None and now > self._cpu_at_fault[0] + 1:
            self._seen.cpu_share = (spent - self._cpu_at_fault[1]) / (now - self._cpu_at_fault[0])
