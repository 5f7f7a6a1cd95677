"""Conversations with a simulated OKX: logins, gaps that REST fills, and the move before the exchange closes a line."""

from __future__ import annotations

import json
import traceback
from itertools import pairwise
from typing import Any

import pytest

from tapewire.config import Credentials
from tapewire.errors import AuthenticationFailed, CredentialsError, SubscriptionError, UnknownSymbol
from tapewire.model.events import Event, MyAssetEvent, TradeEvent
from tapewire.model.status import Connected, Disconnected, Gap, Notice, Quarantined, Rejected
from tapewire.model.subscription import Subscription, as_detail
from tapewire.sim.scenario import DEMO_KEY
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


def test_a_new_line_that_is_lost_during_the_move_asks_for_nothing_that_the_old_one_brought() -> None:
    """Its hole is filled late, because REST is sick: until then the streams stay where they are."""

    async def story(stage: Stage) -> list[TradeEvent]:
        client = stage.client(venue="okx", recover=True)
        heard: list[TradeEvent] = []
        await client.subscribe_trade(["BTC-USDT"], heard.append)
        await stage.after(80)
        assert [event.moving for event in stage.told(Notice)] == [True]
        assert stage.told(Gap)[-1].state == "filled"
        await client.cleanup()
        return heard

    faults = ("upgrade@20x1", "close-after-subscribe@20x1", "refuse:503:retry=8@20.2x1", "rest:500@20x4")
    numbers = covered(okx(story, faults=faults, rate=20.0))
    assert numbers == list(range(numbers[0], numbers[0] + len(numbers)))


def test_after_a_move_the_last_trade_of_a_quiet_market_is_not_told_again_by_the_next_line() -> None:
    async def story(stage: Stage) -> list[TradeEvent]:
        client = stage.client(venue="okx", recover=True)
        heard: list[TradeEvent] = []
        await client.subscribe_trade(["BTC-USDT", "ETH-USDT"], heard.append)
        await stage.after(80)
        assert [event.moving for event in stage.told(Notice)] == [True]
        assert [event.loss.cause for event in stage.told(Disconnected)] == ["stopped", "reset"]
        await client.cleanup()
        return heard

    heard = okx(story, faults=("upgrade@40x1", "abort@47x1"), rate=0.5)
    assert any(trade.stream_type is None for trade in heard)
    for symbol in ("BTC-USDT", "ETH-USDT"):
        numbers = covered([trade for trade in heard if trade.symbol == symbol])
        assert len(numbers) == len(set(numbers)) >= 1


def test_of_two_lines_that_carry_the_same_one_after_the_other_is_left() -> None:
    async def story(stage: Stage) -> list[TradeEvent]:
        client = stage.client(venue="okx", recover=False, redundancy=2)
        heard: list[TradeEvent] = []
        await client.subscribe_trade(["BTC-USDT"], heard.append)
        await stage.after(120)
        reasons = [event.loss.reason for event in stage.told(Disconnected)]
        assert (len(reasons), reasons.count("left before the exchange closes it")) == (2, 1)
        assert stage.told(Gap) == []
        await client.cleanup()
        return heard

    numbers = covered(okx(story, faults=("upgrade@20x1",), rate=5.0))
    assert numbers == list(range(numbers[0], numbers[0] + len(numbers)))


def test_where_no_new_line_can_be_had_the_streams_stay_and_the_loss_is_told() -> None:
    async def story(stage: Stage) -> tuple[list[TradeEvent], list[Gap]]:
        client = stage.client(venue="okx", recover=False, backoff_cap=5.0)
        heard: list[TradeEvent] = []
        await client.subscribe_trade(["BTC-USDT"], heard.append)
        await stage.after(220)
        gaps = stage.told(Gap)
        assert len([event for event in stage.told(Disconnected) if event.loss.cause == "closed"]) == 1
        assert [driver.origin.connection for driver in client._component.pool.drivers] == ["okx-1"]
        await client.cleanup()
        return heard, gaps

    heard, gaps = okx(story, faults=("upgrade:60@20x1", "refuse:503@19.9x60"), rate=5.0)
    numbers = covered(heard)
    assert numbers == sorted(set(numbers))
    assert [gap.cause for gap in gaps] == ["closed"]


def test_a_stream_that_is_given_up_during_a_move_does_not_go_over() -> None:
    async def story(stage: Stage) -> list[str]:
        client = stage.client(venue="okx")
        handle = await client.subscribe_trade(["BTC-USDT"], lambda _event: None)
        await client.subscribe_ticker(["BTC-USDT"], lambda _event: None)
        await stage.after(20.5)
        assert [event.moving for event in stage.told(Notice)] == [True]
        await handle.unsubscribe()
        await stage.after(20)
        streams = [str(one) for driver in client._component.pool.drivers for one in driver.router.streams]
        await client.cleanup()
        return streams

    assert okx(story, faults=("upgrade@20x1",)) == ["ticker BTC-USDT"]


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


PARTS = {"access_key": "sim-access-key", "secret_key": DEMO_KEY.secret_key.reveal(), "passphrase": "sim-passphrase"}


def test_private_streams_begin_when_the_login_was_answered() -> None:
    async def story(stage: Stage) -> list[str]:
        client = stage.client(venue="okx", **PARTS)
        assets: list[MyAssetEvent] = []
        await (await client.subscribe_my_asset(assets.append)).live()
        await (await client.subscribe_my_order(lambda _event: None)).live()
        await stage.after(5)
        assert assets
        assert not stage.told(Rejected)
        operations = [json.loads(sent.payload)["op"] for sent in stage.simulator.requests if sent.payload != b"ping"]
        await client.cleanup()
        return operations

    assert okx(story) == ["login", "subscribe", "subscribe"]


@pytest.mark.parametrize("part", PARTS)
def test_a_wrong_key_ends_it_and_no_part_of_a_key_is_shown(part: str, caplog: pytest.LogCaptureFixture) -> None:
    async def story(stage: Stage) -> tuple[str, str]:
        client = stage.client(venue="okx", **(PARTS | {part: "CANARY-NOT-IT"}))
        handle = await client.subscribe_my_order(lambda _event: None)
        with pytest.raises(AuthenticationFailed) as refused:
            await handle.live()
        await client.cleanup()
        shown = "".join(traceback.format_exception(refused.value)) + repr(stage.feed) + caplog.text
        return str(refused.value), shown

    said, shown = okx(story)
    assert said.startswith("okx refused the key: 401 600")
    assert not [text for text in ("CANARY", *PARTS.values()) if text in shown]
