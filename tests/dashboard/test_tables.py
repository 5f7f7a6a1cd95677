"""Which rows a table shows, in which order, and which of them are on the screen."""

from __future__ import annotations

import json
from typing import Any

import pytest

from tests.dashboard.conftest import Calculate


def market(venue: str, symbol: str, names: tuple[str, str], *figures: float | None) -> dict[str, Any]:
    """Its figures are price, change and turnover."""
    quote = symbol.partition("-")[2 if venue == "okx" else 0]
    base = symbol.partition("-")[0 if venue == "okx" else 2]
    named = {"key": f"{venue} {symbol}", "base": base, "quote": quote, "name": names[0], "localName": names[1]}
    return {"venue": venue, "symbol": symbol} | named | dict(zip(("price", "change", "turnover"), figures, strict=True))


MARKETS = [
    market("upbit", "KRW-BTC", ("Bitcoin", "비트코인"), 9.0, -0.1, 50),
    market("upbit", "KRW-ETH", ("Ethereum", "이더리움"), 5.0, 0.2, 70),
    market("upbit", "BTC-XRP", ("Ripple", "리플"), None, None, None),
    market("okx", "BTC-USDT", ("", ""), 5.0, 0.0, 60),
]
ALL = json.dumps(MARKETS)


def shown(calculated: Calculate, favourites: tuple[str, ...] = (), **view: Any) -> list[str]:
    asked = {"query": "", "filter": "all", "column": "turnover", "descending": True} | view
    rows = calculated("logic/table.js", f"m.rows({ALL}, {json.dumps(asked)}, new Set({json.dumps(favourites)}))")
    return [row["symbol"] for row in rows]


@pytest.mark.parametrize(
    ("column", "descending", "symbols"),
    [
        ("turnover", True, ["KRW-ETH", "BTC-USDT", "KRW-BTC", "BTC-XRP"]),
        ("turnover", False, ["KRW-BTC", "BTC-USDT", "KRW-ETH", "BTC-XRP"]),
        ("change", True, ["KRW-ETH", "BTC-USDT", "KRW-BTC", "BTC-XRP"]),
        ("price", True, ["KRW-BTC", "BTC-USDT", "KRW-ETH", "BTC-XRP"]),
        ("symbol", False, ["BTC-USDT", "BTC-XRP", "KRW-BTC", "KRW-ETH"]),
        ("symbol", True, ["KRW-ETH", "KRW-BTC", "BTC-XRP", "BTC-USDT"]),
        ("nonsense", True, ["KRW-ETH", "BTC-USDT", "KRW-BTC", "BTC-XRP"]),
    ],
)
def test_sorted_rows_have_unknown_figures_last(
    calculated: Calculate, column: str, descending: bool, symbols: list[str]
) -> None:
    assert shown(calculated, column=column, descending=descending) == symbols


def test_turnovers_are_compared_in_one_currency(calculated: Calculate) -> None:
    none = ("", "")
    markets = [
        market("upbit", "KRW-BTC", none, 1_000.0, 0, 500),
        market("upbit", "KRW-USDT", none, 10.0, 0, 5),
        market("upbit", "BTC-XRP", none, 0.1, 0, 1),
        market("okx", "ETH-USDT", none, 3.0, 0, 60),
        market("okx", "ETH-USDC", none, 3.0, 0, 20),
        market("okx", "ETH-EUR", none, 3.0, 0, 7),
    ]
    view = {"query": "", "filter": "all", "column": "turnover", "descending": True}
    rows = calculated("logic/table.js", f"m.rows({json.dumps(markets)}, {json.dumps(view)}, new Set())")
    assert [row["symbol"] for row in rows] == ["BTC-XRP", "ETH-USDT", "KRW-BTC", "ETH-USDC", "ETH-EUR", "KRW-USDT"]
    dollars = [market("okx", "BTC-USDT", none, 9.0, 0, 1)]
    assert calculated("logic/table.js", f"[...m.rates({json.dumps(dollars)})]") == [["USDT", 1], ["BTC", 9]]


@pytest.mark.parametrize(
    ("query", "symbols"),
    [
        ("btc", ["BTC-USDT", "KRW-BTC", "BTC-XRP"]),
        ("krwbtc", ["KRW-BTC"]),
        ("비트", ["KRW-BTC"]),
        ("ㅂㅌㅋ", ["KRW-BTC"]),
        ("ㅇㄷ", ["KRW-ETH"]),
        ("ether krw", ["KRW-ETH"]),
        ("okx btc", ["BTC-USDT"]),
        ("  ", ["KRW-ETH", "BTC-USDT", "KRW-BTC", "BTC-XRP"]),
        ("(", []),
    ],
)
def test_search_knows_codes_names_and_first_consonants(calculated: Calculate, query: str, symbols: list[str]) -> None:
    assert shown(calculated, query=query) == symbols


