"""Callbacks that raise or fall behind, iterators, preferences: each subscriber gets its part, come what may."""

from __future__ import annotations

import asyncio
import gc
from collections import Counter
from typing import Any

import pytest

from tapewire.client import decode
from tapewire.config import MailboxOptions, OverflowRule, SessionOptions
from tapewire.errors import Lagging, SubscriptionError, UsageError
from tapewire.model.events import Event, TickerEvent, TradeEvent
from tapewire.model.status import CallbackFailed, Connected, FeedEvent, Lagged, Subscribed
from tapewire.model.subscription import StreamPreference, Subscription
from tests.client.stage import Stage, check_account, play, trades


def test_a_callback_that_raises_is_told_with_its_traceback_and_the_others_go_on() -> None:
    async def story(stage: Stage) -> None:
        heard: list[Event] = []

        def broken(event: Event) -> None:
            raise ZeroDivisionError(f"at {event.symbol}")

        async def slowly_broken(event: Event) -> None:
            raise LookupError(event.symbol)

        async with stage.client("bot") as client:
            await client.subscribe_trade("KRW-BTC", broken)
            await client.subscribe_trade("KRW-BTC", slowly_broken)
            await client.subscribe_trade("KRW-BTC", heard.append)
            await stage.after(30)
            assert client.statistics().callback_errors == 2 * len(heard)
            failures = stage.told(CallbackFailed)
            assert check_account(stage, "KRW-BTC", trades(heard)) == 0
        assert {(event.subscriber, event.error) for event in failures} == {
            ("bot:trade", "ZeroDivisionError('at KRW-BTC')"), ("bot:trade", "LookupError('KRW-BTC')"),
        }  # fmt: skip
        first = failures[0].traceback
        assert 'raise ZeroDivisionError(f"at {event.symbol}")' in first
        assert __file__ in first
        assert len([event for event in failures if "Zero" in event.error]) <= 31, "at most one report a second"

    play(story)


def test_the_only_callback_of_a_stream_may_raise_too() -> None:
    async def story(stage: Stage) -> None:
        def broken(event: Event) -> None:
            raise ZeroDivisionError(event.symbol)

        async with stage.client("bot") as client:
            await client.subscribe_ticker("KRW-BTC", broken)
            await client.subscribe_trade("KRW-ETH", broken)
            await stage.after(30)
            figures = client.statistics()
            assert figures.callback_errors == figures.total_processed > 10
        told = stage.told(CallbackFailed)
        assert {(event.subscriber, event.error) for event in told} == {
            ("bot:ticker", "ZeroDivisionError('KRW-BTC')"), ("bot:trade", "ZeroDivisionError('KRW-ETH')"),
        }  # fmt: skip

    play(story)


def test_a_raising_callback_of_two_subscribers_is_told_of_the_one_that_is_still_there() -> None:
    async def story(stage: Stage) -> None:
        def broken(event: Event) -> None:
            raise ZeroDivisionError(event.symbol)

        async with stage.client("one") as one, stage.client("two") as two:
            leaving = await one.subscribe_ticker("KRW-BTC", broken)
            await two.subscribe_ticker("KRW-BTC", broken)
            await stage.after(10)
            assert "one:ticker" in {event.subscriber for event in stage.told(CallbackFailed)}
            await leaving.unsubscribe()
            await stage.turns()
            stage.feed.clear()
            await stage.after(10)
            assert {event.subscriber for event in stage.told(CallbackFailed)} == {"two:ticker"}

    play(story)


def test_the_traceback_of_a_callback_begins_in_the_callback() -> None:
    """The first message of a stream takes the careful road because the hot table misses it: that is nobody's error."""

    def broken(_event: Event) -> None:
        raise ValueError("broken ear")

    async def story(stage: Stage) -> None:
        async with stage.client() as client:
            await client.subscribe_ticker("KRW-BTC", broken)
            await stage.after(1)
        first = stage.told(CallbackFailed)[0]
        assert "broken ear" in first.traceback
        assert "KeyError" not in first.traceback

    play(story)


@pytest.mark.parametrize("symbols", [5, None, b"KRW-BTC", ["KRW-BTC", 5], [b"KRW-BTC"]], ids=str)
def test_what_is_no_symbol_is_refused_in_words(symbols: Any) -> None:
    async def story(stage: Stage) -> None:
        async with stage.client() as client:
            with pytest.raises(SubscriptionError, match=r"it must be a market code such as KRW-BTC"):
                await client.subscribe_ticker(symbols, lambda _event: None)

    play(story)


