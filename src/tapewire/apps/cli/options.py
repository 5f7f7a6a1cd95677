"""Options that several commands share, and what they mean together: one ``Feed``."""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import wraps
from math import inf, isfinite
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from tapewire.apps.cli.streams import DEFAULT_TYPES, WORDS, subscriptions

if TYPE_CHECKING:
    from tapewire.client import WebSocketClient
    from tapewire.config import Credentials, FeedOptions, TapeOptions
    from tapewire.model.subscription import StreamPreference, Subscription
    from tapewire.sinks.files.options import RecordOptions

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


class Patience(Seconds):
    """As ``Seconds``, or ``never``."""

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        return inf if value == "never" else super().convert(value, param, ctx)


SECONDS = Seconds()
#: Options of a command that are fields of ``FeedOptions``.
_OF_FEED = ("redundancy", "poll_after")
#: Those that are fields of ``RecordOptions``.
RECORD_OPTIONS = (
    "layout", "zone", "files", "compress", "rotate_size", "rotate_every", "rotate_count", "keep_bytes", "keep_days",
    "fsync", "fsync_every",
)  # fmt: skip


@dataclass(frozen=True)
class Feed:
    """What to hear, from where, for how long.

    Attributes:
        options: how the connection is made; ``seconds`` None: until stopped.
        credentials: the API key, for what is the account's own.
        record: how a recording lies on the disk, as the settings say. tape: how a tape is written.
        metrics: port on which the feed's figures are served, None: not at all.
        sources: where settings came from, but the command line: a profile, a file, the environment.
        address: where to, for people.
    """

    venue: str
    address: str
    options: FeedOptions
    subscriptions: tuple[Subscription, ...] = ()
    preference: StreamPreference = "both"
    seconds: float | None = None
    as_json: bool = False
    credentials: Credentials | None = None
    record: RecordOptions | None = None
    tape: TapeOptions | None = None
    sources: tuple[str, ...] = ()
    metrics: int | None = None

    def client(self, name: str, **changes: Any) -> WebSocketClient:
        """A client for this feed; ``changes`` replace single fields of its options."""
        from tapewire.client import WebSocketClient  # noqa: PLC0415 - heavy, loaded when used

        return WebSocketClient(name, self.venue, options=self.options, credentials=self.credentials, **changes)

    @property
    def symbols(self) -> tuple[str, ...]:
        """Every symbol once, in the order asked; what belongs to no market has none."""
        return tuple(dict.fromkeys(one.symbol for one in self.subscriptions if one.symbol))

    @property
    def kinds(self) -> frozenset[str]:
        return frozenset(one.kind for one in self.subscriptions)


def venue_options(command: Callable[..., None], *, rest_only: bool = True) -> Callable[..., None]:
    """``--venue --url --profile --keys --proxy …``: the command gets ``feed``, without subscriptions.

    Args:
        command: what is called.
        rest_only: it makes REST calls only, so that ``--url`` may be an ``http://`` address too.
    """

    @wraps(command)
    def with_feed(
        *, venue: str | None, url: str | None, rest_url: str | None, profile: str | None, keys: Path | None,
        proxy: str | None, compression: bool | None, as_json: bool, verbose: bool, **rest: Any,
    ) -> None:  # fmt: skip
        log_to_stderr(verbose=verbose)
        given = {"venue": venue, "proxy": proxy, "compression": compression, "format": rest.pop("wire", None)}
        of_feed = {name: value for name in _OF_FEED if (value := rest.pop(name, None)) is not None}
        of_record = {name: value for name in RECORD_OPTIONS if (value := rest.pop(name, None)) is not None}
        given |= {"feed": of_feed or None, "record": of_record or None, "tape": rest.pop("of_tape", None) or None}
        given |= {"use_profile": profile, "keys": keys, "rest_url": rest_url}
        is_rest = rest_only and (url or "").startswith(("http://", "https://"))
        command(feed=feed_of(given | {"rest_url" if is_rest else "url": url}, as_json=as_json), **rest)

    return _decorate(with_feed, _VENUE_OPTIONS)


