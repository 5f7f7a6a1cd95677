"""The simulated REST calls of spec/upbit.md 9.1 to 9.5."""

from __future__ import annotations

import json
from collections.abc import Mapping
from random import Random
from typing import Any
from urllib.parse import urlencode

import pytest

from tapewire.sim.desk import Desk
from tapewire.sim.market import SeededMarket
from tapewire.venues.exchange import HttpCall
from tapewire.venues.registry import get_venue
from tapewire.venues.upbit.profile import KR, SG, Region
from tapewire.venues.upbit.sim import exchange
from tests.sim.listed import BTC, START_MS, XRP

MARKET = SeededMarket("upbit", [BTC, XRP], START_MS, Random(1))
MARKET.advance(300.0)
DESK = Desk("upbit", MARKET, 1, {"main": {}})


def get(path: str, region: Region = KR, **query: Any) -> tuple[int, Any]:
    asked: Mapping[str, str] = {name.rstrip("_"): str(value) for name, value in query.items()}
    answer = exchange(region).http(HttpCall(path, urlencode(asked)), MARKET, DESK)
    assert dict(answer.headers)["Content-Type"].startswith("application/json")
    return answer.status, json.loads(answer.body)


def ok(path: str, region: Region = KR, **query: Any) -> Any:
    status, body = get(path, region, **query)
    assert status == 200, body
    return body


@pytest.mark.parametrize(
    ("path", "query", "status", "message"),
    [
        ("/v1/ticker", {}, 400, "Missing request parameter error. Check the required parameters!"),
        ("/v1/ticker", {"markets": "KRW-BTC,KRW-NOPE"}, 404, "Code not found"),
        ("/v1/ticker/all", {}, 400, "Missing request parameter error. Check the required parameters!"),
        ("/v1/trades/ticks", {"market": "krw-btc"}, 404, "Code not found"),
        (
            "/v1/trades/ticks",
            {"market": "KRW-BTC", "count": "many"},
            400,
            "Type mismatch error. Check the parameters type!",
        ),
        ("/v1/trades/ticks", {"market": "KRW-BTC", "count": "501"}, 400, "Invalid parameter. Check the given value!"),
        (
            "/v1/trades/ticks",
            {"market": "KRW-BTC", "count": "²"},
            400,
            "Type mismatch error. Check the parameters type!",
        ),
        ("/v1/trades/ticks", {"market": "KRW-BTC", "days_ago": "8"}, 400, "Invalid parameter. Check the given value!"),
        ("/v1/trades/ticks", {"market": "KRW-BTC", "to": "24:00:00"}, 400, "Invalid parameter. Check the given value!"),
        ("/v1/trades/ticks", {"market": "KRW-BTC", "to": "noon"}, 400, "Invalid parameter. Check the given value!"),
        ("/v1/trades/ticks", {"market": "KRW-BTC", "to": "10:60:00"}, 400, "Invalid parameter. Check the given value!"),
        ("/v1/trades/ticks", {"market": "KRW-BTC", "to": "abcdef"}, 400, "Invalid parameter. Check the given value!"),
        (
            "/v1/orderbook",
            {"markets": "KRW-BTC", "level": "deep"},
            400,
            "Type mismatch error. Check the parameters type!",
        ),
        ("/v1/orderbook", {"markets": "KRW-BTC", "count": "31"}, 400, "Invalid parameter. Check the given value!"),
        ("/v1/candles/minutes/7", {"market": "KRW-BTC"}, 400, "Invalid parameter. Check the given value!"),
        ("/v1/candles/hours", {"market": "KRW-BTC"}, 404, "Not Found"),
        ("/v1/candles/days", {"market": "KRW-BTC", "to": "soon"}, 400, "Invalid parameter. Check the given value!"),
        ("/v1/candles/days", {}, 400, "Missing request parameter error. Check the required parameters!"),
        ("/v1/nothing", {}, 404, "Not Found"),
    ],
)
def test_bad_calls_get_an_integer_name(path: str, query: dict[str, str], status: int, message: str) -> None:
    assert get(path, KR, **query) == (status, {"error": {"name": status, "message": message}})


def test_market_all() -> None:
    assert ok("/v1/market/all") == [
        {"market": "KRW-BTC", "korean_name": "이름", "english_name": "Btc"},
        {"market": "BTC-XRP", "korean_name": "이름", "english_name": "Xrp"},
    ]
    details = ok("/v1/market/all", is_details="true")[0]["market_event"]
    assert details["warning"] is False
    assert len(details["caution"]) == 5
    assert ok("/v1/market/all", SG, isDetails="true")[0]["market_warning"] == "NONE"


