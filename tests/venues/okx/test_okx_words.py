"""OKX's words to the client: acknowledgements, errors, logins, notices, signs of life (spec/okx.md A4, A5, A7.5)."""

from __future__ import annotations

import json
from typing import Any

import pytest

from tapewire.venues.contract import Control
from tapewire.venues.okx.codec import OkxCodec

CODEC = OkxCodec("okx", "DEFAULT", "float", False)
TICKERS = '{"channel":"tickers","instId":"BTC-USDT"}'


def control(frame: str) -> Control:
    reading = CODEC.read(frame.encode())
    assert (reading.events, reading.quarantined, reading.stream, reading.head) == ((), (), "", None)
    [word] = reading.controls
    return word


@pytest.mark.parametrize("word", ["pong", "ping"])
def test_signs_of_life_are_no_json(word: str) -> None:
    assert control(word) == Control("alive", word)


@pytest.mark.parametrize(("operation", "kind"), [("subscribe", "subscribed"), ("unsubscribe", "unsubscribed")])
def test_an_acknowledgement_names_stream_and_request(operation: str, kind: str) -> None:
    frame = f'{{"id":"1512","event":"{operation}","arg":{TICKERS},"connId":"accb8e21"}}'
    assert control(frame) == Control(kind, stream=TICKERS, request="1512", details=json.loads(frame))
    without = control(f'{{"event":"{operation}","arg":{{"instId":"BTC-USDT","channel":"tickers","uid":"1"}}}}')
    assert (without.stream, without.request) == (TICKERS, "")


SAID: dict[str, tuple[str, str, str, str, str]] = {
    # frame → kind, name, message, stream, request
    '{"event":"login","code":"0","msg":"","connId":"a4d3ae55"}': ("login", "", "", "", ""),
    '{"event":"error","code":"60009","msg":"Login failed.","connId":"a4d3ae55"}': (
        "error", "60009", "Login failed.", "", "",
    ),
    '{"event":"login","code":"60009","msg":"Login failed."}': ("error", "60009", "Login failed.", "", ""),
    '{"id":"1512","event":"error","code":"60012","msg":"Invalid request: {}","connId":"a4d3ae55"}': (
        "error", "60012", "Invalid request: {}", "", "1512",
    ),
    '{"event":"error","msg":"Wrong URL or channel:candle1m,instId:BTC-USD-SWAP doesn\'t exist.","code":"60018"}': (
        "error", "60018", "Wrong URL or channel:candle1m,instId:BTC-USD-SWAP doesn't exist.", "", "",
    ),
    f'{{"event":"error","arg":{TICKERS},"code":60014,"msg":"Requests too frequent"}}': (
        "error", "60014", "Requests too frequent", TICKERS, "",
    ),
    '{"event":"notice","code":"64008","msg":"The connection will soon be closed","connId":"a4d3ae55"}': (
        "notice", "64008", "The connection will soon be closed", "", "",
    ),
    '{"event":"channel-conn-count","channel":"orders","connCount":"2","connId":"abcd1234"}': (
        "notice", "channel-conn-count", "2 connections have the channel orders", "", "",
    ),
    '{"event":"channel-conn-count-error","channel":"orders","connCount":"30","connId":"a4d3ae55"}': (
        "notice", "channel-conn-count-error", "30 connections have the channel orders", "", "",
    ),
    '{"event":"something-new"}': ("notice", "something-new", "", "", ""),
    '{"id":"7","op":"order","code":"1","msg":"","data":[{"sCode":"51000","sMsg":"no"}]}': (
        "notice", "order", "", "", "7",
    ),
}  # fmt: skip


@pytest.mark.parametrize(("frame", "said"), SAID.items(), ids=[said[1] or said[0] for said in SAID.values()])
def test_every_word_is_told_with_its_own_names(frame: str, said: tuple[str, str, str, str, str]) -> None:
    kind, name, message, stream, request = said
    assert control(frame) == Control(kind, name, message, json.loads(frame), stream, request)


