"""One log line for each feed event, the right level; figures of latency."""

from __future__ import annotations

import logging

import pytest

from tapewire.model import status
from tapewire.model.line import Loss
from tapewire.model.metrics import LatencyStatistics, latency_statistics
from tapewire.model.subscription import Subscription
from tapewire.runtime.feed_log import FeedLog
from tapewire.runtime.observe import callback_failed

WHERE = {"venue": "upbit", "connection": "upbit-1", "at_ns": 0}
TRADE = Subscription("trade", "KRW-BTC")


def gap(state: status.GapState) -> status.Gap:
    return status.Gap(**WHERE, subscription=TRADE, cause="reset", state=state, from_ns=0)  # type: ignore[arg-type]


def made(cls: type[status.FeedEvent], **facts: object) -> status.FeedEvent:
    return cls(**WHERE, **facts)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("event", "level", "text"),
    [
        (made(status.Connecting, url="ws://x", attempt=1), "DEBUG", "Connecting("),
        (made(status.Connected, url="ws://x", reconnect=0), "INFO", "connected to ws://x"),
        (made(status.Connected, url="ws://x", reconnect=3), "INFO", "connected to ws://x (reconnect 3)"),
        (
            made(status.Disconnected, loss=Loss("closed", 1001), attempt=2, retry_in=1.25),
            "WARNING", "line lost: closed (1001); try 2 in 1.2 s",
        ),
        (
            made(status.Disconnected, loss=Loss("refused", status=403), attempt=1, retry_in=None, final=True),
            "ERROR", "line lost: refused (403); giving up",
        ),
        (
            made(status.Disconnected, loss=Loss("stopped"), attempt=0, retry_in=None, final=True),
            "INFO", "line closed: stopped",
        ),
        (made(status.Subscribed, subscriptions=(TRADE,)), "INFO", "trade KRW-BTC live"),
        (
            made(status.Rejected, name="NO_CODES", message="none", subscriptions=(TRADE,), final=True),
            "ERROR", "refused: NO_CODES: none (trade KRW-BTC)",
        ),
        (made(status.Rejected, name="X", message="y"), "WARNING", "refused: X: y (no subscription ended)"),
        (gap("unfilled"), "INFO", "gap (unfilled) in trade KRW-BTC: reset"),
        (gap("open"), "INFO", "gap (open) in trade KRW-BTC: reset"),
        (gap("nothing_missed"), "INFO", "gap (nothing_missed) in trade KRW-BTC: reset"),
        (gap("full_state"), "INFO", "gap (full_state) in trade KRW-BTC: reset"),
        (
            made(status.Stale, subscription=TRADE, silent=61.2, limit=60.0),
            "WARNING", "trade KRW-BTC silent for 61 s (limit 60 s)",
        ),
        (made(status.Stale, subscription=TRADE, silent=1, limit=1, over=True), "INFO", "trade KRW-BTC has data again"),
        (
            made(status.Lagged, subscriber="me:trade", rule="drop_oldest", dropped=3, total_dropped=9, size=10),
            "WARNING", "me:trade fell behind: 3 dropped (drop_oldest)",
        ),
        (
            made(status.Quarantined, reason="unknown type", payload=b"x" * 500, count=1),
            "WARNING", f"frame kept in quarantine: unknown type: {b'x' * 80!r}",
        ),
        (
            made(status.CallbackFailed, subscriber="me", error="E()", traceback="Traceback …"),
            "ERROR", "callback of me raised E()\nTraceback …",
        ),
        (made(status.Stopped, reason="stopped"), "INFO", "stopped: stopped"),
        (made(status.Stopped, reason="refused (403)", error=True), "ERROR", "stopped: refused (403)"),
        (made(status.Recovered, subscriptions=(TRADE,), seconds=1.26), "INFO", "trade KRW-BTC back after 1.3 s"),
    ],
    ids=lambda value: type(value).__name__ if isinstance(value, status.FeedEvent) else "",
)  # fmt: skip
def test_each_feed_event_is_one_log_line(
    event: status.FeedEvent, level: str, text: str, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.DEBUG, "tapewire"):
        FeedLog().tell(event)
    [record] = caplog.records
    assert (record.name, record.levelname) == ("tapewire", level)
    assert record.getMessage().startswith(f"upbit-1: {text}")


def test_the_gaps_of_one_loss_are_summed_up_in_the_line_that_tells_its_end(caplog: pytest.LogCaptureFixture) -> None:
    feed_log = FeedLog()
    recovered = made(status.Recovered, subscriptions=(TRADE,), seconds=2.0)
    for event in (gap("unfilled"), gap("full_state"), gap("unfilled"), recovered, recovered):
        feed_log.tell(event)
    assert [(record.levelname, record.getMessage()) for record in caplog.records] == [
        ("WARNING", "upbit-1: trade KRW-BTC back after 2.0 s; messages may be missing in 2 (see the Gap events)")
    ], "only warnings are recorded here; the second end has nothing to sum up"


def test_a_log_that_nobody_reads_is_not_written(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.ERROR, "tapewire"):
        FeedLog().tell(made(status.Stopped, reason="stopped"))
    assert caplog.records == []


def test_latency_is_told_in_percentiles() -> None:
    assert latency_statistics([]) is None
    assert latency_statistics([5.0]) == LatencyStatistics(1, 5.0, 5.0, 5.0, 5.0)
    assert latency_statistics([float(number) for number in range(100, 0, -1)]) == LatencyStatistics(
        100, 51.0, 91.0, 100.0, 100.0
    )


def test_a_failed_callback_carries_the_whole_traceback() -> None:
    with pytest.raises(ZeroDivisionError) as caught:
        _ = 1 // 0
    told = callback_failed("upbit", "upbit-1", 7, "me:trade", caught.value)
    assert (told.subscriber, told.error, told.at_ns) == (
        "me:trade",
        "ZeroDivisionError('integer division or modulo by zero')",
        7,
    )
    assert told.traceback.startswith("Traceback (most recent call last):\n")
    assert told.traceback.endswith("ZeroDivisionError: integer division or modulo by zero\n")
