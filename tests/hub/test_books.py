"""Changes of books on both roads: each depth hears its own book, and nobody hears a spoilt one."""

from __future__ import annotations

from typing import Any

import msgspec

from tapewire.book.keeper import Answer
from tapewire.book.sequence import BookRule
from tapewire.hub.books import Books
from tapewire.hub.calls import Callback
from tapewire.hub.listening import Listener, Stream
from tapewire.hub.router import Router
from tapewire.model.book import BookChange, DepthOrderbookEvent
from tapewire.model.events import Event
from tapewire.model.subscription import StreamPreference, Subscription
from tests.book.made_up import RULE, change, short, snapshot
from tests.hub.made_up import CLASSES, TICKER, hand_over, no_failure

WireChange = msgspec.defstruct("WireChange", [], bases=(BookChange,), gc=False, kw_only=True, tag="books")
Classes = dict[type, tuple[type[Event], str, str | None]]
ALL = Subscription("orderbook", "BTC-USDT")
TWO = Subscription("orderbook", "BTC-USDT", depth=2)
WHOLE = Subscription("orderbook", "BTC-USDT", depth=5)


def rule_of(subscription: Subscription) -> BookRule | None:
    return RULE if subscription.kind == "orderbook" and subscription.depth != 5 else None


class Bench:
    """A router with its books, and what the driver would do."""

    def __init__(self, *, hot: bool = True) -> None:
        classes: Classes = {WireChange: (BookChange, "bookChange", None), **CLASSES} if hot else CLASSES
        self.router = Router(classes, self._fail, is_kept=lambda one: rule_of(one) is not None)
        self.books = Books(self.router, rule_of, "float", self)
        self.heard: list[tuple[str, str | None, str]] = []
        self.colds: list[Subscription] = []
        self.troubles: list[tuple[Answer, int]] = []
        self.failures: list[Callback] = []

    def listen(
        self, subscription: Subscription, name: str, preference: StreamPreference = "both", fault: bool = False
    ) -> Listener:
        def hear(event: DepthOrderbookEvent) -> None:
            self.heard.append((name, event.stream_type, short(event.asks)))
            if fault:
                raise ZeroDivisionError

        listener = Listener(name, hear, preference)
        self.router.add(subscription, listener)
        return listener

    def come(self, told: BookChange) -> str:
        """As ``transport.dispatch`` does it; returns the road."""
        wire: Any = WireChange(**{name: getattr(told, name) for name in told.__struct_fields__})
        public, streams = self.router.tables.get(WireChange, (BookChange, {}))
        shelf: Any = streams.get(told.symbol)
        wire.__class__ = public
        if shelf is None:
            self.books.take(wire)
            return "careful"
        shelf.last, shelf.count = wire.timestamp, shelf.count + 1
        shelf.deliver(wire)
        return "short"

    def told(self) -> list[tuple[str, str | None, str]]:
        heard, self.heard = self.heard, []
        return heard

    def cold(self, stream: Stream, event: DepthOrderbookEvent) -> None:
        self.colds.append(stream.subscription)
        self.router.deliver_to(stream, event, no_failure)

    def spoilt(self, streams: tuple[Stream, ...], answer: Answer) -> None:
        self.troubles.append((answer, len(streams)))

    def waits(self, streams: tuple[Stream, ...]) -> None:
        self.troubles.append(("waiting", len(streams)))

    def callback_failed(self, callback: Callback, error: BaseException) -> None:
        assert isinstance(error, ZeroDivisionError)
        self.failures.append(callback)

    def _fail(self, callback: Callback, error: BaseException) -> None:
        raise AssertionError(callback) from error


