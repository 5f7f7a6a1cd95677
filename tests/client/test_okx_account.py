"""What a lost private line of OKX missed of orders and balances is read by REST: no end, no execution, none twice."""

from __future__ import annotations

import random
from collections import Counter
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from tapewire.model.events import Asset, MyAssetEvent, MyOrderEvent, PositionEvent
from tapewire.model.status import Gap, Notice
from tapewire.model.subscription import Subscription
from tapewire.sim.server import Simulator
from tapewire.venues.okx.sim_ledger import order_id, seen_order
from tapewire.venues.trading import Order
from tests.client.okx_stage import KEY, MARKETS, QUICK, away, buy, held, okx
from tests.client.restarts import Lives
from tests.client.restarts import play as play_lives
from tests.client.stage import Stage, play
from tests.sizes import size

WAYS = ("abort", "drop", "freeze")
ENDS = ("filled", "canceled")
Fact = tuple[str, str]


def told_of(orders: list[MyOrderEvent]) -> Counter[Fact]:
    """Each execution by its trade, each end by its name: the last execution of an order is both."""
    facts: Counter[Fact] = Counter()
    for event in orders:
        if event.trade_uuid is not None:
            facts[event.uuid, event.trade_uuid] += 1
        if event.state in ENDS:
            facts[event.uuid, event.state] += 1
    return facts


def facts_of(order: Order) -> set[Fact]:
    """The same as the exchange has it."""
    number, state = order_id(order.uuid), seen_order(order).state
    return {(number, str(fill.trade)) for fill in order.fills} | ({(number, state)} if state in ENDS else set())


def happened(simulator: Simulator, since_ms: int = 0) -> set[Fact]:
    return {fact for order in simulator.orders() if order.ms >= since_ms for fact in facts_of(order)}


def newest(assets: list[MyAssetEvent]) -> dict[str, Asset]:
    return {asset.currency: asset for event in assets for asset in event.assets}


@pytest.mark.parametrize("way", WAYS)
def test_live_and_recovered_together_are_what_the_exchange_has_in_its_books(way: str) -> None:
    orders: list[MyOrderEvent] = []
    assets: list[MyAssetEvent] = []

    async def story(stage: Stage) -> None:
        async with stage.client(venue="okx", recover=True, session=QUICK, **KEY) as client:
            await (await client.subscribe_my_order(orders.append)).live()
            await (await client.subscribe_my_asset(assets.append)).live()
            await stage.after(1)
            since_ms = stage.simulator.exchange.market.now_ms
            for _ in range(3):
                await stage.after(20)
                {
                    "abort": stage.simulator.abort,
                    "drop": stage.simulator.drop,
                    "freeze": stage.simulator.freeze,
                }[way](side="private")
                waiting = buy(stage, "BTC-USDT-SWAP", price="30000", volume="1")
                buy(stage, "BTC-USDT-SWAP", price="70000", volume="2", time_in_force="ioc")
                stage.simulator.cancel_order(waiting.uuid)
            await stage.after(20)
            told, due = told_of(orders), happened(stage.simulator, since_ms)
            assert due <= told.keys()
            assert [fact for fact, count in told.items() if count > 1] == []
            assert told.keys() <= happened(stage.simulator), "nothing was told that is not in the exchange's books"
            assert {event.fields["instType"] for event in orders if event.recovered} == {"SPOT", "SWAP"}
            assert all(event.received_ns for event in orders)
            assert newest(assets) == held(stage.simulator)
            assert client.get_health_status().status == "healthy"
            states = Counter((gap.subscription.kind, gap.state) for gap in stage.told(Gap))
            assert states == {(kind, state): 3 for kind in ("myOrder", "myAsset") for state in ("filling", "filled")}
            filled = [gap for gap in stage.told(Gap) if gap.state == "filled" and gap.subscription.kind == "myOrder"]
            assert sum(gap.recovered for gap in filled) == sum(event.recovered for event in orders)

    okx(story, customer=1.0)


