"""Every error code of the specification leads somewhere; an error's words lead to the stream that it is about."""

from __future__ import annotations

import pytest

from tapewire.model.subscription import Subscription
from tapewire.venues.contract import Control, Judgement
from tapewire.venues.okx import GLOBAL
from tapewire.venues.okx.channels import wire_name

BTC, ETH = (wire_name(Subscription("candle", symbol, unit="1m")) for symbol in ("BTC-USD-SWAP", "ETH-USD-SWAP"))
TICKER = wire_name(Subscription("ticker", "BTC-USD-SWAP"))
ORDERS = wire_name(Subscription("myOrder", ""))


@pytest.mark.parametrize(
    ("judgement", "codes"),
    [
        ("fatal", "60001 60002 60003 60005 60007 60009 60021 60022 60024 60026 60032"),
        ("login", "60004 60006 60011 60023 63999"),
        ("retry", "60014 64007 50001 50004 50011 50013 50026"),
        (
            "drop",
            "60008 60012 60013 60018 60019 60020 60025 60027 60028 60029 60030 60033 60034 64000 64001 64002 64003",
        ),
        ("drop", "64004 channel-conn-count-error"),
        ("tell", "60010 60031 channel-conn-count"),
        ("move", "64008"),
        ("blame", "60099 51000"),
    ],
)
def test_each_code_is_judged(judgement: Judgement, codes: str) -> None:
    assert GLOBAL.judge is not None
    assert {GLOBAL.judge(Control("error", code)) for code in codes.split()} == {judgement}


def test_nothing_follows_from_a_notice_that_nobody_knows() -> None:
    assert GLOBAL.judge is not None
    assert GLOBAL.judge(Control("notice", "64999")) == "tell"


@pytest.mark.parametrize(
    ("message", "names"),
    [
        (
            "Wrong URL or channel:candle1m,instId:BTC-USD-SWAP doesn't exist. Please use the correct URL.",
            [BTC],
        ),
        ("Wrong URL or channel:candle1m,instId:BTC-USD-SWAP. Please", [BTC]),
        ("Wrong URL or channel:candle1m doesn't exist.", [BTC, ETH]),
        ("Wrong URL or channel:candle1m,instId:XRP-USD-SWAP doesn't exist.", []),
        ("Wrong URL or channel:orders,instType:ANY doesn't exist.", [ORDERS]),
        ("Invalid request: not JSON", []),
    ],
)
def test_an_error_is_about_the_streams_that_its_words_name(message: str, names: list[str]) -> None:
    assert GLOBAL.changes is not None
    assert GLOBAL.changes.concerns(Control("error", "60018", message), [BTC, ETH, TICKER, ORDERS]) == names


def test_a_channel_of_too_many_connections_is_named_by_itself() -> None:
    assert GLOBAL.changes is not None
    said = Control("notice", "channel-conn-count-error", details={"channel": "orders", "connCount": "30"})
    assert GLOBAL.changes.concerns(said, [BTC, ORDERS]) == [ORDERS]