def test_decode_says_that_it_takes_bytes() -> None:
    with pytest.raises(UsageError, match="payload is str; it must be the bytes of one message"):
        decode("upbit", "text")  # type: ignore[arg-type]


def test_a_feed_callback_that_raises_is_logged_and_the_feed_goes_on(caplog: pytest.LogCaptureFixture) -> None:
    async def story(stage: Stage) -> None:
        async with stage.client() as client:

            def broken(_event: FeedEvent) -> None:
                raise ZeroDivisionError("mine")

            client.subscribe_feed(broken)
            handle = await client.subscribe_ticker("KRW-BTC", lambda _event: None)
            await handle.live()

    play(story)
    assert {record.getMessage() for record in caplog.records if record.levelname == "ERROR"} == {
        "upbit: a feed callback raised"
    }


@pytest.mark.parametrize("rule", ["drop_oldest", "conflate"])
def test_an_async_callback_that_falls_behind_is_told_with_exact_counts(rule: OverflowRule) -> None:
    """D9: sent = delivered + waiting + dropped + conflated; every drop is told."""

    async def story(stage: Stage) -> None:
        sent: list[Event] = []
        delivered: list[Event] = []

        async def slow(event: Event) -> None:
            await stage.after(2)
            delivered.append(event)

        subscriptions = [Subscription(kind, "KRW-BTC") for kind in ("ticker", "trade")]
        async with stage.client("bot") as client:
            await client.subscribe(subscriptions, sent.append)
            await client.subscribe(subscriptions, slow, mailbox=MailboxOptions(size=3, rule=rule))
            await stage.after(120)
            [mailman] = client._component.mailmen.values()
            figures = mailman.mailbox.statistics()
            assert figures.put == len(sent)
            assert figures.put == figures.taken + figures.waiting + figures.dropped + figures.conflated
            assert figures.dropped > 10
            assert client.statistics().dropped == figures.dropped
        told = stage.told(Lagged)
        final = mailman.mailbox.statistics()
        assert sum(event.dropped for event in told) == told[-1].total_dropped == final.dropped
        assert {(event.subscriber, event.rule, event.size) for event in told} == {("bot:streams", rule, 3)}
        assert len(told) <= 125, "at most one report a second"
        for kind in (TickerEvent, TradeEvent):
            order = {id(event): place for place, event in enumerate(sent) if isinstance(event, kind)}
            places = [order[id(event)] for event in delivered if isinstance(event, kind)]
            assert places == sorted(places)
        assert client.statistics().dropped == final.dropped
        assert (final.waiting, final.taken) == (0, len(delivered) + 1), "the call that was cut off at the end is one"

    play(story)


def test_a_mailbox_that_may_not_overflow_ends_its_subscriber_and_no_other() -> None:
    async def story(stage: Stage) -> None:
        heard: list[Event] = []

        async def stuck(_event: Event) -> None:
            await stage.after(60)

        async with stage.client("bot") as client:
            handle = await client.subscribe_trade("KRW-BTC", stuck, mailbox=MailboxOptions(size=2, rule="raise"))
            await client.subscribe_trade("KRW-BTC", heard.append)
            await stage.after(300)
            assert isinstance(handle.error, Lagging)
            assert handle.symbols == []
            with pytest.raises(Lagging):
                await handle.live()
            assert check_account(stage, "KRW-BTC", trades(heard)) == 0
        assert [event.error for event in stage.told(CallbackFailed)] == [repr(handle.error)]

    play(story)


def test_the_rule_block_holds_the_line_and_loses_nothing() -> None:
    async def story(stage: Stage) -> None:
        delivered: list[TradeEvent] = []

        async def slow(event: TradeEvent) -> None:
            await stage.after(0.4)
            delivered.append(event)

        async with stage.client("bot") as client:
            await client.subscribe_trade("KRW-BTC", slow, mailbox=MailboxOptions(size=4, rule="block"))
            await stage.after(60)
            [mailman] = client._component.mailmen.values()
            assert mailman.mailbox.statistics().waiting <= 6
            assert mailman.mailbox.dropped == 0
            seen = [trade.sequential_id for trade in delivered]
        made = [trade.sequential_id for trade in stage.simulator.trades]
        assert seen[1:] == made[: len(seen) - 1], "after the snapshot, which was made before"

    play(story, markets=("KRW-BTC",))


