"""Options: defaults that are documented, impossible values refused by name, secrets never shown."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

import msgspec
import pytest

from tapewire.config import (
    Credentials,
    FeedOptions,
    HiddenText,
    LineOptions,
    MailboxOptions,
    Secret,
    SessionOptions,
    TapeOptions,
)
from tapewire.credentials import HiddenBytes
from tapewire.errors import ConfigError, FeedError
from tapewire.profiles import profile, with_changes

ROOMS: tuple[type[msgspec.Struct], ...] = (LineOptions, SessionOptions, MailboxOptions, FeedOptions)

NUMBERS = {
    LineOptions: ("connect_timeout", "close_timeout", "max_message", "max_fragments", "max_control_rate"),
    SessionOptions: (
        "ping_interval", "ping_timeout", "backoff_base", "backoff_cap", "stable_after",
        "quiet_time", "stale_after", "stale_factor", "stale_reconnect", "lag_after",
    ),
    MailboxOptions: ("size",),
}  # fmt: skip


@pytest.mark.parametrize("value", [0, -1, float("nan"), "10", True])
@pytest.mark.parametrize(("room", "option"), [(room, name) for room, names in NUMBERS.items() for name in names])
def test_a_number_that_is_not_positive_is_refused(room: Callable[..., Any], option: str, value: object) -> None:
    with pytest.raises(ConfigError) as refused:
        room(**{option: value})
    assert str(refused.value) == f"{option} is {value!r}; it must be more than 0"
    assert (refused.value.option, refused.value.allowed) == (option, "more than 0")
    assert isinstance(refused.value, ValueError)
    assert isinstance(refused.value, FeedError)


@pytest.mark.parametrize(
    ("room", "option", "value", "message"),
    [
        (LineOptions, "compression", "gzip", """compression is 'gzip'; it must be "deflate" or None"""),
        (SessionOptions, "backoff_factor", 0.5, "backoff_factor is 0.5; it must be 1 or more"),
        (SessionOptions, "backoff_factor", "2", "backoff_factor is '2'; it must be 1 or more"),
        (SessionOptions, "max_retries", -1, "max_retries is -1; it must be 0 or more, or None for no end"),
        (SessionOptions, "max_retries", "3", "max_retries is '3'; it must be 0 or more, or None for no end"),
        (SessionOptions, "keep_alive", "pong", """keep_alive is 'pong'; it must be "frame" or "text", or None for the venue's own way"""),  # noqa: E501
        (
            MailboxOptions, "rule", "drop_newest",
            """rule is 'drop_newest'; it must be "block", "drop_oldest", "conflate" or "raise\"""",
        ),
        (FeedOptions, "url", "http://x", "url is 'http://x'; it must be a ws:// or wss:// address"),
        (FeedOptions, "url", 5, "url is 5; it must be a ws:// or wss:// address"),
        (FeedOptions, "rest_url", "ws://x", "rest_url is 'ws://x'; it must be an http:// or https:// address"),
        (
            FeedOptions, "format", "simple",
            """format is 'simple'; it must be "DEFAULT" or "SIMPLE" or "JSON_LIST" or "SIMPLE_LIST\"""",
        ),
        (FeedOptions, "cursor_file", "", "cursor_file is ''; it must be the name of a file, or None"),
        (
            FeedOptions, "limits", "planet",
            (
                """limits is 'planet'; it must be "process", "host" or an address of Redis """
                "(redis://, rediss://, unix://) or of NATS (nats://, tls://)"
            ),
        ),
        (
            FeedOptions, "limits", "http://me:word@x",
            (
                """limits is 'an address with user:password@'; it must be "process", "host" or an address of Redis """
                "(redis://, rediss://, unix://) or of NATS (nats://, tls://)"
            ),
        ),
        (FeedOptions, "numbers", "int", """numbers is 'int'; it must be "float" or "decimal\""""),
        (FeedOptions, "transport", "aiohttp", """transport is 'aiohttp'; it must be "picows" or "websockets\""""),
        (FeedOptions, "history", 0, "history is 0; it must be more than 0"),
        (FeedOptions, "recovery_order", "after", """recovery_order is 'after'; it must be "merged" or "before\""""),
    ],
)  # fmt: skip
def test_an_impossible_choice_is_refused_with_what_would_be_right(
    room: Callable[..., Any], option: str, value: object, message: str
) -> None:
    with pytest.raises(ConfigError, match=f"^{re.escape(message)}$"):
        room(**{option: value})


