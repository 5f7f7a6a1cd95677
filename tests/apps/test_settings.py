"""Settings: what goes before what, proxies as curl reads them, errors that name the place."""

from __future__ import annotations

import json
import os
import re
from math import inf
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner
from hypothesis import given
from hypothesis import strategies as st

import tapewire
from tapewire.apps.cli.main import cli
from tapewire.apps.cli.options import Patience
from tapewire.apps.environment import (
    UPBIT_NAMES,
    UPBIT_NAMES_WITHOUT_MEANING,
    environment_credentials,
    environment_proxy,
    names_without_meaning,
)
from tapewire.apps.settings import TABLES, Settings, SettingsError, load, load_with_origin
from tapewire.config import Credentials, FeedOptions, LineOptions, Secret, SessionOptions
from tapewire.errors import ConfigError, CredentialsError, FeedError, UnknownName

ACCESS, SECRET = "canary-access", "canary-secret-of-forty-characters-0123456"
KEYS = {"UPBIT_ACCESS_KEY": ACCESS, "UPBIT_SECRET_KEY": SECRET}
IN_FILE = f'access_key = "{ACCESS}"\nsecret_key = "{SECRET}"\n'
KEY = Credentials(Secret(ACCESS), Secret(SECRET))


def settle(text: str, mode: int = 0o600, name: str = "tapewire.toml") -> Path:
    """Write a settings file into the working directory."""
    path = Path(name)
    path.write_text(text, "utf-8")
    path.chmod(mode)
    return path


def test_without_file_and_environment_everything_has_its_default() -> None:
    assert load({}) == Settings(venue="upbit", url=None, format="DEFAULT", compression=None, proxy=None)


def test_the_file_settles_and_the_environment_goes_before_it(tmp_path: Path) -> None:
    (tmp_path / "tapewire.toml").write_text(
        'venue = "upbit-sg"\nurl = "ws://file/"\nformat = "SIMPLE"\ncompression = true\n[session]\nping_interval = 5\n'
    )
    settings = load({"TAPEWIRE_URL": "ws://environment/"})
    assert settings == Settings(
        venue="upbit-sg",
        url="ws://environment/",
        format="SIMPLE",
        compression=True,
        session=SessionOptions(ping_interval=5.0),
    )


def test_another_file_can_be_named_and_must_be_there(tmp_path: Path) -> None:
    other = tmp_path / "other.toml"
    with pytest.raises(SettingsError, match=r"other\.toml: is not there, though TAPEWIRE_CONFIG names it"):
        load({"TAPEWIRE_CONFIG": str(other)})
    other.write_text('venue = "upbit-th"')
    assert load({"TAPEWIRE_CONFIG": str(other)}).venue == "upbit-th"


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        ('urll = "x"', r"urll is no setting; did you mean url\?"),
        ("xyzzy = 1", r"xyzzy is no setting; there are venue, url, rest_url, format, compression, proxy, use_profile,"),
        ("[session]\nping_intervall = 5", r"session\.ping_intervall is no setting; did you mean ping_interval\?"),
        ("[line]\nssl_context = 5", r"line\.ssl_context is no setting"),
        (
            "[feed]\nxyzzy = 1",
            r"feed\.xyzzy is no setting; there are numbers, keep_raw, validate, limits, limits_dir, cursor_file,",
        ),
        ("[[feed.lines]]\nssl_context = 5", r"feed\.lines\.ssl_context is no setting"),
        ("[feed]\npoll_after = 0", r"poll_after is 0.0; it must be more than 0"),
        ("[feed]\nredundancy = 9", r"redundancy is 9; it must be a whole number from 1 to 4"),
        ("[profile.office.session]\npng = 5", r"profile\.office\.session\.png is no setting"),
        ("[profile.office]\nuse_profile = 'x'", r"profile\.office\.use_profile is no setting"),
        ('profile = "production"', r"profile is no table; write \[profile\.production\], and use_profile to choose"),
        ("[profile.office]\nline = []", r"profile\.office\.line is no table; write \[profile\.office\.line\]"),
        ("use_profile = []", r"profile is \[\]; it must be one of development, testing, staging, production"),
        ("venue = 5", r"tapewire\.toml: Expected `str`, got `int` - at `\$\.venue`"),
        ("use_profile = 'offise'\n[profile.office]", r"profile is 'offise'; it must be one of .*production, office"),
        ('strategy = "calm"', r"strategy is 'calm'; it must be one of aggressive, balanced, conservative"),
        ("session = 5", r"session is no table; write \[session\] and its fields below it"),
        ("[line]\nconnect_timeout = 0", r"connect_timeout is 0\.0; it must be more than 0 - at `\$\.line`"),
        ('format = "XML"', r"Invalid enum value 'XML' - at `\$\.format`"),
        ("compression = 1", r"Expected `bool \| null`, got `int` - at `\$\.compression`"),
        ("[session]\nping_interval = -1", r"ping_interval is -1\.0; it must be more than 0 - at `\$\.session`"),
        ("venue = ", r"tapewire\.toml: is no TOML: "),
    ],
)
def test_a_wrong_file_says_where_and_what(tmp_path: Path, content: str, reason: str) -> None:
    (tmp_path / "tapewire.toml").write_text(content)
    with pytest.raises(ConfigError, match=reason):
        load({})


