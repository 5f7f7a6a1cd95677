"""The way to the gateway, and how the feed's state is told: pure, with times handed in."""

from __future__ import annotations

import json
from typing import Any

import pytest

from tests.dashboard.conftest import Calculate


def test_delays_double_up_to_ten_seconds_and_chance_halves_them_at_most(calculated: Calculate) -> None:
    assert calculated("logic/link.js", "[1, 2, 3, 4, 5, 6, 50].map((n) => m.delay(n, 1))") == [
        500,
        1000,
        2000,
        4000,
        8000,
        10000,
        10000,
    ]
    assert calculated("logic/link.js", "[1, 6].map((n) => m.delay(n, 0))") == [250, 5000]


@pytest.mark.parametrize(
    ("steps", "told"),
    [
        ("", ["connecting", 0, None]),
        ("l.opened(0)", ["live", 0, None]),
        ("l.opened(0); l.tick(29999)", ["live", 0, None]),
        ("l.opened(0); l.tick(30000)", ["silent", 0, None]),
        ("l.opened(0); l.tick(30000); l.heard(31000)", ["live", 0, None]),
        ("l.lost(0, 1)", ["down", 1, 500]),
        ("l.lost(0, 1); l.lost(500, 1)", ["down", 2, 1500]),
        ("l.lost(0, 1); l.lost(500, 1); l.opened(1500); l.lost(2000, 1)", ["down", 3, 4000]),
        ("l.lost(0, 1); l.lost(500, 1); l.opened(1500); l.lost(11500, 1)", ["down", 1, 12000]),
        ("l.lost(0, 1); l.hurry(100)", ["down", 1, 100]),
        ("l.opened(0); l.hurry(100)", ["live", 0, None]),
    ],
)
def test_failures_are_forgotten_when_the_line_was_stable_and_not_before(
    calculated: Calculate, steps: str, told: list[Any]
) -> None:
    assert (
        calculated(
            "logic/link.js",
            f"(() => {{ const l = new m.Link(); {steps}; return [l.state, l.failures, l.retryAt]; }})()",
        )
        == told
    )


def test_the_banner_says_since_when_the_line_is_down_however_often_it_was_tried(calculated: Calculate) -> None:
    steps = "l.opened(5); l.lost(100, 1); l.lost(700, 1); l.lost(1800, 1)"
    assert calculated("logic/link.js", f"(() => {{ const l = new m.Link(); {steps}; return l.since; }})()") == 100


VENUES = json.dumps(
    [{"name": "upbit", "kinds": ["ticker", "trade", "announcement"]}, {"name": "okx", "kinds": ["ticker"]}]
)


def test_a_view_hears_all_tickers_and_one_markets_streams(calculated: Calculate) -> None:
    all_tickers = [{"venue": "upbit", "type": "ticker", "symbols": ["*"]}, {"venue": "upbit", "type": "announcement"},
                   {"venue": "okx", "type": "ticker", "symbols": ["*"]}]  # fmt: skip
    assert calculated("logic/wishes.js", f"m.wishesOf({VENUES}, null)") == all_tickers
    focus = "{ venue: 'upbit', symbol: 'KRW-BTC', unit: '1m' }"
    assert calculated("logic/wishes.js", f"m.wishesOf({VENUES}, {focus})") == [
        *all_tickers,
        {"venue": "upbit", "type": "trade", "symbols": ["KRW-BTC"]},
        {"venue": "upbit", "type": "orderbook", "symbols": ["KRW-BTC"]},
        {"venue": "upbit", "type": "candle", "symbols": ["KRW-BTC"], "unit": "1m"},
    ]


def test_only_differences_are_sent(calculated: Calculate) -> None:
    one, two, three = ({"venue": "upbit", "type": "trade", "symbols": [name]} for name in ("A", "B", "C"))
    before, after = json.dumps([one, two]), json.dumps([two, three])
    assert calculated("logic/wishes.js", f"m.difference({before}, {after})") == {
        "unsubscribe": [one],
        "subscribe": [three],
    }
    assert calculated("logic/wishes.js", f"m.difference({before}, {before})") is None
    assert calculated("logic/wishes.js", f"m.difference([], {before})") == {"subscribe": [one, two]}


