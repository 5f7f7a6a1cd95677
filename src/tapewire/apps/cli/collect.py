"""``tapewire collect``: one collector of a fleet, which carries its share of the markets to NATS until stopped."""

from __future__ import annotations

import asyncio
import os
import re
import socket
import time
from dataclasses import dataclass, replace
from functools import partial
from typing import TYPE_CHECKING, Any, cast
from urllib.parse import urlencode

import click

from tapewire.apps.cli.collect_private import account_options
from tapewire.apps.cli.options import SECONDS, Feed, venue_options
from tapewire.apps.cli.publish import setting
from tapewire.apps.cli.running import Stop, run
from tapewire.apps.cli.streams import DEFAULT_TYPES, WORDS, subscriptions
from tapewire.apps.cli.terminal import address

if TYPE_CHECKING:
    from tapewire.fleet.account import AccountOptions
    from tapewire.fleet.collector import Private
    from tapewire.fleet.words import FleetOptions, Plan
    from tapewire.model.subscription import Subscription
    from tapewire.sinks.brokers.sink import BrokerSink

_NO_SPOOL = "none"
#: Options of the sink, where the user says nothing else: the last words of a collector may wait for a busy cluster.
_PATIENT = {"close_timeout": 5.0}


@click.command(short_help="One collector of a fleet: carries its share of the markets to NATS.")
@partial(venue_options, rest_only=False)
@click.option("--fleet", "to", metavar="URL", required=True, envvar="TAPEWIRE_FLEET", show_envvar=True,
              help="NATS: nats://…, tls://…, with user:password@ if needed; servers joined by commas.")  # fmt: skip
@click.option("--markets", multiple=True, required=True, metavar="LIST",
              help="Symbols or patterns, joined by commas: 'KRW-*', KRW-BTC,BTC-*; repeatable.")  # fmt: skip
@click.option("--types", default=DEFAULT_TYPES, show_default=True, metavar="LIST", help=f"Of {WORDS}.")
@click.option("--private", metavar="LIST", help="The account's streams, too: myOrder, myAsset; needs its key.")
@click.option("--account", metavar="NAME",
              help="Of the account, in subjects and for people.  [default: a mark of its key]")  # fmt: skip
@click.option("--copies", type=click.IntRange(1, 5), default=2, show_default=True,
              help="Collectors that carry each symbol at once.")  # fmt: skip
@click.option("--name", metavar="NAME", help="Of this collector, unique in the fleet.  [default: HOST-PID]")
@click.option("--fleet-name", metavar="NAME", help="Of the fleet; several can share a NATS.  [default: the venue's]")
@click.option("--lease", type=click.FloatRange(1, 3600), default=5.0, show_default=True, metavar="S",
              help="A member that is not heard of for S seconds is replaced.")  # fmt: skip
@click.option("--handover", type=click.FloatRange(0, 3600), default=20.0, show_default=True, metavar="S",
              help="A clean stop waits so long for others to take over.")  # fmt: skip
@click.option("--form", type=click.Choice(["event", "venue", "msgpack"]), default="event", show_default=True,
              help="Payload: our event as JSON, the exchange's own JSON, our event as MessagePack.")  # fmt: skip
@click.option("--prefix", default="md", show_default=True, help="First part of every subject.")
@click.option("--spool", default=_NO_SPOOL, show_default=True, metavar="DIR",
              help=f"For what waits while NATS is away; {_NO_SPOOL}: in memory.")  # fmt: skip
@click.option("--set", "settings", multiple=True, metavar="NAME=VALUE",
              help="Any other option of the sink: replicas=3, duplicates=300; see docs/brokers.md.")  # fmt: skip
@click.option("--limits", metavar="WHERE",
              help="Where the exchange's limits are kept: host; fleet, the NATS of --fleet, for hosts that share one "
                   "public address; or nats://…, redis://….  [default: host]")  # fmt: skip
@click.option("--redundancy", type=click.IntRange(1, 4), metavar="N", help="Connections of this collector.")
@click.option("--seconds", type=SECONDS, metavar="S", help="Stop by itself after S seconds.")
@click.option("--metrics", type=click.IntRange(0, 65535), metavar="PORT",
              help="Serve figures for Prometheus on 127.0.0.1 (0: any free port); /health too.")  # fmt: skip