def test_a_folder_in_the_place_of_the_file_is_named(tmp_path: Path) -> None:
    (tmp_path / "tapewire.toml").mkdir()
    with pytest.raises(SettingsError, match=r"tapewire\.toml: Is a directory"):
        load({})


@pytest.mark.parametrize(
    ("url", "environ", "proxy"),
    [
        ("wss://api.upbit.com/x", {}, None),
        ("wss://api.upbit.com/x", {"HTTPS_PROXY": "http://p:1"}, "http://p:1"),
        ("wss://api.upbit.com/x", {"HTTPS_PROXY": "http://p:1", "https_proxy": "http://q:2"}, "http://q:2"),
        ("wss://api.upbit.com/x", {"HTTP_PROXY": "http://p:1"}, None),
        ("ws://api.upbit.com/x", {"HTTP_PROXY": "http://p:1"}, "http://p:1"),
        ("wss://api.upbit.com/x", {"ALL_PROXY": "socks5://p:1"}, "socks5://p:1"),
        ("wss://api.upbit.com/x", {"HTTPS_PROXY": "p:1"}, "http://p:1"),
        ("wss://api.upbit.com/x", {"ALL_PROXY": "http://p:1", "NO_PROXY": "*"}, None),
        ("wss://api.upbit.com/x", {"ALL_PROXY": "http://p:1", "no_proxy": "a.b, upbit.com"}, None),
        ("wss://api.upbit.com/x", {"ALL_PROXY": "http://p:1", "NO_PROXY": "*.upbit.com"}, None),
        ("wss://api.upbit.com:444/x", {"ALL_PROXY": "http://p:1", "NO_PROXY": "api.upbit.com:444"}, None),
        ("wss://api.upbit.com/x", {"ALL_PROXY": "http://p:1", "NO_PROXY": "bit.com"}, "http://p:1"),
        ("wss://api.upbit.com/x", {"ALL_PROXY": "http://p:1", "NO_PROXY": ","}, "http://p:1"),
        ("ws://127.0.0.1:9001/x", {"ALL_PROXY": "http://p:1"}, None),
        ("ws://[::1]:9001/x", {"ALL_PROXY": "http://p:1"}, None),
    ],
)
def test_the_environments_proxy(url: str, environ: dict[str, str], proxy: str | None) -> None:
    assert environment_proxy(url, environ) == proxy


def test_options_carry_address_proxy_and_compression() -> None:
    settings = Settings(url="ws://host/x", compression=True)
    options = settings.feed_options("ws://host/x", {"HTTP_PROXY": "http://p:1"}, keep_raw=True)
    assert (options.url, options.line.proxy, options.line.compression, options.keep_raw) == (
        "ws://host/x",
        "http://p:1",
        "deflate",
        True,
    )


def test_an_impossible_proxy_is_refused_without_showing_its_password() -> None:
    with pytest.raises(ConfigError, match="proxy is 'ftp://…'") as caught:
        Settings(proxy="ftp://user:hunter2@host").feed_options("wss://x", {})
    assert "hunter2" not in str(caught.value)


