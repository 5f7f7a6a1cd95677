"""A stream that grows and shrinks while it is iterated, and goes on where somebody else's ended."""

from __future__ import annotations

import asyncio

import pytest

from tapewire import Subscription, SubscriptionError
from tapewire.client.open_stream import OpenStream
from tapewire.model.events import TradeEvent
from tapewire.model.reached import Reached
from tapewire.model.status import Gap
from tests.client.stage import Stage, play

TRADES = Subscription("trade", "KRW-BTC")


async def listen(stream: OpenStream, heard: list[TradeEvent]) -> None:
    async for item in stream:
        heard += [item] if isinstance(item, TradeEvent) else []


def test_streams_come_and_go() -> None:
    async def story(stage: Stage) -> None:
        heard: list[TradeEvent] = []
        async with stage.client() as client:
            stream = client.open_stream()
            listening = asyncio.create_task(listen(stream, heard))
            await stage.turns()
            assert (stream.subscriptions, stream.live) == ((), frozenset())
            await stream.add([TRADES, Subscription("trade", "KRW-ETH")])
            await stage.after(20)
            assert stream.live == {TRADES, Subscription("trade", "KRW-ETH")}
            await stream.remove(["KRW-BTC", "KRW-XRP"])
            gone = len(heard)
            await stage.after(20)
            assert stream.subscriptions == (Subscription("trade", "KRW-ETH"),)
            assert {one.symbol for one in heard[gone:]} == {"KRW-ETH"}
            await stream.remove(["KRW-ETH"])  # of nothing it goes on
            await stream.add([TRADES])
            await stage.after(20)
            assert heard[-1].symbol == "KRW-BTC"
            await stream.aclose()
            await listening

    play(story)


def test_what_was_missed_since_somebody_else_ended_is_filled() -> None:
    async def story(stage: Stage) -> None:
        heard: list[TradeEvent] = []
        async with stage.client(recover=True) as client:
            await stage.after(60)
            made = [one for one in stage.simulator.trades if one.symbol == "KRW-BTC"]
            before, last = made[:-10], made[-11]
            reached = Reached(
                TRADES, (last.timestamp or 0) * 1_000_000, last.timestamp,
                tuple(one.sequential_id for one in before[-30:] if one.sequential_id is not None),
            )  # fmt: skip
            stream = client.open_stream(news_only=["trade"])
            listening = asyncio.create_task(listen(stream, heard))
            await stream.add([TRADES], [reached])
            await stage.after(30)
            await stream.aclose()
            await listening
        after = [one.sequential_id for one in stage.simulator.trades if one.symbol == "KRW-BTC"][len(before) :]
        found = [one.sequential_id for one in heard]
        assert found == after[: len(found)]
        assert len(found) > 10
        rows = [gap for gap in stage.told(Gap) if gap.cause == "restart"]
        assert [row.state for row in rows][-1] == "filled"

    play(story)


def test_what_was_expected_of_a_stream_that_cannot_be_had_is_forgotten() -> None:
    async def story(stage: Stage) -> None:
        unknown = Subscription("trade", "KRW-NONE")
        async with stage.client() as client:
            stream = client.open_stream()
            with pytest.raises(SubscriptionError, match="KRW-NONE"):
                await stream.add([unknown], [Reached(unknown, 1)])
            assert stream.subscriptions == ()

    play(story)
