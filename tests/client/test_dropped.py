"""Clients that nobody holds any more: their subscriptions go back, their tasks end, and nothing of them is left."""

from __future__ import annotations

import asyncio
import gc
import logging
import sys
import threading
import tracemalloc
import weakref
from collections import Counter
from collections.abc import Awaitable, Callable
from typing import Any

import pytest

from tapewire import WebSocketClient
from tapewire.client.callbacks import Callbacks
from tapewire.client.ear import MOST_OBJECTS, leads_to
from tapewire.errors import UsageError
from tapewire.model.events import Event
from tapewire.model.status import Disconnected, FeedEvent
from tapewire.sim.scenario import Scenario
from tapewire.sim.server import Simulator
from tapewire.testing.clock import VirtualTimeLoop, run_virtual
from tests.client.stage import Stage, play
from tests.sizes import figure, size


class Bot:
    """Owns a client, as programs do; its methods are the callbacks."""

    def __init__(self, client: WebSocketClient) -> None:
        self.client = client
        self.heard: list[Event] = []

    def hear(self, event: Event) -> None:
        self.heard.append(event)

    async def hear_later(self, event: Event) -> None:
        self.heard.append(event)

    def hear_feed(self, _event: FeedEvent) -> None:
        self.heard.clear()

    def closure(self) -> Callable[[Event], object]:
        client = self.client
        return lambda event: (client.name, event)

    def default(self) -> Callable[[Event], object]:
        def hear(event: Event, client: WebSocketClient = self.client) -> object:
            return client.name, event

        return hear


WAYS: dict[str, Callable[[Bot], Callable[[Any], Any]]] = {
    "a plain function": lambda _bot: lambda _event: None,
    "a method of the owner": lambda bot: bot.hear,
    "an async method of the owner": lambda bot: bot.hear_later,
    "a closure over the client": lambda bot: bot.closure(),
    "a default argument": lambda bot: bot.default(),
    "a method of the owner's list": lambda bot: bot.heard.append,
}


@pytest.mark.parametrize("way", WAYS)
def test_a_dropped_client_gives_everything_back(way: str, caplog: pytest.LogCaptureFixture) -> None:
    async def story(stage: Stage) -> None:
        bot = Bot(WebSocketClient("widget", manager=stage.manager, recover=False, poll_after=None))
        client, tasks = weakref.ref(bot.client), asyncio.all_tasks()
        bot.client.subscribe_feed(bot.hear_feed)
        handle = await bot.client.subscribe_ticker(["KRW-BTC", "KRW-ETH"], WAYS[way](bot))
        await handle.live()
        assert [one.name for one in stage.manager.components] == ["widget"]
        del bot
        gc.collect()
        assert client() is None
        await stage.after(1)
        assert stage.simulator.connected == 0
        assert not stage.manager.components
        assert stage.manager.get_state() == "idle"
        [pool] = stage.manager._pools.values()
        assert (pool.feed_listeners, pool._place, pool._ended, pool.drivers) == ([], {}, {}, [])
        assert asyncio.all_tasks() == tasks
        with pytest.raises(UsageError, match="widget: the client is gone; keep it as long as its subscriptions"):
            await handle.add("KRW-XRP")

    with caplog.at_level(logging.INFO):
        play(story, rate=50.0)
    assert [record.message for record in caplog.records if record.levelno > logging.INFO] == [
        "widget: its client was dropped without cleanup(): 2 subscriptions are given back"
    ]


def test_who_stays_hears_on_when_another_client_is_dropped() -> None:
    async def story(stage: Stage) -> None:
        heard: list[Event] = []
        async with stage.client("stays") as stays:
            await (await stays.subscribe_ticker("KRW-BTC", heard.append)).live()
            bot = Bot(stage.client("goes"))
            await (await bot.client.subscribe_trade("KRW-ETH", bot.hear)).live()
            del bot
            gc.collect()
            await stage.after(1)
            assert stage.asked()[-1] == {"ticker KRW-BTC": "realtime"}
            before = len(heard)
            await stage.after(20)
            assert len(heard) > before
            assert stage.told(Disconnected) == []

    play(story)


def test_an_iterator_keeps_its_client_until_it_is_dropped_itself() -> None:
    async def story(stage: Stage) -> None:
        stream = WebSocketClient("nameless", manager=stage.manager, recover=False, poll_after=None).trades("KRW-BTC")
        gc.collect()
        assert [(await anext(stream)).symbol for _ in range(3)] == ["KRW-BTC"] * 3
        del stream
        gc.collect()
        await stage.after(1)
        assert (stage.simulator.connected, stage.manager.components) == (0, ())

    play(story)


def test_two_clients_that_know_each_other_are_dropped_together() -> None:
    async def story(stage: Stage) -> None:
        one, two = Bot(stage.client("one")), Bot(stage.client("two"))
        await one.client.subscribe_ticker("KRW-BTC", two.hear)
        await two.client.subscribe_ticker("KRW-BTC", one.hear)
        await stage.after(1)
        gone = weakref.ref(one), weakref.ref(two)
        del one, two
        gc.collect()
        await stage.after(1)
        assert [find() for find in gone] == [None, None]
        assert stage.simulator.connected == 0

    play(story)


