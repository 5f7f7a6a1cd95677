"""The judge of an account finds a fill, a balance and a position that were not told, and nothing else."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Callable
from typing import Any

import pytest

from tapewire.model.events import Event
from tapewire.model.status import FeedEvent
from tapewire.testing.account_truth import AccountTruth
from tapewire.testing.cast import cast
from tests.client.okx_stage import KEY, away, buy, okx
from tests.client.stage import Stage

SWAP: dict[str, Any] = {"symbol": "BTC-USDT-SWAP", "time_in_force": "ioc"}


def judging(stage: Stage, hear: Callable[[Event], None] = lambda _: None) -> AccountTruth:
    return AccountTruth(cast("okx"), stage.simulator, random.Random(1).random, hear)


async def watch(stage: Stage, truth: AccountTruth, client: Any) -> None:
    def told(event: FeedEvent) -> None:
        truth.told(event)

    client.subscribe_feed(told)
    await truth.subscribe(client)
    await stage.after(5)


def test_what_is_told_agrees_while_the_account_trades() -> None:
    heard: list[Event] = []

    async def story(stage: Stage) -> None:
        truth = judging(stage, heard.append)
        async with stage.client(venue="okx", recover=True, **KEY) as client:
            await watch(stage, truth, client)
            assert truth.wrong == []
            buy(stage, **SWAP, price="70000", volume="3")
            buy(stage)
            await stage.after(5)
            assert truth.wrong == []
            assert truth.judged == 7, "USDT free, locked and in cash, BTC free and in cash, the position twice"
            assert truth.fills().made == len([event for event in heard if event.kind == "myFill"]) > 0
            assert (truth.fills().missed, truth.fills().twice) == ((), ())

    okx(story)


@pytest.mark.parametrize("recover", [True, False])
def test_what_was_closed_while_nobody_listened_is_wrong_until_it_is_told(recover: bool) -> None:
    async def story(stage: Stage) -> tuple[list[tuple[str, str]], int]:
        truth = judging(stage)
        async with stage.client(venue="okx", recover=recover, **KEY) as client:
            await watch(stage, truth, client)
            buy(stage, **SWAP, price="70000", volume="3")
            await stage.after(5)
            sold = await closing(stage)
            await truth.settle()
            assert len(truth.fills().missed) == (0 if recover else sold)
            return truth.wrong, sold

    async def closing(stage: Stage) -> int:
        sold: list[Any] = []
        await away(stage, lambda: sold.append(buy(stage, **SWAP, side="ask", price="50000", volume="3")), seconds=20)
        return len(sold[0].fills)

    wrong, sold = okx(story)
    assert sold > 0
    names = [("balanceAndPosition", "BTC-USDT-SWAP"), ("myPosition", "BTC-USDT-SWAP")]
    assert wrong == ([] if recover else names)


def test_contracts_are_bought_sold_and_closed() -> None:
    async def story(stage: Stage) -> set[str]:
        truth = AccountTruth(cast("okx"), stage.simulator, random.Random(1).random, lambda _: None)
        task = asyncio.create_task(truth.trade())
        seen: set[str] = set()
        for _ in range(120):
            await stage.after(60)
            held = stage.simulator.exchange.desk.positions(stage.simulator.keys[0].account)
            volume = sum(one.volume for one in held)
            seen.add("long" if volume > 0 else "short" if volume < 0 else "none")
        task.cancel()
        await asyncio.wait([task])
        assert task.cancelled()
        return seen

    assert okx(story) == {"long", "short", "none"}