def test_a_profile_changes_what_it_names_and_the_file_goes_before_it() -> None:
    settle("[session]\nping_timeout = 7\nbackoff_cap = 99\n[profile.development.session]\nping_timeout = 8\n")
    assert load({}).session == SessionOptions(ping_timeout=7, backoff_cap=99)
    development = load({"TAPEWIRE_PROFILE": "development"}).session
    assert development == SessionOptions(
        ping_interval=60, ping_timeout=8, backoff_base=0.5, backoff_factor=1.5, backoff_cap=99
    )
    assert load({}, {"use_profile": "production"}).line == LineOptions(connect_timeout=15)


def test_a_profile_of_the_file_itself_may_settle_everything() -> None:
    settle(
        'use_profile = "office"\n[profile.office]\nvenue = "upbit-sg"\nstrategy = "conservative"\n'
        '[profile.office.feed]\nnumbers = "decimal"\n'
    )
    settings = load({})
    assert (settings.venue, settings.feed.numbers, settings.session.backoff_cap) == ("upbit-sg", "decimal", 300.0)


def test_each_place_goes_before_the_one_before_it_and_is_named() -> None:
    settle(
        'url = "ws://file/"\nformat = "SIMPLE"\n[session]\nbackoff_cap = 9\n[profile.production]\nformat = "DEFAULT"'
    )
    given = {"use_profile": "production", "proxy": "http://p:1"}
    loaded = load_with_origin({"TAPEWIRE_URL": "ws://environment/"}, given)
    assert loaded.path == Path("tapewire.toml")
    assert loaded.origin == {
        "session.ping_interval": "profile production",
        "session.backoff_base": "profile production",
        "session.backoff_factor": "profile production",
        "line.connect_timeout": "profile production",
        "session.backoff_cap": "tapewire.toml",
        "format": "tapewire.toml [profile.production]",
        "url": "environment",
        "use_profile": "command line",
        "proxy": "command line",
    }
    assert (loaded.settings.url, loaded.settings.format) == ("ws://environment/", "DEFAULT")


def test_every_table_of_the_file_reaches_the_options() -> None:
    settle(
        'compression = false\n[feed]\nvalidate = false\ntransport = "websockets"\n[line]\ncompression = "deflate"\n'
        'headers = [["X-Desk", "7"]]\n[mailbox]\nsize = 5\nrule = "conflate"\n[[alerts]]\nrule = "down"\n'
    )
    settings = load({})
    options = settings.feed_options("ws://x", {}, keep_raw=True)
    assert (options.validate, options.transport, options.keep_raw) == (False, "websockets", True)
    assert options.line == LineOptions(headers=(("X-Desk", "7"),))
    assert (options.mailbox.size, options.mailbox.rule) == (5, "conflate")
    assert settings.alerts == ({"rule": "down"},)
    assert "'7'" not in repr(settings.line)


# Keys.


def test_the_environments_key_is_found() -> None:
    assert load(KEYS).credentials == KEY == environment_credentials("upbit-sg", KEYS)
    assert tapewire.environment_credentials is environment_credentials


@pytest.mark.parametrize(
    ("environ", "words"),
    [
        ({}, "UPBIT_ACCESS_KEY and UPBIT_SECRET_KEY: are not set; both are needed"),
        ({"UPBIT_ACCESS_KEY": " "}, "UPBIT_ACCESS_KEY and UPBIT_SECRET_KEY: are not set"),
        ({"UPBIT_ACCESS_KEY": ACCESS}, "UPBIT_SECRET_KEY: is not set, though UPBIT_ACCESS_KEY is"),
        ({"UPBIT_SECRET_KEY": SECRET}, "UPBIT_ACCESS_KEY: is not set, though UPBIT_SECRET_KEY is"),
    ],
)
def test_a_missing_part_is_named(environ: dict[str, str], words: str) -> None:
    with pytest.raises(CredentialsError, match=words) as refused:
        environment_credentials(environ=environ)
    assert "canary" not in str(refused.value)


def test_the_environments_key_of_no_venue_is_refused() -> None:
    with pytest.raises(UnknownName, match="no venue is called 'binance'"):
        environment_credentials("binance", KEYS)


