"""What clients of the gateway's own doors may say, and the bytes they are sent."""

from __future__ import annotations

import json
from decimal import Decimal

import msgspec
import pytest

from tapewire.apps.gateway.frames import CLOSE, body_of, close_frame, framed, message
from tapewire.apps.gateway.problems import Problem
from tapewire.apps.gateway.settings import GatewayOptions
from tapewire.apps.gateway.wishes import (
    Message,
    Stream,
    Wish,
    chosen,
    read_message,
    read_query,
    streams_of,
    template_of,
    upstream_of,
)
from tapewire.errors import ConfigError
from tapewire.model.events import TradeEvent
from tapewire.model.subscription import Subscription
from tapewire.venues.registry import get_venue

FACTS = get_venue("upbit").facts
MARKETS = ("KRW-BTC", "KRW-ETH", "BTC-ETH")


def test_a_message() -> None:
    said = read_message(b'{"subscribe":[{"type":"trade","symbols":"*"}],"unsubscribe":"*","interval":0.5,"id":7}')
    assert said == Message((Wish("trade", "*"),), "*", interval=0.5, id=7)
    assert read_message(b'{"unsubscribe":[{"type":"trade"}]}').unsubscribe == (Wish("trade"),)
    for text in (b'{"unsubscribe":"x"}', b'{"interval":-1}', b'{"interval":"x"}', b"\xff", b"[" * 3000):
        with pytest.raises(Problem, match="bad_request"):
            read_message(text)
    many = json.dumps({"subscribe": [{"type": "trade"}] * 1001}).encode()
    codes = json.dumps({"subscribe": [{"type": "trade", "symbols": ["x"] * 1001}]}).encode()
    for text in (many, codes):
        with pytest.raises(Problem, match="at most"):
            read_message(text)


def test_an_address_says_the_same() -> None:
    said = read_query([
        ("subscribe", "trade:KRW-BTC,KRW-ETH"), ("subscribe", "candle.1m:KRW-BTC"), ("subscribe", "orderbook.5:*"),
        ("venue", "upbit"), ("news", "false"), ("interval", "0.25"), ("resume", "a-1"), ("token", "…"),
    ])  # fmt: skip
    assert said == Message(
        (
            Wish("trade", ("KRW-BTC", "KRW-ETH"), "upbit"), Wish("candle", ("KRW-BTC",), "upbit", unit="1m"),
            Wish("orderbook", ("*",), "upbit", depth=5),
        ),
        news=False, interval=0.25, resume="a-1",
    )  # fmt: skip
    for pair in (("what", "1"), ("interval", "x"), ("interval", "99")):
        with pytest.raises(Problem, match="bad_request"):
            read_query([pair])


def test_templates() -> None:
    assert template_of(Wish("candle"), "upbit", FACTS) == Subscription("candle", "", unit="1s")
    assert template_of(Wish("candle", unit="1m"), "upbit", FACTS).unit == "1m"
    book = template_of(Wish("orderbook", depth=5, level=1000.0), "upbit", FACTS)
    assert (book, upstream_of(book)) == (
        Subscription("orderbook", "", depth=5, level=1000.0), Subscription("orderbook", "", level=1000.0),
    )  # fmt: skip
    assert upstream_of(Subscription("trade", "x")) == Subscription("trade", "x")
    for wish in (Wish("x"), Wish("candle", unit="7m"), Wish("orderbook", depth=0), Wish("orderbook", level=-1.0)):
        with pytest.raises(Problem, match="bad_request"):
            template_of(wish, "upbit", FACTS)


def test_stars() -> None:
    template = Subscription("trade", "")
    found = streams_of(Wish("trade", ("KRW-*", "BTC-ETH", "KRW-BTC")), "upbit", template, MARKETS)
    assert [one.subscription.symbol for one in found] == ["KRW-BTC", "KRW-ETH", "BTC-ETH"]
    assert len(set(found.values())) == 2
    mine = [Stream("upbit", Subscription("trade", "KRW-ETH")), Stream("upbit", Subscription("ticker", "KRW-BTC"))]
    assert list(streams_of(Wish("trade", "*"), "upbit", template, MARKETS, mine)) == mine[:1]
    assert list(streams_of(Wish("myAsset"), "upbit", Subscription("myAsset", ""), ())) == [
        Stream("upbit", Subscription("myAsset", ""))
    ]


def test_venues() -> None:
    assert chosen(None, {"upbit": 1, "okx": 2}) == "upbit"
    assert chosen("okx", {"upbit": 1, "okx": 2}) == "okx"
    with pytest.raises(Problem, match="not_found"):
        chosen("x" * 100, {"upbit": 1})


@pytest.mark.parametrize("size", [0, 125, 126, 65_535, 65_536])
def test_frames_of_every_size(size: int) -> None:
    frame = framed(b"x" * size)
    assert frame.endswith(b"x" * size)
    assert frame[0] == 0x81
    assert len(frame) - size == (2 if size < 126 else 4 if size < 65_536 else 10)


def test_messages_of_each_form() -> None:
    trade = TradeEvent(venue="upbit", symbol="KRW-BTC", raw=b"secret")
    body = body_of(trade)
    assert trade.raw == b"secret"
    assert json.loads(body)["raw"] is None
    assert body_of({"price": Decimal("1.50")}) == b'{"price":"1.50"}'
    shown = json.loads(message("websocket", "state", "a-1", body)[4:])
    assert (shown["cursor"], shown["state"], shown["event"]["type"]) == ("a-1", True, "trade")
    assert json.loads(message("websocket", "answer", "", b"{}")[2:]) == {"answer": {}}
    assert message("sse", "news", "a-1", b"{}") == b"id: a-1\nevent: news\ndata: {}\n\n"
    assert message("sse", "answer", "", b"{}") == b"event: answer\ndata: {}\n\n"
    assert close_frame(1013, "too slow") == bytes([CLOSE, 10]) + b"\x03\xf5too slow"


@pytest.mark.parametrize("option", ["most_clients", "header_seconds", "window_seconds"])
def test_options_that_cannot_be(option: str) -> None:
    with pytest.raises(ConfigError, match=option):
        msgspec.structs.replace(GatewayOptions(), **{option: 0})
    with pytest.raises(ConfigError, match="linger"):
        GatewayOptions(linger=-1.0)
    with pytest.raises(ConfigError, match="port"):
        GatewayOptions(port=-1)


def test_what_a_problem_says() -> None:
    assert json.loads(Problem("not_found").body) == {
        "error": {"name": "not_found", "message": "There is no such thing here."}
    }
    assert Problem("too_many", "five", retry_after=2.0).facts == {"name": "too_many", "message": "five"}
    assert GatewayOptions().host == "127.0.0.1"
