"""Profile, settings file, environment and command line → one ``Settings``; says where each value is from."""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator, Mapping
from difflib import get_close_matches
from pathlib import Path
from typing import Any, NamedTuple

import msgspec
from msgspec import Struct
from msgspec.structs import replace

from tapewire.apps.environment import credential_names, environment_proxy, environment_settings, find_credentials
from tapewire.config import (
    Credentials,
    FeedOptions,
    Format,
    LineOptions,
    MailboxOptions,
    Secret,
    SessionOptions,
    TapeOptions,
)
from tapewire.errors import ConfigError, CredentialsError
from tapewire.profiles import PROFILES, STRATEGIES, by_room, named
from tapewire.sinks.files.options import RecordOptions

#: Read from the working directory when it is there; ``TAPEWIRE_CONFIG`` names another.
SETTINGS_FILE = "tapewire.toml"
#: The name of the last source of a setting.
COMMAND_LINE = "command line"
_KEYS = ("access_key", "secret_key", "passphrase")
#: Tables of the settings file and what may stand in each.
TABLES: Mapping[str, tuple[str, ...]] = {
    "feed": (
        "numbers",
        "keep_raw",
        "validate",
        "limits",
        "limits_dir",
        "cursor_file",
        "poll_after",
        "transport",
        "redundancy",
        "urls",
        "lines",
    ),
    "line": tuple(name for name in LineOptions.__struct_fields__ if name not in ("ssl_context", "proxy")),
    "session": SessionOptions.__struct_fields__,
    "mailbox": MailboxOptions.__struct_fields__,
    "record": RecordOptions.__struct_fields__,
    "tape": tuple(name for name in TapeOptions.__struct_fields__ if name != "folder"),
}


#: What may stand in each ``[[feed.lines]]``.
_OF_A_LINE = tuple(name for name in LineOptions.__struct_fields__ if name != "ssl_context")


class SettingsError(ConfigError):
    """A settings file that cannot be read; says where in the file, what came and what would be right."""

    def __init__(self, path: Path, reason: str) -> None:
        Exception.__init__(self, f"{path}: {reason}")
        self.option, self.value, self.allowed = str(path), None, reason


