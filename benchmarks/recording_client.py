"""A client for a load bench that records: what each way of keeping a feed costs a message.

    recording_client.py NAME PORT N WARM [SHM]

The first of the dash-separated parts of NAME that is a way below chooses it; ``shm`` among them writes to /dev/shm,
``made`` takes the codes of ``tapewire bench`` in place of those of the load bench, ``nouv`` asyncio's own loop.

    frames        picows alone: frames are counted
    append        the yardstick: picows, each frame and a line end into a list, 1 MiB at a time to one file by a thread
    receive       tapewire, one plain callback
    receiveraw    the same, and each event has the frame's bytes
    jsonl         the exchange's own JSON into files by market and kind, as ``tapewire record`` does
    event         our events into such files
    tape          a raw tape, not compressed
    zstd          a raw tape, compressed

Prints one JSON line: what passed between message WARM and message N, with CPU by thread.
"""

from __future__ import annotations

import asyncio
import json
import os
import queue
import resource
import shutil
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Coroutine
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any

import picows

from benchmarks.load_client import markets
from tapewire import RecordOptions, Subscription, TapeOptions, WebSocketClient
from tapewire.apps.cli.bench_load import market_codes
from tapewire.config import MailboxOptions
from tapewire.sinks.registry import get_sink

_KINDS = (("ticker", None), ("trade", None), ("orderbook", None), ("candle", "1s"))
_TIME_LIMIT = 90.0
_LOOK = 0.05
_PIECE = 1024 * 1024
_MAILBOX = MailboxOptions(size=200_000, rule="drop_oldest")
_TICK = os.sysconf("SC_CLK_TCK")


class Meter:
    """CPU, wall time and memory between message ``warm`` and message ``last``."""

    def __init__(self, last: int, warm: int) -> None:
        self.last, self.warm = last, warm
        self.done = asyncio.Event()
        self.result: dict[str, Any] = {}
        self.count = 0

    def hear(self) -> Callable[[Any], None]:
        """What is called with each message."""
        landmark, last = self.warm, self.last

        def hear(_message: Any) -> None:
            nonlocal landmark
            self.count = count = self.count + 1
            if count == landmark:
                landmark = last
                self._pass(count)

        return hear

    async def watch(self, count: Callable[[], int]) -> None:
        """Until ``last`` events were counted; looked at now and then, so that nobody has to be called with each."""
        for landmark in (self.warm, self.last):
            while count() < landmark:  # noqa: ASYNC110 - nobody tells
                await asyncio.sleep(_LOOK)
            self.count = count()
            self._pass(self.count)

    def _pass(self, count: int) -> None:
        usage, wall, threads = resource.getrusage(resource.RUSAGE_SELF), time.perf_counter(), cpu_by_thread()
        if count < self.last:
            self._began, self._usage, self._wall, self._threads = count, usage, wall, threads
            return
        self.result = {
            "msgs": count - self._began,
            "wall": wall - self._wall,
            "user": usage.ru_utime - self._usage.ru_utime,
            "sys": usage.ru_stime - self._usage.ru_stime,
            "rss_kb": usage.ru_maxrss,
            "checksum": 0.0,
            "threads": {name: cpu - self._threads.get(name, 0.0) for name, cpu in threads.items()},
        }
        self.done.set()


def cpu_by_thread() -> dict[str, float]:
    """Seconds of CPU by the name of the thread; the feed's is ``main``."""
    names = {thread.native_id: thread.name for thread in threading.enumerate()}
    found: dict[str, float] = {}
    for task in Path("/proc/self/task").iterdir():
        fields = (task / "stat").read_text("ascii").rpartition(")")[2].split()
        name = names.get(int(task.name), "other")
        found[name] = found.get(name, 0.0) + (int(fields[11]) + int(fields[12])) / _TICK
    return found


