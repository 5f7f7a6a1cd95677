"""``tapewire demo``: the main job in twenty seconds on the built-in simulator. No network, no key."""

from __future__ import annotations

import asyncio
from itertools import count
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import click

from tapewire.apps.cli.options import Feed, log_to_stderr
from tapewire.apps.cli.running import FAILED, Stop, run
from tapewire.apps.cli.streams import subscriptions
from tapewire.model.counted import count_of

if TYPE_CHECKING:
    from tapewire.apps.cli.reporting import Reporter
    from tapewire.apps.cli.tally import Tally
    from tapewire.model.events import TradeEvent
    from tapewire.sim.server import Simulator


class Play(NamedTuple):
    """What the demo shows of one exchange: markets, those of recorded traffic too, and which streams of them."""

    name: str
    markets: tuple[str, ...]
    recorded: tuple[str, ...]
    types: str


_PLAYS = {
    "upbit": Play(
        "Upbit", ("KRW-BTC", "KRW-ETH", "KRW-XRP"), ("KRW-LAMB", "KRW-WAVES", "BTC-XTZ"),
        "ticker,trade,orderbook,candle.1s",
    ),
    "okx": Play("OKX", ("BTC-USDT", "ETH-USDT", "BTC-USDT-SWAP"), (), "ticker,trade,orderbook,candle.1s"),
    "okex3": Play("OKEX v3", ("BTC-USDT", "BTC-USD-190517", "BTC-USD-SWAP"), (), "ticker,trade,orderbook,candle.1m"),
}  # fmt: skip
#: Shares of the demo's time after which the line is closed, and later left half-open.
_CLOSED_AT, _FROZEN_AT = 0.25, 0.55
#: Seconds at the end in which trades may still arrive that were made before them.
_SETTLE = 0.5


@click.command(short_help="The main job in 20 seconds on the built-in simulator: no network, no key.")
@click.option("--out", type=click.Path(path_type=Path, file_okay=False), metavar="DIR",
              help="Folder for the recording.  [default: demo-recording, or -2, -3 … if that is there]")  # fmt: skip
@click.option("--seconds", type=click.FloatRange(10, 28), default=20, show_default=True, metavar="S", help="10 to 28.")
@click.option("--venue", type=click.Choice(tuple(_PLAYS)), default="upbit", show_default=True, help="Whose exchange.")
@click.option("--seed", type=int, default=1, show_default=True, help="The same seed gives the same market.")
@click.option("--json", "as_json", is_flag=True, help="One JSON object a line, for programs.")
@click.pass_context
def demo(context: click.Context, *, out: Path | None, seconds: float, venue: str, seed: int, as_json: bool) -> None:
    """See the main job done: connect, subscribe, lose the line twice, come back, record, account for every trade.

    Starts a simulated Upbit on this machine, fed with recorded traffic and a seeded market (OKX and OKEX v3: a seeded
    market alone), and records its markets over a real socket. The line is closed once and left half-open once, on
    purpose. The summary compares the files with the simulator's own log: each trade is in them or inside the bounds of
    a told gap.
    """
    log_to_stderr(verbose=False)
    folder = out or _fresh_folder()
    context.exit(run(lambda stop: perform(stop, folder, seconds, seed, venue=venue, as_json=as_json)))


