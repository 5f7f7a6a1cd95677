"""REST bodies → markets and levels, or an error that says what came instead."""

from __future__ import annotations

import json

import pytest

from tapewire.errors import DecodeError
from tapewire.model.market import Market
from tapewire.venues.upbit import INDONESIA, KOREA, SINGAPORE, THAILAND
from tests.venues.upbit.wire import DATA


def test_every_recorded_market_is_read_in_full() -> None:
    body = (DATA / "market_all_cryptofeed-2021-04-17.json").read_bytes()
    wanted = []
    for one in json.loads(body):
        quote, base = one["market"].split("-")
        wanted.append(Market(one["market"], base, quote, one["english_name"], one["korean_name"]))
    assert KOREA.read_markets(body) == wanted
    assert len(wanted) == 294


def test_warnings_of_both_kinds_are_read() -> None:
    body = (
        b'[{"market":"KRW-A","korean_name":"","english_name":"Aa","market_event":{"warning":true,"caution":{"X":false}}},'
        b'{"market":"KRW-B","market_event":{"warning":false}},{"market":"KRW-C","market_event":null},'
        b'{"market":"SGD-D","market_warning":"CAUTION"},{"market":"SGD-E","market_warning":"NONE"}]'
    )
    for venue in (KOREA, SINGAPORE):
        assert venue.read_markets(body) == [
            Market("KRW-A", "A", "KRW", "Aa", None, warning=True),
            Market("KRW-B", "B", "KRW"),
            Market("KRW-C", "C", "KRW"),
            Market("SGD-D", "D", "SGD", warning=True),
            Market("SGD-E", "E", "SGD"),
        ]


@pytest.mark.parametrize(
    ("body", "reason"),
    [
        (b"", "no list of markets: Input data was truncated"),
        (b"Too many API requests.", "no list of markets: JSON is malformed: invalid character (byte 0)"),
        (b'{"error":{"name":404,"message":"Code not found"}}', "no list of markets: 404 Code not found"),
        (b'{"error":{}}', "no list of markets: Expected `array`, got `object`"),
        (b"[{}]", "no list of markets: Object missing required field `market` - at `$[0]`"),
        (b'[{"market":"KRWBTC"}]', "no list of markets: 'KRWBTC' is not QUOTE-BASE"),
        (b'[{"x":' + b"[" * 100_000, "no list of markets: maximum recursion depth exceeded"),
    ],
    ids=lambda value: repr(value[:40]),
)
def test_what_is_no_list_of_markets_is_told(body: bytes, reason: str) -> None:
    with pytest.raises(DecodeError) as caught:
        SINGAPORE.read_markets(body)
    assert caught.value.reason.startswith(reason)
    assert (caught.value.venue, caught.value.payload) == ("upbit-sg", body)


def test_levels_are_asked_and_read_in_korea_only() -> None:
    assert KOREA.levels_request is not None
    assert KOREA.read_levels is not None
    assert KOREA.levels_request(["KRW-BTC", "KRW-ETH"]) == "/v1/orderbook/instruments?markets=KRW-BTC,KRW-ETH"
    assert KOREA.levels_request(["A&B=1 "]) == "/v1/orderbook/instruments?markets=A%26B%3D1%20"
    body = (
        b'[{"market":"KRW-BTC","quote_currency":"KRW","tick_size":"1000","supported_levels":["0","10000","100000"]},'
        b'{"market":"KRW-XEC","supported_levels":["0","0.0001"]},{"market":"KRW-A","supported_levels":[0,10]},'
        b'{"market":"BTC-ETH"}]'
    )
    assert KOREA.read_levels(body) == {
        "KRW-BTC": (0.0, 10000.0, 100000.0),
        "KRW-XEC": (0.0, 0.0001),
        "KRW-A": (0.0, 10.0),
    }
    for venue in (SINGAPORE, INDONESIA, THAILAND):
        assert (venue.levels_request, venue.read_levels) == (None, None)


@pytest.mark.parametrize(
    ("body", "reason"),
    [
        (b'[{"market":"KRW-BTC","supported_levels":["ten"]}]', "could not convert string to float: 'ten'"),
        (b'{"error":{"name":400,"message":"Invalid parameter."}}', "400 Invalid parameter."),
    ],
    ids=str,
)
def test_what_is_no_list_of_instruments_is_told(body: bytes, reason: str) -> None:
    assert KOREA.read_levels is not None
    with pytest.raises(DecodeError) as caught:
        KOREA.read_levels(body)
    assert caught.value.reason == f"no list of instruments: {reason}"