def test_what_a_dropped_clients_callback_did_not_work_off_is_counted() -> None:
    async def story(stage: Stage) -> None:
        bot = Bot(stage.client("slow"))
        await bot.client.subscribe_trade("KRW-BTC", bot.hear_later)
        await stage.after(5)
        component = bot.client._component
        [mailman] = component.mailmen.values()
        mailman.mailbox.put(bot.heard[0])  # before its task can run
        del bot
        gc.collect()
        await stage.after(2)
        assert mailman.task.done()
        figures = mailman.mailbox.statistics()
        assert (figures.put, figures.taken + figures.dropped, figures.dropped) == (figures.put, figures.put, 1)
        assert component._dropped == 1

    play(story)


def test_the_collector_may_come_in_another_thread() -> None:
    async def story(stage: Stage) -> None:
        bots = [Bot(stage.client("widget"))]
        await (await bots[0].client.subscribe_ticker("KRW-BTC", bots[0].hear)).live()

        def drop() -> None:
            bots.clear()
            gc.collect()

        collector = threading.Thread(target=drop)
        collector.start()
        collector.join()
        await stage.after(1)
        assert stage.simulator.connected == 0

    play(story)


@pytest.mark.parametrize("way", WAYS)
def test_after_the_end_of_the_loop_nothing_is_said(way: str, caplog: pytest.LogCaptureFixture) -> None:
    left: list[Bot] = []

    async def story(stage: Stage) -> None:
        left.append(Bot(stage.client("widget")))
        await (await left[0].client.subscribe_ticker("KRW-BTC", WAYS[way](left[0]))).live()

    play(story)
    left.clear()
    gc.collect()
    assert [record.message for record in caplog.records if record.levelno > logging.WARNING] == []


def test_a_callback_that_leads_to_no_client_is_called_by_the_feed_itself() -> None:
    """No wrapper: what the short road calls is the user's own function."""

    async def story(stage: Stage) -> None:
        heard: list[Event] = []

        def hear(event: Event) -> None:
            heard.append(event)

        async with stage.client() as client:
            await client.subscribe_ticker("KRW-BTC", hear)
            await stage.after(10)
            [pool] = stage.manager._pools.values()
            [stream] = pool.drivers[0].router.streams.values()
            assert stream.deliver is hear
            assert pool.drivers[0].router.is_hot(stream)

    play(story)


class Closer(Bot):
    """Closes its client itself, and says so."""

    closes_client = True


@pytest.mark.parametrize(("kind", "itself"), [(Closer, True), (Bot, False)])
def test_who_closes_the_client_itself_is_called_by_the_feed_itself(kind: type[Bot], *, itself: bool) -> None:
    async def story(stage: Stage) -> None:
        async with stage.client() as client:
            bot = kind(client)
            await client.subscribe_ticker("KRW-BTC", bot.hear)
            await stage.after(10)
            [pool] = stage.manager._pools.values()
            [stream] = pool.drivers[0].router.streams.values()
            assert (stream.deliver == bot.hear) is itself
            assert len(bot.heard) > 1

    play(story)


class Deep:
    """Something that holds something."""

    def __init__(self, held: object) -> None:
        self.held = held

    def hear(self, _event: Event) -> None:
        pass


CLIENT = WebSocketClient("of the module")


def _hear(_event: Event) -> str:
    return CLIENT.name


@pytest.mark.parametrize(
    ("start", "found"),
    [
        (print, False),
        (_hear, False),
        ([].append, False),
        (Deep(Deep({"no": ["client"]})).hear, False),
        (Deep(WebSocketClient).hear, False),
        (Deep(sys).hear, False),
        (Deep([Deep({"a": (CLIENT,)})]).hear, True),
        (CLIENT.use, True),
        (lambda _event, known=CLIENT: known, True),
        (list(range(MOST_OBJECTS + 1)).append, True),
        (Deep([Deep(None) for _ in range(MOST_OBJECTS)]).hear, True),
    ],
)
def test_the_search_for_a_client_behind_a_callback(start: Any, found: bool) -> None:
    assert leads_to(start, Callbacks) is found


def census() -> Counter[str]:
    gc.collect()
    kinds = map(type, gc.get_objects())
    return Counter(one.__qualname__ for one in kinds if not str(one.__module__).startswith("tapewire.sim"))


def more(before: Counter[str], after: Counter[str]) -> dict[str, int]:
    """What there is more of, but for a handful (caches of the interpreter)."""
    return {name: number for name, number in (after - before).items() if number > 20}


OURS = [tracemalloc.Filter(True, "*/tapewire/*"), tracemalloc.Filter(False, "*/tapewire/sim/*")]


