"""What a lost private line of OKX missed of fills, cash and positions is read by REST: each fill once, in order."""

from __future__ import annotations

import random
from collections import Counter
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from tapewire.client import WebSocketClient
from tapewire.model.events import Event
from tapewire.model.positions import BalanceAndPositionEvent, FillEvent
from tapewire.model.status import Gap
from tapewire.model.subscription import Subscription
from tapewire.sim.server import Simulator
from tapewire.venues.okx.sim_ledger import order_id
from tests.client.okx_stage import KEY, MARKETS, QUICK, away, buy, held, okx
from tests.client.restarts import Lives
from tests.client.restarts import play as play_lives
from tests.client.stage import Stage
from tests.sizes import size

FILLS, BOTH = Subscription("myFill", ""), Subscription("balanceAndPosition", "")
SWAP: dict[str, Any] = {"symbol": "BTC-USDT-SWAP", "time_in_force": "ioc"}
Execution = tuple[str, str, str | None, Decimal | None, Decimal | None, bool | None]


def seen(event: FillEvent) -> Execution:
    return event.symbol, event.uuid, str(event.sequential_id), event.price, event.volume, event.is_maker


def executed(simulator: Simulator, since_ms: int = 0) -> set[Execution]:
    """The same as the exchange has it in its books."""
    return {
        (order.asked.symbol, order_id(order.uuid), str(fill.trade), fill.price, fill.volume, fill.is_maker)
        for order in simulator.orders()
        for fill in order.fills
        if fill.ms >= since_ms
    }


def standing(events: list[BalanceAndPositionEvent]) -> tuple[dict[str, Decimal | None], dict[str, Decimal | None]]:
    """What a listener holds in the end: cash by currency and positions by market, without what is gone."""
    cash = {one.currency: one.balance for event in events for one in event.balances}
    positions = {one.symbol or "": one.position for event in events for one in event.positions}
    return {name: value for name, value in cash.items() if value}, {
        name: value for name, value in positions.items() if value
    }


def owned(simulator: Simulator) -> tuple[dict[str, Decimal | None], dict[str, Decimal | None]]:
    cash = {name: (one.balance or 0) + (one.locked or 0) for name, one in held(simulator).items()}
    positions = simulator.exchange.desk.positions(simulator.keys[0].account)
    return {name: Decimal(value) for name, value in cash.items() if value}, {
        one.symbol: one.volume for one in positions if one.volume
    }


async def hear(client: WebSocketClient, wanted: Subscription, heard: list[Any]) -> None:
    await (await client.subscribe([wanted], heard.append)).live()


@pytest.mark.parametrize("way", ["abort", "drop", "freeze"])
def test_live_and_recovered_fills_together_are_what_the_exchange_has_in_its_books(way: str) -> None:
    heard: list[FillEvent] = []

    async def story(stage: Stage) -> None:
        async with stage.client(venue="okx", recover=True, session=QUICK, **KEY) as client:
            await hear(client, FILLS, heard)
            await stage.after(1)
            since_ms = stage.simulator.exchange.market.now_ms
            for _ in range(3):
                await stage.after(20)
                getattr(stage.simulator, way)(side="private")
                for _ in range(3):
                    buy(stage, **SWAP, price="70000", volume="2")
                    await stage.after(0.05)
            await stage.after(20)
            told, due = Counter(map(seen, heard)), executed(stage.simulator, since_ms)
            assert due <= told.keys() <= executed(stage.simulator)
            assert set(told.values()) == {1}
            recovered = [event for event in heard if event.recovered]
            assert len(recovered) >= 9
            assert all(event.received_ns and event.count == 1 for event in recovered)
            states = Counter(gap.state for gap in stage.told(Gap))
            assert states == {"filling": 3, "filled": 3}
            assert sum(gap.recovered for gap in stage.told(Gap) if gap.state == "filled") == len(recovered)
            order = [(event.timestamp, event.sequential_id) for event in recovered if event.symbol == "BTC-USDT-SWAP"]
            assert order == sorted(order)

    okx(story, customer=1.0)


def test_more_fills_than_a_page_has_are_missed() -> None:
    heard: list[FillEvent] = []

    async def story(stage: Stage) -> set[Execution]:
        async with stage.client(venue="okx", recover=True, **KEY) as client:
            buy(stage, price="70000", volume="0.0001", time_in_force="ioc")
            await hear(client, FILLS, heard)
            await stage.after(5)
            since_ms = stage.simulator.exchange.market.now_ms

            def trade() -> None:
                for _ in range(230):
                    buy(stage, price="70000", volume="0.0001", time_in_force="ioc")

            await away(stage, trade)
            return executed(stage.simulator, since_ms)

    due: set[Execution] = okx(story)
    assert len(due) >= 230
    assert Counter(map(seen, heard)) == dict.fromkeys(due, 1)
    assert all(event.recovered for event in heard)


def test_raw_of_a_recovered_fill_is_the_message_that_the_stream_would_have_sent() -> None:
    heard: list[FillEvent] = []

    async def story(stage: Stage) -> None:
        async with stage.client(venue="okx", recover=True, keep_raw=True, **KEY) as client:
            await hear(client, FILLS, heard)
            await stage.after(5)
            buy(stage, **SWAP, price="70000", volume="1")
            await stage.after(1)
            await away(stage, lambda: buy(stage, **SWAP, price="70000", volume="1"), seconds=10)

    okx(story)
    live, missed = heard[0], heard[-1]
    assert (live.recovered, missed.recovered) == (False, True)
    assert live.raw is not None
    assert missed.raw is not None
    assert missed.raw.startswith(b'{"arg":{"channel":"fills"},"data":[{')
    assert set(missed.raw.split(b'"')[9::4]) <= set(live.raw.split(b'"'))