def test_the_more_markets_the_rarer_the_states_of_each(calculated: Calculate) -> None:
    assert calculated("logic/wishes.js", "[0, 10, 150, 300, 600, 5000].map(m.intervalFor)") == [
        0.1,
        0.1,
        0.1,
        0.2,
        0.4,
        0.5,
    ]


def test_units_are_those_of_the_venue(calculated: Calculate) -> None:
    assert calculated("logic/wishes.js", "m.unitsOf({ candle_units: ['1H', '1m', '2Dutc', '1s'] })") == [
        "1s",
        "1m",
        "1H",
    ]
    assert calculated("logic/wishes.js", "m.unitsOf(undefined)") == []


def test_states_over_time_are_stretches_of_the_window(calculated: Calculate) -> None:
    told = [("connecting", 0), ("active", 100), ("active", 200), ("reconnecting", 500), ("active", 400)]
    marks = "; ".join(f"t.mark('{state}', {at})" for state, at in told)
    parts = calculated(
        "logic/timeline.js", f"(() => {{ const t = new m.Timeline(); {marks}; return t.parts(1100, 1000); }})()"
    )
    assert [(part["state"], part["from"], part["to"]) for part in parts] == [
        ("active", 0, 0.4), ("reconnecting", 0.4, 0.4), ("active", 0.4, 1.0),
    ]  # fmt: skip


def test_stretches_are_bounded(calculated: Calculate) -> None:
    marks = "for (let i = 0; i < 5000; i += 1) t.mark(i % 2 ? 'active' : 'reconnecting', i)"
    assert (
        calculated(
            "logic/timeline.js", f"(() => {{ const t = new m.Timeline(); {marks}; return t.stretches.length; }})()"
        )
        == 400
    )


@pytest.mark.parametrize(
    ("news", "state"),
    [
        ({"type": "connecting", "attempt": 1}, "connecting"),
        ({"type": "connecting", "attempt": 3}, "reconnecting"),
        ({"type": "connected"}, "subscribing"),
        ({"type": "subscribed"}, "active"),
        ({"type": "recovered"}, "active"),
        ({"type": "disconnected", "final": False}, "reconnecting"),
        ({"type": "disconnected", "final": True}, "disconnected"),
        ({"type": "lagged"}, None),
    ],
)
def test_the_feeds_events_say_the_state_of_their_connection(
    calculated: Calculate, news: dict[str, Any], state: str | None
) -> None:
    assert calculated("logic/timeline.js", f"m.stateAfter({json.dumps(news)})") == state


def test_latencies_fall_into_growing_buckets(calculated: Calculate) -> None:
    steps = "for (const ms of [-5, 0.5, 1, 1.2, 1.6, 1.7, 1e9]) h.add(ms)"
    told = calculated(
        "logic/histogram.js",
        f"(() => {{ const h = new m.Histogram(); {steps}; return [[...h.counts], h.total, h.below]; }})()",
    )
    assert told == [[3, 2, 1, *[0] * 16, 1], 7, 1]


def test_quantiles_are_bounds_of_buckets(calculated: Calculate) -> None:
    steps = "for (let i = 0; i < 99; i += 1) h.add(1.5); h.add(300)"
    told = calculated(
        "logic/histogram.js",
        f"(() => {{ const h = new m.Histogram(); {steps}; return [h.quantile(0.5), h.quantile(1)]; }})()",
    )
    assert [round(one, 1) for one in told] == [1.6, round(1.6**13, 1)]
    assert calculated("logic/histogram.js", "new m.Histogram().quantile(0.5)") is None


def test_the_histogram_forgets_slowly(calculated: Calculate) -> None:
    steps = "for (let i = 0; i < 200000; i += 1) h.add(1.5)"
    assert (
        calculated("logic/histogram.js", f"(() => {{ const h = new m.Histogram(); {steps}; return h.total; }})()")
        == 100_000
    )


