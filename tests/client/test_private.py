"""Private and info streams in whole conversations: beside the public feed, over losses, without a word left out."""

from __future__ import annotations

from collections import Counter
from decimal import Decimal

import pytest

from tapewire import AuthenticationFailed
from tapewire.model.events import (
    AnnouncementEvent,
    Event,
    IndicatorEvent,
    IndicatorSignalEvent,
    MyAssetEvent,
    MyOrderEvent,
    TickerEvent,
)
from tapewire.model.status import Connected, Disconnected, FeedEvent, Gap, Listed, Rejected, Stale
from tapewire.sim.scenario import DEMO_KEY
from tests.client.stage import Stage, play

KEY = {"access_key": DEMO_KEY.access_key, "secret_key": DEMO_KEY.secret_key.reveal()}
OTHERS = b'[{"ticket":"x"},{"type":"ticker","codes":["KRW-XRP"]}]'
RSI = {"type": "rsi", "params": {"period": 14}}


def connections(stage: Stage, kind: type[FeedEvent]) -> Counter[str]:
    """How often each connection told this; its name says its side."""
    return Counter(event.connection for event in stage.told(kind))


def test_orders_and_balances_come_beside_the_public_feed_over_a_connection_of_their_own() -> None:
    async def story(stage: Stage) -> None:
        heard: list[Event] = []
        async with stage.client(**KEY) as client:
            await client.subscribe_ticker("KRW-BTC", heard.append)
            await client.subscribe_my_order(heard.append)
            handle = await client.subscribe_my_asset(heard.append)
            await handle.live()
            await stage.after(120)
        kinds = Counter(type(event) for event in heard)
        assert kinds[TickerEvent] > 10
        assert kinds[MyOrderEvent] > 10
        assert kinds[MyAssetEvent] > 5
        assert set(connections(stage, Connected)) == {"upbit-1", "upbit-private-2"}
        orders = [event for event in heard if isinstance(event, MyOrderEvent)]
        assert all(isinstance(event.volume, Decimal | None) for event in orders)
        for uuid in {event.uuid for event in orders}:
            states = [event.state for event in orders if event.uuid == uuid]
            assert "wait" not in states[1:]

    play(story, customer=3.0)


def test_a_private_stream_that_is_silent_for_an_hour_is_well_and_its_line_is_kept() -> None:
    async def story(stage: Stage) -> None:
        async with stage.client(**KEY) as client:
            await (await client.subscribe_my_asset(lambda _event: None)).live()
            await stage.after(3600)
            assert client.get_health_status().status == "healthy"
            one = stage.manager.get_connection_metrics("private")
            assert one.last_data_ns is None
            assert one.last_alive_ns is not None
            assert stage.manager.clock.wall_ns() - one.last_alive_ns < 60e9
        assert len(stage.told(Connected)) == 1
        assert stage.told(Stale) == []

    play(story, rate=0.01)


def test_after_a_loss_the_private_side_comes_back_with_a_token_of_its_own_and_tells_the_gap() -> None:
    async def story(stage: Stage) -> None:
        heard: list[MyOrderEvent] = []
        async with stage.client(**KEY) as client:
            await (await client.subscribe_my_order(heard.append)).live()
            for _ in range(5):
                await stage.after(60)
                stage.simulator.abort(side="private")
            await stage.after(60)
            before = len(heard)
            await stage.after(60)
            assert len(heard) > before
        assert [event.reconnect for event in stage.told(Connected)] == [0, 1, 2, 3, 4, 5]
        gaps = stage.told(Gap)
        assert [gap.subscription.kind for gap in gaps] == ["myOrder"] * 5
        assert all(gap.to_ns is not None for gap in gaps)
        assert {event.retry_in for event in stage.told(Disconnected)[:-1]} != {None}

    play(story, customer=3.0)


def test_orders_of_one_market_and_of_all_are_each_heard_once() -> None:
    async def story(stage: Stage) -> None:
        of_all: list[MyOrderEvent] = []
        of_one: list[MyOrderEvent] = []
        async with stage.client("one", **KEY) as one, stage.client("two", **KEY) as two:
            await one.subscribe_my_order(of_all.append)
            await two.subscribe_my_order(["KRW-ETH"], of_one.append)
            await stage.after(180)
            [listed] = await one.list_subscriptions()
            assert (listed.missing, listed.unexpected) == ((), ())
        assert {event.symbol for event in of_one} == {"KRW-ETH"}
        assert [event for event in of_all if event.symbol == "KRW-ETH"] == of_one
        assert len({event.symbol for event in of_all}) > 1
        assert len(connections(stage, Connected)) == 1

    play(story, customer=2.0)


