"""The four venues as values, found by name."""

from __future__ import annotations

import pytest

from tapewire import decode
from tapewire.errors import DecodeError, UnknownName
from tapewire.model.events import CandleEvent, TickerEvent, TradeEvent
from tapewire.model.subscription import Subscription
from tapewire.venues.contract import Venue, Window
from tapewire.venues.registry import get_venue, venue_names
from tapewire.venues.upbit import INDONESIA, KOREA, SINGAPORE, THAILAND


@pytest.mark.parametrize(
    ("name", "venue", "host"),
    [
        ("upbit", KOREA, "api.upbit.com"),
        ("upbit-sg", SINGAPORE, "sg-api.upbit.com"),
        ("upbit-id", INDONESIA, "id-api.upbit.com"),
        ("upbit-th", THAILAND, "th-api.upbit.com"),
    ],
)
def test_each_region_is_a_venue_with_its_own_addresses(name: str, venue: Venue, host: str) -> None:
    assert get_venue(name) is venue
    assert name in venue_names()
    facts = venue.facts
    assert (venue.name, facts.url, facts.rest_url) == (name, f"wss://{host}/websocket/v1", f"https://{host}")
    assert facts.url + facts.sides["private"] == f"wss://{host}/websocket/v1/private"
    assert facts.connects == (Window(5, 1.0),)
    assert facts.messages == (Window(5, 1.0), Window(100, 60.0))
    assert (facts.replaces, facts.acknowledges) == (True, False)
    assert (facts.idle_timeout, facts.text_ping) == (120.0, b"PING")
    public, private = ("ticker", "trade", "orderbook", "candle"), ("myOrder", "myAsset", "announcement")
    info = ("indicator", "indicator_signal")
    assert facts.kinds == public + private + (info if venue is KOREA else ())
    assert facts.sides == {"public": "", "private": "/private"} | ({"info": "/info"} if venue is KOREA else {})
    assert {venue.side(Subscription(kind, "")) for kind in public} == {"public"}
    assert {venue.side(Subscription(kind, "")) for kind in private} == {"private"}
    assert {venue.side(Subscription(kind, "")) for kind in info} == ({"info"} if venue is KOREA else {"public"})
    assert facts.signed_sides == facts.sides.keys() - {"public"}
    assert facts.event_kinds == set(private + info)
    assert facts.candle_units == ("1s", "1m", "3m", "5m", "10m", "15m", "30m", "60m", "240m")
    assert facts.full_state_kinds == {"ticker", "orderbook", "candle"}
    assert facts.fatal_statuses == {400, 401, 403, 404}
    assert venue.markets_request == "/v1/market/all?is_details=true"


def test_a_venue_that_is_not_installed_is_named_with_the_known_ones() -> None:
    with pytest.raises(UnknownName, match=r"no venue is called 'upbeat'; known: .*upbit-th"):
        get_venue("upbeat")


def test_position_is_the_trade_id_and_the_venues_time() -> None:
    assert KOREA.position(TradeEvent(venue="upbit", symbol="A", sequential_id=7, timestamp=5)) == (7, 5)
    assert KOREA.position(TradeEvent(venue="upbit", symbol="A")) == (None, None)
    assert KOREA.position(TickerEvent(venue="upbit", symbol="A", timestamp=5)) == (None, 5)
    assert KOREA.position(CandleEvent(venue="upbit", symbol="A", timestamp=6)) == (None, 6)


def test_bytes_become_events_without_a_connection() -> None:
    trade = TradeEvent(venue="upbit-sg", symbol="SGD-BTC", trade_price=1.5, received_ns=9)
    for payload in (
        b'{"type":"trade","code":"SGD-BTC","trade_price":1.5}',
        b'[{"ty":"trade","cd":"SGD-BTC","tp":"1.50"}]',
    ):
        assert decode("upbit-sg", payload, 9) == [trade]
    assert decode("upbit-sg", b'{"status":"UP"}') == []


def test_bytes_that_cannot_be_read_are_refused_with_the_reason() -> None:
    with pytest.raises(DecodeError) as caught:
        decode("upbit", b'[{"type":"trade","code":"A"},{"type":"x"}]')
    assert str(caught.value) == "upbit: unknown type 'x': '{\"type\":\"x\"}'"
    assert (caught.value.venue, caught.value.payload) == ("upbit", b'{"type":"x"}')
