"""``tapewire simulate``: a simulated exchange on this machine, for this and any other client."""

from __future__ import annotations

import errno
import ssl
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from tapewire.apps.cli.options import SECONDS, venue_names_like
from tapewire.apps.cli.running import Stop, run
from tapewire.apps.cli.terminal import count_of, json_line
from tapewire.config import Secret
from tapewire.errors import ConfigError

if TYPE_CHECKING:
    from tapewire.sim.scenario import Scenario
    from tapewire.sim.server import Simulator
    from tapewire.venues.exchange import SimKey


@click.command(short_help="Run a simulated exchange and print its addresses.")
@click.argument("venue", required=False, shell_complete=venue_names_like)
@click.option("--host", default="127.0.0.1", show_default=True, help="Address to listen on.")
@click.option("--port", type=click.IntRange(0, 65535), default=9001, show_default=True, help="0 takes any free one.")
@click.option("--certificate", type=click.Path(path_type=Path, exists=True, dir_okay=False), metavar="FILE",
              help="PEM file with certificate and key: listen with TLS (wss, https).")  # fmt: skip
@click.option("--seed", type=int, help="The same seed gives the same market.  [default: 1]")
@click.option("--markets", metavar="LIST", help="Codes (KRW-BTC,KRW-ETH) or how many.  [default: ten usual ones]")
@click.option("--rate", type=float, metavar="N", help="Messages a second of all streams together.")
@click.option("--speed", type=float, metavar="X", help="Seconds of the exchange in one of ours.  [default: 1]")
@click.option("--recorded", is_flag=True, help="Begin with recorded traffic of 2021 (upbit).")
@click.option("--fault", "faults", multiple=True, metavar="FAULT",
              help="drop@5, freeze@20, silence:30@10, refuse:429@0x3, duplicate%0.05 …; repeatable.")  # fmt: skip
@click.option("--scenario", "path", type=click.Path(path_type=Path, exists=True, dir_okay=False), metavar="FILE",
              help="TOML file with all of these; options go before it.")  # fmt: skip
@click.option("--key", "keys", multiple=True, metavar="KEY",
              help="ACCESS:SECRET[:PERMISSION,…] of the private and info sides; repeatable.")  # fmt: skip
@click.option("--customer", type=float, metavar="S", help="Somebody trades on the first key, every S seconds.")
@click.option("--announcements", type=float, metavar="S", help="An announcement every S seconds.")
@click.option("--seconds", type=SECONDS, metavar="S", help="Stop by itself after S seconds.")
@click.option("--json", "as_json", is_flag=True, help="Print the addresses as one JSON object.")
@click.pass_context
def simulate(
    context: click.Context, /, *, venue: str | None, host: str, port: int, certificate: Path | None,
    markets: str | None, path: Path | None, faults: tuple[str, ...], keys: tuple[str, ...], seconds: float | None,
    recorded: bool, as_json: bool, **numbers: float | None,
) -> None:  # fmt: skip
    """Run a simulated exchange until Ctrl-C: WebSocket and REST on one port, no key, no network.

    Any client works with it that can be given an address: tapewire, the exchange's own SDK and samples, others.
    VENUE is upbit (the default), upbit-sg, upbit-id, upbit-th, okx, okx-eea, okx-us, okx-demo, okx-eea-demo,
    okx-us-demo, or okex3.

    A FAULT is NAME[:VALUE][@START[/EVERY]][xTIMES][%CHANCE], times in seconds: drop:1001@10/30 closes every
    connection after 10 s and then every 30 s. Names: close-after-subscribe, drop, abort, freeze (half-open), silence,
    ping, cut, garbage, unknown, error, status, maintenance, slow, refuse, rest, duplicate, late, upgrade, book-lost,
    book-repeat, book-checksum, book-late, book-reset. Those that happen to connections take :side=public, private …

    A KEY's permissions are some of view_accounts, view_orders, trade, or the word none; all of them when left out. The
    secret is printed: invent one, and use no real key here. At OKX its passphrase is sim-passphrase, if a scenario file
    says no other.

    \b
    tapewire simulate upbit --port 9001
    tapewire simulate upbit --markets KRW-BTC,KRW-ETH --fault drop:1001@10/30 --fault freeze@25
    tapewire simulate upbit --customer 2 --key my-key:my-secret:view_orders
    tapewire simulate okx --markets BTC-USDT,BTC-USDT-SWAP --fault book-lost@10/60
    tapewire simulate upbit --scenario bad-day.toml
    """  # noqa: D301 - click wants the character
    from tapewire.sim.scenario import Scenario, read_scenario  # noqa: PLC0415 - heavy, loaded when used

    given: dict[str, Any] = {"venue": venue} if venue else {}
    given |= {name: value for name, value in numbers.items() if value is not None}
    given |= {"faults": faults} if faults else {}
    given |= {"markets": _markets(markets)} if markets else {}
    given |= {"recorded": True} if recorded else {}
    given |= {"keys": tuple(map(_key, keys))} if keys else {}
    scenario = _replaced(read_scenario(path) if path else Scenario(), given)
    tls = _tls(certificate) if certificate else None
    context.exit(run(lambda stop: _simulate(stop, scenario, (host, port, tls), seconds, as_json=as_json)))


