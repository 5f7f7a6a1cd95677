"""``tapewire watch`` on a terminal, full screen, against the simulated exchange; which view is chosen where."""

from __future__ import annotations

import asyncio
import contextlib
import fcntl
import io
import logging
import os
import pty
import re
import signal
import struct
import subprocess
import sys
import termios
from collections.abc import Callable, Coroutine, Iterator
from contextlib import contextmanager
from pathlib import Path
from time import monotonic
from typing import IO, Any

import click
import pytest

from tapewire.apps.cli.view.picture import Picture
from tapewire.apps.cli.view.show import log_kept_off_the_screen, task_factory_kept
from tapewire.apps.cli.watch import View, view_for
from tapewire.testing.background import BackgroundSimulator

SCRIPT = str(Path(sys.executable).with_name("tapewire"))
PATIENCE = 10.0
SEQUENCE = re.compile(r"\x1b(\[[0-9;?<>=]*[a-zA-Z]|[=>]|\].*?(\x07|\x1b\\))")


class Terminal:
    """A terminal with a program on it: what was drawn so far, what is typed."""

    def __init__(self, process: subprocess.Popen[bytes], master: int) -> None:
        self.process = process
        self.drawn = ""
        self._master = master

    def wait_for(self, text: str) -> None:
        """Read on until ``text`` was drawn (after what was waited for before)."""
        begin = len(self.drawn)
        while text not in self.drawn[begin:]:
            self._read()

    def type(self, keys: bytes) -> None:
        os.write(self._master, keys)

    def resize(self, width: int, height: int) -> None:
        _set_size(self._master, width, height)
        self.process.send_signal(signal.SIGWINCH)

    def end(self) -> int:
        """Everything until the program has ended; its exit code."""
        with contextlib.suppress(OSError):  # how Linux tells that the last writer has gone
            while True:
                self._read()
        return self.process.wait()

    def _read(self) -> None:
        part = os.read(self._master, 65536)
        self.drawn += part.decode("utf-8", "replace")


def _set_size(terminal: int, width: int, height: int) -> None:
    fcntl.ioctl(terminal, termios.TIOCSWINSZ, struct.pack("HHHH", height, width, 0, 0))


@contextmanager
def on_a_terminal(
    *arguments: str, width: int = 80, height: int = 24, stderr: IO[bytes] | None = None, **variables: str
) -> Iterator[Terminal]:
    master, slave = pty.openpty()
    _set_size(slave, width, height)
    kept = {name: value for name, value in os.environ.items() if name not in {"COLUMNS", "LINES", "NO_COLOR"}}
    environment = kept | {"TERM": "xterm-256color"} | variables
    with subprocess.Popen(
        [SCRIPT, "watch", *arguments], stdin=slave, stdout=slave, stderr=stderr or slave, env=environment
    ) as process:
        os.close(slave)
        try:
            yield Terminal(process, master)
        finally:
            process.kill()
            os.close(master)


def text_of(drawn: str) -> str:
    """What was drawn, without what steers the terminal."""
    return SEQUENCE.sub("", drawn)


@pytest.mark.parametrize(
    ("end", "code"),
    [
        (lambda terminal: terminal.type(b"q"), 0),
        (lambda terminal: terminal.type(b"\x03"), 130),
        (lambda terminal: terminal.process.send_signal(signal.SIGTERM), 0),
    ],
    ids=["q", "ctrl-c", "sigterm"],
)
def test_the_full_screen_comes_shows_the_market_and_gives_the_terminal_back(
    exchange: BackgroundSimulator, end: Callable[[Terminal], None], code: int
) -> None:
    with on_a_terminal("KRW-BTC", "KRW-ETH", "--url", exchange.url) as terminal:
        terminal.wait_for("● connected")
        begin = monotonic()
        end(terminal)
        assert terminal.end() == code
        assert monotonic() - begin < 5.0
    screen, left, after = terminal.drawn.partition("\x1b[?1049l")
    assert "\x1b[?1049h" in screen
    assert left, "the screen that was there before is back"
    missing = [word for word in ("KRW-BTC order book", "KRW-ETH", "quit") if word not in text_of(screen)]
    assert missing == []
    assert re.search(r"[0-9,]+ messages in [0-9.]+ s, 0 reconnects, 0 unfilled gaps", text_of(after))


def test_it_follows_the_terminals_size_while_it_runs(exchange: BackgroundSimulator) -> None:
    with on_a_terminal("KRW-BTC", "--url", exchange.url, "--types", "ticker") as terminal:
        terminal.wait_for("● connected")
        assert "24 h value" not in text_of(terminal.drawn)
        terminal.resize(140, 30)
        terminal.wait_for("24 h value")
        terminal.type(b"q")
        assert terminal.end() == 0


def test_without_colours_none_are_sent_and_its_seconds_end_it(exchange: BackgroundSimulator) -> None:
    with on_a_terminal("KRW-BTC", "--url", exchange.url, "--seconds", "4", NO_COLOR="1") as terminal:
        assert terminal.end() == 0
    assert "● connected" in text_of(terminal.drawn)
    runs = re.findall(r"\x1b\[([0-9;]*)m", terminal.drawn)
    colours = {int(number) for run in runs for number in run.split(";") if number}
    assert colours <= {0, 1, 2, 7, 39, 49}, "bold, dim, reverse and the terminal's own colours"


def test_when_nothing_can_be_subscribed_the_error_stands_on_the_terminals_own_screen(
    exchange: BackgroundSimulator,
) -> None:
    with on_a_terminal("KRW-NOPE", "--url", exchange.url) as terminal:
        assert terminal.end() == 2
    after = terminal.drawn.partition("\x1b[?1049l")[2]
    assert "tapewire: symbol is 'KRW-NOPE'; it must be a market that upbit lists" in text_of(after)
    assert "messages in" not in after


