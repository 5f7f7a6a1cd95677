"""Options that several commands share, and what they mean together: one ``Feed``."""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import wraps
from typing import TYPE_CHECKING, Any

import click

if TYPE_CHECKING:
    from tapewire.client import WebSocketClient
    from tapewire.config import FeedOptions
    from tapewire.model.subscription import StreamPreference, Subscription

DEFAULT_TYPES = "ticker,trade,orderbook"
_FORMATS = ("DEFAULT", "SIMPLE", "JSON_LIST", "SIMPLE_LIST")
_PREFERENCES: dict[str | None, StreamPreference] = {
    None: "both",
    "snapshot": "snapshot_only",
    "realtime": "realtime_only",
}


@dataclass(frozen=True)
class Feed:
    """What to hear, from where, for how long.

    Attributes:
        options: how the connection is made; ``seconds`` None: until stopped.
        address: where to, for people.
    """

    venue: str
    address: str
    options: FeedOptions
    subscriptions: tuple[Subscription, ...] = ()
    preference: StreamPreference = "both"
    seconds: float | None = None
    as_json: bool = False

    def client(self, name: str, **changes: Any) -> WebSocketClient:
        """A client for this feed; ``changes`` replace single fields of its options."""
        from tapewire.client import WebSocketClient  # noqa: PLC0415 - heavy, loaded when used

        return WebSocketClient(name, self.venue, options=self.options, **changes)

    @property
    def symbols(self) -> tuple[str, ...]:
        """Every symbol once, in the order asked."""
        return tuple(dict.fromkeys(one.symbol for one in self.subscriptions))

    @property
    def kinds(self) -> frozenset[str]:
        return frozenset(one.kind for one in self.subscriptions)


def venue_options(command: Callable[..., None]) -> Callable[..., None]:
    """``--venue --url --proxy --compression --json --verbose``: the command gets ``feed``, without subscriptions."""

    @wraps(command)
    def with_feed(
        *, venue: str | None, url: str | None, proxy: str | None, compression: bool | None, as_json: bool,
        verbose: bool, **rest: Any,
    ) -> None:  # fmt: skip
        log_to_stderr(verbose=verbose)
        command(feed=_feed(venue, url, proxy, compression, as_json=as_json, wire=rest.pop("wire", None)), **rest)

    return _decorate(with_feed, _VENUE_OPTIONS)


def feed_options(command: Callable[..., None]) -> Callable[..., None]:
    """The venue's options and ``SYMBOLS --types --level --format --only --seconds``."""

    @wraps(command)
    def with_subscriptions(
        *, feed: Feed, symbols: tuple[str, ...], types: str, level: float, only: str | None, seconds: float | None,
        **rest: Any,
    ) -> None:  # fmt: skip
        wanted = tuple(subscriptions(symbols, types, level))
        command(
            feed=Feed(feed.venue, feed.address, feed.options, wanted, _PREFERENCES[only], seconds, feed.as_json), **rest
        )

    return _decorate(venue_options(with_subscriptions), _FEED_OPTIONS)


def subscriptions(symbols: Sequence[str], types: str, level: float = 0) -> list[Subscription]:
    """Symbols (``KRW-BTC KRW-ETH`` or ``KRW-BTC,KRW-ETH``) times types (``trade,orderbook.15,candle.1s``).

    Raises:
        click.BadParameter: a type that there is not, named with those there are.
    """
    from tapewire.model.subscription import Subscription  # noqa: PLC0415

    codes = list(dict.fromkeys(code for text in symbols for code in text.split(",") if code))
    wanted = []
    for word in dict.fromkeys(word.strip() for word in types.split(",") if word.strip()):
        kind, unit, depth = _type(word)
        own_level = level if kind == "orderbook" else 0
        wanted += [Subscription(kind, code, unit=unit, depth=depth, level=own_level) for code in codes]
    if not wanted:
        raise click.BadParameter("nothing is left to subscribe", param_hint="'SYMBOLS' or '--types'")
    return wanted


