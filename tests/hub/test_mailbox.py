"""Every rule of a full mailbox, and that no event is ever unaccounted for."""

from __future__ import annotations

import asyncio
import contextlib
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tapewire.config import MailboxOptions, OverflowRule
from tapewire.errors import Lagging, UsageError
from tapewire.hub import mailbox as mailbox_module
from tapewire.hub.mailbox import RESERVE, Mailbox, MailboxStatistics
from tapewire.model.events import CandleEvent, TickerEvent, TradeEvent
from tapewire.model.line import Loss
from tapewire.model.status import Disconnected, Lagged
from tapewire.testing.clock import elapse, run_virtual

RULES: tuple[OverflowRule, ...] = ("block", "drop_oldest", "conflate", "raise")


def box(rule: OverflowRule, size: int = 3, **how: Any) -> Mailbox:
    return Mailbox("mine", MailboxOptions(size=size, rule=rule), **how)


def ticker(number: int, symbol: str = "KRW-BTC") -> TickerEvent:
    return TickerEvent(venue="upbit", symbol=symbol, timestamp=number)


def trade(number: int) -> TradeEvent:
    return TradeEvent(venue="upbit", symbol="KRW-BTC", timestamp=number, sequential_id=number)


def feed_event() -> Disconnected:
    return Disconnected(venue="upbit", connection="upbit-1", at_ns=0, loss=Loss("closed"), attempt=1, retry_in=1.0)


def taken(mailbox: Mailbox) -> list[Any]:
    return [mailbox.take() for _ in range(len(mailbox))]


def test_drop_oldest_keeps_the_newest_and_counts() -> None:
    mailbox = box("drop_oldest")
    for number in range(5):
        mailbox.put(ticker(number))
    assert taken(mailbox) == [ticker(2), ticker(3), ticker(4)]
    assert mailbox.statistics() == MailboxStatistics(waiting=0, size=3, put=5, taken=3, dropped=2, conflated=0)


def test_that_some_were_dropped_costs_no_other() -> None:
    mailbox = box("drop_oldest", 2)
    lagged = Lagged(
        venue="upbit", connection="", at_ns=1, subscriber="me", rule="drop_oldest", dropped=1, total_dropped=1, size=2
    )
    for event in (trade(1), trade(2), trade(3), lagged):
        mailbox.put(event)
    assert (mailbox.take_many(9)[-1], mailbox.dropped, mailbox.put_count) == (lagged, 1, 4)


def test_conflate_keeps_the_latest_of_each_kind_and_symbol_in_the_place_of_the_first() -> None:
    mailbox = box("conflate")
    candle = CandleEvent(venue="upbit", symbol="KRW-BTC", unit="1s")
    for event in (ticker(1), ticker(2, "KRW-ETH"), candle, ticker(3), ticker(4)):
        mailbox.put(event)
    assert mailbox.statistics() == MailboxStatistics(waiting=3, size=3, put=5, taken=0, dropped=0, conflated=2)
    assert taken(mailbox) == [ticker(4), ticker(2, "KRW-ETH"), candle]


def test_conflate_never_merges_trades_nor_the_feeds_own_events() -> None:
    mailbox = box("conflate", size=4)
    for event in (trade(1), trade(2), feed_event(), feed_event()):
        mailbox.put(event)
    assert taken(mailbox) == [trade(1), trade(2), feed_event(), feed_event()]
    assert mailbox.conflated == 0


def test_conflate_that_is_full_of_different_things_drops_the_oldest() -> None:
    mailbox = box("conflate", size=2)
    for event in (ticker(1, "KRW-A"), ticker(2, "KRW-B"), ticker(3, "KRW-C"), trade(4)):
        mailbox.put(event)
    mailbox.put(ticker(5, "KRW-A"))
    assert taken(mailbox) == [trade(4), ticker(5, "KRW-A")]
    assert (mailbox.dropped, mailbox.conflated) == (3, 0)


async def test_raise_hands_out_what_waits_and_then_says_why_it_ended() -> None:
    mailbox = box("raise", size=2)
    for number in range(4):
        mailbox.put(trade(number))
    assert mailbox.closed
    assert [await mailbox.get(), await mailbox.get()] == [trade(0), trade(1)]
    with pytest.raises(Lagging, match="mine is 2 events behind and its mailbox is full"):
        await mailbox.get()
    assert (mailbox.put_count, mailbox.dropped) == (3, 1)