def test_an_order_that_waited_before_the_client_came_is_cancelled_while_its_line_is_gone() -> None:
    heard: list[MyOrderEvent] = []

    async def story(stage: Stage) -> str:
        order = buy(stage)
        async with stage.client(venue="okx", recover=True, **KEY) as client:
            await (await client.subscribe_my_order("BTC-USDT", heard.append)).live()
            await stage.after(30)
            assert heard == []
            await away(stage, lambda: stage.simulator.cancel_order(order.uuid))
        return order_id(order.uuid)

    number = okx(story)
    [event] = heard
    assert (event.uuid, event.state, event.recovered, event.trade_uuid) == (number, "canceled", True, None)
    assert (event.price, event.volume, event.ask_bid) == (Decimal(30_000), Decimal("0.01"), "BID")
    assert event.fields["cancelSource"] == "1"


def test_calls_of_demo_trading_are_taken_by_the_demo() -> None:
    heard: list[MyOrderEvent] = []

    async def story(stage: Stage) -> None:
        async with stage.client(venue="okx-demo", recover=True, **KEY) as client:
            await (await client.subscribe_my_order(heard.append)).live()
            await stage.after(5)
            await away(stage, lambda: buy(stage), seconds=10)

    play(story, venue="okx-demo", markets=MARKETS, rate=0.5)
    assert [(event.venue, event.state, event.recovered) for event in heard] == [("okx-demo", "live", True)]


def test_the_execution_that_fills_an_order_is_its_end_as_the_stream_would_say() -> None:
    heard: list[MyOrderEvent] = []

    async def story(stage: Stage) -> Order:
        async with stage.client(venue="okx", recover=True, **KEY) as client:
            await (await client.subscribe_my_order(heard.append)).live()
            await stage.after(30)
            sold: list[Order] = []

            def sell() -> None:
                sold.append(buy(stage, side="ask", price="50000", volume="2", time_in_force="ioc", identifier="mine"))

            await away(stage, sell)
            return sold[0]

    order: Order = okx(story)
    assert order.state == "done"
    assert len(order.fills) > 1
    states = ["partially_filled"] * (len(order.fills) - 1) + ["filled"]
    assert [(event.state, event.recovered) for event in heard] == [(state, True) for state in states]
    assert [(event.trade_uuid, event.price, event.volume) for event in heard] == [
        (str(fill.trade), fill.price, fill.volume) for fill in order.fills
    ]
    assert heard[-1].executed_volume == order.executed_volume == 2
    assert {event.identifier for event in heard} == {"mine"}
    assert all(event.is_maker is False and event.fields["px"] == "50000" for event in heard)
    assert sum(Decimal(event.fields["fillFee"]) for event in heard) == -order.paid_fee


def test_a_market_order_of_an_amount_ends_with_a_word_of_its_own() -> None:
    heard: list[MyOrderEvent] = []

    async def story(stage: Stage) -> None:
        async with stage.client(venue="okx", recover=True, **KEY) as client:
            await (await client.subscribe_my_order(heard.append)).live()
            await stage.after(30)
            await away(stage, lambda: stage.simulator.place_order("BTC-USDT", "bid", ord_type="price", price="500"))

    okx(story)
    assert [(event.state, event.trade_uuid is None) for event in heard][-2:] == [
        ("partially_filled", False), ("filled", True),
    ]  # fmt: skip


def test_an_order_is_executed_in_part_while_nobody_hears_and_filled_when_one_does() -> None:
    heard: list[MyOrderEvent] = []

    async def story(stage: Stage) -> Order:
        market = stage.simulator.exchange.market
        async with stage.client(venue="okx", recover=True, **KEY) as client:
            await (await client.subscribe_my_order(heard.append)).live()
            await stage.after(5)
            ask, *_ = market.pits["BTC-USDT"].best(ask=True)
            price = str(market.pits["BTC-USDT"].tick.decimal(ask - 1))

            def sell(volume: str) -> None:
                buy(stage, side="ask", price=price, volume=volume, time_in_force="ioc")

            order = buy(stage, price=price, volume="0.01")
            await stage.after(0.2)
            await away(stage, lambda: sell("0.004"), seconds=5)
            sell("0.006")
            await stage.after(5)
            return order

    order: Order = okx(story)
    told = [event for event in heard if event.uuid == order_id(order.uuid)]
    assert [(event.state, event.executed_volume, event.recovered) for event in told] == [
        ("live", Decimal(0), False), ("partially_filled", Decimal("0.004"), True), ("filled", Decimal("0.01"), False),
    ]  # fmt: skip
    assert told_of(told) == dict.fromkeys(facts_of(order), 1)


