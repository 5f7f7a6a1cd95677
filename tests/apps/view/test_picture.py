"""What the view knows: events in, quotes and figures out."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest

from tapewire.apps.cli.view.picture import Picture
from tapewire.apps.cli.view.quotes import Quote
from tapewire.model import status
from tapewire.model.events import CandleEvent, MyOrderEvent
from tapewire.model.market import Market
from tapewire.model.subscription import Subscription
from tests.apps.view.market_day import KINDS, a_picture, book, statistics, ticker, trade

FROM: dict[str, Any] = {"venue": "upbit", "connection": "upbit-1", "at_ns": 0}
TRADES = Subscription("trade", "KRW-BTC")


def picture() -> Picture:
    return Picture(("KRW-BTC", "KRW-ETH"), KINDS, 100.0)


def quote(shown: Picture, symbol: str = "KRW-BTC") -> Quote:
    return {one.symbol: one for one in shown.quotes}[symbol]


def test_a_market_is_what_its_newest_events_say() -> None:
    shown = a_picture()
    bitcoin = quote(shown)
    assert (bitcoin.price, bitcoin.change, bitcoin.rate) == (143_520_000.0, "RISE", 0.0123)
    assert (bitcoin.volume, bitcoin.value) == (1234.5, 1.5e11)
    assert (bitcoin.bid, bitcoin.ask, bitcoin.spread) == (143_519_000.0, 143_521_000.0, 2_000.0)
    assert [one.trade_price for one in bitcoin.trades] == [143_500_000.0, 143_490_000.0, 143_520_000.0]
    assert (quote(shown, "KRW-SHIB").decimals, quote(shown, "KRW-SHIB").spread) == (5, None)
    assert shown.heard == 9


def test_nothing_is_known_at_first() -> None:
    assert picture().quotes == [Quote(symbol="KRW-BTC"), Quote(symbol="KRW-ETH")]


def test_a_new_price_is_lit_for_half_a_second() -> None:
    shown = picture()
    shown.hear(trade("KRW-BTC", 10.0))
    shown.advance(101.0)
    assert quote(shown).flash == 0, "the first price is neither up nor down"
    for price, at, lit in ((11.0, 102.0, 1), (11.0, 102.2, 1), (9.0, 102.3, -1), (9.0, 102.9, 0)):
        shown.hear(trade("KRW-BTC", price))
        shown.advance(at)
        assert quote(shown).flash == lit, at
    shown.hear(trade("KRW-BTC", 10.0))
    shown.advance(103.0)
    shown.advance(103.4)
    assert quote(shown).flash == 1
    shown.advance(103.6)
    assert quote(shown).flash == 0


def test_the_trend_is_the_price_at_the_end_of_each_of_the_last_sixty_seconds() -> None:
    shown = picture()
    for price, at in ((1.0, 100.0), (2.0, 100.9), (3.0, 101.2), (5.0, 104.0)):
        shown.hear(trade("KRW-BTC", price))
        shown.advance(at)
    assert quote(shown).trend == (2.0, 3.0, 3.0, 3.0, 5.0)
    shown.advance(106.5)
    assert quote(shown).trend == (2.0, 3.0, 3.0, 3.0, 5.0, 5.0, 5.0)
    shown.advance(160.5)
    assert quote(shown).trend == (3.0,) * 3 + (5.0,) * 57
    shown.advance(100_000.0)
    assert quote(shown).trend == (5.0,) * 60


def test_a_look_costs_the_markets_not_the_messages() -> None:
    """Conflation: between two looks any number of events is one change of a quote."""
    shown = picture()
    shown.advance(100.1)
    before = shown.version
    for price in range(1, 50_001):
        shown.hear(trade("KRW-BTC", float(price)))
    assert (shown.version, quote(shown).price) == (before, None)
    shown.advance(100.2)
    assert (shown.version, quote(shown).price) == (before + 1, 50_000.0)
    assert [one.trade_price for one in quote(shown).trades] == [float(price) for price in range(49_801, 50_001)]


def test_the_ticker_says_the_price_then_the_last_trade_then_the_candle() -> None:
    """A trade may be told late; the ticker is the state."""
    shown = picture()
    shown.hear(CandleEvent(venue="upbit", symbol="KRW-BTC", trade_price=1.0))
    shown.advance(100.1)
    assert quote(shown).price == 1.0
    shown.hear(trade("KRW-BTC", 2.0))
    shown.advance(100.2)
    assert quote(shown).price == 2.0
    shown.hear(ticker("KRW-BTC", 3.0))
    shown.hear(trade("KRW-BTC", 4.0))
    shown.advance(100.3)
    assert quote(shown).price == 3.0


def test_exact_numbers_are_shown_like_floats_and_padding_of_a_thin_book_is_no_level() -> None:
    shown = picture()
    shown.hear(ticker("KRW-BTC", Decimal("1.5"), signed_change_rate=Decimal("0.1")))
    levels = [
        (Decimal(2), Decimal(1), Decimal("0.5"), Decimal("0.25")),
        (Decimal(0), Decimal(0), Decimal(0), Decimal(0)),
    ]
    shown.hear(book("KRW-BTC", *levels))
    shown.advance(100.1)
    one = quote(shown)
    assert (one.price, one.rate, one.bid, one.ask, len(one.units)) == (1.5, 0.1, 1.0, 2.0, 1)
    assert {type(value) for value in (one.price, one.rate, one.bid, one.ask, one.units[0].ask_size)} == {float}


def test_a_refused_market_is_marked_until_something_comes_of_it() -> None:
    shown = picture()
    shown.hear_step(status.Rejected(**FROM, name="X", message="no", subscriptions=(TRADES,)))
    shown.refuse(["KRW-ETH", "KRW-GONE"])
    assert [one.refused for one in shown.quotes] == [True, True]
    shown.hear(trade("KRW-BTC", 1.0))
    shown.advance(101.0)
    assert [one.refused for one in shown.quotes] == [False, True]


def test_a_market_is_stale_while_one_of_its_streams_is() -> None:
    shown = picture()

    def stale(kind: str, *, over: bool) -> bool:
        stream = Subscription(kind, "KRW-BTC")
        shown.hear_step(status.Stale(**FROM, subscription=stream, silent=9.0, limit=5.0, over=over))
        return quote(shown).stale

    assert [stale("trade", over=False), stale("ticker", over=False)] == [True, True]
    assert [stale("trade", over=True), stale("ticker", over=True)] == [True, False]
    shown.hear_step(status.Stale(**FROM, subscription=Subscription("trade", "KRW-OTHER"), silent=9.0, limit=5.0))
    assert quote(shown).stale is False


def test_steps_of_the_feed_and_events_of_no_market_are_news() -> None:
    shown = picture()
    shown.advance(101.5)
    shown.hear_step(status.Connected(**FROM, url="ws://x", reconnect=0))
    shown.hear(MyOrderEvent(venue="upbit", symbol="KRW-BTC", uuid="u", state="wait"))
    shown.hear(ticker("KRW-NEW", 1.0))
    shown.tell("yellow", "no names\x1b[2J")
    assert [(at, text.split()[0]) for at, (_, text) in shown.notes] == [
        (1.5, "upbit-1:"), (1.5, "KRW-BTC"), (1.5, "KRW-NEW"), (1.5, "no"),
    ]  # fmt: skip
    assert all(text.isprintable() for _, (_, text) in shown.notes)


def test_gaps_of_one_loss_are_one_line_that_comes_when_they_are_all_there() -> None:
    shown = picture()
    for state in ("full_state", "full_state", "nothing_missed"):
        shown.hear_step(status.Gap(**FROM, subscription=TRADES, cause="closed", state=state, from_ns=0))
    shown.advance(100.3)
    assert not shown.notes
    shown.advance(100.6)
    assert [text for _, (_, text) in shown.notes] == ["upbit-1: gaps (closed): 2 complete again, 1 missed nothing"]


def test_gaps_that_may_lack_messages_are_counted() -> None:
    shown = picture()
    states: tuple[status.GapState, ...] = ("open", "unfilled", "full_state", "nothing_missed", "unfilled")
    for state in states:
        shown.hear_step(status.Gap(**FROM, subscription=TRADES, cause="closed", state=state, from_ns=0))
    shown.observe(101.0, statistics(gaps=5))
    assert shown.figures.unfilled == 2


def test_names_of_the_markets() -> None:
    shown = picture()
    shown.name([Market("KRW-BTC", "BTC", "KRW", "Bitcoin", "비트코인"), Market("KRW-ETH", "ETH", "KRW", "Ethereum"),
                Market("KRW-OTHER", "OTHER", "KRW")])  # fmt: skip
    assert [one.name for one in shown.quotes] == ["비트코인", "Ethereum"]


def test_messages_a_second_are_counted_over_three_seconds() -> None:
    shown = picture()
    for second, total in enumerate((0, 100, 200, 900, 1600, 2300)):
        shown.observe(100.0 + second, statistics(total_processed=total))
    assert shown.figures.rate == pytest.approx(700.0)
    assert (shown.figures.total, shown.figures.p50, shown.figures.p99) == (2300, 53.2, 71.8)
    assert [(wire.name, wire.total, wire.rate) for wire in shown.figures.wires] == [("upbit-1", 1000, 0.0)]


def test_the_same_figures_again_are_nothing_new() -> None:
    shown = picture()
    shown.observe(100.0, statistics())
    shown.observe(101.0, statistics())
    before = shown.version
    shown.observe(102.0, statistics(latency_ms=None))
    assert shown.version == before + 1
    shown.observe(103.0, statistics(latency_ms=None))
    assert shown.version == before + 1
    assert (shown.figures.p50, shown.figures.p99) == (None, None)
