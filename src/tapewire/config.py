"""Frozen option objects with their defaults, one per room. Reads no file and no environment.

Every field's default, unit and meaning is in its class docstring; impossible values are refused when the
object is made (``ConfigError`` names option, value and what would be right).
"""

from __future__ import annotations

from ipaddress import ip_address
from typing import Any, Literal
from urllib.parse import urlsplit

from msgspec import Struct
from msgspec.structs import force_setattr

from tapewire.credentials import Credentials, HiddenText, Secret
from tapewire.errors import ConfigError

#: Imported from here as well.
__all__ = ("Credentials", "HiddenText", "Secret")

OverflowRule = Literal["block", "drop_oldest", "conflate", "raise"]
Numbers = Literal["float", "decimal"]
Format = Literal["DEFAULT", "SIMPLE", "JSON_LIST", "SIMPLE_LIST"]
#: Connections of one group, at most: each counts against the exchange's limits.
MOST_LINES = 4
_PROXIES = ("http", "https", "socks4", "socks5", "socks5h")


def _positive(options: Any, *names: str) -> None:
    for name in names:
        value = getattr(options, name)
        if value is not None and not (_is_number(value) and value > 0):
            raise ConfigError(name, value, "more than 0")


def _is_number(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


class LineOptions(Struct, frozen=True, kw_only=True):
    """One WebSocket line.

    Attributes:
        connect_timeout: seconds for name, TCP, TLS and handshake together.
        close_timeout: seconds to wait for the far end's close frame.
        max_message: bytes of one message, over the sum of its fragments and after inflating.
        max_fragments: frames one message may be split into.
        max_control_rate: control frames (ping, pong, close) a second before the line is cut.
        compression: ``"deflate"`` offers permessage-deflate, None does not.
        proxy: ``http://``, ``https://``, ``socks4://`` or ``socks5://`` URL, with ``user:password@`` if needed.
        headers: additional request headers (never logged).
        local_address: this host's address from which to connect, for hosts with several (``"192.0.2.7"``); None: the
            system chooses. REST calls go from it too.
        ssl_context: own ``ssl.SSLContext``; None is the system's trust store, certificates always verified.
    """

    connect_timeout: float = 10.0
    close_timeout: float = 2.0
    max_message: int = 1024 * 1024
    max_fragments: int = 1024
    max_control_rate: int = 20
    compression: Literal["deflate"] | None = None
    proxy: str | None = None
    headers: tuple[tuple[str, str], ...] = ()
    local_address: str | None = None
    ssl_context: Any = None

    def __post_init__(self) -> None:
        for option in ("connect_timeout", "close_timeout", "max_message", "max_fragments", "max_control_rate"):
            _positive(self, option)
        if self.compression not in (None, "deflate"):
            raise ConfigError("compression", self.compression, '"deflate" or None')
        if self.proxy is not None and self.proxy.split("://")[0] not in _PROXIES:
            shown = f"{self.proxy.split('://')[0]}://…" if "://" in self.proxy else "without a scheme"
            raise ConfigError("proxy", shown, "an http://, https://, socks4:// or socks5:// URL")
        if not _are_headers(self.headers):
            raise ConfigError("headers", "…", "a tuple of (name, value) pairs of text")
        if self.local_address is not None and not _is_address(self.local_address):
            raise ConfigError("local_address", self.local_address, "an IP address of this host, such as 192.0.2.7")

    def __repr__(self) -> str:
        """Without the values of headers and the proxy's user and password: they are secrets."""
        proxy = self.proxy
        if proxy is not None and "@" in proxy:
            proxy = f"{proxy.split('://')[0]}://…@{proxy.rpartition('@')[2]}"
        shown = {name: getattr(self, name) for name in self.__struct_fields__}
        shown |= {"proxy": proxy, "headers": tuple((name, "…") for name, _ in self.headers)}
        return f"LineOptions({', '.join(f'{name}={value!r}' for name, value in shown.items())})"


def _is_address(text: object) -> bool:
    try:
        return isinstance(text, str) and bool(ip_address(text))
    except ValueError:
        return False


def _are_headers(headers: object) -> bool:
    return isinstance(headers, tuple) and all(
        isinstance(pair, tuple) and len(pair) == 2 and all(isinstance(text, str) for text in pair) for pair in headers
    )


class SessionOptions(Struct, frozen=True, kw_only=True):
    """How one connection is kept true.

    Attributes:
        ping_interval: seconds between signs of life asked for; less where the venue closes silent lines sooner.
        ping_timeout: seconds to wait for the pong; then the line is lost (``ping_timeout``).
        keep_alive: ``"frame"`` sends PING frames, ``"text"`` the venue's text message (Upbit: ``PING``, OKX: ``ping``);
            None: the venue's own way (Upbit: frames, OKX: text).
        backoff_base: seconds of the first delay after a loss; the n-th is base × factor^(n-1).
        backoff_factor: times that each delay is longer than the one before.
        backoff_cap: seconds that no delay exceeds (the exchange's own ``Retry-After`` may, up to an hour).
        jitter: draw each delay uniformly from 0 to that value (full jitter); off: exactly that value.
        max_retries: tries in a row before giving up loudly; None never gives up.
        stable_after: seconds of uptime with data after which the delay falls back to the base.
        quiet_time: seconds without an error after which an unanswered request counts as accepted.
        answer_timeout: seconds to wait for the answer to a request or a login, where the venue answers each (OKX).
        pending_window: seconds for which a change of subscriptions waits for others, to be sent as one request.
        pending_window_max: seconds of the same when the message budget is nearly spent; it grows as that does.
        stale_after: seconds of silence that no public stream may exceed while its line is alive, unless its own
            rhythm is slower; None never calls a stream stale.
        stale_factor: times its own usual interval after which a stream is stale (and at least ``stale_after``).
        stale_reconnect: seconds of silence of every once-busy stream after which the line is replaced; None: only told.
        messages_per_second: messages a second that are sent on one connection at most, beside the exchange's limits
            (which always hold); None: the exchange's alone.
        messages_per_minute: messages a minute, as ``messages_per_second``.
        lag_after: seconds that a line may be behind another that carries the same streams (``redundancy``), by the
            exchange's time stamps; then it is replaced. None: as much as it likes.
    """

    ping_interval: float = 30.0
    ping_timeout: float = 10.0
    keep_alive: Literal["frame", "text"] | None = None
    backoff_base: float = 1.0
    backoff_factor: float = 2.0
    backoff_cap: float = 30.0
    jitter: bool = True
    max_retries: int | None = None
    stable_after: float = 30.0
    quiet_time: float = 2.0
    answer_timeout: float = 10.0
    pending_window: float = 0.1
    pending_window_max: float = 15.0
    stale_after: float | None = 60.0
    stale_factor: float = 20.0
    stale_reconnect: float | None = 120.0
    messages_per_second: int | None = None
    messages_per_minute: int | None = None
    lag_after: float | None = 5.0

    def __post_init__(self) -> None:
        for option in (
            "ping_interval", "ping_timeout", "backoff_base", "backoff_cap", "stable_after",
            "quiet_time", "answer_timeout", "stale_after", "stale_factor", "stale_reconnect",
            "messages_per_second", "messages_per_minute", "lag_after",
        ):  # fmt: skip
            _positive(self, option)
        if not (_is_number(self.pending_window) and self.pending_window >= 0):
            raise ConfigError("pending_window", self.pending_window, "0 or more")
        if not (_is_number(self.pending_window_max) and self.pending_window_max >= self.pending_window):
            raise ConfigError("pending_window_max", self.pending_window_max, "pending_window or more")
        if not (_is_number(self.backoff_factor) and self.backoff_factor >= 1):
            raise ConfigError("backoff_factor", self.backoff_factor, "1 or more")
        if self.max_retries is not None and not (_is_number(self.max_retries) and self.max_retries >= 0):
            raise ConfigError("max_retries", self.max_retries, "0 or more, or None for no end")
        if self.keep_alive not in (None, "frame", "text"):
            raise ConfigError("keep_alive", self.keep_alive, '"frame" or "text", or None for the venue\'s own way')


class MailboxOptions(Struct, frozen=True, kw_only=True):
    """The queue of one async callback, iterator or sink.

    Attributes:
        size: events it holds at most.
        rule: what happens when it is full: ``drop_oldest``, ``conflate`` (only the latest per symbol and kind
            is kept; trades never are: for them it is ``drop_oldest``), ``raise`` (the subscriber ends with
            ``Lagging``) or ``block`` (the feed waits: only for programs that own their feed).
        interval: seconds between two rounds in which what waits is taken; 0: taken at once. With ``conflate`` each
            round brings the newest of each symbol and kind: at most one event a symbol and interval.
    """

    size: int = 10_000
    rule: OverflowRule = "drop_oldest"
    interval: float = 0.0

    def __post_init__(self) -> None:
        _positive(self, "size")
        if not (_is_number(self.interval) and self.interval >= 0):
            raise ConfigError("interval", self.interval, "0 or more")
        if self.rule not in ("block", "drop_oldest", "conflate", "raise"):
            raise ConfigError("rule", self.rule, '"block", "drop_oldest", "conflate" or "raise"')


_WEBSOCKET, _REST = ("ws://", "wss://"), ("http://", "https://")


#: When the disk itself is to have a tape: see ``TapeOptions``.
FsyncPolicy = Literal["interval", "each", "none"]


class TapeOptions(Struct, frozen=True, kw_only=True):
    """Where everything that goes over the lines is kept, and how safely.

    Attributes:
        folder: of the tape; made if it is not there. One recorder at a time.
        compress: each block is one zstd frame (a tenth of the size, and less work than writing all of it).
        fsync: ``"interval"``: the disk has everything that is older than ``fsync_every`` seconds; ``"each"``: every
            block before the next is taken; ``"none"``: whenever the system likes (it survives our death, not the
            machine's).
        fsync_every: seconds.
        write_every: seconds after which what came is written: what a ``kill -9`` may cost.
        file_size: bytes after which another file is begun.
        file_seconds: seconds after which one is.
        file_records: records after which one is, at the end of their block; None: no such limit.
        keep_bytes: the oldest files go when all together are larger; None: they stay.
        keep_seconds: files that were ended longer ago go; None: they stay.
        pending: bytes that wait for the disk at most; what comes beyond is left out, told (``Lagged``) and noted on the
            tape.
    """

    folder: str = "tape"
    compress: bool = True
    fsync: FsyncPolicy = "interval"
    fsync_every: float = 1.0
    write_every: float = 0.1
    file_size: int = 256 * 1024 * 1024
    file_seconds: float = 3600.0
    file_records: int | None = None
    keep_bytes: int | None = None
    keep_seconds: float | None = None
    pending: int = 64 * 1024 * 1024

    def __post_init__(self) -> None:
        if not self.folder:
            raise ConfigError("folder", self.folder, "the name of a folder")
        if self.fsync not in ("interval", "each", "none"):
            raise ConfigError("fsync", self.fsync, '"interval", "each" or "none"')
        for option in (
            "fsync_every", "write_every", "file_size", "file_seconds", "file_records", "keep_bytes", "keep_seconds",
            "pending",
        ):  # fmt: skip
            _positive(self, option)


def _check_address(option: str, address: object, schemes: tuple[str, str]) -> None:
    if address is None:
        return
    text = str(address)
    if "@" in text.rpartition("://")[2].partition("/")[0]:  # before the path, whatever the scheme, or without one
        raise ConfigError(option, "an address with user:password@", "one without: addresses are logged and recorded")
    if not text.startswith(schemes):
        raise ConfigError(option, address, f"{'a' if schemes is _WEBSOCKET else 'an'} {' or '.join(schemes)} address")
    if not _has_place(text):
        raise ConfigError(option, address, "an address with a host and a port from 1 to 65535, if any")


def _has_place(address: str) -> bool:
    try:
        parts = urlsplit(address)
        return bool(parts.hostname) and parts.port != 0
    except ValueError:  # a port that is none, half an IPv6 address
        return False


#: How addresses of Redis and of NATS begin.
REDIS, NATS = ("redis://", "rediss://", "unix://"), ("nats://", "tls://")
#: How addresses of message brokers begin.
BROKERS = (*NATS, *REDIS, "amqp://", "amqps://", "kafka://", "kafkas://")


class FeedOptions(Struct, frozen=True, kw_only=True):
    """All options of one venue's feed.

    Attributes:
        url: WebSocket address in place of the venue's (a simulator, a gateway); None is the venue's own.
        source: a message broker in the exchange's place (``nats://…``, ``redis://…``, ``amqp://…``, ``kafka://…``;
            docs/brokers.md), never shown; given as ``url`` it is moved here. Then the exchange is asked nothing: no
            markets, recovery, polling.
        rest_url: REST address in place of the venue's; None: derived from ``url``, or the venue's own.
        format: wire format to ask for, ``DEFAULT`` or ``SIMPLE`` or their list forms.
        numbers: ``"float"`` or ``"decimal"``.
        keep_raw: put the frame's bytes into every event's ``raw``.
        validate: check symbols against the venue's list of markets before subscribing.
        limits: who keeps the exchange's limits together: all clients of this ``"process"``, or of the whole ``"host"``
            (every program whose ``limits`` say so, and that uses the same ``limits_dir``), or of all hosts that name
            the same Redis (``redis://``, ``rediss://`` for TLS, ``unix://``) or NATS (``nats://``, ``tls://``), extras.
        limits_dir: where the programs of a host meet; None: a directory of this user's own.
        drop_doubles: deliver a trade once, however often the exchange sends it (of each market 1,024 ids are known).
        recover: ask by REST for what a lost line missed (trades, candles, orders, balances), and deliver it marked
            ``recovered``.
        recovery_order: ``"merged"`` delivers live events at once and what was missed when REST told it;
            ``"before"`` lets the live ones of that stream wait for it: 10,000 of them and 30 seconds at most.
        history: seconds of trades and candles before a stream's first subscription that REST is asked for; they come
            marked ``recovered``, and the ``Gap`` of cause ``history`` tells how far they go back.
        redundancy: connections that carry the same public streams; of each message the first copy is delivered. 1 to 4;
            private and info sides always have one.
        urls: with ``redundancy``, the WebSocket address of each of its connections; those without one take ``url``,
            which is the first of them if none is given.
        lines: with ``redundancy``, the ``LineOptions`` of each of its connections; those without take ``line``.
        tape: keep every frame of every connection, every REST answer and what happened to the feed; None: none of it.
        cursor_file: a file of this program's own in which is kept, about once a second, how far each stream came: the
            next process that names it begins there, by REST (docs/guarantees.md). Each venue needs one of its own.
        poll_after: seconds without a WebSocket stream after which REST is asked in its place, again and again within
            half of its limits, and what it tells delivered marked ``polled``, until the stream is back; None: never.
        transport: which WebSocket library, ``picows`` or ``websockets`` (an extra).
        line, session, mailbox: the options of each room, see ``LineOptions``, ``SessionOptions``, ``MailboxOptions``.
    """

    url: str | None = None
    source: str | None = None
    rest_url: str | None = None
    format: Format = "DEFAULT"
    numbers: Numbers = "float"
    keep_raw: bool = False
    validate: bool = True
    limits: str = "process"
    limits_dir: str | None = None
    drop_doubles: bool = True
    recover: bool = True
    recovery_order: Literal["merged", "before"] = "merged"
    history: float | None = None
    redundancy: int = 1
    urls: tuple[str, ...] = ()
    lines: tuple[LineOptions, ...] = ()
    tape: TapeOptions | None = None
    cursor_file: str | None = None
    poll_after: float | None = 30.0
    transport: Literal["picows", "websockets"] = "picows"
    line: LineOptions = LineOptions()
    session: SessionOptions = SessionOptions()
    mailbox: MailboxOptions = MailboxOptions()

    def __post_init__(self) -> None:
        self._check_source()
        self._check_lines()
        self._check_limits()
        if self.cursor_file == "":
            raise ConfigError("cursor_file", "", "the name of a file, or None")
        _positive(self, "poll_after", "history")
        if self.history is not None and not self.recover:
            raise ConfigError("recover", False, "True with history, which is asked for in the same way")
        for option, address in (*(("urls", url) for url in self.urls), ("url", self.url), ("rest_url", self.rest_url)):
            _check_address(option, address, _REST if option == "rest_url" else _WEBSOCKET)
        for option, words in _WORDS.items():
            if getattr(self, option) not in words:
                raise ConfigError(option, getattr(self, option), " or ".join(f'"{word}"' for word in words))

    def _check_source(self) -> None:
        if str(self.url or "").startswith(BROKERS):
            force_setattr(self, "source", self.url)
            force_setattr(self, "url", None)
        if self.source is None:
            return
        if not str(self.source).startswith(BROKERS):
            raise ConfigError("source", "…", f"the address of a broker ({', '.join(BROKERS)})")
        force_setattr(self, "source", HiddenText(self.source))  # a password may stand in it
        usual = {"tape": None, "cursor_file": None, "history": None, "redundancy": 1, "urls": ()}
        for option, value in usual.items():
            if getattr(self, option) != value:
                raise ConfigError(option, "…", "left out with a broker: that is for lines to an exchange")
        for option, off in (("validate", False), ("recover", False), ("poll_after", None)):
            force_setattr(self, option, off)

    def _check_limits(self) -> None:
        if str(self.limits).startswith((*REDIS, *NATS)):
            force_setattr(self, "limits", HiddenText(self.limits))  # a password may stand in it
        elif self.limits not in ("process", "host"):
            shown = "an address with user:password@" if "@" in str(self.limits) else self.limits
            servers = f"an address of Redis ({', '.join(REDIS)}) or of NATS ({', '.join(NATS)})"
            raise ConfigError("limits", shown, f'"process", "host" or {servers}')

    def _check_lines(self) -> None:
        if not (_is_number(self.redundancy) and self.redundancy in range(1, MOST_LINES + 1)):
            raise ConfigError("redundancy", self.redundancy, f"a whole number from 1 to {MOST_LINES}")
        for option, kind in (("urls", str), ("lines", LineOptions)):
            given = getattr(self, option)
            if isinstance(given, list):
                given = tuple(given)
                force_setattr(self, option, given)
            if not isinstance(given, tuple) or not all(isinstance(one, kind) for one in given):
                raise ConfigError(option, "…", f"a tuple of {kind.__name__}, one for each line")
            if len(given) > max(1, self.redundancy) or (given and self.redundancy == 1):
                raise ConfigError(option, f"{len(given)} of them", f"used with redundancy={max(2, len(given))} or more")
        if self.urls:
            if self.url not in (None, self.urls[0]):
                raise ConfigError("urls", self.urls[0], f"begun with url ({self.url}), or used without it")
            force_setattr(self, "url", self.urls[0])


#: Options that are one word of these.
_WORDS = {
    "format": ("DEFAULT", "SIMPLE", "JSON_LIST", "SIMPLE_LIST"),
    "numbers": ("float", "decimal"),
    "recovery_order": ("merged", "before"),
    "transport": ("picows", "websockets"),
}