def test_cash_and_positions_that_are_gone_are_told_and_nothing_twice() -> None:
    """The stream begins anew with what is held (A7.4): what is not held any more only REST's silence tells."""
    heard: list[BalanceAndPositionEvent] = []

    async def story(stage: Stage) -> None:
        async with stage.client(venue="okx", recover=True, **KEY) as client:
            await hear(client, BOTH, heard)
            await stage.after(5)
            buy(stage, **SWAP, price="70000", volume="3")
            await stage.after(5)
            assert standing(heard) == owned(stage.simulator)
            coins = held(stage.simulator)["BTC"].balance

            def sell() -> None:
                buy(stage, **SWAP, side="ask", price="50000", volume="3")
                stage.simulator.place_order("BTC-USDT", "ask", ord_type="market", volume=str(coins))

            await away(stage, sell, seconds=20)
            assert standing(heard) == owned(stage.simulator)
            [told] = [event for event in heard if event.recovered]
            assert [(one.currency, one.balance) for one in told.balances] == [("BTC", Decimal(0))]
            assert [(one.symbol, one.position) for one in told.positions] == [("BTC-USDT-SWAP", Decimal(0))]
            assert (told.event_type, told.trades) == (None, [])
            assert [gap.state for gap in stage.told(Gap)] == ["filling", "filled"]
            await away(stage, seconds=20)
            assert [event.recovered for event in heard].count(True) == 1, "nothing happened meanwhile"

    okx(story)


def test_without_a_line_fills_cash_and_positions_are_polled() -> None:
    fills: list[FillEvent] = []
    both: list[BalanceAndPositionEvent] = []

    async def story(stage: Stage) -> None:
        async with stage.client(venue="okx", recover=True, poll_after=10.0, backoff_cap=5.0, **KEY) as client:
            await hear(client, FILLS, fills)
            await hear(client, BOTH, both)
            await stage.after(30.5)
            stage.simulator.abort()
            buy(stage, "BTC-USDT-SWAP", price="70000", volume="3", time_in_force="ioc")
            await stage.after(30)
            assert fills
            assert {event.polled for event in fills} == {True}
            assert any(event.polled for event in both)
            assert standing(both) == owned(stage.simulator)
            await stage.after(120)
            assert Counter(map(seen, fills)) == dict.fromkeys(executed(stage.simulator), 1)
            assert standing(both) == owned(stage.simulator)

    okx(story, faults=("refuse:503@30x60",))


def test_over_a_restart_missed_fills_and_what_is_held_no_more_are_told(tmp_path: Path) -> None:
    async def story(lives: Lives) -> None:
        with lives.life(venue="okx", **KEY) as client:
            await (await client.subscribe([FILLS, BOTH], lives.hear)).live()
            lives.simulator.place_order("BTC-USDT-SWAP", "bid", price="70000", volume="3", time_in_force="ioc")
            await lives.after(10)
            before = len(lives.heard)
        sold = lives.simulator.place_order("BTC-USDT-SWAP", "ask", price="50000", volume="3", time_in_force="ioc")
        await lives.after(60)
        with lives.life(venue="okx", **KEY) as client:
            await (await client.subscribe([FILLS, BOTH], lives.hear)).live()
            await lives.after(10)
            news: list[Event] = [event for _, event in lives.heard[before:] if event.recovered]
            fills = [event for event in news if isinstance(event, FillEvent)]
            assert [(event.uuid, event.sequential_id) for event in fills] == [
                (order_id(sold.uuid), fill.trade) for fill in sold.fills
            ]
            both = [event for event in news if isinstance(event, BalanceAndPositionEvent)]
            assert [[one.position for one in event.positions] for event in both] == [[Decimal(0)]]
            assert {row.state for row in lives.rows()} == {"filled"}
        assert Counter(seen(event) for _, event in lives.heard if isinstance(event, FillEvent)) == dict.fromkeys(
            executed(lives.simulator), 1
        )

    play_lives(story, tmp_path / "cursor", venue="okx", markets=MARKETS, rate=0.5)


@pytest.mark.parametrize("seed", range(300, 300 + size(2, 60)))
def test_whenever_the_line_is_lost_each_fill_is_told_once_and_the_account_agrees(seed: int) -> None:
    fills: list[FillEvent] = []
    both: list[BalanceAndPositionEvent] = []
    draw = random.Random(seed)

    async def story(stage: Stage) -> None:
        async with stage.client(venue="okx", recover=True, session=QUICK, **KEY) as client:
            await hear(client, FILLS, fills)
            await hear(client, BOTH, both)
            await stage.after(1)
            since_ms = stage.simulator.exchange.market.now_ms
            for _ in range(12):
                await stage.after(draw.uniform(0.05, 8))
                way = draw.choice([stage.simulator.abort, stage.simulator.drop, stage.simulator.freeze, None])
                if way is not None:
                    way(side="private")
                for _ in range(draw.randrange(4)):
                    side, price = draw.choice([("bid", "70000"), ("ask", "50000")])
                    buy(stage, **SWAP, side=side, price=price, volume=str(draw.randrange(1, 4)))
                    await stage.after(draw.choice([0.0, 0.1, 0.3]))
            await stage.after(30)
            told = Counter(map(seen, fills))
            assert executed(stage.simulator, since_ms) <= told.keys() <= executed(stage.simulator)
            assert set(told.values()) <= {1}
            assert standing(both) == owned(stage.simulator)

    okx(story, seed=seed, customer=0.7)