@pytest.mark.parametrize("proxy", ["ftp://me:hush@host:1", "me:hush@host:1"])
def test_a_refused_proxy_does_not_show_its_password(proxy: str) -> None:
    with pytest.raises(ConfigError, match="it must be an http://, https://, socks4:// or socks5:// URL") as refused:
        LineOptions(proxy=proxy)
    assert "hush" not in str(refused.value)
    assert "hush" not in repr(refused.value)


@pytest.mark.parametrize("headers", [[("a", "hush")], (("a", "hush", "c"),), (("a", 1),), "hush", (["a", "hush"],)])
def test_headers_must_be_pairs_of_text_and_are_not_shown(headers: Any) -> None:
    with pytest.raises(ConfigError, match=r"headers is '…'; it must be a tuple of \(name, value\) pairs of text"):
        LineOptions(headers=headers)


def test_the_proxys_password_and_header_values_stand_in_no_repr() -> None:
    line = LineOptions(proxy="socks5://me:hush@host:1080", headers=(("X-Key", "hush"),))
    for text in (repr(line), str(line), repr(FeedOptions(line=line)), f"{line}"):
        assert "hush" not in text
        assert "me:" not in text
        assert "socks5://…@host:1080" in text
        assert "X-Key" in text
    assert "http://proxy:3128" in repr(LineOptions(proxy="http://proxy:3128"))
    assert eval(repr(LineOptions()), {"LineOptions": LineOptions}) == LineOptions()  # noqa: S307 - our own text


@pytest.mark.parametrize("room", ROOMS)
def test_options_are_frozen_hashable_and_made_by_name_only(room: Callable[..., Any]) -> None:
    options = room()
    assert hash(options) == hash(room())
    with pytest.raises(AttributeError):
        setattr(options, options.__struct_fields__[0], None)
    with pytest.raises(TypeError):
        room(1)


@pytest.mark.parametrize("room", ROOMS)
def test_every_option_is_explained(room: type[msgspec.Struct]) -> None:
    explained = (room.__doc__ or "").partition("Attributes:")[2]
    inherited = {"transport", "line", "session", "mailbox"}  # explained by their own classes
    missing = [name for name in room.__struct_fields__ if not re.search(rf"\b{name}\b", explained)]
    assert set(missing) <= inherited


SECOND = LineOptions(local_address="127.0.0.2")


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"redundancy": 0}, "redundancy is 0; it must be a whole number from 1 to 4"),
        ({"redundancy": 5}, "redundancy is 5; it must be a whole number from 1 to 4"),
        ({"redundancy": True}, "redundancy is True; it must be a whole number from 1 to 4"),
        ({"redundancy": 1.5}, "redundancy is 1.5; it must be a whole number from 1 to 4"),
        ({"redundancy": "2"}, "redundancy is '2'; it must be a whole number from 1 to 4"),
        ({"urls": ("ws://a",)}, "urls is '1 of them'; it must be used with redundancy=2 or more"),
        ({"redundancy": 2, "lines": (SECOND,) * 3}, "lines is '3 of them'; it must be used with redundancy=3 or more"),
        ({"redundancy": 2, "urls": "ws://a"}, "urls is '…'; it must be a tuple of str, one for each line"),
        ({"redundancy": 2, "lines": ({},)}, "lines is '…'; it must be a tuple of LineOptions, one for each line"),
        ({"redundancy": 2, "urls": ("http://a",)}, "urls is 'http://a'; it must be a ws:// or wss:// address"),
        (
            {"redundancy": 2, "url": "ws://b", "urls": ("ws://a",)},
            "urls is 'ws://a'; it must be begun with url (ws://b), or used without it",
        ),
    ],
)
def test_impossible_lines_are_refused(changes: dict[str, Any], message: str) -> None:
    with pytest.raises(ConfigError, match=f"^{re.escape(message)}$"):
        FeedOptions(**changes)


def test_the_first_of_several_addresses_is_the_address_and_lists_are_taken() -> None:
    given: Any = ["ws://a:1", "ws://b:2"]
    options = FeedOptions(redundancy=2, urls=given, lines=(LineOptions(), SECOND))
    assert (options.url, options.urls) == ("ws://a:1", ("ws://a:1", "ws://b:2"))
    assert hash(options) == hash(FeedOptions(redundancy=2, url="ws://a:1", urls=options.urls, lines=options.lines))