BAD: dict[str, str] = {
    "": "Input data was truncated",
    "{": "Input data was truncated",
    "[]": "Expected `object`, got `array`",
    "{}": "neither event, op, nor arg and data",
    '{"event":"subscribe"}': "Expected `object`, got `null`",
    '{"event":"subscribe","arg":{"channel":7}}': "Expected `str`, got `int`",
    '{"arg":{"channel":"wonders","instId":"BTC-USDT"},"data":[]}': "unknown channel 'wonders'",
    '{"arg":{"instId":"BTC-USDT"},"data":[]}': "unknown channel ''",
    f'{{"arg":{TICKERS},"data":{{}}}}': "Expected `array`, got `object`",
    f'{{"arg":{TICKERS},"data":[7]}}': "expected an object in data, got int",
    '{"arg":{"channel":"tickers"},"data":[{"last":"1"}]}': "neither the argument nor the data name an instId",
    f'{{"arg":{TICKERS},"data":[{{"instId":"ETH-USDT","last":"1"}}]}}':
        "instId: the argument says 'BTC-USDT', the data 'ETH-USDT'",
    f'{{"arg":{TICKERS},"data":[{{"last":"x1"}}]}}': "last: expected a number, got 'x1'",
    f'{{"arg":{TICKERS},"data":[{{"last":true}}]}}': "last: expected a number, got 'True'",
    f'{{"arg":{TICKERS},"data":[{{"last":"1e400"}}]}}': "last: number out of range: '1e400'",
    f'{{"arg":{TICKERS},"data":[{{"ts":"1.5"}}]}}': "ts: expected a whole number of 64 bits, got '1.5'",
    f'{{"arg":{TICKERS},"data":[{{"ts":"9223372036854775808"}}]}}':
        "ts: expected a whole number of 64 bits, got '9223372036854775808'",
    f'{{"arg":{TICKERS},"data":[{{"instType":["SPOT"]}}]}}': "instType: expected a text, got list",
    '{"arg":{"channel":"trades","instId":"BTC-USDT"},"data":[{"px":"1","sz":"1","side":"buy","ts":"1"}]}':
        "tradeId: no value",
    '{"arg":{"channel":"books5","instId":"BTC-USDT"},"data":[{"asks":[]}]}': "bids: expected a list of levels",
    '{"arg":{"channel":"books5","instId":"BTC-USDT"},"data":[{"asks":[["1"]],"bids":[]}]}':
        "asks: expected levels of 2 to 4 elements",
    '{"arg":{"channel":"candle1m","instId":"BTC-USDT"},"data":[["1","2"]]}':
        "expected a row of 7 to 9 elements in data",
    '{"arg":{"channel":"candle1m"},"data":[["1","2","3","4","5","6","7"]]}': "the argument names no instId",
    '{"arg":{"channel":"candle1m","instId":"BTC-USDT"},"data":[["9223372036854775807","2","3","4","5","6","7"]]}':
        "ts: 9223372036854775807 is no time",
    '{"arg":{"channel":"price-limit","instId":"BTC-USDT"},"data":[{"enabled":"yes"}]}':
        "enabled: expected true or false, got 'yes'",
    '{"arg":{"channel":"liquidation-orders","instType":"SWAP"},"data":[{"instId":"BTC-USDT-SWAP"}]}':
        "details: expected a list of objects",
    '{"arg":{"channel":"account"},"data":[{"details":[{"ccy":"BTC","availBal":"1"}]}]}': "frozenBal: no value",
    '{"arg":{"channel":"orders","instType":"ANY"},"data":[{"instId":"BTC-USDT","state":"live"}]}': "ordId: no value",
    '{"arg":{"channel":"fills"},"data":[{"instId":"BTC-USDT"}]}': "ordId: no value",
}  # fmt: skip


@pytest.mark.parametrize(("frame", "reason"), BAD.items())
def test_what_cannot_be_read_is_kept_with_the_reason(frame: str, reason: str) -> None:
    reading = CODEC.read(frame.encode())
    assert (reading.events, reading.controls) == ((), ())
    [bad] = reading.quarantined
    assert bad.payload == frame.encode()
    assert reason in bad.reason


def test_one_bad_element_costs_only_itself() -> None:
    rows = [{"last": "1"}, {"last": "x"}, {"last": "2"}]
    frame = f'{{"arg":{TICKERS},"data":{json.dumps(rows)}}}'.encode()
    reading = CODEC.read(frame)
    prices: list[Any] = [event.trade_price for event in reading.events]  # type: ignore[attr-defined]
    assert prices == [1.0, 2.0]
    [bad] = reading.quarantined
    assert (bad.payload, bad.reason) == (b'{"last": "x"}', "last: expected a number, got 'x'")
