"""A disk that is really full: the recording waits, says so, and goes on where it was (C2, D12)."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tapewire.errors import SinkError
from tapewire.model.events import TradeEvent
from tapewire.sinks.files.options import RecordOptions
from tapewire.sinks.registry import get_sink
from tapewire.sinks.runner import RunnerOptions, SinkRunner
from tests.chaos.disks import small_disk
from tests.sinks.files.test_segments import notices, numbers
from tests.sinks.test_runner import Feed


@pytest.fixture
def disk_of_a_mebibyte(tmp_path: Path) -> Iterator[Path]:
    """A file system of 1 MiB."""
    with small_disk(tmp_path / "disk", 1024 * 1024) as place:
        yield place


@pytest.mark.parametrize(
    ("options", "most"),
    [({}, 599), ({"compress": "zstd"}, 600), ({"layout": "dated", "rotate_size": 20_000}, 599)],  # frames wait longer
)
async def test_a_full_disk_is_waited_for_and_nothing_is_lost_or_doubled(
    disk_of_a_mebibyte: Path, options: dict[str, Any], most: int
) -> None:
    ballast, folder, feed = disk_of_a_mebibyte / "ballast", disk_of_a_mebibyte / "ticks", Feed()
    ballast.write_bytes(b"x" * 900_000)
    told: list[SinkError | None] = []
    changed = asyncio.Event()

    def tell(trouble: SinkError | None) -> None:
        told.append(trouble)
        changed.set()

    sink = get_sink("jsonl")(folder, options=RecordOptions(fsync="none", **options))
    runner = SinkRunner(
        sink, options=RunnerOptions(batch=50, max_age=0.01, flush_every=0.02, retry_every=0.05), tell=tell
    )
    running = asyncio.create_task(runner.run(feed))
    for number in range(600):
        noise = os.urandom(300).hex()  # so that frames are not small
        feed.queue.put_nowait(_trade(number, noise))
    async with asyncio.timeout(30):
        await changed.wait()
        assert runner.state == "degraded"
        assert feed.taken <= most, "read no further than two batches ahead"
        changed.clear()
        ballast.unlink()
        await changed.wait()
        feed.end()
        await running
    (trouble, end) = told[:2]
    assert trouble is not None
    assert (trouble.reason, end) == ("no space left on device", None)
    held = numbers(folder)
    assert [number for one in sorted(held.values()) for number in one] == list(range(600))
    assert {"refused": "no space left on device"}.items() <= notices(folder)[0].items()


def _trade(number: int, noise: str) -> TradeEvent:
    raw = b'{"n":%d,"x":"%s"}' % (number, noise.encode())
    return TradeEvent(venue="upbit", symbol="KRW-BTC", received_ns=1_795_303_800 * 10**9, raw=raw)
