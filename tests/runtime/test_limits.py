"""Gates that several threads pass at once: never a grant too many."""

from __future__ import annotations

import sys
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest

from tapewire.runtime.limits import SharedGate, shared_gate
from tapewire.session.gate import Gate
from tapewire.session.limits import Limits
from tapewire.venues.contract import Window
from tapewire.venues.registry import get_venue

THREADS = 8
LIMIT = Window(100, 60.0)


@pytest.fixture(autouse=True)
def _many_switches() -> Iterator[None]:
    """Threads take turns as often as they can."""
    before = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)
    yield
    sys.setswitchinterval(before)


def test_of_many_who_come_at_once_as_many_get_through_as_the_limit_says() -> None:
    shared = SharedGate([LIMIT], 0.0)
    together = threading.Barrier(THREADS)

    def come(_: int) -> int:
        own = Gate([], 0.0, shared)
        together.wait(10)
        return sum(own.take(t / 100) for t in range(100))

    with ThreadPoolExecutor(THREADS) as threads:
        assert sum(threads.map(come, range(THREADS))) == LIMIT.count


def test_grants_come_one_after_the_other_and_asking_meanwhile_is_safe() -> None:
    shared = SharedGate([Window(1, 1.0)], 0.0)
    together = threading.Barrier(THREADS)

    def come(_: int) -> list[float]:
        together.wait(10)
        times = []
        for _ in range(50):
            t = shared.next_at(0.0)
            while not shared.take(t):
                t = shared.next_at(t)
            times.append(t)
            assert 0.0 <= shared.spent(0.0) <= 1.0
            assert [left for _, left in shared.left(0.0)] == [0]
            assert shared.next_at(0.0) > times[-1]
        return times

    with ThreadPoolExecutor(THREADS) as threads:
        reserved = sorted(t for times in threads.map(come, range(THREADS)) for t in times)
    assert reserved == [float(n) for n in range(50 * THREADS)]


def test_every_limit_of_an_address_can_be_shared() -> None:
    limits = Limits(get_venue("upbit").facts, shared_gate)
    gates = [limits.messages, limits.connects(), limits.connects("me"), *(gate for _, gate in limits.rest_gates())]
    assert ({type(gate) for gate in gates}, len(gates)) == ({SharedGate}, 8)
