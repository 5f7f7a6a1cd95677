"""Where alerts go: a callback, the log, a webhook in its generic, Slack or Telegram form; addresses stay secret."""

from __future__ import annotations

import inspect
import logging
import re
from collections.abc import Callable, Mapping
from typing import Any
from urllib.parse import urlsplit

from msgspec import Struct
from msgspec.structs import force_setattr

from tapewire.client.outbox import Direct, Outbox, Outlet, logger
from tapewire.client.posting import Posting, Tools
from tapewire.config import LineOptions, Secret
from tapewire.errors import ConfigError
from tapewire.hub import notice_forms
from tapewire.hub.alert_rules import check_number
from tapewire.hub.notices import SEVERITIES, Notice, Severity
from tapewire.transport.handshake import request_headers

_LEVELS = {"info": logging.INFO, "warning": logging.WARNING, "critical": logging.ERROR}
_LOOPBACK = ("localhost", "127.0.0.1", "::1")
_TELEGRAM = "https://api.telegram.org"
_TOKEN = re.compile(r"\d+:[\w-]+", re.ASCII)
_ADDRESS = "an https:// or http:// address with a host, without user and password"
_SAFE = "an https:// address: it is a secret"


class Channel(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, tag_field="channel"):
    """What every channel has.

    Attributes:
        at_least: the mildest severity that it gets; recoveries have that of their rule.
    """

    at_least: Severity = "info"

    def __post_init__(self) -> None:
        if self.at_least not in SEVERITIES:
            raise ConfigError("at_least", self.at_least, " or ".join(f'"{one}"' for one in SEVERITIES))

    def takes(self, notice: Notice) -> bool:
        """Whether the notice is severe enough."""
        return SEVERITIES.index(notice.severity) >= SEVERITIES.index(self.at_least)

    def open(self, tools: Tools) -> Outlet:
        """The channel at work."""
        raise NotImplementedError


class Log(Channel, frozen=True, tag="log"):
    """The standard log, logger ``tapewire.alerts``: info, warning, error by severity; the notice is in ``alert``."""

    def open(self, tools: Tools) -> Outlet:
        def write(notice: Notice) -> None:
            level = logging.INFO if notice.over else _LEVELS[notice.severity]
            logger.log(level, "%s: %s", tools.source, notice.line, extra={"alert": notice})

        return Direct("log", write)


class Callback(Channel, frozen=True, tag="callback"):
    """A function of the program, plain or async, that takes one ``Notice``. Async ones are awaited one at a time."""

    function: Callable[[Notice], Any]

    def __post_init__(self) -> None:
        super().__post_init__()
        if not callable(self.function):
            raise ConfigError("channel", self.function, "a function that takes one notice, or a channel such as Log()")

    def open(self, tools: Tools) -> Outlet:  # noqa: ARG002 - the same for all channels
        name = f"callback {getattr(self.function, '__qualname__', type(self.function).__name__)}"
        called = getattr(self.function, "__call__", None)  # noqa: B004 - an object's own may be async
        if inspect.iscoroutinefunction(self.function) or inspect.iscoroutinefunction(called):
            return Outbox(name, self.function, _nothing)
        return Direct(name, self.function)


class Webhook(Channel, frozen=True, tag="webhook"):
    """A JSON object posted to any address; 2xx is success.

    Attributes:
        url: ``https://`` or ``http://`` address; kept as a ``Secret``.
        headers: additional request headers, such as ``Authorization``; their values are secrets too.
        timeout: seconds for one try.
    """

    url: str | Secret
    headers: Mapping[str, str | Secret] = {}
    timeout: float = 10.0

    def __post_init__(self) -> None:
        url = _wrapped(self, "url")
        headers = _wrapped_headers(self)
        super().__post_init__()
        if not _is_address(url):
            raise ConfigError("url", "…", _ADDRESS)
        wrong = _wrong_header(headers)
        if wrong is not None:
            raise ConfigError(f"headers[{wrong!r}]", "…", "a name of letters, digits and -, and one printable line")
        check_number("timeout", self.timeout, above=0)

    def open(self, tools: Tools) -> Outlet:
        url, headers = _wrapped(self, "url"), _wrapped_headers(self)
        return Posting(tools, url, notice_forms.generic, self.timeout, headers=headers).outbox()


