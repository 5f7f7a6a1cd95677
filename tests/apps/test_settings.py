"""Settings: what goes before what, proxies as curl reads them, errors that name the place."""

from __future__ import annotations

from pathlib import Path

import pytest

from tapewire.apps.settings import Settings, SettingsError, environment_proxy, load
from tapewire.config import SessionOptions
from tapewire.errors import ConfigError


def test_without_file_and_environment_everything_has_its_default() -> None:
    assert load({}) == Settings(venue="upbit", url=None, format="DEFAULT", compression=False, proxy=None)


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
        (
            'urll = "x"',
            r"unknown field `urll` \(known keys: venue, url, rest_url, format, compression, proxy, session\)",
        ),
        ('format = "XML"', r"Invalid enum value 'XML' - at `\$\.format`"),
        ("compression = 1", r"Expected `bool`, got `int` - at `\$\.compression`"),
        ("[session]\nping_interval = -1", r"ping_interval is -1\.0; it must be more than 0 - at `\$\.session`"),
        ("venue = ", r"tapewire\.toml: is no TOML: "),
    ],
)
def test_a_wrong_file_says_where_and_what(tmp_path: Path, content: str, reason: str) -> None:
    (tmp_path / "tapewire.toml").write_text(content)
    with pytest.raises(SettingsError, match=reason):
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
