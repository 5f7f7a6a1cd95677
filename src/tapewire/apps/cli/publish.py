"""``tapewire publish``: markets to a message broker until stopped."""

from __future__ import annotations

import asyncio
from math import inf
from typing import TYPE_CHECKING, Any

import click
import msgspec

from tapewire.apps.cli.options import Feed, feed_options
from tapewire.apps.cli.running import Stop, run
from tapewire.apps.cli.terminal import address, count_of

if TYPE_CHECKING:
    from tapewire.sinks.brokers.options import Figures
    from tapewire.sinks.contract import Sink

_NO_SPOOL = "none"


@click.command(short_help="Feed a message broker: NATS, Redis, RabbitMQ, Kafka.")
@feed_options
@click.option("--to", metavar="URL", required=True, envvar="TAPEWIRE_PUBLISH_TO", show_envvar=True,
              help="nats://…, tls://…, redis://…, rediss://…, amqp://…, amqps://…, kafka://…, kafkas://…, "
              "with user:password@ if needed.")  # fmt: skip
@click.option("--form", type=click.Choice(["event", "venue", "msgpack"]), default="event", show_default=True,
              help="Payload: our event as JSON, the exchange's own JSON, our event as MessagePack.")  # fmt: skip
@click.option("--batch", type=click.IntRange(1, 1000), default=1, show_default=True,
              help="Events of one message at most; more than 1: always a list.")  # fmt: skip
@click.option("--prefix", default="md", show_default=True, help="First part of every subject.")
@click.option("--spool", default="publish-spool", show_default=True, metavar="DIR",
              help=f"For what waits while the broker is away; {_NO_SPOOL}: in memory.")  # fmt: skip
@click.option("--set", "settings", multiple=True, metavar="NAME=VALUE",
              help="Any other option of the sink: replicas=3, max_len=100000; see docs/brokers.md.")  # fmt: skip
@click.pass_context
def publish(
    context: click.Context, *, feed: Feed, to: str, form: str, batch: int, prefix: str, spool: str,
    settings: tuple[str, ...],
) -> None:  # fmt: skip
    """Send markets to a message broker until Ctrl-C, SIGTERM or --seconds: each event at least once, confirmed.

    Subjects are md.upbit.kr.trade.KRW-BTC and the like; each event has an id by which doubles are dropped. While the
    broker is away, what comes waits on disk and is sent later, in order.

    \b
    tapewire publish KRW-BTC KRW-ETH --types trade,ticker --to nats://127.0.0.1:4222
    tapewire publish KRW-BTC --to redis://127.0.0.1:6379 --batch 20 --set max_len=100000
    tapewire publish KRW-BTC --to nats://a,b,c --set replicas=3 --form msgpack
    tapewire publish KRW-BTC --to kafka://a,b,c --set partitions=12 --set replicas=3
    TAPEWIRE_PUBLISH_TO=nats://me:secret@host tapewire publish KRW-BTC
    """  # noqa: D301 - click wants the character
    from tapewire.sinks.registry import sink_of  # noqa: PLC0415 - heavy, loaded when used

    options = {"form": form, "batch": batch, "prefix": prefix, "spool": None if spool == _NO_SPOOL else spool}
    sink = sink_of(to)(to, **options | dict(map(setting, settings)))
    context.exit(run(lambda stop: _publish(stop, feed, sink, keep_raw=form == "venue")))


def setting(text: str) -> tuple[str, Any]:
    """``NAME=VALUE`` as name and value. Raises click.BadParameter."""
    name, found, value = text.partition("=")
    if not found:
        raise click.BadParameter(f"{text!r} is not NAME=VALUE", param_hint="--set")
    try:
        return name, msgspec.json.decode(value)
    except msgspec.DecodeError:  # a word
        return name, value


async def _publish(stop: Stop, feed: Feed, sink: Sink, *, keep_raw: bool) -> None:
    from tapewire.apps.cli.feeding import carry, serve_metrics  # noqa: PLC0415 - heavy, loaded when used
    from tapewire.apps.cli.reporting import reporter_for  # noqa: PLC0415
    from tapewire.apps.cli.summary import broker_words, summarise  # noqa: PLC0415

    loop = asyncio.get_running_loop()
    where, started = str(getattr(sink, "where", "the broker")), loop.time()
    async with feed.client("publish", keep_raw=keep_raw) as client:
        await serve_metrics(client, feed)
        intro = f"publishing {count_of(len(feed.subscriptions), 'stream')} of {address(feed.address)} to {where}"
        reporter = reporter_for(
            feed, sink, loop.time, intro=intro, words=lambda: broker_words(_figures(sink)),
            title=lambda: f"tapewire publish → {where} · {broker_words(_figures(sink))}",
            facts=lambda: {"broker": msgspec.to_builtins(_figures(sink))},
        )  # fmt: skip
        failed = True
        try:
            async with reporter:
                await carry(client, feed, sink, stop, hear=reporter.hear, patience=inf)
            failed = False
        finally:
            if sink.written() or not failed:  # what never began has no figures: the error says why
                taken = loop.time() - started
                reporter.conclude(summarise(reporter.tally, sink, where, taken, broker=_figures(sink)))


def _figures(sink: Sink) -> Figures:
    """What the broker got; a sink from elsewhere may have no such figures of its own."""
    from tapewire.sinks.brokers.options import Figures  # noqa: PLC0415

    found = getattr(sink, "figures", None)
    return found if isinstance(found, Figures) else Figures(confirmed=sum(row.events for row in sink.written()))
