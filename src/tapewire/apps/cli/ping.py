"""``tapewire ping``: does an exchange answer, and how fast?"""

from __future__ import annotations

import asyncio
import sys
from contextlib import aclosing
from typing import TYPE_CHECKING, Any

import click

from tapewire.apps.cli.options import Feed, venue_options
from tapewire.apps.cli.running import Stop, run
from tapewire.apps.cli.terminal import address, json_line, plain
from tapewire.errors import ConfigError

if TYPE_CHECKING:
    from tapewire.client import Sign


@click.command(short_help="Ask an exchange for signs of life: does it answer, and how fast?")
@click.option("--count", type=click.IntRange(min=1), default=3, show_default=True, metavar="N",
              help="Stop after N signs of life.")  # fmt: skip
@click.option("--text/--frame", "text", default=True, show_default="--text",
              help="Send the text PING once (answered at once, then every 10 s), or PING frames.")  # fmt: skip
@click.option("--timeout", type=click.FloatRange(min=0, min_open=True), default=15.0, show_default=True, metavar="S",
              help="Seconds to wait for each sign.")  # fmt: skip
@venue_options
@click.pass_context
def ping(context: click.Context, feed: Feed, count: int, text: bool, timeout: float) -> None:
    """Connect, ask for signs of life and print each with its time. Subscribes nothing and does not reconnect.

    The first UP after the text PING is a round trip; the exchange sends the others by itself, every 10 s.

    \b
    tapewire ping
    tapewire ping --frame --count 5
    tapewire ping --url ws://127.0.0.1:9001/websocket/v1
    """  # noqa: D301 - click wants the character
    if feed.options.url is None and feed.address.startswith("http"):
        raise ConfigError("url", address(feed.address), "a ws:// or wss:// address: REST calls show no sign of life")
    context.exit(run(lambda stop: _ping(stop, feed, count, text=text, seconds=timeout)))


async def _ping(stop: Stop, feed: Feed, count: int, *, text: bool, seconds: float) -> None:
    report = _Report(as_json=feed.as_json)
    asking = asyncio.create_task(_ask(report, feed, count, text=text, seconds=seconds), name="ping")
    stopping = asyncio.create_task(stop.wait(), name="stopping")
    await asyncio.wait({asking, stopping}, return_when=asyncio.FIRST_COMPLETED)
    stopping.cancel()
    if not asking.done():
        asking.cancel()
        await asyncio.wait({asking})
    report.conclude()
    if not asking.cancelled():
        asking.result()


async def _ask(report: _Report, feed: Feed, count: int, *, text: bool, seconds: float) -> None:
    from tapewire.client import probe  # noqa: PLC0415 - heavy, loaded when used

    async with aclosing(probe(feed.venue, text=text, timeout=seconds, options=feed.options)) as signs:
        async for sign in signs:
            report.tell(sign)
            if report.signs == count:
                return


class _Report:
    """Prints signs of life as they come, and the round trips at the end."""

    def __init__(self, *, as_json: bool) -> None:
        self.signs = 0
        self._as_json = as_json
        self._trips: list[float] = []

    def tell(self, sign: Sign) -> None:
        """One line for one sign."""
        facts: dict[str, Any] = {"type": sign.kind, "ms": _ms(sign.seconds)}
        if sign.kind == "connected":
            where = address(sign.url)
            self._print(facts | {"url": where}, f"connected to {where} in {_shown(sign.seconds)}")
            return
        self.signs += 1
        if sign.kind == "pong" or self.signs == 1:
            self._trips.append(sign.seconds)
        self._print(facts, f"{sign.kind.upper()}  after {_shown(sign.seconds)}")

    def conclude(self) -> None:
        """One line about all of them; none when there was none."""
        if not self.signs:
            return
        low, mean, high = min(self._trips), sum(self._trips) / len(self._trips), max(self._trips)
        trips = {"min": _ms(low), "mean": _ms(mean), "max": _ms(high)}
        several = f"{_shown(low)} to {_shown(high)}, {_shown(mean)} on average"
        text = f"{self.signs} sign{'' if self.signs == 1 else 's'} of life; round trip "
        self._print(
            {"type": "summary", "signs": self.signs, "round_trip_ms": trips},
            text + (_shown(low) if len(self._trips) == 1 else several),
        )

    def _print(self, facts: dict[str, Any], text: str) -> None:
        sys.stdout.buffer.write(json_line(facts) if self._as_json else f"{plain(text)}\n".encode())
        sys.stdout.buffer.flush()


def _ms(seconds: float) -> float:
    return round(seconds * 1000, 3)


def _shown(seconds: float) -> str:
    """For people: ``0.4 ms``, ``3 ms``, ``10.0 s``."""
    if seconds >= 1:
        return f"{seconds:.1f} s"
    return f"{seconds * 1000:.0f} ms" if seconds >= 0.01 else f"{seconds * 1000:.1f} ms"