def test_more_orders_than_a_page_has_end_while_the_line_is_gone() -> None:
    """100 rows are a page (A8): of those that wait, of those that ended, of an order's executions."""
    heard: list[MyOrderEvent] = []

    async def story(stage: Stage) -> list[Order]:
        async with stage.client(venue="okx", recover=True, **KEY) as client:
            await (await client.subscribe_my_order(heard.append)).live()
            await stage.after(5)
            waiting = [buy(stage, volume="0.0001") for _ in range(150)]
            await stage.after(5)
            assert [event.state for event in heard] == ["live"] * 150
            come_and_gone: list[Order] = []

            def trade() -> None:
                for order in waiting[::2]:
                    stage.simulator.cancel_order(order.uuid)
                come_and_gone.extend(
                    buy(stage, price="70000", volume="0.0001", time_in_force="ioc") for _ in range(101)
                )

            await away(stage, trade)
            return waiting[::2] + come_and_gone

    ended: list[Order] = okx(story)
    assert told_of(heard) == dict.fromkeys({fact for order in ended for fact in facts_of(order)}, 1)
    assert len(ended) == 75 + 101


def test_a_line_that_is_lost_before_its_login_was_answered_costs_nothing_of_what_came_later() -> None:
    heard: list[MyOrderEvent] = []

    async def story(stage: Stage) -> Order:
        async with stage.client(venue="okx", recover=True, **KEY) as client:
            handle = await client.subscribe_my_order(heard.append)
            while stage.simulator.connected == 0:
                await stage.turns(1)
            stage.simulator.abort()
            await handle.live()
            order = buy(stage)
            await stage.after(5)
            await away(stage, lambda: stage.simulator.cancel_order(order.uuid), stage.simulator.abort)
            return order

    order: Order = okx(story)
    assert [(event.state, event.recovered) for event in heard] == [("live", False), ("canceled", True)]
    assert told_of(heard) == dict.fromkeys(facts_of(order), 1)


@pytest.mark.parametrize("fault", ["rest:503@31x8", "rest:429@31x3"])
def test_rest_that_fails_for_a_while_leaves_the_hole_open_and_is_asked_again(fault: str) -> None:
    heard: list[MyOrderEvent] = []

    async def story(stage: Stage) -> None:
        async with stage.client(venue="okx", recover=True, **KEY) as client:
            await (await client.subscribe_my_order(heard.append)).live()
            await stage.after(30)
            order = buy(stage)
            await stage.after(0.5)
            await away(stage, lambda: stage.simulator.cancel_order(order.uuid), seconds=180)
            assert [gap.state for gap in stage.told(Gap)] == ["filling", "filled"]
            assert [(event.state, event.recovered) for event in heard] == [("live", False), ("canceled", True)]

    okx(story, faults=(fault,))


def test_balances_that_changed_meanwhile_are_known_and_what_is_held_no_more_is_told() -> None:
    """The stream begins with what is held; what is not held any more only REST's silence tells (A7.2)."""
    heard: list[MyAssetEvent] = []

    async def story(stage: Stage) -> None:
        async with stage.client(venue="okx", recover=True, **KEY) as client:
            await (await client.subscribe_my_asset(heard.append)).live()
            await stage.after(30)
            coins = held(stage.simulator)["BTC"].balance
            await away(
                stage, lambda: stage.simulator.place_order("BTC-USDT", "ask", ord_type="market", volume=str(coins))
            )
            assert held(stage.simulator)["BTC"] == Asset("BTC", Decimal(0), Decimal(0))
            assert newest(heard) == held(stage.simulator)
            [told] = [event for event in heard if event.recovered]
            assert told.assets == [Asset("BTC", Decimal(0), Decimal(0))]

    okx(story)


