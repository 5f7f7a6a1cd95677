"""Each rule of the alerts: facts with hand-moved time in, notices out."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest

from tapewire.errors import ConfigError
from tapewire.hub import alert_rules as rules
from tapewire.hub.alert_judges import shown
from tapewire.hub.alerting import Alerting, Fact
from tapewire.model import status
from tapewire.model.events import OrderbookEvent, TickerEvent, TradeEvent
from tapewire.model.line import Loss
from tapewire.model.subscription import Subscription

BTC, ETH = Subscription("trade", "KRW-BTC"), Subscription("trade", "KRW-ETH")
#: Without types, for what a program without them may hand in.
any_rules: Any = rules
any_alerting: Any = Alerting

HELD = " (1 more held back since the last notice)"
RESET = Loss("reset", 1006, "the connection broke")


def said(kind: type[status.FeedEvent], connection: str = "upbit-1", **facts: Any) -> status.FeedEvent:
    return kind(venue="upbit", connection=connection, at_ns=0, **facts)


def lost(loss: Loss = RESET, **facts: Any) -> status.FeedEvent:
    return said(status.Disconnected, **{"loss": loss, "attempt": 1, "retry_in": 1.0, **facts})


def connecting(connection: str = "upbit-1") -> status.FeedEvent:
    return said(status.Connecting, connection, url="ws://x", attempt=1)


def connected(reconnect: int = 1) -> status.FeedEvent:
    return said(status.Connected, url="ws://x", reconnect=reconnect)


def live(connection: str = "upbit-1") -> status.FeedEvent:
    return said(status.Subscribed, connection, subscriptions=(BTC,))


def ticker(price: Any, symbol: str = "KRW-BTC") -> TickerEvent:
    return TickerEvent(venue="upbit", symbol=symbol, trade_price=price)


def trade(symbol: str = "KRW-BTC", price: float = 1.0) -> TradeEvent:
    return TradeEvent(venue="upbit", symbol=symbol, trade_price=price)


class Bench:
    """Rules under a clock moved by hand: what they said, as (seconds, line)."""

    def __init__(self, *watched: rules.Rule, gather: float = 0.0) -> None:
        self.alerting = Alerting(watched, 0.0, gather)
        self.t = 0.0
        self.lines: list[tuple[float, str]] = []

    def at(self, t: float, *facts: Fact) -> Bench:
        """Let time pass to ``t``, deadline by deadline, then tell the facts."""
        while self.alerting.deadline is not None and self.alerting.deadline <= t:
            self.t = self.alerting.deadline
            self._keep(self.alerting.tick(self.t, int(self.t * 1e9)))
        self.t = t
        for fact in facts:
            self._keep(self.alerting.hear(fact, t, int(t * 1e9)))
        return self

    def _keep(self, notices: list[Any]) -> None:
        assert all(notice.at_ns == int(self.t * 1e9) for notice in notices)
        self.lines += [(self.t, notice.line) for notice in notices]


def test_down_is_told_after_its_seconds_and_over_when_streams_are_live_again() -> None:
    bench = Bench(rules.Down(10)).at(0, connecting()).at(1, connected(0)).at(3, live()).at(100, lost())
    bench.at(105, connecting(), lost(Loss("unreachable", None, "connection refused"))).at(111, connected())
    bench.at(112, live())
    assert bench.lines == [
        (110.0, "[critical] down: upbit-1 is down for 10 s: unreachable (connection refused)"),
        (112, "[over] down: upbit-1 is back after 12 s"),
    ]
    assert bench.at(500).alerting.deadline is None


def test_a_short_outage_is_not_told() -> None:
    assert (
        Bench(rules.Down(10)).at(0, lost()).at(9.9, said(status.Recovered, subscriptions=(), seconds=9.9)).at(100).lines
        == []
    )


def test_a_first_connection_that_never_comes_is_down() -> None:
    bench = Bench(rules.Down(5)).at(0, connecting()).at(2, connecting("upbit-2")).at(20)
    assert bench.lines == [
        (5.0, "[critical] down: upbit-1 is down for 5 s: no line yet"),
        (7.0, "[critical] down: upbit-2 is down for 5 s: no line yet"),
    ]


def test_who_gives_up_is_told_at_once_and_forgotten() -> None:
    bench = Bench(rules.Down(10)).at(0, lost()).at(1, lost(final=True, retry_in=None))
    bench.at(1, said(status.Stopped, reason="no more tries", error=True)).at(50)
    assert bench.lines == [(1, "[critical] down: upbit-1 gave up: no more tries")]


@pytest.mark.parametrize(
    "closing", [lost(Loss("stopped"), final=True, retry_in=None), said(status.Stopped, reason="stopped")]
)
def test_a_close_that_was_wished_for_is_no_outage_and_ends_one(closing: status.FeedEvent) -> None:
    assert Bench(rules.Down(10)).at(0, closing).at(50).lines == []
    bench = Bench(rules.Down(10)).at(0, lost()).at(12, closing).at(50)
    assert bench.lines[1:] == [(12, "[over] down: upbit-1 was closed, nobody wants it any more, after 12 s")]


def stale(*, over: bool = False, stream: Subscription = BTC) -> status.FeedEvent:
    return said(status.Stale, subscription=stream, silent=75.0, limit=60.0, over=over)


def test_stale_streams_and_their_return() -> None:
    bench = Bench(rules.StaleStream()).at(100, stale(), stale(stream=ETH)).at(120, stale(over=True))
    bench.at(130, connected(), said(status.Stopped, "upbit-2", reason="stopped")).at(
        140, said(status.Stopped, reason="stopped")
    ).at(500)
    assert bench.lines == [
        (100, "[warning] stale: trade KRW-BTC is silent for 1 min 15 s (its limit is 1 min)"),
        (100, "[warning] stale: trade KRW-ETH is silent for 1 min 15 s (its limit is 1 min)"),
        (120, "[over] stale: trade KRW-BTC has data again after 1 min 15 s"),
        (140, "[over] stale: trade KRW-ETH ended with upbit-1"),
    ]


def test_a_spoilt_book_is_a_stale_stream() -> None:
    bench = Bench(rules.StaleStream()).at(
        100, said(status.Stale, subscription=BTC, silent=0.0, limit=0.0, cause="sequence")
    )
    assert bench.lines == [(100, "[warning] stale: trade KRW-BTC: its order book misses a change and is fetched anew")]


def gap(state: status.GapState, stream: Subscription = BTC, **ids: Any) -> status.FeedEvent:
    return said(status.Gap, subscription=stream, cause="reset", state=state, from_ns=0, **ids)


def test_gaps_that_are_not_filled_are_told_within_their_limit() -> None:
    bench = Bench(rules.UnfilledGap(every=30))
    bench.at(0, gap("full_state"), gap("nothing_missed"), gap("open"), connected())
    bench.at(1, gap("unfilled", last_id=5, first_id=9)).at(2, gap("unfilled")).at(3, gap("unfilled")).at(50)
    assert bench.lines == [
        (1, "[warning] gap: messages of trade KRW-BTC between 5 and 9 may be missing"),
        (
            31.0,
            "[warning] gap: messages of trade KRW-BTC of unknown number may be missing" + HELD,
        ),
    ]
    assert bench.alerting.counts() == {"gap": (2, 1)}


def test_a_loss_of_many_streams_rings_twice_not_fifty_times() -> None:
    streams = [Subscription("trade", f"KRW-{n}") for n in range(50)]
    bench = Bench(rules.UnfilledGap(), gather=1.0).at(1, *(gap("unfilled", stream) for stream in streams))
    assert len(bench.lines) == 1
    assert bench.alerting.deadline == 2
    bench.alerting.hear(gap("unfilled"), 1.5, 0)
    [told] = bench.alerting.tick(2.0, 0)
    assert (len(told.subjects), told.others) == (50, 0)
    assert told.text.endswith("likewise trade KRW-2, trade KRW-3, trade KRW-4, trade KRW-5, trade KRW-6 and 44 others")
    bench.alerting.hear(gap("unfilled", ETH), 2.5, 0)
    assert [one.subjects for one in bench.alerting.flush()] == [("trade KRW-ETH",)]


def test_drops_refusals_and_failing_callbacks() -> None:
    lagged = said(status.Lagged, subscriber="me:trade", rule="drop_oldest", dropped=7, total_dropped=1007, size=1000)
    refused = said(status.Rejected, name="NO_CODES", message="no codes", subscriptions=(BTC, ETH))
    general = said(status.Rejected, name="WRONG_FORMAT", message="what?")
    failed = said(status.CallbackFailed, subscriber="me:ticker", error="ZeroDivisionError()", traceback="…")
    bench = Bench(
        rules.Drops(5), rules.Drops(8, name="many"), rules.Refusal(severity="critical"), rules.FailingCallback()
    )
    bench.at(1, lagged, refused, general, failed)
    assert [line for _, line in bench.lines] == [
        "[warning] drops: me:trade fell behind: 7 events were dropped, 1,007 so far (drop_oldest, size 1,000)",
        "[critical] rejected: trade KRW-BTC was refused: NO_CODES: no codes",
        "[critical] rejected: trade KRW-ETH was refused: NO_CODES: no codes",
        "[critical] rejected: upbit-1 was refused: WRONG_FORMAT: what?",
        "[warning] callback: callback of me:ticker raised ZeroDivisionError()",
    ]


def test_latency_above_its_limit_and_back() -> None:
    bench = Bench(rules.HighLatency(500), rules.HighLatency(5000, name="worst", percentile="max"))
    assert bench.alerting.needs_latency
    for t, p90 in ((5, 400.0), (10, 501.0), (15, 900.0), (20, 500.0)):
        bench.at(t, rules.Latencies("upbit", 20.0, p90, 1000.0, 2000.0), connected())
    assert bench.lines == [
        (10, "[warning] latency: latency of upbit (p90) is 501 ms, the limit is 500 ms"),
        (20, "[over] latency: latency of upbit (p90) is 500 ms, the limit is 500 ms"),
    ]


def quarantined(connection: str = "upbit-1") -> status.FeedEvent:
    return said(status.Quarantined, connection, reason="no JSON", payload=b"x", count=1)


def test_frames_that_cannot_be_read_come_too_often_and_then_no_more() -> None:
    bench = Bench(rules.BadFrames(3, 60)).at(0, quarantined()).at(61, quarantined()).at(70, quarantined(), connected(0))
    bench.at(80, quarantined()).at(100, quarantined()).at(300)
    assert bench.lines == [
        (80, "[warning] quarantine: upbit-1: 3 frames that could not be read within 19 s"),
        (130.0, "[over] quarantine: upbit-1: fewer than 3 frames that could not be read within 1 min again"),
    ]


def test_a_storm_of_reconnects_is_told_for_its_connection() -> None:
    bench = Bench(rules.ReconnectStorm(3, 100)).at(0, connected(0))
    for n in range(1, 4):
        bench.at(n * 10, connected(n), said(status.Connected, "upbit-2", url="ws://x", reconnect=0))
    bench.at(40, said(status.Stopped, reason="stopped"), said(status.Stopped, "upbit-2", reason="stopped"))
    assert bench.lines == [
        (30, "[warning] reconnects: upbit-1: 3 reconnects within 20 s"),
        (40, "[over] reconnects: upbit-1 ended"),
    ]


def test_a_price_above_its_bound_is_told_once_and_when_it_is_over() -> None:
    bench = Bench(rules.Price("KRW-BTC", above=50_000_000))
    for t, price in enumerate((None, 50_000_000.0, 50_000_001.0, 51_000_000.5, Decimal(50_000_000))):
        bench.at(t, ticker(price), ticker(60_000_000.0, "KRW-ETH"), trade(price=60_000_000.0))
    assert bench.lines == [
        (2, "[info] price: KRW-BTC is above 50,000,000: 50,000,001"),
        (4, "[over] price: KRW-BTC is no longer above 50,000,000: 50,000,000"),
    ]


def test_a_price_below_must_come_back_by_its_margin() -> None:
    bench = Bench(rules.Price("KRW-BTC", below=5, margin=1, name="cheap", severity="critical", of="trade"))
    for t, price in enumerate((6.0, 4.0, 5.5, 6.0, 7.0)):
        bench.at(t, trade(price=price))
    bench.at(500)
    assert bench.lines == [
        (1, "[critical] cheap: KRW-BTC is below 5: 4"),
        (3, "[over] cheap: KRW-BTC is no longer below 5: 6"),
    ]


def test_a_price_crosses_in_both_directions() -> None:
    bench = Bench(rules.Price("KRW-BTC", crosses=100, every=0))
    for t, price in enumerate((99.0, 100.0, 101.0, 102.0, 100.0, 99.5, None)):
        bench.at(t, ticker(price))
    assert bench.lines == [
        (2, "[info] price: KRW-BTC crossed 100 upwards: 101"),
        (5, "[info] price: KRW-BTC crossed 100 downwards: 99.5"),
    ]


def test_silence_is_counted_from_the_start_and_from_the_last_data() -> None:
    bench = Bench(rules.Silence(("KRW-BTC", "KRW-ETH"), 30)).at(20, trade("KRW-ETH"), trade("KRW-ETH"))
    bench.at(45, trade()).at(70, lost())
    assert bench.lines == [
        (30.0, "[warning] silence: trade KRW-BTC is silent for 30 s"),
        (45, "[over] silence: trade KRW-BTC has data again after 45 s"),
        (50.0, "[warning] silence: trade KRW-ETH is silent for 30 s"),
    ]


def test_what_was_due_before_a_fact_is_told_before_it() -> None:
    alerting = Alerting([rules.Silence("KRW-BTC", 30, of="orderbook")], 0.0, 0.0)
    book = OrderbookEvent(venue="upbit", symbol="KRW-BTC")
    assert [notice.over for notice in alerting.hear(book, 31.0, 0)] == [False, True]


def test_the_data_that_rules_need_is_named_once() -> None:
    alerting = Alerting(
        [
            rules.Price("KRW-BTC", above=1.0),
            rules.Price("KRW-BTC", below=0.5),
            rules.Silence(["KRW-BTC", "KRW-BTC"]),
            rules.Down(),
        ],
        0.0,
    )
    assert alerting.streams == (Subscription("ticker", "KRW-BTC"), BTC)
    assert not alerting.needs_latency


def test_rules_of_one_name_are_counted_together() -> None:
    bench = Bench(rules.UnfilledGap(name="x"), rules.FailingCallback(name="x")).at(0, gap("unfilled"))
    assert bench.alerting.counts() == {"x": (1, 0)}


@pytest.mark.parametrize(
    ("make", "words"),
    [
        (lambda: any_rules.Down(0), "seconds is 0; it must be more than 0"),
        (lambda: any_rules.Down(True), "seconds is True; it must be a number, more than 0"),
        (lambda: any_rules.Down(float("nan")), "seconds is nan; it must be a number"),
        (lambda: any_rules.Down("10"), "seconds is '10'; it must be a number"),
        (lambda: any_rules.Down(every=-1), "every is -1; it must be 0 or more"),
        (lambda: any_rules.Down(severity="bad"), "severity is 'bad'; it must be \"info\" or"),
        (lambda: any_rules.Drops(0), "at_least is 0; it must be more than 0"),
        (lambda: any_rules.BadFrames(0), "count is 0; it must be a whole number from 1 to 100,000"),
        (lambda: any_rules.ReconnectStorm(5, -1), "seconds is -1; it must be more than 0"),
        (lambda: any_rules.HighLatency("x"), "above_ms is 'x'; it must be a number"),
        (lambda: any_rules.HighLatency(1, percentile="p42"), "percentile is 'p42'; it must be"),
        (lambda: any_rules.Price("KRW-BTC"), "price is None; it must be exactly one of above, below, crosses"),
        (lambda: any_rules.Price("KRW-BTC", above=1, below=2), "exactly one of above, below, crosses"),
        (lambda: any_rules.Price("", above=1), r"symbols is \(''.*it must be market codes such as KRW-BTC"),
        (lambda: any_rules.Price("KRW-BTC", above=1, margin=-1), "margin is -1; it must be 0 or more"),
        (lambda: any_rules.Price("KRW-BTC", above=1, of="book"), "of is 'book'; it must be"),
        (lambda: any_rules.Silence(()), r"symbols is \(\); it must be market codes"),
        (lambda: any_rules.Silence("KRW-BTC", of="candle"), "of is 'candle'; it must be"),
        (lambda: Alerting([], 0.0), r"rules is \[\]; it must be a list of rules such as tapewire.alerts.Down"),
        (lambda: any_alerting(["down"], 0.0), r"rules is \['down'\]; it must be a list of rules"),
        (lambda: Alerting([rules.Down()], 0.0, -1), "gather is -1; it must be 0 or more"),
    ],
)  # fmt: skip
def test_a_wrong_rule_is_refused_with_what_would_be_right(make: Any, words: str) -> None:
    with pytest.raises(ConfigError, match=words):
        make()


def test_bare_rules_say_what_they_lack() -> None:
    with pytest.raises(NotImplementedError):
        rules.Rule().judge(0.0)
    with pytest.raises(NotImplementedError):
        rules.Momentary().signs(None)


@pytest.mark.parametrize(
    ("price", "text"), [(50_000_000.0, "50,000,000"), (0.00012, "0.00012"), (Decimal("1.50"), "1.5"), (7, "7")]
)
def test_prices_are_shown_without_needless_zeros(price: Any, text: str) -> None:
    assert shown(price) == text


def test_every_rule_has_a_type_for_settings() -> None:
    assert set(rules.RULES) == {
        "down", "stale", "gap", "drops", "quarantine", "latency", "rejected", "reconnects", "callback", "price",
        "silence",
    }  # fmt: skip