def test_filters_are_the_quote_currencies_of_each_venue_and_the_favourites(calculated: Calculate) -> None:
    found = calculated("logic/table.js", f"m.filters({ALL})")
    assert [(one["filter"], one["count"]) for one in found] == [("upbit KRW", 2), ("okx USDT", 1), ("upbit BTC", 1)]
    assert shown(calculated, filter="upbit KRW") == ["KRW-ETH", "KRW-BTC"]
    assert shown(calculated, ("okx BTC-USDT",), filter="favourites") == ["BTC-USDT"]


@pytest.mark.parametrize(
    ("expression", "rows"),
    [
        ("m.visible(0, 400, 40, 300)", [0, 14]),
        ("m.visible(4000, 400, 40, 300)", [96, 114]),
        ("m.visible(11600, 400, 40, 300)", [286, 300]),
        ("m.visible(99999, 400, 40, 300)", [296, 300]),
        ("m.visible(0, 400, 40, 0)", [0, 0]),
        ("m.visible(0, 400, 40, 3, 0)", [0, 3]),
        ("m.scrollFor(5, 0, 400, 40)", 0),
        ("m.scrollFor(10, 0, 400, 40)", 40),
        ("m.scrollFor(2, 200, 400, 40)", 80),
        ("m.moved('ArrowDown', -1, 10, 5)", 0),
        ("m.moved('ArrowUp', 0, 10, 5)", 0),
        ("m.moved('PageDown', 7, 10, 5)", 9),
        ("m.moved('End', 0, 10, 5)", 9),
        ("m.moved('Home', 4, 10, 5)", 0),
        ("m.moved('x', 4, 10, 5)", None),
        ("m.moved('End', 0, 0, 5)", None),
    ],
)
def test_the_window_of_a_long_list(calculated: Calculate, expression: str, rows: Any) -> None:
    assert calculated("logic/window.js", expression) == rows


def test_a_sparkline_fills_its_box(calculated: Calculate) -> None:
    assert calculated("logic/sparkline.js", "m.sparkline([1, 3, 2], 96, 28)") == "0.0,27.0 48.0,1.0 96.0,14.0"
    assert calculated("logic/sparkline.js", "m.sparkline([2, 2], 96, 28)") == "0.0,14.0 96.0,14.0"
    assert calculated("logic/sparkline.js", "m.sparkline([2], 96, 28)") == ""


def test_a_trend_covers_all_the_time_in_few_points(calculated: Calculate) -> None:
    def told(most: int) -> Any:
        pushes = f"for (let i = 0; i < {most}; i += 1) t.push(i)"
        return calculated(
            "logic/trend.js", f"(() => {{ const t = new m.Trend(8); {pushes}; return [t.values, t.stride]; }})()"
        )

    assert told(7) == [[0, 1, 2, 3, 4, 5, 6], 1]
    assert told(8) == [[0, 2, 4, 6], 2]
    values, stride = told(100_000)
    assert values[0] == 0
    assert len(values) < 8
    assert values[-1] > 100_000 - 2 * stride


PAIRS = [
    {"venue": "upbit", "symbol": "KRW-BTC", "base": "BTC", "quote": "KRW", "price": 150_000_000.0},
    {"venue": "upbit", "symbol": "KRW-USDT", "base": "USDT", "quote": "KRW", "price": 1_400.0},
    {"venue": "upbit", "symbol": "KRW-XRP", "base": "XRP", "quote": "KRW", "price": 2_800.0},
    {"venue": "upbit", "symbol": "KRW-ETH", "base": "ETH", "quote": "KRW", "price": None},
    {"venue": "okx", "symbol": "BTC-USDC", "base": "BTC", "quote": "USDC", "price": 90_000.0},
    {"venue": "okx", "symbol": "BTC-USDT", "base": "BTC", "quote": "USDT", "price": 100_000.0},
    {"venue": "okx", "symbol": "BTC-USDT-SWAP", "base": "BTC", "quote": "USDT", "price": 99.0},
    {"venue": "okx", "symbol": "XRP-USDT", "base": "XRP", "quote": "USDT", "price": 2.0},
    {"venue": "okx", "symbol": "ETH-USDT", "base": "ETH", "quote": "USDT", "price": 3.0},
]


def test_the_premium_is_won_over_dollars_times_the_rate(calculated: Calculate) -> None:
    markets = json.dumps(PAIRS)
    assert calculated("logic/premium.js", f"m.tetherPrice({markets})") == 1_400.0
    rows = calculated("logic/premium.js", f"m.premiums({markets}, 1400)")
    assert [(row["base"], row["dollar"]["symbol"], round(row["premium"], 6)) for row in rows] == [
        ("BTC", "BTC-USDT", round(150 / 140 - 1, 6)),
        ("XRP", "XRP-USDT", 0.0),
    ]
    assert [row["premium"] for row in calculated("logic/premium.js", f"m.premiums({markets}, null)")] == [None, None]
    assert calculated("logic/premium.js", "m.tetherPrice([])") is None
    venues: tuple[list[str], ...] = (["upbit", "okx"], ["upbit-sg"], [])
    assert [calculated("logic/premium.js", f"m.isServed({names})") for names in venues] == [True, False, False]
