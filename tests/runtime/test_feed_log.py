"""One log line for each feed event: level, text, fields; masses are summed up; JSON on offer; nothing configured."""

from __future__ import annotations

import json
import logging
import subprocess
import sys

import pytest
from msgspec.structs import replace

from tapewire.config import Secret
from tapewire.model import status
from tapewire.model.line import Loss
from tapewire.model.subscription import Subscription
from tapewire.runtime.feed_log import NAMED, REMEMBERED, FeedLog
from tapewire.runtime.json_log import JsonFormatter

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
            made(status.Stale, subscription=TRADE, silent=0.0, limit=0.0, cause="sequence"),
            "WARNING",
            "trade KRW-BTC its order book misses a change and is fetched anew",
        ),
        (
            made(status.Stale, subscription=TRADE, silent=1.25, limit=0.0, cause="checksum", over=True),
            "INFO",
            "trade KRW-BTC has its order book again after 1.2 s",
        ),
        (
            made(status.Lagged, subscriber="me:trade", rule="drop_oldest", dropped=3, total_dropped=9, size=10),
            "WARNING", "me:trade fell behind: 3 dropped (drop_oldest)",
        ),
        (
            made(status.Limited, group="candles", status=429, seconds=1.0),
            "WARNING", "over the limit of candles: HTTP 429, waits 1.0 s",
        ),
        (
            made(status.Limited, group="", status=429, seconds=1.0),
            "WARNING", "over the limit of REST: HTTP 429, waits 1.0 s",
        ),
        (
            made(
                status.Conflict, subscription=TRADE, sequential_id=7, delivered=status.TradeBody(1.5, 2.0, "BID"),
                refused=status.TradeBody(1.5, 3.0, "BID"), count=4,
            ),
            "WARNING",
            "two trades of KRW-BTC have the id 7: BID 2.0 at 1.5 was delivered, BID 3.0 at 1.5 was not (4 so far)",
        ),
        (made(status.Notice, name="64008", message="Soon.", moving=True), "WARNING", "notice: 64008 Soon."),
        (made(status.Notice, name="count", message=""), "INFO", "notice: count"),
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


@pytest.mark.parametrize(
    ("stream", "ends", "level", "text"),
    [
        (TRADE, ("filled", 1200), "INFO", "1,200 trades of KRW-BTC recovered"),
        (TRADE, ("filled", 0), "INFO", "nothing missed of trades of KRW-BTC"),
        (
            TRADE, ("unfilled", 3), "WARNING",
            "trades of KRW-BTC may be missing: 3 recovered, REST told no more (reset)",
        ),
        (Subscription("candle", "KRW-BTC", "1m"), ("filled", 2), "INFO", "2 1m candles of KRW-BTC recovered"),
        (Subscription("myOrder", ""), ("filled", 2), "INFO", "2 order messages recovered"),
    ],
)  # fmt: skip
def test_what_became_of_a_hole_is_told_in_words(
    stream: Subscription, ends: tuple[status.GapState, int], level: str, text: str, caplog: pytest.LogCaptureFixture
) -> None:
    feed_log, row = FeedLog(), replace(gap("filling"), subscription=stream)
    with caplog.at_level(logging.INFO, "tapewire"):
        feed_log.tell(row)
        feed_log.tell(replace(row, state=ends[0], recovered=ends[1]))
        feed_log.tell(made(status.Recovered, subscriptions=(stream,), seconds=2.0))
    assert [(record.levelname, record.getMessage()) for record in caplog.records] == [
        ("INFO", f"upbit-1: gap (filling) in {stream}: reset"),
        (level, f"upbit-1: {text}"),
        ("INFO", f"upbit-1: {stream} back after 2.0 s"),
    ]


def test_a_log_that_nobody_reads_is_not_written(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.ERROR, "tapewire"):
        FeedLog().tell(made(status.Stopped, reason="stopped"))
    assert caplog.records == []


def test_a_record_has_the_events_fields(caplog: pytest.LogCaptureFixture) -> None:
    lost = made(status.Disconnected, loss=Loss("closed", 1001, "bye"), attempt=2, retry_in=1.25)
    FeedLog().tell(lost)
    [record] = caplog.records
    fields = {name: record.__dict__[name] for name in ("event", "venue", "connection", "loss", "attempt", "retry_in")}
    assert fields == {
        "event": "disconnected", "venue": "upbit", "connection": "upbit-1", "loss": "closed (1001 bye)",
        "attempt": 2, "retry_in": 1.25,
    }  # fmt: skip


def test_fields_that_a_record_has_itself_get_other_names(caplog: pytest.LogCaptureFixture) -> None:
    FeedLog().tell(made(status.Rejected, name="NO_CODES", message="none", subscriptions=(TRADE,), final=True))
    [record] = caplog.records
    assert (record.name, record.__dict__["error_name"], record.__dict__["error_message"]) == (
        "tapewire", "NO_CODES", "none",
    )  # fmt: skip
    assert (record.__dict__["subscriptions"], record.__dict__["streams"]) == (["trade KRW-BTC"], 1)


def test_a_record_names_fifty_streams_and_counts_all(caplog: pytest.LogCaptureFixture) -> None:
    streams = tuple(Subscription("trade", f"KRW-{number}") for number in range(1_000))
    with caplog.at_level(logging.INFO, "tapewire"):
        FeedLog().tell(made(status.Subscribed, subscriptions=streams))
    [record] = caplog.records
    assert (len(record.__dict__["subscriptions"]), record.__dict__["streams"]) == (NAMED, 1_000)


