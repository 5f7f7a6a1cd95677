"""Options that several commands share, and what they mean together: one ``Feed``."""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import wraps
from math import isfinite
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


class Seconds(click.FloatRange):
    """A time span: more than 0, and a number (``nan`` is neither, ``inf`` would never come)."""

    def __init__(self) -> None:
        super().__init__(min=0, min_open=True)

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        seconds = super().convert(value, param, ctx)
        if not isfinite(seconds):
            self.fail(f"{value!r} is no number of seconds.", param, ctx)
        return seconds


SECONDS = Seconds()


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


def venue_options(command: Callable[..., None], *, rest_only: bool = True) -> Callable[..., None]:
    """``--venue --url --proxy --compression --json --verbose``: the command gets ``feed``, without subscriptions.

    Args:
        command: what is called.
        rest_only: it makes REST calls only, so that ``--url`` may be an ``http://`` address too.
    """

    @wraps(command)
    def with_feed(
        *, venue: str | None, url: str | None, proxy: str | None, compression: bool | None, as_json: bool,
        verbose: bool, **rest: Any,
    ) -> None:  # fmt: skip
        log_to_stderr(verbose=verbose)
        given = {"venue": venue, "proxy": proxy, "compression": compression, "format": rest.pop("wire", None)}
        is_rest = rest_only and (url or "").startswith(("http://", "https://"))
        command(feed=_feed(given | {"rest_url" if is_rest else "url": url}, as_json=as_json), **rest)

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

    return _decorate(venue_options(with_subscriptions, rest_only=False), _FEED_OPTIONS)


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


def _feed(given: Mapping[str, Any], *, as_json: bool) -> Feed:
    """The settings with what the command line gave (what is None it did not)."""
    from msgspec.structs import replace  # noqa: PLC0415

    from tapewire.apps.settings import load  # noqa: PLC0415
    from tapewire.venues.registry import get_venue  # noqa: PLC0415

    changes = {name: value for name, value in given.items() if value is not None}
    changes |= {"url": None} if "rest_url" in changes else {}
    settings = replace(load(), **changes)
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


def venue_names_like(_context: click.Context, _parameter: click.Parameter, incomplete: str) -> list[str]:
    """Completes half a venue's name."""
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
        shell_complete=venue_names_like,
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
    click.option("--seconds", type=SECONDS, metavar="S", help="Stop by itself after S seconds."),
)