async def plain(port: int, meter: Meter, folder: Path, *, keep: bool) -> dict[str, Any]:
    """Frames alone; with ``keep`` each into a file, which is the least that recording can cost."""
    hear, parts, size = meter.hear(), list[bytes](), 0
    waiting: queue.Queue[list[bytes] | None] = queue.Queue(maxsize=64)

    def write() -> None:
        handle = os.open(folder / "frames", os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o640)
        while (given := waiting.get()) is not None:
            os.write(handle, b"\n".join(given))
        os.close(handle)

    class Frames(picows.WSListener):
        def on_ws_connected(self, transport: picows.WSTransport) -> None:
            transport.send(picows.WSMsgType.TEXT, b'[{"ticket":"bench"},{"type":"trade","codes":["KRW-BTC"]}]')

        def on_ws_frame(self, _transport: picows.WSTransport, frame: picows.WSFrame) -> None:
            nonlocal parts, size
            if keep:
                parts.append(payload := frame.get_payload_as_bytes())
                size += len(payload)
                if size >= _PIECE:
                    waiting.put(parts)
                    parts, size = [], 0
            hear(frame)

    writer = threading.Thread(target=write, name="writer", daemon=True)
    writer.start()
    transport, _ = await picows.ws_connect(Frames, f"ws://127.0.0.1:{port}/")
    await meter.done.wait()
    transport.disconnect()
    waiting.put(None)
    await asyncio.to_thread(writer.join)
    return {"dropped": 0}


async def tapewire(port: int, meter: Meter, folder: Path, codes: list[str], way: str) -> dict[str, Any]:
    """The public client, and what keeps its feed."""
    wanted = [Subscription(kind, code, unit) for kind, unit in _KINDS for code in codes]
    tape = TapeOptions(folder=str(folder / "tape"), compress=way == "zstd") if way in ("tape", "zstd") else None
    url, raw = f"ws://127.0.0.1:{port}/", way in ("receiveraw", "jsonl")
    async with AsyncExitStack() as stack:
        client = await stack.enter_async_context(
            WebSocketClient("load", url=url, validate=False, drop_doubles=False, keep_raw=raw, tape=tape)
        )
        if way not in ("jsonl", "event"):
            await client.subscribe(wanted, lambda _event: None)
            await meter.watch(lambda: client.statistics().total_processed)
            position = client.tape_position()
            return {"dropped": 0 if position is None else position.missed}
        sink = get_sink("jsonl")(folder, form="raw" if raw else "event", options=RecordOptions(fsync="none"))
        fed = await client.add_sink(sink, wanted, mailbox=_MAILBOX)
        await meter.watch(lambda: client.statistics().total_processed)
        dropped = client.statistics().dropped
        await fed.close()
        written = sum(file.events for file in sink.written())
    return {"dropped": dropped, "written": written}


async def measure(name: str, port: int, meter: Meter, folder: Path) -> dict[str, Any]:
    """One run."""
    words = name.split("-")
    way = next(word for word in words if word in _WAYS)
    count = int(os.environ.get("BENCH_MARKETS", "100"))
    codes = market_codes(count) if "made" in words else markets(count)
    run: Coroutine[Any, Any, dict[str, Any]]
    run = (
        plain(port, meter, folder, keep=way == "append") if way in _PLAIN else tapewire(port, meter, folder, codes, way)
    )
    more = await asyncio.wait_for(run, _TIME_LIMIT)
    return {**meter.result, **more, "x_dropped": more["dropped"], "bytes": bytes_in(folder), "all": meter.count}


def bytes_in(folder: Path) -> int:
    """Of all files together."""
    return sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())


_PLAIN = ("frames", "append")
_WAYS = (*_PLAIN, "receive", "receiveraw", "jsonl", "event", "tape", "zstd")


def main() -> None:
    """The process: one run, one line."""
    name, port, last, warm, *_ = sys.argv[1:]
    place = "/dev/shm" if "shm" in name.split("-") else os.environ.get("BENCH_OUT")
    folder = Path(tempfile.mkdtemp(prefix="tapewire-recording-", dir=place))
    run: Callable[[Any], Any] = asyncio.run
    if "nouv" not in name.split("-"):
        import uvloop  # noqa: PLC0415 - an optional part

        run = uvloop.run

    async def program() -> dict[str, Any]:
        return await measure(name, int(port), Meter(int(last), int(warm)), folder)

    try:
        print(json.dumps(run(program())), flush=True)
    finally:
        shutil.rmtree(folder)


if __name__ == "__main__":
    main()