def test_an_order_that_rest_has_forgotten_was_cancelled() -> None:
    """OKX keeps what was cancelled with no fill for two hours (A8)."""
    heard: list[MyOrderEvent] = []

    async def story(stage: Stage) -> str:
        async with stage.client(venue="okx", recover=True, poll_after=None, **KEY) as client:
            await (await client.subscribe_my_order(heard.append)).live()
            await stage.after(30)
            order = buy(stage)
            await stage.after(1)
            stage.simulator.maintenance(90.0)
            stage.simulator.cancel_order(order.uuid)
            await stage.after(200)
            return order_id(order.uuid)

    number = okx(story, switches={"unfilled_kept": 60.0})
    assert [(event.uuid, event.state, event.recovered) for event in heard] == [
        (number, "live", False), (number, "canceled", True),
    ]  # fmt: skip
    assert (heard[-1].symbol, heard[-1].executed_volume) == ("BTC-USDT", Decimal(0))


@pytest.mark.parametrize(("seconds", "state"), [(7_000.0, "filled"), (7_300.0, "unfilled")])
def test_a_gap_is_no_longer_called_filled_when_orders_of_it_may_be_forgotten(seconds: float, state: str) -> None:
    """Placed and cancelled without a fill, all in the outage: after two hours OKX tells nobody (A8)."""
    heard: list[MyOrderEvent] = []

    async def story(stage: Stage) -> str:
        async with stage.client(venue="okx", recover=True, poll_after=None, session=QUICK, **KEY) as client:
            await (await client.subscribe_my_order(heard.append)).live()
            await stage.after(30)
            stage.simulator.maintenance(seconds)
            order = buy(stage)
            stage.simulator.cancel_order(order.uuid)
            await stage.after(seconds + 60)
            assert [gap.state for gap in stage.told(Gap)] == ["filling", state]
        return order_id(order.uuid)

    number = okx(story)
    told = [(number, "canceled", True)] if state == "filled" else []
    assert [(event.uuid, event.state, event.recovered) for event in heard] == told


def old_orders(stage: Stage, count: int) -> None:
    """Some that were filled, then a page of some that were cancelled unfilled: these are forgotten first (A8)."""
    for _ in range(count):
        buy(stage, price="70000", volume="0.0001", time_in_force="ioc")
    for _ in range(100):
        stage.simulator.cancel_order(buy(stage, volume="0.0001").uuid)


def test_an_end_of_long_ago_that_the_list_shows_only_when_younger_ones_are_forgotten_is_no_news() -> None:
    heard: list[MyOrderEvent] = []

    async def story(stage: Stage) -> None:
        old_orders(stage, 30)
        await stage.after(200)
        async with stage.client(venue="okx", recover=True, **KEY) as client:
            await (await client.subscribe_my_order(heard.append)).live()
            await stage.after(200)
            await away(stage, lambda: buy(stage))

    okx(story, switches={"unfilled_kept": 300.0})
    assert [(event.state, event.recovered) for event in heard] == [("live", True)]


def test_after_a_move_no_end_of_long_ago_is_told_again() -> None:
    """The new line learned a page of orders, and the next page is another (prove --venue okx --hours 24 --seed 6)."""
    heard: list[MyOrderEvent] = []

    async def story(stage: Stage) -> None:
        async with stage.client(venue="okx", recover=True, **KEY) as client:
            await (await client.subscribe_my_order(heard.append)).live()
            await stage.after(5)
            old_orders(stage, 30)
            await stage.after(400)
            assert [event.moving for event in stage.told(Notice) if event.moving] == [True]
            await away(stage, lambda: buy(stage))
            assert [event.state for event in heard if event.recovered] == ["live"]
            assert told_of(heard) == dict.fromkeys(happened(stage.simulator), 1)

    okx(story, switches={"unfilled_kept": 300.0}, faults=("upgrade@250x1",))


def test_a_computer_whose_clock_is_wrong_can_ask_all_the_same() -> None:
    """A signature is good for 30 s: it carries the exchange's own time."""
    heard: list[MyOrderEvent] = []

    async def story(stage: Stage) -> None:
        async with stage.client(venue="okx", recover=True, **KEY) as client:
            await (await client.subscribe_my_order(heard.append)).live()
            order = buy(stage)
            await stage.after(30)
            await away(stage, lambda: stage.simulator.cancel_order(order.uuid))
            assert [(event.state, event.recovered) for event in heard] == [("live", False), ("canceled", True)]

    okx(story, wall_ns=lambda: 1_700_000_000_000_000_000)


