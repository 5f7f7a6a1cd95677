"""Words of ``--types``: each leads to the subscription that it names."""

from __future__ import annotations

import pytest

from tapewire.apps.cli.streams import subscriptions
from tapewire.model.events import EVENT_CLASSES
from tapewire.model.subscription import Subscription, as_detail
from tapewire.venues.registry import get_venue

SWAP = "BTC-USDT-SWAP"


@pytest.mark.parametrize(
    ("venue", "word", "wanted"),
    [
        ("okx", "fundingRate", Subscription("fundingRate", SWAP)),
        ("okx", "trade:channel=trades-all", Subscription("trade", SWAP, detail=as_detail({"channel": "trades-all"}))),
        ("okx", "orderbook.10:channel=books-l2-tbt",
         Subscription("orderbook", SWAP, depth=10, detail=as_detail({"channel": "books-l2-tbt"}))),
        ("okx", "liquidation:instType=SWAP", Subscription("liquidation", "", detail=as_detail({"instType": "SWAP"}))),
        ("okx", "instrument:instType=SPOT", Subscription("instrument", "", detail=as_detail({"instType": "SPOT"}))),
        ("okx", "status", Subscription("status", "")),
        ("okx", "balanceAndPosition", Subscription("balanceAndPosition", "")),
        ("okx", "myPosition", Subscription("myPosition", SWAP)),
        ("okx", "candle.1Dutc", Subscription("candle", SWAP, unit="1Dutc")),
    ],
)  # fmt: skip
def test_a_word_of_okx(venue: str, word: str, wanted: Subscription) -> None:
    assert subscriptions([SWAP], word) == [wanted]
    get_venue(venue).check(wanted, None)


def test_a_candle_of_an_index_at_okex_v3() -> None:
    [wanted] = subscriptions(["BTC-USD"], "candle.1m:market=index")
    assert wanted == Subscription("candle", "BTC-USD", unit="1m", detail=as_detail({"market": "index"}))
    get_venue("okex3").check(wanted, None)


def test_without_a_market_it_is_all_of_them() -> None:
    assert [one.symbol for one in subscriptions([], "myOrder,myPosition,myFill")] == ["", "", ""]


def test_every_kind_has_a_word() -> None:
    beside = {"indicator": "indicator.5m.rsi", "indicator_signal": "indicator_signal.5m.rsi:trigger=overbought"}
    for kind in EVENT_CLASSES:
        [wanted] = subscriptions(["A-B"], beside.get(kind, kind))
        assert wanted.kind == kind
