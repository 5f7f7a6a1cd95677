"""``tapewire replay``: raw tapes played as if live, to the terminal, to a pipe or to files."""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import Coroutine, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from tapewire.apps.cli.gaps import Moment
from tapewire.apps.cli.running import ended_by_sigterm
from tapewire.apps.cli.terminal import count_of, kind_of
from tapewire.errors import FeedError
from tapewire.model.events import Event

if TYPE_CHECKING:
    from tapewire.client.replaying import Replay
    from tapewire.model.subscription import Subscription
    from tapewire.sinks.contract import Item, Sink

#: Events written at once where the tape is played faster than anybody reads.
_BATCH = 1_000


@click.command(short_help="Play raw tapes as if live: to the terminal, a pipe, files.")
@click.argument("folders", metavar="DIR...", nargs=-1, required=True, type=click.Path(path_type=Path, file_okay=False))
@click.option("--speed", default="1", show_default=True, metavar="N|max",
              help="Times as fast as it was; max waits for nothing.")  # fmt: skip
@click.option(
    "--from", "since", type=Moment(), metavar="WHEN", help="Begin there: a time such as 2026-11-21T09:00 (UTC)."
)
@click.option("--to", "until", type=Moment(), metavar="WHEN", help="End there.")
@click.option("--symbols", default="", metavar="CODES", help="Only these, such as KRW-BTC,KRW-ETH.  [default: all]")
@click.option("--types", default="", metavar="TYPES", help="Only these, such as trade,candle.1s.  [default: all]")
@click.option("--out", type=click.Path(path_type=Path, file_okay=False), metavar="DIR",
              help="Write JSON lines files there, as `tapewire record` does, instead of printing.")  # fmt: skip
@click.option("--form", type=click.Choice(["raw", "event"]), default="raw", show_default=True,
              help="With --out: the exchange's own JSON, or our event with its time of receipt.")  # fmt: skip
@click.option("--tape", type=click.Path(path_type=Path, file_okay=False), metavar="DIR",
              help="Keep what is played on another tape: all of it gives the same bytes.")  # fmt: skip
@click.option("--serve", is_flag=True, help="Serve the tapes as a simulated exchange on this machine, for any client.")
@click.option("--host", default="127.0.0.1", show_default=True, help="Address to listen on, with --serve.")
@click.option("--port", type=click.IntRange(0, 65535), default=9001, show_default=True,
              help="With --serve; of a second venue the next one. 0 takes any free one.")  # fmt: skip
@click.option("--at-once", is_flag=True, help="With --serve: begin without waiting for the first client.")
@click.option("--json", "as_json", is_flag=True, help="One JSON object a line, for programs.")
@click.pass_context
def replay(
    context: click.Context, *, folders: tuple[Path, ...], speed: str, since: timedelta | datetime | None,
    until: timedelta | datetime | None, symbols: str, types: str, out: Path | None, form: str, tape: Path | None,
    as_json: bool, serve: bool, host: str, port: int, at_once: bool,
) -> None:  # fmt: skip
    """Play the tapes in DIR, which `tapewire record --tape DIR` made, as if live: every event, loss and recovery.

    Several tapes are merged by time. The same tape gives the same events in the same order, at any speed.

    \b
    tapewire replay ticks
    tapewire replay ticks --speed max --json | jq .trade_price
    tapewire replay upbit okx --speed 10 --from 2026-11-21T09:00 --to 2026-11-21T09:30 --types trade
    tapewire replay ticks --speed max --out files
    tapewire replay ticks --serve --port 9001 --speed 2     (then: tapewire watch --url ws://127.0.0.1:9001/websocket/v1)
    tapewire replay ticks --speed max --from 2026-11-21T09:00 --to 2026-11-21T09:30 --tape half-an-hour
    """  # noqa: D301 - click wants the character
    from tapewire.apps.cli.lines import LineSink  # noqa: PLC0415 - heavy, loaded when used
    from tapewire.client.replaying import replay as play  # noqa: PLC0415
    from tapewire.sinks.registry import get_sink  # noqa: PLC0415

    pace = _pace(speed)
    part = _ns(since, 0), _ns(until, 2**64)
    if serve:
        given = {"--symbols": symbols, "--types": types, "--out": out, "--tape": tape}
        _check_serving(pace, [name for name, value in given.items() if value])
        context.exit(_serve(folders, part, pace or 1.0, (host, port), at_once=at_once, as_json=as_json))
    sink: Sink = LineSink(as_json=as_json) if out is None else get_sink("jsonl")(out, form=form)
    recorded = _recorded(folders)
    wanted = _wanted(recorded, symbols, types)
    began, output = time.monotonic(), _Output(sink, wanted)
    with ended_by_sigterm(), output:
        played = play(
            folders,
            lambda again: _hear(again, recorded, output),
            speed=pace,
            since_ns=part[0],
            until_ns=part[1],
            tape=tape,
        )
    for damage in played.damages:
        click.echo(f"tapewire: {damage}", err=True)
    seconds = time.monotonic() - began
    events, records = count_of(output.count, "event"), count_of(played.records, "record")
    click.echo(f"{events} of {records} in {seconds:.1f} s", err=True)


