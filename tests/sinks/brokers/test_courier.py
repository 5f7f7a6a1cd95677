"""The engine of the broker sinks in virtual time, before brokers that real servers are hardly made to be."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Sequence
from pathlib import Path

import pytest

from tapewire.model.events import TradeEvent
from tapewire.sinks.brokers.courier import Courier
from tapewire.sinks.brokers.letters import Message, Writer
from tapewire.sinks.brokers.link import Away, Verdict
from tapewire.sinks.brokers.options import BrokerOptions
from tapewire.testing.clock import elapse, run_virtual

WRITER = Writer("event", "md")


class TakesNothing:
    """A broker that lets everybody in, and then cannot store, until ``mended``; or is ``gone``."""

    in_order = False

    def __init__(self) -> None:
        self.mended = self.gone = False
        self.tries: list[float] = []
        self.stored: list[str] = []

    async def connect(self) -> None:
        self.tries.append(asyncio.get_running_loop().time())
        if self.gone:
            raise Away("nobody answers")

    async def send(self, group: Sequence[Message]) -> Sequence[Verdict]:
        if not self.mended:
            raise Away("it cannot store")
        self.stored += [message.id for message in group]
        return [None] * len(group)

    async def close(self) -> None:
        pass


async def confirmed(courier: Courier, count: int) -> None:
    async with asyncio.timeout(2.1):
        while courier.figures.confirmed < count:
            await elapse(0.01)


def test_a_broker_that_lets_in_and_takes_nothing_is_asked_ever_more_rarely_and_does_not_fill_the_log(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    broker = TakesNothing()
    letters = [WRITER.letter(TradeEvent(venue="upbit", symbol="KRW-BTC", sequential_id=one)) for one in range(3)]

    async def work() -> None:
        courier = Courier(broker, "nowhere", BrokerOptions(spool=str(tmp_path / "spool")))
        await courier.open()
        await courier.take(letters)
        await courier.settled()  # safe on disk
        assert (broker.stored, courier.figures.spooled > 0) == ([], True)
        await elapse(60)
        assert len(broker.tries) <= 37
        assert courier.figures.away == "it cannot store"
        broker.gone = True
        await elapse(10)
        broker.gone = False
        await elapse(10)
        broker.mended = True
        await confirmed(courier, 3)
        assert courier.figures.away == ""
        broker.mended = False
        again = len(broker.tries)
        await courier.take(letters)
        await elapse(0.35)
        assert len(broker.tries) == again + 2, "it was of use in between: it is asked soon again"
        broker.mended = True
        await confirmed(courier, 6)
        await courier.close()

    with caplog.at_level(logging.WARNING, "tapewire.sinks"):
        run_virtual(work())
    assert broker.stored == [f"upbit|trade|KRW-BTC|{number}" for number in range(3)] * 2
    each = [
        f"nowhere {said}"
        for seconds in (0.1, 0.2, 0.4)
        for said in ("is away: it cannot store", f"is back after {seconds} s")
    ]
    assert [record.getMessage() for record in caplog.records] == [
        *each, "nowhere is lost again and again: it cannot store; tried every 2 s",
        "nowhere is away: nobody answers", "nowhere is back after 12.0 s",
        "nowhere is mended: it stores again", *each,
    ]  # fmt: skip