def _tls(path: Path) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    try:
        context.load_cert_chain(path)
    except (ssl.SSLError, OSError) as error:
        raise ConfigError("certificate", str(path), f"a PEM file with a certificate and its key ({error})") from error
    return context


def _markets(text: str) -> int | tuple[str, ...]:
    return int(text) if text.isdecimal() else tuple(code for code in text.split(",") if code)


def _key(text: str) -> SimKey:
    from msgspec.structs import replace  # noqa: PLC0415 - heavy, loaded when used

    from tapewire.venues.exchange import SimKey  # noqa: PLC0415

    access, _, rest = text.partition(":")
    secret, _, permissions = rest.partition(":")
    if not access or not secret:
        raise ConfigError("key", "***", "ACCESS:SECRET, or ACCESS:SECRET:PERMISSION,…")
    key = SimKey(access_key=access, secret_key=Secret(secret))
    if not permissions:
        return key
    named = frozenset(() if permissions == "none" else permissions.split(","))
    return replace(key, permissions=named)  # it refuses what is no permission


def _replaced(scenario: Scenario, changes: dict[str, Any]) -> Scenario:
    from msgspec.structs import replace  # noqa: PLC0415

    return replace(scenario, **changes)


async def _simulate(
    stop: Stop,
    scenario: Scenario,
    place: tuple[str, int, ssl.SSLContext | None],
    seconds: float | None,
    *,
    as_json: bool,
) -> None:
    from tapewire.sim.server import Simulator  # noqa: PLC0415

    simulator, (host, port, tls) = Simulator(scenario), place
    try:
        await simulator.start(host, port, ssl_context=tls)
    except OSError as error:
        if error.errno == errno.EADDRINUSE:
            raise ConfigError("port", port, "a free one (another program listens there; 0 takes any)") from error
        raise ConfigError("host", host, f"an address of this machine ({error.strerror or error})") from error
    try:
        _greet(simulator, as_json=as_json)
        await stop.wait(seconds)
        if not as_json:
            _farewell(simulator)
    finally:
        await simulator.stop()


def _greet(simulator: Simulator, *, as_json: bool) -> None:
    symbols = list(simulator.exchange.market.symbols)
    venue = simulator.scenario.venue
    has_phrases = simulator.exchange.venue.passphrases
    if as_json:
        addresses: dict[str, Any] = {
            "venue": venue,
            "url": simulator.url,
            "rest_url": simulator.rest_url,
            "markets": symbols,
        }
        keys = [_key_facts(key, has_phrase=has_phrases) for key in simulator.keys]
        addresses |= {"urls": simulator.urls, "keys": keys}
        click.echo(json_line(addresses).decode(), nl=False)
        return
    more = f" … and {len(symbols) - 8} more" if len(symbols) > 8 else ""
    click.echo(
        f"Simulated {venue}, seed {simulator.scenario.seed}, {count_of(len(symbols), 'market')}:\n"
        f"  {' '.join(symbols[:8])}{more}\n\n"
        f"  WebSocket  {simulator.url}\n"
        + "".join(f"  {side:<9}  {url}\n" for side, url in simulator.urls.items() if side != "public")
        + f"  REST       {simulator.rest_url}\n"
        + "".join(_key_line(key, has_phrase=has_phrases) for key in simulator.keys)
        + "\n"
        "Try it in another terminal:\n\n"
        f"  tapewire watch {symbols[0]}{'' if venue == 'upbit' else f' --venue {venue}'} --url {simulator.url}\n\n"
        "or from Python:\n\n"
        f'  url = "{simulator.url}"\n'
        f'  async with WebSocketClient("hello", "{venue}", url=url) as client:\n'
        f'      async for trade in client.trades("{symbols[0]}"):\n'
        "          print(trade.trade_price, trade.trade_volume)\n\n"
        "Ctrl-C stops it."
    )


def _key_facts(key: SimKey, *, has_phrase: bool) -> dict[str, Any]:
    facts = {"access_key": key.access_key, "secret_key": key.secret_key.reveal()}
    return facts | ({"passphrase": key.phrase} if has_phrase else {}) | {"permissions": sorted(key.permissions)}


def _key_line(key: SimKey, *, has_phrase: bool) -> str:
    phrase = f"  passphrase {key.phrase}" if has_phrase else ""
    return f"  key        {key.access_key}  secret {key.secret_key.reveal()}{phrase}\n"


def _farewell(simulator: Simulator) -> None:
    click.echo(
        f"\nServed {count_of(len(simulator.connects), 'connection')}, {count_of(len(simulator.requests), 'request')}; "
        f"made {count_of(len(simulator.trades), 'trade')}; limits broken by clients: {len(simulator.violations)}"
    )
