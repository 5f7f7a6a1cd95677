"""Order books as ladders, candles as bars, the state that events make."""

from __future__ import annotations

import json
from typing import Any

import pytest

from tests.dashboard.conftest import Calculate


def book(*units: tuple[float, float, float, float]) -> str:
    names = ("ask_price", "bid_price", "ask_size", "bid_size")
    return json.dumps({"orderbook_units": [dict(zip(names, unit, strict=True)) for unit in units]})


BOOK = book((101, 100, 1, 2), (103, 98, 2, 4), (104, 97, 1, 2), (0, 95, 0, 8))


def rows(side: list[dict[str, float]]) -> list[tuple[float, ...]]:
    return [(row["price"], row["size"], row["total"], row["share"]) for row in side]


def test_a_ladder_sums_from_the_best_price_outward(calculated: Calculate) -> None:
    shown = calculated("logic/ladder.js", f"m.ladder({BOOK}, 0, 3)")
    assert rows(shown["asks"]) == [(101, 1, 1, 0.125), (103, 2, 3, 0.375), (104, 1, 4, 0.5)]
    assert rows(shown["bids"]) == [(100, 2, 2, 0.25), (98, 4, 6, 0.75), (97, 2, 8, 1.0)]
    assert (shown["spread"], round(shown["spreadRate"], 6)) == (1, round(1 / 100.5, 6))


def test_a_book_whose_sides_are_sent_apart_is_the_same_ladder(calculated: Calculate) -> None:
    apart = {"asks": [[101, 1, 0, 3], [103, 2], [104, 1]], "bids": [[100, 2], [98, 4], [97, 2], [95, 8]]}
    paired = calculated("logic/ladder.js", f"m.ladder({BOOK}, 0, 9)")
    assert calculated("logic/ladder.js", f"m.ladder({json.dumps(apart)}, 0, 9)") == paired


def test_groups_never_look_better_than_what_is_in_them(calculated: Calculate) -> None:
    shown = calculated("logic/ladder.js", f"m.ladder({BOOK}, 5, 9)")
    assert rows(shown["asks"]) == [(105, 4, 4, 0.25)]
    assert rows(shown["bids"]) == [(100, 2, 2, 0.125), (95, 14, 16, 1.0)]


def test_steps_of_a_tenth_are_exact(calculated: Calculate) -> None:
    units = book(*[(round(1 + i / 10, 1), round(0.9 - i / 10, 1), 1, 1) for i in range(9)])
    shown = calculated("logic/ladder.js", f"m.ladder({units}, 0.2, 20)")
    assert [row["price"] for row in shown["asks"]] == [1.0, 1.2, 1.4, 1.6, 1.8]
    assert [row["price"] for row in shown["bids"]] == [0.8, 0.6, 0.4, 0.2, 0.0]
    assert sum(row["size"] for row in shown["asks"]) == 9


@pytest.mark.parametrize("empty", ["null", "{}", book(), book((0, 0, 0, 0))])
def test_an_empty_book_is_an_empty_ladder(calculated: Calculate, empty: str) -> None:
    shown = calculated("logic/ladder.js", f"m.ladder({empty}, 0, 5)")
    assert shown == {"asks": [], "bids": [], "spread": None, "spreadRate": None}


@pytest.mark.parametrize(
    ("tick", "steps"),
    [
        (1000, [2000, 5000, 10000, 20000]),
        (0.1, [0.2, 0.5, 1, 2]),
        (0.5, [1, 2, 5, 10]),
        (3, [5, 10, 20, 50]),
        (0.0001, [0.0002, 0.0005, 0.001, 0.002]),
        (0, []),
    ],
)
def test_steps_are_round_and_larger_than_the_tick(calculated: Calculate, tick: float, steps: list[float]) -> None:
    assert calculated("logic/ladder.js", f"m.steps({tick}, 4)") == steps


def test_the_tick_is_the_smallest_distance_of_neighbours(calculated: Calculate) -> None:
    assert calculated("logic/ladder.js", f"m.tickOf({BOOK})") == 1
    assert calculated("logic/ladder.js", "m.tickOf({ asks: [] })") == 0
    tenths = book((0.3, 0.2, 1, 1), (0.4, 0.1, 1, 1))
    assert calculated("logic/ladder.js", f"m.tickOf({tenths})") == 0.1


def play(
    calculated: Calculate, *events: dict[str, Any], look: str = "s.look('upbit', 'KRW-BTC', '1m')", say: str
) -> Any:
    steps = "".join(f"s.hear({json.dumps(event)});" for event in events)
    return calculated("logic/store.js", f"(() => {{ const s = new m.Store(); {look}; {steps} return {say}; }})()")


def ticker(price: float | None, **fields: Any) -> dict[str, Any]:
    return {"type": "ticker", "venue": "upbit", "symbol": "KRW-BTC", "trade_price": price} | fields


def trade(number: int, at: int, **fields: Any) -> dict[str, Any]:
    fields = {"symbol": "KRW-BTC", "sequential_id": number, "trade_timestamp": at, "trade_price": 1.0} | fields
    return {"type": "trade", "venue": "upbit"} | fields