def test_our_own_reader_reads_the_lists() -> None:
    venue = get_venue("upbit")
    side = exchange(KR)
    markets = venue.read_markets(side.http(HttpCall("/v1/market/all"), MARKET, DESK).body)
    assert [(market.symbol, market.base, market.quote) for market in markets] == [
        ("KRW-BTC", "BTC", "KRW"), ("BTC-XRP", "XRP", "BTC"),
    ]  # fmt: skip
    assert venue.read_levels is not None
    levels = side.http(HttpCall("/v1/orderbook/instruments", "markets=KRW-BTC,BTC-XRP"), MARKET, DESK).body
    assert venue.read_levels(levels) == {"KRW-BTC": (0.0, 10_000.0, 100_000.0), "BTC-XRP": (0.0,)}


def test_ticker_has_the_websockets_figures_without_its_own_fields() -> None:
    [row] = ok("/v1/ticker", markets="KRW-BTC")
    ticker = MARKET.ticker("KRW-BTC")
    assert row["trade_price"] == ticker.trade_price
    assert row["acc_trade_volume_24h"] == ticker.acc_trade_volume_24h
    assert (row["trade_date"], row["trade_time"], row["trade_time_kst"][:2]) == (
        ticker.trade_date,
        ticker.trade_time,
        "18",
    )
    assert not row.keys() & {"acc_ask_volume", "acc_bid_volume", "ask_bid", "market_state", "code"}
    assert [row["market"] for row in ok("/v1/ticker/all", quote_currencies="BTC,USDT")] == ["BTC-XRP"]


def test_trades_have_the_ids_of_the_websocket_and_signed_changes() -> None:
    rows = ok("/v1/trades/ticks", market="KRW-BTC", count=100)
    told = {trade.sequential_id: trade for trade in MARKET.trades_made}
    known = [row for row in rows if row["sequential_id"] in told]
    assert len(known) == 100
    for row in known:
        trade = told[row["sequential_id"]]
        assert row["timestamp"] == trade.trade_timestamp
        assert (row["trade_date_utc"], row["trade_time_utc"]) == (trade.trade_date, trade.trade_time)
        assert row["change_price"] == pytest.approx(row["trade_price"] - row["prev_closing_price"])
        assert row.keys() == {
            "market", "trade_date_utc", "trade_time_utc", "timestamp", "trade_price", "trade_volume",
            "prev_closing_price", "change_price", "ask_bid", "sequential_id",
        }  # fmt: skip


def test_trades_are_paged_by_cursor_time_and_day() -> None:
    first = ok("/v1/trades/ticks", market="KRW-BTC", count=5)
    second = ok("/v1/trades/ticks", market="KRW-BTC", count=5, cursor=first[-1]["sequential_id"])
    assert len(ok("/v1/trades/ticks", market="KRW-BTC")) == 1
    assert max(row["sequential_id"] for row in second) < first[-1]["sequential_id"]
    [before] = ok("/v1/trades/ticks", market="KRW-BTC", to="090000")
    assert before["trade_time_utc"] == "08:59:59"
    [colons] = ok("/v1/trades/ticks", market="KRW-BTC", to="09:00:00")
    assert colons == before
    [week] = ok("/v1/trades/ticks", market="KRW-BTC", days_ago=7)
    assert week["trade_date_utc"] == "2026-08-06"
    early = ok("/v1/trades/ticks", market="KRW-BTC", count=500, to="000001")
    assert {row["trade_date_utc"] for row in early} <= {"2026-08-13"}, "the UTC day bounds the search"
    assert len(early) < 500


def test_orderbooks_by_count_and_level() -> None:
    rows = ok("/v1/orderbook", markets="KRW-BTC,BTC-XRP")
    assert [(row["market"], len(row["orderbook_units"]), row["level"]) for row in rows] == [
        ("KRW-BTC", 30, 0), ("BTC-XRP", 30, 0),
    ]  # fmt: skip
    [row] = ok("/v1/orderbook", markets="KRW-BTC", level="10000", count=5)
    assert (len(row["orderbook_units"]), row["level"]) == (5, 10_000)
    assert ok("/v1/orderbook", markets="KRW-BTC,BTC-XRP", level="10000") == []


