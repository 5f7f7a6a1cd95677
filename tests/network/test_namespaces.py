"""RELIABILITY N1, N5: the real client over a cable that is pulled, and a lossy one; figures with ``pytest -s``."""

from __future__ import annotations

import asyncio
import shutil
import time
from collections import Counter
from collections.abc import Callable
from typing import Any

import pytest

from tapewire import WebSocketClient
from tapewire.model.events import TradeEvent
from tapewire.model.status import Disconnected, FeedEvent, Gap, Recovered
from tests.network.namespace import Cable, exchange, for_seconds, why_not
from tests.sizes import NIGHTLY, figure, size

pytestmark = pytest.mark.skipif(bool(why := why_not()), reason=why)
QUICK = {"ping_interval": 1.0, "ping_timeout": 1.0, "backoff_cap": 2.0}


class Witness:
    """What one client hears, and when."""

    def __init__(self) -> None:
        self.trades: list[TradeEvent] = []
        self.feed: list[tuple[float, FeedEvent]] = []
        self._news = asyncio.Event()

    def hear(self, trade: TradeEvent) -> None:
        self.trades.append(trade)
        self._news.set()

    def told(self, event: FeedEvent) -> None:
        self.feed.append((asyncio.get_running_loop().time(), event))
        self._news.set()

    async def until(self, holds: Callable[[], object], seconds: float) -> None:
        """Wait for it."""
        async with asyncio.timeout(seconds):
            while not holds():
                self._news.clear()
                await self._news.wait()

    def when(self, kind: type[FeedEvent], since: float, **facts: Any) -> float | None:
        """When the first event of this kind came since then."""
        return next(
            (at for at, event in self.feed if at >= since and isinstance(event, kind)
             and all(getattr(event, name) == value for name, value in facts.items())),
            None,
        )  # fmt: skip

    @property
    def reconnects(self) -> int:
        return sum(isinstance(event, Disconnected) and event.loss.cause != "stopped" for _, event in self.feed)


async def judge(cable: Cable, witness: Witness) -> int:
    """P1 and P2 against the exchange's own record, of a line that goes on; returns how many trades there were.

    Owed is what was executed after the snapshot was published, so that it was published later; ids do not tell that.
    The line keeps its order: when it brings what was published after the record was read, it has brought the record.
    """
    begin = witness.trades[0]
    assert begin.stream_type == "SNAPSHOT"
    made = await asyncio.to_thread(cable.made, min(trade.sequential_id or 0 for trade in witness.trades))
    read_ms = time.time_ns() // 1_000_000
    await witness.until(lambda: not (one := witness.trades[-1]).recovered and (one.timestamp or 0) > read_ms, 60)
    heard = Counter(trade.sequential_id for trade in witness.trades)
    assert [number for number, count in heard.items() if count > 1] == []
    owed = {number for number, executed_ms in made.items() if executed_ms > (begin.timestamp or 0)}
    assert len(owed) > 10
    assert owed - heard.keys() == set()
    return len(heard)


def settled(witness: Witness) -> bool:
    """No gap is open or being filled."""
    rows = {(gap.subscription, gap.from_ns): gap.state for _, gap in witness.feed if isinstance(gap, Gap)}
    return not {"open", "filling", "unfilled"} & set(rows.values())


async def test_n1_a_cable_that_is_pulled_and_plugged_in_again() -> None:
    away, loop = size(4, 60), asyncio.get_running_loop()
    witness = Witness()
    with exchange(rate=40.0) as cable:
        async with WebSocketClient("n1", url=cable.url, **QUICK) as client:  # type: ignore[arg-type]
            client.subscribe_feed(witness.told)
            await client.subscribe_trade("KRW-BTC", witness.hear)
            await witness.until(lambda: len(witness.trades) > 10, 20)
            pulled = loop.time()
            cable.pull()
            await witness.until(lambda: witness.when(Disconnected, pulled), 10)
            seen = (witness.when(Disconnected, pulled) or 0) - pulled
            await for_seconds(away - seen)
            plugged = loop.time()
            cable.plug()
            await witness.until(lambda: witness.when(Recovered, plugged), 30)
            back = (witness.when(Recovered, plugged) or 0) - plugged
            await witness.until(lambda: settled(witness) and witness.when(Gap, plugged, state="filled"), 60)
            count = len(witness.trades)
            await witness.until(lambda: len(witness.trades) > count + 10, 20)
            count = await judge(cable, witness)
    recovered = sum(trade.recovered for trade in witness.trades)
    figure(f"N1: pulled {away} s: noticed {seen:.2f} s, data {back:.2f} s after; {recovered} of {count} recovered")
    assert seen <= 2.1 + 0.9, "ping idle and time-out are 1 s each; the rest is this machine"
    assert back <= 5.0
    assert recovered > 0


@pytest.mark.skipif(not NIGHTLY, reason="nightly: takes five minutes")
@pytest.mark.skipif(shutil.which("iptables-legacy") is None, reason="needs iptables-legacy (Debian: iptables)")
async def test_n5_a_fifth_of_all_packets_lost_for_five_minutes() -> None:
    witness = Witness()
    with exchange(rate=40.0) as cable:
        async with WebSocketClient("n5", url=cable.url) as client:
            client.subscribe_feed(witness.told)
            await client.subscribe_trade("KRW-BTC", witness.hear)
            await witness.until(lambda: len(witness.trades) > 10, 20)
            cable.lose(0.2)
            await for_seconds(300)
            cable.lose_nothing()
            count = len(witness.trades)
            await witness.until(lambda: len(witness.trades) > count + 50, 120)
            await witness.until(lambda: settled(witness), 120)
            count = await judge(cable, witness)
    figure(f"N5: {count} trades, {witness.reconnects} reconnects")
    assert witness.reconnects <= 20
