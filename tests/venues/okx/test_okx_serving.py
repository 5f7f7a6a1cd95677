"""OKX's own protocol over held streams, without a gateway."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest

from tapewire.model.book import BookChange
from tapewire.model.events import Event, TickerEvent
from tapewire.model.market import Market
from tapewire.model.subscription import Subscription, Wish, as_detail
from tapewire.venues.exchange import Answer
from tapewire.venues.okx.serving import OkxServing
from tapewire.venues.okx.serving_copies import OkxBook
from tapewire.venues.registry import get_venue
from tapewire.venues.serving import BookCopy
from tests.venues.ring import Ring

OKX = get_venue("okx")


def serving_of() -> OkxServing:
    assert OKX.serving is not None
    made: OkxServing = OKX.serving("DEFAULT")
    return made


BTC = "BTC-USDT"
BOOKS = Subscription("orderbook", BTC)
ARG = {"channel": "books", "instId": BTC}


class Held:
    """Streams that are held."""

    def __init__(self) -> None:
        self.markets = {BTC: Market(BTC, "BTC", "USDT")}
        self.events: dict[Subscription, Event] = {}
        self.copy: BookCopy | None = None
        self.refusals: dict[Subscription, tuple[str, str]] = {}

    def latest(self, stream: Subscription) -> Event | None:
        return self.events.get(stream)

    def refused(self, stream: Subscription) -> tuple[str, str] | None:
        return self.refusals.get(stream)

    def book(self, _stream: Subscription) -> BookCopy | None:
        return self.copy


def ask(op: str, *args: Any, **more: Any) -> bytes:
    return msgspec.json.encode({"op": op, "args": args, **more})


def said(answer: Answer) -> list[dict[str, Any]]:
    return [msgspec.json.decode(frame) for frame in answer.payloads]


def change(action: str, asks: list[tuple[str, str]], number: int, before: int = -1) -> TickerEvent:
    """Any event with the raw frame of a change."""
    row = {"asks": [[*one, "0", "1"] for one in asks], "bids": [["1", "2", "0", "1"]], "ts": "5", "checksum": 0,
           "seqId": number, "prevSeqId": before}  # fmt: skip
    raw = msgspec.json.encode({"arg": ARG, "action": action, "data": [row]})
    return TickerEvent(venue="okx", symbol=BTC, raw=raw)


def test_what_a_message_asks_for() -> None:
    visitor = serving_of().visitor(Held(), "public", Ring())
    typed = {"channel": "instruments", "instType": "SPOT"}
    assert visitor.wishes(b"ping") == []
    assert visitor.wishes(ask("unsubscribe", ARG)) == []
    assert visitor.wishes(ask("subscribe", ARG, typed, {"channel": "nix"})) == [
        Wish(BOOKS), Wish(Subscription("instrument", "", detail=as_detail({"instType": "SPOT"})), snapshot=False),
    ]  # fmt: skip


def test_signs_of_life_refusals_and_what_is_too_large() -> None:
    visitor = serving_of().visitor(Held(), "public", Ring())
    assert visitor.receive(0.0, b"ping", is_text=True).payloads == (b"pong",)
    assert visitor.receive(0.0, b"x" * 70_000, is_text=True).close == (
        1009,
        "Max frame length of 65536 has been exceeded.",
    )
    for message, code in (
        (b"x", "60012"), (ask("login", {}), "60028"), (ask("order", {}), "60028"), (ask("nix", {}), "60019"),
        (ask("subscribe", {"channel": "books-l2-tbt", "instId": BTC}), "60011"),
        (ask("subscribe", {"channel": "nix"}, id="7"), "60018"),
    ):  # fmt: skip
        [word] = said(visitor.receive(0.0, message, is_text=True))
        assert (word["event"], word["code"]) == ("error", code)
    assert said(visitor.error("60014"))[0]["code"] == "60014"
    assert said(visitor.error("WRONG", "text"))[0] | {"connId": ""} == {
        "event": "error", "msg": "text", "code": "60012", "connId": "",
    }  # fmt: skip
    assert (visitor.deadline, visitor.advance(0.0)) == (None, [])


def test_what_is_held_follows_the_acknowledgement() -> None:
    held, ticker = Held(), Subscription("ticker", BTC)
    visitor = serving_of().visitor(held, "public", Ring())
    wanted = ask("subscribe", {"channel": "tickers", "instId": BTC}, ARG, {"channel": "status"})
    answer = visitor.receive(0.0, wanted, is_text=True)
    assert [one["event"] for one in said(answer)] == ["subscribe"] * 3
    assert answer.books == ()
    held.events[ticker] = TickerEvent(venue="okx", symbol=BTC, raw=b'{"data":[]}')
    held.copy = OkxBook(ARG, 400)
    held.copy.hear(change("snapshot", [("3", "1")], 7))
    answer = visitor.receive(0.0, wanted, is_text=True)
    assert answer.books == (b'{"data":[]}', held.copy.snapshot())
    assert visitor.holds() == {ticker, BOOKS, Subscription("status", "")}
    visitor.receive(0.0, ask("unsubscribe", ARG, {"channel": "tickers", "instId": BTC}), is_text=True)
    assert visitor.holds() == {Subscription("status", "")}


def test_what_the_exchange_refused_to_the_gateway_is_an_error_in_place_of_the_answer() -> None:
    held = Held()
    held.refusals[BOOKS] = ("64003", "no such level for you")
    visitor = serving_of().visitor(held, "public", Ring())
    wanted = ask("subscribe", ARG, {"channel": "tickers", "instId": BTC}, id="3")
    first, second = said(visitor.receive(0.0, wanted, is_text=True))
    assert first == {
        "id": "3", "event": "error", "msg": "no such level for you", "code": "64003", "connId": second["connId"],
    }  # fmt: skip
    assert second["event"] == "subscribe"
    assert visitor.holds() == {Subscription("ticker", BTC)}
    assert said(visitor.receive(0.0, ask("unsubscribe", ARG), is_text=True))[0]["event"] == "unsubscribe"
    visitor.forget(Subscription("ticker", BTC))
    assert visitor.holds() == set()


def test_all_programs_of_a_side_are_told_the_same_but_on_the_private_one() -> None:
    serving, ticker = serving_of(), Subscription("ticker", BTC)
    shapes = [serving.visitor(Held(), side, Ring()).shape(ticker) for side in ("public", "public", "private")]
    assert shapes == ["public", "public", None]
    handed_on = [serving.visitor(Held(), side, Ring()).hands_on(ticker) for side in ("public", "business", "private")]
    assert handed_on == [True, True, False]


def test_frames_go_on_as_they_came_each_once_and_others_are_made() -> None:
    visitor, ticker = serving_of().visitor(Held(), "public", Ring()), Subscription("ticker", BTC)
    event = TickerEvent(venue="okx", symbol=BTC, trade_price=1.5, raw=b"raw")
    assert visitor.tell(ticker, event, {}) == [b"raw"]
    assert visitor.tell(ticker, event, {}) == []
    polled, cache = TickerEvent(venue="okx", symbol=BTC, trade_price=1.5, polled=True), dict[object, bytes]()
    [made] = visitor.tell(ticker, polled, cache)
    assert msgspec.json.decode(made)["arg"] == {"channel": "tickers", "instId": BTC}
    assert visitor.tell(ticker, polled, cache)[0] is made


def test_a_copy_of_a_book_keeps_the_exchanges_texts() -> None:
    copy = serving_of().book_copy(BOOKS)
    assert copy is not None
    copy.hear(change("update", [("3.0", "1")], 6, 5))
    assert [copy.is_whole] == [False]
    with pytest.raises(LookupError, match="not whole"):
        copy.snapshot()
    copy.hear(change("snapshot", [("3.10", "1"), ("3.0", "2")], 7))
    copy.hear(change("update", [("3.10", "0"), ("2.90", "4"), ("9", "0")], 9, 7))
    row = msgspec.json.decode(copy.snapshot())["data"][0]
    assert [level[:2] for level in row["asks"]] == [["2.90", "4"], ["3.0", "2"]]
    assert (row["seqId"], row["prevSeqId"]) == (9, -1)
    for spoilt in (None, b"x", b'{"data":[]}'):
        copy.hear(change("snapshot", [("1", "1")], 1))
        whole = [copy.is_whole]
        copy.hear(TickerEvent(venue="okx", symbol=BTC, raw=spoilt))
        assert [*whole, copy.is_whole] == [True, False]


def test_a_copy_of_the_book_with_rpi_orders_has_no_checksum_as_the_exchanges_has_none() -> None:
    stream = Subscription("orderbook", BTC, detail=as_detail({"channel": "books-rpi"}))
    copy = serving_of().book_copy(stream)
    assert copy is not None
    arg = {"channel": "books-rpi", "instId": BTC}
    row = {"asks": [["3", "5", "4", "2"]], "bids": [], "ts": "1", "seqId": 7, "prevSeqId": -1}
    frame = {"arg": arg, "action": "snapshot", "data": [row]}
    copy.hear(BookChange(venue="okx", symbol=BTC, action="snapshot", raw=msgspec.json.encode(frame)))
    assert msgspec.json.decode(copy.snapshot()) == frame


def test_its_doors() -> None:
    serving = serving_of()
    assert serving.paths == {
        "/ws/v5/public": "public", "/ws/v5/business": "business", "/ws/v5/private": "private",
    }  # fmt: skip
    assert serving.keyed == {"/ws/v5/private"}
    assert serving.book_copy(Subscription("orderbook", BTC, depth=5)) is None
    assert serving.book_copy(Subscription("ticker", BTC)) is None
    assert serving.closed({}).status == 401
    assert serving.admit("/ws/v5/private", {}, Ring()) is None  # who wants more logs in by a message
    assert serving.forwards("/api/v5/market/ticker")
    assert not serving.forwards("/api/v5/trade/order")
