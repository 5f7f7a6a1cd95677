"""The ticker of one instrument by REST, as the stream would have sent it."""

from __future__ import annotations

from decimal import Decimal

import pytest

import tapewire
from tapewire.errors import DecodeError
from tapewire.model.events import TickerEvent
from tapewire.model.subscription import Subscription
from tapewire.venues.okx import history
from tapewire.venues.registry import get_venue

POLL = get_venue("okx").polls["ticker"]
BODY = b"""{"code":"0","msg":"","data":[{"instType":"%s","instId":"%s","last":"9999.99","lastSz":"1","askPx":"9999.99",
"askSz":"11","bidPx":"8888.88","bidSz":"5","open24h":"9000","high24h":"10000","low24h":"8888.88","volCcy24h":"2222",
"vol24h":"1111","sodUtc0":"0.1","sodUtc8":"0.2","ts":"1597026383085"}]}"""


def test_one_instrument_is_one_call() -> None:
    stream = Subscription("ticker", "BTC-USDT")
    assert POLL.request([stream]) == "/api/v5/market/ticker?instId=BTC-USDT"
    assert POLL.most == 1
    assert POLL.alike(stream) != POLL.alike(Subscription("ticker", "ETH-USDT"))


@pytest.mark.parametrize(("kind", "symbol"), [(b"SPOT", b"BTC-USDT"), (b"SWAP", b"BTC-USDT-SWAP")])
def test_it_reads_as_the_stream_would_have_sent_it(kind: bytes, symbol: bytes) -> None:
    [ticker] = POLL.read(BODY % (kind, symbol), "float")
    assert isinstance(ticker, TickerEvent)
    assert (ticker.symbol, ticker.trade_price, ticker.timestamp) == (symbol.decode(), 9999.99, 1597026383085)
    assert ticker.acc_trade_volume_24h == (1111.0 if kind == b"SPOT" else 2222.0)
    [read] = tapewire.decode("okx", history.frame(ticker))
    assert read == ticker


def test_exact_numbers_are_exact() -> None:
    [ticker] = POLL.read(BODY % (b"SPOT", b"BTC-USDT"), "decimal")
    assert isinstance(ticker, TickerEvent)
    assert repr(ticker.trade_price) == repr(Decimal("9999.99"))


@pytest.mark.parametrize("body", [b"", b"[]", b'{"code":"0","msg":"","data":[{}]}'])
def test_what_is_no_answer_is_told_as_such(body: bytes) -> None:
    with pytest.raises(DecodeError):
        POLL.read(body, "float")
