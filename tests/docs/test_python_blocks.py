"""Every ```python block of README and docs is run as it stands; only where it connects to is replaced."""

from __future__ import annotations

import _thread
import asyncio
import contextlib
import io
import logging
import re
import sys
import threading
from ast import PyCF_ALLOW_TOP_LEVEL_AWAIT
from collections.abc import Iterator
from pathlib import Path
from types import CodeType
from typing import Any

import pytest

from tapewire.sim.scenario import DEMO_KEY, Scenario
from tapewire.sim.server import Simulator
from tapewire.testing.background import BackgroundSimulator
from tapewire.testing.clock import run_virtual
from tests.docs.pages import Block, blocks

pytest_plugins = ["pytester"]

#: Exchange seconds after which a program that has no end of its own is cut.
CUT = 70.0
#: The address that stands in the pages; what needs a socket there gets one here.
ADDRESS = "ws://127.0.0.1:9001/websocket/v1"

ALL = blocks("python")
PROGRAMS = [block for block in ALL if "def test_" not in block.text]
WITHOUT_ASYNCIO = [block for block in PROGRAMS if "tapewire.blocking" in block.text]
OVER_SOCKETS = [block for block in PROGRAMS if "await markets(" in block.text or "SinkRunner" in block.text]
IN_MEMORY = [block for block in PROGRAMS if block not in (*OVER_SOCKETS, *WITHOUT_ASYNCIO)]