def grown(deed: Callable[[Stage, int], Awaitable[None]], times: int, **scenario: Any) -> tuple[dict[str, int], int]:
    """More objects than the exchange's own, and more bytes, after ``times`` deeds; the first ones warm up."""

    logging.getLogger("tapewire").setLevel(logging.ERROR)  # pytest keeps every record

    async def story(stage: Stage) -> tuple[dict[str, int], int]:
        async with stage.client("stays", validate=False) as stays:
            await (await stays.subscribe_ticker("KRW-BTC", lambda _event: None)).live()
            for number in range(200):
                await deed(stage, number)
            gc.collect()
            await stage.after(30)
            stage.feed.clear()
            kept: list[list[Any]] = [stage.simulator.requests, stage.simulator.trades]
            sizes = [len(one) for one in kept]
            census()  # the counting itself leaves something in caches
            before = census()
            tracemalloc.start()
            for number in range(times):
                await deed(stage, number)
            gc.collect()
            await stage.after(30)
            stage.feed.clear()
            for one, length in zip(kept, sizes, strict=True):
                del one[length:]
            after = census()
            held = sum(trace.size for trace in tracemalloc.take_snapshot().filter_traces(OURS).traces)
            tracemalloc.stop()
            [pool] = stage.manager._pools.values()
            [driver] = pool.drivers
            assert [str(one) for one in driver.router.streams] == ["ticker KRW-BTC"]
            assert (len(pool._place), len(pool._ended), len(pool.feed_listeners)) == (1, 1, 1)
            assert len(driver.router.gone) <= 3
            assert driver.router.retired.keys() <= {"ticker", "trade"}
            assert len(stage.manager._limits) == 1
        return more(before, after), held

    try:
        return play(story, **scenario)
    finally:
        logging.getLogger("tapewire").setLevel(logging.NOTSET)


@pytest.mark.timeout(3600)
def test_subscribing_and_leaving_for_weeks_leaves_nothing_behind() -> None:
    times = size(2_000, 100_000)

    async def come_and_go(stage: Stage, number: int) -> None:
        client: WebSocketClient | None = come_and_go.__dict__.get("client")
        if client is None or client._component.manager is not stage.manager:
            client = come_and_go.__dict__["client"] = WebSocketClient(
                "churn", manager=stage.manager, validate=False, recover=False, poll_after=None
            )
        symbol = ("KRW-ETH", "KRW-XRP")[number % 2]
        handle = await client.subscribe_trade(symbol, lambda _event: None)
        if number % 10 == 0:
            await stage.turns()
        await handle.unsubscribe()

    try:
        objects, held = grown(come_and_go, times)
    finally:
        come_and_go.__dict__.clear()
    figure(f"{times:,} subscribed and left: more objects {objects}, {held:,} bytes more")
    assert objects == {}
    assert held < 40_000


def test_dropped_clients_leave_nothing_behind() -> None:
    dropped = size(250, 1_000)

    async def drop(stage: Stage, number: int) -> None:
        bot = Bot(WebSocketClient("widget", manager=stage.manager, validate=False, recover=False, poll_after=None))
        bot.client.subscribe_feed(bot.hear_feed)
        hear = bot.hear_later if number % 2 else bot.hear
        await bot.client.subscribe_trade("KRW-ETH", hear)
        if number % 50 == 0:
            await stage.after(1)
            gc.collect()
            await stage.turns()

    objects, held = grown(drop, dropped)
    figure(f"{dropped:,} clients dropped: more objects {objects}, {held:,} bytes more")
    assert objects == {}
    assert held < 40_000


def test_a_program_that_ends_without_cleanup_leaves_nothing_open() -> None:
    """Over real sockets: no unclosed session, transport or task is complained of."""
    complaints: list[dict[str, Any]] = []

    async def main() -> None:
        loop = asyncio.get_running_loop()
        loop.set_exception_handler(lambda _loop, context: complaints.append(context))
        client = WebSocketClient("forgetful", url=url)
        handle = await client.subscribe_ticker("KRW-BTC", lambda _event: None)
        await handle.live()
        await client.markets()
        kept.append(client)

    kept: list[WebSocketClient] = []
    from tapewire.testing.background import BackgroundSimulator  # noqa: PLC0415 - the one test over sockets

    with BackgroundSimulator(rate=100.0) as simulator:
        url = simulator.url
        asyncio.run(main())
    kept.clear()
    gc.collect()
    assert complaints == []


def test_a_client_used_where_no_loop_runs_says_so() -> None:
    client = WebSocketClient("early")
    for use in (lambda: client.trades("KRW-BTC"), client.statistics, lambda: client.subscribe_feed(print)):
        with pytest.raises(UsageError, match="early: no event loop is running: use the client inside"):
            use()


def test_a_virtual_loop_is_one_too() -> None:
    async def hello() -> None:
        simulator = Simulator(Scenario(markets=("KRW-BTC",)))
        WebSocketClient("lost", line_factory=simulator.lines(), http=simulator.http()).trades("KRW-BTC")
        gc.collect()
        await simulator.stop()
        assert isinstance(asyncio.get_running_loop(), VirtualTimeLoop)

    run_virtual(hello())