def test_each_depth_hears_its_own_book_of_one_wire_stream() -> None:
    bench = Bench()
    bench.listen(ALL, "all")
    bench.listen(TWO, "two")
    first = bench.come(snapshot(10, "101:1 102:2 103:3"))
    second = bench.come(change("100.5:4", link=(10, 11)))
    assert (first, second) == ("careful", "short")
    assert bench.told() == [
        ("all", "SNAPSHOT", "101:1 102:2 103:3"),
        ("two", "SNAPSHOT", "101:1 102:2"),
        ("all", "REALTIME", "100.5:4 101:1 102:2 103:3"),
        ("two", "REALTIME", "100.5:4 101:1"),
    ]
    assert bench.colds == [ALL, TWO]  # the second message took the short road through
    assert [stream.count for stream in bench.router.streams.values()] == [2, 2]
    assert bench.router.counts() == {"orderbook": 4}


def test_codecs_without_a_hot_class_for_changes_do_as_well() -> None:
    bench = Bench(hot=False)
    bench.listen(ALL, "all")
    assert [bench.come(snapshot(10)), bench.come(change("101:5", link=(10, 11)))] == ["careful", "careful"]
    assert bench.told() == [("all", "SNAPSHOT", "101:1 102:2"), ("all", "REALTIME", "101:5 102:2")]
    bench.books.line_lost()
    assert bench.books.book(ALL, None) is None


def test_preferences() -> None:
    bench = Bench()
    once = bench.listen(ALL, "once", "snapshot_only")
    bench.listen(ALL, "live", "realtime_only")
    bench.come(snapshot(10))
    bench.come(change("101:5", link=(10, 11)))
    assert bench.told() == [("once", "SNAPSHOT", "101:1 102:2"), ("live", "REALTIME", "101:5 102:2")]
    assert once.finished


def test_a_second_snapshot_that_nobody_asked_for_is_a_change_like_any_other() -> None:
    bench = Bench()
    bench.listen(ALL, "all")
    bench.come(snapshot(10))
    bench.come(snapshot(20, "105:1"))
    assert bench.told()[1:] == [("all", "REALTIME", "105:1")]


def test_nothing_new_is_not_told_but_counts_as_a_sign_of_life() -> None:
    bench = Bench()
    bench.listen(ALL, "all")
    bench.come(snapshot(10))
    bench.come(change(link=(10, 10)))
    assert len(bench.told()) == 1
    assert bench.router.streams[ALL].count == 2


def test_a_spoilt_book_is_heard_by_nobody_until_its_snapshot() -> None:
    bench = Bench()
    bench.listen(ALL, "all")
    bench.listen(TWO, "two")
    bench.come(snapshot(10))
    bench.told()
    bench.come(change("101:5", link=(12, 13)))
    bench.come(change("101:6", link=(13, 14)))
    assert bench.troubles == [("sequence", 2), ("waiting", 2)]
    assert bench.books.book(ALL, None) is None
    assert bench.books.serve([ALL]) == set()
    assert bench.told() == []
    bench.router.expect(bench.router.streams[ALL])
    bench.come(snapshot(20, "7:1"))
    assert bench.told() == [("all", "SNAPSHOT", "7:1"), ("two", "REALTIME", "7:1")]


def test_a_newcomer_gets_the_present_book_at_once() -> None:
    """From what is kept here: the exchange is not asked for a second snapshot."""
    bench = Bench()
    bench.listen(ALL, "all")
    assert bench.books.serve([ALL]) == set()  # not known yet
    bench.come(snapshot(10))
    bench.come(change("101:5", link=(10, 11)))
    bench.told()
    bench.listen(TWO, "late")
    bench.listen(ALL, "later")
    assert bench.books.serve([TWO, ALL, TICKER]) == {TWO, ALL}
    assert bench.told() == [("late", "SNAPSHOT", "101:5 102:2"), ("later", "SNAPSHOT", "101:5 102:2")]
    assert bench.come(change("101:6", link=(11, 12))) == "short"
    assert [name for name, _, _ in bench.told()] == ["all", "later", "late"]


