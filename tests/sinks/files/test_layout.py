"""Which file an event goes to, when a file is over, and which may go: decisions without a disk (H7, S10)."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tapewire.errors import ConfigError
from tapewire.model.event import KST
from tapewire.model.events import CandleEvent, Event, TradeEvent
from tapewire.sinks.files.layout import (
    COLUMNS,
    FRAMES,
    LINES,
    NEVER,
    PART,
    SEGMENT,
    Found,
    Kept,
    Layout,
    Place,
    fitting,
    parse,
    parse_stream,
    to_remove,
)
from tapewire.sinks.files.names import code_folder, kind_folder
from tapewire.sinks.files.options import RecordOptions
from tests.sizes import NIGHTLY, size

pytestmark = pytest.mark.timeout(600 if NIGHTLY else 60)

SECOND = 10**9
#: 21 November 2026, 23:30 UTC: the 22nd in Korea.
AT = 1_795_303_800 * SECOND
CODES = st.text(st.characters(), max_size=40) | st.text("./\\%_~:CONAUXcon-0127\x00 ", max_size=12)
KINDS = st.sampled_from(["trade", "orderbook", "candle.1m", "myOrder", "myorder", "indicator_signal", "fundingRate"])
SPANS = st.none() | st.integers(1, 86_400) | st.integers(1, 30).map(lambda days: days * 86_400)


def path_of(event: Event, at_ns: int = AT, number: int = 1, suffix: str = LINES, **options: Any) -> str:
    layout = Layout(RecordOptions(**options))
    return layout.path(place_of(layout, event), layout.slot(at_ns).label, number, suffix)


def place_of(layout: Layout, event: Event) -> Place:
    unit = event.unit if isinstance(event, CandleEvent) else None
    return layout.place(event.venue, event.kind, event.symbol, unit)


TRADE = TradeEvent(venue="upbit", symbol="KRW-BTC")
CANDLE = CandleEvent(venue="upbit", symbol="KRW-BTC", unit="1m")


@pytest.mark.parametrize(
    ("event", "options", "path"),
    [
        (TRADE, {}, "KRW-BTC_trade.jsonl"),
        (CANDLE, {}, "KRW-BTC_candle.1m.jsonl"),
        (TRADE, {"rotate_every": 86_400}, "KRW-BTC_trade-2026-11-21.jsonl"),
        (TRADE, {"rotate_every": 86_400, "zone": "KST"}, "KRW-BTC_trade-2026-11-22.jsonl"),
        (TRADE, {"rotate_every": 3600, "zone": "KST"}, "KRW-BTC_trade-2026-11-22T08.jsonl"),
        (TRADE, {"rotate_every": 900}, "KRW-BTC_trade-2026-11-21T2330.jsonl"),
        (TRADE, {"rotate_every": 10, "number": 7}, "KRW-BTC_trade-2026-11-21T233000-7.jsonl"),
        (TRADE, {"number": 2, "suffix": FRAMES}, "KRW-BTC_trade-2.jsonl.zst"),
        (TRADE, {"layout": "dated"}, "upbit/trade/KRW-BTC/date=2026-11-21/23.jsonl"),
        (TRADE, {"layout": "dated", "zone": "KST", "number": 3}, "upbit/trade/KRW-BTC/date=2026-11-22/08-3.jsonl"),
        (TRADE, {"layout": "dated", "suffix": COLUMNS}, "upbit/trade/KRW-BTC/date=2026-11-21/23.parquet"),
        (CANDLE, {"layout": "dated"}, "upbit/candle/KRW-BTC/date=2026-11-21/23.jsonl"),
        (TradeEvent(venue="upbit", symbol=""), {}, "misc.jsonl"),
        (TradeEvent(venue="upbit", symbol=""), {"layout": "dated"}, "upbit/trade/all/date=2026-11-21/23.jsonl"),
        (TradeEvent(venue="upbit", symbol="A" * 300), {"layout": "dated"}, "upbit/misc/all/date=2026-11-21/23.jsonl"),
        (TradeEvent(venue="..", symbol="../x"), {"layout": "dated"},
         "%2E%2E/trade/%2E%2E%2F%78/date=2026-11-21/23.jsonl"),
    ],
)  # fmt: skip
def test_an_event_goes_to_exactly_this_file(event: Event, options: dict[str, Any], path: str) -> None:
    assert path_of(event, **options) == path


@settings(max_examples=size(400, 10_000), deadline=None)
@given(code=CODES, kind=KINDS, number=st.integers(1, 10**7 - 1), at_ns=st.integers(-(2**63), 2**63 - 1),
       suffix=st.sampled_from([LINES, FRAMES, COLUMNS, SEGMENT, PART]), every=SPANS, korean=st.booleans(),
       dated=st.booleans())  # fmt: skip
def test_every_path_is_inside_reversible_and_ours_alone(
    *, code: str, kind: str, number: int, at_ns: int, suffix: str, every: int | None, korean: bool, dated: bool
) -> None:
    """H7: whatever a server sends as a code or a time."""
    options = RecordOptions(
        layout="dated" if dated else "flat", rotate_every=min(every or 3600, 3600) if dated else every,
        zone="KST" if korean else "UTC",
    )  # fmt: skip
    layout = Layout(options)
    word, _, unit = kind.partition(".")
    place = layout.place("upbit", word, code, unit or None)
    label = layout.slot(at_ns).label
    path = layout.path(place, label, number, suffix)
    assert parse(path) == Found(place, label, number, suffix)
    assert (Path("/recording") / path).resolve().is_relative_to("/recording")
    assert path.count("/") == (4 if dated else 0)
    assert all(0 < len(part.encode()) <= 255 for part in path.split("/"))
    assert path.isascii()
    assert not set(path) & set('\\:*?"<>|\x00 ')


@settings(max_examples=size(400, 10_000), deadline=None)
@given(one=CODES, other=CODES)
def test_two_codes_never_share_a_folder_even_on_a_disk_that_ignores_case(one: str, other: str) -> None:
    first, second = code_folder(one), code_folder(other)
    if first is not None and second is not None:
        assert (first.lower() == second.lower()) == (one == other)


def test_words_of_mixed_case_are_readable_and_have_no_twin() -> None:
    names = [kind_folder(kind) for kind in ("myOrder", "myorder", "fundingRate", "fundingrate", "trade")]
    assert names == ["myOrder", "%6Dyorder", "fundingRate", "%66undingrate", "trade"]


@pytest.mark.parametrize(
    "path",
    [
        "KRW-BTC_trade.txt", "notes.jsonl", "KRW-BTC_trade-1.jsonl", "KRW-BTC_trade-02.jsonl", "misc_trade.jsonl",
        "KRW-BTC_trade-2026-11.jsonl", "upbit/trade/KRW-BTC/date=2026-11-21/9.jsonl", "../KRW-BTC_trade.jsonl",
        "upbit/trade/KRW-BTC/2026-11-21/09.jsonl", "a/upbit/trade/KRW-BTC/date=2026-11-21/09.jsonl",
        "upbit/trade/krw-btc/date=2026-11-21/09.jsonl", "upbit/trade/%ZZ/date=2026-11-21/09.jsonl",
        "upbit/trade/KRW-BTC/date=2026-11-21/09-0a1b2c3d4e.parquet", "converted.json", "KRW-BTC_misc.jsonl",
        "upbit/trade/%FF/date=2026-11-21/09.jsonl", ".jsonl", "-2.jsonl",
    ],
)  # fmt: skip
def test_other_files_are_not_taken_for_ours(path: str) -> None:
    assert parse(path) is None


def test_the_names_in_figures_are_read_back() -> None:
    for dated in (False, True):
        layout = Layout(RecordOptions(layout="dated" if dated else "flat"))
        assert parse_stream(layout.name(place_of(layout, TRADE))) == place_of(layout, TRADE)
        assert parse_stream(layout.name(layout.misc("upbit"))) is None


@settings(max_examples=size(300, 10_000), deadline=None)
@given(every=SPANS, seconds=st.integers(0, 9_000_000_000), korean=st.booleans(), dated=st.booleans())
def test_each_moment_is_in_one_slot_and_slots_meet(
    every: int | None, seconds: int, *, korean: bool, dated: bool
) -> None:
    span = min(every or 3600, 3600) if dated else every
    options = RecordOptions(layout="dated" if dated else "flat", rotate_every=span, zone="KST" if korean else "UTC")
    layout, at_ns = Layout(options), seconds * SECOND + 7
    slot = layout.slot(at_ns)
    assert slot.begin_ns <= at_ns < slot.end_ns
    if slot.end_ns == NEVER:
        assert span is None
        return
    assert layout.slot(slot.begin_ns) == slot == layout.slot(slot.end_ns - 1)
    assert layout.slot(slot.end_ns).begin_ns == slot.end_ns
    midnight = datetime.fromtimestamp(slot.begin_ns / SECOND, KST if korean else UTC)
    if span is not None and span % 86_400 == 0:
        assert midnight.time().isoformat() == "00:00:00"


def test_days_of_korea_begin_at_three_in_the_afternoon_of_utc() -> None:
    slot = Layout(RecordOptions(rotate_every=86_400, zone="KST")).slot(AT)
    begin = datetime.fromtimestamp(slot.begin_ns / SECOND, UTC)
    assert (begin.isoformat(), slot.end_ns - slot.begin_ns) == ("2026-11-21T15:00:00+00:00", 86_400 * SECOND)


@pytest.mark.parametrize(
    ("options", "count", "bytes_there", "fit"),
    [
        ({}, 10**9, 10**12, 4),
        ({"rotate_count": 3}, 0, 0, 3),
        ({"rotate_count": 3}, 2, 50, 1),
        ({"rotate_count": 3}, 3, 50, 0),
        ({"rotate_size": 30}, 0, 0, 3),
        ({"rotate_size": 30}, 1, 10, 2),
        ({"rotate_size": 30}, 3, 30, 0),
        ({"rotate_size": 5}, 0, 0, 1),
        ({"rotate_size": 30, "rotate_count": 1}, 0, 0, 1),
        ({"rotate_size": 30, "compress": "zstd"}, 0, 29, 4),
        ({"rotate_size": 30, "compress": "zstd"}, 9, 30, 0),
    ],
)
def test_how_many_lines_a_file_still_takes(options: dict[str, Any], count: int, bytes_there: int, fit: int) -> None:
    assert fitting(RecordOptions(**options), [b"x" * 9] * 4, count, bytes_there) == fit


FILES = st.lists(st.tuples(st.integers(0, 1000), st.integers(0, 10 * 86_400)), max_size=20)


@settings(max_examples=size(300, 10_000), deadline=None)
@given(FILES, st.none() | st.integers(1, 5000), st.none() | st.integers(1, 9), st.sets(st.integers(0, 19), max_size=3))
def test_what_goes_is_the_oldest_and_never_what_is_being_written(
    sizes: list[tuple[int, int]], keep_bytes: int | None, keep_days: int | None, busy: set[int]
) -> None:
    now = 20 * 86_400 * SECOND
    files = [Kept(str(index), size, now - age * SECOND) for index, (size, age) in enumerate(sizes)]
    writing = {str(index) for index in busy}
    options = RecordOptions(keep_bytes=keep_bytes, keep_days=keep_days)
    gone = to_remove(files, options, now, writing)
    names = {file.path for file, _ in gone}
    assert not names & writing
    stay = [file for file in files if file.path not in names]
    free = [file for file in stay if file.path not in writing]
    if keep_bytes is not None and free:
        assert sum(file.size for file in stay) <= keep_bytes
    if keep_days is not None:
        assert all(file.written_ns >= now - keep_days * 86_400 * SECOND for file in free)
    if gone and free:
        assert max(file.written_ns for file, _ in gone) <= min(file.written_ns for file in free)
    if keep_bytes is None and keep_days is None:
        assert not gone
    for file, because in gone:
        assert because == ("keep_bytes" if keep_days is None else because)
        if because == "keep_bytes":
            newer = [one for one in files if (one.written_ns, one.path) >= (file.written_ns, file.path)]
            held = sum(one.size for one in files if one.path in writing and one not in newer)
            assert sum(one.size for one in newer) + held > (keep_bytes or 0)


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"layout": "tree"}, 'layout is \'tree\'; it must be "flat" or "dated"'),
        ({"compress": "gzip"}, 'it must be "none" or "zstd"'),
        ({"keep_days": 0}, "keep_days is 0; it must be more than 0"),
        ({"rotate_size": -1}, "more than 0"),
        ({"rotate_count": True}, "more than 0"),
        ({"fsync_every": float("inf")}, "more than 0"),
        ({"rotate_every": 0.5}, "1 second or more"),
        ({"rotate_every": 90_000}, "whole days if it is more than one"),
        ({"layout": "dated", "rotate_every": 7200}, "3600 or less in the dated layout"),
    ],
)
def test_impossible_options_are_refused(options: dict[str, Any], words: str) -> None:
    with pytest.raises(ConfigError, match=words):
        RecordOptions(**options)


def test_a_span_of_days_is_the_same_wherever_it_is_looked_at() -> None:
    layout = Layout(RecordOptions(rotate_every=7 * 86_400))
    first = layout.slot(AT)
    days = [layout.slot(AT + int(timedelta(days=day).total_seconds()) * SECOND) for day in range(7)]
    assert len(set(days)) == 2
    assert first in days


def test_a_place_is_what_its_name_says() -> None:
    assert parse("upbit/trade/KRW-BTC/date=2026-11-21/09.segment") == Found(
        Place("upbit", "trade", "KRW-BTC"), "2026-11-21T09", 1, SEGMENT
    )