def _check_serving(pace: float | None, others: list[str]) -> None:
    if pace is None:
        raise click.BadParameter("a tape is served at a speed: a client has to keep up", param_hint="'--speed'")
    if others:
        raise click.UsageError(f"{', '.join(others)}: not with --serve; a client chooses what it hears.")


def _serve(
    folders: tuple[Path, ...],
    part: tuple[int, int],
    speed: float,
    place: tuple[str, int],
    *,
    at_once: bool,
    as_json: bool,
) -> int:
    from tapewire.apps.cli.serving import Served, serve  # noqa: PLC0415 - heavy, loaded when used

    return serve(Served(folders, *part, speed, *place, at_once), as_json=as_json)


async def _hear(again: Replay, recorded: dict[str, list[Subscription]], output: _Output) -> Any:
    """Everything is subscribed, whatever is wanted of it: so each connection is again what it was."""
    from tapewire.client import WebSocketClient  # noqa: PLC0415 - heavy, loaded when used

    clients = {venue: WebSocketClient("replay", venue, url=again.url_of(venue), keep_raw=True) for venue in recorded}
    try:
        for venue, client in clients.items():
            client.subscribe_feed(output.hear)
            await client.subscribe(recorded[venue], output.hear)
        await output.until(again.ended())
    finally:
        await asyncio.gather(*(client.cleanup() for client in clients.values()))
    return again.played


class _Output:
    """Hands events to a sink at the end of each turn of the loop, or when they are many; the tape waits for it."""

    def __init__(self, sink: Sink, wanted: frozenset[tuple[str, str]]) -> None:
        self._sink, self._wanted = sink, wanted
        self._items: list[Item] = []
        self._failure: BaseException | None = None
        self._failed = asyncio.Event()
        self.count = 0

    async def until(self, end: Coroutine[Any, Any, None]) -> None:
        """Wait for it, or for the sink to fail, whose error is raised then."""
        waits = {asyncio.ensure_future(end), asyncio.ensure_future(self._failed.wait())}
        try:
            await asyncio.wait(waits, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for wait in waits:
                wait.cancel()
        if self._failure is not None:
            raise self._failure

    def hear(self, item: Item) -> None:
        if isinstance(item, Event) and (item.symbol, kind_of(item)) not in self._wanted:
            return
        if not self._items:
            asyncio.get_running_loop().call_soon(self.flush)
        self._items.append(item)
        self.count += 1
        if len(self._items) >= _BATCH:
            self.flush()

    def flush(self) -> None:
        """Hand over what waits. What the sink raises ends the replay: nothing is handed over any more."""
        items, self._items = self._items, []
        if not items or self._failure is not None:
            return
        try:
            self._sink.write(items)
        except (FeedError, OSError) as error:
            self._failure = error
            self._failed.set()

    def __enter__(self) -> None:
        self._sink.open()

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        self.flush()
        with contextlib.suppress(FeedError) if kind is not None else contextlib.nullcontext():  # it is told already
            self._sink.close()
        if kind is None and self._failure is not None:
            raise self._failure


def _pace(speed: str) -> float | None:
    if speed == "max":
        return None
    try:
        pace = float(speed.removesuffix("x"))
    except ValueError:
        pace = 0.0
    if not 0 < pace < float("inf"):
        raise click.BadParameter(f"{speed!r} is neither a number above 0 nor max", param_hint="'--speed'")
    return pace


def _ns(moment: timedelta | datetime | None, otherwise: int) -> int:
    if moment is None:
        return otherwise
    if isinstance(moment, timedelta):
        return int((datetime.now(UTC) - moment).timestamp() * 1e9)
    return int((moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp() * 1e9)


def _recorded(folders: Sequence[Path]) -> dict[str, list[Subscription]]:
    """The streams that the tapes tell of, by venue."""
    from tapewire.client.replaying import recorded_streams  # noqa: PLC0415 - heavy, loaded when used

    found: dict[str, list[Subscription]] = {}
    for folder in folders:
        venue, streams = recorded_streams(folder)
        found.setdefault(venue, []).extend(streams)
    return found


def _wanted(recorded: dict[str, list[Subscription]], symbols: str, types: str) -> frozenset[tuple[str, str]]:
    """Symbol and type of what is shown."""
    codes, kinds = set(filter(None, symbols.split(","))), set(filter(None, types.split(",")))
    rows = {(one.symbol, _word(one)) for streams in recorded.values() for one in streams}
    chosen = {(code, kind) for code, kind in rows if (not codes or code in codes) and (not kinds or kind in kinds)}
    if not chosen:
        there = ", ".join(sorted({" ".join(row) for row in rows})) or "nothing"
        raise click.BadParameter(f"the tape has no such stream; it has {there}", param_hint="'--symbols' or '--types'")
    return frozenset(chosen)


def _word(stream: Subscription) -> str:
    return f"{stream.kind}.{stream.unit}" if stream.unit else stream.kind