class Slack(Channel, frozen=True, tag="slack"):
    """An incoming webhook of Slack (or of what speaks like it: Mattermost, Rocket.Chat, Discord's ``/slack``)."""

    url: str | Secret
    timeout: float = 10.0

    def __post_init__(self) -> None:
        url = _wrapped(self, "url")
        super().__post_init__()
        if not _is_address(url):
            raise ConfigError("url", "…", _ADDRESS)
        if not _is_safe(url):
            raise ConfigError("url", "…", _SAFE)
        check_number("timeout", self.timeout, above=0)

    def open(self, tools: Tools) -> Outlet:
        return Posting(tools, _wrapped(self, "url"), notice_forms.slack, self.timeout).outbox()


class Telegram(Channel, frozen=True, tag="telegram"):
    """A message of a Telegram bot to one chat.

    Attributes:
        token: of the bot, as BotFather issued it (``123456:ABC…``); kept as a ``Secret``.
        chat_id: number of the chat, or ``@channel``.
        api: address of the Bot API.
    """

    token: str | Secret
    chat_id: str | int
    api: str = _TELEGRAM
    timeout: float = 10.0

    def __post_init__(self) -> None:
        token = _wrapped(self, "token")
        super().__post_init__()
        if not _TOKEN.fullmatch(token.reveal()):
            raise ConfigError("token", "…", "a bot's token such as 123456:ABC…")
        chat: object = self.chat_id
        if isinstance(chat, bool) or not isinstance(chat, str | int) or not str(chat):
            raise ConfigError("chat_id", chat, "the number of a chat, or @channel")
        api = Secret(str(self.api) or "…")
        if not (_is_address(api) and _is_safe(api)):
            raise ConfigError("api", self.api, _SAFE)
        check_number("timeout", self.timeout, above=0)

    def open(self, tools: Tools) -> Outlet:
        token = _wrapped(self, "token")
        url = Secret(f"{self.api.rstrip('/')}/bot{token.reveal()}/sendMessage")
        form = notice_forms.telegram(str(self.chat_id))
        return Posting(tools, url, form, self.timeout, hidden=token).outbox()


#: Every channel that a settings file can name.
CHANNELS: dict[str, type[Channel]] = {
    str(channel.__struct_config__.tag): channel for channel in (Log, Webhook, Slack, Telegram)
}


def as_channel(given: object) -> Channel:
    """A channel as it is, a function as ``Callback``. Raises ConfigError for anything else."""
    return given if isinstance(given, Channel) else Callback(given)  # type: ignore[arg-type] # refused there


async def _nothing() -> None: ...


def shown_of(value: object) -> str:
    """What an error may say of what should have been a secret: its type, or that it is empty."""
    return "" if isinstance(value, str) else type(value).__name__


def _secret(option: str, value: object) -> Secret:
    if isinstance(value, Secret):
        return value
    if not isinstance(value, str) or not value.strip():
        raise ConfigError(option, shown_of(value), "a text that is not empty")
    return Secret(value.strip())


def _wrapped(channel: Channel, option: str) -> Secret:
    """The channel's secret, which it holds as such from now on."""
    force_setattr(channel, option, _secret(option, getattr(channel, option)))
    found: Secret = getattr(channel, option)
    return found


def _wrapped_headers(webhook: Webhook) -> dict[str, Secret]:
    given: object = webhook.headers
    force_setattr(webhook, "headers", {})  # what is refused is not shown, whatever it is
    if not isinstance(given, Mapping):
        given = type(given).__name__
        raise ConfigError("headers", given, "a mapping of header names to their values")
    headers = {str(name): _secret("headers", value) for name, value in given.items()}
    force_setattr(webhook, "headers", headers)
    return headers


def _wrong_header(headers: Mapping[str, Secret]) -> str | None:
    """The name of the first header that would break a request."""
    for name, value in headers.items():
        try:
            request_headers(LineOptions(), {name: value.reveal()})
        except ConfigError:
            return name
    return None


def _is_address(url: Secret) -> bool:
    """Whether it can be posted to."""
    try:
        parts = urlsplit(url.reveal())
        is_whole = bool(parts.hostname) and parts.port != 0 and parts.scheme in {"http", "https"}
    except ValueError:  # a port that is none, half an IPv6 address
        return False
    return is_whole and "@" not in parts.netloc and not any(letter.isspace() for letter in url.reveal())


def _is_safe(url: Secret) -> bool:
    """Whether a secret address may be posted to: over TLS, or on this machine."""
    parts = urlsplit(url.reveal())
    return parts.scheme == "https" or parts.hostname in _LOOPBACK