def test_a_feed_that_fails_for_good_ends_it_with_the_reason() -> None:
    with (
        BackgroundSimulator(venue="upbit", markets=("KRW-BTC",), faults=("refuse:403",)) as refusing,
        on_a_terminal("KRW-BTC", "--url", refusing.url) as terminal,
    ):
        assert terminal.end() == 1
    assert "403" in text_of(terminal.drawn.partition("\x1b[?1049l")[2])


TERMINAL = {"terminal": True, "keyboard": True, "as_json": False}
NO_KEYS = TERMINAL | {"keyboard": False}
PIPE = TERMINAL | {"terminal": False}
JSON = TERMINAL | {"as_json": True}


@pytest.mark.parametrize(
    ("asked", "where", "term", "view"),
    [
        (None, TERMINAL, "xterm", "full"), (None, PIPE, "xterm", "lines"), (None, JSON, "xterm", "lines"),
        (None, NO_KEYS, "xterm", "table"),
        (None, TERMINAL, "dumb", "lines"), ("table", TERMINAL, "xterm", "table"), ("lines", TERMINAL, "xterm", "lines"),
        ("lines", PIPE, "xterm", "lines"), ("full", TERMINAL, "dumb", "full"),
    ],
)  # fmt: skip
def test_the_richest_view_that_works_is_chosen(
    monkeypatch: pytest.MonkeyPatch, asked: View | None, where: dict[str, bool], term: str, view: str
) -> None:
    monkeypatch.setenv("TERM", term)
    assert view_for(asked, **where) == view


def test_without_textual_it_is_the_plain_table_and_the_full_one_says_what_to_install(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.setitem(sys.modules, "textual", None)
    assert view_for(None, **TERMINAL) == "table"
    with pytest.raises(click.BadParameter, match=r"pip install 'tapewire\[tui\]'"):
        view_for("full", **TERMINAL)


@pytest.mark.parametrize("asked", ["full", "table"])
def test_a_view_that_needs_a_terminal_says_so(asked: View) -> None:
    with pytest.raises(click.BadParameter, match="needs a terminal; the output is a pipe or a file"):
        view_for(asked, **PIPE)


def test_the_full_view_says_that_it_reads_keys_and_draws_on_the_error_output() -> None:
    with pytest.raises(click.BadParameter, match="'full' needs the terminal for input and errors too"):
        view_for("full", **NO_KEYS)


def test_errors_into_a_file_leave_the_plain_table_on_the_terminal(
    exchange: BackgroundSimulator, tmp_path: Path
) -> None:
    errors = tmp_path / "errors"
    with (
        errors.open("wb") as file,
        on_a_terminal("KRW-BTC", "--url", exchange.url, "--seconds", "4", stderr=file) as terminal,
    ):
        assert terminal.end() == 0
    assert "\x1b[?1049h" not in terminal.drawn
    assert "tapewire watch · upbit" in text_of(terminal.drawn)
    assert errors.read_bytes() == b""


#: Fills its terminal, which nobody reads, to the brim.
FILL = """
import os, select
terminal = select.poll()
terminal.register(2, select.POLLOUT)
os.set_blocking(2, False)
while terminal.poll(200):  # the system may still be moving what was written
    try:
        os.write(2, b"x" * 4096)
    except BlockingIOError:
        pass
os.set_blocking(2, True)
from tapewire.apps.cli.view.outlet import at_most, takes_more
"""


def on_a_dead_terminal(program: str) -> int:
    """The exit code of a Python program whose terminal takes nothing."""
    master, slave = pty.openpty()
    try:
        command = [sys.executable, "-c", FILL + program]
        out = subprocess.DEVNULL
        return subprocess.run(command, stdin=slave, stdout=out, stderr=slave, timeout=PATIENCE, check=False).returncode
    finally:
        os.close(slave)
        os.close(master)


def test_a_terminal_that_takes_nothing_is_noticed_and_never_keeps_the_program() -> None:
    waits = "import threading\nwith at_most(0.05, 7):\n    threading.Event().wait()\n"
    assert on_a_dead_terminal("os._exit(5 if not takes_more() else 6)") == 5
    assert on_a_dead_terminal(waits) == 7


async def test_the_loops_task_factory_stays_the_one_it_was() -> None:
    loop = asyncio.get_running_loop()

    def begin(loop: asyncio.AbstractEventLoop, work: Coroutine[Any, Any, Any], **how: Any) -> asyncio.Task[Any]:
        return asyncio.Task(work, loop=loop, **how)

    own: Any = begin
    loop.set_task_factory(own)
    undo = task_factory_kept(loop)
    loop.set_task_factory(None)
    undo()
    assert loop.get_task_factory() is own


class Screen(io.StringIO):
    def isatty(self) -> bool:
        return True


def test_the_log_of_verbose_stands_among_the_news_and_a_log_into_a_file_stays_there() -> None:
    logger, screen, file = logging.getLogger("tapewire"), Screen(), io.StringIO()
    before = logger.handlers[:]
    logger.handlers[:] = [logging.StreamHandler(screen), logging.StreamHandler(file)]
    try:
        picture = Picture((), (), 0.0)
        with log_kept_off_the_screen(picture):
            logger.warning("line lost")
        logger.warning("afterwards")
    finally:
        logger.handlers[:] = before
    assert [text for _, (_, text) in picture.notes] == ["line lost"]
    assert screen.getvalue() == "afterwards\n"
    assert file.getvalue() == "line lost\nafterwards\n"