def _type(word: str) -> tuple[str, str | None, int | None]:
    kind, _, detail = word.partition(".")
    if kind in {"ticker", "trade"} and not detail:
        return kind, None, None
    if kind == "candle":
        return kind, detail or "1s", None
    if kind == "orderbook" and (detail.isdecimal() or not detail):
        return kind, None, int(detail) if detail else None
    allowed = "ticker, trade, orderbook, orderbook.15 (its depth), candle.1s, candle.1m …"
    raise click.BadParameter(f"{word!r} is no type; there are {allowed}", param_hint="'--types'")


def _feed(
    venue: str | None, url: str | None, proxy: str | None, compression: bool | None, *, as_json: bool, wire: str | None
) -> Feed:
    from msgspec.structs import replace  # noqa: PLC0415

    from tapewire.apps.settings import load  # noqa: PLC0415
    from tapewire.venues.registry import get_venue  # noqa: PLC0415

    settings = load()
    place = {"rest_url": url, "url": None} if url and url.startswith("http") else {"url": url}
    given = {"venue": venue, "proxy": proxy, "compression": compression, "format": wire, **place}
    settings = replace(settings, **{name: value for name, value in given.items() if value is not None})
    address = settings.url or settings.rest_url or get_venue(settings.venue).facts.url
    return Feed(settings.venue, address, settings.feed_options(address), as_json=as_json)


def log_to_stderr(*, verbose: bool) -> None:
    """The engine's log repeats what every command shows by itself; only ``--verbose`` prints it."""
    logger = logging.getLogger("tapewire")
    logger.propagate = False
    handler: logging.Handler = logging.StreamHandler() if verbose else logging.NullHandler()
    handler.setFormatter(logging.Formatter("%(asctime)s %(levelname)s %(message)s"))
    logger.handlers[:] = [handler]
    logger.setLevel(logging.DEBUG if verbose else logging.WARNING)


def _venue_names(_context: click.Context, _parameter: click.Parameter, incomplete: str) -> list[str]:
    from tapewire.venues.registry import venue_names  # noqa: PLC0415

    return [name for name in venue_names() if name.startswith(incomplete)]


def _decorate(function: Callable[..., None], options: Sequence[Any]) -> Callable[..., None]:
    for option in reversed(options):
        function = option(function)
    return function


_VENUE_OPTIONS = (
    click.option(
        "--venue",
        metavar="VENUE",
        shell_complete=_venue_names,
        help="upbit, upbit-sg, upbit-id or upbit-th.  [default: upbit]",
    ),
    click.option(
        "--url", metavar="URL", help="Another server: a simulator (ws://127.0.0.1:9001/websocket/v1), a gateway."
    ),
    click.option(
        "--proxy", metavar="URL", help="http://, socks5:// …; by default what HTTPS_PROXY and ALL_PROXY name."
    ),
    click.option(
        "--compression/--no-compression", default=None, help="Offer permessage-deflate: less traffic, more CPU."
    ),
    click.option("--json", "as_json", is_flag=True, help="One JSON object a line, for programs."),
    click.option("-v", "--verbose", is_flag=True, help="Print the engine's log on stderr."),
)

_FEED_OPTIONS = (
    click.argument("symbols", nargs=-1, required=True, metavar="SYMBOLS..."),
    click.option(
        "--types",
        default=DEFAULT_TYPES,
        show_default=True,
        metavar="LIST",
        help="Of ticker, trade, orderbook, orderbook.15 (its depth), candle.1s, candle.1m …",
    ),
    click.option("--level", type=float, default=0, metavar="UNIT", help="Order books: price grouping unit (0: none)."),
    click.option(
        "--format",
        "wire",
        type=click.Choice(_FORMATS, case_sensitive=False),
        metavar="FORM",
        help=f"Wire format to ask for: {', '.join(_FORMATS)}.  [default: DEFAULT]",
    ),
    click.option(
        "--only", type=click.Choice(["snapshot", "realtime"]), help="Only the state at the start, or only news."
    ),
    click.option(
        "--seconds", type=click.FloatRange(min=0, min_open=True), metavar="S", help="Stop by itself after S seconds."
    ),
)
