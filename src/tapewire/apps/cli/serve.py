"""``tapewire serve``: the gateway, its doors and the live page on one port."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from tapewire.apps.cli.options import SECONDS, feed_of, log_to_stderr, venue_names_like
from tapewire.apps.cli.running import Stop, run
from tapewire.apps.cli.terminal import count_of, json_line
from tapewire.errors import ConfigError

if TYPE_CHECKING:
    from tapewire.apps.cli.options import Feed
    from tapewire.apps.gateway.gateway import Gateway

_LISTEN = "127.0.0.1:8765"
#: Of all clients, of those that have not asked yet, and of the gateway itself.
_FILES = 4096


@click.command(short_help="Serve one upstream to many local programs, and the live page.")
@click.option("--venue", "venues", multiple=True, metavar="VENUE", shell_complete=venue_names_like,
              help="What to serve; repeatable, the first is meant where none is named.  [default: upbit]")  # fmt: skip
@click.option("--listen", default=_LISTEN, show_default=True, metavar="HOST:PORT",
              help="Where to listen; port 0 takes a free one. Beyond this machine: --tokens and --tls.")  # fmt: skip
@click.option("--url", "urls", multiple=True, metavar="[VENUE=]URL",
              help="Another server behind it: a simulator, a message broker; repeatable.")  # fmt: skip
@click.option("--profile", metavar="NAME", help="development, testing, staging, production, or one of the file's.")
@click.option("--redundancy", type=click.IntRange(1, 4), metavar="N",
              help="Upstream connections that carry the same streams.  [default: 1]")  # fmt: skip
@click.option("--tokens", type=click.Path(path_type=Path, dir_okay=False), metavar="FILE",
              help="TOML file with [[tokens]], mode 0600: who may use the gateway, and for what.")  # fmt: skip
@click.option("--tls", type=click.Path(path_type=Path, dir_okay=False), metavar="FILE",
              help="PEM file with certificate and key.")  # fmt: skip
@click.option("--name", "names", multiple=True, metavar="HOST", help="A name this server is called by; repeatable.")
@click.option("--origin", "origins", multiple=True, metavar="ORIGIN",
              help="Pages of another server that may use it (https://example.org); repeatable.")  # fmt: skip
@click.option("--private", is_flag=True, help="Serve orders and balances, too, to tokens with the scope private.")
@click.option("--keys", multiple=True, metavar="[VENUE=]FILE",
              help="API key of a venue for --private, mode 0600; repeatable.  [default: the environment]")  # fmt: skip
@click.option("--demo", is_flag=True, help="Put simulated Upbit and OKX behind it: no network, no key.")
@click.option("--tape", "tapes", multiple=True, type=click.Path(path_type=Path, file_okay=False),
              metavar="DIR", help="Serve what `tapewire record --tape DIR` kept, as if live; repeatable.")  # fmt: skip
@click.option("--speed", type=SECONDS, default=1.0, show_default=True, metavar="N",
              help="Times as fast as the tape was recorded.")  # fmt: skip
@click.option("--seconds", type=SECONDS, metavar="S", help="Stop by itself after S seconds.")
@click.option("--json", "as_json", is_flag=True, help="Print the address as one JSON object.")
@click.option("-v", "--verbose", is_flag=True, help="Print the engine's log on stderr.")
@click.pass_context
def serve(
    context: click.Context, *, venues: tuple[str, ...], listen: str, urls: tuple[str, ...], profile: str | None,
    redundancy: int | None, tokens: Path | None, tls: Path | None, names: tuple[str, ...], origins: tuple[str, ...],
    private: bool, keys: tuple[str, ...], demo: bool, tapes: tuple[Path, ...], speed: float, seconds: float | None,
    as_json: bool, verbose: bool,
) -> None:  # fmt: skip
    """Hold one set of upstream lines and serve them to many local programs until Ctrl-C.

    Programs written for the exchange change the address and nothing else; others use /v1/stream, /v1/events and the
    GET doors. The live page is at /. See docs/gateway.md.

    \b
    tapewire serve
    tapewire serve --venue upbit --venue okx --redundancy 2
    tapewire serve --demo                                          (simulated exchanges behind it)
    tapewire serve --url ws://127.0.0.1:9001/websocket/v1          (a simulator of yours)
    tapewire serve --tape ticks --speed 10                         (a recording, as if live)
    tapewire serve --url nats://127.0.0.1:4222                     (what a collector publishes)
    tapewire serve --listen 0.0.0.0:8765 --tokens tokens.toml --tls gateway.pem
    """  # noqa: D301 - click wants the character
    from tapewire.apps.gateway.settings import GatewayOptions  # noqa: PLC0415 - heavy, loaded when used
    from tapewire.client.local import allow_files  # noqa: PLC0415

    log_to_stderr(verbose=verbose)
    allow_files(_FILES)
    host, port = _place(listen)
    shared = {"use_profile": profile, "feed": None if redundancy is None else {"redundancy": redundancy}}
    options = GatewayOptions(host=host, port=port, private=private, names=names, origins=origins)

    def gateway(venues: tuple[str, ...], urls: tuple[str, ...]) -> Gateway:
        feeds = _feeds(venues, urls, keys, shared)
        if private:
            _check_keys(feeds)
        return _gateway(feeds, options, tokens, tls)

    if tapes:
        if demo or venues or urls:
            raise click.UsageError("--tape has venues of its own: leave out --venue, --url and --demo")
        from tapewire.apps.cli.serve_tape import TapedServer  # noqa: PLC0415 - heavy, loaded when used

        served = TapedServer(options, tokens, tls, lambda made: _greet(made, as_json=as_json))
        served.serve(tapes, speed, seconds)
        return
    if not demo:
        context.exit(run(lambda stop: _serve(stop, gateway(venues, urls), seconds, as_json=as_json)))
    if venues or urls:
        raise click.UsageError("--demo has venues of its own: leave out --venue and --url, or --demo")
    context.exit(run(lambda stop: _serve_demo(stop, gateway, seconds, as_json=as_json)))


async def _serve_demo(
    stop: Stop, gateway: Callable[[tuple[str, ...], tuple[str, ...]], Gateway], seconds: float | None, *, as_json: bool
) -> None:
    from tapewire.apps.cli.serve_demo import simulated  # noqa: PLC0415 - heavy, loaded when used

    async with simulated() as addresses:
        urls = tuple(f"{venue}={url}" for venue, url in addresses.items())
        await _serve(stop, gateway(tuple(addresses), urls), seconds, as_json=as_json)


async def _serve(stop: Stop, gateway: Gateway, seconds: float | None, *, as_json: bool) -> None:
    async with gateway:
        _greet(gateway, as_json=as_json)
        await stop.wait(seconds)
        figures = gateway.figures
    if not as_json:
        served, sent = count_of(figures["most"], "client"), count_of(figures["sent"], "message")
        click.echo(f"\nServed at most {served} at a time, {sent}; cut for being slow: {figures['cut']}")


def _gateway(feeds: Sequence[Feed], options: Any, tokens: Path | None, tls: Path | None) -> Gateway:
    from tapewire.apps.gateway.files import read_tls, read_tokens  # noqa: PLC0415 - heavy, loaded when used
    from tapewire.apps.gateway.gateway import Gateway  # noqa: PLC0415

    known = None if tokens is None else read_tokens(tokens)
    context = None if tls is None else read_tls(tls)
    return Gateway([feed.client("gateway", keep_raw=True) for feed in feeds], options, tokens=known, tls=context)


def _greet(gateway: Gateway, *, as_json: bool) -> None:
    address = gateway.url.replace("http", "ws", 1)
    if as_json:
        click.echo(
            json_line({"url": gateway.url, "stream": f"{address}/v1/stream", "venues": gateway.venues}), nl=False
        )
        return
    click.echo(
        f"Serving {', '.join(gateway.venues)}:\n\n"
        f"  page       {gateway.url}/\n"
        f"  stream     {address}/v1/stream\n"
        f"  health     {gateway.url}/health\n\n"
        "Ctrl-C stops it."
    )


def _place(listen: str) -> tuple[str, int]:
    host, colon, port = listen.rpartition(":")
    if not colon or not host or not port.isdecimal() or not port.isascii() or int(port) > 65535:
        raise click.BadParameter(f"{listen!r} is no HOST:PORT such as {_LISTEN}", param_hint="'--listen'")
    return host.strip("[]"), int(port)


def _check_keys(feeds: Sequence[Feed]) -> None:
    """Raises CredentialsError: nothing private can be had for any venue."""
    from tapewire.apps.environment import credential_names  # noqa: PLC0415
    from tapewire.errors import CredentialsError  # noqa: PLC0415

    if all(feed.credentials is None for feed in feeds):
        names = ", ".join(name for feed in feeds for name in credential_names(feed.venue))
        raise CredentialsError(names, "are needed for --private: set them, or give --keys FILE")


def _feeds(venues: tuple[str, ...], urls: tuple[str, ...], keys: tuple[str, ...], shared: dict[str, Any]) -> list[Feed]:
    """One for each venue, with its own address and key."""
    names = list(dict.fromkeys(venues)) or ["upbit"]
    addresses = _by_venue("url", urls, names)
    files = {venue: Path(file) for venue, file in _by_venue("keys", keys, names).items()}
    return [
        feed_of({"venue": name, "url": addresses.get(name), "keys": files.get(name), **shared}, as_json=False)
        for name in names
    ]


def _by_venue(option: str, given: Sequence[str], names: Sequence[str]) -> dict[str, str]:
    """``VENUE=TEXT``, or ``TEXT`` for the first venue."""
    found: dict[str, str] = {}
    for text in given:
        venue, equals, value = text.partition("=")
        if not equals or "/" in venue:
            venue, value = names[0], text
        if venue not in names:
            raise ConfigError(option, text, f"one of a venue that is served ({', '.join(names)})")
        found[venue] = value
    return found
