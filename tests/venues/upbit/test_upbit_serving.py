"""Upbit's own protocol over held streams, without a gateway: what is asked, told, and met with silence."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest

from tapewire.model.events import Event
from tapewire.model.market import Market
from tapewire.model.subscription import Subscription, Wish
from tapewire.venues.registry import get_venue
from tapewire.venues.upbit.serving import UpbitServing, UpbitVisitor, as_written
from tapewire.venues.upbit.sim_rest import is_public
from tests.venues.ring import Ring, bearer

UPBIT = get_venue("upbit")


def serving_of() -> UpbitServing:
    assert UPBIT.serving is not None
    made: UpbitServing = UPBIT.serving("DEFAULT")
    return made


BTC = "KRW-BTC"


def book(levels: int = 3, *, shape: str = "DEFAULT", price: str = "100") -> bytes:
    rows = [f'{{"ask_price":{price},"bid_price":99.5,"ask_size":0.5,"bid_size":0.25}}' for _ in range(levels)]
    body = (
        f'{{"type":"orderbook","code":"{BTC}","timestamp":1,"total_ask_size":1.5,"total_bid_size":0.75,'
        f'"orderbook_units":[{",".join(rows)}],"stream_type":"REALTIME","level":0}}'
    ).encode()
    return b"[%b]" % body if shape == "JSON_LIST" else body


def event_of(payload: bytes) -> Event:
    [event] = UPBIT.codec("DEFAULT", "float", True).read(payload).events
    event.raw = payload
    return event


class Held:
    """Streams that are held."""

    def __init__(self, **events: Event) -> None:
        self.markets = {BTC: Market(BTC, "BTC", "KRW")}
        self.events: dict[Subscription, Event] = {}

    def latest(self, stream: Subscription) -> Event | None:
        return self.events.get(stream)

    def refused(self, _stream: Subscription) -> None:
        return None

    def book(self, _stream: Subscription) -> None:
        return None


def ask(*parts: dict[str, Any], **more: Any) -> bytes:
    return msgspec.json.encode([{"ticket": "t"}, *parts, more] if more else [{"ticket": "t"}, *parts])


BOOKS = {"type": "orderbook", "codes": [f"{BTC}.1", BTC, "KRW-NIX"]}


def test_what_a_message_asks_for() -> None:
    visitor = serving_of().visitor(Held(), "public", Ring())
    assert visitor.wishes(b"PING") == []
    assert visitor.wishes(b"x") == []
    assert (
        visitor.wishes(ask(BOOKS | {"is_only_realtime": True}))
        == [Wish(Subscription("orderbook", BTC), snapshot=False)] * 2
    )
    assert visitor.wishes(ask(method="LIST_SUBSCRIPTIONS")) == []
    assert isinstance(visitor, UpbitVisitor)
    assert visitor._market.listing(BTC) == Market(BTC, "BTC", "KRW")


def test_what_is_held_is_told_and_what_is_not_is_left_out() -> None:
    held = Held()
    visitor = serving_of().visitor(held, "public", Ring())
    wanted = [{"type": kind, "codes": [BTC]} for kind in ("ticker", "trade", "candle.1m")]
    assert visitor.receive(0.0, ask(BOOKS, *wanted), is_text=True).payloads == ()
    assert visitor.holds() == {
        Subscription("orderbook", BTC): None, Subscription("ticker", BTC): None, Subscription("trade", BTC): None,
        Subscription("candle", BTC, unit="1m"): None,
    }  # fmt: skip
    held.events[Subscription("orderbook", BTC)] = event_of(book())
    frames = visitor.receive(0.0, ask(BOOKS), is_text=True).payloads
    said = [msgspec.json.decode(frame) for frame in frames]
    assert [(len(one["orderbook_units"]), one["stream_type"]) for one in said] == [(1, "SNAPSHOT"), (3, "SNAPSHOT")]
    assert b'"ask_price":100,' in frames[0]


def test_who_hears_the_same_has_the_same_shape() -> None:
    stream = Subscription("orderbook", BTC)
    visitors = [serving_of().visitor(Held(), "public", Ring()) for _ in range(4)]
    for visitor, request in zip(
        visitors, (ask(BOOKS), ask(BOOKS, {"type": "ticker", "codes": [BTC]}), ask(BOOKS, format="SIMPLE"), ask()),
        strict=True,
    ):  # fmt: skip
        visitor.receive(0.0, request, is_text=True)
    first, same, short, none = [visitor.shape(stream) for visitor in visitors]
    assert first == same
    assert len({first, short, none}) == 3
    visitors[1].forget(stream)
    assert list(visitors[1].holds()) == [Subscription("ticker", BTC)]
    assert visitors[1].shape(stream) == none


def test_a_level_is_served_when_something_of_it_is_held() -> None:
    held = Held()
    visitor = serving_of().visitor(held, "public", Ring())
    grouped = ask({"type": "orderbook", "codes": [BTC], "level": 1000})
    assert visitor.receive(0.0, grouped, is_text=True).payloads == ()
    assert not visitor.holds()
    stream = Subscription("orderbook", BTC, level=1000.0)
    held.events[stream] = event_of(book())
    assert len(visitor.receive(0.0, grouped, is_text=True).payloads) == 1
    assert list(visitor.holds()) == [stream]
    assert visitor.tell(Subscription("orderbook", BTC), event_of(book()), {}) == []
    assert len(visitor.tell(stream, event_of(book()), {})) == 1


@pytest.mark.parametrize("form", ["DEFAULT", "SIMPLE", "JSON_LIST"])
def test_frames_of_the_same_form_go_on_as_they_came_and_each_is_made_once(form: str) -> None:
    visitor = serving_of().visitor(Held(), "public", Ring())
    visitor.receive(0.0, ask(BOOKS, format=form), is_text=True)
    event, cache = event_of(book()), dict[object, bytes]()
    one, whole = visitor.tell(Subscription("orderbook", BTC), event, cache)
    assert (whole is event.raw) == (form == "DEFAULT")
    assert visitor.tell(Subscription("orderbook", BTC), event, cache)[0] is one
    event.recovered = True
    again = visitor.tell(Subscription("orderbook", BTC), event, {})
    assert again[1] is not event.raw


@pytest.mark.parametrize(
    ("codes", "form", "handed_on"),
    [
        ([BTC], "DEFAULT", True),
        ([f"{BTC}.30"], "DEFAULT", True),
        ([f"{BTC}.15"], "DEFAULT", False),
        ([BTC, f"{BTC}.1"], "DEFAULT", False),
        ([BTC], "SIMPLE", False),
        ([], "DEFAULT", False),
    ],
)
def test_who_hears_frames_as_they_came(codes: list[str], form: str, handed_on: bool) -> None:
    visitor, books = serving_of().visitor(Held(), "public", Ring()), Subscription("orderbook", BTC)
    asked = [{"type": "orderbook", "codes": codes}] if codes else [{"type": "ticker", "codes": [BTC]}]
    visitor.receive(0.0, ask(*asked, format=form), is_text=True)
    assert visitor.hands_on(books) == handed_on
    event = event_of(book(30))
    told = visitor.tell(books, event, {})
    assert (len(told) == 1 and told[0] is event.raw) == handed_on
    assert not visitor.hands_on(Subscription("orderbook", BTC, level=1000.0))


def test_a_program_hears_tickers_trades_and_candles_as_they_came() -> None:
    visitor = serving_of().visitor(Held(), "public", Ring())
    wanted = [{"type": kind, "codes": [BTC]} for kind in ("ticker", "trade", "candle.1s")]
    visitor.receive(0.0, ask(*wanted), is_text=True)
    streams = [Subscription("ticker", BTC), Subscription("trade", BTC), Subscription("candle", BTC, unit="1s")]
    assert [visitor.hands_on(stream) for stream in streams] == [True] * 3
    assert not visitor.hands_on(Subscription("candle", BTC, unit="1m"))
    visitor.forget(streams[0])
    assert not visitor.hands_on(streams[0])


@pytest.mark.parametrize("side", ["private", "info"])
def test_frames_of_a_signed_side_are_looked_at(side: str) -> None:
    assert not serving_of().visitor(Held(), side, Ring()).hands_on(Subscription("myOrder", ""))


def test_a_trade_that_rest_told_is_made_anew() -> None:
    visitor = serving_of().visitor(Held(), "public", Ring())
    visitor.receive(0.0, ask({"type": "trade", "codes": [BTC]}), is_text=True)
    payload = b'{"type":"trade","code":"KRW-BTC","trade_price":1.0,"sequential_id":7,"stream_type":"REALTIME"}'
    trade = event_of(payload)
    trade.recovered = True
    [frame] = visitor.tell(Subscription("trade", BTC), trade, {})
    assert frame is not payload
    assert msgspec.json.decode(frame)["sequential_id"] == 7


def test_numbers_of_a_book_as_the_exchange_wrote_them() -> None:
    for payload in (book(), book(shape="JSON_LIST")):
        event: Any = event_of(payload)
        assert [unit.ask_price for unit in as_written(event).orderbook_units] == [100] * 3
        assert type(as_written(event).orderbook_units[0].ask_price) is int
    event.raw = book(2)
    assert as_written(event) is event
    event.raw = None
    assert as_written(event) is event


def test_its_doors() -> None:
    serving = serving_of()
    assert isinstance(serving, UpbitServing)
    assert serving.paths == {
        "/websocket/v1": "public", "/websocket/v1/private": "private", "/websocket/v1/info": "info",
    }  # fmt: skip
    assert serving.keyed == {"/websocket/v1/private", "/websocket/v1/info"}
    assert serving.book_copy(Subscription("orderbook", BTC)) is None
    for headers, name in (({}, b"no_authorization_token"), (bearer("any", "key"), b"invalid_access_key")):
        refused = serving.closed(headers)
        assert refused.status == 401
        assert name in refused.body
    for path in ("/v1/ticker", "/v1/candles/minutes/1", "/v1/candles/days"):
        assert serving.forwards(path)
        assert is_public(path)
    for path in ("/v1/accounts", "/v1/candles/", "/v1/candles/KRW-BTC", "/v1/orders"):
        assert not is_public(path)
