"""The figures of connections and of the manager, in stories with the simulated exchange."""

from __future__ import annotations

import msgspec
import pytest

from tapewire import ConnectionState, PerformanceMetrics, format_statistics
from tapewire.config import SessionOptions
from tapewire.errors import UsageError
from tapewire.model.events import Event
from tapewire.model.subscription import Subscription
from tests.client.stage import Stage, play

STEADY = SessionOptions(jitter=False)


def test_trades_that_came_twice_are_counted_those_of_streams_given_up_too() -> None:
    async def story(stage: Stage) -> None:
        heard: list[Event] = []
        async with stage.client() as client:
            handle = await client.subscribe_trade("KRW-BTC", heard.append, stream_preference="realtime_only")
            await stage.after(20)
            heard_twice = client.statistics().doubled
            assert 0 < heard_twice <= len(heard)
            await handle.unsubscribe()
            await stage.after(5)
            assert client.statistics().doubled >= heard_twice

    play(story, faults=("duplicate",))


def test_the_guides_metrics_have_the_total_over_all() -> None:
    async def story(stage: Stage) -> None:
        heard: list[Event] = []
        async with stage.client() as client:
            await client.subscribe_trade(["KRW-BTC", "KRW-ETH"], heard.append)
            await client.subscribe_ticker("KRW-BTC", heard.append)
            await stage.after(20)
            metrics = stage.manager.get_all_connection_metrics()
            assert metrics["total_processed"] == len(heard)
            [one] = metrics["connections"].values()
            assert sum(one.messages.values()) == one.messages_received == len(heard)
            assert one.messages.keys() == {"trade", "ticker"}
            assert sum(one.streams.values()) == sum(one.symbols.values()) == len(heard)
            assert one.streams.keys() == {"trade KRW-BTC", "trade KRW-ETH", "ticker KRW-BTC"}
            assert one.symbols.keys() == {"KRW-BTC", "KRW-ETH"}
            assert (one.connects, one.reconnects, one.errors, one.subscriptions, one.pending) == (1, 0, 0, 3, 0)
            assert (one.side, one.state, one.health_score) == ("public", "active", 1.0)
            assert (one.bytes_received, one.bytes_sent) == (None, None), "no socket"
            assert one.latency_ms is not None
            assert one.handling_ms is not None
            assert one.clock_offset_ms == pytest.approx(0, abs=1.1), "the exchange stamps whole milliseconds"
            assert one.messages_per_second == pytest.approx(len(heard) / 20, rel=0.5)
            assert one.last_message_time_ns == one.last_data_ns
            assert one.last_data_ns is not None
            assert 0 <= stage.loop.wall_ns() - one.last_data_ns < 1.1e9
            assert msgspec.json.decode(msgspec.json.encode(metrics))["total_processed"] == len(heard)
        assert stage.manager.get_all_connection_metrics()["total_processed"] == len(heard), "also after the end"
        assert stage.manager.get_all_connection_metrics()["connections"] == {}

    play(story, rate=20.0)


def test_a_connection_goes_through_the_guides_states() -> None:
    async def story(stage: Stage) -> None:
        manager = stage.manager
        assert manager.get_connection_state("public") == ConnectionState.DISCONNECTED
        async with stage.client(session=STEADY) as client:
            states = []
            handle = await client.subscribe_trade("KRW-BTC", lambda _: None)
            client.subscribe_feed(lambda _: states.append(str(manager.get_connection_state("public"))))
            await handle.live()
            await stage.after(40)
            one = manager.get_connection_metrics("public")
            assert one.last_ping_sent_ns is not None
            assert one.last_pong_received_ns is not None
            assert one.messages_sent == 2
            assert one.uptime_seconds == pytest.approx(40, abs=1.5)
            stage.simulator.abort()
            await stage.after(0.5)
            down = manager.get_connection_metrics("upbit-1")
            assert (down.state, down.uptime_seconds, down.connected_at_ns) == ("reconnecting", 0.0, None)
            assert (down.consecutive_errors, down.errors, down.health_score) == (1, 1, 0.0)
            assert down.retry_in == pytest.approx(0.5, abs=0.1)
            assert down.last_error is not None
            assert down.last_error.startswith("reset")
            await stage.after(5)
            back = manager.get_connection_metrics("upbit-1")
            assert (back.state, back.total_reconnects, back.health_score) == ("active", 1, 0.9)
            assert "Reconnections  1" in format_statistics(back)
        assert list(dict.fromkeys(states)) == ["connecting", "connected", "active", "reconnecting", "disconnected"]

    play(story, rate=20.0)


