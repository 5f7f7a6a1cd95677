"""Signs of life of a simulated exchange, in virtual time: only they count, and nothing is subscribed."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator
from contextlib import aclosing
from typing import Any

import pytest

from tapewire.client import Sign, probe
from tapewire.errors import ConfigError, ConnectFailed, FeedError, LineLost, Rejected, TimedOut, UnknownName
from tapewire.sim.scenario import Scenario
from tapewire.sim.server import Simulator
from tapewire.testing.clock import VirtualTimeLoop, run_virtual


def signs_of(simulator: Simulator, **how: Any) -> AsyncGenerator[Sign, None]:
    loop = asyncio.get_running_loop()
    assert isinstance(loop, VirtualTimeLoop)
    return probe(line_factory=simulator.lines(), wall_ns=loop.wall_ns, **how)


async def first(simulator: Simulator, count: int, **how: Any) -> list[Sign]:
    """So many signs, then the line is closed."""
    found: list[Sign] = []
    async with aclosing(signs_of(simulator, **how)) as signs:
        async for sign in signs:
            found.append(sign)
            if len(found) == count:
                break
    return found


def told(signs: list[Sign]) -> list[tuple[str, float]]:
    return [(sign.kind, round(sign.seconds, 3)) for sign in signs]


def test_the_text_is_answered_at_once_and_then_every_ten_seconds() -> None:
    async def story() -> None:
        simulator = Simulator(Scenario(markets=("KRW-BTC",)))
        found = await first(simulator, 4)
        assert told(found[1:]) == [("up", 0.0), ("up", 10.0), ("up", 10.0)]
        assert (found[0].kind, found[0].url) == ("connected", "wss://api.upbit.com/websocket/v1")
        assert [sent.payload for sent in simulator.requests] == [b"PING"]
        assert (simulator.connected, simulator.violations) == (0, [])
        await simulator.stop()

    run_virtual(story())


def test_frames_are_answered_one_by_one_with_a_pause_between() -> None:
    async def story() -> None:
        simulator = Simulator(Scenario(markets=("KRW-BTC",)))
        began = asyncio.get_running_loop().time()
        found = await first(simulator, 4, text=False, interval=2.0)
        assert told(found[1:]) == [("pong", 0.0)] * 3
        assert asyncio.get_running_loop().time() - began >= 4.0
        assert simulator.requests == []
        await simulator.stop()

    run_virtual(story())


def test_what_comes_late_is_told_with_its_time() -> None:
    async def story() -> None:
        simulator = Simulator(Scenario(markets=("KRW-BTC",), faults=("slow:0.5",)))
        found = await first(simulator, 2)
        assert told(found[1:]) == [("up", 0.5)]
        await simulator.stop()

    run_virtual(story())


def test_data_and_garbage_are_no_signs_of_life() -> None:
    async def story() -> None:
        simulator = Simulator(Scenario(markets=("KRW-BTC",)))
        async with aclosing(signs_of(simulator)) as signs:
            found = [await anext(signs) for _ in range(2)]
            for payload in (b"UP", b'{"status":"DOWN"}', b'{"type":"trade","code":"KRW-BTC","trade_price":1.0}'):
                simulator.inject(payload)
            found.append(await anext(signs))
        assert told(found[1:]) == [("up", 0.0), ("up", 10.0)]
        await simulator.stop()

    run_virtual(story())


@pytest.mark.parametrize("text", [True, False])
def test_no_sign_in_time_is_a_time_out(text: bool) -> None:
    async def story() -> None:
        simulator = Simulator(Scenario(markets=("KRW-BTC",)))
        async with aclosing(signs_of(simulator, text=text, timeout=5.0)) as signs:
            assert (await anext(signs)).kind == "connected"
            simulator.freeze()
            with pytest.raises(TimedOut, match="upbit: a sign of life: no answer within 5 s"):
                await anext(signs)
        await simulator.stop()

    run_virtual(story())


@pytest.mark.parametrize("text", [True, False])
def test_a_line_that_ends_says_how(text: bool) -> None:
    async def story() -> None:
        simulator = Simulator(Scenario(markets=("KRW-BTC",)))
        async with aclosing(signs_of(simulator, text=text)) as signs:
            found = [await anext(signs) for _ in range(2)]
            simulator.drop(1001, "going away")
            with pytest.raises(LineLost, match=r"closed \(1001 going away\)"):
                await anext(signs)
        assert len(found) == 2
        await simulator.stop()

    run_virtual(story())


def test_an_error_of_the_exchange_is_raised_in_its_words() -> None:
    async def story() -> None:
        simulator = Simulator(Scenario(markets=("KRW-BTC",)))
        async with aclosing(signs_of(simulator)) as signs:
            await anext(signs)
            await anext(signs)
            simulator.inject(b'{"error":{"name":"INVALID_AUTH","message":"who are you?"}}')
            with pytest.raises(Rejected, match=r"upbit refused: INVALID_AUTH: who are you\?"):
                await anext(signs)
        await simulator.stop()

    run_virtual(story())


@pytest.mark.parametrize(
    ("how", "kind", "words"),
    [
        ({"timeout": 0}, ConfigError, "timeout is 0"),
        ({"interval": -1}, ConfigError, "interval is -1"),
        ({"venue": "upbitt"}, UnknownName, "no venue is called 'upbitt'"),
        ({"url": "http://x"}, ConfigError, "url is 'http://x'; it must be a ws:// or wss:// address"),
        ({}, ConnectFailed, "refused .503"),
    ],
)
def test_what_cannot_be_is_named(how: dict[str, Any], kind: type[FeedError], words: str) -> None:
    async def story() -> None:
        simulator = Simulator(Scenario(markets=("KRW-BTC",)))
        simulator.refuse(503)
        with pytest.raises(kind, match=words):
            await anext(signs_of(simulator, **how))
        await simulator.stop()

    run_virtual(story())
