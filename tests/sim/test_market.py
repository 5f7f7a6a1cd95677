"""The seeded market: repeatable, with the recordings' rhythms and quirks, true to itself."""

from __future__ import annotations

from collections import Counter, defaultdict
from itertools import pairwise

import msgspec
import pytest

from tapewire.model.events import TickerEvent, TradeEvent
from tapewire.sim.market import Recorded, SeededMarket
from tapewire.sim.scenario import Scenario, listings, recording
from tests.sim.draws import seeded
from tests.sim.listed import BTC, QUIET, START_MS, XRP, listing

_DAY = 86_400


def make(seed: int = 1, pace: float = 1.0) -> SeededMarket:
    return SeededMarket("upbit", [BTC, XRP], START_MS, seeded(seed), pace=pace)


def made(market: SeededMarket, symbol: str) -> list[TradeEvent]:
    return [trade for trade in market.trades_made if trade.symbol == symbol]


def test_the_same_seed_gives_the_same_hour_however_it_is_cut() -> None:
    whole, pieces = make(), make()
    at_once = whole.advance(600.0)
    piecewise = [due for step in range(1, 6001) for due in pieces.advance(step / 10)]
    assert at_once == piecewise
    assert whole.orderbook("KRW-BTC") == pieces.orderbook("KRW-BTC")
    assert make(2).advance(600.0) != at_once


def test_a_deadline_is_when_something_happens() -> None:
    market = make()
    for _ in range(200):
        deadline = market.deadline
        assert market.advance(deadline - 1e-9) == []
        market.advance(deadline)
        assert market.deadline > deadline


def test_a_market_without_listings_never_wants_to_be_called() -> None:
    assert SeededMarket("upbit", [], START_MS, seeded()).deadline == float("inf")


def test_books_come_at_most_every_295_ms_and_candles_every_second() -> None:
    market, times = make(), defaultdict(list)
    while (at := market.deadline) < 300:
        for due in market.advance(at):
            times[due.kind, due.symbol].append(at)
    for kind, least in (("orderbook", 0.2949), ("candle", 0.9999)):
        for key, moments in times.items():
            if key[0] == kind:
                assert min(later - earlier for earlier, later in pairwise(moments)) >= least, key
    assert len(times["orderbook", "KRW-BTC"]) > 300 / 0.45
    assert len(times["ticker", "KRW-BTC"]) == len(times["trade", "KRW-BTC"])
    assert abs(len(times["trade", "KRW-BTC"]) - 600) < 100


def test_pace_quickens_every_rhythm() -> None:
    slow, fast = Counter(due.kind for due in make().advance(60)), Counter(due.kind for due in make(pace=20).advance(60))
    assert fast["trade"] > 15 * slow["trade"]
    assert fast["orderbook"] > 10 * slow["orderbook"]


def test_ids_are_unique_in_a_market_only_and_go_backwards_now_and_then() -> None:
    market = make(pace=30)
    market.advance(120)
    ids = {symbol: [trade.sequential_id or 0 for trade in made(market, symbol)] for symbol in ("KRW-BTC", "BTC-XRP")}
    for symbol, numbers in ids.items():
        assert len(numbers) == len(set(numbers)), symbol
    assert set(ids["KRW-BTC"]) & set(ids["BTC-XRP"])
    backwards = sum(later < earlier for earlier, later in pairwise(ids["KRW-BTC"]))
    assert backwards > len(ids["KRW-BTC"]) * 0.02
    assert min(ids["KRW-BTC"]) > 2**53


def test_times_of_trades_go_back_with_their_ids_but_publication_does_not() -> None:
    market = make(pace=30)
    market.advance(60)
    trades = made(market, "KRW-BTC")
    assert any(later.trade_timestamp < earlier.trade_timestamp for earlier, later in pairwise(trades))  # type: ignore[operator]
    assert all(later.timestamp >= earlier.timestamp for earlier, later in pairwise(trades))  # type: ignore[operator]
    for trade in trades:
        assert (trade.sequential_id or 0) // 10_000 == trade.trade_timestamp


def test_totals_of_a_book_are_the_sums_of_its_levels() -> None:
    market = make()
    for second in range(1, 60):
        market.advance(second)
        for symbol in market.symbols:
            book = market.orderbook(symbol)
            assert len(book.orderbook_units) == 30
            assert book.total_ask_size == pytest.approx(sum(unit.ask_size for unit in book.orderbook_units), abs=1e-8)
            assert book.total_bid_size == pytest.approx(sum(unit.bid_size for unit in book.orderbook_units), abs=1e-8)
            assert book.orderbook_units[0].bid_price < book.orderbook_units[0].ask_price


