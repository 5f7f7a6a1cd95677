"""Conversations with a simulated OKX: logins, gaps that REST fills, and the move before the exchange closes a line."""

from __future__ import annotations

from itertools import pairwise
from typing import Any

import pytest

from tapewire.config import Credentials
from tapewire.errors import CredentialsError, SubscriptionError, UnknownSymbol
from tapewire.model.events import Event, TradeEvent
from tapewire.model.status import Connected, Disconnected, Gap, Notice, Quarantined, Rejected
from tapewire.model.subscription import Subscription, as_detail
from tests.client.stage import Stage, play

MARKETS = ("BTC-USDT", "ETH-USDT", "BTC-USDT-SWAP")
ALL_TRADES = as_detail({"channel": "trades-all"})


def okx(story: Any, **scenario: Any) -> Any:
    return play(story, venue="okx", markets=MARKETS, **scenario)


def covered(trades: list[TradeEvent]) -> list[int]:
    """Every single match that the trades stand for, in the order in which they came."""
    ends = [(trade.sequential_id or 0, trade.count or 1) for trade in trades]
    return [number for last, count in ends for number in range(last - count + 1, last + 1)]


def test_one_subscription_call_finds_the_path_of_each_stream() -> None:
    async def story(stage: Stage) -> list[str]:
        client = stage.client(venue="okx")
        heard: list[Event] = []
        wanted = [
            Subscription("ticker", "BTC-USDT"), Subscription("candle", "BTC-USDT", unit="1m"),
            Subscription("trade", "ETH-USDT", detail=ALL_TRADES), Subscription("orderbook", "BTC-USDT"),
            Subscription("orderbook", "BTC-USDT", depth=5), Subscription("markPrice", "BTC-USDT-SWAP"),
        ]  # fmt: skip
        handle = await client.subscribe(wanted, heard.append)
        await handle.live()
        await stage.after(40)
        assert {event.kind for event in heard} == {"ticker", "candle", "trade", "orderbook", "markPrice"}
        assert not stage.told(Quarantined) + stage.told(Rejected) + stage.told(Disconnected)
        urls = sorted(event.url.rpartition("/")[2] for event in stage.told(Connected))
        await client.cleanup()
        return urls

    assert okx(story) == ["business", "public"]


def test_every_match_is_heard_once_although_the_line_was_lost() -> None:
    async def story(stage: Stage) -> tuple[list[TradeEvent], list[str]]:
        client = stage.client(venue="okx", recover=True)
        heard: list[TradeEvent] = []
        await client.subscribe_trade(["BTC-USDT"], heard.append)
        await stage.after(120)
        states: list[str] = [gap.state for gap in stage.told(Gap)]
        await client.cleanup()
        return heard, states

    heard, states = okx(story, faults=("maintenance:15@20x1", "abort@60x1", "abort@80x1"), rate=5.0)
    numbers = sorted(covered(heard))
    assert numbers == list(range(numbers[0], numbers[-1] + 1))
    assert any(trade.recovered for trade in heard)
    assert "filled" in states


def test_a_line_that_the_exchange_will_close_is_left_before_with_nothing_missed() -> None:
    async def story(stage: Stage) -> tuple[list[TradeEvent], list[Event], list[Any]]:
        client = stage.client(venue="okx", recover=False)
        trades: list[TradeEvent] = []
        others: list[Event] = []
        await client.subscribe_trade(["BTC-USDT", "ETH-USDT"], trades.append)
        await client.subscribe_ticker(["BTC-USDT"], others.append)
        await client.subscribe_orderbook(["BTC-USDT"], others.append)
        await stage.after(20)
        await stage.after(90)
        assert [event.moving for event in stage.told(Notice)] == [True]
        assert stage.told(Gap) == []
        assert [event.loss.cause for event in stage.told(Disconnected)] == ["stopped"]
        assert len(stage.told(Connected)) == 2
        await client.cleanup()
        return trades, others, stage.told(Disconnected)

    trades, others, _ = okx(story, faults=("upgrade@20x1",))
    for symbol in ("BTC-USDT", "ETH-USDT"):
        numbers = covered([trade for trade in trades if trade.symbol == symbol])
        assert numbers == list(range(numbers[0], numbers[0] + len(numbers)))
    for kind in ("ticker", "orderbook"):
        times = [event.timestamp or 0 for event in others if event.kind == kind]
        assert times == sorted(times)
        assert max(later - earlier for earlier, later in pairwise(times)) < 5_000


def test_a_wrong_market_is_told_with_what_is_near_and_a_missing_part_of_the_key_at_once() -> None:
    async def story(stage: Stage) -> None:
        client = stage.client(venue="okx", validate=True)
        with pytest.raises(UnknownSymbol, match="BTC-USDT"):
            await client.subscribe_ticker(["USDT-BTC"], print)
        with pytest.raises(SubscriptionError, match="a whole number from 1 to 400"):
            await client.subscribe_orderbook(["BTC-USDT"], print, depth=500)
        with pytest.raises(CredentialsError, match="access_key, secret_key, passphrase: all are needed for myOrder"):
            await client.subscribe_my_order(print)
        half = stage.client(venue="okx", credentials=Credentials("a", "b"))  # type: ignore[arg-type]
        with pytest.raises(CredentialsError, match="passphrase: is missing"):
            await half.subscribe_my_order(print)
        await client.cleanup()
        await half.cleanup()

    okx(story)
