"""A client sees what is left of the exchange's limits, and hears of a refusal over them."""

from __future__ import annotations

import pytest

from tapewire.client.standing import LimitStatus
from tapewire.errors import HttpFailed
from tapewire.model.events import Event
from tapewire.model.status import Limited
from tapewire.profiles import STRATEGIES, profile
from tests.client.stage import Stage, play


def test_what_is_left_and_how_long_the_next_waits_can_be_seen() -> None:
    async def story(stage: Stage) -> None:
        heard: list[Event] = []
        client = stage.client()
        await client.subscribe_trade("KRW-BTC", heard.append)
        for _ in range(9):
            await client.markets()
        left = client.get_rate_limiter_status()
        assert left["connects"] == [LimitStatus(5, 1.0, 4)]
        rest = {one.group: one for one in left["rest_calls"]}
        assert rest["market"].left == 0
        assert 0.9 < rest["market"].wait <= 1.001
        assert rest["candles"] == LimitStatus(10, 1.0, 10, "candles")
        await stage.after(2)
        assert {one.wait for one in client.get_rate_limiter_status()["rest_calls"]} == {0.0}
        await client.cleanup()

    play(story)


def test_a_refused_call_and_a_refused_dial_are_told() -> None:
    async def story(stage: Stage) -> None:
        heard: list[Event] = []
        client = stage.client()
        for _ in range(10):  # somebody else at this address
            await stage.simulator.http().get("http://x/v1/market/all", timeout=1)
        with pytest.raises(HttpFailed, match="429"):
            await client.markets()
        stage.simulator.refuse(418, [("Retry-After", "45")])
        began = stage.simulator.now
        handle = await client.subscribe_trade("KRW-BTC", heard.append)
        await handle.live(60)
        assert stage.simulator.now - began >= 45
        told = [(one.group, one.status, round(one.seconds)) for one in stage.told(Limited)]
        assert told == [("market", 429, 1), ("websocket-connect", 418, 45)]
        await client.cleanup()
        stage.simulator.exchange.violations.clear()  # the other's

    play(story)


def test_others_at_the_same_address_are_seen_in_what_the_exchange_says_is_left() -> None:
    async def story(stage: Stage) -> None:
        client = stage.client()
        for _ in range(8):
            await stage.simulator.http().get("http://x/v1/market/all", timeout=1)
        for _ in range(5):
            await client.markets()
        assert stage.simulator.violations == []
        assert stage.told(Limited) == []
        await client.cleanup()

    play(story)


@pytest.mark.parametrize("strategy", STRATEGIES)
def test_a_strategy_decides_how_soon_to_come_back_and_never_loosens_a_limit(strategy: str) -> None:
    async def story(stage: Stage) -> None:
        heard: list[Event] = []
        client = stage.client(options=profile("production", strategy=strategy, recover=False))
        await client.subscribe_trade("KRW-BTC", heard.append)
        for _ in range(40):
            stage.simulator.drop(1001)
            await stage.after(1)
        assert stage.simulator.violations == []
        await client.cleanup()

    play(story)
