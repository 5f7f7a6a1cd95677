"""Drivers, pool and manager where whole conversations do not reach: faults of a line, holding, refusals, cutting."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor

import pytest

from tapewire import Subscription, WebSocketClient
from tapewire.client.lines import real_ports
from tapewire.config import FeedOptions, LineOptions, MailboxOptions
from tapewire.errors import ConfigError, FeedError, LineLost, Rejected, UsageError
from tapewire.model.events import Event
from tapewire.model.line import Handshake, Loss
from tapewire.model.status import Connected, Disconnected, FeedEvent
from tapewire.model.status import Rejected as RejectedEvent
from tapewire.runtime.manager import WebSocketManager, running_manager
from tapewire.sim.scenario import Scenario
from tapewire.sim.server import Simulator
from tapewire.testing.clock import run_virtual
from tapewire.transport.contract import Line, LineListener
from tapewire.venues.registry import get_venue
from tests.client.stage import Stage, play


class OddLine:
    """A line with a fault of its own; notes what is asked of it."""

    def __init__(self, kind: str, notes: list[object]) -> None:
        self.kind, self.notes = kind, notes
        self.listener: LineListener

    async def open(self, url: str, headers: Mapping[str, str], listener: LineListener) -> Handshake:
        self.listener = listener
        if self.kind == "broken":
            raise ZeroDivisionError("a fault of the line")
        if self.kind == "hasty":
            listener.on_lost(Loss("reset", 1006, "lost before it was said to be open"))
        if self.kind == "endless":
            await asyncio.get_running_loop().create_future()
        return Handshake(url)

    def send(self, payload: bytes, *, is_text: bool = True) -> None:
        self.notes.append(payload)
        if self.kind == "hasty":
            raise LineLost

    def ping(self, payload: bytes = b"") -> None:
        self.notes.append("ping")

    def hold(self, holding: bool) -> None:
        self.notes.append(holding)

    def close(self, loss: Loss, *, graceful: bool = True) -> None:
        self.notes.append((loss.cause, graceful))
        if self.kind != "deaf":
            self.listener.on_lost(loss)


def odd(*kinds: str) -> tuple[Callable[[LineOptions, Callable[[], int]], Line], list[object]]:
    """A factory of odd lines, one kind after another, the last for ever; and the notes of all."""
    left, notes = list(kinds), []  # type: list[str], list[object]

    def make(_options: LineOptions, _wall_ns: Callable[[], int]) -> Line:
        return OddLine(left.pop(0) if len(left) > 1 else left[0], notes)

    return make, notes


def held(notes: list[object]) -> bool:
    """Whether the line was last told to hold."""
    return [note for note in notes if isinstance(note, bool)][-1]


async def odd_client(stage: Stage, *kinds: str) -> tuple[WebSocketClient, list[object], list[FeedEvent]]:
    make, notes = odd(*kinds)
    feed: list[FeedEvent] = []
    client = WebSocketClient("odd", line_factory=make, http=stage.simulator.http())
    client.subscribe_feed(feed.append)
    return client, notes, feed


def test_a_fault_of_the_line_itself_ends_loudly(caplog: pytest.LogCaptureFixture) -> None:
    async def story(stage: Stage) -> None:
        client, _, _ = await odd_client(stage, "broken")
        handle = await client.subscribe_ticker("KRW-BTC", print)
        with pytest.raises(FeedError, match=r"internal error: ZeroDivisionError\('a fault of the line'\)"):
            await handle.live()
        assert isinstance(handle.error, FeedError)
        assert client.statistics().connections == ()
        await client.cleanup()

    play(story)
    record, stopped = [record for record in caplog.records if record.levelname == "ERROR"]
    assert record.getMessage() == "upbit-1: internal error"
    assert record.exc_info is not None
    assert stopped.getMessage().startswith("upbit-1: stopped: internal error: ZeroDivisionError")


def test_an_option_that_no_line_can_be_made_with_ends_with_its_own_error() -> None:
    def make(_options: LineOptions, _wall_ns: Callable[[], int]) -> Line:
        raise ConfigError("transport", "websockets", "one that is installed")

    async def story(stage: Stage) -> None:
        feed: list[FeedEvent] = []
        async with WebSocketClient("odd", line_factory=make, http=stage.simulator.http()) as client:
            client.subscribe_feed(feed.append)
            handle = await client.subscribe_ticker("KRW-BTC", print)
            with pytest.raises(ConfigError, match="one that is installed"):
                await handle.live()
            assert isinstance(handle.error, ConfigError)
        assert [type(event).__name__ for event in feed] == ["Connecting", "Stopped"]

    play(story)


def test_a_dial_that_somebody_else_cancels_is_a_dial_that_failed() -> None:
    """Programs that end cancel every task they find, and some of them go on after all."""

    async def story(stage: Stage) -> None:
        client, _, feed = await odd_client(stage, "endless", "good")
        handle = await client.subscribe_ticker("KRW-BTC", print)
        await stage.after(1)
        [dial] = [task for task in asyncio.all_tasks() if task.get_name().startswith("dial")]
        dial.cancel()
        await handle.live(60)
        [lost] = [event for event in feed if isinstance(event, Disconnected)]
        assert (lost.loss.cause, lost.loss.reason) == ("unreachable", "the dial was cancelled")
        await client.cleanup()

    play(story)


def test_a_fault_while_dialling_leaves_no_line_behind() -> None:
    async def story(stage: Stage) -> None:
        client, _, _ = await odd_client(stage, "endless")
        await client.subscribe_ticker("KRW-BTC", print)
        await stage.after(1)
        [driver] = client._pool.drivers
        driver.line_at_fault(ZeroDivisionError("ours"))
        await stage.turns()
        assert [task for task in asyncio.all_tasks() if task.get_name().startswith("dial")] == []
        await client.cleanup()

    play(story)


def test_a_line_lost_before_it_was_said_to_be_open_is_a_loss() -> None:
    async def story(stage: Stage) -> None:
        client, _, feed = await odd_client(stage, "hasty", "good")
        handle = await client.subscribe_ticker("KRW-BTC", print)
        await handle.live(60)
        names = [type(event).__name__ for event in feed]
        assert names == ["Connecting", "Connected", "Disconnected", "Connecting", "Connected", "Subscribed"]
        await client.cleanup()

    play(story)


def test_a_dial_that_hangs_is_cut_off_when_nobody_wants_it() -> None:
    async def story(stage: Stage) -> None:
        client, _, feed = await odd_client(stage, "endless")
        handle = await client.subscribe_ticker("KRW-BTC", print)
        await stage.after(1)
        assert client.statistics().connections[0].state == "connecting"
        await handle.unsubscribe()
        await stage.after(1)
        assert client.statistics().connections[0].state == "idle"
        await client.subscribe_ticker("KRW-BTC", print)
        await stage.after(1)
        await client.cleanup()
        assert [type(event).__name__ for event in feed] == [
            "Connecting", "Disconnected", "Connecting", "Disconnected", "Stopped",
        ]  # fmt: skip

    play(story)


def test_a_line_that_does_not_close_is_cut_in_time() -> None:
    async def story(stage: Stage) -> None:
        client, notes, _ = await odd_client(stage, "deaf")
        await (await client.subscribe_ticker("KRW-BTC", print)).live()
        began = stage.loop.time()
        await client.cleanup()
        assert stage.loop.time() - began < 5
        assert notes[-2:] == [("stopped", True), ("stopped", False)]
        assert client.statistics().connections == ()

    play(story)


def test_two_who_hold_a_line_must_both_let_go_and_a_new_line_is_held_too() -> None:
    async def story(stage: Stage) -> None:
        client, notes, feed = await odd_client(stage, "good")

        async def stuck(_event: Event) -> None:
            await asyncio.get_running_loop().create_future()

        full = MailboxOptions(size=1, rule="block")
        one = await client.subscribe_trade("KRW-BTC", stuck, mailbox=full)
        two = await client.subscribe_trade("KRW-BTC", stuck, mailbox=full)
        await one.live()
        [driver] = client._pool.drivers
        frame = b'{"type":"trade","code":"KRW-BTC","sequential_id":%d,"stream_type":"REALTIME"}'
        for number in range(3):
            driver.dispatch.on_message()(frame % number, False, 0)
            await stage.turns()
        assert held(notes)
        line = driver.line._line
        assert isinstance(line, OddLine)
        notes.clear()
        line.listener.on_lost(Loss("reset"))
        await stage.after(5)
        assert len([event for event in feed if isinstance(event, Connected)]) == 2
        assert held(notes), "the new line too"
        await one.unsubscribe()
        assert held(notes)
        await two.unsubscribe()
        assert not held(notes)
        await client.cleanup()

    play(story)


def test_what_the_exchange_refuses_for_good_ends_that_subscription_only() -> None:
    async def story(stage: Stage) -> None:
        heard: list[Event] = []
        async with stage.client(validate=False) as client:
            good = await client.subscribe_ticker(["KRW-BTC", "KRW-ETH"], heard.append)
            await good.live()
            bad = await client.subscribe_orderbook("KRW-BTC", print, level=7)
            await stage.after(0.2)
            stage.simulator.inject(b'{"error":{"name":"WRONG_FORMAT","message":"level?"}}')
            with pytest.raises(Rejected, match=r"upbit refused: WRONG_FORMAT: level\?"):
                await bad.live()
            assert bad.error is bad.rejected["KRW-BTC"]
            assert bad.symbols == []
            known = len(heard)
            await stage.after(120)
            assert len(heard) > known + 10
            assert stage.asked()[-1] == {"ticker KRW-BTC": "realtime", "ticker KRW-ETH": "realtime"}
        final = [event for event in stage.told(RejectedEvent) if event.final]
        assert [event.subscriptions for event in final] == [(Subscription("orderbook", "KRW-BTC", level=7),)]

    play(story)


def test_cutting_everything_leaves_no_task_and_no_timer() -> None:
    async def story(stage: Stage) -> None:
        client = stage.client()
        await (await client.subscribe_ticker("KRW-BTC", lambda _event: None)).live()
        two = stage.client("two", format="SIMPLE")
        await two.subscribe_ticker("KRW-BTC", lambda _event: None)
        await stage.turns()
        before = len(stage.feed)
        stage.manager.kill()
        await stage.after(300)
        assert stage.simulator.connected == 0
        assert len(asyncio.all_tasks()) == 1
        assert stage.feed[before:] == []
        await client.cleanup()
        await two.cleanup()

    play(story)


def test_other_options_mean_another_connection() -> None:
    async def story(stage: Stage) -> None:
        simple: list[Event] = []
        full: list[Event] = []
        async with stage.client("one") as one, stage.client("two", format="SIMPLE") as two:
            await one.subscribe_trade("KRW-BTC", full.append)
            await two.subscribe_trade("KRW-BTC", simple.append)
            await stage.after(20)
            assert len(stage.simulator.connects) == 2
        assert len(full) > 3
        for event in simple + full:
            event.received_ns = 0
        assert simple == full, "SIMPLE and DEFAULT are equal events"

    play(story)


def test_five_connects_a_second_are_kept_over_all_connections() -> None:
    """P5: depths and options that need twelve connections; the simulator counts."""

    async def story(stage: Stage) -> None:
        async with stage.client("one") as one, stage.client("two", format="SIMPLE") as two:
            for client in (one, two):
                for depth in (1, 5, 15, 30):
                    await client.subscribe_orderbook("KRW-BTC", lambda _event: None, depth=depth)
            await stage.after(10)
            assert len(stage.simulator.connects) == 8
            for _ in range(5):
                stage.simulator.drop()
                await stage.after(8)
        assert len(stage.told(Disconnected)) > 40
        assert stage.simulator.violations == []

    play(story)


async def test_all_clients_of_a_loop_share_one_manager() -> None:
    mine = running_manager(real_ports)
    assert running_manager(real_ports) is mine
    async with WebSocketClient() as client:
        assert client._component.manager is mine
    await mine.drained()


def test_the_manager_of_a_closed_loop_is_forgotten() -> None:
    async def own() -> WebSocketManager:
        return running_manager(real_ports)

    assert run_virtual(own()) is not run_virtual(own())


def test_two_loops_in_two_threads_have_connections_of_their_own() -> None:
    async def use() -> tuple[WebSocketManager, int]:
        mine = running_manager(real_ports)
        async with Simulator(Scenario(markets=("KRW-BTC",))) as simulator, WebSocketClient(url=simulator.url) as client:
            async for event in client.tickers("KRW-BTC"):
                return mine, event.timestamp or 0
        raise AssertionError

    with ThreadPoolExecutor(2) as threads:
        found = list(threads.map(lambda _: asyncio.run(use()), range(4)))
    assert len({id(manager) for manager, _ in found}) == 4
    assert all(timestamp for _, timestamp in found)


def test_a_client_of_an_ended_loop_says_so() -> None:
    clients: list[WebSocketClient] = []

    async def first() -> None:
        clients.append(WebSocketClient(validate=False))
        clients[0].subscribe_feed(print)

    async def second() -> None:
        with pytest.raises(UsageError, match="belongs to another event loop"):
            await clients[0].subscribe_ticker("KRW-BTC", print)

    asyncio.run(first())
    asyncio.run(second())


def test_a_client_may_replace_only_one_of_its_ports() -> None:
    async def story() -> None:
        simulator = Simulator(Scenario(markets=("KRW-BTC",)))
        async with WebSocketClient(line_factory=simulator.lines(), validate=False) as client:
            assert (await anext(client.trades("KRW-BTC"))).symbol == "KRW-BTC"
        await simulator.stop()

    run_virtual(story())


@pytest.mark.parametrize("transport", ["picows", "websockets"])
async def test_the_transport_is_an_option(transport: str) -> None:
    line, http = real_ports(FeedOptions(transport=transport), lambda: 0)  # type: ignore[arg-type]
    assert transport in type(line(LineOptions(), lambda: 0)).__module__
    await http.close()


def test_programs_that_run_a_loop_after_the_other_share_the_limits_of_their_process() -> None:
    async def connect_gate() -> object:
        pool = running_manager(real_ports).pool(get_venue("upbit"), FeedOptions(url="ws://127.0.0.1:9/one/process"))
        return pool._limits.connects()

    assert asyncio.run(connect_gate()) is asyncio.run(connect_gate())
