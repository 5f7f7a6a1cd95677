"""The way out to the terminal: whether it takes more, and the end of a program whose terminal takes nothing."""

from __future__ import annotations

import os
import select
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager


def takes_more() -> bool:
    """Whether the terminal would take output now: one that stands still would hold the feed up."""
    if not hasattr(select, "poll") or sys.__stderr__ is None:  # Windows
        return True
    terminal = select.poll()
    terminal.register(sys.__stderr__.fileno(), select.POLLOUT)
    return bool(terminal.poll(0))


@contextmanager
def at_most(seconds: float, code: int) -> Iterator[None]:
    """End the program with ``code`` if the block takes longer and the terminal takes nothing.

    Textual waits for its last words to be taken, Python for its own at its end: of a terminal that hangs, forever.
    Nothing is lost by it: a view writes no files, and the system closes the connection.
    """
    done = threading.Event()

    def watch() -> None:
        if not done.wait(seconds) and not takes_more():
            os._exit(code)

    thread = threading.Thread(target=watch, name="terminal", daemon=True)
    thread.start()
    try:
        yield
    finally:
        done.set()
        thread.join()
