"""What a venue says of itself through its values, whichever it is."""

from __future__ import annotations

import re

import pytest

from tapewire.config import FeedOptions
from tapewire.errors import ConfigError
from tapewire.model.events import TickerEvent, TradeEvent
from tapewire.model.subscription import Subscription
from tapewire.venues.registry import get_venue

BOOKS = {"okx": "BTC-USDT", "okex3": "BTC-USDT", "upbit": "KRW-BTC"}


@pytest.mark.parametrize(
    ("name", "kept", "headed"), [("upbit", False, False), ("okx", True, True), ("okex3", True, False)]
)
def test_which_books_are_kept_and_which_frames_name_their_stream(name: str, *, kept: bool, headed: bool) -> None:
    venue = get_venue(name)
    book = Subscription("orderbook", BOOKS[name])
    assert (venue.keeps(book), venue.rule(book) is not None) == (kept, kept)
    assert (venue.wire_name is not None) == headed


@pytest.mark.parametrize("name", BOOKS)
def test_only_trades_have_an_id(name: str) -> None:
    position, common = get_venue(name).position, {"venue": name, "symbol": BOOKS[name], "timestamp": 7}
    assert position(TradeEvent(sequential_id=3, **common)) == (3, 7)  # type: ignore[arg-type]
    assert position(TickerEvent(**common)) == (None, 7)  # type: ignore[arg-type]


@pytest.mark.parametrize(("name", "counts"), [("upbit", False), ("okx", True), ("okex3", True)])
def test_where_a_trade_may_stand_for_several(name: str, *, counts: bool) -> None:
    assert get_venue(name).counts_trades == counts


@pytest.mark.parametrize("name", ["upbit", "okx"])
def test_the_newest_page_of_candles_needs_no_time(name: str) -> None:
    history = get_venue(name).history
    assert history is not None
    newest, older = (history.candles_request(BOOKS[name], "1m", before) for before in (None, 1_786_611_600_000))
    assert older.startswith(newest)
    assert older != newest
    assert history.read_candles(BOOKS[name], "1m", EMPTY[name], "float") == []


EMPTY = {"upbit": b"[]", "okx": b'{"code":"0","msg":"","data":[]}'}


@pytest.mark.parametrize(
    ("venue", "url", "side"),
    [
        ("okx", "ws://127.0.0.1:9001/ws/v5/public", "/public"),
        ("okx", "wss://ws.okx.com:8443/ws/v5/business/", "/business"),
        ("okx-demo", "ws://127.0.0.1:9001/ws/v5/private?brokerId=9999", "/private"),
        ("upbit", "wss://api.upbit.com/websocket/v1/private", "/private"),
    ],
)
def test_an_address_that_names_a_side_is_refused_because_the_venue_adds_it(venue: str, url: str, side: str) -> None:
    right = f"it must be an address that ends before {side}: {venue} has a path for each side, which is added"
    with pytest.raises(ConfigError, match=re.escape(right)):
        get_venue(venue).permit(FeedOptions(url=url))
    with pytest.raises(ConfigError, match=re.escape(right)):
        get_venue(venue).permit(FeedOptions(urls=("ws://127.0.0.1:9001/x", url), redundancy=2))


@pytest.mark.parametrize("venue", ["upbit", "okx", "okex3"])
def test_the_venues_own_address_and_any_other_are_permitted(venue: str) -> None:
    value = get_venue(venue)
    for url in (None, value.facts.url, "ws://127.0.0.1:9001", "ws://127.0.0.1:9001/public/ws", "nats://127.0.0.1:4222"):
        value.permit(FeedOptions(url=url))
    for form in value.facts.formats:
        value.permit(FeedOptions(format=form))


def test_upbit_has_four_wire_formats_and_the_others_one() -> None:
    formats = {name: get_venue(name).facts.formats for name in ("upbit", "okx", "okex3")}
    assert formats == {
        "upbit": ("DEFAULT", "SIMPLE", "JSON_LIST", "SIMPLE_LIST"), "okx": ("DEFAULT",), "okex3": ("DEFAULT",),
    }  # fmt: skip
