"""What a long-running command shows meanwhile: a live status on a terminal, plain or JSON lines elsewhere."""

from __future__ import annotations

import contextlib
import sys
from collections.abc import Callable
from types import TracebackType
from typing import Self

from rich.console import Console

from tapewire.apps.cli.board import Board, live
from tapewire.apps.cli.news import News
from tapewire.apps.cli.options import Feed
from tapewire.apps.cli.running import PAUSE, ticking
from tapewire.apps.cli.summary import Summary, show
from tapewire.apps.cli.tally import Tally
from tapewire.apps.cli.terminal import Styled, is_terminal, json_line, plain, size_of
from tapewire.model.counted import count_of
from tapewire.model.events import Event
from tapewire.model.frame_run import FrameRun
from tapewire.sinks.contract import Item, Sink

#: What a command adds to its status as JSON.
Facts = Callable[[], dict[str, object]]


class LiveReporter:
    """The board on a terminal."""

    def __init__(self, feed: Feed, title: Callable[[], str], now: Callable[[], float]) -> None:
        self.tally = Tally()
        self._console = Console(markup=False, highlight=False)
        self._board = Board(feed.symbols, feed.kinds, title, now, self.tally)
        self._stack = contextlib.ExitStack()

    def hear(self, item: Item | FrameRun) -> None:
        """Count it and put it on the board; of frames each event is shown by ``see``."""
        if not isinstance(item, FrameRun):
            self.tally.add(item)
            self._board.add(item)

    @property
    def see(self) -> Callable[[Event], None] | None:
        """What has to see each event even where frames are heard."""
        return self.hear

    def note(self, style: str, text: str) -> None:
        """Show a line of the command's own."""
        self._board.note(style, text)

    def conclude(self, summary: Summary) -> None:
        """Print the summary below the board."""
        self._console.print()
        show(self._console, summary)

    async def __aenter__(self) -> Self:
        self._stack.enter_context(live(self._console, self._board))
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stack.close()


class LineReporter:
    """Steps of the feed as they come, a status line every few seconds."""

    def __init__(
        self, intro: str, now: Callable[[], float], sink: Sink, *, as_json: bool, pause: float, facts: Facts,
        words: Callable[[], str] | None,
    ) -> None:  # fmt: skip
        frames = getattr(sink, "frames", None)
        self.tally = Tally() if frames is None else Tally(frames.counts)
        self._intro = intro
        self._now = now
        self._started = now()
        self._sink = sink
        self._as_json = as_json
        self._pause, self._facts, self._words = pause, facts, words
        self._news = News()
        self._stack = contextlib.AsyncExitStack()

    @property
    def see(self) -> Callable[[Event], None] | None:
        """As ``LiveReporter.see``: figures need no event."""
        return None

    def hear(self, item: Item | FrameRun) -> None:
        """Count it; print it when it is a step of the feed (gaps that come together in few lines)."""
        self.tally.add(item)
        if not self._as_json:
            news, now = self._news, self._now()
            self._print_lines(news.late(now) if isinstance(item, FrameRun) else news.hear(item, now))
        elif not isinstance(item, Event | FrameRun):
            _write(json_line(item))

    def note(self, style: str, text: str) -> None:  # noqa: ARG002 - lines have no colour
        """Print a line of the command's own."""
        self._print({"type": "note", "seconds": round(self._seconds, 1), "text": text}, self._timed(text))

    def conclude(self, summary: Summary) -> None:
        """Print the summary as a table, or as one JSON object."""
        if self._as_json:
            _write(json_line(summary))
        else:
            self._print_lines(self._news.due())
            console = Console(width=120, markup=False, highlight=False)
            with console.capture() as captured:
                show(console, summary)
            _write("".join(f"{line.rstrip()}\n" for line in captured.get().splitlines()).encode())

    async def __aenter__(self) -> Self:
        if not self._as_json:
            _write(f"{self._intro}\n".encode())
        await self._stack.enter_async_context(ticking(self._pause, self._status))
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self._stack.aclose()

    @property
    def _seconds(self) -> float:
        return self._now() - self._started

    def _status(self) -> None:
        files = self._sink.written()
        size = sum(file.size for file in files)
        kinds = ", ".join(f"{kind} {count:,}" for kind, count in sorted(self.tally.received.items()))
        status = {
            "type": "status",
            "seconds": round(self._seconds, 1),
            "received": dict(self.tally.received),
            "bytes": size,
            "lines": sum(file.events for file in files),
            **self._facts(),
        }
        words = f"{count_of(len(files), 'file')}, {size_of(size)}" if self._words is None else self._words()
        self._print(status, self._timed(f"{kinds or 'nothing yet'}; {words}"))

    def _print_lines(self, lines: list[Styled]) -> None:
        for _, text in lines:
            _write(f"{self._timed(text)}\n".encode())

    def _timed(self, text: str) -> str:
        return f"{self._seconds:7.1f} s  {text}"

    def _print(self, item: object, text: str) -> None:
        _write(json_line(item) if self._as_json else f"{text}\n".encode())


def reporter_for(
    feed: Feed,
    sink: Sink,
    now: Callable[[], float],
    *,
    intro: str,
    title: Callable[[], str],
    pause: float = PAUSE,
    facts: Facts = dict,
    words: Callable[[], str] | None = None,
) -> LiveReporter | LineReporter:
    """The board (with ``title``) on a terminal, lines (after ``intro``, a status every ``pause`` s) elsewhere.

    ``words`` say in a status where it is written to; by default how many files there are.
    """
    if is_terminal() and not feed.as_json:
        return LiveReporter(feed, title, now)
    return LineReporter(plain(intro), now, sink, as_json=feed.as_json, pause=pause, facts=facts, words=words)


def _write(line: bytes) -> None:
    sys.stdout.buffer.write(line)
    sys.stdout.buffer.flush()


Reporter = LiveReporter | LineReporter