def test_a_line_that_is_held_for_longer_than_a_pong_may_take_is_not_lost() -> None:
    async def story(stage: Stage) -> None:
        heard: list[TradeEvent] = []

        async def slow(event: TradeEvent) -> None:
            heard.append(event)
            if len(heard) == 20:
                await stage.after(300)

        session = SessionOptions(ping_interval=2, ping_timeout=1)
        async with stage.client("bot", session=session) as client:
            full = MailboxOptions(size=5, rule="block")
            await client.subscribe_trade("KRW-BTC", slow, mailbox=full)
            await stage.after(600)
            until = len(stage.simulator.trades)
            await stage.turns(200)
            assert check_account(stage, "KRW-BTC", heard, until) == 0
        assert len(stage.told(Connected)) == 1

    play(story, rate=3.0)


def test_a_subscriber_who_leaves_while_it_holds_the_line_lets_it_go() -> None:
    async def story(stage: Stage) -> None:
        heard: list[Event] = []

        async def stuck(_event: Event) -> None:
            await stage.after(1000)

        async with stage.client("bot") as client:
            handle = await client.subscribe_trade("KRW-BTC", stuck, mailbox=MailboxOptions(size=1, rule="block"))
            await client.subscribe_ticker("KRW-BTC", heard.append)
            await stage.after(10)
            held = len(heard)
            await handle.unsubscribe()
            await stage.after(10)
            assert len(heard) > held + 3

    play(story)


@pytest.mark.parametrize(
    ("preference", "types"),
    [
        ("both", {"SNAPSHOT": 2, "REALTIME": 100}),
        ("realtime_only", {"SNAPSHOT": 0, "REALTIME": 100}),
        ("snapshot_only", {"SNAPSHOT": 2, "REALTIME": 0}),
    ],
)
def test_each_preference_gets_its_part_beside_all_others(preference: StreamPreference, types: dict[str, int]) -> None:
    async def story(stage: Stage) -> None:
        async with stage.client() as client:
            heard: list[TickerEvent] = []
            for other in ("realtime_only", "both"):
                await client.subscribe_ticker(["KRW-BTC", "KRW-ETH"], lambda _event: None, other)
            await stage.after(2)
            handle = await client.subscribe_ticker(["KRW-BTC", "KRW-ETH"], heard.append, preference)
            await handle.live()
            await stage.after(60)
            count = Counter(event.stream_type for event in heard)
            assert count["SNAPSHOT"] == types["SNAPSHOT"]
            assert min(count["REALTIME"], 100) == types["REALTIME"]
            assert handle.finished == (preference == "snapshot_only")

    play(story, rate=20.0)


def test_realtime_only_never_hears_the_snapshot_that_a_newcomer_asked_for() -> None:
    async def story(stage: Stage) -> None:
        async with stage.client() as client:
            realtime: list[TickerEvent] = []
            newcomer: list[TickerEvent] = []
            await client.subscribe_ticker("KRW-BTC", realtime.append, "realtime_only")
            await stage.after(10)
            await client.subscribe_ticker("KRW-BTC", newcomer.append)
            await stage.after(10)
            stage.simulator.drop()
            await stage.after(30)
            assert {event.stream_type for event in realtime} == {"REALTIME"}
            assert [event.stream_type for event in newcomer].count("SNAPSHOT") == 2
            assert len(realtime) > 10

    play(story)


def test_an_iterator_of_snapshots_only_ends_by_itself_and_can_be_had_again() -> None:
    async def story(stage: Stage) -> None:
        async with stage.client() as client:
            for _ in range(3):
                snapshots = [
                    event async for event in client.tickers(["KRW-BTC", "KRW-ETH"], stream_preference="snapshot_only")
                ]
                assert [(e.symbol, e.stream_type) for e in snapshots] == [
                    ("KRW-BTC", "SNAPSHOT"), ("KRW-ETH", "SNAPSHOT"),
                ]  # fmt: skip
            await stage.after(1)
            assert stage.simulator.connected == 0

    play(story)


def test_breaking_out_of_a_loop_gives_the_subscriptions_back() -> None:
    async def story(stage: Stage) -> None:
        async with stage.client() as client:
            await client.subscribe_ticker("KRW-BTC", lambda _event: None)
            async for _ in client.trades(["KRW-BTC", "KRW-ETH"]):
                break
            gc.collect()
            await stage.after(1)
            assert stage.asked()[-1] == {"ticker KRW-BTC": "realtime"}
            assert client._component.boxes == {}
            assert len(client.handles) == 1

    play(story)