@pytest.mark.parametrize("address", ["localhost", "127.0.0", "", 5, "::1%"])
def test_an_address_of_this_host_must_be_one(address: Any) -> None:
    with pytest.raises(ConfigError, match=r"local_address is .*; it must be an IP address of this host, such as 192"):
        LineOptions(local_address=address)


def test_the_defaults_are_the_documented_ones() -> None:
    session = SessionOptions()
    assert (session.ping_interval, session.ping_timeout) == (30.0, 10.0)
    assert (session.backoff_base, session.backoff_factor, session.backoff_cap) == (1.0, 2.0, 30.0)
    assert (session.jitter, session.max_retries) == (True, None)
    assert (LineOptions().max_message, LineOptions().compression) == (1024 * 1024, None)
    assert MailboxOptions() == MailboxOptions(size=10_000, rule="drop_oldest")
    assert FeedOptions().transport == "picows"


def test_replacing_one_option_checks_it_too() -> None:
    with pytest.raises(ConfigError, match="format is 'XML'"):
        msgspec.structs.replace(FeedOptions(), format="XML")


@pytest.mark.parametrize("place", ["", ":9001/", "host:99999/", "host:0", "host:port", "[::1/"])
@pytest.mark.parametrize(("option", "scheme"), [("url", "ws"), ("rest_url", "https")])
def test_an_address_that_leads_nowhere_is_refused_before_anything_is_dialled(
    option: str, scheme: str, place: str
) -> None:
    with pytest.raises(ConfigError) as refused:
        FeedOptions(**{option: f"{scheme}://{place}"})  # type: ignore[arg-type]
    right = "an address with a host and a port from 1 to 65535, if any"
    assert str(refused.value) == f"{option} is '{scheme}://{place}'; it must be {right}"


@pytest.mark.parametrize(
    ("option", "url"),
    [
        ("url", "wss://me:secret@host/"),
        ("url", "me:secret@host"),
        ("rest_url", "https://me:secret@host"),
        ("rest_url", "ftp://me:secret@host/x"),
    ],
)
def test_an_address_with_a_password_is_refused_because_addresses_are_shown(option: str, url: str) -> None:
    with pytest.raises(ConfigError, match="without") as refused:
        FeedOptions(**{option: url})  # type: ignore[arg-type]
    assert "secret" not in str(refused.value)


def test_single_options_are_changed_by_name_wherever_they_belong() -> None:
    options = with_changes(FeedOptions(), {"format": "SIMPLE", "ping_interval": 5, "proxy": None, "max_retries": None})
    assert options == FeedOptions(format="SIMPLE", session=SessionOptions(ping_interval=5))


def test_no_option_has_a_name_in_two_rooms() -> None:
    names = [name for room in (FeedOptions, LineOptions, SessionOptions) for name in room.__struct_fields__]
    assert len(names) == len(set(names))


def test_an_unknown_option_is_told_with_those_that_are_near() -> None:
    with pytest.raises(ConfigError, match=r"formt is 'SIMPLE'; it must be one of the options \(format"):
        with_changes(FeedOptions(), {"formt": "SIMPLE"})
    with pytest.raises(ConfigError, match=r"see docs/options.md"):
        with_changes(FeedOptions(), {"xyzzy": 1})


@pytest.mark.parametrize(
    ("option", "value"), [("fsync", "sometimes"), ("file_size", 0), ("keep_bytes", -1), ("folder", "")]
)
def test_a_tape_that_cannot_be_kept_is_refused(option: str, value: object) -> None:
    with pytest.raises(ConfigError, match=option):
        TapeOptions(**{option: value})  # type: ignore[arg-type]


def test_a_tape_is_kept_as_it_was_asked() -> None:
    options = TapeOptions(folder="ticks", keep_bytes=10**9, keep_seconds=None)
    assert FeedOptions(tape=options).tape == options


def test_limits_kept_by_redis_show_no_password() -> None:
    limits = FeedOptions(limits="redis://:hunter2@127.0.0.1:6379").limits
    assert str(limits) == "redis://:hunter2@127.0.0.1:6379"
    assert "hunter2" not in repr(limits)


