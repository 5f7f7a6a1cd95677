"""Who is let in: names, pages, tokens."""

from __future__ import annotations

from base64 import b64encode
from datetime import UTC, datetime
from pathlib import Path

import pytest
from msgspec.structs import replace

from tapewire.apps.gateway.access import BLOCK, FAILURES, SCOPES, Access, Scope, Token
from tapewire.apps.gateway.files import read_tls, read_tokens
from tapewire.apps.gateway.gateway import check_exposure
from tapewire.apps.gateway.problems import Problem
from tapewire.config import Secret
from tapewire.errors import ConfigError

NOW = datetime(2026, 11, 21, 12, tzinfo=UTC)
GOOD = "a-token-of-sixteen-or-more"


def access(*tokens: Token, names: tuple[str, ...] = ("feed.example.org",), origins: tuple[str, ...] = ()) -> Access:
    return Access(tokens or None, names, origins)


def token(text: str = GOOD, scopes: tuple[Scope, ...] = ("market",), expires: datetime | None = None) -> Token:
    return Token(name="bot", token=Secret(text), scopes=scopes, expires=expires)


@pytest.mark.parametrize(
    "host", ["127.0.0.1:8765", "localhost:8765", "localhost", "[::1]:8765", "feed.example.org", "FEED.example.org:8765"]
)
def test_its_own_names(host: str) -> None:
    access().check_host(host, 8765)


@pytest.mark.parametrize(
    "host",
    ["", "evil", "evil:8765", "127.0.0.1:80", "127.0.0.1.evil", "feed.example.org.evil", "xfeed.example.org",
     "feed.example.org:1", "localhost:", "localhost:x", "10.0.0.1:8765", "localhost:8765@evil", "[::1", "127.0.0.1:²"],
)  # fmt: skip
def test_any_other_name_is_misdirected(host: str) -> None:
    with pytest.raises(Problem) as problem:
        access().check_host(host, 8765)
    assert (problem.value.status, problem.value.name) == (421, "misdirected")


@pytest.mark.parametrize("origin", [None, "http://127.0.0.1:8765", "HTTP://127.0.0.1:8765", "https://charts.example"])
def test_its_own_pages_and_those_that_are_named(origin: str | None) -> None:
    access(origins=("https://charts.example/",)).check_origin(origin, "127.0.0.1:8765")


@pytest.mark.parametrize(
    "origin",
    ["http://evil", "null", "", "http://127.0.0.1:8765.evil", "http://evil/127.0.0.1:8765", "http://127.0.0.1",
     "http://127.0.0.1:8766", "https://charts.example.evil", "http://charts.example", "file://", "ws://127.0.0.1:8765",
     "http://127.0.0.1:8765/x", "http://evil@127.0.0.1:8765", "http://127.0.0.1:8765@evil", "//127.0.0.1:8765"],
)  # fmt: skip
def test_a_strangers_page_is_forbidden(origin: str) -> None:
    with pytest.raises(Problem) as problem:
        access(origins=("https://charts.example",)).check_origin(origin, "127.0.0.1:8765")
    assert problem.value.status == 403


def test_without_tokens_everything_is_allowed() -> None:
    assert access().scopes({}, None, "127.0.0.1", 0.0, NOW) == frozenset(SCOPES)


def test_a_token_allows_its_scopes_by_header_or_cookie() -> None:
    door = access(token(scopes=("market", "admin")), token("another-token-that-is-long"))
    assert door.scopes({"authorization": f"Bearer {GOOD}"}, None, "x", 0.0, NOW) == {"market", "admin"}
    assert door.scopes({"authorization": f"bearer  {GOOD}"}, None, "x", 0.0, NOW) == {"market", "admin"}
    assert door.scopes({}, "another-token-that-is-long", "x", 0.0, NOW) == {"market"}
    password = b64encode(f"anybody:{GOOD}".encode()).decode()
    assert door.scopes({"authorization": f"Basic {password}"}, None, "x", 0.0, NOW) == {"market", "admin"}


def test_a_token_is_a_key_by_its_name_or_the_key_it_names() -> None:
    old = replace(token("another-token-that-is-long", expires=NOW), name="old")
    named = replace(token("a-third-token-that-is-long"), name="x", key="access-key")
    door = access(token(), old, named)
    assert [door.keyed(key, NOW) for key in ("bot", "access-key", "x", "old", "", GOOD)] == [
        token(), named, None, None, None, None,
    ]  # fmt: skip
    assert (door.is_open, access().is_open) == (False, True)


