"""What REST's answers come to for a stream that has no line."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest

from tapewire.model.events import CandleEvent, TickerEvent, TradeEvent
from tapewire.session.actions import Progress
from tapewire.session.candle_fill import LATE_MS, windows_of
from tapewire.session.polled import Candles, States, Told, Trades

NOW = 1_786_611_600_000
SECOND, MINUTE = 1_000, 60_000


def trade(number: int, ms: int | None = None) -> TradeEvent:
    """Executed at ``NOW`` and as many seconds as its number says."""
    at = NOW + number * SECOND if ms is None else ms
    return TradeEvent(venue="upbit", symbol="KRW-BTC", sequential_id=number, trade_timestamp=at, timestamp=at)


def page(*numbers: int) -> list[TradeEvent]:
    """Newest first."""
    return [trade(number) for number in sorted(numbers, reverse=True)]


def ticker(ms: int | None) -> TickerEvent:
    return TickerEvent(venue="upbit", symbol="KRW-BTC", timestamp=ms)


def candle(start: int, ms: int, volume: float = 1.0) -> CandleEvent:
    """Of a minute that began so many of them after ``NOW``; its last trade so many milliseconds after its start."""
    begin = NOW + start * MINUTE
    return CandleEvent(
        venue="upbit", symbol="KRW-BTC", unit="1m", timestamp=begin + ms, trade_price=100.0,
        candle_acc_trade_volume=volume,
        candle_date_time_utc=datetime.fromtimestamp(begin / 1000, UTC).strftime("%Y-%m-%dT%H:%M:%S"),
    )  # fmt: skip


def ids(told: Any) -> list[int | None]:
    assert isinstance(told, Told)
    return [event.sequential_id for event in told.events if isinstance(event, TradeEvent)]


class TestStates:
    def test_new_is_what_has_a_later_time_stamp(self) -> None:
        states = States(100)
        assert states.answer(ticker(99)) == Told((), None), "older than what was delivered: nobody is shown it"
        assert states.answer(ticker(100)) == Told((), ticker(100)), "the same: for those who have nothing yet"
        assert states.answer(ticker(101)) == Told((ticker(101),), ticker(101))
        assert states.answer(ticker(101)) == Told((), ticker(101))

    def test_the_first_and_what_has_no_time_stamp_are_new(self) -> None:
        states = States(None)
        assert states.answer(ticker(None)).events == (ticker(None),)
        assert states.answer(ticker(5)).events == (ticker(5),)
        assert states.answer(ticker(None)).events == (ticker(None),)
        assert states.answer(ticker(4)).events == ()


class TestTrades:
    def test_each_answer_fills_from_the_last_delivered_trade(self) -> None:
        trades, known = Trades(7, Progress(last_id=3, last_timestamp=NOW + 3 * SECOND), None), set(range(-10, 4))
        assert trades.request == (None, 0)
        told = trades.answer(page(*range(-10, 7)), known, NOW, forgot=False)
        assert ids(told) == [4, 5, 6]
        assert isinstance(told, Told)
        assert told.newest == trade(6)
        assert told.answer is not None
        assert (told.answer.before.last_id, told.answer.last.last_id) == (3, 6)
        assert (told.answer.count, told.answer.complete) == (3, True)
        known |= {4, 5, 6}
        again = trades.answer(page(*range(-5, 7)), known, NOW, forgot=False)
        assert ids(again) == []
        assert isinstance(again, Told)
        assert again.answer is not None
        assert again.answer.last.last_id == 6

    def test_pages_are_asked_until_they_reach_what_is_known(self) -> None:
        trades = Trades(7, Progress(last_id=3, last_timestamp=NOW + 3 * SECOND), None)
        assert trades.answer(page(18, 19, 20), {3}, NOW, forgot=False) == "more"
        assert list(trades.request) == [18, 0]
        assert trades.answer(page(3, *range(4, 18)), {3}, NOW, forgot=False) == "more"
        assert ids(trades.answer(page(-3, -4), {3}, NOW, forgot=False)) == list(range(4, 21))
        assert list(trades.request) == [None, 0], "the next turn begins with the newest"

    def test_a_page_that_does_not_show_the_last_known_trade_is_no_proof(self) -> None:
        trades = Trades(0, Progress(last_id=3, last_timestamp=NOW + 3 * SECOND), None)
        answers = [trades.answer([], {3}, NOW, forgot=False) for _ in range(13)]
        assert answers == ["more", "later"] * 6 + ["more"], "each round asks twice, and there are six more"
        told = trades.answer([], {3}, NOW, forgot=False)
        assert isinstance(told, Told)
        assert told.answer is not None
        assert (told.answer.complete, told.answer.count, told.newest) == (False, 0, None)
        assert told.answer.last.last_id == 3

    def test_late_ones_are_delivered_and_do_not_move_the_beginning_back(self) -> None:
        trades, known = Trades(7, Progress(last_id=30, last_timestamp=NOW + 30 * SECOND), None), {29, 30}
        late = trade(28, NOW + 29 * SECOND + 500)
        told = trades.answer([trade(30), late, trade(29), trade(5)], known, NOW, forgot=False)
        assert ids(told) == [28]
        assert isinstance(told, Told)
        assert told.answer is not None
        assert told.answer.last.last_id == 30

    def test_without_any_before_the_newest_trade_is_the_beginning(self) -> None:
        trades, known = Trades(7, Progress(), None), set[int]()
        assert trades.answer([], known, NOW, forgot=False) == Told((), None)
        told = trades.answer(page(1, 2, 3), known, NOW, forgot=False)
        assert isinstance(told, Told)
        assert (told.events, told.newest, known) == ((), trade(3), {1, 2, 3})
        assert told.answer is not None
        assert (told.answer.before, told.answer.last.last_id, told.answer.count) == (Progress(), 3, 0)
        assert ids(trades.answer(page(-9, 1, 2, 3, 4), known, NOW, forgot=False)) == [4]

    def test_a_stream_that_was_live_and_had_none_is_filled_from_its_loss(self) -> None:
        trades = Trades(7, Progress(), NOW + 5 * SECOND)
        assert ids(trades.answer(page(*range(-10, 9)), set(), NOW, forgot=False)) == [*range(9)]


class TestCandles:
    def test_windows_that_are_over_come_once_and_the_present_one_when_it_changed(self) -> None:
        candles = Candles(windows_of("1m"), NOW + 30_000)
        assert candles.request is None
        told = candles.answer([candle(2, 10_000), candle(1, 50_000), candle(0, 59_000), candle(-1, 5_000)])
        assert isinstance(told, Told)
        assert [(event.timestamp, event.final) for event in told.events if isinstance(event, CandleEvent)] == [
            (NOW + 59_000, True), (NOW + MINUTE + 50_000, True), (NOW + 2 * MINUTE + 10_000, False),
        ]  # fmt: skip
        assert told.newest == candle(2, 10_000)
        assert told.answer is not None
        assert told.answer.last == Progress(last_timestamp=NOW + 2 * MINUTE + LATE_MS)
        assert (told.answer.count, told.answer.complete) == (3, True)
        same = candles.answer([candle(2, 10_000), candle(1, 50_000)])
        assert isinstance(same, Told)
        assert same.events == []
        more = candles.answer([candle(2, 10_000, 2.0), candle(1, 50_000)])
        assert isinstance(more, Told)
        assert [event.timestamp for event in more.events] == [NOW + 2 * MINUTE + 10_000], "another trade in the same ms"

    def test_a_window_is_not_over_while_trades_of_it_may_be_late(self) -> None:
        candles = Candles(windows_of("1m"), NOW + 30_000)
        told = candles.answer([candle(1, 1_000), candle(0, 59_000)])
        assert isinstance(told, Told)
        assert [event.final for event in told.events if isinstance(event, CandleEvent)] == [False, False]
        later = candles.answer([candle(1, 5_000), candle(0, 59_000, 1.5)])
        assert isinstance(later, Told)
        assert [event.final for event in later.events if isinstance(event, CandleEvent)] == [True, False]

    def test_what_the_line_brought_is_not_told_again(self) -> None:
        candles = Candles(windows_of("1m"), NOW + 30_000)
        told = candles.answer([candle(0, 30_000), candle(-1, 59_000)])
        assert isinstance(told, Told)
        assert (list(told.events), told.newest) == ([], candle(0, 30_000))

    def test_pages_are_asked_until_they_reach_the_window_that_is_open(self) -> None:
        candles = Candles(windows_of("1m"), NOW + 30_000)
        assert candles.answer([candle(5, 10_000), candle(4, 10_000)]) == "more"
        assert candles.request == NOW + 4 * MINUTE
        told = candles.answer([candle(3, 10_000), candle(-1, 10_000)])
        assert isinstance(told, Told)
        assert len(told.events) == 3
        assert candles.request is None

    def test_where_rest_knows_no_more_the_answer_says_so(self) -> None:
        candles = Candles(windows_of("1m"), NOW + 30_000)
        assert candles.answer([candle(5, 10_000)]) == "more"
        told = candles.answer([candle(5, 10_000)])
        assert isinstance(told, Told)
        assert told.answer is not None
        assert (told.answer.complete, told.answer.reached_ms) == (False, NOW + 5 * MINUTE)

    @pytest.mark.parametrize("last_ms", [None, NOW])
    def test_a_market_without_candles_has_none(self, last_ms: int | None) -> None:
        assert Candles(windows_of("1m"), last_ms).answer([]) == Told((), None)

    def test_without_any_before_the_present_window_is_the_beginning(self) -> None:
        candles = Candles(windows_of("1m"), None)
        told = candles.answer([candle(1, 10_000), candle(0, 10_000)])
        assert isinstance(told, Told)
        assert told.events == [candle(1, 10_000)]

    def test_where_a_time_stamp_is_the_start_of_its_window_every_state_may_be_new(self) -> None:
        candles = Candles(windows_of("1m"), NOW, 0)
        told = candles.answer([candle(0, 0, 2.0)])
        assert isinstance(told, Told)
        assert told.events == [candle(0, 0, 2.0)]
        ended = candles.answer([candle(1, 0), candle(0, 0, 3.0)])
        assert isinstance(ended, Told)
        assert [(event.timestamp, event.final) for event in ended.events if isinstance(event, CandleEvent)] == [
            (NOW, True), (NOW + MINUTE, False),
        ]  # fmt: skip


def test_where_ids_only_rise_those_up_to_the_last_one_are_known() -> None:
    trades = Trades(0, Progress(last_id=3, last_timestamp=NOW + 3 * SECOND), None, ascending=True)
    assert ids(trades.answer(page(*range(-10, 7)), {3}, NOW, forgot=False)) == [4, 5, 6]


def test_where_ids_only_rise_one_that_was_late_and_lost_with_the_line_is_told_all_the_same() -> None:
    trades = Trades(0, Progress(last_id=3, last_timestamp=NOW + 3 * SECOND), None, ascending=True)
    known = {1, 3}
    assert ids(trades.answer(page(*range(-10, 7)), known, NOW, forgot=False)) == [2, 4, 5, 6]