def test_prices_move_and_come_back() -> None:
    market = make()
    market.advance(3600)
    prices = [trade.trade_price or 0.0 for trade in made(market, "KRW-BTC")]
    assert len(set(prices)) > 15
    assert min(prices) / BTC.price > 0.8
    assert max(prices) / BTC.price < 1.2


def test_ticker_candles_and_trades_tell_the_same_story() -> None:
    market = make()
    before = market.ticker("KRW-BTC")
    market.advance(3600.0)
    after, trades = market.ticker("KRW-BTC"), made(market, "KRW-BTC")
    traded = sum(trade.trade_volume or 0 for trade in trades)
    gained = (after.acc_trade_volume or 0) - (before.acc_trade_volume or 0)
    assert gained == pytest.approx(traded, abs=0.2), "executed and not yet published are the only difference"
    hour = market.candle("KRW-BTC", "60m")
    assert (hour.candle_date_time_utc, hour.candle_date_time_kst) == ("2026-08-13T09:00:00", "2026-08-13T18:00:00")
    assert hour.candle_acc_trade_volume == pytest.approx(gained)
    assert after.high_price == max(before.high_price or 0, hour.high_price or 0)
    minutes = market.candles("KRW-BTC", "1m", market.now_ms, 60)
    assert sum(candle.candle_acc_trade_volume or 0 for candle in minutes) == pytest.approx(gained)
    assert after.signed_change_price == pytest.approx((after.trade_price or 0) - (after.prev_closing_price or 0))
    assert (after.acc_ask_volume or 0) + (after.acc_bid_volume or 0) == pytest.approx(after.acc_trade_volume or 0)


def test_a_new_utc_day_begins_with_the_last_price() -> None:
    market = SeededMarket("upbit", [QUIET], START_MS, seeded())
    market.advance(15 * 3600 - 1)
    last = market.ticker("BTC-XRP")
    market.advance(15 * 3600 + 900)
    new = market.ticker("BTC-XRP")
    assert new.prev_closing_price == pytest.approx(last.trade_price, rel=0.01)
    assert (new.acc_trade_volume or 0) < (last.acc_trade_volume or 0)
    assert (new.acc_trade_volume_24h or 0) > (new.acc_trade_volume or 0)


def test_the_last_24_hours_forget_what_is_older() -> None:
    market = SeededMarket("upbit", [QUIET], START_MS, seeded())
    at_first = market.ticker("BTC-XRP").acc_trade_volume_24h or 0
    market.advance(1.5 * _DAY)
    later = market.ticker("BTC-XRP").acc_trade_volume_24h or 0
    counted = sum(
        trade.trade_volume or 0
        for trade in market.trades_made
        if market.now_ms - (trade.trade_timestamp or 0) < _DAY * 1000
    )
    assert later == pytest.approx(counted, rel=0.01)
    assert 0.2 < at_first / later < 5


def test_a_price_beyond_the_year_moves_its_extremes() -> None:
    market = make()
    pit = market.pits["KRW-BTC"]
    pit.high52, pit.low52 = BTC.price * 0.999, 1.0
    market.advance(600)
    ticker = market.ticker("KRW-BTC")
    assert (ticker.highest_52_week_price or 0) > BTC.price * 0.999
    assert ticker.highest_52_week_date == "2026-08-13"
    pit.low52 = BTC.price * 1.01
    market.advance(700)
    assert market.ticker("KRW-BTC").lowest_52_week_date == "2026-08-13"


def test_trades_are_paged_without_loss_from_the_present_into_the_past() -> None:
    market = make()
    market.advance(60)
    pages, cursor = [], None
    for _ in range(8):
        page = market.trades("KRW-BTC", market.now_ms + 1, cursor, 50)
        pages += page
        cursor = min(trade.sequential_id or 0 for trade in page)
    ids = [trade.sequential_id for trade in pages]
    assert len(ids) == len(set(ids)) == 400
    published = {trade.sequential_id for trade in made(market, "KRW-BTC")}
    assert published <= set(ids)
    assert ids == sorted(ids, reverse=True)  # type: ignore[type-var]
    assert market.trades("KRW-BTC", START_MS - 7 * _DAY * 1000, None, 1)[0].trade_date == "2026-08-06"


def test_what_is_listed_can_be_asked() -> None:
    market = make()
    assert list(market.symbols) == ["KRW-BTC", "BTC-XRP"]
    assert (market.tick_size("KRW-BTC"), market.tick_size("BTC-XRP")) == ("1000", "0.00000001")
    assert market.listing("BTC-XRP") is XRP.market
    assert market.orderbook("KRW-BTC", 10_000.0).level == 10_000.0
    assert market.draw() != market.draw()
    assert market.ticker("KRW-BTC").market_warning == "NONE"