@pytest.mark.parametrize(
    "headers", [{}, {"authorization": GOOD}, {"authorization": f"Basic {GOOD}"}, {"authorization": "Basic ="},
                {"authorization": "Bearer "}, {"authorization": f"Bearer {GOOD}x"},
                {"authorization": f"Bearer {GOOD[:-1]}"},
                {"authorization": "Bearer an-expired-token-of-old"}],
)  # fmt: skip
def test_absent_wrong_and_expired_tokens(headers: dict[str, str]) -> None:
    old = token("an-expired-token-of-old", expires=datetime(2026, 11, 21, 11, 59, tzinfo=UTC))
    with pytest.raises(Problem) as problem:
        access(token(), old).scopes(headers, None, "x", 0.0, NOW)
    assert (problem.value.status, GOOD in problem.value.message) == (401, False)


def test_ten_failures_block_an_address_for_a_minute_and_no_other() -> None:
    door, wrong = access(token()), {"authorization": "Bearer wrong"}
    for number in range(FAILURES):
        with pytest.raises(Problem, match="unauthorized"):
            door.scopes(wrong, None, "a", float(number), NOW)
    with pytest.raises(Problem) as problem:
        door.scopes({"authorization": f"Bearer {GOOD}"}, None, "a", 9.5, NOW)
    assert problem.value.name == "too_many"
    assert problem.value.retry_after == pytest.approx(BLOCK - 0.5)
    assert door.scopes({"authorization": f"Bearer {GOOD}"}, None, "b", 9.5, NOW)
    assert door.scopes({"authorization": f"Bearer {GOOD}"}, None, "a", 9.0 + BLOCK, NOW)


def test_failures_that_are_far_apart_do_not_block_and_no_token_is_no_try() -> None:
    door = access(token())
    for number in range(3 * FAILURES):
        with pytest.raises(Problem, match="unauthorized"):
            door.scopes({"authorization": "Bearer wrong"}, None, "a", 10.0 * number, NOW)
        with pytest.raises(Problem, match="unauthorized"):
            door.scopes({}, None, "b", 0.0, NOW)


def test_addresses_that_fail_are_bounded() -> None:
    door = access(token())
    for number in range(10_100):
        with pytest.raises(Problem):
            door.scopes({"authorization": "Bearer wrong"}, None, str(number), 0.0, NOW)
    assert len(door._failures) == 10_000


@pytest.mark.parametrize(
    ("host", "tokens", "tls", "word"),
    [("0.0.0.0", False, True, "tokens"), ("0.0.0.0", True, False, "certificate"), ("::", False, False, "tokens"),
     ("feed.example.org", True, False, "certificate")],
)  # fmt: skip
def test_an_address_that_others_reach_needs_both(host: str, tokens: bool, tls: bool, word: str) -> None:
    with pytest.raises(ConfigError, match=word):
        check_exposure(host, has_tokens=tokens, has_tls=tls)
    check_exposure(host, has_tokens=True, has_tls=True)
    check_exposure("127.8.9.1", has_tokens=False, has_tls=False)


def test_the_tokens_file(tmp_path: Path) -> None:
    path = tmp_path / "tokens.toml"
    path.write_text(f'[[tokens]]\nname="bot"\ntoken="{GOOD}"\nscopes=["private"]\nexpires=2027-01-01T00:00:00Z\n')
    path.chmod(0o600)
    [found] = read_tokens(path)
    assert (found.name, found.scopes, found.expires) == ("bot", ("private",), datetime(2027, 1, 1, tzinfo=UTC))
    assert GOOD not in repr(found)
    path.chmod(0o640)
    with pytest.raises(ConfigError, match="chmod 600"):
        read_tokens(path)


@pytest.mark.parametrize(
    "text",
    ["", "x", "[tokens]\n", "tokens=[]", "tokens=[1]", '[[tokens]]\nname="a"\ntoken="short"',
     f'[[tokens]]\nname="a"\ntoken="{GOOD}"\nscopes=["root"]',
     f'[[tokens]]\nname="a"\ntoken="{GOOD}"\nexpires=2027-01-01T00:00:00',
     f'[[tokens]]\nname="a"\ntoken="{GOOD}"\n[[tokens]]\nname="b"\ntoken="{GOOD}"',
     f'[[tokens]]\nname="a"\ntoken="{GOOD}"\n[[tokens]]\nname="b"\nkey="a"\ntoken="{GOOD}s"',
     f'[[tokens]]\nname="a"\ntoken="{GOOD}"\nmore=1',
     '[[tokens]]\nname="a"\ntoken=12345678901234567890', f'other=1\n[[tokens]]\nname="a"\ntoken="{GOOD}"'],
)  # fmt: skip
def test_a_tokens_file_that_is_wrong_says_so_and_shows_no_token(text: str, tmp_path: Path) -> None:
    path = tmp_path / "tokens.toml"
    path.write_text(text)
    path.chmod(0o600)
    with pytest.raises(ConfigError) as error:
        read_tokens(path)
    assert GOOD not in str(error.value)
    with pytest.raises(ConfigError, match=r"No such"):
        read_tokens(tmp_path / "nix.toml")
    with pytest.raises(ConfigError, match="certificate"):
        read_tls(path)
