"""Two lines for the same streams: the loss of one costs nothing, the loss of both is one hole."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from typing import Any

import pytest

from tapewire import WebSocketClient
from tapewire.client.lines import real_ports
from tapewire.config import LineOptions, MailboxOptions
from tapewire.errors import FeedError
from tapewire.errors import Rejected as RejectedError
from tapewire.model.events import Event, TradeEvent
from tapewire.model.status import (
    CallbackFailed,
    Connected,
    Connecting,
    Disconnected,
    Gap,
    Polling,
    Recovered,
    Rejected,
    Stale,
    Stopped,
    Subscribed,
)
from tapewire.model.subscription import Subscription
from tapewire.runtime.manager import WebSocketManager
from tapewire.sim.peer import Exchange, Peer
from tapewire.sim.scenario import Scenario
from tapewire.sim.server import Simulator
from tests.client.stage import Stage, play, trades

SYMBOLS = ["KRW-BTC", "KRW-ETH"]


def lines(stage: Stage) -> list[Peer]:
    return list(stage.simulator.exchange.peers.values())


def missing(stage: Stage, heard: list[Event]) -> list[int | None]:
    """Trades made since the first that was heard, and not heard."""
    found: list[int | None] = []
    for symbol in SYMBOLS:
        got = [trade.sequential_id for trade in trades(heard) if trade.symbol == symbol]
        made = [trade.sequential_id for trade in stage.simulator.trades if trade.symbol == symbol]
        assert got
        begun = made.index(next(number for number in made if number in got))
        found += [number for number in made[begun:] if number not in got]
    return found


def doubled(heard: list[Event]) -> list[Any]:
    seen = Counter((event.symbol, event.sequential_id) for event in trades(heard))
    return [key for key, count in seen.items() if count > 1]


def sound(stage: Stage, heard: list[Event]) -> None:
    assert missing(stage, heard) == []
    assert doubled(heard) == []


@pytest.mark.parametrize(
    "harm",
    [Peer.close, Peer.abort, Peer.freeze, lambda peer: peer.silence(float("inf"))],
    ids=["close", "abort", "freeze", "silence"],
)
def test_the_loss_of_one_line_costs_nothing(harm: Callable[..., Any]) -> None:
    async def story(stage: Stage) -> None:
        heard: list[Event] = []
        books: list[Event] = []
        async with stage.client(redundancy=2, recover=True) as client:
            await (await client.subscribe_trade(SYMBOLS, heard.append)).live()
            await client.subscribe_orderbook(SYMBOLS, books.append)
            for which in range(2):
                await stage.after(60)
                assert len(lines(stage)) == 2
                snapshots = sum(event.stream_type == "SNAPSHOT" for event in books)
                harm(*((lines(stage)[which], 1000) if harm is Peer.close else (lines(stage)[which],)))
                await stage.after(60)
                assert sum(event.stream_type == "SNAPSHOT" for event in books) == snapshots, "no snapshot again"
            lost = stage.told(Disconnected)
            figures = client.statistics()
            assert (figures.gaps, figures.recovered) == (0, 0)
            assert client.gaps() == ()
        sound(stage, heard)
        assert not any(event.recovered for event in heard)
        assert (stage.told(Gap), stage.told(Recovered), stage.told(Stale)) == ([], [], [])
        assert len(lost) == 2
        for symbol in SYMBOLS:
            times = [event.timestamp or 0 for event in books if event.symbol == symbol]
            assert times == sorted(times)

    play(story, rate=12.0)


def test_a_line_that_falls_silent_while_its_sister_talks_is_replaced_within_seconds_and_named() -> None:
    async def story(stage: Stage) -> None:
        async with stage.client(redundancy=2) as client:
            await (await client.subscribe_trade(SYMBOLS, lambda _: None)).live()
            await stage.after(60)
            lines(stage)[0].freeze()
            await stage.after(20)
            [lost] = stage.told(Disconnected)
            assert (lost.connection, lost.loss.cause) == ("upbit-1", "lagging")
            assert lost.loss.reason.endswith("s behind upbit-2")
            assert [event.connection for event in stage.told(Connected)] == ["upbit-1", "upbit-2", "upbit-1"]

    play(story, rate=20.0)


def test_with_lag_after_switched_off_nobody_is_replaced_for_being_behind() -> None:
    async def story(stage: Stage) -> None:
        async with stage.client(redundancy=2, lag_after=None, ping_interval=600.0) as client:
            await (await client.subscribe_trade(SYMBOLS, lambda _: None)).live()
            await stage.after(60)
            lines(stage)[0].freeze()
            await stage.after(20)
            assert stage.told(Disconnected) == []

    play(story, rate=20.0)


def test_the_loss_of_both_is_one_hole_that_is_filled_once() -> None:
    async def story(stage: Stage) -> None:
        heard: list[Event] = []
        async with stage.client(redundancy=2, recover=True, ping_interval=5.0, ping_timeout=3.0) as client:
            await (await client.subscribe_trade(SYMBOLS, heard.append)).live()
            await stage.after(60)
            stage.simulator.maintenance(10)
            await stage.after(60)
            figures = client.statistics()
        sound(stage, heard)
        assert any(event.recovered for event in heard)
        rows = {(gap.subscription, gap.from_ns): gap for gap in stage.told(Gap)}
        assert len(rows) == figures.gaps == len(SYMBOLS)
        assert {gap.state for gap in rows.values()} <= {"filled", "nothing_missed"}
        assert {gap.connection for gap in rows.values()} == {"upbit-1+upbit-2"}
        assert sum(gap.recovered for gap in rows.values()) == figures.recovered == sum(e.recovered for e in heard)
        assert len(stage.told(Recovered)) == 1

    play(story, rate=20.0)


def test_lines_that_are_lost_together_are_not_dialled_together_and_count_both() -> None:
    async def story(stage: Stage) -> None:
        async with stage.client(redundancy=2, jitter=False) as client:
            await (await client.subscribe_trade(SYMBOLS, lambda _: None)).live()
            await stage.after(0.6)
            [connects] = [one for one in client._pool.limits_left() if one.name == "connects"]
            assert connects.left == connects.window.count - 2
            await stage.after(60)
            stage.simulator.abort()
            await stage.after(20)
            first, second, third, fourth = stage.simulator.connects
            assert second - first >= 0.5
            assert fourth - third >= 0.5

    play(story)


def test_the_second_lost_before_the_first_is_back_is_a_hole_too() -> None:
    async def story(stage: Stage) -> None:
        heard: list[Event] = []
        async with stage.client(redundancy=2, recover=True, jitter=False, backoff_base=8.0) as client:
            await (await client.subscribe_trade(SYMBOLS, heard.append)).live()
            await stage.after(60)
            lines(stage)[0].abort()
            await stage.after(5)
            assert stage.told(Gap) == []
            lines(stage)[0].abort()
            await stage.after(60)
        sound(stage, heard)
        assert any(event.recovered for event in heard)

    play(story, rate=20.0)


def test_a_sister_that_was_half_dead_while_the_other_was_away_is_found_out() -> None:
    async def story(stage: Stage) -> None:
        heard: list[Event] = []
        options: dict[str, Any] = {"lag_after": 30.0, "jitter": False, "backoff_base": 3.0}
        async with stage.client(redundancy=2, recover=True, **options) as client:
            await (await client.subscribe_trade(SYMBOLS, heard.append)).live()
            await stage.after(60)
            one, two = lines(stage)
            one.freeze()  # nobody knows it
            await stage.after(1)
            two.abort()
            await stage.after(90)
        sound(stage, heard)
        assert {gap.state for gap in stage.told(Gap)} == {"filling", "filled"}
        assert any(event.recovered for event in heard)

    play(story, rate=20.0)


def test_a_new_subscriber_gets_one_snapshot_and_one_alone_takes_the_realtime_part() -> None:
    async def story(stage: Stage) -> None:
        first: list[Event] = []
        second: list[Event] = []
        third: list[Event] = []
        async with stage.client(redundancy=2) as client:
            await (await client.subscribe_orderbook("KRW-BTC", first.append)).live()
            await stage.after(30)
            await client.subscribe_orderbook("KRW-BTC", second.append)
            await client.subscribe_orderbook("KRW-BTC", third.append, stream_preference="realtime_only")
            await stage.after(30)
            [answer] = await client.orderbook_snapshot(["KRW-BTC"])
            assert answer.stream_type == "SNAPSHOT"
        kinds = [Counter(event.stream_type for event in heard) for heard in (first, second, third)]
        assert [kind["SNAPSHOT"] for kind in kinds] == [1, 1, 0]
        assert kinds[1]["REALTIME"] == kinds[2]["REALTIME"] > 0

    play(story, rate=12.0)


def test_each_message_comes_once_and_the_figures_say_who_was_first() -> None:
    async def story(stage: Stage) -> None:
        heard: list[Event] = []
        async with stage.client(redundancy=2) as client:
            await client.subscribe_ticker(SYMBOLS, heard.append)
            await client.subscribe_orderbook(SYMBOLS, heard.append)
            await client.subscribe_candle(SYMBOLS, heard.append, unit="1s")
            await stage.after(60)
            figures = client.statistics()
            metrics = stage.manager.get_all_connection_metrics()
        keys = Counter(
            (type(event), event.symbol, event.timestamp, str(event).partition("received_ns")[0]) for event in heard
        )
        assert [key for key, count in keys.items() if count > 1] == []
        assert figures.total_processed == metrics["total_processed"] == len(heard), "each is counted once"
        one, two = figures.connections
        assert one.first_share is not None
        assert one.lead_ms is not None
        assert one.lead_ms.samples == two.copies > 0
        assert one.first_share + (two.first_share or 0) == 1
        assert one.firsts is not None
        assert (one.firsts + (two.firsts or 0)) == sum(event.stream_type == "REALTIME" for event in heard)
        assert metrics["connections"]["upbit-1"].firsts == one.firsts
        assert (one.late, two.late) == (0, 0)

    play(story, rate=12.0)


def test_one_of_two_lines_down_is_degraded_and_names_it_and_no_stream_is_silent() -> None:
    async def story(stage: Stage) -> None:
        async with stage.client(redundancy=2, jitter=False, backoff_base=100.0, backoff_cap=100.0) as client:
            await (await client.subscribe_trade(SYMBOLS, lambda _: None)).live()
            await stage.after(60)
            assert str(client.get_health_status().status) == "healthy"
            lines(stage)[0].abort()
            await stage.after(60)
            health = client.get_health_status()
            [reason] = health.reasons
            assert (str(health.status), reason.connection) == ("degraded", "upbit-1")
            assert "line down" in reason.text
            assert reason.text.endswith("carried by upbit-2")
            lines(stage)[0].abort()
            await stage.after(30)
            assert str(client.get_health_status().status) == "unhealthy"

    play(story, rate=20.0)


def test_a_line_that_gives_up_leaves_the_feed_to_its_sister() -> None:
    async def story(stage: Stage) -> None:
        heard: list[Event] = []
        async with stage.client(redundancy=2, max_retries=0) as client:
            handle = await client.subscribe_trade(SYMBOLS, heard.append)
            await handle.live()
            await stage.after(30)
            lines(stage)[0].abort()
            await stage.after(30)
            [stopped] = stage.told(Stopped)
            assert (stopped.connection, stopped.error) == ("upbit-1", True)
            count = len(heard)
            await client.subscribe_ticker("KRW-BTC", heard.append)
            await stage.after(30)
            assert len(heard) > count
            assert str(client.get_health_status().status) == "degraded"
            lines(stage)[0].abort()
            await stage.after(1)
            assert isinstance(handle.error, FeedError)
            assert str(client.get_health_status().status) == "unhealthy"
            assert client.statistics().connections == ()
            assert client.statistics().total_processed >= len(heard)
        assert missing(stage, heard) != []

    play(story, rate=20.0)


def test_what_is_silent_on_both_lines_is_stale_once_and_over_once() -> None:
    async def story(stage: Stage) -> None:
        options: dict[str, Any] = {"stale_after": 10.0, "stale_factor": 1.0, "stale_reconnect": None}
        async with stage.client(redundancy=2, **options) as client:
            await (await client.subscribe_trade("KRW-BTC", lambda _: None, "realtime_only")).live()
            await stage.after(60)
            stage.simulator.silence(30)
            await stage.after(90)
        told = stage.told(Stale)
        assert told
        assert [event.over for event in told] == [number % 2 == 1 for number in range(len(told))]
        assert len(told) % 2 == 0

    play(story, rate=40.0, markets=("KRW-BTC",))


def test_what_the_exchange_refuses_for_good_ends_once_and_that_subscription_only() -> None:
    async def story(stage: Stage) -> None:
        heard: list[Event] = []
        async with stage.client(redundancy=2, validate=False) as client:
            await (await client.subscribe_trade(SYMBOLS, heard.append)).live()
            await stage.after(10)
            bad = await client.subscribe_orderbook("KRW-BTC", print, level=7)
            await stage.after(0.2)
            stage.simulator.inject(b'{"error":{"name":"WRONG_FORMAT","message":"level?"}}')
            with pytest.raises(RejectedError, match="level"):
                await bad.live()
            assert bad.symbols == []
            await stage.after(60)
            assert len(lines(stage)) == 2
        sound(stage, heard)
        final = [event for event in stage.told(Rejected) if event.final]
        assert {event.subscriptions for event in final} == {(Subscription("orderbook", "KRW-BTC", level=7),)}

    play(story, rate=12.0)


def test_a_callback_that_raises_is_counted_once_for_each_message() -> None:
    async def story(stage: Stage) -> None:
        def fails(_event: Event) -> None:
            raise ValueError("mine")

        heard: list[Event] = []
        async with stage.client(redundancy=2) as client:
            await client.subscribe_trade("KRW-BTC", fails)
            await client.subscribe_trade("KRW-BTC", heard.append)
            await stage.after(30)
            assert client.statistics().callback_errors == len(heard) > 3
        assert {event.connection for event in stage.told(CallbackFailed)} == {"upbit-1+upbit-2"}

    play(story, rate=12.0)


def test_a_full_mailbox_holds_both_lines() -> None:
    async def story(stage: Stage) -> None:
        slow: list[Event] = []

        async def hear(event: Event) -> None:
            slow.append(event)
            await stage.simulator.reached(stage.simulator.now + 2)

        async with stage.client(redundancy=2) as client:
            mailbox = MailboxOptions(size=2, rule="block")
            await (await client.subscribe_trade(SYMBOLS, hear, mailbox=mailbox)).live()
            await stage.after(120)
            assert client.statistics().dropped == 0
        assert doubled(slow) == []
        assert stage.told(Disconnected)[2:] == [], "of lines that are not read nobody is behind: both end at the end"

    play(story, rate=12.0)


def test_private_and_public_sides_take_one_and_two_lines() -> None:
    async def story(stage: Stage) -> None:
        [key] = stage.simulator.keys
        async with stage.client(redundancy=2, access_key=key.access_key, secret_key=key.secret_key) as client:
            await client.subscribe_my_order(lambda _: None)
            await (await client.subscribe_trade(SYMBOLS, lambda _: None)).live()
            await stage.after(10)
            names = Counter(event.connection.rpartition("-")[0] for event in stage.told(Connected))
        assert names == {"upbit": 2, "upbit-private": 1}

    play(story)


def test_each_line_has_its_own_address_and_options() -> None:
    async def story(stage: Stage) -> None:
        urls = ("ws://one.test/websocket/v1", "ws://two.test/websocket/v1")
        async with stage.client(redundancy=2, urls=urls) as client:
            await (await client.subscribe_trade(SYMBOLS, lambda _: None)).live()
            await stage.after(5)
            assert client.options.url == urls[0]
        assert sorted({event.url for event in stage.told(Connecting)}) == sorted(urls)
        assert {event.connection for event in stage.told(Subscribed)} == {"upbit-1", "upbit-2"}

    play(story)


def test_streams_that_leave_and_come_back_are_counted_once_and_both_lines_close() -> None:
    async def story(stage: Stage) -> None:
        heard: list[Event] = []
        async with stage.client(redundancy=2) as client:
            for _ in range(3):
                handle = await client.subscribe_trade("KRW-BTC", heard.append)
                await handle.live()
                await stage.after(20)
                await handle.unsubscribe()
                await stage.after(5)
            assert lines(stage) == []
            await (await client.subscribe_trade("KRW-BTC", heard.append)).live()
            await stage.after(20)
            client._pool.kill()
            assert client.statistics().connections == ()
        assert all(isinstance(event, TradeEvent) for event in heard)
        assert doubled(heard) == []

    play(story, rate=20.0)


def test_where_neither_line_can_be_had_rest_is_asked_until_the_first_is_back() -> None:
    async def story(stage: Stage) -> None:
        heard: list[Event] = []
        async with stage.client(redundancy=2, recover=True, poll_after=10.0) as client:
            await client.subscribe_trade(SYMBOLS, heard.append)
            await client.subscribe_ticker(SYMBOLS, heard.append)
            await stage.after(130)
            assert client.statistics().polled == sum(event.polled for event in heard) > 0
            assert len(lines(stage)) == 2
        sound(stage, heard)
        told = [event for event in stage.told(Polling) if not event.error]
        assert {event.connection for event in told} == {"upbit-1+upbit-2"}
        assert [event.over for event in told] == [False, True]

    play(story, rate=20.0, faults=("abort@40", "refuse:503:retry=12@40x10"))


def test_one_line_that_cannot_be_had_is_no_reason_to_poll() -> None:
    async def story(stage: Stage) -> None:
        async with stage.client(redundancy=2, poll_after=10.0) as client:
            await (await client.subscribe_trade(SYMBOLS, lambda _: None)).live()
            await stage.after(40)
            stage.simulator.refuse(503, times=1_000)
            lines(stage)[1].abort()
            await stage.after(60)
            assert client.statistics().polled == 0
        assert stage.told(Polling) == []

    play(story, rate=20.0)


async def test_over_sockets_each_line_comes_from_its_own_address(monkeypatch: pytest.MonkeyPatch) -> None:
    callers: list[str] = []
    dial = Exchange.dial

    def noting(exchange: Exchange, now: float, path: str, headers: Any, address: str = "") -> Any:
        callers.append(address)
        return dial(exchange, now, path, headers, address)

    monkeypatch.setattr(Exchange, "dial", noting)
    async with Simulator(Scenario(markets=("KRW-BTC",), rate=200.0)) as simulator:
        both = (LineOptions(), LineOptions(local_address="127.0.0.2"))
        async with WebSocketClient(
            "me", url=simulator.url, redundancy=2, lines=both, manager=WebSocketManager(real_ports)
        ) as client:
            stream = client.trades("KRW-BTC")
            seen = Counter([(await anext(stream)).sequential_id for _ in range(40)])
            while any(not line.messages.get("trade") for line in client.statistics().connections):
                seen[(await anext(stream)).sequential_id] += 1
            await stream.aclose()
    assert callers == ["127.0.0.1", "127.0.0.2"]
    assert set(seen.values()) == {1}


@pytest.mark.parametrize("venue", ["okx", "okex3"])
def test_on_other_exchanges_too_with_books_that_are_kept_from_changes(venue: str) -> None:
    async def story(stage: Stage) -> None:
        heard: list[Event] = []
        books: list[Event] = []
        async with stage.client(venue=venue, redundancy=2, recover=True) as client:
            await (await client.subscribe_trade("BTC-USDT", heard.append)).live()
            await client.subscribe_orderbook("BTC-USDT", books.append)
            await stage.after(20)
            for which in (0, 1):
                lines(stage)[which].abort()
                await stage.after(20)
            lines(stage)[0].freeze()
            await stage.after(30)
            figures = client.statistics()
        made = [trade.sequential_id for trade in stage.simulator.trades if trade.symbol == "BTC-USDT"]
        got = [trade.sequential_id for trade in trades(heard)]
        begun = next(index for index, number in enumerate(made) if number in got)
        assert set(made[begun:]) <= set(got)
        assert len(set(got)) == len(got) > 50
        assert (figures.gaps, figures.recovered, stage.told(Gap)) == (0, 0, [])
        assert [event.loss.cause for event in stage.told(Disconnected)][:3] == ["reset", "reset", "lagging"]
        times = [event.timestamp or 0 for event in books]
        assert times == sorted(times)
        assert len(times) > 100
        assert [event.stream_type for event in books].count("SNAPSHOT") <= 1

    play(story, venue=venue, markets=("BTC-USDT", "ETH-USDT"), rate=20.0)