def test_block_asks_to_hold_at_the_size_and_to_go_on_at_half() -> None:
    asked: list[bool] = []
    mailbox = box("block", size=4, on_full=asked.append)
    for number in range(6):
        mailbox.put(trade(number))
    assert asked == [True]
    mailbox.take()
    mailbox.take()
    mailbox.take()
    assert asked == [True]
    mailbox.take()
    assert (asked, len(mailbox), mailbox.dropped) == ([True, False], 2, 0)


def test_block_that_is_not_heard_is_bounded_all_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    assert RESERVE == 10_000
    monkeypatch.setattr(mailbox_module, "RESERVE", 5)
    mailbox = box("block", size=4)
    for number in range(20):
        mailbox.put(trade(number))
    assert (len(mailbox), mailbox.dropped) == (9, 11)
    assert mailbox.take() == trade(11)


def test_closing_a_mailbox_that_holds_the_feed_lets_it_go_on() -> None:
    asked: list[bool] = []
    mailbox = box("block", size=1, on_full=asked.append)
    mailbox.put(trade(1))
    mailbox.close()
    mailbox.close()
    assert asked == [True, False]


@pytest.mark.parametrize("rule", RULES)
async def test_a_closed_mailbox_takes_nothing_more_and_ends_when_empty(rule: OverflowRule) -> None:
    mailbox = box(rule)
    mailbox.put(ticker(1))
    mailbox.close()
    mailbox.put(ticker(2))
    assert await mailbox.get() == ticker(1)
    with pytest.raises(StopAsyncIteration):
        await mailbox.get()
    assert mailbox.put_count == 1


@pytest.mark.parametrize("rule", RULES)
async def test_get_waits_for_the_next_event(rule: OverflowRule) -> None:
    mailbox = box(rule)
    waiting = asyncio.ensure_future(mailbox.get())
    await asyncio.sleep(0)
    assert not waiting.done()
    mailbox.put(ticker(1))
    mailbox.put(ticker(2))
    assert await waiting == ticker(1 if rule != "conflate" else 2)


async def test_closing_wakes_who_waits() -> None:
    mailbox = box("drop_oldest")
    waiting = asyncio.ensure_future(mailbox.get())
    await asyncio.sleep(0)
    mailbox.close()
    with pytest.raises(StopAsyncIteration):
        await waiting


async def test_who_gives_up_waiting_loses_nothing() -> None:
    mailbox = box("drop_oldest")
    waiting = asyncio.ensure_future(mailbox.get())
    await asyncio.sleep(0)
    mailbox.put(ticker(1))
    waiting.cancel()
    with pytest.raises(asyncio.CancelledError):
        await waiting
    assert await mailbox.get() == ticker(1)


async def test_two_tasks_cannot_wait_on_one_mailbox() -> None:
    mailbox = box("drop_oldest")
    first = asyncio.ensure_future(mailbox.get())
    await asyncio.sleep(0)
    with pytest.raises(UsageError, match="two tasks wait for its events"):
        await mailbox.get()
    mailbox.put(ticker(1))
    assert await first == ticker(1)


def test_what_is_abandoned_counts_as_dropped_and_is_told() -> None:
    told: list[int] = []
    mailbox = box("conflate", on_drop=lambda one: told.append(one.dropped))
    mailbox.put(ticker(1))
    mailbox.put(trade(2))
    mailbox.abandon()
    mailbox.abandon()
    assert (told, len(mailbox), mailbox.dropped) == ([2], 0, 2)


def test_taking_from_an_empty_mailbox_is_an_error() -> None:
    with pytest.raises(IndexError):
        box("drop_oldest").take()


EVENTS = st.one_of(
    st.builds(ticker, st.integers(0, 99), st.sampled_from(("KRW-A", "KRW-B", "KRW-C"))),
    st.builds(trade, st.integers(0, 99)),
    st.builds(feed_event),
)
OPERATIONS = st.lists(st.one_of(EVENTS, st.sampled_from(("take", "take many", "close", "abandon"))), max_size=80)


