"""The traps of the v6 guide (requirements S3-63 to S3-77): what did not work there works here."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

import msgspec
import pytest

from tapewire import DataProcessor, SubscriptionError, WebSocketClient, get_global_websocket_manager, profile
from tapewire.config import LineOptions
from tapewire.model.events import CandleEvent, Event, TickerEvent
from tapewire.model.status import Connected, Disconnected
from tapewire.runtime.manager import share_manager
from tapewire.sim.scenario import DEMO_KEY
from tapewire.transport.contract import Line
from tests.client.stage import Stage, play

KEY: dict[str, Any] = {"access_key": DEMO_KEY.access_key, "secret_key": DEMO_KEY.secret_key}


def test_the_first_subscription_connects_and_nothing_is_to_be_started() -> None:
    """S3-63."""

    async def story(stage: Stage) -> None:
        heard: list[Event] = []
        client = stage.client()
        await client.subscribe_ticker("KRW-BTC", heard.append)
        await stage.after(3)
        assert (stage.simulator.connected, len(heard) > 0) == (1, True)

    play(story)


def test_the_connection_is_watched_and_comes_back_by_itself() -> None:
    """S3-64."""

    async def story(stage: Stage) -> None:
        heard: list[Event] = []
        async with stage.client(ping_interval=30.0) as client:
            await client.subscribe_ticker("KRW-BTC", heard.append)
            await stage.after(65)
            stage.simulator.abort()
            await stage.after(10)
            before = len(heard)
            await stage.after(60)
            assert len(heard) > before
        assert [event.reconnect for event in stage.told(Connected)] == [0, 1]

    play(story)


def test_health_follows_the_socket() -> None:
    """S3-65."""

    async def story(stage: Stage) -> None:
        share_manager(stage.manager)
        async with stage.client() as client:
            await (await client.subscribe_ticker("KRW-BTC", lambda _event: None)).live()
            await stage.after(10)
            manager = await get_global_websocket_manager()
            well = manager.get_health_status()
            assert (well.status, well.uptime_seconds >= 10) == ("healthy", True)
            assert client.is_connected
            stage.simulator.maintenance(600)
            stage.simulator.abort()
            await stage.after(120)
            ill = manager.get_health_status()
            assert (ill.status, bool(ill.reasons), client.is_connected) == ("unhealthy", True, False)
            assert client.uptime_seconds > 120

    play(story)


def test_stop_closes_every_connection() -> None:
    """S3-66."""

    async def story(stage: Stage) -> None:
        share_manager(stage.manager)
        clients = [stage.client(name) for name in ("one", "two")]
        for depth, client in enumerate(clients):
            await (await client.subscribe_orderbook("KRW-BTC", lambda _event: None, depth=(5, 15)[depth])).live()
        assert stage.simulator.connected == 2
        manager = await get_global_websocket_manager()
        await manager.stop()
        assert (stage.simulator.connected, manager.get_state()) == (0, "idle")
        assert [client.is_active for client in clients] == [False, False]

    play(story)


def test_each_failed_attempt_waits_longer() -> None:
    """S3-67."""

    async def story(stage: Stage) -> None:
        async with stage.client(jitter=False, validate=False) as client:
            stage.simulator.refuse(503, times=5)
            await client.subscribe_ticker("KRW-BTC", lambda _event: None)
            await stage.after(60)
        assert [event.retry_in for event in stage.told(Disconnected)][:5] == [1.0, 2.0, 4.0, 8.0, 16.0]

    play(story)


def test_first_data_comes_in_time_and_close_requests_are_one() -> None:
    """S3-68, S3-62: first data within 3 s, five requests merged into one."""

    async def story(stage: Stage) -> None:
        came: list[float] = []
        began = stage.loop.time()
        clients = [stage.client(f"widget {number}") for number in range(5)]
        for client in clients:
            await client.subscribe_ticker("KRW-BTC", lambda _event: came.append(stage.loop.time() - began))
            await asyncio.sleep(0)
        await stage.after(3)
        assert came[0] < 1.0
        assert len(stage.simulator.requests) == 1
        await asyncio.gather(*(client.cleanup() for client in clients))

    play(story)


def test_a_snapshot_of_a_live_symbol_is_asked_and_heard_by_who_asked() -> None:
    """S3-69."""

    async def story(stage: Stage) -> None:
        running: list[TickerEvent] = []
        asked: list[TickerEvent] = []
        async with stage.client("one") as one, stage.client("two") as two:
            await (await one.subscribe_ticker("KRW-BTC", running.append, "realtime_only")).live()
            await stage.after(5)
            await two.subscribe_ticker("KRW-BTC", asked.append, stream_preference="snapshot_only")
            await stage.after(5)
            assert [event.stream_type for event in asked] == ["SNAPSHOT"]
            assert {event.stream_type for event in running} == {"REALTIME"}

    play(story)


@pytest.mark.parametrize("leave", ["cleanup", "drop"])
def test_who_leaves_is_unsubscribed_on_the_wire(leave: str) -> None:
    """S3-70."""

    async def story(stage: Stage) -> None:
        async with stage.client("stays") as stays:
            await stays.subscribe_ticker("KRW-BTC", lambda _event: None)
            goes: WebSocketClient | None = stage.client("goes")
            assert goes is not None
            await (await goes.subscribe_ticker("KRW-ETH", lambda _event: None)).live()
            if leave == "cleanup":
                await goes.cleanup()
            del goes
            await stage.after(2)
            assert stage.asked()[-1] == {"ticker KRW-BTC": "realtime"}

    play(story)


def test_total_processed_is_there_before_and_after_the_first_message() -> None:
    """S3-71."""

    async def story(stage: Stage) -> None:
        share_manager(stage.manager)
        manager = await get_global_websocket_manager()
        assert manager.get_all_connection_metrics()["total_processed"] == 0
        heard: list[Event] = []
        async with stage.client() as client:
            await client.subscribe_ticker("KRW-BTC", heard.append)
            await stage.after(10)
            assert manager.get_all_connection_metrics()["total_processed"] == len(heard) > 0

    play(story)


def test_the_settings_of_the_line_reach_it() -> None:
    """S3-72; on the wire: tests/transport/test_handshake.py, test_conformance.py."""

    given: list[LineOptions] = []

    async def story(stage: Stage) -> None:
        make = stage.simulator.lines()

        def line(options: LineOptions, wall_ns: Callable[[], int]) -> Line:
            given.append(options)
            return make(options, wall_ns)

        settings: dict[str, Any] = {"compression": "deflate", "connect_timeout": 3.0, "max_message": 50_000}
        async with WebSocketClient(line_factory=line, http=stage.simulator.http(), **settings) as client:
            await (await client.subscribe_ticker("KRW-BTC", lambda _event: None)).live()

    play(story)
    assert [(one.compression, one.connect_timeout, one.max_message) for one in given] == [("deflate", 3.0, 50_000)]


def test_a_private_stream_may_be_silent_for_hours() -> None:
    """S3-73."""

    async def story(stage: Stage) -> None:
        async with stage.client(**KEY) as client:
            await (await client.subscribe_my_order(lambda _event: None)).live()
            await stage.after(3 * 3600)
            assert client.get_health_status().status == "healthy"
            assert len(stage.told(Connected)) == 1

    play(story, rate=0.01)


def test_the_processor_and_its_queues_work_without_a_start() -> None:
    """S3-74; every rule: tests/hub/test_mailbox.py, tests/client/test_processor.py."""
    processor, heard = DataProcessor(), list[Event]()
    processor.register_callback("ticker", heard.append)
    assert processor.route_event(TickerEvent(venue="upbit", symbol="KRW-BTC", received_ns=1))
    assert len(heard) == 1


def test_each_candle_unit_is_a_stream_of_its_own_and_an_unknown_one_is_refused() -> None:
    """S3-75."""

    async def story(stage: Stage) -> None:
        seconds: list[CandleEvent] = []
        minutes: list[CandleEvent] = []
        async with stage.client() as client:
            await client.subscribe_candle("KRW-BTC", seconds.append, unit="1s")
            await client.subscribe_candle("KRW-BTC", minutes.append, unit="3m")
            await stage.after(20)
            assert ({event.unit for event in seconds}, {event.unit for event in minutes}) == ({"1s"}, {"3m"})
            with pytest.raises(SubscriptionError, match="unit is '2m'"):
                await client.subscribe_candle("KRW-BTC", seconds.append, unit="2m")

    play(story)


@pytest.mark.parametrize(("name", "interval"), [("development", 60.0), ("production", 30.0)])
def test_the_heartbeat_of_a_profile_is_the_one_that_is_kept(name: str, interval: float) -> None:
    """S3-76."""

    async def story(stage: Stage) -> None:
        async with stage.client(options=profile(name)) as client:
            await (await client.subscribe_ticker("KRW-BTC", lambda _event: None)).live()
            await stage.after(200)
        assert client.options.session.ping_interval == interval

    play(story)


def test_tickets_are_fresh_and_any_address_will_do() -> None:
    """S3-77; uuid4 in life: tests/docs/test_shown.py."""

    async def story(stage: Stage) -> None:
        async with stage.client() as client:
            handle = await client.subscribe_ticker("KRW-BTC", lambda _event: None)
            await handle.live()
            await handle.add("KRW-ETH")
            await stage.after(2)
        tickets = [msgspec.json.decode(sent.payload)[0]["ticket"] for sent in stage.simulator.requests]
        assert len(tickets) == len(set(tickets)) == 2

    play(story)
    assert WebSocketClient("local", url="ws://127.0.0.1:9001/websocket/v1").options.url is not None
