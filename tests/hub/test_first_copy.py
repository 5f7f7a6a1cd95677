"""The first copy of each message is let through, whatever the lines do: made-up messages of two and three lines."""

from __future__ import annotations

from collections import Counter
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tapewire.hub.first_copy import GENERATION_MOST, GENERATION_NS, NEARLY, OWED, FirstCopies, FirstCopy
from tapewire.model.book import DepthOrderbookEvent
from tapewire.model.events import CandleEvent, Event, TickerEvent, TradeEvent
from tapewire.model.subscription import Subscription

STREAM = Subscription("ticker", "KRW-BTC")


def ticker(at: int | None, price: float = 1.0, ns: int = 0, **more: Any) -> TickerEvent:
    return TickerEvent(venue="upbit", symbol="KRW-BTC", timestamp=at, trade_price=price, received_ns=ns, **more)


def trade(number: int | None, at: int = 0, ns: int = 0) -> TradeEvent:
    return TradeEvent(venue="upbit", symbol="KRW-BTC", sequential_id=number, timestamp=at, received_ns=ns)


def candle(start: str, at: int, price: float = 1.0) -> CandleEvent:
    return CandleEvent(
        venue="upbit", symbol="KRW-BTC", unit="1s", candle_date_time_utc=start, timestamp=at, trade_price=price
    )


def judge(lines: int = 2) -> tuple[FirstCopies, FirstCopy]:
    copies = FirstCopies(lines)
    copies.follow([STREAM])
    return copies, copies.streams[STREAM]


def first(copy: FirstCopy, *messages: tuple[int, Event]) -> list[bool]:
    return [copy.is_first(line, event) for line, event in messages]


def test_of_two_copies_the_first_counts_and_the_score_says_by_how_much() -> None:
    copies, copy = judge()
    assert first(copy, (0, ticker(1, ns=1_000_000)), (1, ticker(1, ns=3_500_000))) == [True, False]
    assert first(copy, (1, ticker(2, ns=4_000_000)), (0, ticker(2, ns=4_000_000))) == [True, False]
    zero, one = copies.scores
    assert (zero.firsts, zero.copies, zero.late, list(zero.leads)) == (1, 1, 0, [2.5])
    assert (one.firsts, one.copies, one.late, list(one.leads)) == (1, 1, 0, [0.0])
    assert (zero.share, one.share) == (0.5, 0.5)


def test_before_the_first_message_nobody_has_a_share() -> None:
    assert judge()[0].scores[0].share is None


def test_the_same_time_stamp_with_other_content_is_another_message() -> None:
    _, copy = judge()
    assert first(copy, (0, ticker(5, 1.0)), (0, ticker(5, 2.0)), (1, ticker(5, 1.0)), (1, ticker(5, 2.0)),
                 (1, ticker(5, 3.0)), (0, ticker(5, 3.0))) == [True, True, False, False, True, False]  # fmt: skip


def test_what_the_wire_adds_is_no_content_and_stays_as_it_was() -> None:
    _, copy = judge()
    one, other = ticker(1, ns=7, raw=b"a"), ticker(1, ns=9, raw=b"b")
    assert first(copy, (0, one), (1, other)) == [True, False]
    assert (one.received_ns, one.raw, other.received_ns, other.raw) == (7, b"a", 9, b"b")


def test_an_older_state_is_not_told_whether_it_was_seen_or_not() -> None:
    copies, copy = judge()
    assert first(copy, (0, ticker(5)), (0, ticker(9)), (1, ticker(5)), (1, ticker(7)), (1, ticker(9))) == [
        True, True, False, False, False,
    ]  # fmt: skip
    assert (copies.scores[1].copies, copies.scores[1].late) == (2, 1)


def test_a_message_without_a_time_stamp_is_never_old() -> None:
    _, copy = judge()
    assert first(copy, (0, ticker(9)), (1, ticker(None, 2.0)), (0, ticker(None, 2.0))) == [True, True, False]


def test_a_trade_that_only_one_line_brings_is_news_however_old() -> None:
    _, copy = judge()
    assert first(copy, (0, trade(1, 100)), (0, trade(3, 300)), (1, trade(2, 200)), (1, trade(1, 100))) == [
        True, True, True, False,
    ]  # fmt: skip


def test_what_one_line_brings_twice_the_exchange_said_twice() -> None:
    _, copy = judge()
    assert first(copy, (0, trade(1)), (0, trade(1)), (1, trade(1)), (1, trade(1)), (1, trade(1))) == [
        True, True, False, False, True,
    ]  # fmt: skip
    assert first(copy, (0, ticker(5)), (0, ticker(5)), (0, ticker(6)), (0, ticker(5))) == [True, True, True, False]


def test_trades_without_ids_are_told_apart_by_what_they_say() -> None:
    _, copy = judge()
    assert first(copy, (0, trade(None, 1)), (1, trade(None, 1)), (1, trade(None, 2))) == [True, False, True]


def test_each_candle_has_its_own_newest_state() -> None:
    _, copy = judge()
    told = first(
        copy, (0, candle("12:00:00", 10)), (0, candle("12:00:01", 20)), (1, candle("12:00:00", 15)),
        (1, candle("12:00:00", 12)), (1, candle("12:00:01", 20)),
    )  # fmt: skip
    assert told == [True, True, True, False, False]
    for number in range(40):
        assert copy.is_first(0, candle(f"12:01:{number}", 100 + number))


