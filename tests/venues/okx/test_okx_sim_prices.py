"""The simulated OKX: candles of mark prices and of indices, by WebSocket and by REST (spec/okx.md A6.5)."""

from __future__ import annotations

from typing import Any

import pytest

from tests.venues.okx.sim_stage import Client, get, make

SWAP, INDEX = "BTC-USDT-SWAP", "BTC-USDT"
MINUTES = {"mark-price-candle1m": SWAP, "index-candle1m": INDEX}


PATHS = [
    f"{history}{name}-candles?instId={symbol}"
    for name, symbol in (("mark-price", SWAP), ("index", INDEX))
    for history in ("", "history-")
]


def rows(path: str) -> list[list[str]]:
    """The ``data`` of a call that is answered."""
    answer = get(make(markets=("BTC-USDT", SWAP)), f"/api/v5/market/{path}")
    assert answer["code"] == "0", answer
    found: list[list[str]] = answer["data"]
    return found


@pytest.mark.parametrize(("channel", "symbol"), MINUTES.items())
def test_they_have_six_elements_and_are_told_to_their_end(channel: str, symbol: str) -> None:
    client = Client(make(markets=("BTC-USDT", SWAP)), "business")
    acknowledged, first = client.ask(
        {"channel": channel, "instId": symbol}, {"channel": "index-candle1H", "instId": INDEX}
    )[:2]
    assert acknowledged["event"] == "subscribe"
    assert (first["arg"], len(first["data"][0])) == ({"channel": channel, "instId": symbol}, 6)
    told: list[list[str]] = [one["data"][0] for one in client.wait(70) if one["arg"]["channel"] == channel]
    closed = [row for row in told if row[5] == "1"]
    assert len(closed) == 1
    assert {row[5] for row in told if row[0] != closed[0][0]} <= {"0"}
    assert float(closed[0][3]) <= float(closed[0][4]) <= float(closed[0][2])


@pytest.mark.parametrize("path", PATHS)
def test_by_rest_newest_first_and_page_by_page(path: str) -> None:
    newest = rows(f"{path}&limit=5")
    assert [row[5] for row in newest] == ["0", "1", "1", "1", "1"]
    assert {len(row) for row in newest} == {6}
    assert rows(f"{path}&limit=2&after={newest[1][0]}") == newest[2:4]


def test_an_index_has_a_ticker_and_one_that_is_none_has_nothing() -> None:
    okx = make(markets=("BTC-USDT", SWAP))
    answer: Any = get(okx, f"/api/v5/market/index-tickers?instId={INDEX}")
    assert answer["data"][0]["instId"] == INDEX
    for call in ("index-tickers", "index-candles"):
        assert get(okx, f"/api/v5/market/{call}?instId=KRW-BTC")["code"] == "51001"


def test_of_an_index_nobody_has_there_are_no_candles() -> None:
    [refused] = Client(make(), "business").ask({"channel": "index-candle1m", "instId": "KRW-BTC"})
    assert refused["code"] == "60018"