@click.pass_context
def collect(
    context: click.Context, *, feed: Feed, to: str, markets: tuple[str, ...], types: str,
    private: str | None, account: str | None, copies: int,
    name: str | None, fleet_name: str | None, lease: float, handover: float, form: str, prefix: str, spool: str,
    settings: tuple[str, ...], limits: str | None, seconds: float | None, metrics: int | None,
) -> None:  # fmt: skip
    """Carry a share of the markets to NATS until Ctrl-C, SIGTERM or --seconds: start as many of these as you like.

    All that name the same NATS and fleet share out the symbols, each carried by --copies of them at once; the broker
    drops what comes twice. One that dies, hangs or is cut off is replaced within --lease; one that is stopped hands
    over first. `tapewire fleet` shows who carries what; docs/fleet.md says what happens when what dies.

    \b
    tapewire collect --fleet nats://127.0.0.1:4222 --markets 'KRW-*' --types trade,orderbook
    tapewire collect --fleet nats://a,b,c --set replicas=3 --markets 'KRW-*,BTC-*' --name host-7 --spool spool
    tapewire collect --fleet nats://127.0.0.1 --venue okx --markets 'BTC-USDT,ETH-USDT' --copies 3
    tapewire collect --fleet nats://127.0.0.1 --markets KRW-BTC --private myOrder,myAsset --account main
    """  # noqa: D301 - click wants the character
    from tapewire.fleet.words import FleetOptions, Plan  # noqa: PLC0415 - heavy, loaded when used

    own = dict(map(setting, settings))
    patterns = tuple(part for text in markets for part in text.split(",") if part)
    plan = Plan(venue=feed.venue, markets=patterns, types=types, copies=copies, prefix=prefix,
                stream=own.get("stream", "md"))  # fmt: skip
    host = re.sub(r"[^A-Za-z0-9_-]", "-", socket.gethostname())
    options = FleetOptions(
        fleet=feed.venue if fleet_name is None else fleet_name, name=name or f"{host[:80]}-{os.getpid()}", lease=lease,
        handover=handover, replicas=own.get("replicas", 1),
    )  # fmt: skip
    _check_types(plan)
    folder = None if spool == _NO_SPOOL else spool
    owned = None if private is None else account_options(feed, private, account, plan, options)
    if account is not None and owned is None:
        raise click.UsageError("--account names the account of --private myOrder,myAsset")
    share = _Share(plan, options, to, _PATIENT | own | {"form": form, "prefix": prefix, "spool": folder}, host,
                   private=owned)  # fmt: skip
    feed = replace(feed, seconds=seconds, metrics=metrics)
    kept = limits or ("host" if feed.options.limits == "process" else feed.options.limits)
    if kept == "host" and owned is not None:
        share = replace(share, limits=_fleets_own(to, own, scope="accounts"))
    else:
        share = replace(share, limits=_fleets_own(to, own) if kept == "fleet" else kept)
    context.exit(run(lambda stop: _collect(stop, feed, share, keep_raw=form == "venue")))


def _fleets_own(to: str, own: dict[str, Any], **also: str) -> str:
    """The fleet's NATS as the place of limits, with what else it takes to be let in."""
    given = [(name, str(own[name])) for name in ("ca", "credentials", "replicas") if name in own]
    more = urlencode([*given, *also.items()])
    return f"{to}?{more}" if more else to


def _check_types(plan: Plan) -> None:
    """A type without a market cannot be shared out by markets."""
    for one in subscriptions(["XXX-YYY"], plan.types):
        if not one.symbol:
            raise click.BadParameter(f"{one.kind} belongs to no market: send it by `tapewire publish`",
                                     param_hint="'--types'")  # fmt: skip


@dataclass(frozen=True)
class _Share:
    """What this collector is to be."""

    plan: Plan
    options: FleetOptions
    to: str
    sink: dict[str, Any]
    host: str
    limits: str = "host"
    private: AccountOptions | None = None

    def streams_of(self, symbol: str) -> list[Subscription]:
        return subscriptions([symbol], self.plan.types)


def _private(share: _Share, account: AccountOptions) -> Private:
    """A stream and subjects of the account's own: who may read the markets need not be let in there."""
    from tapewire.fleet.collector import Private  # noqa: PLC0415 - heavy, loaded when used
    from tapewire.sinks.registry import get_sink  # noqa: PLC0415

    stream, prefix = f"{share.plan.stream}-account-{account.name}", f"{share.plan.prefix}-account.{account.name}"
    form = "msgpack" if share.sink["form"] == "msgpack" else "event"
    # what it has not sent is read of the exchange again, by whoever carries the account then: nothing waits on disk
    own = {"stream": stream, "prefix": prefix, "form": form, "spool": None, "order_ids": "mark", "batch": 1}
    return Private(account, cast("BrokerSink", get_sink("nats")(share.to, **share.sink | own)), stream, prefix)


async def _collect(stop: Stop, feed: Feed, share: _Share, *, keep_raw: bool) -> None:
    from tapewire.apps.cli.feeding import serve_metrics  # noqa: PLC0415 - heavy, loaded when used
    from tapewire.apps.cli.reporting import LineReporter  # noqa: PLC0415
    from tapewire.apps.cli.running import PAUSE  # noqa: PLC0415
    from tapewire.apps.cli.summary import broker_words, summarise  # noqa: PLC0415
    from tapewire.fleet.collector import Collector  # noqa: PLC0415
    from tapewire.fleet.lease import Bucket  # noqa: PLC0415
    from tapewire.sinks.brokers.address import Address  # noqa: PLC0415
    from tapewire.sinks.brokers.nats_line import SCHEMES  # noqa: PLC0415
    from tapewire.sinks.registry import get_sink  # noqa: PLC0415

    sink = cast("BrokerSink", get_sink("nats")(share.to, **share.sink))  # the one broker that fleets know
    door = {key: share.sink.get(key) for key in ("credentials", "ca")}
    bucket = Bucket(Address(share.to, SCHEMES), share.options, **door)
    private = None if share.private is None else _private(share, share.private)
    loop = asyncio.get_running_loop()
    # what one of them lacks another has sent already: each keeps its order
    changes = {"recovery_order": "before", "limits": share.limits}
    async with feed.client("collect", keep_raw=keep_raw, **changes) as client:
        await serve_metrics(client, feed)
        intro = f"collecting {','.join(share.plan.markets)} of {address(feed.address)} to {sink.where}"
        reporter = LineReporter(
            intro, loop.time, sink, as_json=feed.as_json, pause=PAUSE, words=lambda: broker_words(sink.figures),
            facts=lambda: {"state": collector.state},
        )  # fmt: skip
        collector = Collector(
            client, sink, bucket, share.plan, share.options, streams_of=share.streams_of, host=share.host,
            window=float(share.sink.get("duplicates", 120.0)), wall_ns=time.time_ns, hear=reporter.hear,
            tell=reporter.note, private=private,
        )  # fmt: skip
        started = loop.time()
        async with reporter:
            await collector.run(lambda: stop.wait(feed.seconds))
        reporter.conclude(summarise(reporter.tally, sink, sink.where, loop.time() - started, broker=sink.figures))
