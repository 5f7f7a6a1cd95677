"""Who brings stands still for who writes, as long as that is of use."""

from __future__ import annotations

import threading

import pytest

from tapewire.tape import right_of_way
from tapewire.tape.right_of_way import GIVE_WAY, GO_ON, GO_ON_MOST, RightOfWay


class Clock:
    """A clock that somebody moves."""

    def __init__(self) -> None:
        self.now = 1_786_611_600 * 10**9

    def __call__(self) -> int:
        return self.now

    def pass_by(self, seconds: float) -> None:
        self.now += int(seconds * 1e9)


def test_nobody_stands_still_while_nothing_is_written() -> None:
    assert RightOfWay().give(60)


def test_who_gives_way_goes_on_when_all_is_written() -> None:
    way = RightOfWay()
    way.begin()
    writer = threading.Timer(0.05, way.end)
    writer.start()
    assert way.give(60)
    writer.join()


def test_it_is_no_use_when_the_other_waits_for_a_disk() -> None:
    way = RightOfWay()
    way.begin()
    assert not way.give(0.05)


def test_it_is_of_use_when_the_other_works_though_it_does_not_come_to_an_end() -> None:
    way, stop = RightOfWay(), threading.Event()

    def work() -> None:
        while not stop.is_set():
            pass

    writer = threading.Thread(target=work)
    way.begin()
    writer.start()
    try:
        assert any(way.give(0.2) for _ in range(50))  # it may not have a core at once
    finally:
        stop.set()
        writer.join()


def test_it_goes_on_for_as_long_as_it_stood_still_at_most() -> None:
    clock = Clock()
    way = RightOfWay()
    assert way.give_at_times(clock)
    clock.pass_by(GIVE_WAY / 2)
    assert way.give_at_times(clock) is None
    clock.pass_by(GIVE_WAY / 2 + 0.001)
    assert way.give_at_times(clock)
    clock.pass_by(-3600)  # somebody set it
    assert way.give_at_times(clock)


def test_what_is_of_no_use_is_done_ever_more_seldom(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(right_of_way, "GIVE_WAY", 0.001)
    clock = Clock()
    way = RightOfWay()
    way.begin()
    tries = 0
    for _ in range(10_000):  # of a hung disk
        clock.pass_by(0.001)
        tries += way.give_at_times(clock) is not None
    assert tries <= 14, "of ten seconds"
    way.end()
    clock.pass_by(GO_ON_MOST)
    assert way.give_at_times(clock)
    clock.pass_by(GO_ON + 0.001)
    assert way.give_at_times(clock)