def test_tickers_move_a_market(calculated: Calculate) -> None:
    told = play(
        calculated, ticker(10.0, signed_change_rate=0.1), ticker(10.0),
        ticker(9.0, opening_price_24h=12.0, high_price=13.0), ticker(None),
        say="['price', 'direction', 'moves', 'change', 'high'].map((name) => s.market('upbit', 'KRW-BTC')[name])",
    )  # fmt: skip
    assert told == [9.0, -1, 1, -0.25, 13.0]


def test_trades_stand_newest_first_and_once(calculated: Calculate) -> None:
    told = play(
        calculated, trade(1, 10), trade(3, 30), trade(2, 20), trade(3, 30), trade(9, 90, symbol="KRW-ETH"),
        say="s.focus.trades.map((one) => one.sequential_id)",
    )  # fmt: skip
    assert told == [3, 2, 1]


def test_trades_are_bounded(calculated: Calculate) -> None:
    one = json.dumps(trade(0, 0))
    many = f"for (let i = 0; i < 1000; i += 1) s.hear({{ ...{one}, sequential_id: i, trade_timestamp: i }})"
    told = play(
        calculated,
        look=f"s.look('upbit', 'KRW-BTC', '1m'); {many}",
        say="[s.focus.trades.length, s.focus.seen.size, s.focus.trades[0].sequential_id]",
    )
    assert told == [200, 200, 999]


def test_only_the_market_that_is_looked_at_keeps_books_trades_and_candles(calculated: Calculate) -> None:
    other = {"type": "orderbook", "venue": "okx", "symbol": "KRW-BTC", "orderbook_units": []}
    told = play(calculated, other, trade(1, 1), look="", say="[s.focus, s.heard, s.markets.size]")
    assert told == [None, 2, 0]
    assert play(calculated, other, say="s.focus.book") is None


def test_candles_of_the_unit_looked_at_become_bars_in_order(calculated: Calculate) -> None:
    def candle(start: str, close: float | None, unit: str = "1m") -> dict[str, Any]:
        prices = dict.fromkeys(("opening_price", "high_price", "low_price"), 5.0)
        return {
            "type": "candle",
            "venue": "upbit",
            "symbol": "KRW-BTC",
            "unit": unit,
            "candle_date_time_utc": start,
            "trade_price": close,
        } | prices

    steps = [
        candle("1970-01-01T00:02:00", 6.0),
        candle("1970-01-01T00:01:00", 5.0),
        candle("1970-01-01T00:02:00", 7.0),
        candle("1970-01-01T00:03:00", None),
        candle("1970-01-01T00:02:00", 9.0, "5m"),
        candle("nonsense", 1.0),
    ]
    kept = play(calculated, *steps, say="[...s.focus.candles]")
    bars = calculated("logic/candles.js", f"m.bars(new Map({json.dumps(kept)}), 1000)")
    assert bars == [
        {"time": 61, "open": 5.0, "high": 5.0, "low": 5.0, "close": 5.0, "volume": 0},
        {"time": 121, "open": 5.0, "high": 5.0, "low": 5.0, "close": 7.0, "volume": 0},
    ]


def test_the_list_of_markets_replaces_what_there_was_of_that_venue(calculated: Calculate) -> None:
    lists = "s.list('upbit', [{symbol:'KRW-A', name:'a'}, {symbol:'KRW-B'}]); s.list('okx', [{symbol:'A-USDT'}]);"
    again = "s.market('upbit', 'KRW-A').price = 7; s.list('upbit', [{symbol:'KRW-A', name:'z', warning:true}]);"
    told = play(
        calculated,
        look=lists + again,
        say="[...s.markets.values()].map((one) => [one.symbol, one.name, one.price, one.warning])",
    )
    assert told == [["KRW-A", "z", 7, True], ["A-USDT", "", None, False]]


def gap(state: str, began: int) -> dict[str, Any]:
    stream = {"kind": "trade", "symbol": "KRW-BTC", "unit": None, "depth": None, "level": 0, "detail": ""}
    return {
        "type": "gap",
        "venue": "upbit",
        "connection": "upbit-1",
        "subscription": stream,
        "state": state,
        "from_ns": began,
    }


def test_a_row_of_the_ledger_that_is_told_again_replaces_itself(calculated: Calculate) -> None:
    news = [gap("open", 1), gap("open", 2), gap("filled", 1)]
    told = play(
        calculated,
        look=f"for (const one of {json.dumps(news)}) s.hearNews(one)",
        say="[[...s.gaps.values()].map((row) => row.state), s.news.length]",
    )
    assert told == [["filled", "open"], 0]


def test_announcements_replace_their_older_version(calculated: Calculate) -> None:
    notices = [
        {"type": "announcement", "venue": "upbit", "uuid": name, "title": title}
        for name, title in (("a", "1"), ("b", "2"), ("a", "3"))
    ]
    assert play(calculated, *notices, say="s.announcements.map((one) => one.title)") == ["3", "2"]


def test_latencies_are_those_of_messages_that_came_by_themselves(calculated: Calculate) -> None:
    late = ticker(1.0, timestamp=1_000, received_ns=1_030_000_000, stream_type="REALTIME")
    snapshot = late | {"stream_type": "SNAPSHOT"}
    candle, polled = late | {"type": "candle"}, late | {"polled": True}
    look = "s.latency = { samples: [], add(ms) { this.samples.push(ms); } }"
    assert play(calculated, late, snapshot, candle, polled, ticker(1.0), look=look, say="s.latency.samples") == [30]