@given(st.sampled_from(RULES), st.integers(1, 5), OPERATIONS)
def test_sent_is_delivered_and_waiting_and_dropped_and_conflated_always(
    rule: OverflowRule, size: int, operations: list[Any]
) -> None:
    """RELIABILITY.md D9, whatever is put, taken and closed in whatever order."""
    held: list[bool] = []
    drops = 0

    def on_drop(one: Mailbox) -> None:
        nonlocal drops
        drops = one.dropped

    mailbox = box(rule, size, on_full=held.append, on_drop=on_drop)
    delivered: list[Any] = []
    sent: list[Any] = []
    for operation in operations:
        if operation == "take":
            if len(mailbox):
                delivered.append(mailbox.take())
        elif operation == "take many":
            delivered += mailbox.take_many(2)
        elif operation == "close":
            mailbox.close()
        elif operation == "abandon":
            mailbox.abandon()
        else:
            if not mailbox.closed:
                sent.append(operation)
            mailbox.put(operation)
        figures = mailbox.statistics()
        assert figures.put == len(sent) == figures.taken + figures.waiting + figures.dropped + figures.conflated
        assert (figures.taken, figures.waiting, figures.dropped) == (len(delivered), len(mailbox), drops)
        assert rule == "block" or figures.waiting <= size
        assert held == [index % 2 == 0 for index in range(len(held))]
    identities = {id(event) for event in sent}
    assert {id(event) for event in delivered} <= identities
    trades = [event for event in delivered if isinstance(event, TradeEvent)]
    order = {id(event): index for index, event in enumerate(sent)}
    assert [order[id(event)] for event in trades] == sorted(order[id(event)] for event in trades)


def rounds(rule: OverflowRule, *, close_after: float | None = None) -> list[tuple[float, int | None]]:
    """When each of six events was taken, with an interval of one second: two at once, one each 0.4 s."""

    async def story() -> list[tuple[float, int | None]]:
        loop = asyncio.get_running_loop()
        mailbox = Mailbox("mine", MailboxOptions(size=10, rule=rule, interval=1.0))
        came: list[tuple[float, int | None]] = []

        async def take() -> None:
            with contextlib.suppress(StopAsyncIteration):
                while True:
                    event = await mailbox.get()
                    came.append((round(loop.time(), 1), event.timestamp))

        taking = asyncio.create_task(take())
        for number in range(6):
            mailbox.put(ticker(number, ("KRW-ETH", "KRW-BTC")[number > 0]))
            await elapse(0.4 if 0 < number < 5 else 0.0)
        if close_after is not None:
            await elapse(close_after)
            mailbox.close()
        await elapse(5)
        mailbox.close()
        await taking
        assert mailbox.statistics().put == 6
        return came

    return run_virtual(story())


def test_an_interval_lets_a_round_pass_in_which_the_newest_replaces_the_older() -> None:
    assert rounds("conflate") == [(0.0, 0), (1.0, 3), (2.0, 5)]


def test_an_interval_without_conflation_brings_everything_in_its_round() -> None:
    assert rounds("drop_oldest") == [(0.0, 0), (1.0, 1), (1.0, 2), (1.0, 3), (2.0, 4), (2.0, 5)]


def test_the_end_of_a_mailbox_does_not_wait_for_the_round() -> None:
    """The last event comes at 1.6 s and would be taken at 2.0 s."""
    assert rounds("drop_oldest", close_after=0.1)[-2:] == [(1.7, 4), (1.7, 5)]


def test_two_tasks_cannot_wait_for_one_round() -> None:
    async def story() -> None:
        mailbox = Mailbox("mine", MailboxOptions(interval=1.0))
        mailbox.put(ticker(1))
        await mailbox.get()
        mailbox.put(ticker(2))
        first = asyncio.create_task(mailbox.get())
        await elapse(0.1)
        with pytest.raises(UsageError, match="two tasks wait for its events"):
            await mailbox.get()
        mailbox.close()
        assert (await first).timestamp == 2

    run_virtual(story())


def test_what_was_taken_and_reached_nobody_is_dropped() -> None:
    mailbox = box("drop_oldest")
    mailbox.put(ticker(1))
    mailbox.take()
    mailbox.undelivered()
    figures = mailbox.statistics()
    assert (figures.put, figures.taken, figures.dropped) == (1, 0, 1)


def test_many_are_taken_as_one_by_one() -> None:
    mailbox = box("drop_oldest", 10)
    for number in range(5):
        mailbox.put(trade(number))
    taken = [[event.sequential_id for event in mailbox.take_many(most)] for most in (0, 2, 10, 10)]
    assert taken == [[], [0, 1], [2, 3, 4], []]
    assert mailbox.taken == 5
