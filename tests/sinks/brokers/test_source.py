"""What the address of a source asks for."""

from __future__ import annotations

import pytest

from tapewire.errors import ConfigError, UnknownName
from tapewire.sinks.brokers.source import Begin, Wanted, read_wanted
from tapewire.sinks.registry import source_of

NOW = 1_795_283_242_774_000_000


@pytest.mark.parametrize(
    ("text", "wanted", "begin"),
    [
        ("nats://u:p@host", Wanted("nats://u:p@host"), Begin()),
        ("nats://host?stream=x&prefix=prod.md", Wanted("nats://host", "prod.md", "x"), Begin()),
        ("nats://host?since=60", Wanted("nats://host", since="60"), Begin(since_ns=NOW - 60_000_000_000)),
        ("nats://host?since=0.5", Wanted("nats://host", since="0.5"), Begin(since_ns=NOW - 500_000_000)),
        ("nats://host?since=1970-01-01T00:00:09%2B00:00", Wanted("nats://host", since="1970-01-01T00:00:09+00:00"),
         Begin(since_ns=9_000_000_000)),
        ("nats://host?group=a-b_1", Wanted("nats://host", group="a-b_1"), Begin()),
        ("nats://host?sequence=17", Wanted("nats://host", sequence=17), Begin(sequence=17)),
        ("redis://host/1?since=1&health_check_interval=3", Wanted("redis://host/1?health_check_interval=3", since="1"),
         Begin(since_ns=NOW - 1_000_000_000)),
    ],
)  # fmt: skip
def test_what_stands_behind_the_question_mark(text: str, wanted: Wanted, begin: Begin) -> None:
    assert read_wanted(text) == wanted
    assert wanted.begin(NOW) == begin


@pytest.mark.parametrize(
    ("query", "words"),
    [
        ("sequence=x", "sequence is 'x'"),
        ("since=yesterday", "since is 'yesterday'"),
        ("since=2026-11-21T10:00:00", "a time with its zone"),
        ("prefix=a+b", "prefix is 'a b'"),
        ("group=a.b", "group is 'a.b'; it must be letters"),
        ("group=", "group is ''"),
    ],
)
def test_what_cannot_be_is_refused(query: str, words: str) -> None:
    with pytest.raises(ConfigError, match=words):
        read_wanted(f"nats://host?{query}")


def test_a_source_that_is_not_installed_is_told_without_its_password() -> None:
    with pytest.raises(UnknownName, match="no source is called 'gopher'") as refused:
        source_of("gopher://me:secret@host")
    assert "secret" not in str(refused.value)