def test_what_shows_a_key_shows_itself_nowhere() -> None:
    message = HiddenBytes(b'{"op":"login"}')
    assert (repr(message), f"{[message]}", bytes(message)) == ("b'***'", "[b'***']", b'{"op":"login"}')


def test_a_secret_is_equal_to_itself_and_shown_nowhere() -> None:
    secret = Secret("hush")
    assert (secret == Secret("hush"), secret == Secret("else"), secret == "hush") == (True, False, False)
    assert len({secret, Secret("hush")}) == 1
    assert (str(secret), repr(secret), f"{secret:>9}", secret.reveal()) == ("***", "***", "***", "hush")
    with pytest.raises(TypeError, match="cannot be pickled"):
        secret.__reduce__()
    hidden = HiddenText("Bearer hush")
    assert (str(hidden), repr(hidden), hidden[:9]) == ("Bearer hush", "'***'", "***")


@pytest.mark.parametrize("text", ["", None, 5])
def test_a_secret_is_a_text(text: Any) -> None:
    with pytest.raises(ConfigError, match=r"a text that is not empty"):
        Secret(text)


def test_a_key_is_wrapped_and_its_parts_are_checked() -> None:
    key: Any = Credentials("access", "secret", "phrase")  # type: ignore[arg-type]
    assert [part.reveal() for part in (key.access_key, key.secret_key, key.passphrase)] == [
        "access",
        "secret",
        "phrase",
    ]
    assert "secret" not in repr(key).replace("secret_key", "")
    with pytest.raises(ConfigError, match=r"secret_key is 'int'; it must be the text that the exchange issued"):
        Credentials(Secret("a"), 5)  # type: ignore[arg-type]
    with pytest.raises(ConfigError, match='"HS512" or "HS256"'):
        Credentials(Secret("a"), Secret("b"), algorithm="none")  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("option", "value"), [("pending_window", -1), ("pending_window", "x"), ("pending_window_max", 0.05)]
)
def test_the_merge_window_is_a_time(option: str, value: Any) -> None:
    with pytest.raises(ConfigError, match=option):
        SessionOptions(**{option: value})


def test_a_pause_between_events_is_a_time() -> None:
    with pytest.raises(ConfigError, match="interval"):
        MailboxOptions(interval=-1.0)


def test_a_profile_sets_options_a_strategy_its_back_off_and_a_change_goes_before_both() -> None:
    options = profile("development", strategy="balanced", backoff_cap=7.0)
    assert (options.session.ping_interval, options.session.backoff_cap) == (60.0, 7.0)
    with pytest.raises(ConfigError, match="one of development, testing, staging, production"):
        profile("holiday")
    with pytest.raises(ConfigError, match="aggressive"):
        profile("production", strategy="lazy")


def test_the_past_is_asked_of_rest_as_what_was_missed_is() -> None:
    assert FeedOptions(history=60).history == 60
    with pytest.raises(ConfigError, match="recover is False; it must be True with history"):
        FeedOptions(history=60, recover=False)
    with pytest.raises(ConfigError, match="left out with a broker"):
        FeedOptions(history=60, url="nats://host")


def test_the_address_of_a_broker_is_moved_and_hidden_and_the_exchange_is_asked_nothing() -> None:
    options = FeedOptions(url="nats://me:secret@host", poll_after=5.0)
    assert options.source is not None
    assert str.__str__(options.source) == "nats://me:secret@host"
    assert (options.url, options.validate, options.recover, options.poll_after) == (None, False, False, None)
    assert "secret" not in repr(options)
    assert msgspec.structs.replace(options, format="SIMPLE").source == options.source


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"source": "me:secret@host"}, "source is '…'; it must be the address of a broker"),
        ({"url": "nats://host", "tape": TapeOptions()}, "tape is '…'; it must be left out with a broker"),
        ({"url": "nats://host", "cursor_file": "x"}, "cursor_file is '…'"),
        ({"url": "nats://host", "redundancy": 2}, "redundancy is '…'"),
    ],
)
def test_what_is_for_lines_is_refused_with_a_broker(options: dict[str, Any], words: str) -> None:
    with pytest.raises(ConfigError, match=words) as refused:
        FeedOptions(**options)
    assert "secret" not in str(refused.value)
