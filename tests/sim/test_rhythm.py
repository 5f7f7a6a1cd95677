"""A market of an exchange with other ways: deep books, counted trades, every window a candle."""

from __future__ import annotations

from collections import defaultdict
from itertools import pairwise

import msgspec

from tapewire.sim.market import SeededMarket
from tapewire.venues.exchange import Due, Rhythm
from tests.sim.draws import seeded
from tests.sim.listed import BTC, START_MS

DEEP = Rhythm(
    book_pause=0.1, book_spread=0.0, fast_pause=0.01, ticker_pause=0.1, quiet=60.0, depth=400, late=0.0, counted=True,
    every_window=True, units=("1s", "1m", "1d", "1d+8"), closing_units=("1s", "1m"), closing=0.05,
)  # fmt: skip
COIN = msgspec.structs.replace(BTC, tick=(1, -1), price=90_000.0, lot=1_000, books=30.0)
STILL = msgspec.structs.replace(COIN, books=0.000_001, trades=0.000_001)


def make(listing: object = COIN) -> SeededMarket:
    return SeededMarket("okx", [listing], START_MS, seeded(), rhythm=DEEP)  # type: ignore[list-item]


def played(market: SeededMarket, seconds: float) -> dict[str, list[tuple[float, Due]]]:
    told: dict[str, list[tuple[float, Due]]] = defaultdict(list)
    while (at := market.deadline) <= seconds:
        for due in market.advance(at):
            told[due.kind].append((at, due))
    return told


def test_each_kind_of_news_keeps_its_own_pause() -> None:
    told = played(make(), 60.0)
    for kind, pause in (("orderbook", 0.1), ("orderbook-fast", 0.01), ("ticker", 0.1), ("candle", 1.0)):
        assert min(later - earlier for (earlier, _), (later, _) in pairwise(told[kind])) > pause - 1e-9, kind
    assert len(told["orderbook-fast"]) > 1.5 * len(told["orderbook"])
    assert len(told["ticker"]) > 2 * len(told["trade"]), "tickers tell of books too"


def test_a_book_without_changes_is_told_again_after_a_minute() -> None:
    market = make(STILL)
    market.touched("KRW-BTC")
    told = played(market, 200.0)
    assert [round(at) for at, _ in told["orderbook"]] == [0]
    assert [round(at) for at, _ in told["still"]] == [60, 120, 180]
    market.advance(200.0)
    market.touched("KRW-BTC")
    assert [round(at) for at, _ in played(market, 300.0)["still"]] == [260]


def test_trade_ids_count_matches_from_the_past_on() -> None:
    market = make()
    trades = [due for _, due in played(market, 120.0)["trade"]]
    last = market.trades("KRW-BTC", START_MS, None, 1)[0].sequential_id
    several = 0
    for due in trades:
        assert due.trade is not None
        assert last is not None
        ids = [part.sequential_id for part in due.parts] or [due.trade.sequential_id]
        assert ids == [last + 1 + step for step in range(len(ids))], "no id is left out"
        if due.parts:
            several += 1
            assert round(sum(part.trade_volume or 0 for part in due.parts), 8) == due.trade.trade_volume
            assert {part.trade_price for part in due.parts} == {due.trade.trade_price}
        last = ids[-1]
    assert several > 10


def test_history_by_id_has_every_match_and_reaches_into_the_past() -> None:
    market = make()
    market.advance(30.0)
    newest = market.trades("KRW-BTC", START_MS + 10**9, None, 1)[0].sequential_id
    assert newest is not None
    found = market.trades("KRW-BTC", START_MS + 10**9, newest - 5, 300)
    assert [trade.sequential_id for trade in found] == list(range(newest - 6, newest - 306, -1))


def test_every_second_has_a_candle_and_its_close_is_told() -> None:
    market = make(STILL)
    told = played(market, 5.1)
    assert [due.ms - START_MS for _, due in told["close"] if due.unit == "1s"] == [1000, 2000, 3000, 4000, 5000]
    starts = [candle.candle_date_time_utc for candle in market.candles("KRW-BTC", "1s", START_MS + 5_000, 4)]
    assert starts == [f"2026-08-13T09:00:0{second}" for second in (4, 3, 2, 1)]
    days = {unit: market.candle("KRW-BTC", unit).candle_date_time_utc for unit in ("1d", "1d+8")}
    assert days == {"1d": "2026-08-13T00:00:00", "1d+8": "2026-08-12T16:00:00"}


def test_the_ladder_is_the_book_in_whole_numbers() -> None:
    market = make()
    market.advance(3.0)
    ladder, book = market.ladder("KRW-BTC"), market.orderbook("KRW-BTC")
    assert len(ladder.asks) == len(ladder.bids) == 400
    assert ladder.power == -1
    shown = [(price / 10, size / 1e8) for price, size in ladder.asks.items()]
    assert shown == [(unit.ask_price, unit.ask_size) for unit in book.orderbook_units]
    shown = [(price / 10, size / 1e8) for price, size in ladder.bids.items()]
    assert shown == [(unit.bid_price, unit.bid_size) for unit in book.orderbook_units]