def test_half_a_key_stops_every_command() -> None:
    with pytest.raises(CredentialsError, match="UPBIT_SECRET_KEY: is not set"):
        load({"UPBIT_ACCESS_KEY": ACCESS})
    settle(f'access_key = "{ACCESS}"')
    with pytest.raises(CredentialsError, match=r"secret_key: is missing in tapewire\.toml"):
        load({})


def test_a_key_in_the_file_is_taken_and_shown_nowhere() -> None:
    settle(IN_FILE)
    settings = load({})
    assert settings.credentials == KEY
    assert "canary" not in repr(settings)
    assert "canary" not in str(settings.credentials)


@pytest.mark.parametrize("mode", [0o644, 0o640, 0o604, 0o620, 0o601])
@pytest.mark.parametrize("text", [IN_FILE, f"[profile.office]\n{IN_FILE}", 'secret_key = "x"'])
def test_a_key_that_others_may_read_is_refused(mode: int, text: str) -> None:
    settle(text, mode)
    with pytest.raises(SettingsError) as refused:
        load({})
    words = f"tapewire.toml: holds a key and others may read it (mode {mode:04o}); do: chmod 600 tapewire.toml"
    assert str(refused.value) == words


def test_a_file_without_a_key_may_be_read_by_all() -> None:
    settle('venue = "upbit-th"', 0o644)
    assert load({}).venue == "upbit-th"


def test_another_users_key_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    path = settle(IN_FILE)
    owner = path.stat().st_uid
    monkeypatch.setattr(os, "geteuid", lambda: owner + 1)
    with pytest.raises(SettingsError, match=rf"belongs to another user \(uid {owner}\); it must be yours"):
        load({})


def test_a_file_of_keys_goes_before_all_others() -> None:
    settle('access_key = "other"\nsecret_key = "other"')
    settle(IN_FILE + 'passphrase = "third"', name="keys.toml")
    expected = Credentials(Secret(ACCESS), Secret(SECRET), Secret("third"))
    other = {"UPBIT_ACCESS_KEY": "a", "UPBIT_SECRET_KEY": "b"}
    assert load(other, {"keys": Path("keys.toml")}).credentials == expected
    assert load(other | {"TAPEWIRE_KEYS": "keys.toml"}).credentials == expected
    assert load_with_origin({}, {"keys": "keys.toml"}).origin["secret_key"] == "keys.toml"


@pytest.mark.parametrize(
    ("text", "mode", "words"),
    [
        (IN_FILE, 0o644, r"keys\.toml: holds a key and others may read it \(mode 0644\)"),
        (f'access_key = "{ACCESS}"', 0o600, r"keys\.toml: secret_key is missing; a file of keys has access_key = "),
        (
            IN_FILE + "venue = 1",
            0o600,
            r"keys\.toml: venue is no setting; there are access_key, secret_key, passphrase",
        ),
        (ACCESS, 0o600, r"keys\.toml: is no TOML: "),
        ("access_key = 5\nsecret_key = 6", 0o600, r"secret is '\*\*\*'; it must be a text that is not empty"),
    ],
)
def test_a_wrong_file_of_keys_says_so_without_showing_it(text: str, mode: int, words: str) -> None:
    settle(text, mode, "keys.toml")
    with pytest.raises(FeedError, match=words) as refused:
        load({}, {"keys": Path("keys.toml")})
    assert "canary" not in str(refused.value)


def test_a_file_of_keys_that_is_not_there_is_named() -> None:
    with pytest.raises(SettingsError, match=r"nowhere\.toml: is not there, though it was named as the file of the key"):
        load({}, {"keys": "nowhere.toml"})


def test_no_text_is_no_settings_file() -> None:
    Path("tapewire.toml").write_bytes(b'venue = "\xff"')
    with pytest.raises(SettingsError, match=r"tapewire\.toml: is no (text in UTF-8|TOML)"):
        load({})


# Names of the older Upbit guide.


