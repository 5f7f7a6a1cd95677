"""The hot table of a venue whose frames name their stream, with OKX's codec."""

from __future__ import annotations

from typing import Any

import pytest

from tapewire.hub.heads import Heads
from tapewire.hub.listening import Listener
from tapewire.hub.router import Router
from tapewire.model.events import TickerEvent, TradeEvent
from tapewire.model.subscription import Subscription, as_detail
from tapewire.transport.dispatch import HeadDispatch
from tapewire.venues.contract import Head
from tapewire.venues.okx.channels import wire_name
from tapewire.venues.okx.codec import OkxCodec
from tests.hub.made_up import no_failure, no_raise

TRADE = b'{"arg":{"channel":"trades","instId":"%s"},"data":[%s]}'
ONE = b'{"instId":"%s","tradeId":"%d","px":"42219.9","sz":"0.1","side":"buy","ts":"%d","count":"1"}'
BBO = b'{"arg":{"channel":"bbo-tbt","instId":"BTC-USDT"},"data":[{"asks":[["2","1","0","1"]],"bids":[],"ts":"%d"}]}'
BOOK5 = BBO.replace(b"bbo-tbt", b"books5")
LIQUIDATED = (
    b'{"arg":{"channel":"liquidation-orders","instType":"SWAP"},"data":[{"instId":"BTC-USDT-SWAP","details":[]}]}'
)
TRADES = Subscription("trade", "BTC-USDT")


def trade(*numbers: int, symbol: bytes = b"BTC-USDT") -> bytes:
    return TRADE % (symbol, b",".join(ONE % (symbol, number, number) for number in numbers))


class Desk:
    """A router with one ear on each subscription, and the two roads as a driver joins them."""

    def __init__(self, *subscriptions: Subscription) -> None:
        self.codec = OkxCodec("okx", "DEFAULT", "float", False)
        self.router = Router(self.codec.classes, no_raise, wire_name=wire_name)
        self.heard: list[tuple[Subscription, Any]] = []
        self.careful: list[bytes] = []
        self.ears: dict[Subscription, Listener] = {}
        for subscription in subscriptions:
            self.join(subscription)
        self.hear = HeadDispatch(self.router.heads.table, self._read, no_raise).on_message()

    def join(self, subscription: Subscription) -> None:
        ear = Listener(f"ear {len(self.ears)}", lambda event: self.heard.append((subscription, event)), "realtime_only")
        self.ears[subscription] = ear
        self.router.add(subscription, ear)

    def leave(self, subscription: Subscription) -> None:
        assert self.router.remove(subscription, self.ears[subscription])

    def tell(self, *frames: bytes) -> list[str]:
        """Which road each frame took."""
        roads = []
        for frame in frames:
            before = len(self.careful)
            self.hear(frame, True, 7)
            roads.append("careful" if len(self.careful) > before else "short")
        return roads

    def _read(self, payload: bytes, received_ns: int) -> None:
        self.careful.append(payload)
        reading = self.codec.read(payload, received_ns)
        for event in reading.events:
            self.router.deliver(event, no_failure, reading.stream, reading.head)


def test_a_stream_is_hot_after_its_first_message_and_both_roads_give_the_same() -> None:
    desk = Desk(TRADES)
    assert desk.tell(trade(1), trade(2), trade(3)) == ["careful", "short", "short"]
    stream = desk.router.streams[TRADES]
    assert desk.router.is_hot(stream)
    assert (stream.count, stream.last, stream.last_id) == (3, 3, 3)
    for number, (subscription, event) in enumerate(desk.heard, 1):
        assert subscription == TRADES
        assert type(event) is TradeEvent
        assert event == desk.codec.read(trade(number), 7).events[0]


def test_a_frame_with_several_events_takes_the_careful_road_and_loses_none() -> None:
    desk = Desk(TRADES)
    assert desk.tell(trade(1), trade(2, 3, 4), trade(5)) == ["careful", "careful", "short"]
    assert [event.sequential_id for _, event in desk.heard] == [1, 2, 3, 4, 5]


def test_a_trade_that_comes_twice_is_heard_once_on_either_road() -> None:
    desk = Desk(TRADES)
    assert desk.tell(trade(1), trade(2), trade(2), trade(3, 1)) == ["careful", "short", "short", "careful"]
    assert [event.sequential_id for _, event in desk.heard] == [1, 2, 3]
    assert desk.router.doubled == 2


