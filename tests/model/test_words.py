"""The words: times, keys of tables, texts for people, JSON there and back."""

from __future__ import annotations

import copy
import pickle
from datetime import UTC, datetime
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tapewire.model import status
from tapewire.model.events import EVENT_CLASSES, KST, CandleEvent, Event, OrderbookEvent, OrderbookUnit, TradeEvent
from tapewire.model.line import Loss
from tapewire.model.market import Market
from tapewire.model.subscription import Subscription, Wish

MOMENT = 1_786_611_600_123
#: What an event cannot be without, beside its venue; all others: the symbol (spec/upbit.md 4.5 to 4.9).
REQUIRED = {
    "myOrder": {"symbol", "uuid", "state"},
    "myAsset": set(),
    "announcement": {"uuid"},
    "indicator": {"symbol", "timeframe", "indicator"},
    "indicator_signal": {"symbol", "timeframe", "indicator", "trigger"},
    "status": set(),
    "balanceAndPosition": set(),
    "myFill": {"symbol", "uuid"},
}  # fmt: skip


def test_times_are_shown_in_utc_and_in_korea() -> None:
    event = TradeEvent(venue="upbit", symbol="KRW-BTC", timestamp=MOMENT)
    assert event.utc == datetime(2026, 8, 13, 9, 0, 0, 123_000, tzinfo=UTC)
    assert event.kst == event.utc
    assert event.kst is not None
    assert event.kst.isoformat() == "2026-08-13T18:00:00.123000+09:00"
    assert event.kst.tzinfo is KST


def test_an_event_without_time_has_none() -> None:
    event = TradeEvent(venue="upbit", symbol="KRW-BTC")
    assert (event.utc, event.kst) == (None, None)


@pytest.mark.parametrize(("kind", "cls"), EVENT_CLASSES.items())
def test_every_kind_has_its_class_and_its_tag(kind: str, cls: type[Event]) -> None:
    fields = msgspec.structs.fields(cls)
    required: dict[str, Any] = {field.name: "x" for field in fields if field.required and field.name != "venue"}
    event = cls(venue="upbit", timestamp=MOMENT, **required)
    assert required.keys() == REQUIRED.get(kind, {"symbol"})
    assert cls.__struct_config__.tag == event.kind == kind
    assert msgspec.json.decode(msgspec.json.encode(event))["type"] == kind
    assert msgspec.json.decode(msgspec.json.encode(event), type=cls) == event
    assert pickle.loads(pickle.dumps(event)) == event  # noqa: S301 - our own
    assert copy.copy(event) == event


def test_two_books_do_not_share_their_default_units() -> None:
    one, other = (OrderbookEvent(venue="upbit", symbol="KRW-BTC") for _ in range(2))
    one.orderbook_units.append(OrderbookUnit(2.0, 1.0, 1.0, 1.0))
    assert other.orderbook_units == []


@pytest.mark.parametrize(
    ("subscription", "text"),
    [
        (Subscription("ticker", "KRW-BTC"), "ticker KRW-BTC"),
        (Subscription("candle", "KRW-BTC", unit="1s"), "candle.1s KRW-BTC"),
        (Subscription("orderbook", "KRW-BTC", depth=15, level=10000), "orderbook KRW-BTC.15 level 10000"),
        (Subscription("myAsset", ""), "myAsset"),
        (Subscription("announcement", "", detail='{"categories":["trade"]}'), 'announcement {"categories":["trade"]}'),
    ],
)
def test_a_subscription_is_readable(subscription: Subscription, text: str) -> None:
    assert str(subscription) == text


SUBSCRIPTIONS = st.builds(
    Subscription, st.sampled_from(("ticker", "trade")), st.sampled_from(("KRW-BTC", "KRW-ETH")),
    level=st.sampled_from((0, 1000)),
)  # fmt: skip


@given(st.lists(SUBSCRIPTIONS))
def test_subscriptions_are_keys(many: list[Subscription]) -> None:
    """Equal ones are one key."""
    assert {str(one): one for one in many} == {str(one): one for one in reversed(many)}
    assert len(set(many)) == len({str(one) for one in many})
    assert [Wish(one) for one in many] == [Wish(one, snapshot=True, realtime=True) for one in many]


@pytest.mark.parametrize(
    ("loss", "text"),
    [
        (Loss("stopped"), "stopped"),
        (Loss("closed", 1001, "going away"), "closed (1001 going away)"),
        (Loss("closed", 1000), "closed (1000)"),
        (Loss("refused", status=429, reason="Too Many", retry_after=3), "refused (429 Too Many retry after 3 s)"),
        (Loss("refused", status=503, retry_after=0), "refused (503 retry after 0 s)"),
    ],
)  # fmt: skip
def test_a_loss_is_one_line_for_people(loss: Loss, text: str) -> None:
    assert str(loss) == text


FEED_EVENTS: list[type[status.FeedEvent]] = [
    cls for cls in vars(status).values() if isinstance(cls, type) and cls.__base__ is status.FeedEvent
]
VALUES: dict[str, Any] = {
    "loss": Loss("closed", 1000), "subscription": Subscription("trade", "KRW-BTC"), "state": "open", "payload": b"x",
    "subscriptions": (Subscription("trade", "KRW-BTC"),), "url": "ws://x", "retry_in": 1.5,
    "delivered": status.TradeBody(1.0, 2.0, "BID"), "refused": status.TradeBody(),
}  # fmt: skip


@pytest.mark.parametrize("cls", FEED_EVENTS)
def test_every_feed_event_is_frozen_and_goes_through_json_and_back(cls: type[status.FeedEvent]) -> None:
    required: dict[str, Any] = {field.name: field for field in msgspec.structs.fields(cls) if field.required}
    values = {name: VALUES.get(name, "text" if field.type is str else 1) for name, field in required.items()}
    event = cls(**values)
    assert msgspec.json.decode(msgspec.json.encode(event), type=cls) == event
    assert hash(event) == hash(cls(**values))
    with pytest.raises(AttributeError):
        event.venue = "another"  # type: ignore[misc]


def test_feed_events_have_a_tag_each() -> None:
    tags = [cls.__struct_config__.tag for cls in FEED_EVENTS]
    assert len(tags) == 18
    assert len(set(tags)) == 18


def test_a_market_is_a_value() -> None:
    market = Market("KRW-BTC", "BTC", "KRW", levels=(0.0, 10000.0))
    assert market == Market(symbol="KRW-BTC", base="BTC", quote="KRW", levels=(0.0, 10000.0))
    assert len({market, market}) == 1


def test_a_candle_keeps_its_unit() -> None:
    candle = CandleEvent(venue="upbit", symbol="KRW-BTC", unit="1m")
    assert msgspec.structs.asdict(candle)["unit"] == "1m"
