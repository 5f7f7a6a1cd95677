"""Numbers in columns and texts in cells."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.cells import cell_len

from tapewire.apps.cli.view.cells import bar, beside, block, filled, fit, folded, rule, width_of
from tapewire.apps.cli.view.figures import (
    clock,
    decimals_of,
    milliseconds,
    number,
    percent,
    scaled,
    size_decimals,
    span,
    sparkline,
)
from tapewire.model.events import KST


@given(st.text(alphabet="abc한글비트 ▁█…", max_size=30), st.integers(0, 40), st.booleans())
def test_a_text_fits_into_exactly_so_many_cells_korean_or_not(text: str, width: int, right: bool) -> None:
    assert cell_len(fit(text, width, right=right)) == width
    assert sum(width_of(part) for part, _ in filled([(text, ""), (text, "dim")], width)) == width


def test_what_is_too_long_ends_with_an_ellipsis_and_numbers_lean_right() -> None:
    assert fit("비트코인", 8) == "비트코인"
    assert fit("비트코인", 6) == "비트 …"
    assert fit("KRW-BTC", 4) == "KRW…"
    assert fit("12", 5, right=True) == "   12"
    assert filled([("ab", "x"), ("cdef", "y"), ("gh", "z")], 4) == [("ab", "x"), ("c…", "y")]
    assert filled([("ab", "x"), ("cd", "y"), ("gh", "z")], 4) == [("ab", "x"), ("c…", "y")]


@given(st.integers(0, 60))
def test_a_title_is_as_wide_as_its_panel(width: int) -> None:
    assert sum(width_of(text) for text, _ in rule("KRW-BTC 비트코인", width)) == width


def test_blocks_have_their_size() -> None:
    left = block([[("ab", "")]], 3, 2)
    assert left == [[("ab", ""), (" ", "")], [("   ", "")]]
    assert ["".join(text for text, _ in line) for line in beside(left, left)] == ["ab  │ ab ", "    │    "]
    assert block([[("a", "")]] * 5, 1, 2) == [[("a", "")]] * 2


@given(st.floats(0, 1), st.integers(0, 50))
def test_a_bar_is_as_long_as_its_share(share: float, width: int) -> None:
    drawn = bar(share, width)
    assert len(drawn) == width
    cells = drawn.count("█") + sum("▏▎▍▌▋▊▉".index(c) + 1 for c in drawn if c in "▏▎▍▌▋▊▉") / 8
    least = 1 / 8 if share > 0 and width else 0
    assert cells == pytest.approx(max(share * width, least), abs=1 / 16 + 1e-9)


def test_bars() -> None:
    assert bar(0.5, 4) == "██  "
    assert bar(1e-9, 4) == "▏   "
    assert bar(0.0, 3) == "   "
    assert bar(1.0, 0) == ""


@pytest.mark.parametrize(
    ("prices", "places"),
    [((143_500_000.0, 143_510_000.0), 0), ((98.0, 98.5), 1), ((0.00820, 0.00821), 5), ((2e-8,), 8), ((), 0)],
)
def test_prices_have_the_places_that_their_tick_needs(prices: tuple[float, ...], places: int) -> None:
    assert decimals_of(prices) == places


def test_numbers() -> None:
    assert number(1234.5, 2) == "1,234.50"
    assert number(None, 2) == "–"
    assert [percent(share) for share in (0.0123, -0.2, 0.0, None)] == ["+1.23%", "-20.00%", "+0.00%", "–"]


@pytest.mark.parametrize(
    ("value", "shown"),
    [(None, "– "), (0.0, "0.00 "), (12.0, "12.00 "), (999.999, "1.00K"), (1234.5, "1.23K"), (1.43e12, "1.43T"),
     (999_999.9, "1.00M"), (-2500.0, "-2.50K"), (0.00012, "0.00012 "), (5e15, "5,000.00T")],
)  # fmt: skip
def test_volumes_have_two_places_and_a_place_for_the_magnitude(value: float | None, shown: str) -> None:
    assert scaled(value) == shown


def test_sizes_have_fewer_places_where_they_are_large() -> None:
    assert [size_decimals([size]) for size in (0.5, 10.0, 1_000.0, 250_000.0)] == [8, 4, 2, 0]
    assert size_decimals([]) == 8


def test_spans_and_times() -> None:
    assert [span(seconds) for seconds in (None, 0.4, 59.9, 60.0, 7300.0, 200_000.0)] == [
        "–",
        "0s",
        "59s",
        "1m",
        "2h",
        "2d",
    ]
    assert [milliseconds(ms) for ms in (None, 53.4, 999.0, 1234.0)] == ["–", "53 ms", "999 ms", "1.2 s"]
    assert clock(1_700_000_000_042, KST) == "07:13:20.042"
    assert clock(None, KST) == "–"


def test_a_sparkline_shows_the_course_newest_at_the_right() -> None:
    assert sparkline([1.0, 2.0, 3.0, 8.0], 6) == "  ▁▂▃█"
    assert sparkline([5.0, 5.0], 4) == "  ▄▄"
    assert sparkline([], 3) == "   "
    assert sparkline([1.0, 9.0, 2.0, 8.0], 2) == "█▁"


@given(st.lists(st.floats(1e-8, 1e9), max_size=80), st.integers(0, 60))
def test_a_sparkline_is_as_wide_as_asked(values: list[float], width: int) -> None:
    assert len(sparkline(values, width)) == width


def test_texts_are_folded_between_words() -> None:
    assert folded("one two three", 7) == ["one two", "three"]
    assert folded("비트코인 이더", 9) == ["비트코인", "이더"]
    assert folded("averylongword is here", 6) == ["averylongword", "is", "here"]
    assert folded("", 5) == [""]