def test_books_of_one_market_are_told_apart_by_their_channel() -> None:
    best, five = Subscription("orderbook", "BTC-USDT", depth=1), Subscription("orderbook", "BTC-USDT", depth=5)
    desk = Desk(best, five)
    assert desk.tell(BBO % 1, BOOK5 % 2, BBO % 3, BOOK5 % 4) == ["careful", "careful", "short", "short"]
    assert [(subscription, event.timestamp, event.channel) for subscription, event in desk.heard] == [
        (best, 1, "bbo-tbt"), (five, 2, "books5"), (best, 3, "bbo-tbt"), (five, 4, "books5"),
    ]  # fmt: skip
    desk.leave(best)
    assert desk.tell(BBO % 5, BOOK5 % 6) == ["careful", "short"]
    assert (desk.heard[-1][0], desk.router.unwanted) == (five, 1)


def test_two_streams_of_one_name_both_hear_and_neither_is_hot() -> None:
    plain, noted = TRADES, Subscription("trade", "BTC-USDT", detail=as_detail({"channel": "trades"}))
    assert wire_name(plain) == wire_name(noted)
    desk = Desk(plain)
    assert desk.tell(trade(1), trade(2)) == ["careful", "short"]
    desk.join(noted)
    assert desk.tell(trade(3), trade(4)) == ["careful", "careful"]
    assert [subscription for subscription, _ in desk.heard] == [plain, plain, plain, noted, plain, noted]
    desk.leave(plain)
    assert desk.tell(trade(5), trade(6)) == ["careful", "short"]
    assert desk.heard[-1][0] == noted
    desk.leave(noted)
    assert desk.tell(trade(7)) == ["careful"]
    assert not desk.router.streams


def test_streams_of_a_type_hear_their_own_frames_only_whatever_the_market() -> None:
    swaps = Subscription("liquidation", "", detail=as_detail({"instType": "SWAP"}))
    futures = Subscription("liquidation", "", detail=as_detail({"instType": "FUTURES"}))
    desk = Desk(swaps, futures)
    assert desk.tell(LIQUIDATED, LIQUIDATED) == ["careful", "careful"]
    assert [(subscription, event.symbol) for subscription, event in desk.heard] == [(swaps, "BTC-USDT-SWAP")] * 2
    desk.leave(swaps)
    desk.leave(futures)
    assert desk.tell(LIQUIDATED) == ["careful"]
    assert desk.router.unwanted == 1


def test_a_chilled_stream_is_careful_once() -> None:
    desk = Desk(TRADES)
    desk.tell(trade(1))
    stream = desk.router.streams[TRADES]
    desk.router.chill(stream)
    desk.router.chill(stream)
    assert not desk.router.is_hot(stream)
    assert desk.tell(trade(2), trade(3)) == ["careful", "short"]
    desk.router.line_lost()
    assert desk.tell(trade(4), trade(5)) == ["careful", "short"]


def test_an_acknowledgement_and_damage_of_a_hot_stream_are_careful() -> None:
    desk = Desk(TRADES)
    desk.tell(trade(1))
    frames = [
        b'{"event":"unsubscribe","arg":{"channel":"trades","instId":"BTC-USDT"},"connId":"d0b44253"}',
        b'{"arg":{"channel":"trades","instId":"BTC-USDT"},"data":[]}',
        trade(2)[:-3],
        b"pong",
        b"",
        b"[",
    ]
    assert desk.tell(*frames, trade(2)) == ["careful"] * len(frames) + ["short"]
    assert [event.sequential_id for _, event in desk.heard] == [1, 2]


def test_one_who_takes_a_road_over_keeps_it() -> None:
    heads, first, second = Heads(), object(), object()
    head = Head(b'{"data":', lambda _payload: None, TickerEvent)
    heads.open(first, "BTC-USDT", head)
    heads.open(second, "BTC-USDT", head)
    assert (first in heads, second in heads, "another" in heads) == (True, True, False)
    heads.close(first)
    assert heads.table[head.text] == (head.decode, TickerEvent, "BTC-USDT", second)
    heads.close(second)
    heads.close(second)
    assert not heads.table


@pytest.mark.parametrize("name", ["", wire_name(TRADES)])
def test_what_no_name_tells_is_found_by_market(name: str) -> None:
    desk = Desk(TRADES)
    event = desk.codec.read(trade(1)).events[0]
    assert desk.router.find(event, name) == (desk.router.streams[TRADES],)
    assert desk.router.find(event, "another") == ()