def test_an_iterator_that_cannot_subscribe_raises_where_it_is_used() -> None:
    async def story(stage: Stage) -> None:
        async with stage.client() as client:
            with pytest.raises(SubscriptionError, match="symbol is 'KRW-NOPE'"):
                await anext(client.orderbooks("KRW-NOPE", depth=5))
            with pytest.raises(SubscriptionError, match="unit is '2m'"):
                await anext(client.candles("KRW-BTC", unit="2m"))

    play(story)


def test_a_client_that_closes_ends_its_iterators_after_what_waits() -> None:
    async def story(stage: Stage) -> None:
        client = stage.client()
        stream = client.trades("KRW-BTC")
        first = await anext(stream)
        await stage.after(20)
        waiting = stream.statistics().waiting
        await client.cleanup()
        rest = [trade async for trade in stream]
        assert len(rest) == waiting > 3
        assert check_account(stage, "KRW-BTC", [first, *rest]) == 0

    play(story)


def test_data_and_feed_events_come_in_one_stream_in_order() -> None:
    async def story(stage: Stage) -> None:
        async with stage.client() as client, client.stream([Subscription("trade", "KRW-BTC")]) as stream:
            seen: list[Event | FeedEvent] = [await anext(stream) for _ in range(6)]
            stage.simulator.drop(1001)
            while not isinstance(seen[-1], Connected) or seen[-1].reconnect == 0:
                seen.append(await anext(stream))
            lost = len(seen)
            while not isinstance(seen[-1], TradeEvent):
                seen.append(await anext(stream))
            names = [type(event).__name__ for event in seen]
        assert names[:4] == ["Connecting", "Connected", "Subscribed", "TradeEvent"]
        assert names[lost - 3 : lost] == ["Disconnected", "Connecting", "Connected"]
        assert names[lost:].index("Gap") < names[lost:].index("TradeEvent")  # told before the message that ends it

    play(story)


def test_several_iterators_and_callbacks_hear_the_same() -> None:
    async def story(stage: Stage) -> None:
        plain: list[Event] = []
        later: list[Event] = []

        async def hear(event: Event) -> None:
            later.append(event)

        async with stage.client("one") as one, stage.client("two") as two:
            await one.subscribe_trade("KRW-BTC", plain.append)
            await two.subscribe_trade("KRW-BTC", hear)
            iterated: list[Event] = [await anext(stream) for stream in [one.trades("KRW-BTC")] for _ in range(8)]
        assert plain[: len(iterated)] == iterated
        assert later == plain

    play(story)


def test_a_clean_end_lets_async_callbacks_finish_within_five_seconds() -> None:
    async def story(stage: Stage) -> None:
        delivered: list[Event] = []
        plain: list[Event] = []

        async def slow(event: Event) -> None:
            await stage.after(0.01)
            delivered.append(event)

        client = stage.client()
        await client.subscribe_trade("KRW-BTC", slow)
        await client.subscribe_trade("KRW-BTC", plain.append)
        await stage.after(30)
        began = stage.loop.time()
        await client.cleanup()
        assert delivered == plain
        assert stage.loop.time() - began < 5

    play(story, rate=100.0)


def test_a_callback_that_does_not_end_is_cut_off_and_what_waited_is_told() -> None:
    async def story(stage: Stage) -> None:
        async def never(_event: Event) -> None:
            await asyncio.get_running_loop().create_future()

        client = stage.client()
        await client.subscribe_trade("KRW-BTC", never)
        await stage.after(30)
        [mailman] = client._component.mailmen.values()
        waiting = len(mailman.mailbox)
        began = stage.loop.time()
        await client.cleanup()
        assert stage.loop.time() - began < 5
        [lagged] = stage.told(Lagged)
        assert lagged.dropped == waiting > 3

    play(story)


def test_unsubscribing_an_async_callback_leaves_nothing_behind() -> None:
    async def story(stage: Stage) -> None:
        async def hear(_event: Event) -> None:
            await asyncio.sleep(0)

        async with stage.client() as client:
            before = len(asyncio.all_tasks())
            for _ in range(5):
                handle = await client.subscribe_trade("KRW-BTC", hear)
                await handle.live()
                await handle.unsubscribe()
            await stage.after(1)
            assert client._component.mailmen == {}
            assert client.handles == ()
            assert len(asyncio.all_tasks()) == before

    play(story)


