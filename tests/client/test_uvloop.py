"""A program on uvloop whose loop was late: a timer for a time that is past is a handle that knows no time."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable

import pytest
import uvloop

from tapewire import alerts
from tapewire.model.events import TradeEvent
from tapewire.runtime.clock import LoopClock

from .stage import Stage, check_account, play


class Bare(asyncio.Handle):
    """A timer that can be cancelled, and no more."""

    def __init__(self, timer: asyncio.Handle, loop: asyncio.AbstractEventLoop) -> None:
        super().__init__(print, (), loop)
        self._timer = timer

    def cancel(self) -> None:
        super().cancel()
        self._timer.cancel()


class BareClock(LoopClock):
    """Every timer is as those of uvloop are whose time is past."""

    def call_at(self, t: float, callback: Callable[[], None]) -> asyncio.Handle:
        return Bare(super().call_at(t, callback), self._loop)


def test_this_is_what_uvloop_gives() -> None:
    async def run() -> list[bool]:
        loop = asyncio.get_running_loop()
        timers = [loop.call_at(loop.time() + wait, print) for wait in (-1, 60)]
        for timer in timers:
            timer.cancel()
        return [hasattr(timer, "when") for timer in timers]

    assert uvloop.run(run()) == [False, True]


def test_nobody_asks_a_timer_for_its_time(caplog: pytest.LogCaptureFixture) -> None:
    async def story(stage: Stage) -> int:
        heard: list[TradeEvent] = []
        rang: list[alerts.Notice] = []
        async with stage.client(jitter=False) as client:
            await client.alerts([alerts.Down(1)], [rang.append])
            await (await client.subscribe_trade("KRW-BTC", heard.append)).live()
            await stage.after(20)
            stage.simulator.refuse(503, times=4)
            stage.simulator.abort()
            await stage.after(60)
            check_account(stage, "KRW-BTC", [*heard], len(stage.simulator.trades))
        assert [notice.over for notice in rang] == [False, True]
        return len(heard)

    with caplog.at_level(logging.WARNING):
        assert play(story, clock=BareClock) > 20
    assert [record.getMessage() for record in caplog.records if record.exc_info] == []