async def perform(stop: Stop, out: Path, seconds: float, seed: int, *, venue: str = "upbit", as_json: bool) -> None:
    """The whole demo; ``stop`` holds the exit code afterwards.

    Args:
        stop: asked for when the user interrupts.
        out: folder for the recording.
        seconds: how long it takes.
        seed: of the simulated market.
        venue: ``upbit``, ``okx`` or ``okex3``.
        as_json: print JSON lines.
    """
    from tapewire.apps.cli.feeding import carry  # noqa: PLC0415 - heavy, loaded when used
    from tapewire.apps.cli.reporting import reporter_for  # noqa: PLC0415
    from tapewire.apps.cli.summary import summarise  # noqa: PLC0415
    from tapewire.sim.scenario import Scenario  # noqa: PLC0415
    from tapewire.sim.server import Simulator  # noqa: PLC0415
    from tapewire.sinks.registry import get_sink  # noqa: PLC0415

    loop, play = asyncio.get_running_loop(), _PLAYS[venue]
    scenario = Scenario(venue=venue, seed=seed, markets=play.markets, recorded=bool(play.recorded))
    async with Simulator(scenario) as simulator:
        feed, ending, started = _feed(simulator, venue, play, as_json=as_json), Stop(), loop.time()
        sink = get_sink("jsonl")(out)
        streams = count_of(len(feed.subscriptions), "stream")
        reporter = reporter_for(
            feed,
            sink,
            loop.time,
            intro=f"{streams} of {play.name}, simulated at {feed.address}, for {seconds:g} s",
            title=lambda: f"tapewire demo {loop.time() - started:.0f}/{seconds:g} s",
        )
        async with feed.client("demo") as client:
            conducting = asyncio.create_task(_conduct(stop, ending, simulator, reporter, seconds), name="conductor")
            try:
                async with reporter:
                    await carry(client, feed, sink, ending, hear=reporter.hear)
                account = _account(conducting.result(), reporter.tally, out, feed.venue)
                reporter.conclude(summarise(reporter.tally, sink, out, loop.time() - started, **account))
            finally:
                conducting.cancel()
                await asyncio.wait([conducting])
    if account.get("lost_in_silence"):
        stop.ask(FAILED)
    elif not as_json:
        _goodbye(out, venue, play)


async def _conduct(
    stop: Stop, ending: Stop, simulator: Simulator, reporter: Reporter, seconds: float
) -> list[TradeEvent] | None:
    """Make the troubles, then end; returns the trades that must be accounted for (None: interrupted before)."""
    try:
        await stop.wait(seconds * _CLOSED_AT)
        if not stop.asked:
            reporter.note("magenta", "-- on purpose: the exchange closes the line (1001) --")
            simulator.drop(1001, "going away")
            await stop.wait(seconds * (_FROZEN_AT - _CLOSED_AT))
        if not stop.asked:
            reporter.note("magenta", "-- on purpose: half-open, nothing passes any more --")
            simulator.freeze()
            await stop.wait(seconds * (1 - _FROZEN_AT) - _SETTLE)
        made = None if stop.asked else simulator.trades
        await stop.wait(_SETTLE)
    finally:
        ending.ask(stop.code)
    return made


def _feed(simulator: Simulator, venue: str, play: Play, *, as_json: bool) -> Feed:
    from tapewire.config import FeedOptions, SessionOptions  # noqa: PLC0415

    session = SessionOptions(ping_interval=2.0, ping_timeout=1.0, backoff_base=0.5, quiet_time=1.0)
    options = FeedOptions(url=simulator.url, rest_url=simulator.rest_url, keep_raw=True, session=session)
    wanted = subscriptions((*play.markets, *play.recorded), play.types)
    return Feed(venue, simulator.url, options, tuple(wanted), as_json=as_json)


def _account(made: list[TradeEvent] | None, tally: Tally, out: Path, venue: str) -> dict[str, int]:
    from tapewire.apps.cli.recorded import recorded_trades  # noqa: PLC0415
    from tapewire.testing.oracle import account  # noqa: PLC0415
    from tapewire.venues.registry import get_venue  # noqa: PLC0415

    if made is None:
        return {}
    counted = get_venue(venue).counts_trades
    found = account(made, recorded_trades(out, venue), tally.gaps.values(), counted=counted)
    return {"made": len(made), "lost_in_silence": len(found.undetected)}


def _fresh_folder() -> Path:
    """A folder that is not there yet: an earlier demo's files are not mixed with this one's."""
    names = (Path(f"demo-recording{'' if number == 1 else f'-{number}'}") for number in count(1))
    return next(path for path in names if not path.exists())


def _goodbye(out: Path, venue: str, play: Play) -> None:
    market = play.markets[0]
    click.echo(
        f"\nLook:   head -2 {out}/{market}_trade.jsonl {out}/misc.jsonl"
        f"\nGo on:  tapewire simulate {venue}    {_watch(venue, market)}tapewire --help"
    )


def _watch(venue: str, market: str) -> str:
    """How the exchange itself is watched, if it is still there."""
    from tapewire.venues.registry import get_venue  # noqa: PLC0415

    if get_venue(venue).facts.retired:
        return ""
    return f"tapewire watch {market}{'' if venue == 'upbit' else f' --venue {venue}'}    "