def test_instruments_tell_tick_and_levels() -> None:
    assert ok("/v1/orderbook/instruments", markets="KRW-BTC,BTC-XRP") == [
        {
            "market": "KRW-BTC",
            "quote_currency": "KRW",
            "tick_size": "1000",
            "supported_levels": ["0", "10000", "100000"],
        },
        {"market": "BTC-XRP", "quote_currency": "BTC", "tick_size": "0.00000001", "supported_levels": ["0"]},
    ]
    assert "supported_levels" not in ok("/v1/orderbook/instruments", SG, markets="BTC-XRP")[0]
    assert ok("/v1/orderbook/supported_levels", markets="KRW-BTC") == [
        {"market": "KRW-BTC", "supported_levels": [0.0, 10_000.0, 100_000.0]}
    ]


@pytest.mark.parametrize(
    ("path", "more"),
    [
        ("seconds", set()),
        ("minutes/240", {"unit"}),
        ("days", {"prev_closing_price", "change_price", "change_rate"}),
        ("weeks", {"first_day_of_period"}),
        ("months", {"first_day_of_period"}),
        ("years", {"first_day_of_period"}),
    ],
)
def test_candles_of_every_unit(path: str, more: set[str]) -> None:
    rows = ok(f"/v1/candles/{path}", market="KRW-BTC", count=3)
    assert len(rows) == 3
    starts = [row["candle_date_time_utc"] for row in rows]
    assert starts == sorted(starts, reverse=True)
    common = {
        "market", "candle_date_time_utc", "candle_date_time_kst", "opening_price", "high_price", "low_price",
        "trade_price", "timestamp", "candle_acc_trade_price", "candle_acc_trade_volume",
    }  # fmt: skip
    for row in rows:
        assert row.keys() == common | more
        assert row["low_price"] <= min(row["opening_price"], row["trade_price"])
        assert row["high_price"] >= max(row["opening_price"], row["trade_price"])


@pytest.mark.parametrize("to", ["2026-08-12T00:00:00Z", "2026-08-12 00:00:00", "2026-08-12T09:00:00+09:00"])
def test_candles_before_a_moment(to: str) -> None:
    [row] = ok("/v1/candles/minutes/1", market="KRW-BTC", to=to)
    assert row["candle_date_time_utc"] == "2026-08-11T23:59:00"


def test_before_the_first_candle_there_is_none() -> None:
    for path in ("minutes/1", "days"):
        assert ok(f"/v1/candles/{path}", market="KRW-BTC", to="1970-01-01T00:00:00Z") == []


def test_days_know_the_day_before_and_the_local_currency() -> None:
    today, yesterday = ok("/v1/candles/days", market="KRW-BTC", count=2, converting_price_unit="KRW")
    assert today["prev_closing_price"] == yesterday["trade_price"]
    assert today["converted_trade_price"] == today["trade_price"]
    assert today["change_rate"] == pytest.approx(today["change_price"] / today["prev_closing_price"])


def test_groups_are_named_as_in_the_header() -> None:
    side = exchange(KR)
    paths = ("/v1/market/all", "/v1/ticker", "/v1/trades/ticks", "/v1/orderbook", "/v1/candles/days", "/x")
    assert [side.group(HttpCall(path)) for path in paths] == [
        ("market", 10, 1.0), ("ticker", 10, 1.0), ("crix-trades", 10, 1.0), ("orderbook", 10, 1.0),
        ("candles", 10, 1.0), ("candles", 10, 1.0),
    ]  # fmt: skip


@pytest.mark.parametrize(("region", "orders"), [(KR, 12), (SG, 8)])
def test_calls_of_ones_own_have_wider_limits(region: Region, orders: int) -> None:
    side = exchange(region)
    assert side.group(HttpCall("/v1/accounts")) == ("default", 30, 1.0)
    assert side.group(HttpCall("/v1/orders/open")) == ("default", 30, 1.0)
    assert side.group(HttpCall("/v1/order", method="DELETE")) == ("default", 30, 1.0)
    assert side.group(HttpCall("/v1/orders", method="POST")) == ("order", orders, 1.0)
    assert side.http_headers(("default", 30, 1.0), 29) == (("Remaining-Req", "group=default; min=1800; sec=29"),)


def test_nothing_can_be_posted_to_a_quotation_call() -> None:
    answer = exchange(KR).http(HttpCall("/v1/ticker", "markets=KRW-BTC", method="POST"), MARKET, DESK)
    assert (answer.status, json.loads(answer.body)) == (405, {"error": {"name": 405, "message": "Method Not Allowed"}})