def test_a_connection_that_waits_for_confirmation_is_subscribing() -> None:
    async def story(stage: Stage) -> None:
        async with stage.client(session=SessionOptions(quiet_time=5.0)) as client:
            await client.subscribe_trade(["KRW-BTC", "KRW-ETH"], lambda _: None, "realtime_only")
            await stage.after(1)
            one = stage.manager.get_connection_metrics("public")
            assert (one.state, one.pending) == ("subscribing", 2)
            await stage.after(10)
            assert stage.manager.get_connection_state("public") == "active"

    play(story, faults=("silence@0.01/0.05",), rate=0.1)


def test_an_unknown_connection_is_told_with_those_there_are() -> None:
    async def story(stage: Stage) -> None:
        with pytest.raises(UsageError, match=r"no connection is called 'private'.*none is there yet"):
            stage.manager.get_connection_metrics("private")
        async with stage.client() as client:
            await client.subscribe_trade("KRW-BTC", lambda _: None)
            with pytest.raises(UsageError, match=r"no connection is called 'upbit-9'; .*\(upbit-1\)"):
                stage.manager.get_connection_state("upbit-9")

    play(story)


def test_connections_of_different_options_have_names_of_their_own() -> None:
    async def story(stage: Stage) -> None:
        async with stage.client("one") as one, stage.client("two", format="SIMPLE") as two:
            await one.subscribe_trade("KRW-BTC", lambda _: None)
            await two.subscribe_trade("KRW-BTC", lambda _: None)
            await stage.after(3)
            metrics = stage.manager.get_all_connection_metrics()
            assert metrics["connections"].keys() == {"upbit-1", "upbit-2"}
            assert metrics["total_processed"] == sum(
                sum(connection.messages.values()) for connection in metrics["connections"].values()
            )

    play(story)


def test_the_guides_summary() -> None:
    async def story(stage: Stage) -> PerformanceMetrics:
        async with stage.client("one") as one, stage.client("two") as two:
            await one.subscribe_trade("KRW-BTC", lambda _: None)
            await two.subscribe_trade("KRW-BTC", lambda _: None)
            await stage.after(20)
            return stage.manager.get_performance_metrics()

    summary = play(story, rate=20.0)
    assert (summary.active_connections, summary.total_components) == (1, 2)
    assert summary.messages_per_second > 1
    assert summary.memory_usage_mb > 10
    assert summary.cpu_usage_percent >= 0


def test_frames_of_other_sorts_are_counted_as_received() -> None:
    async def story(stage: Stage) -> None:
        async with stage.client() as client:
            await client.subscribe_trade("KRW-BTC", lambda _: None)
            await stage.after(10)
            one = stage.manager.get_connection_metrics("public")
            assert one.quarantined == 2
            assert one.messages_received - sum(one.messages.values()) == 2 + 1, "two of garbage, one sign of life"

    play(story, faults=("garbage@3/1x2", "status@6"))


def test_with_pings_as_text_their_answers_are_signs_of_life_too() -> None:
    async def story(stage: Stage) -> None:
        async with stage.client(session=SessionOptions(keep_alive="text")) as client:
            await client.subscribe_trade("KRW-BTC", lambda _: None)
            await stage.after(40)
            one = stage.manager.get_connection_metrics("public")
            assert one.last_ping_sent_ns is not None
            assert one.last_pong_received_ns is not None
            assert one.last_pong_received_ns >= one.last_ping_sent_ns

    play(story)


@pytest.mark.parametrize(("venue", "unit", "rare"), [("okx", "1m", [Subscription("status", "")]), ("okex3", "1m", [])])
def test_the_beginning_of_a_window_and_an_old_notice_are_no_latency(
    venue: str, unit: str, rare: list[Subscription]
) -> None:
    async def story(stage: Stage) -> None:
        async with stage.client(venue=venue) as client:
            wanted = [Subscription("candle", "BTC-USDT", unit="1m"), *rare]
            heard: list[Event] = []
            await (await client.subscribe(wanted, heard.append)).live()
            await stage.after(150)
            assert {event.kind for event in heard} == {stream.kind for stream in wanted}
            assert [event for event in heard if event.kind == "candle" and event.stream_type != "SNAPSHOT"]
            assert client.statistics().latency_ms is None
            await (await client.subscribe_trade("BTC-USDT", heard.append)).live()
            await stage.after(60)
            figures = client.statistics().latency_ms
            assert figures is not None
            assert figures.p99 < 1_000

    play(story, venue=venue, markets=("BTC-USDT",), rate=5)
