"""The textual program: one canvas that shows the lines of the screen, repainted ten times a second at most."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime

from rich.segment import Segment
from textual import events
from textual.app import App, ComposeResult
from textual.geometry import Region
from textual.strip import Strip
from textual.widget import Widget

from tapewire.apps.cli.view.cells import Line
from tapewire.apps.cli.view.controls import Controls, Wish
from tapewire.apps.cli.view.edges import Heading
from tapewire.apps.cli.view.layout import market_at, screen
from tapewire.apps.cli.view.palette import style_of
from tapewire.apps.cli.view.picture import Picture

#: Seconds between two looks at the picture.
PAUSE = 0.1


class Canvas(Widget):
    """Draws lines of spans; only lines that changed are sent to the terminal."""

    DEFAULT_CSS = "Canvas { width: 1fr; height: 1fr; }"

    def __init__(self) -> None:
        super().__init__()
        self._lines: list[Line] = []
        self._eastern = False

    def show(self, lines: list[Line], *, eastern: bool) -> None:
        """Take the new lines; those that are as before are left alone."""
        if eastern != self._eastern or len(lines) != len(self._lines):
            self._lines, self._eastern = lines, eastern
            self.refresh()
            return
        changed = [y for y, (old, new) in enumerate(zip(self._lines, lines, strict=True)) if old != new]
        self._lines = lines
        if changed:
            self.refresh(*(Region(0, y, self.size.width, 1) for y in changed))

    def render_line(self, y: int) -> Strip:
        if y >= len(self._lines):
            return Strip.blank(self.size.width)
        return Strip([Segment(text, style_of(style, eastern=self._eastern)) for text, style in self._lines[y]])


class Program(App[None]):
    """Keys to the controls, picture to the canvas.

    Args:
        picture, controls, heading: what is shown.
        now: monotonic seconds. wall: the time of day, aware.
        observe: called once a second (or after ``hurry``) before a repaint: takes the figures into the picture.
        wish: called when the person asks for the end.
        takes_more: whether the terminal would take a repaint now; otherwise it waits for a later look.
        begin: called once, before the first task of textual's own is started.
        pause: seconds between two looks.

    Attributes:
        painted: how often the screen was made anew.
    """

    CSS = "Screen { background: ansi_default; color: ansi_default; }"
    ENABLE_COMMAND_PALETTE = False
    AUTO_FOCUS = None

    def __init__(
        self,
        picture: Picture,
        controls: Controls,
        heading: Heading,
        *,
        now: Callable[[], float],
        wall: Callable[[], datetime],
        observe: Callable[[float], None],
        wish: Callable[[Wish], None],
        takes_more: Callable[[], bool] = lambda: True,
        begin: Callable[[], None] = lambda: None,
        pause: float = PAUSE,
    ) -> None:
        super().__init__(ansi_color=True)
        self.picture = picture
        self.controls = controls
        self.canvas = Canvas()
        self._heading = heading
        self._monotonic = now
        self._wall = wall
        self._observe = observe
        self._wish = wish
        self._takes_more = takes_more
        self._begin = begin
        self._pause = pause
        self.painted = 0
        self._seen: object = None
        self._observed = float("-inf")

    def compose(self) -> ComposeResult:
        yield self.canvas

    def on_load(self) -> None:
        self._begin()

    def on_mount(self) -> None:
        self.set_interval(self._pause, self.look)

    def look(self) -> None:
        """Bring the picture up to date and paint it if it changed."""
        now = self._monotonic()
        if now - self._observed >= 1.0:
            self._observed = now
            self._observe(now)
        if not self.controls.paused:
            self.picture.advance(now)
        self.paint()

    def hurry(self) -> None:
        """Ask for the figures at the next look: something has happened."""
        self._observed = float("-inf")

    def paint(self) -> None:
        """Paint what is new: a change of the picture, the controls, the size, or the next second."""
        at = self._wall().replace(microsecond=0)
        size = self.size
        state = (self.picture.version, repr(self.controls), at, size)
        if state != self._seen and self._takes_more():
            self._seen = state
            self.painted += 1
            lines = screen(self.picture, self.controls, self._heading, at, size)
            self.canvas.show(lines, eastern=self.controls.eastern)

    async def on_event(self, event: events.Event) -> None:
        """Every key is the controls', before textual's own bindings see it."""
        if isinstance(event, events.Key):
            wish = self.controls.press(event.key, event.character, self.picture.quotes)
            if wish is not None:
                self._wish(wish)
            self.paint()
            return
        await super().on_event(event)

    def on_resize(self) -> None:
        self.call_after_refresh(self.paint)

    def on_mouse_scroll_up(self) -> None:
        self._scroll(-1)

    def on_mouse_scroll_down(self) -> None:
        self._scroll(1)

    def on_click(self, event: events.Click) -> None:
        symbol = market_at(self.picture, self.controls, (event.screen_x, event.screen_y), self.size)
        if symbol is not None:
            self.controls.choose(symbol)
            self.paint()

    def _scroll(self, step: int) -> None:
        self.controls.move(step, self.picture.quotes)
        self.paint()