def test_books_end_with_their_streams_and_with_the_line() -> None:
    bench = Bench()
    listener = bench.listen(ALL, "all")
    other = bench.listen(TWO, "two")
    bench.come(snapshot(10))
    assert bench.books.book(ALL, 1) is not None
    bench.router.remove(TWO, other)
    bench.books.forget()
    assert bench.books.book(ALL, None) is not None
    bench.router.remove(ALL, listener)
    bench.books.forget()
    assert bench.come(change("101:5", link=(10, 11))) == "careful"
    assert bench.router.unwanted == 1
    bench.listen(ALL, "again")
    bench.come(snapshot(20))
    bench.books.line_lost()
    assert bench.books.book(ALL, None) is None
    assert bench.come(change("101:5", link=(20, 21))) == "careful"


def test_a_listener_that_leaves_while_it_is_called() -> None:
    bench = Bench()
    gone: list[Listener] = []

    def leave(event: DepthOrderbookEvent) -> None:
        bench.heard.append(("leaver", event.stream_type, ""))
        bench.router.remove(TWO, gone[0])

    bench.listen(ALL, "all")
    gone.append(Listener("leaver", leave, "realtime_only"))
    bench.router.add(TWO, gone[0])
    bench.come(snapshot(10))
    bench.come(change("101:5", link=(10, 11)))
    bench.come(change("101:6", link=(11, 12)))
    assert [name for name, _, _ in bench.told()] == ["all", "all", "leaver", "all"]
    assert list(bench.router.kept) == ["BTC-USDT"]


def test_a_callback_that_raises_spoils_nothing() -> None:
    bench = Bench()
    bench.listen(ALL, "bad", "realtime_only", fault=True)
    bench.listen(TWO, "good")
    bench.come(snapshot(10))
    bench.come(change("101:5", link=(10, 11)))
    assert len(bench.failures) == 1
    assert [name for name, _, _ in bench.told()] == ["good", "bad", "good"]
    assert [one.name for one in bench.router.callbacks_of(bench.failures[0])] == ["bad"]


def test_latency_samples_and_other_streams_are_as_before() -> None:
    bench = Bench()
    bench.listen(ALL, "all")
    bench.router.add(TICKER, Listener("ticker", lambda _event: None, "realtime_only"))
    bench.come(snapshot(10))
    stream = bench.router.streams[ALL]
    assert bench.router.is_hot(stream)
    bench.router.chill(stream)
    assert not bench.router.is_hot(stream)
    bench.come(change("101:5", link=(10, 11)))
    assert bench.colds == [ALL, ALL]
    assert bench.router.is_hot(stream)
    assert [hand_over(bench.router, TICKER, number) for number in (1, 2)] == ["careful", "short"]


def test_a_book_from_elsewhere_is_taken_only_while_there_is_none() -> None:
    bench = Bench()
    bench.listen(ALL, "all")
    by_rest = change("7:1", link=(None, 13), action="snapshot")
    bench.books.mend(ALL, by_rest)  # of a market whose changes never came
    bench.come(change("8:1", link=(12, 14)))
    assert bench.troubles == [("waiting", 1)]
    bench.books.mend(ALL, by_rest)
    assert bench.told() == [("all", "SNAPSHOT", "7:1 8:1")]
    bench.books.mend(ALL, change("9:1", link=(None, 10), action="snapshot"))
    assert bench.told() == []


def test_books_of_other_ways_find_the_streams() -> None:
    """REST's book (polling, recovery) belongs to every depth of its market."""
    bench = Bench()
    bench.listen(ALL, "all", "realtime_only")
    bench.listen(TWO, "two", "realtime_only")
    event = DepthOrderbookEvent(venue="made-up", symbol="BTC-USDT")
    assert [stream.subscription for stream in bench.router.find(event)] == [ALL, TWO]
    assert bench.router.find(DepthOrderbookEvent(venue="made-up", symbol="X")) == ()