class TestRecorded:
    """A market that begins with the recorded 29.8 seconds of 2021."""

    def make(self) -> tuple[SeededMarket, tuple[Recorded, ...]]:
        tape = recording()
        codes = tuple(dict.fromkeys(entry.event.symbol for entry in tape))
        return SeededMarket("upbit", listings(Scenario(markets=codes)), START_MS, seeded(), recorded=tape), tape

    def test_recorded_trades_come_at_their_moments_with_their_figures(self) -> None:
        market, tape = self.make()
        market.advance(tape[-1].at)
        recorded = [entry.event for entry in tape if isinstance(entry.event, TradeEvent)]
        first = min(entry.event.timestamp or 0 for entry in tape)
        assert len(market.trades_made) == len(recorded) == 304
        for ours, theirs in zip(market.trades_made, recorded, strict=True):
            for name in (
                "symbol",
                "trade_price",
                "trade_volume",
                "ask_bid",
                "prev_closing_price",
                "change",
                "change_price",
            ):
                assert getattr(ours, name) == getattr(theirs, name), name
            shift = START_MS - first
            assert (ours.trade_timestamp or 0) - (theirs.trade_timestamp or 0) == shift
            factor = 1_000 if len(str(theirs.sequential_id)) == 16 else 10_000
            assert ours.sequential_id == (theirs.sequential_id or 0) + shift * factor

    def test_recorded_books_are_shown_exactly_in_their_depth(self) -> None:
        market, tape = self.make()
        for entry in tape:
            market.advance(entry.at)
            theirs = entry.event
            if not isinstance(theirs, TradeEvent):
                units = market.orderbook(theirs.symbol).orderbook_units
                assert units[:15] == theirs.orderbook_units  # type: ignore[attr-defined]

    def test_the_seeded_market_carries_on_from_the_last_price(self) -> None:
        market, tape = self.make()
        market.advance(tape[-1].at + 120)
        prices = {trade.trade_price for trade in list(market.trades_made)[304:] if trade.symbol == "KRW-LAMB"}
        assert prices
        assert prices <= {float(price) for price in range(115, 140)}
        ids = [trade.sequential_id for trade in market.trades_made if trade.symbol == "KRW-LAMB"]
        assert len(ids) == len(set(ids))

    def test_a_recording_holds_trades_and_books_only(self) -> None:
        ticker = Recorded(0.0, TickerEvent(venue="upbit", symbol="KRW-BTC", timestamp=1))
        with pytest.raises(TypeError, match="trades and books, not TickerEvent"):
            SeededMarket("upbit", [BTC], START_MS, seeded(), recorded=[ticker])


def test_a_market_without_a_trade_yet_today_begins_its_day_at_yesterdays_close() -> None:
    rare = msgspec.structs.replace(QUIET, trades=0.00001)
    midnight = START_MS - 9 * 3_600_000 + 60_000
    ticker = SeededMarket("upbit", [rare], midnight, seeded()).ticker("BTC-XRP")
    assert ticker.opening_price == ticker.prev_closing_price
    assert ticker.acc_trade_volume == 0.0


def test_a_cursor_inside_a_millisecond_of_the_past_skips_that_trade() -> None:
    market = make()
    [last] = market.trades("KRW-BTC", START_MS, None, 1)
    [before] = market.trades("KRW-BTC", START_MS, last.sequential_id, 1)
    assert (before.sequential_id or 0) < (last.sequential_id or 0)
    [same] = market.trades("KRW-BTC", START_MS, (last.sequential_id or 0) + 1, 1)
    assert same == last


def test_a_candle_closes_a_moment_after_its_end_if_it_had_a_trade() -> None:
    idle = listing("KRW-IDLE", 1_000.0, trades=1e-6)
    market = SeededMarket("upbit", [BTC, idle], START_MS, seeded())
    closed = []
    while market.deadline < 1_000:
        at = market.deadline
        closed += [(round(at, 3), due.symbol, due.unit, due.ms) for due in market.advance(at) if due.kind == "close"]
    assert closed == [
        (301.1, "KRW-BTC", "5m", START_MS + 300_000),
        (601.1, "KRW-BTC", "5m", START_MS + 600_000),
        (901.1, "KRW-BTC", "15m", START_MS + 900_000),
        (901.1, "KRW-BTC", "5m", START_MS + 900_000),
    ]
