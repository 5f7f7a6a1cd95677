"""The program under textual's pilot: keys, resizing, repaints; it looks only when a test tells it to."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path

import pytest
from textual.pilot import Pilot

from tapewire.apps.cli.view.controls import Controls
from tapewire.apps.cli.view.picture import Picture
from tapewire.apps.cli.view.program import PAUSE, Program
from tests.apps.view.market_day import AT, HEADING, KINDS, SYMBOLS, a_picture, statistics, ticker, trade

SCREENS = Path(__file__).parent / "screens"


@dataclass
class Stage:
    """A program whose clock is moved by hand; ``observed``: when it asked for figures."""

    picture: Picture = field(default_factory=a_picture)
    now: float = 103.0
    observed: list[float] = field(default_factory=list)
    wishes: list[str] = field(default_factory=list)
    begun: int = 0
    takes_more: bool = True

    def __post_init__(self) -> None:
        self.program = Program(
            self.picture, Controls(chosen="KRW-BTC"), HEADING, now=lambda: self.now, wall=self._wall,
            observe=self._observe, wish=self.wishes.append, begin=self._begin, pause=3600.0,
            takes_more=lambda: self.takes_more,
        )  # fmt: skip

    def _wall(self) -> datetime:
        return AT

    def _observe(self, now: float) -> None:
        self.observed.append(now)
        self.picture.observe(now, statistics())

    def _begin(self) -> None:
        self.begun += 1

    @asynccontextmanager
    async def running(self, size: tuple[int, int] = (80, 24)) -> AsyncIterator[Pilot[None]]:
        async with self.program.run_test(size=size) as pilot:
            self.program.look()
            await pilot.pause()
            yield pilot

    def shown(self) -> list[str]:
        """What stands on the terminal, without colours and the blanks at the ends of its lines."""
        size = self.program.canvas.size
        return [self.program.canvas.render_line(y).text.rstrip() for y in range(size.height)]


async def test_the_screen_is_what_the_picture_says() -> None:
    stage = Stage()
    async with stage.running():
        assert stage.shown() == (SCREENS / "table-80x24.txt").read_text().splitlines()
        assert (stage.begun, stage.observed) == (1, [103.0])


@pytest.mark.parametrize(
    ("keys", "line", "text"),
    [
        (("2",), 1, "─ KRW-BTC order book ─"),
        (("3",), 1, "─ KRW-BTC trades ─"),
        (("4",), 1, "Connection         State"),
        (("question_mark",), 1, "─ Keys ─"),
        (("j", "3"), 1, "─ KRW-ETH trades ─"),
        (("down", "down", "3", "up"), 1, "─ KRW-ETH trades ─"),
        (("slash", "s", "h", "i", "b"), -1, "/shib▏   1 found"),
        (("slash", "s", "h", "i", "b", "enter", "2"), 1, "─ KRW-SHIB order book ─"),
        (("s", "S"), 2, "KRW-SHIB "),
    ],
)
async def test_keys_change_what_is_shown_at_once(keys: tuple[str, ...], line: int, text: str) -> None:
    stage = Stage()
    async with stage.running() as pilot:
        await pilot.press(*keys)
        assert stage.shown()[line].startswith(text)


@pytest.mark.parametrize(("key", "wish"), [("q", "quit"), ("ctrl+q", "quit"), ("ctrl+c", "interrupt")])
async def test_the_keys_that_end_it_are_told_and_nothing_else_ends_it(key: str, wish: str) -> None:
    stage = Stage()
    async with stage.running() as pilot:
        await pilot.press("escape", "tab", key)
        assert stage.wishes == [wish]
        assert stage.program.is_running


async def test_the_screen_follows_the_terminals_size() -> None:
    stage = Stage()
    async with stage.running() as pilot:
        for width, height in ((40, 10), (160, 30), (20, 3), (200, 60), (80, 24)):
            await pilot.resize_terminal(width, height)
            await pilot.pause()
            assert len(stage.shown()) == height
            assert stage.program.canvas.size.width == width
            assert {stage.program.canvas.render_line(y).cell_length for y in range(height)} == {width}
        assert stage.shown() == (SCREENS / "table-80x24.txt").read_text().splitlines()


async def test_paused_the_picture_stands_still_and_the_feed_goes_on() -> None:
    stage = Stage()
    async with stage.running() as pilot:
        await pilot.press("p")
        before = stage.shown()
        assert "PAUSED" in before[0]
        stage.picture.hear(ticker("KRW-BTC", 99_000_000.0))
        stage.now = 103.9
        stage.program.look()
        await pilot.pause()
        assert stage.shown() == before
        await pilot.press("p")
        stage.program.look()
        await pilot.pause()
        assert "99,000,000" in stage.shown()[2]


async def test_messages_paint_nothing_only_looks_do() -> None:
    """However many messages come, there are at most ten looks a second, and a look paints once."""
    stage = Stage(Picture(SYMBOLS, KINDS, 103.0))
    async with stage.running() as pilot:
        before, painted = stage.shown(), stage.program.painted
        for price in range(20_000):
            stage.picture.hear(trade("KRW-BTC", 1_000.0 + price))
        await pilot.press("x")
        assert (stage.shown(), stage.program.painted) == (before, painted)
        stage.now += PAUSE
        stage.program.look()
        await pilot.pause()
        assert "20,999" in stage.shown()[2]
        assert stage.program.painted == painted + 1
        stage.program.look()
        assert stage.program.painted == painted + 1, "nothing is new"
    assert PAUSE >= 0.1


async def test_while_the_terminal_takes_nothing_nothing_is_painted_and_then_the_newest() -> None:
    stage = Stage()
    async with stage.running() as pilot:
        before, stage.takes_more = stage.shown(), False
        for price in (99_000_000.0, 98_000_000.0):
            stage.picture.hear(ticker("KRW-BTC", price))
            stage.program.look()
        await pilot.pause()
        assert stage.shown() == before
        stage.takes_more = True
        stage.program.look()
        await pilot.pause()
        assert "98,000,000" in stage.shown()[2]


async def test_figures_are_asked_for_once_a_second() -> None:
    stage = Stage()
    async with stage.running():
        for tenth in range(1, 31):
            stage.now = 103.0 + tenth / 10
            stage.program.look()
    assert stage.observed == pytest.approx([103.0, 104.0, 105.0, 106.0])


async def test_after_news_the_figures_are_asked_for_at_the_next_look() -> None:
    stage = Stage()
    async with stage.running():
        stage.now = 103.1
        stage.program.hurry()
        stage.program.look()
        stage.program.look()
    assert stage.observed == pytest.approx([103.0, 103.1])


async def test_the_mouse_chooses_a_market() -> None:
    stage = Stage()
    async with stage.running() as pilot:
        await pilot.click(offset=(3, 4))
        assert stage.program.controls.chosen == "KRW-SHIB"
        await pilot.click(offset=(3, 12))
        assert stage.program.controls.chosen == "KRW-SHIB"
        stage.program.on_mouse_scroll_up()
        assert stage.program.controls.chosen == "KRW-ETH"
        stage.program.on_mouse_scroll_down()
        assert stage.program.controls.chosen == "KRW-SHIB"
        assert stage.shown()[5].startswith("─ KRW-SHIB order book")


def colours(program: Program) -> set[str]:
    """Names of all colours that would be sent to the terminal."""
    canvas = program.canvas
    strips = [canvas.render_line(y).apply_filter(one, program.screen.background_colors[1])
              for y in range(canvas.size.height) for one in program.get_line_filters()] or [
        canvas.render_line(y) for y in range(canvas.size.height)
    ]  # fmt: skip
    styles = [segment.style for strip in strips for segment in strip if segment.style is not None]
    return {colour.name for style in styles for colour in (style.color, style.bgcolor) if colour is not None}


async def test_colours_are_the_terminals_own_and_c_changes_those_of_rise_and_fall() -> None:
    stage = Stage()
    async with stage.running() as pilot:
        assert colours(stage.program) == {"green", "red"}
        await pilot.press("c")
        assert colours(stage.program) == {"red", "blue", "green"}  # green: connected


async def test_no_colour_is_sent_where_none_is_wanted(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NO_COLOR", "1")
    stage = Stage()
    async with stage.running():
        assert colours(stage.program) <= {"default"}
        assert stage.shown() == (SCREENS / "table-80x24.txt").read_text().splitlines()
