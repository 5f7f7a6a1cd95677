"""The simulated OKX's public REST calls: pages, limits, codes."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest

from tapewire.errors import ConfigError
from tapewire.sim.scenario import DEMO_KEY
from tapewire.venues.exchange import HttpAnswer, HttpCall
from tapewire.venues.okx.profile import DEMO, GLOBAL
from tapewire.venues.okx.sim import exchange
from tests.sim.listed import START_MS
from tests.venues.okx.sim_stage import get, make, run, signed


def rows(path: str, now: float = 30.0, **switches: Any) -> list[Any]:
    okx = make(**switches)
    run(okx, now)
    body = get(okx, f"/api/v5/{path}", now=now)
    assert body["code"] == "0", body
    found: list[Any] = body["data"]
    return found


class TestTrades:
    def test_history_is_paged_by_trade_id_both_ways(self) -> None:
        okx = make()
        run(okx, 30.0)

        def ids(query: str) -> list[int]:
            found = get(okx, f"/api/v5/market/history-trades?instId=BTC-USDT{query}", now=30.0)["data"]
            return [int(row["tradeId"]) for row in found]

        newest = ids("")
        assert newest == list(range(newest[0], newest[0] - 100, -1))
        assert ids(f"&type=1&after={newest[10]}&limit=5") == newest[11:16]
        assert ids(f"&before={newest[3]}") == newest[:3]
        assert ids(f"&after={newest[5]}&before={newest[8]}") == newest[6:8]
        assert ids(f"&after={newest[-1] - 5_000}")[0] == newest[-1] - 5_001, "the past before the simulation too"

    def test_history_is_paged_by_time(self) -> None:
        found = rows(f"market/history-trades?instId=BTC-USDT&type=2&after={START_MS + 10_000}&limit=50")
        assert all(int(row["ts"]) < START_MS + 10_000 for row in found)
        assert len(found) == 50

    def test_history_ends_after_three_months(self) -> None:
        assert rows("market/history-trades?instId=BTC-USDT&type=2&after=1700000000000") == []

    def test_the_latest_are_single_matches(self) -> None:
        found = rows("market/trades?instId=BTC-USDT&limit=500")
        assert len(found) == 500
        assert set(found[0]) == {"instId", "tradeId", "px", "sz", "side", "source", "ts"}


class TestCandles:
    @pytest.mark.parametrize("call", ["candles", "history-candles"])
    def test_pages_follow_times(self, call: str) -> None:
        def starts(query: str) -> list[int]:
            return [int(row[0]) for row in rows(f"market/{call}?instId=BTC-USDT&bar=1m{query}")]

        newest = starts("")
        assert newest == [START_MS - 60_000 * step for step in range(100)]
        assert starts(f"&after={newest[10]}&limit=3") == newest[11:14]
        assert starts(f"&before={newest[3]}") == newest[:3]

    def test_only_the_running_one_is_open(self) -> None:
        confirms = [row[8] for row in rows("market/candles?instId=BTC-USDT&limit=5")]
        assert confirms == ["0", "1", "1", "1", "1"]

    def test_recent_ones_are_1440_and_older_ones_are_history(self) -> None:
        old = START_MS - 1_435 * 60_000
        path = f"?instId=BTC-USDT&bar=1m&after={old}"
        assert len(rows(f"market/candles{path}")) == 4
        assert len(rows(f"market/history-candles{path}")) == 100

    @pytest.mark.parametrize(
        ("bar", "start"),
        [
            ("1D", "2026-08-12T16:00"),
            ("1Dutc", "2026-08-13T00:00"),
            ("6H", "2026-08-13T04:00"),
            ("6Hutc", "2026-08-13T06:00"),
            ("1W", "2026-08-09T16:00"),
            ("1M", "2026-07-31T16:00"),
            ("3Mutc", "2026-07-01T00:00"),
            ("2H", "2026-08-13T08:00"),
        ],
    )
    def test_days_begin_at_utc_8_unless_they_say_utc(self, bar: str, start: str) -> None:
        [row] = rows(f"market/history-candles?instId=BTC-USDT&bar={bar}&limit=1")
        assert datetime.fromtimestamp(int(row[0]) / 1000, UTC).isoformat()[:16] == start


class TestOthers:
    def test_time_is_in_milliseconds(self) -> None:
        assert rows("public/time") == [{"ts": str(START_MS + 30_000)}]

    def test_tickers_are_of_one_type(self) -> None:
        assert [row["instId"] for row in rows("market/tickers?instType=SWAP")] == ["BTC-USDT-SWAP", "BTC-USD-SWAP"]
        assert [row["instId"] for row in rows("market/tickers?instType=SWAP&instFamily=BTC-USD")] == ["BTC-USD-SWAP"]

    def test_derivatives_are_counted_in_contracts_and_coins(self) -> None:
        for symbol, worth in (("BTC-USDT-SWAP", 0.01), ("BTC-USD-SWAP", None)):
            [row] = rows(f"market/ticker?instId={symbol}")
            contracts, coins = float(row["vol24h"]), float(row["volCcy24h"])
            assert coins == pytest.approx(contracts * (worth or 100 / float(row["last"])), rel=0.05)

    def test_a_book_is_as_deep_as_asked(self) -> None:
        for query, depth in (("", 1), ("&sz=5", 5), ("&sz=400", 400), ("&sz=5000", 400)):
            [book] = rows(f"market/books?instId=BTC-USDT{query}")
            assert (len(book["asks"]), len(book["bids"])) == (depth, depth)

    def test_other_figures_have_calls_of_their_own(self) -> None:
        for name, field in (
            ("funding-rate", "fundingRate"), ("open-interest", "oi"), ("price-limit", "buyLmt"),
            ("mark-price", "markPx"),
        ):  # fmt: skip
            assert float(rows(f"public/{name}?instId=BTC-USDT-SWAP")[0][field]) > 0
        assert len(rows("system/status")) == len(rows("system/status?state=completed")) == 1
        assert rows("system/status?state=ongoing") == []

    def test_an_index_without_a_spot_market_follows_what_there_is(self) -> None:
        okx = make(markets=("BTC-USD-SWAP",))
        side = okx.venue
        row = side._shown(okx.market).rows.index_ticker("BTC-USD")  # type: ignore[attr-defined]
        assert float(row["idxPx"]) == pytest.approx(64_580, rel=0.01)

    @pytest.mark.parametrize(
        ("path", "code"),
        [
            ("public/instruments", "50014"),
            ("public/instruments?instType=BONDS", "51000"),
            ("public/instruments?instType=OPTION", "50014"),
            ("public/instruments?instType=SPOT&instId=BTC-DOGE", "51001"),
            ("market/ticker", "50014"),
            ("market/ticker?instId=KRW-BTC", "51001"),
            ("market/books?instId=BTC-USDT&sz=0", "51000"),
            ("market/candles?instId=BTC-USDT&bar=7m", "51000"),
            ("market/candles?instId=BTC-USDT&after=now", "51000"),
            ("market/history-trades?instId=BTC-USDT&type=2&before=5", "50039"),
            ("market/history-trades?instId=BTC-USDT&type=3", "51000"),
            ("market/moons", "50404"),
        ],
    )
    def test_bad_calls_are_named(self, path: str, code: str) -> None:
        body = get(make(), f"/api/v5/{path}")
        assert (body["code"], body["data"]) == (code, [])

    def test_options_are_listed_by_family(self) -> None:
        [row] = rows("public/instruments?instType=OPTION&instFamily=BTC-USD")
        assert rows("public/instruments?instType=OPTION&uly=BTC-USD") == [row]
        assert (row["optType"], row["stk"], row["ctType"], row["tickSz"]) == ("C", "90000", "", "0.0005")

    def test_too_many_calls_get_429_with_the_wait_if_it_is_stated(self) -> None:
        okx = make()
        call = HttpCall("/api/v5/system/status")
        answers = [okx.http(0.0, call) for _ in range(2)]
        assert [one.status for one in answers if isinstance(one, HttpAnswer)] == [200, 429]
        stated = okx.venue.limited(429, 2.0)
        assert ("Retry-After", "2") in stated.headers
        assert okx.venue.refusal(403) is None

    def test_only_get_is_answered_publicly(self) -> None:
        answer = make().http(0.0, HttpCall("/api/v5/public/time", method="POST"))
        assert isinstance(answer, HttpAnswer)
        assert answer.status == 404


def test_demo_trading_wants_its_header() -> None:
    okx = make()
    okx.venue = exchange(DEMO, {}, [DEMO_KEY])
    assert signed(okx, "/api/v5/account/balance")[1]["code"] == "50101"
    assert signed(okx, "/api/v5/account/balance", headers={"x-simulated-trading": "1"})[1]["code"] == "0"


@pytest.mark.parametrize("code", ["btc-usdt", "BTCUSDT", "BTC-USDT-SPOT", "BTC-USDT-261399", "BTC-USD-261225-C"])
def test_a_code_that_is_none_is_refused(code: str) -> None:
    with pytest.raises(ConfigError, match="BTC-USDT-SWAP"):
        exchange(GLOBAL).terms(code, None)


def test_made_up_markets_are_spot() -> None:
    assert make(markets=("BTC-USDT", exchange(GLOBAL).made_up(3), "BTC-EUR", "ETH-USD-270326")).market.symbols == {
        "BTC-USDT", "SIM3-USDT", "BTC-EUR", "ETH-USD-270326",
    }  # fmt: skip
