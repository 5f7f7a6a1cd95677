"""What a long-running command shows meanwhile: a live status on a terminal, plain or JSON lines elsewhere."""

from __future__ import annotations

import contextlib
import sys
from collections.abc import Callable
from types import TracebackType
from typing import Protocol, Self

from rich.console import Console

from tapewire.apps.cli.board import Board, live
from tapewire.apps.cli.options import Feed
from tapewire.apps.cli.running import ticking
from tapewire.apps.cli.summary import Summary, show
from tapewire.apps.cli.tally import Tally
from tapewire.apps.cli.terminal import feed_line, is_terminal, json_line, size_of
from tapewire.model.events import Event
from tapewire.sinks.contract import Item, Sink

#: Seconds between two status lines where nobody watches.
_PAUSE = 5.0


class Reporter(Protocol):
    """Hears every event, shows something while it is entered, and prints the summary."""

    tally: Tally

    def hear(self, item: Item) -> None: ...
    def conclude(self, summary: Summary) -> None: ...
    async def __aenter__(self) -> Self: ...
    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None: ...


class LiveReporter:
    """The board on a terminal."""

    def __init__(self, feed: Feed, title: Callable[[], str], now: Callable[[], float]) -> None:
        self.tally = Tally()
        self._console = Console()
        self._board = Board(feed.symbols, feed.kinds, title, now, self.tally)
        self._stack = contextlib.ExitStack()

    def hear(self, item: Item) -> None:
        """Count it and put it on the board."""
        self.tally.add(item)
        self._board.add(item)

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

    def __init__(self, title: Callable[[], str], now: Callable[[], float], sink: Sink, *, as_json: bool) -> None:
        self.tally = Tally()
        self._title = title
        self._now = now
        self._started = now()
        self._sink = sink
        self._as_json = as_json
        self._stack = contextlib.AsyncExitStack()

    def hear(self, item: Item) -> None:
        """Count it; print it when it is a step of the feed."""
        self.tally.add(item)
        if not isinstance(item, Event):
            self._print(item, f"{self._seconds:7.1f} s  {feed_line(item)[1]}")

    def conclude(self, summary: Summary) -> None:
        """Print the summary as a table, or as one JSON object."""
        if self._as_json:
            _write(json_line(summary))
        else:
            show(Console(width=120), summary)

    async def __aenter__(self) -> Self:
        if not self._as_json:
            _write(f"{self._title()}\n".encode())
        await self._stack.enter_async_context(ticking(_PAUSE, self._status))
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
        }
        self._print(status, f"{self._seconds:7.1f} s  {kinds or 'nothing yet'}; {len(files)} files, {size_of(size)}")

    def _print(self, item: object, text: str) -> None:
        _write(json_line(item) if self._as_json else f"{text}\n".encode())


def reporter_for(feed: Feed, sink: Sink, title: str | Callable[[], str], now: Callable[[], float]) -> Reporter:
    """The board on a terminal, lines everywhere else."""
    shown = title if callable(title) else lambda: title
    if is_terminal() and not feed.as_json:
        return LiveReporter(feed, shown, now)
    return LineReporter(shown, now, sink, as_json=feed.as_json)


def _write(line: bytes) -> None:
    sys.stdout.buffer.write(line)
    sys.stdout.buffer.flush()
