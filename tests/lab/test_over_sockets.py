"""Every row of the lab once over real sockets, its long times cut short, against the lab's real server."""

from __future__ import annotations

import pytest
from benchmarks.lab.rows import BY_KEY, ROWS, Row
from benchmarks.lab.server import LabServer
from msgspec.structs import replace as with_options

from tapewire.client import WebSocketClient
from tapewire.config import FeedOptions, SessionOptions
from tests.lab.watching import Watch

#: The lab's times are about a tenth here, so are the delays before redials: exact ones, to bound the count of dials.
QUICK = with_options(FeedOptions(), session=SessionOptions(backoff_base=0.1, jitter=False))
#: Row 10 is about the patience with a silent stream: it is cut as well.
IMPATIENT = SessionOptions(backoff_base=0.1, ping_interval=0.3, ping_timeout=1.5, stale_after=0.5, stale_reconnect=0.8)
#: Seconds that a fault stays which has a length; row 8 says no more once it was told.
LASTS = {"closed-down": 1.0, "aborted-down": 1.0, "close-each": 1.5, "silence": 30.0}
#: Seconds before the fault. A stream must have shown a rhythm before its silence says anything.
FAULT_AFTER = {"silence": 0.8}
#: A bound for a test that hangs, not a measure of how fast it is.
LONGEST = 40.0


def quick(key: str) -> Row:
    """The row with its long looks made short."""
    row = BY_KEY[key]
    ends_early = row.settle is not None
    return row.shortened(
        watch=LONGEST if ends_early else 0.5,
        settle=0.1 if ends_early else None,
        lasts=LASTS.get(key, row.lasts and 0.5),
    )


async def lived_through(key: str, options: FeedOptions = QUICK) -> tuple[Watch, LabServer]:
    """The row played to its end and judged green."""
    lab = LabServer(quick(key), rate=100.0, fault_after=FAULT_AFTER.get(key, 0.2))
    await lab.start()
    watch = Watch(lab)
    try:
        verdict = await watch.through(WebSocketClient("lab", url=lab.url, rest_url=lab.rest_url, options=options))
    finally:
        await lab.stop()
    assert verdict.green, verdict
    return watch, lab


@pytest.mark.parametrize("key", [row.key for row in ROWS])
async def test_every_row_is_green_over_sockets(key: str) -> None:
    options = with_options(QUICK, session=IMPATIENT) if key == "silence" else QUICK
    watch, lab = await lived_through(key, options)
    dials = len(lab.connects)
    if lab.row.keeps_line or lab.row.kind == "refuse":
        assert dials == 1
    elif lab.row.kind == "close_each":
        assert dials > 2, "it is closed again and again"
    else:
        assert dials == 2
    assert watch.seen.data or key == "error"
    # The socket itself has played the fault: nobody listened, or the stream alone was silent.
    assert any("unreachable" in text for _, text in watch.seen.told) == lab.row.down
    assert any(text.startswith("Stale") for _, text in watch.seen.told) == (key == "silence")


@pytest.mark.parametrize("wire", ["DEFAULT", "SIMPLE"])
async def test_the_server_writes_the_format_that_was_asked(wire: str) -> None:
    _, lab = await lived_through("status", with_options(QUICK, format=wire, keep_raw=True))
    assert (b'"SIMPLE"' in lab.requests[0][1]) == (wire == "SIMPLE")
