"""The quick rows once over real sockets, against the lab's real server."""

from __future__ import annotations

import pytest
from benchmarks.lab.rows import BY_KEY, Row
from benchmarks.lab.server import LabServer
from msgspec.structs import replace as with_options

from tapewire.client import WebSocketClient
from tapewire.config import FeedOptions, SessionOptions
from tests.lab.watching import Watch

#: The delay before the first redial is cut short: what is tried here is the line, not the patience.
QUICK = with_options(FeedOptions(), session=SessionOptions(backoff_base=0.05))


def quick(key: str) -> Row:
    """The row with its long looks made short."""
    row = BY_KEY[key]
    return row.shortened(watch=10.0 if row.settle else 0.5, settle=0.1 if row.settle else None, lasts=row.lasts and 0.5)


@pytest.mark.parametrize("key", ["abort", "close-1000", "close-1001", "garbage", "status", "error"])
async def test_quick_rows_are_green_over_sockets(key: str) -> None:
    lab = LabServer(quick(key), rate=100.0, fault_after=0.2)
    await lab.start()
    watch = Watch(lab)
    try:
        client = WebSocketClient("lab", url=lab.url, rest_url=lab.rest_url, options=QUICK)
        verdict = await watch.through(client)
    finally:
        await lab.stop()
    assert verdict.green, verdict
    assert len(lab.connects) == (2 if key in ("abort", "close-1000", "close-1001") else 1)


@pytest.mark.parametrize("wire", ["DEFAULT", "SIMPLE"])
async def test_the_server_writes_the_format_that_was_asked(wire: str) -> None:
    lab = LabServer(quick("status"), rate=100.0, fault_after=0.1)
    await lab.start()
    watch = Watch(lab)
    try:
        options = with_options(QUICK, format=wire, keep_raw=True)
        verdict = await watch.through(WebSocketClient("lab", url=lab.url, rest_url=lab.rest_url, options=options))
    finally:
        await lab.stop()
    assert verdict.green, verdict
    assert (b'"SIMPLE"' in lab.requests[0][1]) == (wire == "SIMPLE")
