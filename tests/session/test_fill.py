"""A hole in a stream of trades, filled from pages as the exchange hands them out."""

from __future__ import annotations

from hypothesis import assume, given
from hypothesis import strategies as st

from tapewire.model.events import TradeEvent
from tapewire.session.fill import DAY_MS, OVERLAP_MS, ROUNDS_MOST, TradeFill

#: A trade may be published so many ms after one that was executed later (spec/upbit.md section 8: 2.2 s).
LATE_MS = OVERLAP_MS - 3_000
NOW = 20_000 * DAY_MS + 3_600_000  # one in the morning


def trade(number: int, time: int) -> TradeEvent:
    return TradeEvent(venue="upbit", symbol="KRW-BTC", sequential_id=number, trade_timestamp=time, timestamp=time)


class Exchange:
    """Trades by UTC day and cursor, as spec/upbit.md 9.3 has it: newest first, today only unless asked otherwise."""

    def __init__(self, trades: list[TradeEvent], page: int, days: int = 7) -> None:
        self.trades, self.page, self.days = trades, page, days
        self.calls = 0

    def answer(self, cursor: int | None, days_ago: int) -> list[TradeEvent]:
        self.calls += 1
        begin = (NOW // DAY_MS - days_ago) * DAY_MS
        found = [one for one in self.trades if begin <= (one.timestamp or 0) < begin + DAY_MS]
        older = [one for one in found if cursor is None or (one.sequential_id or 0) < cursor]
        return sorted(older, key=lambda one: one.sequential_id or 0, reverse=True)[: self.page]

    def fill(self, known: set[int], since_ms: int, *, forgot: bool = False) -> TradeFill:
        fill = TradeFill(known, since_ms, NOW, days=self.days, forgot=forgot)
        while not fill.done:
            assert self.calls < 1_000
            fill.answer(self.answer(*fill.request))
        return fill


def ids(fill: TradeFill) -> list[int | None]:
    return [one.sequential_id for one in fill.missed()]


def test_everything_since_the_last_known_trade_is_found_over_several_pages() -> None:
    exchange = Exchange([trade(number, NOW - 100_000 + number * 1_000) for number in range(1, 100)], page=10)
    fill = exchange.fill(set(range(1, 41)), NOW - 60_000)
    assert ids(fill) == list(range(41, 100))
    assert fill.complete
    assert exchange.calls == 7  # 99 to 90, … 39 to 30: trade 34 is older than the overlap


def test_ids_that_came_out_of_order_are_found_before_the_last_known_one() -> None:
    """Trade 4 was executed before 5, which was the last that came."""
    exchange = Exchange([trade(number, NOW - 60_000 + number * 100) for number in range(-200, 10)], page=500)
    assert ids(exchange.fill({*range(-200, 4), 5}, NOW - 60_000 + 500)) == [4, 6, 7, 8, 9]


def test_a_hole_over_midnight_asks_for_the_day_before() -> None:
    midnight = NOW // DAY_MS * DAY_MS
    exchange = Exchange([trade(number, midnight - 50_000 + number * 1_000) for number in range(100)], page=500)
    fill = exchange.fill(set(range(20)), midnight - 31_000)
    assert ids(fill) == list(range(20, 100))
    assert (fill.complete, exchange.calls) == (True, 3)  # today, nothing older today, yesterday


def test_a_quiet_market_is_searched_as_far_as_the_exchange_remembers() -> None:
    exchange = Exchange([], page=500)
    fill = exchange.fill(set(), NOW - 60_000)
    assert (ids(fill), fill.complete, fill.reached_ms, exchange.calls) == ([], True, None, 8)


def test_a_hole_that_is_older_than_the_exchange_remembers_stays_incomplete() -> None:
    since = NOW - 9 * DAY_MS
    exchange = Exchange([trade(number, since + number * DAY_MS) for number in range(9)], page=500)
    fill = exchange.fill({0}, since)
    assert (ids(fill), fill.complete) == ([1, 2, 3, 4, 5, 6, 7, 8][1:], False)
    assert fill.reached_ms == since + 2 * DAY_MS


def test_an_exchange_without_days_ends_with_a_page_that_tells_nothing_older() -> None:
    exchange = Exchange([trade(number, NOW - 1_000 + number) for number in range(5)], page=10, days=0)
    fill = exchange.fill({0}, NOW - 60_000)
    assert (ids(fill), fill.complete, exchange.calls) == ([1, 2, 3, 4], False, 2)


def test_a_page_that_comes_twice_ends_the_search_of_that_day() -> None:
    """A stale cache answers every cursor alike: no endless circle."""
    page = [trade(number, NOW - number) for number in range(10)]
    fill = TradeFill(set(), NOW - 60_000, NOW, days=1)
    for _ in range(3):
        assert not fill.done
        fill.answer(page)
    assert (fill.done, len(fill.missed())) == (True, 10)


def test_pages_without_the_trades_beside_the_hole_are_false_and_asked_again() -> None:
    """An empty page is asked once more at once; a round that does not show both sides is gone through again."""
    trades = [trade(number, NOW - 60_000 + number * 1_000) for number in range(60)]
    sides = ((10, NOW - 50_000), (50, NOW - 10_000), (None, None))
    fill = TradeFill({*range(11), *range(50, 60)}, NOW - 50_000, NOW, days=0, sides=sides)
    fill.answer([])
    assert (fill.request, fill.rounds) == ((None, 0), 0)
    fill.answer([])
    assert (fill.request, fill.rounds, fill.done) == ((None, 0), 1, False)
    old = [one for one in reversed(trades) if (one.sequential_id or 0) < 40]
    fill.answer(old)  # of a cache, made before the line came back
    assert (fill.rounds, fill.done) == (2, False)
    fill.answer(trades[::-1])
    assert (fill.done, fill.complete, ids(fill)) == (True, True, list(range(11, 50)))


def test_sides_that_never_show_end_it_incomplete_and_those_out_of_reach_are_not_asked_for() -> None:
    fill = TradeFill({1}, NOW - 60_000, NOW, days=0, sides=[(1, NOW - 60_000)])
    for _ in range(2 * ROUNDS_MOST + 2):
        assert not fill.done
        fill.answer([])
    assert (fill.done, fill.complete, fill.rounds) == (True, False, ROUNDS_MOST)
    forgotten = TradeFill({1}, NOW - 60_000, NOW, days=1, sides=[(1, NOW - DAY_MS)])
    forgotten.answer([])
    forgotten.answer([])
    assert (forgotten.done, forgotten.complete, forgotten.rounds) == (True, True, 0)


def test_what_is_older_than_any_known_trade_was_delivered_and_forgotten_or_never_asked_for() -> None:
    trades = [trade(number, NOW - 60_000 + number) for number in range(3_000)]
    fill = Exchange(trades, page=500).fill(set(range(1_000, 2_000)), NOW - 58_000, forgot=True)
    assert ids(fill) == list(range(2_000, 3_000))


def test_a_trade_that_was_published_late_may_be_a_little_older_than_the_first_that_ever_came() -> None:
    """A stream that was lost seconds after it began: 1 was executed before 2, and published after it."""
    trades = [trade(0, NOW - 6_000), trade(1, NOW - 3_000), trade(2, NOW - 2_500), trade(3, NOW)]
    assert ids(Exchange(trades, page=500).fill({2}, NOW - 2_500)) == [1, 3]
    assert ids(Exchange(trades, page=500).fill({2}, NOW - 2_500, forgot=True)) == [3]


def test_a_trade_that_comes_while_pages_are_read_is_not_missed_any_more() -> None:
    known: set[int] = {1}
    fill = TradeFill(known, NOW - 1_000, NOW, days=0)
    fill.answer([trade(3, NOW), trade(2, NOW - 500), trade(1, NOW - 900)])
    known.add(3)
    assert ids(fill) == [2]


def test_what_came_live_since_does_not_say_where_the_hole_begins() -> None:
    """Of a stream that begins in the past, or where another process ended, nothing is known before its first trade."""
    known: set[int] = set()
    fill = TradeFill(known, NOW - 60_000, NOW, days=0)
    known.add(3)
    fill.answer([trade(3, NOW), trade(2, NOW - 2_500), trade(1, NOW - 50_000)])
    assert ids(fill) == [1, 2]


def test_a_trade_without_an_id_cannot_be_told_apart_and_is_left_out() -> None:
    fill = TradeFill(set(), NOW - 1_000, NOW, days=0)
    fill.answer([TradeEvent(venue="upbit", symbol="KRW-BTC", timestamp=NOW), trade(1, NOW)])
    assert ids(fill) == [1]


_history = st.lists(
    st.tuples(st.integers(0, 2 * DAY_MS), st.integers(0, 3_000)), min_size=1, max_size=60, unique_by=sum
)  # fmt: skip


@given(made=_history, heard=st.data(), page=st.integers(2, 20))
def test_whatever_was_delivered_the_rest_is_found_once_in_the_order_of_execution(
    made: list[tuple[int, int]], heard: st.DataObject, page: int
) -> None:
    """Ids follow time within three seconds; the hole begins anywhere in two days; one trade came too late for it."""
    trades = [trade(age + noise, NOW - 2 * DAY_MS + age) for age, noise in made]
    trades.sort(key=lambda one: (one.timestamp or 0, one.sequential_id or 0))
    since = heard.draw(st.sampled_from(trades)).timestamp or 0
    before = {one.sequential_id for one in trades if (one.timestamp or 0) <= since}
    live = {one.sequential_id for one in heard.draw(st.lists(st.sampled_from(trades)))}
    late = heard.draw(st.sampled_from(trades))
    recent = {late.sequential_id} if (late.timestamp or 0) >= since - LATE_MS else set()
    known = {number for number in (before | live) - recent if number is not None}
    seen = [one.timestamp or 0 for one in trades if one.sequential_id in known]
    begun = min((time for time in seen if time >= since - OVERLAP_MS), default=0)
    missed = [one for one in trades if one.sequential_id not in known]
    assume(all((one.timestamp or 0) >= begun for one in missed))  # else it was made before the stream began
    fill = Exchange(trades, page).fill(known, since)
    assert ids(fill) == [one.sequential_id for one in missed]
    assert fill.complete
