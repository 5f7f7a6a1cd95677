"""Virtual time: a day in no time, and no hanging."""

from __future__ import annotations

import asyncio
import time

import pytest

from tapewire.testing.clock import VirtualTimeLoop, elapse, run_virtual

_DAY = 86_400.0


def test_a_day_passes_in_no_time_and_the_wall_clock_goes_with_it() -> None:
    async def main() -> tuple[float, int]:
        loop = asyncio.get_running_loop()
        assert isinstance(loop, VirtualTimeLoop)
        began, wall = loop.time(), loop.wall_ns()
        await elapse(3 * _DAY)
        return loop.time() - began, loop.wall_ns() - wall

    real = time.monotonic()
    elapsed, wall = run_virtual(main())
    assert time.monotonic() - real < 5
    assert elapsed == pytest.approx(3 * _DAY)
    assert wall == pytest.approx(3 * _DAY * 1e9)


def test_timers_fire_in_the_order_of_their_moments_at_their_moments() -> None:
    async def main() -> list[float]:
        loop = asyncio.get_running_loop()
        fired: list[float] = []
        for delay in (7.0, 0.25, 3600.0, 1.5):
            loop.call_later(delay, lambda: fired.append(loop.time()))
        await elapse(4000)
        return fired

    assert run_virtual(main()) == pytest.approx([0.25, 1.5, 7.0, 3600.0])


def test_a_timer_is_never_early_so_that_waiting_for_the_rest_of_a_nanosecond_ends() -> None:
    async def wait_until(moment: float) -> int:
        """As many looks at the clock as it takes."""
        loop, looks = asyncio.get_running_loop(), 0
        while loop.time() < moment and looks < 10:
            looks += 1
            due = loop.create_future()
            loop.call_at(moment, due.set_result, None)
            await due
        return looks

    async def main() -> tuple[int, int]:
        moment = 59_204.335882028034
        await elapse(moment - 5e-10)
        first, second = await asyncio.gather(wait_until(moment), wait_until(moment + 4e-10))
        return first, second

    assert run_virtual(main()) == (1, 1)


def test_time_limits_work() -> None:
    async def main() -> float:
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(10):
                await asyncio.Event().wait()
        return asyncio.get_running_loop().time()

    assert run_virtual(main()) == pytest.approx(10)


def test_waiting_for_what_nothing_can_bring_is_an_error() -> None:
    async def main() -> None:
        await asyncio.Event().wait()

    with pytest.raises(RuntimeError, match="deadlock in virtual time"):
        run_virtual(main())


def test_threads_may_still_wake_the_loop() -> None:
    async def main() -> int:
        ready = asyncio.Event()
        asyncio.get_running_loop().call_soon_threadsafe(ready.set)
        await asyncio.sleep(0)
        await ready.wait()
        return 7

    assert run_virtual(main()) == 7


async def test_real_time_cannot_be_let_pass() -> None:
    with pytest.raises(RuntimeError, match=r"run this with run_virtual\(\)"):
        await elapse(0.001)
