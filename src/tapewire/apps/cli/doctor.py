"""``tapewire doctor``: every step towards an exchange tried, with what was found and what to do."""

from __future__ import annotations

import asyncio
import os
import shutil
import sys
from collections.abc import AsyncGenerator
from contextlib import aclosing
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import click
import msgspec

from tapewire.apps.cli.options import SECONDS, Feed, venue_options
from tapewire.apps.cli.running import FAILED, Stop, run
from tapewire.apps.cli.terminal import address, count_of, is_terminal, json_line, plain
from tapewire.errors import ConfigError

if TYPE_CHECKING:
    from tapewire.client.doctor import Finding

_MARKS = {"ok": ("ok", "green"), "warning": ("look", "yellow"), "failed": ("FAIL", "red"), "skipped": ("–", None)}
_NARROWEST, _WIDEST, _MARGIN = 40, 120, 18


@click.command(short_help="Try every step towards an exchange and say what to do.")
@click.option("--out", type=click.Path(path_type=Path), default=Path("recording"), show_default=True,
              metavar="DIR", help="Folder that a recording would go to.")  # fmt: skip
@click.option("--timeout", type=SECONDS, default=30.0, show_default=True, metavar="S",
              help="Seconds for all steps together.")  # fmt: skip
@partial(venue_options, rest_only=False)
@click.pass_context
def doctor(context: click.Context, feed: Feed, out: Path, timeout: float) -> None:
    """Try every step from this machine to an exchange, one after the other, and say what was found and what to do.

    Settings, proxy, folder, disk, open files, name, TCP, TLS and its certificate, clock, limits, WebSocket, PING,
    REST, one snapshot; with a key also whether it is taken and what it permits. Changes nothing. Ends with 1 when
    something is wrong, and never takes much longer than --timeout.

    \b
    tapewire doctor
    tapewire doctor --url ws://127.0.0.1:9001/websocket/v1
    tapewire doctor --keys upbit-keys.toml --json
    """  # noqa: D301 - click wants the character
    if feed.options.url is None and feed.address.startswith("http"):
        raise ConfigError("url", feed.address, "a ws:// or wss:// address; that of REST goes to --rest-url")
    context.exit(run(lambda stop: _doctor(stop, feed, out, timeout)))


async def _doctor(stop: Stop, feed: Feed, out: Path, seconds: float) -> None:
    report = _Report(as_json=feed.as_json)
    working = asyncio.create_task(_work(report, feed, out, seconds), name="doctor")
    stopping = asyncio.create_task(stop.wait(), name="stopping")
    await asyncio.wait({working, stopping}, return_when=asyncio.FIRST_COMPLETED)
    stopping.cancel()
    if not working.done():
        working.cancel()
        await asyncio.wait({working})
    report.conclude()
    if not working.cancelled():
        working.result()
        if report.counts["failed"]:
            stop.ask(FAILED)


async def _work(report: _Report, feed: Feed, out: Path, seconds: float) -> None:
    async with aclosing(_findings(feed, out, seconds)) as findings:
        async for finding in findings:
            report.tell(finding)


async def _findings(feed: Feed, out: Path, seconds: float) -> AsyncGenerator[Finding, None]:
    from tapewire.client.doctor import examine  # noqa: PLC0415 - heavy, loaded when used

    yield _of_settings(feed)
    steps = examine(feed.venue, options=feed.options, credentials=feed.credentials, folder=out, timeout=seconds)
    async with aclosing(steps) as findings:
        async for finding in findings:
            yield finding


def _of_settings(feed: Feed) -> Finding:
    """Which settings hold, and which names of the environment mean nothing."""
    from tapewire.apps.environment import names_without_meaning  # noqa: PLC0415 - heavy, loaded when used
    from tapewire.client.doctor import Finding  # noqa: PLC0415

    idle = names_without_meaning()
    source = f"from {', '.join(feed.sources)}" if feed.sources else "every other option has its default"
    return Finding(
        step="settings",
        state="warning" if idle else "ok",
        found=f"{feed.venue} at {address(feed.address)}; {source}",
        advice="; ".join(f"{name} means nothing here: {why}" for name, why in idle.items()),
        facts={"venue": feed.venue, "sources": feed.sources, "without_meaning": sorted(idle)},
    )


class _Report:
    """Prints findings as they come and counts them; those not tried for one reason share a line."""

    def __init__(self, *, as_json: bool) -> None:
        self.counts = {"ok": 0, "warning": 0, "failed": 0, "skipped": 0}
        self._as_json = as_json
        self._skipped: list[Finding] = []

    def tell(self, finding: Finding) -> None:
        """One finding: its line, and below it what to do."""
        self.counts[finding.state] += 1
        if self._as_json:
            self._print(json_line(finding))
            return
        if self._skipped and finding.found != self._skipped[0].found:
            self._tell_skipped()
        if finding.state == "skipped":
            self._skipped.append(finding)
        else:
            self._print(_text(finding).encode())

    def conclude(self) -> None:
        """One line about all of them."""
        if self._as_json:
            self._print(json_line({"step": "summary", **self.counts}))
            return
        self._tell_skipped()
        good, bad, look = self.counts["ok"], self.counts["failed"], self.counts["warning"]
        words = [count_of(good, "step") + " well", *([f"{look} to look at"] if look else []), f"{bad} failed"]
        skipped = [f"{self.counts['skipped']} not tried"] if self.counts["skipped"] else []
        self._print(f"\n{', '.join(words + skipped)}.\n".encode())

    def _tell_skipped(self) -> None:
        if not self._skipped:
            return
        first, *more = self._skipped
        others = f"; nor are {', '.join(one.step for one in more)}" if more else ""
        self._skipped = []
        self._print(_text(msgspec.structs.replace(first, found=first.found + others)).encode())

    def _print(self, line: bytes) -> None:
        sys.stdout.buffer.write(line)
        sys.stdout.buffer.flush()


def _text(finding: Finding) -> str:
    word, colour = _MARKS[finding.state]
    coloured = is_terminal() and not os.environ.get("NO_COLOR")
    mark = click.style(f"{word:<4}", fg=colour, bold=finding.state == "failed") if coloured else f"{word:<4}"
    lines = _wrapped(finding.found)
    if finding.advice and finding.state != "ok":
        lines += _wrapped(f"→ {finding.advice}", "  ")
    first, *more = lines
    return "".join(
        f"{line}\n"
        for line in (f"{mark}  {finding.step:<{_MARGIN - 7}} {first}", *(" " * _MARGIN + one for one in more))
    )


def _wrapped(text: str, hanging: str = "") -> list[str]:
    """Lines for the terminal's width; what the exchange says may be Korean, whose letters are two columns wide."""
    from rich.console import Console  # noqa: PLC0415 - heavy, loaded when used
    from rich.text import Text  # noqa: PLC0415

    columns = shutil.get_terminal_size((_WIDEST, 24)).columns
    width = max(_NARROWEST, min(columns, _WIDEST)) - _MARGIN - len(hanging)
    first, *more = (line.plain.rstrip() for line in Text(plain(text, 2000)).wrap(Console(), width))
    return [first, *(hanging + line for line in more)]
