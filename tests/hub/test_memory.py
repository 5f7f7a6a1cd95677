"""What a subscription costs in memory (RELIABILITY P9: at most 64 kB), however long it runs."""

from __future__ import annotations

import gc
import tracemalloc

import pytest

from tapewire.hub.listening import REMEMBERED_TRADES, Listener
from tapewire.hub.router import Router
from tapewire.model.events import Event, TickerEvent, TradeEvent
from tapewire.model.subscription import Subscription
from tests.hub.made_up import CLASSES

STREAMS = 20
ALLOWED = 64 * 1024


def no_failure(*_: object) -> None:
    raise AssertionError("no callback raises here")


def message(kind: str, symbol: str, number: int) -> Event:
    """Ids as large as the exchange's, each an object of its own."""
    if kind == "trade":
        return TradeEvent(
            venue="upbit", symbol=symbol, stream_type="REALTIME", timestamp=number, sequential_id=17 * 10**15 + number
        )
    return TickerEvent(venue="upbit", symbol=symbol, stream_type="REALTIME", timestamp=1_790_000_000_000 + number)


@pytest.mark.parametrize(("kind", "holes"), [("trade", 0), ("trade", 1), ("ticker", 0)])
def test_a_stream_costs_at_most_64_kb_after_thousands_of_messages(kind: str, holes: int) -> None:
    gc.collect()
    tracemalloc.start()
    try:
        router = Router(CLASSES, no_failure)
        symbols = [f"KRW-{number:04}" for number in range(STREAMS)]
        for symbol in symbols:
            stream = router.add(Subscription(kind, symbol), Listener("me", lambda _event: None, "both"))
            for _ in range(holes):
                router.hole(stream)
        before = 0
        for count in (REMEMBERED_TRADES, 2 * REMEMBERED_TRADES):
            for number in range(before, count):
                for symbol in symbols:
                    router.deliver(message(kind, symbol, number), no_failure)
            before = count
            if holes and count == REMEMBERED_TRADES:
                break
        size, _ = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert size / STREAMS < ALLOWED * (1 + 2 * holes)  # while a hole is filled, ids stand in a set beside
