"""What makes a feed degraded or unhealthy, whose fault it is, and since when; a connection's score."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tapewire.model.health import HealthState, HealthStatus, Reason, utc
from tapewire.model.subscription import Subscription
from tapewire.session.actions import Now
from tapewire.session.health import (
    LAG_MEMORY,
    ConnectionFacts,
    Incident,
    filling,
    given_up,
    lasting,
    named,
    reasons_of,
    reasons_of_lines,
    score,
    verdict,
)

SECOND = 10**9
#: Monotonic seconds, and the wall clock in ns.
NOW = Now(5_000.0, 1_000_000 * SECOND)
TRADE, TICKER, BOOK = (Subscription(kind, "KRW-BTC") for kind in ("trade", "ticker", "orderbook"))
ORDERS = Subscription("myOrder", "")


def facts(**changes: object) -> ConnectionFacts:
    known: dict[str, object] = {
        "name": "upbit-1", "streams": (TRADE, TICKER), "watched": 2, "was_open": True, "last_data": NOW.t,
    }  # fmt: skip
    return ConnectionFacts(**known | changes)  # type: ignore[arg-type]


def told(connection: ConnectionFacts) -> list[tuple[str, str, int]]:
    return [(str(one.status), one.text, (NOW.ns - one.since_ns) // SECOND) for one in reasons_of(connection, NOW)]


def test_an_open_line_with_data_has_nothing_wrong() -> None:
    assert reasons_of(facts(), NOW) == []


def test_of_a_connection_that_nobody_wants_nothing_is_wrong() -> None:
    assert reasons_of(facts(streams=(), watched=0, down_since=NOW.t - 3600, failures=9), NOW) == []


@pytest.mark.parametrize(
    ("seconds", "failures", "was_open", "status"),
    [
        (4, 1, True, "degraded"),  # lost, the first retry is under way
        (5, 1, True, "degraded"),
        (6, 1, True, "unhealthy"),
        (1, 2, True, "unhealthy"),  # the first retry failed
        (4, 0, False, "degraded"),  # the first dial is under way
        (1, 1, False, "unhealthy"),  # it failed
        (6, 0, False, "unhealthy"),  # nobody answers it
    ],
)
def test_a_line_that_is_down_is_allowed_five_seconds_and_one_try(
    seconds: int, failures: int, was_open: bool, status: str
) -> None:
    down = facts(down_since=NOW.t - seconds, failures=failures, was_open=was_open, last_error="reset")
    [reason] = reasons_of(down, NOW)
    assert (str(reason.status), reason.connection, reason.subscriptions) == (status, "upbit-1", (TRADE, TICKER))
    assert (NOW.ns - reason.since_ns) // SECOND == seconds
    begins = "line down" if was_open else "no line yet"
    why = ": reset" if failures else ""
    assert reason.text == f"{begins}{why}; waiting: trade KRW-BTC, ticker KRW-BTC"


def sisters(one: dict[str, object], two: dict[str, object]) -> list[tuple[str, str, str]]:
    lines = [facts(**one), facts(name="upbit-2", **two)]
    return [(str(reason.status), reason.connection, reason.text) for reason in reasons_of_lines(lines, NOW)]


LONG_DOWN: dict[str, object] = {"down_since": NOW.t - 600, "failures": 9, "last_error": "reset"}


def test_of_two_lines_one_down_is_degraded_however_long_and_both_are_what_each_is() -> None:
    waiting = "line down: reset; waiting: trade KRW-BTC, ticker KRW-BTC"
    assert sisters({}, {}) == []
    assert sisters(LONG_DOWN, {}) == [("degraded", "upbit-1", f"{waiting}; carried by upbit-2")]
    assert sisters(LONG_DOWN, LONG_DOWN) == [("unhealthy", f"upbit-{number}", waiting) for number in (1, 2)]


def test_a_stream_is_silent_when_no_open_line_brings_it() -> None:
    silent: dict[str, object] = {"silent": {TRADE: NOW.t - 61}}
    words = "trade KRW-BTC: silent beyond its rhythm"
    assert sisters(silent, {}) == []
    assert sisters(silent, silent) == [("degraded", f"upbit-{number}", words) for number in (1, 2)]
    assert sisters(LONG_DOWN, silent)[1:] == [("degraded", "upbit-2", words)]
    assert sisters({"gaps": {TICKER: NOW.t - 3}}, silent) == []


def test_one_line_alone_is_judged_as_ever() -> None:
    down = facts(**LONG_DOWN)
    assert reasons_of_lines([down], NOW) == reasons_of(down, NOW)


def test_one_silent_stream_beside_one_with_data_is_degraded() -> None:
    assert told(facts(silent={TRADE: NOW.t - 61})) == [("degraded", "trade KRW-BTC: silent beyond its rhythm", 61)]


def test_a_book_with_a_hole_is_not_called_silent() -> None:
    silent = {BOOK: NOW.t - 1, TRADE: NOW.t - 61}
    assert told(facts(streams=(TRADE, TICKER, BOOK), watched=3, silent=silent, spoilt=frozenset({BOOK}))) == [
        ("degraded", "orderbook KRW-BTC: order book with a hole, fetched anew", 1),
        ("degraded", "trade KRW-BTC: silent beyond its rhythm", 61),
    ]


def test_a_feed_whose_every_stream_is_silent_is_dead() -> None:
    silent = {TRADE: NOW.t - 61, TICKER: NOW.t - 70}
    assert told(facts(silent=silent, last_data=NOW.t)) == [
        ("unhealthy", "trade KRW-BTC, ticker KRW-BTC: no data, although the line is alive", 70)
    ]


def test_a_feed_is_dead_when_nothing_came_since_the_first_stream_fell_silent() -> None:
    last = NOW.t - 61
    [reason] = reasons_of(facts(silent={TRADE: last}, last_data=last + 1), NOW)
    assert (reason.status, reason.subscriptions) == (HealthState.UNHEALTHY, (TRADE,))
    [reason] = reasons_of(facts(silent={TRADE: last}, last_data=last + 3), NOW)
    assert reason.status == HealthState.DEGRADED


def test_what_is_sent_only_when_something_happens_does_not_keep_a_dead_feed_alive() -> None:
    mixed = facts(streams=(TRADE, ORDERS), watched=1, silent={TRADE: NOW.t - 61})
    assert [status for status, _, _ in told(mixed)] == ["unhealthy"]


def test_an_open_gap_is_degraded_unless_the_silence_says_it_already() -> None:
    gaps = {TRADE: NOW.t - 9, TICKER: NOW.t - 7}
    assert told(facts(gaps=gaps)) == [
        ("degraded", "trade KRW-BTC, ticker KRW-BTC: no data yet since the line was lost", 9)
    ]
    assert told(facts(gaps=gaps, silent=dict(gaps)))[0][0] == "unhealthy"
    assert len(told(facts(gaps=gaps, silent=dict(gaps)))) == 1


def test_a_reason_names_three_streams_and_counts_the_rest() -> None:
    streams = [Subscription("trade", f"KRW-{letter}") for letter in "ABCDE"]
    assert named(streams) == "trade KRW-A, trade KRW-B, trade KRW-C and 2 more"
    assert named(streams[:3]) == "trade KRW-A, trade KRW-B, trade KRW-C"


def test_a_connection_that_gave_up_is_unhealthy_for_as_long_as_it_is_remembered() -> None:
    [reason] = given_up([Incident("upbit-1", "refused (403)", NOW.t - 1, NOW.t - 1, (TRADE,))], NOW)
    assert reason == Reason(HealthState.UNHEALTHY, "upbit-1", "gave up: refused (403)", NOW.ns - SECOND, (TRADE,))


def test_holes_that_are_being_filled_are_one_reason_for_each_connection() -> None:
    holes = [
        Incident("upbit-1", "reset", NOW.t - 5, NOW.t - 5, (TRADE,)),
        Incident("upbit-2", "reset", NOW.t - 9, NOW.t - 9, (ORDERS,)),
        Incident("upbit-1", "stale", NOW.t - 7, NOW.t - 7, (TRADE,)),
    ]
    what = "what was missed is being asked for by REST"
    assert filling(holes, NOW) == [
        Reason(HealthState.DEGRADED, "upbit-1", f"trade KRW-BTC: {what}", NOW.ns - 7 * SECOND, (TRADE,)),
        Reason(HealthState.DEGRADED, "upbit-2", f"myOrder: {what}", NOW.ns - 9 * SECOND, (ORDERS,)),
    ]
    assert filling([], NOW) == []


def test_an_incident_counts_for_its_time() -> None:
    recent = Incident("me:trade", "fell behind", NOW.t - 100, NOW.t - LAG_MEMORY)
    old = Incident("me:ticker", "fell behind", NOW.t - 100, NOW.t - LAG_MEMORY - 0.001)
    assert lasting([recent, old], NOW, LAG_MEMORY) == [
        Reason(HealthState.DEGRADED, "me:trade", "fell behind", NOW.ns - 100 * SECOND)
    ]


def test_the_worst_decides_and_stands_first() -> None:
    reasons = [
        Reason(HealthState.DEGRADED, "a", "x", 1),
        Reason(HealthState.UNHEALTHY, "b", "y", 3),
        Reason(HealthState.UNHEALTHY, "c", "z", 2),
    ]
    status, ordered = verdict(reasons)
    assert (status, [one.connection for one in ordered]) == (HealthState.UNHEALTHY, ["c", "b", "a"])
    assert verdict(reasons[:1])[0] == HealthState.DEGRADED
    assert verdict([]) == (HealthState.HEALTHY, ())


@pytest.mark.parametrize(
    ("is_down", "failures", "quiet", "expected"),
    [
        (False, 0, 0, 1.0),
        (False, 0, 60, 1.0),
        (False, 0, 90, 0.85),
        (False, 0, 120, 0.7),
        (False, 0, 86_400, 0.7),
        (False, 1, 0, 0.9),
        (False, 5, 0, 0.5),
        (False, 50, 0, 0.5),
        (False, 50, 86_400, 0.2),
        (True, 0, 0, 0.0),
    ],
)
def test_the_score_falls_by_errors_and_inactivity_as_the_guide_says(
    is_down: bool, failures: int, quiet: float, expected: float
) -> None:
    assert score(is_down=is_down, failures=failures, quiet_seconds=quiet) == expected


@given(st.booleans(), st.integers(0, 10**6), st.floats(0, 1e9))
def test_the_score_is_a_share(is_down: bool, failures: int, quiet: float) -> None:
    assert 0.0 <= score(is_down=is_down, failures=failures, quiet_seconds=quiet) <= 1.0


def test_health_is_told_in_words() -> None:
    reason = Reason(HealthState.DEGRADED, "upbit-1", "trade KRW-BTC: silent", NOW.ns)
    alone = Reason(HealthState.DEGRADED, "", "trade KRW-NO was refused", NOW.ns)
    moment = f"{utc(NOW.ns):%H:%M:%S}"
    assert str(reason) == f"upbit-1: trade KRW-BTC: silent (since {moment} UTC)"
    assert str(alone) == f"trade KRW-NO was refused (since {moment} UTC)"
    health = HealthStatus(
        status=HealthState.DEGRADED, reasons=(reason, alone), since_ns=NOW.ns, idle=False, uptime_seconds=1.0,
        total_messages_processed=2, connection_errors=0,
    )  # fmt: skip
    assert str(health) == f"degraded: {reason}; {alone}"
    assert (health.status, health.since, health.last_error_time) == ("degraded", reason.since, None)
    assert reason.since.isoformat() == "1970-01-12T13:46:40+00:00"


def test_a_line_that_is_down_is_degraded_as_long_as_rest_stands_in_for_all_of_it() -> None:
    polled = {TRADE: NOW.t - 90, TICKER: NOW.t - 100}
    down = {"down_since": NOW.t - 100, "failures": 5, "last_error": "refused (503)"}
    assert told(facts(**down, polled=polled)) == [
        ("degraded", "trade KRW-BTC, ticker KRW-BTC: polling: REST is asked in place of WebSocket (refused (503))", 100)
    ]
    assert [one[:2] for one in told(facts(**down, polled={TRADE: NOW.t - 90}))] == [
        ("degraded", "trade KRW-BTC: polling: REST is asked in place of WebSocket (refused (503))"),
        ("unhealthy", "line down: refused (503); waiting: ticker KRW-BTC"),
    ]


def test_where_rest_fails_too_it_is_unhealthy() -> None:
    polled = {TRADE: NOW.t - 90, TICKER: NOW.t - 100}
    connection = facts(down_since=NOW.t - 100, polled=polled, polling_fails={TICKER: "HTTP 500"})
    assert [one[:2] for one in told(connection)] == [
        ("degraded", "trade KRW-BTC: polling: REST is asked in place of WebSocket"),
        ("unhealthy", "ticker KRW-BTC: no WebSocket, and polling fails: HTTP 500"),
    ]


def test_a_silent_stream_that_is_polled_is_told_once() -> None:
    silent = {TRADE: NOW.t - 90, TICKER: NOW.t - 90}
    assert [one[:2] for one in told(facts(silent=silent, gaps=silent, polled=silent, last_data=NOW.t - 90))] == [
        ("degraded", "trade KRW-BTC, ticker KRW-BTC: polling: REST is asked in place of WebSocket")
    ]
