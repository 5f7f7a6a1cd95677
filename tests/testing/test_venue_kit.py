"""The list that every venue must pass, passed by ours; and every question of it seen to fail once."""

from __future__ import annotations

import json
from base64 import b64decode
from collections.abc import Callable
from typing import Any

import pytest
from msgspec.structs import replace

from tapewire.errors import ConfigError, SubscriptionError
from tapewire.model.subscription import Subscription, as_detail
from tapewire.testing.venue_kit import QUESTIONS, VenueCase, check_venue
from tapewire.testing.venue_talk import Written
from tapewire.venues.contract import Reading, Venue
from tapewire.venues.registry import get_venue
from tests.docs.pages import ROOT

DATA = ROOT / "tests" / "data"


def lines(name: str) -> list[bytes]:
    return (DATA / name).read_bytes().splitlines()


def upbit() -> VenueCase:
    def both(ticket: int, *types: Any) -> list[Any]:
        return [{"ticket": f"ticket{ticket}"}, *types, {"format": "SIMPLE"}]

    trade, book = {"type": "trade", "codes": ["KRW-BTC"]}, {"type": "orderbook", "codes": ["KRW-BTC"]}
    live = {"is_only_realtime": True}
    return VenueCase(
        venue=get_venue("upbit"),
        captures=lines("upbit/all_simple_cryptofeed-2021-04-17.jsonl"),
        streams=(Subscription("trade", "KRW-BTC"), Subscription("orderbook", "KRW-BTC")),
        written=Written(
            subscribe=[both(1, trade)],
            add=[both(2, book, trade | live)],
            remove=[both(3, book | live)],
            reconnect=[both(4, book)],
        ),
        refusal=b'{"error":{"name":"WRONG_FORMAT","message":"Format error"}}',
        format="SIMPLE",
        switches={},
        other_times=frozenset({f"trade.{name}" for name in ("bap", "bas", "bbp", "bbs")} | {"orderbook.lv"}),
    )


def okex3() -> VenueCase:
    def request(op: str, *names: str) -> dict[str, Any]:
        return {"op": op, "args": list(names)}

    recorded = [b64decode(line) for line in lines("okex3/all_cryptofeed-2021-04-17-c1.rawdeflate.b64.txt")]
    trade, ticker, book = "swap/trade:BTC-USD-SWAP", "swap/ticker:BTC-USD-SWAP", "swap/depth_l2_tbt:BTC-USD-SWAP"
    return VenueCase(
        venue=get_venue("okex3"),
        captures=recorded,
        streams=(
            Subscription("trade", "BTC-USD-SWAP"), Subscription("ticker", "BTC-USD-SWAP"),
            Subscription("orderbook", "BTC-USD-SWAP", detail=as_detail({"channel": "depth_l2_tbt"})),
        ),
        written=Written(
            subscribe=[request("subscribe", trade)],
            add=[request("subscribe", ticker, book)],
            remove=[request("unsubscribe", trade)],
            reconnect=[request("subscribe", ticker, book)],
        ),
        refusal=json.dumps(
            {"event": "error", "message": f"Channel {trade} doesn't exist", "errorCode": 30040}
        ).encode(),
        other_times=frozenset({"trade.data[].qty"}),  # of options
    )  # fmt: skip


def okx() -> VenueCase:
    def request(number: int, op: str, *channels: str) -> dict[str, Any]:
        return {
            "id": f"ticket{number}", "op": op,
            "args": [{"channel": channel, "instId": "BTC-USDT"} for channel in channels],
        }  # fmt: skip

    return VenueCase(
        venue=get_venue("okx"),
        captures=lines("okx5/all_cryptofeed-2022-05-13.jsonl"),
        streams=(
            Subscription("trade", "BTC-USDT"), Subscription("ticker", "BTC-USDT"), Subscription("orderbook", "BTC-USDT"),
        ),
        written=Written(
            subscribe=[request(1, "subscribe", "trades")],
            add=[request(2, "subscribe", "tickers", "books")],
            remove=[request(3, "unsubscribe", "trades")],
            reconnect=[request(4, "subscribe", "tickers", "books")],
        ),
        refusal=b'{"event":"error","msg":"Wrong URL or channel:trades,instId:BTC-USDT doesn\'t exist.","code":"60018"}',
        switches={"fields": "2022"},
    )  # fmt: skip


CASES: dict[str, Callable[[], VenueCase]] = {"upbit": upbit, "okex3": okex3, "okx": okx}


@pytest.mark.parametrize("name", CASES)
@pytest.mark.parametrize("question", QUESTIONS)
def test_our_venues_pass(question: str, name: str) -> None:
    QUESTIONS[question](CASES[name]())