def feed_options(command: Callable[..., None]) -> Callable[..., None]:
    """The venue's options and ``SYMBOLS --types --level --format --only --seconds --metrics``."""

    @wraps(command)
    def with_subscriptions(
        *, feed: Feed, symbols: tuple[str, ...], types: str, level: float, only: str | None, seconds: float | None,
        metrics: int | None, **rest: Any,
    ) -> None:  # fmt: skip
        wanted = tuple(subscriptions(symbols, types, level))
        check_key(feed, wanted)
        command(
            feed=replace(feed, subscriptions=wanted, preference=_PREFERENCES[only], seconds=seconds, metrics=metrics),
            **rest,
        )

    return _decorate(venue_options(with_subscriptions, rest_only=False), _FEED_OPTIONS)


def check_key(feed: Feed, wanted: Sequence[Subscription]) -> None:
    """Say at once, and in the words of a command, that a key is missing."""
    from tapewire.apps.environment import credential_names  # noqa: PLC0415
    from tapewire.errors import CredentialsError  # noqa: PLC0415
    from tapewire.venues.registry import get_venue  # noqa: PLC0415

    venue = get_venue(feed.venue)
    signed = dict.fromkeys(str(one.kind) for one in wanted if venue.side(one) in venue.facts.signed_sides)
    if signed and feed.credentials is None and feed.options.source is None:
        names = ", ".join(credential_names(feed.venue))
        raise CredentialsError(names, f"are needed for {', '.join(signed)}: set them, or give --keys FILE")


def feed_of(given: Mapping[str, Any], *, as_json: bool) -> Feed:
    """The settings with what the command line gave (what is None it did not)."""
    from tapewire.apps.settings import COMMAND_LINE, load_with_origin  # noqa: PLC0415
    from tapewire.venues.registry import get_venue  # noqa: PLC0415

    changes = {name: value for name, value in given.items() if value is not None}
    changes |= {"url": None} if "rest_url" in changes and "url" not in changes else {}
    settings, origin, _ = load_with_origin(given=changes)
    address = settings.url or settings.feed.url or settings.rest_url or get_venue(settings.venue).address(None)
    sources = tuple(sorted(set(origin.values()) - {COMMAND_LINE}))
    options = settings.feed_options(address)
    get_venue(settings.venue).permit(options)
    if options.source is not None:
        from tapewire.apps.cli.terminal import address as bare  # noqa: PLC0415 - heavy, loaded when used

        address = bare(address)  # a password may stand in it
    return Feed(
        settings.venue, address, options, as_json=as_json, credentials=settings.credentials, sources=sources,
        record=settings.record, tape=settings.tape,
    )  # fmt: skip


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
        help="upbit, upbit-sg, upbit-id, upbit-th, okx, okx-eea, okx-us, the demos of these three, or okex3."
        "  [default: upbit]",
    ),
    click.option(
        "--url", metavar="URL", help="Another server: a simulator (ws://127.0.0.1:9001/websocket/v1), a gateway."
    ),
    click.option("--rest-url", metavar="URL", help="Where REST calls go; by default beside --url."),
    click.option(
        "--profile",
        metavar="NAME",
        help="development, testing, staging, production, or one of the settings file.",
    ),
    click.option(
        "--keys",
        type=click.Path(path_type=Path, dir_okay=False),
        metavar="FILE",
        help="TOML file with access_key, secret_key (OKX: and passphrase), mode 0600; by default UPBIT_ACCESS_KEY,"
        " UPBIT_SECRET_KEY, or OKX_API_KEY, OKX_SECRET_KEY, OKX_PASSPHRASE.",
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
    click.argument("symbols", nargs=-1, metavar="[SYMBOLS]..."),
    click.option(
        "--types",
        default=DEFAULT_TYPES,
        show_default=True,
        metavar="LIST",
        help=f"Of {WORDS}.",
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
        "--redundancy",
        type=click.IntRange(1, 4),
        metavar="N",
        help="Connections that carry the same streams; the first copy of each message counts.  [default: 1]",
    ),
    click.option(
        "--poll-after",
        type=Patience(),
        metavar="S",
        help="Ask REST in place of a stream that WebSocket has not brought for S seconds; 'never'.  [default: 30]",
    ),
    click.option("--seconds", type=SECONDS, metavar="S", help="Stop by itself after S seconds."),
    click.option(
        "--metrics",
        type=click.IntRange(0, 65535),
        metavar="PORT",
        help="Serve figures for Prometheus on 127.0.0.1 (0: any free port); /health too.",
    ),
)