def test_a_book_with_a_sequence_number_is_known_by_it() -> None:
    _, copy = judge()

    def book(sequence: int, at: int) -> DepthOrderbookEvent:
        return DepthOrderbookEvent(venue="okx", symbol="BTC-USDT", sequence=sequence, timestamp=at)

    assert first(copy, (0, book(1, 10)), (1, book(1, 10)), (1, book(2, 11)), (0, book(2, 12))) == [
        True, False, True, True,
    ]  # fmt: skip


def test_a_line_that_comes_back_brings_copies_even_of_what_it_brought_itself() -> None:
    copies, copy = judge()
    assert copy.is_first(0, trade(1))
    copies.lost(0)
    assert first(copy, (0, trade(1)), (0, trade(2)), (1, trade(1))) == [False, True, False]


def test_the_memory_is_bounded_and_what_is_older_than_all_of_it_is_late() -> None:
    copies, copy = judge()
    for number in range(3):
        assert copy.is_first(0, trade(number, number, ns=number * (GENERATION_NS + 1)))
    assert copy.is_first(1, trade(1, 1)) is False, "it is in the older generation"
    assert copy.is_first(0, trade(3, 3, ns=4 * GENERATION_NS))
    assert copy.is_first(1, trade(0, 0)) is False, "forgotten, but older than everything that is known"
    assert copies.scores[1].late == 1


def test_a_wall_clock_that_jumps_back_forgets_nothing_at_once() -> None:
    _, copy = judge()
    assert first(copy, (0, trade(1, 1, ns=10**18)), (0, trade(2, 2, ns=10**17)), (1, trade(1, 1, ns=10**17))) == [
        True, True, False,
    ]  # fmt: skip


def test_a_flood_is_remembered_up_to_a_bound() -> None:
    _, copy = judge()
    many = 3 * GENERATION_MOST
    assert all(copy.is_first(0, trade(number, number)) for number in range(many))
    assert not any(copy.is_first(1, trade(number, number)) for number in range(many))
    assert len(copy._memory._young) + len(copy._memory._old) <= 2 * GENERATION_MOST


def test_a_line_is_behind_when_others_brought_several_messages_since() -> None:
    _, copy = judge()
    first(copy, (0, ticker(1000)), (1, ticker(1000)))
    for number in range(OWED):
        assert copy.behind(1) == 0
        copy.is_first(0, ticker(9000 + number))
    assert (copy.behind(0), copy.behind(1)) == (0, 8002)
    copy.begin(1)
    assert copy.behind(1) == 0


def test_a_line_brought_a_trade_by_its_id_and_else_what_is_as_new() -> None:
    copies, copy = judge()
    first(copy, (0, trade(7, 5000)))
    assert (copy.brought(0, 7), copy.brought(1, 7), copy.brought(0, 8)) == (True, False, False)
    assert (copy.brought(0, None), copy.brought(1, None)) == (True, False)
    first(copy, (1, trade(6, 5000 - NEARLY)))
    assert copy.brought(1, None)
    copies.lost(0)
    assert not copy.brought(0, 7)


def test_streams_come_and_go() -> None:
    copies, copy = judge()
    other = Subscription("trade", "KRW-ETH")
    assert copies.follow([STREAM, other]) == []
    assert copies.streams[STREAM] is copy
    assert copies.follow([other]) == [STREAM]
    assert list(copies.streams) == [other]


@given(st.data(), st.integers(2, 3), st.booleans())
def test_whatever_the_lines_mix_a_trade_is_told_once_and_none_is_forgotten(
    data: st.DataObject, lines: int, losing: bool
) -> None:
    copies, copy = judge(lines)
    kept = [
        data.draw(st.lists(st.integers(1, 20), unique=True, max_size=20), label=f"line {line}") for line in range(lines)
    ]
    told: Counter[int] = Counter()
    waiting = [list(numbers) for numbers in kept]
    while any(waiting):
        line = data.draw(st.sampled_from([number for number, rest in enumerate(waiting) if rest]))
        number = waiting[line].pop(0)
        told[number] += copy.is_first(line, trade(number, number))
        if losing and data.draw(st.booleans()):
            copies.lost(line)
    assert told == Counter({number for numbers in kept for number in numbers})


@given(st.data())
def test_a_state_never_goes_back_in_time(data: st.DataObject) -> None:
    _, copy = judge()
    times = data.draw(
        st.lists(st.tuples(st.integers(0, 1), st.integers(0, 9), st.sampled_from([1.0, 2.0])), max_size=40)
    )
    told = [at for line, at, price in times if copy.is_first(line, ticker(at, price))]
    assert told == sorted(told)


@pytest.mark.parametrize("lines", [2, 4])
def test_the_lead_is_of_the_second_copy_not_of_the_last(lines: int) -> None:
    copies, copy = judge(lines)
    for line in range(lines):
        copy.is_first(line, trade(1, 1, ns=line * 10**6))
    assert list(copies.scores[0].leads) == [1.0]