def test_counts_become_rates_and_a_new_beginning_is_none(calculated: Calculate) -> None:
    steps = "r.tell(0, 100); r.tell(2000, 300); r.tell(3000, 300); r.tell(4000, 10); r.tell(5000, 60); r.tell(5000, 70)"
    told = calculated(
        "logic/rates.js", f"(() => {{ const r = new m.Rates(); {steps}; return [r.times, r.rates, r.newest]; }})()"
    )
    assert told == [[2, 3, 5], [100, 0, 50], 50]
    many = "for (let i = 0; i < 1000; i += 1) r.tell(i * 1000, i)"
    assert (
        calculated("logic/rates.js", f"(() => {{ const r = new m.Rates(); {many}; return r.times.length; }})()") == 300
    )


STREAM = {"kind": "candle", "symbol": "KRW-BTC", "unit": "1m", "depth": None}
TICKER = {"kind": "ticker", "symbol": "A"}


@pytest.mark.parametrize(
    ("news", "sentence", "tone"),
    [
        ({"type": "connecting", "attempt": 2}, "dialling, attempt 2", "plain"),
        ({"type": "connected"}, "connected", "good"),
        (
            {"type": "disconnected", "loss": {"cause": "aborted", "reason": "<b>"}},
            "connection lost: aborted <b>",
            "bad",
        ),
        (
            {"type": "subscribed", "subscriptions": [STREAM] * 5},
            "live: candle.1m KRW-BTC, candle.1m KRW-BTC, candle.1m KRW-BTC … (5)",
            "plain",
        ),
        (
            {"type": "recovered", "subscriptions": [STREAM], "seconds": 2.34},
            "recovered after 2.3 s: candle.1m KRW-BTC",
            "good",
        ),
        (
            {"type": "stale", "subscription": STREAM, "cause": "silent", "over": False},
            "not to be relied on: candle.1m KRW-BTC (silent)",
            "bad",
        ),
        (
            {"type": "stale", "subscription": STREAM, "cause": "silent", "over": True},
            "well again: candle.1m KRW-BTC",
            "good",
        ),
        ({"type": "rejected", "name": "NO_CODES", "message": "none"}, "refused: NO_CODES none", "bad"),
        ({"type": "lagged", "subscriber": "x", "dropped": 3}, "x fell behind, 3 dropped", "bad"),
        (
            {"type": "polling", "subscriptions": [STREAM], "over": False},
            "asking REST in place of candle.1m KRW-BTC",
            "bad",
        ),
        ({"type": "polling", "subscriptions": [STREAM], "over": True}, "no more REST for candle.1m KRW-BTC", "good"),
        ({"type": "taping"}, "taping", "plain"),
    ],
)
def test_news_are_sentences(calculated: Calculate, news: dict[str, Any], sentence: str, tone: str) -> None:
    story = calculated("logic/story.js", f"m.story({json.dumps(news)})")
    said = calculated("logic/words.js", f"m.say('en', {json.dumps(story['key'])}, {json.dumps(story['with'])})")
    assert (said, story["tone"]) == (sentence, tone)


def connection(venue: str, state: str, error_ns: int | None = None, subscriptions: int = 3) -> dict[str, Any]:
    return {"venue": venue, "state": state, "last_error_ns": error_ns, "subscriptions": subscriptions}


@pytest.mark.parametrize(
    ("connections", "venues"),
    [
        ([], []),
        ([connection("upbit", "active")], []),
        ([connection("upbit", "reconnecting", 5_000_000)], [{"venue": "upbit", "since": 5}]),
        ([connection("upbit", "reconnecting"), connection("upbit", "active")], []),
        ([connection("upbit", "disconnected", subscriptions=0)], []),
        ([connection("okx", "error"), connection("upbit", "active")], [{"venue": "okx", "since": None}]),
    ],
)
def test_a_venue_is_interrupted_when_none_of_its_lines_is_up(
    calculated: Calculate, connections: list[dict[str, Any]], venues: list[dict[str, Any]]
) -> None:
    assert calculated("logic/story.js", f"m.interrupted({json.dumps(connections)})") == venues