def test_without_a_line_orders_and_balances_are_polled() -> None:
    orders: list[MyOrderEvent] = []
    assets: list[MyAssetEvent] = []

    async def story(stage: Stage) -> None:
        async with stage.client(venue="okx", recover=True, poll_after=10.0, backoff_cap=5.0, **KEY) as client:
            await (await client.subscribe_my_order(orders.append)).live()
            await (await client.subscribe_my_asset(assets.append)).live()
            await stage.after(20)
            order = buy(stage)
            await stage.after(10.5)
            stage.simulator.abort()
            await stage.after(25)
            stage.simulator.cancel_order(order.uuid)
            done = buy(stage, side="ask", price="50000", volume="0.01", time_in_force="ioc")
            await stage.after(20)
            assert [(event.state, event.polled) for event in orders] == [
                ("live", False), ("canceled", True), *[("partially_filled", True)] * (len(done.fills) - 1),
                    ("filled", True),
            ]  # fmt: skip
            assert newest(assets) == held(stage.simulator)
            assert any(event.polled for event in assets)
            await stage.after(120)
            told = told_of(orders)
            assert told == dict.fromkeys(happened(stage.simulator), 1)
            assert newest(assets) == held(stage.simulator)

    okx(story, faults=("refuse:503@30x60",))


def test_a_private_line_that_the_exchange_will_close_is_left_with_nothing_missed() -> None:
    orders: list[MyOrderEvent] = []
    assets: list[MyAssetEvent] = []

    async def story(stage: Stage) -> None:
        async with stage.client(venue="okx", recover=True, **KEY) as client:
            await (await client.subscribe_my_order(orders.append)).live()
            await (await client.subscribe_my_asset(assets.append)).live()
            await stage.after(110)
            assert [event.moving for event in stage.told(Notice) if event.moving] == [True]
            assert told_of(orders) == dict.fromkeys(happened(stage.simulator), 1)
            assert newest(assets) == held(stage.simulator)

    okx(story, customer=1.0, faults=("upgrade@20x1",))


def test_what_a_private_line_missed_is_told_although_the_exchange_is_about_to_close_it_again() -> None:
    """REST is sick: the line is left when all that it missed was read, and not before."""
    orders: list[MyOrderEvent] = []

    async def story(stage: Stage) -> None:
        async with stage.client(venue="okx", recover=True, **KEY) as client:
            await (await client.subscribe_my_order(orders.append)).live()
            await stage.after(110)
            assert [event.moving for event in stage.told(Notice) if event.moving] == [True]
            assert list({gap.from_ns: gap.state for gap in stage.told(Gap)}.values()) == ["filled"]
            assert told_of(orders) == dict.fromkeys(happened(stage.simulator), 1)

    okx(story, customer=1.0, faults=("refuse:503@20x4", "abort@20x1", "upgrade@24x1", "rest:500@20x5"))


def test_positions_that_were_closed_meanwhile_are_told_and_open_ones_begin_anew() -> None:
    """The stream begins with what is open (A7.3): what was closed only REST's silence tells."""
    heard: list[PositionEvent] = []
    swap = {"symbol": "BTC-USDT-SWAP", "time_in_force": "ioc"}

    async def story(stage: Stage) -> None:
        async with stage.client(venue="okx", recover=True, **KEY) as client:
            await (await client.subscribe([Subscription("myPosition", "")], heard.append)).live()
            await stage.after(5)
            buy(stage, **swap, price="70000", volume="3")
            await stage.after(5)
            assert [event.position for event in heard if event.position][-1] == 3
            await away(stage, lambda: buy(stage, **swap, side="ask", price="50000", volume="3"), seconds=20)
            assert [(event.position, event.symbol) for event in heard if event.recovered] == [
                (Decimal(0), "BTC-USDT-SWAP")
            ]
            await away(stage, lambda: buy(stage, **swap, price="70000", volume="2"), seconds=20)
            assert (heard[-1].position, [event.recovered for event in heard].count(True)) == (Decimal(2), 1)
            rows = [gap.state for gap in stage.told(Gap)]
            assert rows == ["filling", "filled"] * 2

    okx(story)


