"""Markets, time and refusals as REST tells them."""

from __future__ import annotations

from pathlib import Path

import pytest

from tapewire.errors import DecodeError
from tapewire.model.market import Market
from tapewire.venues.contract import Control, Trouble
from tapewire.venues.okx import GLOBAL
from tapewire.venues.okx.limits import GROUPS, SIGNED_GROUPS, rest_group
from tapewire.venues.okx.rest import read_refusal, read_trouble

CAPTURE = Path(__file__).parents[2] / "data" / "okx5" / "instruments_SPOT_cryptofeed-2022-05-13.json"


def test_the_recorded_list_of_markets() -> None:
    markets = GLOBAL.read_markets(CAPTURE.read_bytes())
    assert len(markets) == 513
    assert markets[0] == Market("BTC-USDT", "BTC", "USDT")
    assert {market.symbol for market in markets} == {f"{market.base}-{market.quote}" for market in markets}


def test_derivatives_have_their_currencies_in_their_names_and_expired_ones_are_left_out() -> None:
    body = (
        b'{"code":"0","msg":"","data":[{"instId":"BTC-USDT-SWAP","baseCcy":"","quoteCcy":"","state":"live"},'
        b'{"instId":"BTC-USD-220101","state":"expired"},{"instId":"odd","state":"live"}]}'
    )
    assert GLOBAL.read_markets(body) == [Market("BTC-USDT-SWAP", "BTC", "USDT"), Market("odd", "", "")]
    assert [path.rpartition("=")[2] for path in (GLOBAL.markets_request, *GLOBAL.more_markets)] == [
        "SPOT", "SWAP", "FUTURES",
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("body", "reason"),
    [
        (b'{"code":"51000","msg":"Parameter instType error","data":[]}', "51000 Parameter instType error"),
        (b'{"code":"0","data":{}}', "no list of instruments"),
        (b"<html>", "no list of instruments"),
        (b"[" * 5_000, "no list of instruments"),
    ],
)
def test_what_is_no_list_of_markets_is_told_with_the_exchange_s_words(body: bytes, reason: str) -> None:
    if b"51000" in body:
        assert read_trouble(body) == Trouble(400, reason)
        return
    with pytest.raises(DecodeError, match=reason):
        GLOBAL.read_markets(body)


def test_the_exchange_s_time() -> None:
    assert GLOBAL.read_time is not None
    assert GLOBAL.read_time(b'{"code":"0","data":[{"ts":"1597026383085"}],"msg":""}') == 1597026383085
    for body in (b'{"code":"0","data":[]}', b'{"code":"0","data":[{"ts":"soon"}]}', b"?"):
        with pytest.raises(DecodeError, match="no time"):
            GLOBAL.read_time(body)


@pytest.mark.parametrize(
    ("body", "trouble"),
    [
        (b'{"code":"0","data":[],"msg":""}', None),
        (b'{"msg":"","code":"0","data":[]}', None),
        (b'{"code":"50011","data":[],"msg":"Too Many Requests"}', Trouble(429, "50011 Too Many Requests")),
        (b'{"code":"50113","data":[],"msg":"Invalid Sign"}', Trouble(401, "50113 Invalid Sign")),
        (b'{"code":"50102","data":[],"msg":""}', Trouble(408, "50102")),
        (b'{"code":"51001","data":[],"msg":"Instrument ID does not exist"}',
         Trouble(400, "51001 Instrument ID does not exist")),
        (b"no JSON", None),
    ],
)  # fmt: skip
def test_an_error_in_a_good_answer_is_seen(body: bytes, trouble: Trouble | None) -> None:
    assert read_trouble(body) == trouble


def test_a_refusal_has_the_exchange_s_code_and_text() -> None:
    assert read_refusal(b'{"code":50011,"msg":"Requests too frequent."}') == Control(
        "error", "50011", "Requests too frequent."
    )
    assert read_refusal(b"gateway") is None


def test_each_path_has_a_limit_of_its_own() -> None:
    assert rest_group("/api/v5/market/candles?instId=A-B") == "/api/v5/market/candles"
    assert GROUPS.keys() > SIGNED_GROUPS
    assert {window.seconds for windows in GROUPS.values() for window in windows} == {2.0}
