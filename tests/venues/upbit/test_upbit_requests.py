"""Wishes → the very text of the request."""

from __future__ import annotations

import pytest

from tapewire.config import Format
from tapewire.errors import UsageError
from tapewire.model.subscription import Subscription, Wish
from tapewire.venues.upbit import KOREA
from tapewire.venues.upbit.requests import encode_list

TICKER = Subscription("ticker", "KRW-BTC")
BOOK = Subscription("orderbook", "KRW-BTC", depth=15, level=10000.0)


@pytest.mark.parametrize(
    ("wishes", "payload"),
    [
        pytest.param(
            [Wish(TICKER)],
            b'[{"ticket":"t-1"},{"type":"ticker","codes":["KRW-BTC"]},{"format":"DEFAULT"}]',
            id="one ticker, snapshot and realtime",
        ),
        pytest.param(
            [Wish(TICKER, realtime=False)],
            b'[{"ticket":"t-1"},{"type":"ticker","codes":["KRW-BTC"],"is_only_snapshot":true},{"format":"DEFAULT"}]',
            id="snapshot only",
        ),
        pytest.param(
            [Wish(TICKER, snapshot=False)],
            b'[{"ticket":"t-1"},{"type":"ticker","codes":["KRW-BTC"],"is_only_realtime":true},{"format":"DEFAULT"}]',
            id="realtime only",
        ),
        pytest.param(
            [Wish(BOOK, snapshot=False)],
            b'[{"ticket":"t-1"},{"type":"orderbook","codes":["KRW-BTC.15"],"level":10000,"is_only_realtime":true},'
            b'{"format":"DEFAULT"}]',
            id="depth and level",
        ),
        pytest.param(
            [Wish(Subscription("orderbook", "KRW-XEC", level=0.0001))],
            b'[{"ticket":"t-1"},{"type":"orderbook","codes":["KRW-XEC"],"level":0.0001},{"format":"DEFAULT"}]',
            id="a level below one",
        ),
        pytest.param(
            [
                Wish(Subscription("trade", "KRW-ETH")),
                Wish(Subscription("orderbook", "KRW-ETH")),
                Wish(Subscription("trade", "KRW-BTC")),
                Wish(BOOK, snapshot=False),
                Wish(Subscription("candle", "KRW-BTC", unit="1m")),
                Wish(Subscription("trade", "BTC-ETH"), snapshot=False),
                Wish(Subscription("candle", "KRW-BTC", unit="1s"), realtime=False),
                Wish(Subscription("orderbook", "KRW-XRP", depth=1)),
                Wish(Subscription("trade", "KRW-ETH")),
                Wish(Subscription("trade", "KRW-XRP"), realtime=False),
            ],
            b'[{"ticket":"t-1"},'
            b'{"type":"candle.1m","codes":["KRW-BTC"]},'
            b'{"type":"candle.1s","codes":["KRW-BTC"],"is_only_snapshot":true},'
            b'{"type":"orderbook","codes":["KRW-ETH","KRW-XRP.1"]},'
            b'{"type":"orderbook","codes":["KRW-BTC.15"],"level":10000,"is_only_realtime":true},'
            b'{"type":"trade","codes":["KRW-ETH","KRW-BTC"]},'
            b'{"type":"trade","codes":["KRW-XRP"],"is_only_snapshot":true},'
            b'{"type":"trade","codes":["BTC-ETH"],"is_only_realtime":true},'
            b'{"format":"DEFAULT"}]',
            id="everything at once: sorted types, codes in order of wish, each once",
        ),
    ],
)
def test_the_request_is_written_out_in_full(wishes: list[Wish], payload: bytes) -> None:
    assert KOREA.encode(wishes, "t-1", "DEFAULT") == [payload]


@pytest.mark.parametrize("format", ["DEFAULT", "SIMPLE", "JSON_LIST", "SIMPLE_LIST"])
def test_the_format_stands_last(format: Format) -> None:  # noqa: A002
    end = b'{"format":"%b"}]' % format.encode()
    assert KOREA.encode([Wish(TICKER)], "t", format)[0].endswith(b"," + end)
    assert KOREA.encode_list is encode_list
    assert encode_list("t", format) == b'[{"ticket":"t"},{"method":"LIST_SUBSCRIPTIONS"},' + end


def test_a_wish_for_nothing_is_refused() -> None:
    with pytest.raises(UsageError) as caught:
        KOREA.encode([Wish(BOOK, snapshot=False, realtime=False)], "t", "DEFAULT")
    assert str(caught.value) == (
        "orderbook KRW-BTC.15 level 10000: asks for neither snapshot nor realtime; it must ask for one or both"
    )


def test_an_empty_request_is_refused() -> None:
    with pytest.raises(UsageError) as caught:
        KOREA.encode([], "t", "DEFAULT")
    assert str(caught.value) == "an empty request does not exist at Upbit; close the connection instead"


@pytest.mark.parametrize(
    ("other", "same"),
    [
        (BOOK, True),
        (Subscription("orderbook", "KRW-BTC", depth=5, level=10000.0), False),
        (Subscription("orderbook", "KRW-BTC", depth=15), False),
        (Subscription("orderbook", "KRW-BTC", level=10000.0), False),
        (Subscription("orderbook", "KRW-ETH"), True),
        (TICKER, True),
    ],
    ids=str,
)
def test_books_of_one_market_with_other_depth_or_level_need_a_line_of_their_own(
    other: Subscription, same: bool
) -> None:
    assert KOREA.same_line(BOOK, other) is same
    assert KOREA.same_line(other, BOOK) is same
