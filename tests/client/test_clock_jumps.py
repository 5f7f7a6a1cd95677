"""The wall clock jumps by an hour to and fro (RELIABILITY D8): no line is lost for it, no trade, no storm follows."""

from __future__ import annotations

import random

import pytest

from tapewire.model.events import TradeEvent
from tapewire.model.status import Gap
from tapewire.testing.oracle import Account, account
from tests.client.stage import Stage, play
from tests.sizes import size

HOUR_NS = 3600 * 10**9
FAULTS = ("drop@300/900", "freeze@700/1800", "abort@1100/2000", "silence@2500/4000", "refuse:429@1000/1000x3")


def trial(seed: int, *, jumps: bool) -> tuple[list[float], Account]:
    """Two hours; each dial's moment on the exchange's clock, and what became of each trade."""
    chance = random.Random(seed)

    async def story(stage: Stage) -> tuple[list[float], Account]:
        heard: list[TradeEvent] = []
        offset = 0
        steady = stage.loop.wall_ns
        stage.manager.clock.wall_ns = lambda: steady() + offset  # type: ignore[method-assign]
        async with stage.client(recover=True) as client:
            await client.subscribe_trade(["KRW-BTC", "KRW-ETH"], heard.append)
            for _ in range(72):
                await stage.after(100 * chance.random())
                offset = chance.choice((-HOUR_NS, 0, HOUR_NS, 10**9)) * jumps
            stage.simulator.exchange.faults.due(1e9)  # no more of them
            await stage.after(900)
            made = stage.simulator.trades
            await stage.after(15)
        return stage.simulator.connects, account(made, heard, stage.told(Gap))

    return play(story, seed=seed, rate=1.5, markets=("KRW-BTC", "KRW-ETH"), faults=FAULTS)


@pytest.mark.parametrize("seed", range(size(1, 200)))
def test_the_dials_are_those_of_a_steady_clock_and_every_trade_is_delivered_once(seed: int) -> None:
    dials, found = trial(seed, jumps=True)
    assert (found.lost, found.doubled) == ((), ())
    assert found.recovered > 0
    assert dials == trial(seed, jumps=False)[0]
