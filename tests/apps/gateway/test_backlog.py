"""What waits for a slow client, and the way out to it, without sockets."""

from __future__ import annotations

import asyncio
from collections.abc import Hashable
from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from tapewire.apps.gateway.backlog import Backlog
from tapewire.apps.gateway.outlet import ROOM, Outlet, Pump
from tapewire.testing.clock import elapse, run_virtual

PUTS = st.lists(st.tuples(st.sampled_from([None, "a", "b", "c"]), st.integers(1, 40)), max_size=60)


@given(PUTS, st.integers(1, 200))
def test_the_newest_of_each_key_and_all_without_one_in_their_order(
    puts: list[tuple[str | None, int]], room: int
) -> None:
    backlog, model = Backlog(), list[tuple[Hashable, bytes]]()
    conflated = 0
    for number, (key, size) in enumerate(puts):
        message = b"%d" % number + b"." * size
        before = len(model)
        model = [one for one in model if key is None or one[0] != key]
        conflated += before - len(model)
        model.append((key, message))
        backlog.put(key, message, float(number))
    assert len(backlog) == len(model)
    assert backlog.conflated == conflated
    taken: list[bytes] = []
    while len(backlog):
        lot = backlog.take(room)
        assert lot
        assert sum(map(len, lot[:-1])) < room
        taken += lot
    assert taken == [message for _, message in model]
    assert not backlog.is_over(1e9, 0)


@given(st.lists(st.integers(1, 400), max_size=20), st.integers(0, 2000))
def test_over_its_bytes(sizes: list[int], unsent: int) -> None:
    backlog = Backlog(size=1000, seconds=5.0)
    for size in sizes:
        backlog.put(None, b"." * size, 0.0)
    assert backlog.is_over(0.0, unsent) == (sum(sizes) + unsent > 1000)


def test_over_its_seconds_counts_from_the_oldest() -> None:
    backlog = Backlog(seconds=5.0)
    backlog.put("ticker", b"1", 0.0)
    backlog.put(None, b"trade", 3.0)
    backlog.put("ticker", b"2", 4.0)  # it gave way: the oldest is of 3.0
    assert not backlog.is_over(8.0, 0)
    assert backlog.is_over(8.1, 0)


def test_what_is_sent_again_may_be_more_than_usual_until_all_is_taken() -> None:
    backlog = Backlog(size=10)
    backlog.allowed = 100
    backlog.put(None, b"." * 50, 0.0)
    assert not backlog.is_over(0.0, 60)
    assert backlog.is_over(0.0, 61)
    backlog.take(1000)
    assert not backlog.is_over(0.0, 5)
    assert not backlog.is_over(0.0, 0)
    assert backlog.allowed == 0


class Far:
    """A client's end: what it got, and how much of it lies unsent."""

    def __init__(self) -> None:
        self.got: list[bytes] = []
        self.lying = 0
        self.was_cut = False

    def write(self, data: bytes) -> None:
        self.got.append(data)

    def unsent(self) -> int:
        return self.lying

    def cut(self) -> None:
        self.was_cut = True


def test_what_one_turn_brings_goes_out_in_one_write() -> None:
    async def story() -> None:
        pump, far = Pump(), Far()
        outlet = Outlet(far, "websocket", pump, Backlog())
        for text in (b"a", b"b", b"c"):
            outlet.put("k", text)
        await asyncio.sleep(0)
        assert far.got == [b"abc"]
        assert (outlet.sent, pump.sent, outlet.conflated) == (3, 3, 0)

    run_virtual(story())


def test_a_client_that_stops_gets_the_newest_and_every_trade_when_it_goes_on() -> None:
    async def story() -> None:
        pump, far = Pump(), Far()
        outlet = Outlet(far, "websocket", pump, Backlog(seconds=5.0))
        far.lying = ROOM + 1
        outlet.put(None, b"first")
        await asyncio.sleep(0)
        for number in range(10):
            outlet.put("ticker", b"t%d" % number)
            outlet.put(None, b"trade%d" % number)
        await elapse(2.0)
        assert far.got == [b"first"]
        far.lying = 0
        await elapse(0.2)
        assert b"".join(far.got[1:]) == b"".join(b"trade%d" % n for n in range(9)) + b"t9trade9"
        assert outlet.conflated == 9
        outlet.put("ticker", b"at once")
        await asyncio.sleep(0)
        assert far.got[-1] == b"at once"
        assert not far.was_cut

    run_virtual(story())


def test_a_client_that_stays_away_is_cut_after_its_seconds_and_nobody_else() -> None:
    async def story() -> None:
        pump, slow, good = Pump(), Far(), Far()
        outlets = [Outlet(far, "websocket", pump, Backlog(seconds=5.0)) for far in (slow, good)]
        slow.lying = ROOM + 1
        for _ in range(60):
            for outlet in outlets:
                outlet.put(None, b"trade")
            await elapse(0.1)
        assert slow.was_cut
        assert not good.was_cut
        assert b"".join(good.got) == b"trade" * 60
        assert (pump.cut, outlets[0].closed) == (1, True)
        outlets[0].put(None, b"more")
        await elapse(1.0)
        assert slow.got == [b"trade"]
        pump.close()

    run_virtual(story())


def test_a_client_over_its_bytes_is_cut_at_the_next_look() -> None:
    async def story() -> None:
        pump, far = Pump(), Far()
        outlet = Outlet(far, "websocket", pump, Backlog(size=200_000))
        far.lying = ROOM + 1
        for _ in range(4):
            outlet.put(None, b"." * 60_000)
            await asyncio.sleep(0)
        await elapse(0.1)
        assert far.was_cut
        pump.close()

    run_virtual(story())


def test_an_interval_brings_the_newest_once_and_trades_at_once() -> None:
    async def story() -> None:
        pump, far = Pump(), Far()
        loop = asyncio.get_running_loop()
        outlet = Outlet(far, "websocket", pump, Backlog())
        outlet.interval = 1.0
        times: list[float] = []
        for number in range(50):
            before = len(far.got)
            outlet.put("ticker", b"t%d" % number)
            if number % 10 == 0:
                outlet.put(None, b"trade")
                await asyncio.sleep(0)
                assert far.got[-1] == b"trade"
            await elapse(0.1)
            times += [loop.time() for one in far.got[before:] if b"t" in one and b"trade" not in one]
        assert 4 <= len(times) <= 6
        assert all(late - early >= 0.89 for early, late in pairwise(times))
        outlet.close()
        outlet.close()
        assert pump.conflated == outlet.conflated > 30
        pump.close()

    run_virtual(story())
