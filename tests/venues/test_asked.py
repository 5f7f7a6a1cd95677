"""What a request asks for is read back as the streams it was made of."""

from __future__ import annotations

import json
from typing import Any

import pytest

from tapewire.model.subscription import Subscription
from tapewire.venues.registry import get_venue

OKX = [
    {"channel": "books5", "instId": "BTC-USDT"},
    {"channel": "candle1m", "instId": "X"},
    {"channel": "unheard-of", "instId": "X"},
    {"channel": "status"},
]
UPBIT = [
    {"ticket": "t"},
    {"type": "orderbook", "codes": ["KRW-BTC.5"], "level": 10_000},
    {"type": "candle.1s", "codes": ["KRW-ETH"]},
    {"format": "SIMPLE"},
]


@pytest.mark.parametrize(
    ("venue", "request_", "streams"),
    [
        ("upbit", UPBIT, [
            Subscription("orderbook", "KRW-BTC", depth=5, level=10_000), Subscription("candle", "KRW-ETH", unit="1s"),
        ]),
        ("upbit", {"method": "LIST_SUBSCRIPTIONS"}, []),
        ("okx", {"op": "subscribe", "args": OKX}, [
            Subscription("orderbook", "BTC-USDT", depth=5), Subscription("candle", "X", unit="1m"),
        ]),
        ("okx", {"op": "login", "args": [{"apiKey": "k"}]}, []),
        ("okex3", {"op": "subscribe", "args": ["spot/trade:BTC-USDT", "spot/unheard:BTC-USDT", 7]}, [
            Subscription("trade", "BTC-USDT"),
        ]),
        ("okex3", {"op": "unsubscribe", "args": ["spot/trade:BTC-USDT"]}, []),
    ],
)  # fmt: skip
def test_the_streams_of_a_request(venue: str, request_: Any, streams: list[Subscription]) -> None:
    asked = get_venue(venue).asked
    assert asked is not None
    assert asked(json.dumps(request_).encode()) == streams
