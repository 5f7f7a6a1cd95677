"""Health as a program sees it: against the simulated exchange, under virtual time."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

import msgspec
import pytest
from msgspec.structs import replace

from tapewire import FeedOptions, HealthStatus, SubscriptionError, WebSocketClient
from tapewire.config import MailboxOptions, SessionOptions
from tapewire.hub.listening import Listener
from tapewire.model.events import Event
from tapewire.model.subscription import Subscription
from tapewire.testing.clock import elapse, run_virtual
from tapewire.transport.contract import Http, LineFactory
from tapewire.transport.http import AiohttpHttp
from tapewire.transport.memory import FarEnd, MemoryLine
from tapewire.venues.registry import get_venue
from tests.client.stage import Stage, play

STEADY = SessionOptions(jitter=False)
TRADE = Subscription("trade", "KRW-BTC")
BOTH = ["trade KRW-BTC", "trade KRW-ETH"]


def in_short(health: HealthStatus) -> tuple[str, list[str]]:
    """Status, and every stream that a reason names."""
    return str(health.status), sorted(str(one) for reason in health.reasons for one in reason.subscriptions)


def to(far_end: Callable[[FarEnd], object]) -> LineFactory:
    """Lines to this one."""

    def connect(far: FarEnd) -> None:
        far_end(far)

    return lambda options, wall_ns: MemoryLine(connect, options, wall_ns)


def nowhere() -> Http:
    """REST that nobody answers; nobody asks it, either."""
    return AiohttpHttp(lambda: 0)


async def busy(stage: Stage, story: Callable[[Stage], object], seconds: float) -> HealthStatus:
    """Two busy streams for a minute, what happens to them, and the health so many seconds later."""
    async with stage.client(session=STEADY) as client:
        await client.subscribe_trade(["KRW-BTC", "KRW-ETH"], lambda _: None)
        await stage.after(60)
        assert in_short(stage.manager.get_health_status()) == ("healthy", [])
        story(stage)
        await stage.after(seconds)
        health = stage.manager.get_health_status()
        assert client.get_health_status() == health
        return health


def test_nothing_wanted_is_healthy_and_idle() -> None:
    async def story(stage: Stage) -> None:
        before = stage.manager.get_health_status()
        assert (before.status, before.idle, before.reasons) == ("healthy", True, ())
        assert (before.uptime_seconds, before.total_messages_processed) == (0.0, 0)
        client = stage.client()
        assert client.get_health_status().idle
        await client.subscribe_ticker("KRW-BTC", lambda _: None)
        await stage.after(5)
        assert not client.get_health_status().idle
        await client.cleanup()
        after = stage.manager.get_health_status()
        assert (after.status, after.idle) == ("healthy", True)
        assert after.uptime_seconds > 4
        assert after.total_messages_processed == client.statistics().total_processed > 5

    play(story)


def test_the_first_dial_has_five_seconds_then_the_feed_is_unhealthy() -> None:
    async def story() -> list[tuple[str, list[str]]]:
        seen = []
        async with WebSocketClient(
            line_factory=to(lambda _: None), http=nowhere(), validate=False, poll_after=None, connect_timeout=8.0
        ) as client:
            await client.subscribe_trade("KRW-BTC", lambda _: None)
            for seconds in (1, 3, 2):
                await elapse(seconds)
                seen.append(in_short(client.get_health_status()))
        return seen

    assert run_virtual(story()) == [
        ("degraded", ["trade KRW-BTC"]), ("degraded", ["trade KRW-BTC"]), ("unhealthy", ["trade KRW-BTC"]),
    ]  # fmt: skip


def test_a_lost_line_is_degraded_until_its_first_retry_fails() -> None:
    async def story(stage: Stage) -> None:
        health = await busy(stage, lambda stage: stage.simulator.abort(), 0.5)
        assert in_short(health) == ("degraded", BOTH)
        [reason] = health.reasons
        assert reason.connection == "upbit-1"
        assert reason.text.startswith("line down: reset (1006 ")
        assert (health.connection_errors, health.last_error_ns) == (1, reason.since_ns)
        assert health.last_error is not None
        assert health.last_error.startswith("reset")
        assert health.since_ns == reason.since_ns

    play(story)


def test_a_lost_line_that_does_not_come_back_is_unhealthy() -> None:
    async def story(stage: Stage) -> None:
        health = await busy(stage, lambda _: None, 0)
        assert health.status == "healthy"
        await stage.after(10)  # the fault begins

    async def down(stage: Stage) -> None:
        async with stage.client(session=STEADY) as client:
            await client.subscribe_trade(["KRW-BTC", "KRW-ETH"], lambda _: None)
            await stage.after(63)
            health = stage.manager.get_health_status()
            assert in_short(health) == ("unhealthy", BOTH), health
            assert 2.9 < (stage.loop.wall_ns() - health.since_ns) / 1e9 < 3.1
            assert client.get_health_status().status == "unhealthy"

    play(down, faults=("maintenance:600@60",))
    play(story)


def test_a_feed_that_comes_back_is_healthy_since_then_and_remembers_what_was() -> None:
    async def story(stage: Stage) -> None:
        health = await busy(stage, lambda stage: stage.simulator.drop(1001), 10)
        assert in_short(health) == ("healthy", [])
        assert 8 < (stage.loop.wall_ns() - health.since_ns) / 1e9 <= 9, "the line was lost ten seconds ago"
        assert health.uptime_seconds > 60
        assert (health.connection_errors, health.last_error) == (1, "closed (1001)")
        assert health.last_error_time is not None
        assert health.last_error_time < health.since

    play(story, rate=60.0)


class Dying:
    """An exchange that answers each request with snapshots for ever, and speaks by itself for its first minute only."""

    def __init__(self) -> None:
        self.lines = 0
        self._number = 0

    def __call__(self, far: FarEnd) -> None:
        self.lines += 1
        far.on_message = lambda _payload, _is_text: self._say(far, "SNAPSHOT")
        far.accept()
        self._tick(far)

    def _tick(self, far: FarEnd) -> None:
        loop = asyncio.get_running_loop()
        if loop.time() < 60:
            self._number += 1
            self._say(far, "REALTIME")
            loop.call_later(1.0, self._tick, far)

    def _say(self, far: FarEnd, stream_type: str) -> None:
        for code in ("KRW-BTC", "KRW-ETH"):
            trade = {"type": "trade", "code": code, "trade_price": 1.5, "sequential_id": self._number}
            far.send(msgspec.json.encode(trade | {"stream_type": stream_type}))


def test_a_feed_without_data_is_unhealthy_within_a_watch_period_and_stays_so_through_new_lines() -> None:
    async def story() -> None:
        exchange = Dying()
        async with WebSocketClient(
            line_factory=to(exchange), http=nowhere(), validate=False, recover=False, poll_after=None, session=STEADY
        ) as client:
            await client.subscribe_trade(["KRW-BTC", "KRW-ETH"], lambda _: None)
            await elapse(118)
            assert in_short(client.get_health_status()) == ("healthy", [])
            await elapse(4)
            health = client.get_health_status()
            assert in_short(health) == ("unhealthy", BOTH)
            [reason] = health.reasons
            assert reason.text == "trade KRW-BTC, trade KRW-ETH: no data, although the line is alive"
            await elapse(600)
            assert exchange.lines > 2, "the session tried new ones; each brought snapshots"
            assert in_short(client.get_health_status()) == ("unhealthy", BOTH)

    run_virtual(story())


def test_a_half_open_line_is_never_called_healthy_for_longer_than_a_ping_takes() -> None:
    async def story(stage: Stage) -> None:
        health = await busy(stage, lambda stage: stage.simulator.freeze(), 40.5)
        assert health.status != "healthy" or health.connection_errors == 1
        assert health.last_error is not None
        assert health.last_error.startswith("ping_timeout")

    play(story, rate=20.0)


def test_streams_that_were_asked_with_their_snapshot_and_never_answered_are_unhealthy() -> None:
    async def story() -> list[tuple[str, list[str]]]:
        seen = []
        lines = to(FarEnd.accept)
        async with WebSocketClient(line_factory=lines, http=nowhere(), validate=False, poll_after=None) as client:
            await client.subscribe_ticker("KRW-BTC", lambda _: None)
            for seconds in (59, 3):
                await elapse(seconds)
                seen.append(in_short(client.get_health_status()))
        return seen

    assert run_virtual(story()) == [("healthy", []), ("unhealthy", ["ticker KRW-BTC"])]


def test_a_quiet_stream_of_events_stays_healthy_for_as_long_as_its_line_answers() -> None:
    """With a venue whose trades are declared to be such: silence of an hour says nothing about them."""

    async def story(stage: Stage) -> None:
        upbit = get_venue("upbit")
        quiet = replace(upbit, facts=replace(upbit.facts, event_kinds=frozenset({"trade"})))
        pool = stage.manager.pool(quiet, FeedOptions())
        heard: list[Event] = []
        pool.add(TRADE, Listener("me", heard.append, "realtime_only"), lambda *_: None)
        await stage.after(60)
        known = len(heard)
        assert known > 5
        stage.simulator.silence()
        await stage.after(1800)
        health = stage.manager.get_health_status()
        assert (health.status, health.reasons, len(heard)) == ("healthy", (), known)
        metrics = stage.manager.get_connection_metrics("public")
        assert metrics.health_score == 1.0
        assert metrics.last_data_ns is not None
        assert metrics.last_alive_ns is not None
        assert metrics.last_alive_ns - metrics.last_data_ns > 1700e9, "pings prove the line, data do not"
        stage.simulator.freeze()
        await stage.after(41)
        assert stage.manager.get_health_status().connection_errors == 1

    play(story, rate=20.0)


def test_a_refused_subscription_is_degraded_until_it_is_live_or_five_minutes_are_over() -> None:
    async def story(stage: Stage) -> None:
        async with stage.client() as client:
            handle = await client.subscribe_trade(["KRW-BTC", "KRW-NOPE"], lambda _: None)
            await handle.live()
            health = client.get_health_status()
            assert in_short(health) == ("degraded", ["trade KRW-NOPE"])
            assert "trade KRW-NOPE was refused: UnknownSymbol" in health.reasons[0].text
            await stage.after(301)
            assert client.get_health_status().status == "healthy"
            ended = (stage.loop.wall_ns() - client.get_health_status().since_ns) / 1e9
            assert 0 < ended < 2, "healthy since the refusal ceased to count"
            assert stage.manager.get_all_connection_metrics()["venues"][0].rejected == 1

    play(story)


def test_a_connection_that_gave_up_is_unhealthy_until_a_new_one_opens() -> None:
    async def story(stage: Stage) -> None:
        async with stage.client(validate=False) as client:
            await client.subscribe_trade("KRW-BTC", lambda _: None)
            await stage.after(1)
            health = client.get_health_status()
            assert in_short(health) == ("unhealthy", ["trade KRW-BTC"])
            assert health.reasons[0].text.startswith("gave up: ")
            assert "403" in health.reasons[0].text
            assert health.last_error is not None
            await stage.after(400)
            assert client.get_health_status().status == "unhealthy", "nobody mended it"
            await client.subscribe_trade("KRW-BTC", lambda _: None)
            await stage.after(1)
            assert client.get_health_status().status == "healthy"

    play(story, faults=("refuse:403@0x1",))


def test_a_client_that_is_closed_takes_its_troubles_with_it() -> None:
    async def story(stage: Stage) -> None:
        async with stage.client(validate=False) as client:
            await client.subscribe_trade("KRW-BTC", lambda _: None)
            await stage.after(1)
            assert client.get_health_status().status == "unhealthy"
        assert stage.manager.get_health_status().idle

    play(story, faults=("refuse:403@0x1",))


@pytest.mark.parametrize("rule", ["drop_oldest", "conflate"])
def test_a_subscriber_that_falls_behind_is_degraded_for_a_minute(rule: str) -> None:
    async def story(stage: Stage) -> None:
        async with stage.client() as client:
            stream = client.trades("KRW-BTC", mailbox=MailboxOptions(size=10, rule=rule))  # type: ignore[arg-type]
            await anext(stream)
            await stage.after(30)
            health = client.get_health_status()
            [reason] = health.reasons
            assert (health.status, reason.connection) == ("degraded", "me:trade")
            assert reason.text.startswith("fell behind: ")
            metrics = stage.manager.get_all_connection_metrics()
            [box] = metrics["mailboxes"]
            assert (box.name, box.waiting, box.size, box.rule) == ("me:trade", 10, 10, rule)
            assert 0 < metrics["venues"][0].dropped <= box.dropped
            await stream.aclose()
            await stage.after(62)
            assert client.get_health_status().status == "healthy"
            assert stage.manager.get_all_connection_metrics()["mailboxes"] == []

    play(story, rate=20.0)


def test_a_mailbox_that_is_nearly_full_is_told_before_it_drops() -> None:
    async def story(stage: Stage) -> None:
        async with stage.client() as client:
            stream = client.trades("KRW-BTC", mailbox=MailboxOptions(size=100, rule="block"))
            await anext(stream)
            await stage.after(60)
            [reason] = client.get_health_status().reasons
            assert (reason.connection, reason.status) == ("me:trade", "degraded")
            assert "events wait in a mailbox of 100 (block)" in reason.text
            await stream.aclose()

    play(story, rate=20.0)


def test_no_client_is_degraded_by_a_bad_call() -> None:
    async def story(stage: Stage) -> None:
        async with stage.client() as client:
            with pytest.raises(SubscriptionError):
                await client.subscribe_trade([], lambda _: None)
            assert client.get_health_status().status == "healthy"

    play(story)