@pytest.fixture(autouse=True)
def _place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """A working directory and a key of its own; the block's logging goes when it ends."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("UPBIT_ACCESS_KEY", DEMO_KEY.access_key)
    monkeypatch.setenv("UPBIT_SECRET_KEY", DEMO_KEY.secret_key.reveal())
    loggers = [logging.getLogger(name) for name in (None, "tapewire")]
    before = [(logger, logger.handlers[:], logger.level) for logger in loggers]
    yield
    for logger, handlers, level in before:
        logger.handlers[:] = handlers
        logger.setLevel(level)


@pytest.mark.parametrize("block", IN_MEMORY, ids=str)
def test_a_program_runs_against_the_simulator(block: Block) -> None:
    printed, cut = run_virtual(_play(block))
    assert printed or "print(" not in block.text, "it printed nothing"
    assert "Traceback" not in printed
    if cut:
        assert "while" in block.text or "async for" in block.text or "sleep(3600)" in block.text, "it does not end"


@pytest.mark.parametrize("block", OVER_SOCKETS, ids=str)
def test_a_program_that_needs_sockets_runs_over_sockets(block: Block) -> None:
    with BackgroundSimulator(rate=300.0) as simulator:
        text = block.text.replace(ADDRESS, simulator.url).replace("call_later(5,", "call_later(0.4,")
        text = text.replace('WebSocketClient("recorder")', f'WebSocketClient("recorder", url="{simulator.url}")')
        text = text.replace("asyncio.run(main())", "await main()")
        printed = asyncio.run(_run(_compiled(block, text)))
    assert printed


@pytest.mark.parametrize("block", WITHOUT_ASYNCIO, ids=str)
def test_a_program_without_asyncio_runs_to_its_end_or_until_ctrl_c(block: Block) -> None:
    if threading.current_thread() is not threading.main_thread():
        pytest.skip("Ctrl-C reaches the main thread only (pytest-xdist on Python 3.13 runs tests in another)")
    ends = "_snapshot(" in block.text
    before = set(threading.enumerate())
    output = io.StringIO() if ends else _CtrlC()
    with BackgroundSimulator(rate=300.0, markets=("KRW-BTC", "KRW-ETH")) as simulator:
        text = re.sub(r'WebSocketClient\(("\w+")\)', rf'WebSocketClient(\1, url="{simulator.url}")', block.text)
        code = compile("\n" * (block.line - 1) + text.replace("sleep(1)", "sleep(0.05)"), block.page, "exec")
        with contextlib.redirect_stdout(output), contextlib.nullcontext() if ends else pytest.raises(KeyboardInterrupt):
            exec(code, {"__name__": "a_page"})  # noqa: S102 - our own pages
    assert output.getvalue().count("\n") >= 3
    assert [one.name for one in set(threading.enumerate()) - before if one.name.startswith("tapewire ")] == []


class _CtrlC(io.StringIO):
    """Interrupts the main thread, once, when some lines were printed."""

    def write(self, text: str) -> int:
        size = super().write(text)
        if text == "\n" and self.getvalue().count("\n") == 5:
            _thread.interrupt_main()
        return size


@pytest.mark.parametrize("block", [block for block in ALL if "def test_" in block.text], ids=str)
def test_a_test_passes(block: Block, pytester: pytest.Pytester) -> None:
    pytester.makepyfile(block.text)
    result = pytester.runpytest_inprocess("-p", "no:cacheprovider", "-p", "no:asyncio")
    result.assert_outcomes(passed=block.text.count("\ndef test_"))


def test_the_pages_have_programs_of_each_sort() -> None:
    assert len(IN_MEMORY) > 12
    assert len(OVER_SOCKETS) == 2
    assert len(WITHOUT_ASYNCIO) == 3
    assert any(block.page == "README.md" for block in IN_MEMORY)


async def _play(block: Block) -> tuple[str, bool]:
    """What it printed, and whether it had to be cut."""
    customer = 5.0 if "my_order" in block.text else None
    simulator = Simulator(Scenario(markets=_markets(block), venue=_venue(block), rate=20.0, customer=customer))
    simulator.exchange  # noqa: B018 - its time begins
    here = ", line_factory=_lines, http=_http)"
    text = re.sub(
        r"(?<!class )WebSocketClient\(((?:[^()]|\([^()]*\))*)\)", lambda call: _call(call[1], here), block.text
    )
    makes = len(re.findall(r"(?<!class )WebSocketClient\((?!\))", block.text))
    assert text.count("line_factory=") == makes, "a client would have gone to the exchange itself"
    text = text.replace("asyncio.run(main())", "await main()")
    names = {"_lines": simulator.lines(), "_http": simulator.http()}
    try:
        return await _run(_compiled(block, text), names), False
    except _Cut as cut:
        return str(cut), True
    finally:
        await simulator.stop()


def _call(arguments: str, here: str) -> str:
    given = arguments.rstrip().rstrip(",")
    return f"WebSocketClient({given})" if "line_factory" in given else f"WebSocketClient({given}{here}"


def _markets(block: Block) -> tuple[str, ...] | None:
    return None if _venue(block) != "upbit" else ("KRW-BTC", "KRW-ETH", "USDT-BTC")


def _venue(block: Block) -> str:
    found = re.search(r'"(upbit-\w\w|okx|okex3)"', block.text)
    return found[1] if found else "upbit"


class _Cut(Exception):
    """A program without an end of its own was ended; what it had printed."""


def _compiled(block: Block, text: str) -> CodeType:
    """With as many line ends in front as the page has, so that a traceback names the page's own line."""
    code: CodeType = compile("\n" * (block.line - 1) + text, block.page, "exec", flags=PyCF_ALLOW_TOP_LEVEL_AWAIT)
    return code


async def _run(code: CodeType, names: dict[str, Any] | None = None) -> str:
    output = io.StringIO()
    namespace: dict[str, Any] = {"__name__": "a_page", **(names or {})}
    with contextlib.redirect_stdout(output):
        running = eval(code, namespace)  # noqa: S307 - our own pages
        if running is not None:
            task = asyncio.ensure_future(running)
            _, late = await asyncio.wait([task], timeout=CUT)
            if late:
                task.cancel()
                await asyncio.wait([task])
                raise _Cut(output.getvalue())
            task.result()
    return output.getvalue()


def test_the_fixture_of_a_cut_program_gives_what_it_printed() -> None:
    """The player itself: an endless program is cut, one that fails fails."""
    endless = Block("x.md", 1, "python", "import asyncio\nwhile True:\n    print(1)\n    await asyncio.sleep(1)\n")
    printed, cut = run_virtual(_play(endless))
    assert (printed.count("1"), cut) == (int(CUT) + 1, True)
    with pytest.raises(ZeroDivisionError):
        run_virtual(_play(Block("x.md", 1, "python", "await __import__('asyncio').sleep(1)\n1 / 0\n")))
    assert "a_page" not in sys.modules