def test_indicators_and_signals_come_for_whom_they_were_asked() -> None:
    async def story(stage: Stage) -> None:
        rsi: list[IndicatorEvent] = []
        macd: list[IndicatorEvent] = []
        signals: list[IndicatorSignalEvent] = []
        async with stage.client(**KEY) as client:
            slow = {"type": "macd", "params": {"fast": 12, "slow": 26, "signal_period": 9}}
            await client.subscribe_indicator(["KRW-BTC", "KRW-ETH"], rsi.append, timeframe="5m", indicators=[RSI])
            await client.subscribe_indicator("KRW-BTC", macd.append, timeframe="5m", indicators=[slow])
            above = {"type": "moving_average", "params": {"type": "SMA", "period": 5}, "trigger": "price_cross_above"}
            await client.subscribe_indicator_signal("KRW-BTC", signals.append, timeframe="5m", indicators=[above])
            await stage.after(3600)
            [listed] = await client.list_subscriptions()
            assert (listed.missing, listed.unexpected) == ((), ())
        assert {(event.symbol, event.indicator) for event in rsi} == {("KRW-BTC", "rsi"), ("KRW-ETH", "rsi")}
        assert {(event.symbol, event.indicator) for event in macd} == {("KRW-BTC", "macd")}
        assert all(0 <= event.value["rsi"] <= 100 for event in rsi)
        assert {event.trigger for event in signals} <= {"price_cross_above"}
        assert len(macd) == pytest.approx(12, abs=1)

    play(story, rate=2.0)


def test_announcements_come_by_category() -> None:
    async def story(stage: Stage) -> None:
        heard: list[AnnouncementEvent] = []
        async with stage.client(**KEY) as client:
            handle = await client.subscribe_announcement(heard.append, categories=["trade"], include_body=True)
            await handle.live()
            await stage.after(1200)
        assert {event.category for event in heard} == {"trade"}
        assert all(event.body for event in heard)

    play(story, announcements=5.0)


@pytest.mark.parametrize(
    ("given", "name"),
    [
        ({"access_key": "nobody", "secret_key": "x" * 40}, "invalid_access_key"),
        ({"access_key": DEMO_KEY.access_key, "secret_key": "y" * 40}, "jwt_verification"),
    ],
)
def test_the_exchange_verifies_the_key_and_the_user_is_told_its_name_for_what_is_wrong(
    given: dict[str, str], name: str
) -> None:
    async def story(stage: Stage) -> None:
        async with stage.client(**given) as client:
            handle = await client.subscribe_my_order(lambda _event: None)
            with pytest.raises(AuthenticationFailed, match=name):
                await handle.live()
            await stage.after(300)
            assert client.get_health_status().status == "unhealthy"
        assert [event.final for event in stage.told(Disconnected)] == [False, True]

    play(story)


def test_two_accounts_have_connections_of_their_own() -> None:
    other = {"access_key": "another", "secret_key": "z" * 40}

    async def story(stage: Stage) -> None:
        heard: list[MyAssetEvent] = []
        async with stage.client("mine", **KEY) as mine, stage.client("theirs", **other) as theirs:
            await (await mine.subscribe_my_asset(heard.append)).live()
            refused = await theirs.subscribe_my_asset(heard.append)
            with pytest.raises(AuthenticationFailed):
                await refused.live()
            await stage.after(60)
            assert heard
            assert mine.get_health_status().reasons
        assert set(connections(stage, Connected)) == {"upbit-private-1"}

    play(story, customer=3.0)


def test_a_snapshot_of_what_has_none_is_refused_before_anything_is_sent() -> None:
    async def story(stage: Stage) -> None:
        from tapewire import Subscription, SubscriptionError  # noqa: PLC0415 - of this story alone

        async with stage.client(**KEY) as client:
            with pytest.raises(SubscriptionError, match="myOrder has no snapshot"):
                await client.subscribe([Subscription("myOrder", "")], lambda _event: None, "snapshot_only")
        assert stage.simulator.connects == []

    play(story)


def test_what_differs_at_the_exchange_is_told_and_mended() -> None:
    """Another program's request went over our line: what the exchange holds is not what we asked."""

    async def story(stage: Stage) -> None:
        heard: list[TickerEvent] = []
        async with stage.client() as client:
            handle = await client.subscribe_ticker(["KRW-BTC", "KRW-ETH"], heard.append)
            await handle.live()
            for peer in stage.simulator.exchange.everyone():
                peer.receive(stage.simulator.now, OTHERS, is_text=True)
            [listed] = await client.list_subscriptions()
            assert [one.symbol for one in listed.missing] == ["KRW-BTC", "KRW-ETH"]
            assert [one.symbol for one in listed.unexpected] == ["KRW-XRP"]
            await stage.after(5)
            [after] = await client.list_subscriptions()
            assert (after.missing, after.unexpected) == ((), ())
            before = len(heard)
            await stage.after(10)
            assert len(heard) > before
        assert len(stage.told(Listed)) == 2
        assert stage.told(Rejected) == []

    play(story)
