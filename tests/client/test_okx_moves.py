"""An account's streams go over to another line before theirs is closed (64008), whatever happens to either line."""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Callable
from decimal import Decimal
from typing import Any

import pytest

from tapewire.model.events import Event, MyAssetEvent, MyOrderEvent, PositionEvent
from tapewire.model.positions import FillEvent
from tapewire.model.status import Gap, Notice, Stopped
from tapewire.model.subscription import Subscription
from tapewire.venues.okx.sim_ledger import order_id
from tests.client.okx_stage import KEY, QUICK, buy, held, okx
from tests.client.stage import Stage
from tests.client.test_okx_account import happened, newest, told_of
from tests.client.test_okx_fills import FILLS, executed
from tests.sizes import size

OLD, NEW = 0, -1
ASSETS, POSITIONS = Subscription("myAsset", ""), Subscription("myPosition", "")


def strike(stage: Stage, which: int, way: str = "abort") -> None:
    """Something happens to one of the private lines: the oldest or the newest."""
    getattr(stage.simulator.exchange.everyone("private")[which], way)()
    stage.simulator.wake()


async def until(stage: Stage, moment: float) -> None:
    await stage.after(moment - stage.simulator.now)


def covered(fills: list[FillEvent]) -> Counter[tuple[str, str, str]]:
    """Each execution that they stand for: market, order, trade."""
    return Counter(
        (fill.symbol, fill.uuid, str((fill.sequential_id or 0) - back))
        for fill in fills
        for back in range(fill.count or 1)
    )


def moved(stage: Stage) -> bool:
    """The first line was left, and not lost."""
    return [event.moving for event in stage.told(Notice) if event.moving] == [True] and bool(stage.told(Stopped))


def orders_of(story: Callable[[Stage], Any], faults: tuple[str, ...] = ("upgrade@20x1",)) -> list[MyOrderEvent]:
    """What a client tells of orders of a story in which its private line is left."""
    heard: list[MyOrderEvent] = []

    async def whole(stage: Stage) -> None:
        async with stage.client(venue="okx", recover=True, session=QUICK, **KEY) as client:
            await (await client.subscribe_my_order(heard.append)).live()
            await story(stage)
            await stage.after(60)
            assert told_of(heard) == dict.fromkeys(happened(stage.simulator), 1)
            assert moved(stage)

    okx(whole, faults=faults)
    return heard


def test_what_only_the_old_line_told_is_not_told_again_when_the_new_one_is_lost() -> None:
    """It is made and ended after the notice, and before the new line has the stream."""

    async def story(stage: Stage) -> None:
        await until(stage, 20.02)
        buy(stage, price="70000", volume="0.0001", time_in_force="ioc")
        await until(stage, 30)
        strike(stage, NEW)

    heard = orders_of(story)
    assert [(event.state, event.recovered) for event in heard][-1] == ("filled", False)


@pytest.mark.parametrize("way", ["abort", "freeze"])
def test_what_happens_between_the_death_of_the_old_line_and_the_new_ones_beginning_is_told(way: str) -> None:
    async def story(stage: Stage) -> None:
        waiting = buy(stage)
        await until(stage, 20.01)
        strike(stage, OLD, way)
        stage.simulator.cancel_order(waiting.uuid)
        await until(stage, 20.3)

    heard = orders_of(story)
    assert [(event.state, event.recovered) for event in heard] == [("live", False), ("canceled", True)]


def test_a_new_line_that_is_lost_and_comes_back_brings_nothing_twice() -> None:
    async def story(stage: Stage) -> None:
        await until(stage, 20.3)
        strike(stage, NEW)
        buy(stage, price="70000", volume="0.0001", time_in_force="ioc")
        await until(stage, 30)
        strike(stage, NEW)

    heard = orders_of(story)
    assert [(event.state, event.recovered) for event in heard][-1] == ("filled", False)


def test_a_move_waits_for_no_rest() -> None:
    """The old line's story is handed over; the new one's REST calls fail."""
    heard: list[MyOrderEvent] = []

    async def story(stage: Stage) -> None:
        async with stage.client(venue="okx", recover=True, session=QUICK, **KEY) as client:
            await (await client.subscribe_my_order(heard.append)).live()
            await until(stage, 30)
            assert moved(stage)
            order = buy(stage)
            await stage.after(200)
            assert [(event.uuid, event.state) for event in heard] == [(order_id(order.uuid), "live")]

    okx(story, faults=("rest:500@19x8", "upgrade@20x1"))


