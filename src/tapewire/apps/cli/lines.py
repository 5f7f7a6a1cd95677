"""A sink that prints: one line an event, for people or as JSON. A slow pipe slows only itself."""

from __future__ import annotations

import sys
from collections.abc import Callable, Sequence
from typing import BinaryIO

from tapewire.apps.cli.terminal import event_line, feed_line, json_line
from tapewire.model.events import Event
from tapewire.sinks.contract import Item, Promise, Written


class LineSink:
    """Prints each event of a batch as one line; run by ``SinkRunner`` on a thread of its own.

    Args:
        as_json: our event's JSON (``type`` tells data from the feed's own events) in place of text.
        output: where to; standard output by default.
    """

    promise = Promise("at_most_once", "process")

    def __init__(self, *, as_json: bool, output: BinaryIO | None = None) -> None:
        self._line: Callable[[Item], bytes] = json_line if as_json else _text_line
        self._output = output
        self._count = 0
        self._size = 0

    def open(self) -> None:
        """Nothing to make ready."""

    def write(self, batch: Sequence[Item]) -> None:
        """Print the batch at once. Raises BrokenPipeError when the reader went away."""
        lines = b"".join(map(self._line, batch))
        output = self._output or sys.stdout.buffer
        output.write(lines)
        output.flush()
        self._count += len(batch)
        self._size += len(lines)

    def flush(self) -> None:
        """Every batch is flushed as it is printed."""

    def close(self) -> None:
        """Standard output stays open."""

    def written(self) -> tuple[Written, ...]:
        return (Written("stdout", self._count, self._size),)


def _text_line(item: Item) -> bytes:
    text = event_line(item) if isinstance(item, Event) else f"-- {feed_line(item)[1]}"
    return f"{text}\n".encode()
