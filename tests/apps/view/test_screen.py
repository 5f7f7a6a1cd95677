"""The whole screen as lines, at every size; the pictures to compare with stand in ``screens``."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from tapewire.apps.cli.view.controls import KEYS, Controls
from tapewire.apps.cli.view.layout import Room, divided, market_at, screen
from tapewire.apps.cli.view.palette import style_of
from tapewire.apps.cli.view.picture import Picture
from tapewire.model.health import HealthState, HealthStatus, Reason
from tapewire.model.line import Loss
from tapewire.model.market import Market
from tapewire.model.status import Connected, Disconnected
from tests.apps.view.market_day import (
    AT,
    HEADING,
    KINDS,
    SYMBOLS,
    a_busy_picture,
    a_picture,
    book,
    plain_text,
    statistics,
    widths,
)

SCREENS = Path(__file__).parent / "screens"
NAMES = [
    Market("KRW-BTC", "BTC", "KRW", "Bitcoin", "비트코인"),
    Market("KRW-ETH", "ETH", "KRW", "Ethereum", "이더리움"),
]


def drawn(picture: Picture, controls: Controls, width: int, height: int) -> list[str]:
    return plain_text(screen(picture, controls, HEADING, AT, (width, height)))


@pytest.mark.parametrize(
    ("name", "controls", "size"),
    [
        ("table-80x24", Controls("KRW-BTC"), (80, 24)),
        ("table-40x10", Controls("KRW-ETH"), (40, 10)),
        ("table-160x30", Controls("KRW-BTC"), (160, 30)),
        ("table-200x20", Controls("KRW-BTC"), (200, 20)),
        ("book-80x12", Controls("KRW-BTC", "ladder"), (80, 12)),
        ("book-40x12", Controls("KRW-BTC", "ladder"), (40, 12)),
        ("trades-100x12", Controls("KRW-BTC", "tape"), (100, 12)),
        ("trades-30x8", Controls("KRW-BTC", "tape"), (30, 8)),
        ("feed-110x12", Controls("KRW-BTC", "wires"), (110, 12)),
        ("help-60x24", Controls("KRW-BTC", helping=True), (60, 24)),
        ("search-80x8", Controls("KRW-BTC", search="krw", order="change", paused=True), (80, 8)),
    ],
)  # fmt: skip
def test_the_screen_looks_as_in_the_picture(name: str, controls: Controls, size: tuple[int, int]) -> None:
    picture = a_picture()
    picture.name(NAMES)
    picture.hear_step(Connected(venue="upbit", connection="upbit-1", at_ns=0, url="ws://x", reconnect=0))
    assert drawn(picture, controls, *size) == (SCREENS / f"{name}.txt").read_text().splitlines()


SIZES = st.tuples(st.integers(1, 210), st.integers(1, 70))
CONTROLS = st.builds(
    Controls,
    chosen=st.just("KRW-BTC"),
    view=st.sampled_from(["table", "ladder", "tape", "wires"]),
    helping=st.booleans(),
    search=st.sampled_from([None, "", "한글"]),
)
KINDS_HEARD = st.sampled_from([(), ("ticker",), ("trade",), ("orderbook", "trade"), KINDS, ("candle",)])


def test_a_busy_market_looks_as_on_the_page_about_watching() -> None:
    shown = drawn(a_busy_picture(), Controls("KRW-BTC"), 96, 26)
    assert shown == (SCREENS / "busy-96x26.txt").read_text().splitlines()


@given(SIZES, CONTROLS, KINDS_HEARD, st.integers(0, 60))
def test_every_size_is_filled_exactly(
    size: tuple[int, int], controls: Controls, kinds: tuple[str, ...], markets: int
) -> None:
    picture = a_picture() if markets == 3 else Picture([f"KRW-한글{i}" for i in range(markets)], kinds, 0.0)
    lines = screen(picture, controls, HEADING, AT, size)
    assert len(lines) == size[1]
    assert widths(lines) == {size[0]}
    for line in lines:
        for _, style in line:
            style_of(style)  # every name of a style is known


@given(st.integers(1, 210), st.integers(1, 60), st.integers(1, 60))
def test_the_rooms_panels_stay_inside(width: int, height: int, markets: int) -> None:
    room = divided(markets, frozenset(KINDS), width, height)
    assert room.rows + room.below == height
    assert room.width + (room.beside + 3 if room.beside else 0) == width
    assert room.rows >= 1


def test_book_and_trades_stand_beside_below_or_nowhere() -> None:
    kinds = frozenset(KINDS)
    assert divided(3, kinds, 80, 21) == Room(rows=4, width=80, below=17, beside=0)
    assert divided(30, kinds, 80, 21) == Room(rows=21, width=80, below=0, beside=0)
    assert divided(35, kinds, 160, 40) == Room(rows=40, width=111, below=0, beside=46)
    assert divided(3, kinds, 160, 40) == Room(rows=4, width=111, below=36, beside=46)
    assert divided(3, frozenset({"ticker"}), 160, 40) == Room(rows=40, width=160, below=0, beside=0)
    assert divided(3, frozenset({"ticker", "trade"}), 160, 40) == Room(rows=40, width=111, below=0, beside=46)


def test_the_chosen_market_is_always_among_the_rows() -> None:
    symbols = [f"KRW-{number:03}" for number in range(100)]
    for chosen in (0, 1, 50, 98, 99):
        shown = drawn(Picture(symbols, KINDS, 0.0), Controls(symbols[chosen]), 80, 24)
        rows = [line.split()[0] for line in shown[2:-2]]
        assert symbols[chosen] in rows
        assert len(rows) == 20


def test_a_click_on_a_row_finds_its_market() -> None:
    picture, controls = a_picture(), Controls("KRW-BTC")
    found = [market_at(picture, controls, (5, line), (80, 24)) for line in range(6)]
    assert found == [None, None, *SYMBOLS, None]
    assert market_at(picture, controls, (130, 3), (160, 30)) is None, "beside the table"
    assert market_at(picture, Controls("KRW-BTC", "tape"), (5, 3), (80, 24)) is None
    assert market_at(picture, controls, (5, 3), (80, 5)) is None


def test_a_panel_of_what_was_not_subscribed_says_so() -> None:
    picture = Picture(SYMBOLS, ("ticker",), 0.0)
    assert drawn(picture, Controls("KRW-BTC", "ladder"), 80, 24)[2] == "not subscribed: add orderbook to --types"
    assert drawn(picture, Controls("KRW-BTC", "tape"), 80, 24)[2] == "not subscribed: add trade to --types"


def test_before_anything_came_every_panel_waits() -> None:
    shown = drawn(Picture(SYMBOLS, KINDS, 0.0), Controls("KRW-BTC"), 80, 24)
    assert "waiting for the order book" in shown[6]
    assert shown[6].endswith("waiting for trades")
    assert shown[-2] == "○ no line · 0 msg/s · latency – (p99 –) · 0 reconnects · 0 unfilled gaps"


def test_without_markets_the_feeds_news_are_shown() -> None:
    picture = Picture((), ("myAsset",), 0.0)
    picture.tell("", "a balance")
    assert drawn(picture, Controls(), 80, 24)[3] == "     0.0 s  a balance"


def test_long_news_are_folded_and_the_newest_stay() -> None:
    picture = Picture((), (), 0.0)
    picture.tell("", "old")
    picture.tell("red", "refused: WRONG_FORMAT: the exchange said that it does not understand what was asked")
    assert drawn(picture, Controls(), 60, 8)[1:6] == [
        "Connection         State                  Streams   msg/s  …",
        "",
        "     0.0 s  old",
        "     0.0 s  refused: WRONG_FORMAT: the exchange said that it",
        "            does not understand what was asked",
    ]
    assert drawn(picture, Controls(), 60, 6)[3] == "            does not understand what was asked"


def test_a_book_with_one_side_only() -> None:
    picture = Picture(("KRW-BTC",), KINDS, 0.0)
    picture.hear(book("KRW-BTC", (101.0, 0.0, 1.0, 0.0)))
    picture.advance(1.0)
    shown = drawn(picture, Controls("KRW-BTC", "ladder"), 40, 8)
    assert shown[2:5] == ["101  1.00000000  ███████████████████████", "one side is empty", ""]


@pytest.mark.parametrize(
    ("states", "said"),
    [
        (("open",), "● connected"),
        (("open", "waiting"), "● 1 of 2 lines"),
        (("waiting",), "○ no line"),
        ((), "○ no line"),
    ],
)
def test_the_status_line_says_how_many_lines_are_open(states: tuple[str, ...], said: str) -> None:
    picture = a_picture()
    one = statistics().connections[0]
    lines = tuple(replace(one, name=f"upbit-{n}", state=state) for n, state in enumerate(states))
    picture.observe(104.0, statistics(connections=lines))
    assert drawn(picture, Controls("KRW-BTC"), 80, 24)[-2].startswith(f"{said} ·")


def test_a_line_that_waits_says_for_how_long_and_why() -> None:
    picture = a_picture()
    one = replace(statistics().connections[0], state="waiting", retry_in=3.25, last_error="closed (1001 away)")
    picture.observe(104.0, statistics(connections=(one,), reconnects=1))
    lost = Disconnected(venue="upbit", connection="upbit-1", at_ns=0, loss=Loss("closed"), attempt=1, retry_in=3.25)
    picture.hear_step(lost)
    shown = drawn(picture, Controls("KRW-BTC", "wires"), 120, 12)
    assert shown[-2].startswith("○ no line · closed (1001 away), again in 3 s · 0 msg/s · ")
    assert "○ waiting, 3.2 s" in shown[2]
    assert shown[3] == "  last error: closed (1001 away)"
    assert "line lost: closed; next attempt in 3.2 s" in shown[5]


def test_the_health_of_the_feed_stands_in_the_status_line_and_its_reasons_in_the_view_of_the_feed() -> None:
    reason = Reason(HealthState.DEGRADED, "upbit-1", "trade KRW-BTC silent", 12 * 3600 * 10**9)
    health = HealthStatus(
        status=HealthState.DEGRADED, reasons=(reason,), since_ns=0, idle=False, uptime_seconds=1.0,
        total_messages_processed=1, connection_errors=0,
    )  # fmt: skip
    picture = a_picture()
    picture.observe(104.0, statistics(), health)
    shown = drawn(picture, Controls("KRW-BTC", "wires"), 100, 12)
    assert shown[-2].startswith("● connected · degraded · ")
    assert shown[3] == "upbit-1: trade KRW-BTC silent (since 12:00:00 UTC)"


def test_the_keys_of_the_help_are_all_there_on_a_small_terminal_too() -> None:
    text = " ".join(" ".join(drawn(a_picture(), Controls(helping=True), 50, 40)).split())
    for _, words in KEYS:
        assert words.partition(",")[0].partition(";")[0][:20] in text


def test_rise_and_fall_have_the_colours_asked_for() -> None:
    assert [str(style_of(name)) for name in ("up", "down")] == ["green", "red"]
    assert [str(style_of(name, eastern=True)) for name in ("up", "down")] == ["red", "blue"]
    assert style_of("up chosen").reverse
    with pytest.raises(KeyError):
        style_of("nonsense")