def test_without_a_line_positions_are_polled() -> None:
    heard: list[PositionEvent] = []

    async def story(stage: Stage) -> None:
        async with stage.client(venue="okx", recover=True, poll_after=10.0, backoff_cap=5.0, **KEY) as client:
            await (await client.subscribe([Subscription("myPosition", "")], heard.append)).live()
            await stage.after(30.5)
            stage.simulator.abort()
            buy(stage, "BTC-USDT-SWAP", price="70000", volume="3", time_in_force="ioc")
            await stage.after(30)
            assert [(event.position, event.polled) for event in heard] == [(Decimal(3), True)]

    okx(story, faults=("refuse:503@30x60",))


@pytest.mark.parametrize("seed", range(200, 200 + size(2, 60)))
def test_whenever_the_line_is_lost_and_whatever_is_traded_the_books_agree(seed: int) -> None:
    orders: list[MyOrderEvent] = []
    assets: list[MyAssetEvent] = []
    draw = random.Random(seed)

    async def story(stage: Stage) -> None:
        async with stage.client(venue="okx", recover=True, session=QUICK, **KEY) as client:
            await (await client.subscribe_my_order(orders.append)).live()
            await (await client.subscribe_my_asset(assets.append)).live()
            await stage.after(1)
            since_ms = stage.simulator.exchange.market.now_ms
            waiting: list[Order] = []
            for _ in range(12):
                await stage.after(draw.uniform(0.05, 8))
                way = draw.choice([stage.simulator.abort, stage.simulator.drop, stage.simulator.freeze, None])
                if way is not None:
                    way(side="private")
                for _ in range(draw.randrange(4)):
                    waiting.append(near(stage, draw))
                    await stage.after(draw.choice([0.0, 0.1, 0.3]))
                waiting = [order for order in waiting if order.state == "wait"]
                for order in waiting[: draw.randrange(2)]:
                    stage.simulator.cancel_order(order.uuid)
            await stage.after(30)
            told = told_of(orders)
            assert happened(stage.simulator, since_ms) <= told.keys() <= happened(stage.simulator)
            assert [fact for fact, count in told.items() if count > 1] == []
            assert newest(assets) == held(stage.simulator)

    okx(story, seed=seed, customer=0.7)


def near(stage: Stage, draw: random.Random) -> Order:
    """An order near the middle of the book: it trades at once, or later, or in part."""
    symbol = draw.choice(MARKETS)
    pit = stage.simulator.exchange.market.pits[symbol]
    ask, *_ = pit.best(ask=True)
    price = str(pit.tick.decimal(ask - draw.randrange(-2, 3)))
    volume = draw.choice(["0.002", "0.05"] if symbol == "BTC-USDT" else ["1"])
    in_force = draw.choice([None, "ioc"])
    return buy(stage, symbol, side=draw.choice(["bid", "ask"]), price=price, volume=volume, time_in_force=in_force)


def test_over_a_restart_what_ended_and_what_was_closed_is_told(tmp_path: Path) -> None:
    async def story(lives: Lives) -> None:
        wanted = [Subscription("myOrder", ""), Subscription("myPosition", "")]
        with lives.life(venue="okx", **KEY) as client:
            await (await client.subscribe(wanted, lives.hear)).live()
            order = lives.simulator.place_order("BTC-USDT", "bid", price="30000", volume="0.01")
            lives.simulator.place_order("BTC-USDT-SWAP", "bid", price="70000", volume="3", time_in_force="ioc")
            await lives.after(10)
            before = len(lives.heard)
        lives.simulator.cancel_order(order.uuid)
        lives.simulator.place_order("BTC-USDT-SWAP", "ask", price="50000", volume="3", time_in_force="ioc")
        await lives.after(60)
        with lives.life(venue="okx", **KEY) as client:
            await (await client.subscribe(wanted, lives.hear)).live()
            await lives.after(10)
            news: list[Any] = [event for _, event in lives.heard[before:] if event.recovered]
            orders = [event for event in news if isinstance(event, MyOrderEvent)]
            [ended] = [event for event in orders if event.uuid == order_id(order.uuid)]
            assert (ended.state, ended.price) == ("canceled", Decimal(30_000))
            assert sum(event.volume or 0 for event in orders if event.symbol == "BTC-USDT-SWAP") == 3
            assert [event.position for event in news if isinstance(event, PositionEvent)] == [Decimal(0)]
            assert {row.state for row in lives.rows()} == {"filled"}

    play_lives(story, tmp_path / "cursor", venue="okx", markets=MARKETS, rate=0.5)