@pytest.mark.parametrize("made_as", status.FeedEvent.__subclasses__(), ids=lambda cls: cls.__name__)
def test_no_event_has_a_field_that_a_record_refuses(
    made_as: type[status.FeedEvent], caplog: pytest.LogCaptureFixture
) -> None:
    facts: dict[str, object] = {
        "url": "ws://x", "attempt": 1, "reconnect": 0, "loss": Loss("reset"), "retry_in": None,
        "subscriptions": (TRADE,), "name": "N", "message": "m", "subscription": TRADE,
        "cause": "reset", "state": "open", "from_ns": 0,
        "seconds": 1.0, "silent": 61.0, "limit": 60.0, "subscriber": "me", "rule": "block", "dropped": 1,
        "total_dropped": 1, "size": 1, "reason": "r", "payload": b"x", "count": 1, "group": "g", "status": 429,
        "error": "e", "traceback": "t", "sequential_id": 7,
        "delivered": status.TradeBody(), "refused": status.TradeBody(), "folder": "ticks",
    }  # fmt: skip
    own = {name: value for name, value in facts.items() if name in made_as.__struct_fields__}
    if made_as is status.Stopped:
        own["error"] = False
    with caplog.at_level(logging.DEBUG, "tapewire"):
        FeedLog().tell(made(made_as, **own))
    [record] = caplog.records
    assert record.__dict__["event"] == made_as.__struct_config__.tag
    assert json.loads(JsonFormatter().format(record))["venue"] == "upbit"


def bad_frame(at_ns: int, connection: str = "upbit-1") -> status.Quarantined:
    return status.Quarantined(
        venue="upbit", connection=connection, at_ns=at_ns, reason="unknown type", payload=b"x", count=1
    )


def test_of_frames_in_quarantine_the_first_is_told_then_one_a_minute_with_the_count(
    caplog: pytest.LogCaptureFixture,
) -> None:
    feed_log, second = FeedLog(), 10**9
    for at in (*range(10), 59, 60, 61, 200, 100):
        feed_log.tell(bad_frame(at * second))
    feed_log.tell(bad_frame(61 * second, "upbit-2"))
    texts = [record.getMessage() for record in caplog.records]
    told = "frame kept in quarantine: unknown type: b'x'"
    more = "more since the last such line)"
    assert texts == [
        f"upbit-1: {told}",
        f"upbit-1: {told} (and 10 {more}",
        f"upbit-1: {told} (and 1 {more}",
        f"upbit-1: {told}",  # the clock was set back
        f"upbit-2: {told}",
    ]


def test_the_log_remembers_a_bounded_number_of_connections() -> None:
    feed_log = FeedLog()
    for number in range(REMEMBERED + 50):
        feed_log.tell(bad_frame(0, f"upbit-{number}"))
    assert len(feed_log._quarantine) == REMEMBERED


def test_a_record_as_json_has_time_level_message_and_every_field() -> None:
    record = logging.makeLogRecord(
        {"name": "tapewire", "levelname": "WARNING", "levelno": 30, "msg": "%s: lost", "args": ("upbit-1",),
         "created": 1_786_611_600.25, "venue": "upbit", "count": 3, "key": Secret("canary"), "stack_info": "here"}
    )  # fmt: skip
    line = JsonFormatter().format(record)
    assert "\n" not in line
    assert json.loads(line) == {
        "time": "2026-08-13T09:00:00.250000+00:00", "level": "WARNING", "logger": "tapewire",
        "message": "upbit-1: lost", "venue": "upbit", "count": 3, "key": "***", "stack": "here",
    }  # fmt: skip


def test_a_record_as_json_carries_the_traceback() -> None:
    try:
        _ = 1 // 0
    except ZeroDivisionError:
        record = logging.makeLogRecord({"msg": "internal error", "exc_info": sys.exc_info()})
    said = json.loads(JsonFormatter().format(record))
    assert said["exception"].endswith("ZeroDivisionError: integer division or modulo by zero")


def test_the_library_configures_no_logging() -> None:
    """In a process of its own: pytest itself has handlers."""
    code = (
        "import asyncio, logging, tapewire\n"
        "from tapewire.sim.scenario import Scenario\nfrom tapewire.sim.server import Simulator\n"
        "async def main():\n"
        "    async with Simulator(Scenario(markets=('KRW-BTC',), rate=100.0)) as simulator:\n"
        "        async with tapewire.WebSocketClient(url=simulator.url) as client:\n"
        "            await anext(client.trades('KRW-BTC'))\n"
        "asyncio.run(main())\n"
        "names = ['', *(n for n in logging.root.manager.loggerDict if n.split('.')[0] == 'tapewire')]\n"
        "loggers = [logging.getLogger(name) for name in names]\n"
        "handlers = [h for one in loggers for h in one.handlers if not isinstance(h, logging.NullHandler)]\n"
        "levels = {one.name: one.level for one in loggers[1:]}\n"
        "assert 'tapewire' in levels and not handlers and set(levels.values()) == {logging.NOTSET}, levels\n"
        "assert logging.root.level == logging.WARNING\n"
    )
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=30, check=False)
    assert (run.returncode, run.stderr) == (0, "")