@pytest.mark.parametrize(
    ("environ", "place", "value"),
    [
        ({"PUBLIC_URL": "ws://a/websocket/v1"}, "url", "ws://a/websocket/v1"),
        ({"PRIVATE_URL": "ws://a/websocket/v1/private"}, "url", "ws://a/websocket/v1"),
        ({"PUBLIC_URL": "ws://a/v1", "PRIVATE_URL": "ws://a/v1/private"}, "url", "ws://a/v1"),
        ({"TIMEOUT": "7.5"}, "line.connect_timeout", 7.5),
        ({"MAX_ATTEMPTS": "9"}, "session.max_retries", 9),
        ({"COMPRESSION": "true"}, "compression", True),
        ({"COMPRESSION": "off"}, "compression", False),
        ({"SIMPLE_MODE": "yes"}, "format", "SIMPLE"),
        ({"SIMPLE_MODE": "no"}, "format", "DEFAULT"),
        ({"FORCE_SIMPLE_FORMAT": "1"}, "format", "SIMPLE"),
        ({"SIMPLE_MODE": "yes", "FORCE_SIMPLE_FORMAT": "0"}, "format", "SIMPLE"),
    ],
)
def test_older_names_still_mean_what_they_meant(environ: dict[str, str], place: str, value: object) -> None:
    found: Any = load({f"UPBIT_WEBSOCKET_{name}": text for name, text in environ.items()})
    for name in place.split("."):
        found = getattr(found, name)
    assert found == value


@pytest.mark.parametrize(
    ("environ", "words"),
    [
        ({"TIMEOUT": "soon"}, "UPBIT_WEBSOCKET_TIMEOUT is 'soon'; it must be a number"),
        ({"TIMEOUT": "0"}, "environment: connect_timeout is 0.0; it must be more than 0"),
        ({"MAX_ATTEMPTS": "-1"}, "UPBIT_WEBSOCKET_MAX_ATTEMPTS is '-1'; it must be a whole number"),
        ({"COMPRESSION": "deflate"}, "UPBIT_WEBSOCKET_COMPRESSION is 'deflate'; it must be true or false"),
        ({"PRIVATE_URL": "ws://a/v1"}, "UPBIT_WEBSOCKET_PRIVATE_URL is 'ws://a/v1'; it must be the public address"),
        (
            {"PUBLIC_URL": "ws://a/v1", "PRIVATE_URL": "ws://b/v1/private"},
            "UPBIT_WEBSOCKET_PRIVATE_URL is 'ws://b/v1/private'; it must be in agreement with UPBIT_WEBSOCKET_PUBLIC_",
        ),
    ],
)
def test_an_impossible_older_name_is_refused(environ: dict[str, str], words: str) -> None:
    with pytest.raises(ConfigError, match=re.escape(words)):
        load({f"UPBIT_WEBSOCKET_{name}": text for name, text in environ.items()})


def test_older_names_are_upbits_and_our_own_go_before_them() -> None:
    older = {"UPBIT_WEBSOCKET_PUBLIC_URL": "ws://older/", "TAPEWIRE_URL": "ws://own/"}
    assert load(older).url == "ws://own/"
    assert load({"UPBIT_WEBSOCKET_PUBLIC_URL": "ws://older/"}, {"venue": "elsewhere"}).url is None
    with pytest.raises(SettingsError, match=r"environment: Invalid enum value 'XML' - at `\$\.format`"):
        load({"TAPEWIRE_FORMAT": "XML"})


def test_older_names_without_a_meaning_are_told_with_the_reason() -> None:
    environ = dict.fromkeys([*UPBIT_NAMES, *UPBIT_NAMES_WITHOUT_MEANING], "1")
    assert names_without_meaning(environ) == UPBIT_NAMES_WITHOUT_MEANING
    assert names_without_meaning({}) == {}


@pytest.mark.parametrize("name", ["development", "testing", "staging", "production"])
def test_a_profile_for_programs_is_the_commands_own(name: str) -> None:
    assert load({}, {"use_profile": name}).feed_options("ws://x", {}) == tapewire.profile(name)


def test_options_from_the_settings_equal_those_of_a_program() -> None:
    assert load({}).feed_options("wss://api.upbit.com", {}) == FeedOptions()


_SCALARS = (
    st.none() | st.booleans() | st.integers(-5, 5) | st.floats(allow_nan=True) | st.sampled_from(["", "x", SECRET])
)
_VALUES = st.recursive(_SCALARS.filter(lambda one: one is not None), lambda inner: st.lists(inner, max_size=2))


