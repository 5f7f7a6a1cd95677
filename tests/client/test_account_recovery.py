"""What a lost private line missed of orders and balances is read by REST: no end, no execution, none twice."""

from __future__ import annotations

from collections import Counter
from decimal import Decimal
from typing import Any

import pytest

from tapewire.config import SessionOptions
from tapewire.model.events import Asset, MyAssetEvent, MyOrderEvent
from tapewire.model.status import Gap
from tapewire.sim.scenario import DEMO_KEY
from tapewire.sim.server import Simulator
from tests.client.stage import Stage, play

KEY = {"access_key": DEMO_KEY.access_key, "secret_key": DEMO_KEY.secret_key.reveal()}
WAYS = ("abort", "drop", "freeze")


def told_of(orders: list[MyOrderEvent]) -> Counter[tuple[str, str]]:
    """Each execution by its id, each state but ``prevented`` by its name."""
    return Counter(
        (event.uuid, event.trade_uuid or "" if event.state == "trade" else event.state)
        for event in orders
        if event.state != "prevented"
    )


def happened(simulator: Simulator, since_ms: int) -> set[tuple[str, str]]:
    """Every execution and end of the orders that were made since."""
    orders = [order for order in simulator.orders() if order.ms >= since_ms]
    fills = {(order.uuid, fill.uuid) for order in orders for fill in order.fills}
    return fills | {(order.uuid, order.state) for order in orders if order.state in ("done", "cancel")}


def held(simulator: Simulator) -> dict[str, Asset]:
    balances = simulator.exchange.desk.balances(simulator.keys[0].account)
    return {one.currency: Asset(one.currency, one.free, one.locked) for one in balances}


def newest(assets: list[MyAssetEvent]) -> dict[str, Asset]:
    return {asset.currency: asset for event in assets for asset in event.assets}


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("fill_states", ["both", "done"])
def test_no_execution_and_no_end_of_an_order_is_missed_or_told_twice(way: str, fill_states: str) -> None:
    orders: list[MyOrderEvent] = []
    assets: list[MyAssetEvent] = []

    async def story(stage: Stage) -> None:
        session = SessionOptions(ping_interval=5.0, ping_timeout=3.0)
        async with stage.client(recover=True, session=session, **KEY) as client:
            await (await client.subscribe_my_order(orders.append)).live()
            await (await client.subscribe_my_asset(assets.append)).live()
            since_ms = stage.simulator.exchange.market.now_ms
            for _ in range(4):
                await stage.after(40)
                {
                    "abort": stage.simulator.abort,
                    "drop": stage.simulator.drop,
                    "freeze": stage.simulator.freeze,
                }[way](side="private")
            await stage.after(60)
            told, due = told_of(orders), happened(stage.simulator, since_ms)
            if fill_states == "both":
                assert due <= told.keys()
            else:  # the last execution of an order that is done is not told by itself
                assert {one for one in due if one[1] in ("done", "cancel")} <= told.keys()
            assert [one for one, count in told.items() if count > 1] == []
            assert any(event.recovered for event in orders)
            assert all(event.received_ns and event.stream_type == "REALTIME" for event in orders if event.recovered)
            wrong = {name: asset for name, asset in newest(assets).items() if held(stage.simulator)[name] != asset}
            assert wrong == {}
            assert any(event.recovered for event in assets)
            assert client.get_health_status().status == "healthy"
            states = Counter((gap.subscription.kind, gap.state) for gap in stage.told(Gap))
            assert states == {(kind, state): 4 for kind in ("myOrder", "myAsset") for state in ("filling", "filled")}
            missed = [event for event in orders if event.recovered]
            filled = [gap for gap in stage.told(Gap) if gap.state == "filled" and gap.subscription.kind == "myOrder"]
            assert sum(gap.recovered for gap in filled) == len(missed)

    play(story, customer=1.0, switches={"fill_states": fill_states})


async def away(stage: Stage, deed: Any) -> None:
    """Something happens while the private line is gone."""
    stage.simulator.abort(side="private")
    await stage.after(0.01)
    deed()
    await stage.after(60)


def test_an_order_that_waited_before_the_client_came_ends_while_its_line_is_gone() -> None:
    heard: list[MyOrderEvent] = []

    async def story(stage: Stage) -> None:
        order = stage.simulator.place_order("KRW-BTC", "bid", ord_type="limit", price="1000000", volume="0.01")
        async with stage.client(recover=True, **KEY) as client:
            await (await client.subscribe_my_order("KRW-BTC", heard.append)).live()
            await stage.after(30)
            assert heard == []
            await away(stage, lambda: stage.simulator.cancel_order(order.uuid))
            [event] = heard
            assert (event.uuid, event.state, event.recovered) == (order.uuid, "cancel", True)
            assert (event.price, event.volume, event.ask_bid) == (Decimal(1_000_000), Decimal("0.01"), "BID")

    play(story)


def test_an_order_that_came_and_stayed_meanwhile_is_told_as_it_waits() -> None:
    heard: list[MyOrderEvent] = []

    async def story(stage: Stage) -> None:
        async with stage.client(recover=True, **KEY) as client:
            await (await client.subscribe_my_order(heard.append)).live()
            await stage.after(30)

            def place() -> None:
                stage.simulator.place_order("KRW-BTC", "bid", ord_type="limit", price="1000000", volume="0.01")

            await away(stage, place)
            assert [(event.state, event.recovered) for event in heard] == [("wait", True)]
            await away(stage, lambda: None)
            assert len(heard) == 1

    play(story)


def test_rest_that_fails_for_a_while_leaves_the_hole_open_and_is_asked_again() -> None:
    heard: list[MyOrderEvent] = []

    async def story(stage: Stage) -> None:
        async with stage.client(recover=True, **KEY) as client:
            await (await client.subscribe_my_order(heard.append)).live()
            await stage.after(30)
            await away(stage, lambda: stage.simulator.place_order("KRW-BTC", "ask", ord_type="market", volume="0.01"))
            assert stage.told(Gap)[-1].state == "filled"
            assert [event.state for event in heard][-1] == "done"

    play(story, faults=("rest:503@31x5",))


def test_rest_that_refuses_for_good_leaves_the_hole_unfilled(caplog: pytest.LogCaptureFixture) -> None:
    async def story(stage: Stage) -> None:
        async with stage.client(recover=True, **KEY) as client:
            await (await client.subscribe_my_asset(lambda _event: None)).live()
            await stage.after(30)
            await away(stage, lambda: None)
            assert [gap.state for gap in stage.told(Gap)] == ["filling", "unfilled"]
            assert client.get_health_status().status == "healthy"

    play(story, faults=("rest:403@31x1",))
    assert "orders and balances cannot be read by REST" in caplog.text


def test_a_stream_that_is_given_up_while_rest_fails_is_left_alone() -> None:
    heard: list[MyOrderEvent] = []

    async def story(stage: Stage) -> None:
        async with stage.client(recover=True, **KEY) as client:
            news = await client.subscribe_announcement(lambda _event: None)
            handle = await client.subscribe_my_order(heard.append)
            await handle.live()
            await news.live()
            await stage.after(30)
            await away(stage, lambda: stage.simulator.place_order("KRW-BTC", "ask", ord_type="market", volume="0.01"))
            await handle.unsubscribe()
            await stage.after(120)
            assert heard == []
            assert [gap.state for gap in stage.told(Gap) if gap.subscription.kind == "myOrder"] == [
                "filling", "unfilled",
            ]  # fmt: skip

    play(story, faults=("rest:503@31x100",))