def test_a_stream_that_is_given_up_and_wanted_again_during_a_move_begins_anew() -> None:
    heard: list[MyOrderEvent] = []

    async def story(stage: Stage) -> None:
        async with stage.client(venue="okx", recover=True, session=QUICK, **KEY) as client:
            await (await client.subscribe([ASSETS], lambda _: None)).live()
            first = await client.subscribe_my_order(heard.append)
            await first.live()
            await until(stage, 20.3)
            await first.unsubscribe()
            unheard = buy(stage)
            await stage.after(0.1)
            await (await client.subscribe_my_order(heard.append)).live()
            await until(stage, 40)
            strike(stage, NEW)
            stage.simulator.cancel_order(unheard.uuid)
            await stage.after(60)
            assert [(event.state, event.recovered) for event in heard] == [("canceled", True)]

    okx(story, faults=("upgrade@20x1",))


def test_each_balance_and_position_that_changed_while_the_old_line_was_frozen_is_told() -> None:
    assets: list[MyAssetEvent] = []
    positions: list[PositionEvent] = []
    swap = {"symbol": "BTC-USDT-SWAP", "time_in_force": "ioc", "price": "70000"}

    async def story(stage: Stage) -> None:
        async with stage.client(venue="okx", recover=True, **KEY) as client:
            await (await client.subscribe([ASSETS], assets.append)).live()
            await (await client.subscribe([POSITIONS], positions.append)).live()
            await until(stage, 20.05)
            strike(stage, OLD, "freeze")
            await until(stage, 20.5)
            buy(stage, price="70000", volume="0.01", time_in_force="ioc")
            buy(stage, **swap, volume="3")
            await until(stage, 27)
            assert moved(stage)
            assert [event.position for event in positions][-1] == Decimal(3)
            assert newest(assets) == held(stage.simulator)

    okx(story, faults=("upgrade@20x1",))


@pytest.mark.parametrize("seed", range(500, 500 + size(3, 120)))
def test_whatever_happens_to_either_line_each_end_and_fill_is_told_once(seed: int) -> None:
    draw = random.Random(seed)
    orders: list[MyOrderEvent] = []
    assets: list[MyAssetEvent] = []
    fills: list[FillEvent] = []
    faults = ["upgrade@20x1", f"rest:500@{draw.uniform(15, 25):.2f}x{draw.choice([0, 3, 8])}"]
    faults += [f"refuse:503@{draw.uniform(20, 25):.2f}x{draw.choice([1, 4])}"] if draw.random() < 0.3 else []
    ways: tuple[str, ...] = ("abort", "freeze")
    strikes = [
        (draw.uniform(20, 28), draw.choice([OLD, NEW]), draw.choice(ways)) for _ in range(draw.choice([0, 1, 2]))
    ]
    strikes.append((draw.uniform(35, 110), NEW, "abort"))

    async def story(stage: Stage) -> None:
        async with stage.client(venue="okx", recover=True, session=QUICK, **KEY) as client:
            await (await client.subscribe_my_order(orders.append)).live()
            await (await client.subscribe([ASSETS], assets.append)).live()
            await (await client.subscribe([FILLS], _fills(fills))).live()
            since_ms = stage.simulator.exchange.market.now_ms
            for moment, which, way in sorted(strikes):
                await until(stage, moment)
                if stage.simulator.exchange.everyone("private"):
                    strike(stage, which, way)
            await stage.after(300)
            told = told_of(orders)
            assert happened(stage.simulator, since_ms) <= told.keys() <= happened(stage.simulator)
            assert [fact for fact, count in told.items() if count > 1] == []
            once = covered(fills)
            assert {one[:3] for one in executed(stage.simulator, since_ms)} <= once.keys()
            assert [fill for fill, count in once.items() if count > 1] == []
            assert newest(assets) == held(stage.simulator)
            last = {(gap.connection, gap.subscription, gap.from_ns): gap.state for gap in stage.told(Gap)}
            assert "filling" not in last.values()

    okx(story, customer=1.0, faults=tuple(faults))


def _fills(kept: list[FillEvent]) -> Callable[[Event], None]:
    def keep(event: Event) -> None:
        assert isinstance(event, FillEvent)
        kept.append(event)

    return keep