def _tables(name: str) -> st.SearchStrategy[dict[str, Any]]:
    fields = st.dictionaries(st.sampled_from([*TABLES[name], "nothing"]), _VALUES, max_size=3)
    return fields.map(lambda table: {name: table})


_TABLE = st.one_of(list(map(_tables, TABLES)))
_TOP = st.dictionaries(st.sampled_from([*Settings.__struct_fields__, "profile"]), _VALUES | _TABLE, max_size=4)


@given(st.tuples(_TOP, _TABLE).map(lambda parts: {**parts[0], **parts[1]}), st.booleans())
def test_any_settings_file_is_read_or_refused_in_words(content: dict[str, Any], in_profile: bool) -> None:
    whole = {"use_profile": "office", "profile": {"office": content}} if in_profile else content
    settle(_toml(whole))
    try:
        load({}).feed_options("ws://x", {})
    except FeedError as error:
        refused = str(error)
        assert refused
        assert SECRET not in refused or any(SECRET in str(content.get(name)) for name in _SHOWN)


def _toml(table: dict[str, Any]) -> str:
    """One inline table a key: enough of TOML for what is drawn here."""
    return "".join(f"{name} = {_inline(value)}\n" for name, value in table.items())


def _inline(value: Any) -> str:
    if isinstance(value, dict):
        return "{" + ", ".join(f"{name} = {_inline(one)}" for name, one in value.items()) + "}"
    if isinstance(value, list):
        return "[" + ", ".join(map(_inline, value)) + "]"
    return json.dumps(value).replace("NaN", "nan").replace("Infinity", "inf")


#: Names whose wrong values are shown; those of keys and alerts are not among them.
_SHOWN = tuple(name for name in (*Settings.__struct_fields__, "profile") if "key" not in name and name != "passphrase")


def test_who_keeps_the_limits_together_is_a_setting_too() -> None:
    loaded = load_with_origin({"TAPEWIRE_LIMITS": "host", "TAPEWIRE_LIMITS_DIR": "/srv/meet"})
    assert (loaded.settings.feed.limits, loaded.settings.feed.limits_dir) == ("host", "/srv/meet")
    assert loaded.origin["feed.limits"] == "environment"
    with pytest.raises(ConfigError, match="redis"):
        load({"TAPEWIRE_LIMITS": "redis"})


def test_each_line_of_several_is_a_table_and_takes_the_general_proxy_if_it_names_none() -> None:
    settle(
        'proxy = "http://general:3128"\ncompression = true\n'
        '[feed]\nredundancy = 2\nurls = ["ws://one/", "ws://two/"]\n'
        '[[feed.lines]]\nlocal_address = "127.0.0.2"\n'
        '[[feed.lines]]\nproxy = "socks5://me:hush@own:1080"\n'
    )
    settings = load({})
    options = settings.feed_options("ws://one/")
    assert (options.redundancy, options.url, options.urls) == (2, "ws://one/", ("ws://one/", "ws://two/"))
    assert [(line.local_address, line.proxy, line.compression) for line in options.lines] == [
        ("127.0.0.2", "http://general:3128", "deflate"),
        (None, "socks5://me:hush@own:1080", "deflate"),
    ]
    shown = CliRunner().invoke(cli, ["settings", "--json"], catch_exceptions=False).stdout
    assert "hush" not in shown
    assert next(json.loads(line)["value"] for line in shown.splitlines() if '"feed.lines"' in line) == 2


def test_the_command_line_says_how_many_lines_and_the_rest_of_the_table_stays() -> None:
    settle('[feed]\nnumbers = "decimal"\nredundancy = 3\n')
    loaded = load_with_origin({}, {"feed": {"redundancy": 2}})
    assert (loaded.settings.feed.redundancy, loaded.settings.feed.numbers) == (2, "decimal")
    assert loaded.origin["feed.redundancy"] == "command line"


def test_when_rest_is_asked_in_place_of_a_stream_is_a_setting() -> None:
    settle("[feed]\npoll_after = 12.5\n")
    assert load({}).feed_options("ws://one/").poll_after == 12.5
    assert load({}, {"feed": {"poll_after": Patience().convert("never", None, None)}}).feed.poll_after == inf
    settle("[feed]\npoll_after = inf\n")
    assert load({}).feed.poll_after == inf