def test_a_callback_that_waits_for_something_cancelled_goes_on() -> None:
    """A CancelledError that is not its own end: told as any other failure, and the next event comes."""

    async def story(stage: Stage) -> None:
        heard: list[Event] = []

        async def unlucky(event: Event) -> None:
            heard.append(event)
            other = asyncio.get_running_loop().create_future()
            other.cancel()
            await other

        async with stage.client("bot") as client:
            handle = await client.subscribe_trade("KRW-BTC", unlucky)
            await stage.after(30)
            assert handle.symbols == ["KRW-BTC"]
            assert len(heard) > 5
            assert client.statistics().callback_errors == len(heard)
        assert {event.error for event in stage.told(CallbackFailed)} == {"CancelledError()"}
        assert len(stage.told(CallbackFailed)) <= 31, "at most one report a second"

    play(story, rate=50.0)


def test_a_callback_whose_task_somebody_cancels_is_unsubscribed_and_holds_nothing() -> None:
    async def story(stage: Stage) -> None:
        async def stuck(_event: Event) -> None:
            await asyncio.get_running_loop().create_future()

        heard: list[Event] = []
        async with stage.client("bot") as client:
            await client.subscribe_trade("KRW-BTC", heard.append)
            handle = await client.subscribe_trade("KRW-BTC", stuck, mailbox=MailboxOptions(size=2, rule="block"))
            await stage.after(30)
            [task] = [task for task in asyncio.all_tasks() if task.get_name() == "callback bot:trade"]
            before = len(heard)
            task.cancel()
            await stage.after(30)
            assert len(heard) > before, "the line is read again"
            assert handle.symbols == []
            assert (client._component.mailmen, len(client.handles)) == ({}, 1)
            [lagged] = stage.told(Lagged)
            assert lagged.dropped == client.statistics().dropped > 0

    play(story, rate=50.0)


def test_a_first_event_that_was_waited_for_too_shortly_still_comes() -> None:
    """``asyncio.wait_for(anext(stream), …)`` may cut the subscribing off; the next call takes it up again."""

    async def story(stage: Stage) -> None:
        async with stage.client() as client:
            stream = client.stream([Subscription("ticker", "KRW-BTC")])
            first = asyncio.ensure_future(anext(stream))
            await stage.turns(1)
            first.cancel()
            await stage.turns()
            kinds = [type(await asyncio.wait_for(anext(stream), 60)) for _ in range(5)]
            assert kinds.count(Connected) == 1, "it hears the feed once"
            assert TickerEvent in kinds

    play(story)


def test_who_is_cancelled_in_the_clean_up_leaves_no_feed_callback_behind() -> None:
    async def story(stage: Stage) -> None:
        client = stage.client()
        await (await client.subscribe_trade("KRW-BTC", lambda _event: None)).live()
        stage.simulator.freeze()
        leaving = asyncio.ensure_future(client.cleanup())
        await stage.turns()
        leaving.cancel()
        await stage.turns()
        assert leaving.cancelled()
        [pool] = stage.manager._pools.values()
        assert pool.feed_listeners == []

    play(story)


def test_a_plain_callback_that_gives_back_a_coroutine_is_told_what_is_wrong() -> None:
    """A lambda around an async function cannot be seen to be async: nobody would ever run what it gives back."""

    async def story(stage: Stage) -> None:
        async def hear(event: Event) -> None:
            raise AssertionError(event)

        async with stage.client("bot") as client:
            handle = await client.subscribe_ticker("KRW-BTC", lambda event: hear(event))  # noqa: PLW0108
            await handle.live()
            await stage.turns()
        [told] = stage.told(CallbackFailed)
        assert told.subscriber == "bot:ticker"
        assert "gave back a coroutine, which nobody runs: give the async function itself" in told.error

    play(story, rate=0.001)


def test_callable_objects_with_an_async_call_have_a_mailbox_too() -> None:
    class Ear:
        def __init__(self) -> None:
            self.heard: list[Event] = []

        async def __call__(self, event: Event) -> None:
            self.heard.append(event)

    async def story(stage: Stage) -> None:
        ear = Ear()
        async with stage.client() as client:
            handle = await client.subscribe_trade("KRW-BTC", ear)
            await handle.live()
            await stage.after(5)
        assert len(ear.heard) > 1
        assert [type(event) for event in stage.told(Subscribed)] == [Subscribed]

    play(story)