class Settings(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What a user can settle once for all commands; an option on the command line goes before it.

    Attributes:
        venue: ``upbit``, ``upbit-sg``, ``upbit-id``, ``upbit-th`` (environment: ``TAPEWIRE_VENUE``).
        url: WebSocket address in place of the venue's (``TAPEWIRE_URL``).
        rest_url: REST address; by default beside ``url``, or the venue's own (``TAPEWIRE_REST_URL``).
        format: wire format to ask for: ``DEFAULT``, ``SIMPLE``, ``JSON_LIST`` or ``SIMPLE_LIST`` (``TAPEWIRE_FORMAT``).
        compression: offer permessage-deflate: less traffic, more CPU.
        proxy: for every venue's address, before the proxies of the environment (``TAPEWIRE_PROXY``).
        use_profile: ``development``, ``testing``, ``staging``, ``production`` or one of the file's own
            (``TAPEWIRE_PROFILE``); None: every option has its default.
        strategy: how soon to come back: ``aggressive``, ``balanced`` or ``conservative``; None: the profile's.
        access_key: names the API key (``UPBIT_ACCESS_KEY``); in a file only if it is 0600 and yours.
        secret_key: signs (``UPBIT_SECRET_KEY``); beside ``access_key``.
        passphrase: third part of the key, where the venue has one.
        feed: the fields of ``FeedOptions`` numbers, keep_raw, validate, limits (``TAPEWIRE_LIMITS``),
            limits_dir (``TAPEWIRE_LIMITS_DIR``), cursor_file (``TAPEWIRE_CURSOR_FILE``), poll_after (``inf``: never),
            transport, redundancy, urls and lines, of which each is one ``[[feed.lines]]`` table.
        line: the fields of ``LineOptions`` but proxy, which stands above, and ssl_context, which is no text.
        session: the fields of ``SessionOptions``: ping_interval, backoff_cap and so on.
        mailbox: the fields of ``MailboxOptions``.
        record: the fields of ``RecordOptions`` (``TAPEWIRE_RECORD_LAYOUT`` and so on): how recordings lie on the disk.
        tape: the fields of ``TapeOptions`` but folder (``TAPEWIRE_TAPE_FSYNC`` and so on): how a tape is written.
        alerts: rules, one ``[[alerts]]`` table each.
    """

    venue: str = "upbit"
    url: str | None = None
    rest_url: str | None = None
    format: Format = "DEFAULT"
    compression: bool | None = None
    proxy: str | None = None
    use_profile: str | None = None
    strategy: str | None = None
    access_key: Secret | None = None
    secret_key: Secret | None = None
    passphrase: Secret | None = None
    feed: FeedOptions = FeedOptions()
    line: LineOptions = LineOptions()
    session: SessionOptions = SessionOptions()
    mailbox: MailboxOptions = MailboxOptions()
    record: RecordOptions = RecordOptions()
    tape: TapeOptions = TapeOptions()
    alerts: tuple[dict[str, Any], ...] = ()

    def __repr__(self) -> str:
        """Without what may hold a password: the proxy's is cut out, keys show themselves as ``***``."""
        shown = {name: getattr(self, name) for name in self.__struct_fields__}
        shown |= {"proxy": "…" if self.proxy else None, "alerts": f"{len(self.alerts)} rules"}
        return f"Settings({', '.join(f'{name}={value!r}' for name, value in shown.items())})"

    @property
    def credentials(self) -> Credentials | None:
        """The whole key, None without one."""
        if self.access_key is None or self.secret_key is None:
            return None
        return Credentials(self.access_key, self.secret_key, self.passphrase)

    def feed_options(self, address: str, environ: Mapping[str, str] | None = None, **changes: Any) -> FeedOptions:
        """Options of a feed at ``address`` (it decides the proxy); ``changes`` are fields of ``FeedOptions``.

        Raises:
            ConfigError: an option has an impossible value (a proxy's is never shown: it may hold a password).
        """
        proxy = self.proxy or environment_proxy(address, environ)
        every = {} if self.compression is None else {"compression": "deflate" if self.compression else None}
        lines = tuple(replace(one, proxy=one.proxy or proxy, **every) for one in self.feed.lines)
        fixed: dict[str, Any] = {"url": self.url, "rest_url": self.rest_url, "format": self.format, "lines": lines}
        fixed |= {"line": replace(self.line, proxy=proxy, **every), "session": self.session, "mailbox": self.mailbox}
        return replace(self.feed, **{**fixed, **changes})


_IN_PROFILE = tuple(name for name in Settings.__struct_fields__ if name != "use_profile")


class Loaded(NamedTuple):
    """Settings, where each came from (``session.ping_interval`` → ``profile production``), and the file if any."""

    settings: Settings
    origin: dict[str, str]
    path: Path | None


def load(environ: Mapping[str, str] | None = None, given: Mapping[str, Any] | None = None) -> Settings:
    """As ``load_with_origin``, the settings alone."""
    return load_with_origin(environ, given).settings


def load_with_origin(environ: Mapping[str, str] | None = None, given: Mapping[str, Any] | None = None) -> Loaded:
    """Settings from profile, file, environment and command line, each before the one named before it.

    A profile's own table in the file (``[profile.production.session]``) goes before the rest of the file.

    Args:
        environ: in place of ``os.environ``.
        given: what the command line said, by the names of ``Settings``; ``keys`` is a file with the API key.

    Raises:
        SettingsError: the file that ``TAPEWIRE_CONFIG`` names is not there, or a settings file is wrong.
        ConfigError: the environment or the command line holds an impossible value.
        CredentialsError: half a key.
    """
    environ = os.environ if environ is None else environ
    given = {name: value for name, value in (given or {}).items() if value is not None}
    path, content = _read(environ.get("TAPEWIRE_CONFIG"))
    profiles = content.pop("profile", {})
    keys = given.pop("keys", None) or environ.get("TAPEWIRE_KEYS")
    profile = given.get("use_profile") or environ.get("TAPEWIRE_PROFILE") or content.get("use_profile")
    general = {"use_profile": profile} if profile else {}
    own = profiles.get(profile, {}) if isinstance(profile, str) else {}
    strategy = given.get("strategy") or own.get("strategy") or content.get("strategy")
    venue = given.get("venue") or environ.get("TAPEWIRE_VENUE") or own.get("venue") or content.get("venue") or "upbit"
    layers = [
        *_named(profile, strategy, profiles),
        (f"{path}", content | general),
        (f"{path} [profile.{profile}]", own),
        ("environment", environment_settings(environ, str(venue)) | _environment_key(str(venue), environ, keys)),
        *([(str(keys), _key_file(Path(keys)))] if keys else []),
        (COMMAND_LINE, given),
    ]
    merged, origin = _merged(layers)
    return Loaded(_whole(_settings(merged, path, origin), path), origin, path)


def _named(profile: str | None, strategy: str | None, own: Mapping[str, Any]) -> Iterator[tuple[str, dict[str, Any]]]:
    """The layers that a profile and a strategy stand for."""
    known = {name: PROFILES.get(name, {}) for name in (*PROFILES, *own)}
    for what, table, name in (("profile", known, profile), ("strategy", STRATEGIES, strategy)):
        if name is not None:
            rooms = by_room(named(table, what, name))
            yield f"{what} {name}", {room: options for room, options in rooms.items() if room and options}


def _environment_key(venue: str, environ: Mapping[str, str], keys: object) -> dict[str, Any]:
    """The key's settings, unless a file of keys was named."""
    found = None if keys else find_credentials(venue, environ)
    return {} if found is None else {name: part for name in _KEYS if (part := getattr(found, name)) is not None}


def _read(asked: str | None) -> tuple[Path | None, dict[str, Any]]:
    path = Path(asked or SETTINGS_FILE)
    if not asked and not path.exists():
        return None, {}
    content = read_toml(path, "TAPEWIRE_CONFIG names it")
    profiles = content.get("profile", {})
    _check_names(path, "", content, (*Settings.__struct_fields__, "profile"))
    if not isinstance(profiles, dict) or not all(isinstance(table, dict) for table in profiles.values()):
        raise SettingsError(path, "profile is no table; write [profile.production], and use_profile to choose one")
    for name, table in profiles.items():
        _check_names(path, f"profile.{name}.", table, _IN_PROFILE)
    return path, content


def _key_file(path: Path) -> dict[str, Any]:
    """``--keys FILE``: a TOML file with the parts of one key and nothing else."""
    content = read_toml(path, "it was named as the file of the key")
    _check_names(path, "", content, _KEYS)
    for name in _KEYS[:2]:
        if not content.get(name):
            raise SettingsError(path, f'{name} is missing; a file of keys has access_key = "…" and secret_key = "…"')
    return content


def read_toml(path: Path, why: str) -> dict[str, Any]:
    """The content of a settings file; ``why`` it must be there.

    Raises:
        SettingsError: it is not there, no TOML, or holds a secret that others may read.
    """
    try:
        with path.open("rb") as file:
            facts, raw = os.fstat(file.fileno()), file.read()
    except FileNotFoundError:
        raise SettingsError(path, f"is not there, though {why}") from None
    except OSError as error:
        raise SettingsError(path, error.strerror or str(error)) from error
    try:
        content: dict[str, Any] = msgspec.toml.decode(raw)
    except msgspec.DecodeError as error:
        raise SettingsError(path, f"is no TOML: {error}") from error
    except UnicodeDecodeError:
        raise SettingsError(path, "is no text in UTF-8") from None
    if _holds_key(content):
        _check_private(path, facts)
    return content


def _holds_key(content: Mapping[str, Any]) -> bool:
    profiles = content.get("profile", {})
    tables = [content, *(profiles.values() if isinstance(profiles, dict) else ())]
    return any(name in table for table in tables if isinstance(table, dict) for name in _KEYS) or any(
        _alert_secrets(table) for table in tables if isinstance(table, dict)
    )


def _alert_secrets(table: Mapping[str, Any]) -> list[str]:
    """Where the alerts of this table hold a secret themselves."""
    found = table.get("alerts")
    if not isinstance(found, list):
        return []
    from tapewire.client.alert_settings import literal_secrets  # noqa: PLC0415 - heavy, loaded when used

    return literal_secrets(found)


def _check_private(path: Path, facts: os.stat_result) -> None:
    """A file with a key must be its owner's alone (not on Windows, which has no such modes)."""
    if os.name != "posix":
        return
    mode = stat.S_IMODE(facts.st_mode)
    if facts.st_uid != os.geteuid():
        raise SettingsError(path, f"holds a key and belongs to another user (uid {facts.st_uid}); it must be yours")
    if mode & 0o077:
        raise SettingsError(path, f"holds a key and others may read it (mode {mode:04o}); do: chmod 600 {path}")


def _check_names(path: Path, where: str, table: Mapping[str, Any], known: Any) -> None:
    """Refuse what would be ignored."""
    for name, value in table.items():
        if name not in known:
            near = get_close_matches(name, known, 1)
            hint = f"did you mean {near[0]}?" if near else f"there are {', '.join(known)}"
            raise SettingsError(path, f"{where}{name} is no setting; {hint}")
        if name in TABLES:
            if not isinstance(value, dict):
                raise SettingsError(path, f"{where}{name} is no table; write [{where}{name}] and its fields below it")
            _check_names(path, f"{where}{name}.", value, TABLES[name])
            for line in value.get("lines", ()) if name == "feed" and isinstance(value.get("lines"), list) else ():
                _check_names(path, f"{where}feed.lines.", line if isinstance(line, dict) else {}, _OF_A_LINE)


def _merged(layers: list[tuple[str, dict[str, Any]]]) -> tuple[dict[str, Any], dict[str, str]]:
    """The last word on each setting, and whose it was."""
    merged: dict[str, Any] = {}
    origin: dict[str, str] = {}
    for source, layer in layers:
        for name, value in layer.items():
            if name in TABLES and isinstance(value, dict):
                merged[name] = {**merged.get(name, {}), **value}
                origin |= {f"{name}.{option}": source for option in value}
            else:
                merged[name] = value
                origin[name] = source
    return merged, origin


def _settings(merged: dict[str, Any], path: Path | None, origin: Mapping[str, str]) -> Settings:
    try:
        return msgspec.convert(merged, Settings, dec_hook=_as_secret)
    except msgspec.ValidationError as error:
        field = str(error).partition("`$.")[2].partition("`")[0]
        source = next((said for name, said in origin.items() if name.startswith(field)), "") if field else ""
        if path is not None and (not source or source.startswith(str(path))):
            raise SettingsError(path, str(error)) from None
        raise SettingsError(Path(source or "settings"), str(error)) from None


def _as_secret(_type: type, value: object) -> Secret:
    return value if isinstance(value, Secret) else Secret(value.strip() if isinstance(value, str) else value)


def _whole(settings: Settings, path: Path | None) -> Settings:
    """Half a key is refused, and no other venue's names are guessed."""
    if (settings.access_key is None) != (settings.secret_key is None):
        missing = "access_key" if settings.access_key is None else "secret_key"
        names = " and ".join(credential_names(settings.venue))
        raise CredentialsError(missing, f"is missing in {path or 'the settings'}; a key has both parts ({names})")
    return settings
