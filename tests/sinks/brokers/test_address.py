"""Addresses of brokers: what is taken, and that passwords are shown nowhere."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tapewire.errors import ConfigError
from tapewire.sinks.brokers.address import Address, without_options

NATS = ("nats", "tls")


@pytest.mark.parametrize(
    ("text", "urls", "shown"),
    [
        ("nats://host", ["nats://host"], "nats://host"),
        ("nats://u:p@host:4222", ["nats://u:p@host:4222"], "nats://host:4222"),
        ("nats://token@a,b:1", ["nats://token@a", "nats://b:1"], "nats://a,nats://b:1"),
        ("tls://u:p@a,nats://v:q@b", ["tls://u:p@a", "nats://v:q@b"], "tls://a,nats://b"),
        ("nats://u:p%40x@[::1]:4222", ["nats://u:p%40x@[::1]:4222"], "nats://[::1]:4222"),
    ],
)
def test_an_address_is_read(text: str, urls: list[str], shown: str) -> None:
    address = Address(text, NATS)
    assert [str.__str__(url) for url in address.urls] == urls
    assert address.shown == shown
    assert repr(address) == f"Address({shown!r})"


def test_a_socket_has_no_host() -> None:
    assert Address("unix:///run/redis.sock?db=1", ("redis", "unix")).shown == "unix:///run/redis.sock"


@pytest.mark.parametrize(
    "text",
    ["", "host:4222", "user:pass@host", "http://host", "nats://", "nats://host:x", "nats://host:0", "nats://,", "nats://a,http://b",
     "nats://host:99999", "nats://[::1"],
)  # fmt: skip
def test_what_is_no_address_is_refused(text: str) -> None:
    with pytest.raises(ConfigError, match="an address such as nats://host") as refused:
        Address(text, NATS)
    assert "pass" not in str(refused.value)


@given(st.text("abcXYZ019@:/?,%!", min_size=1, max_size=20).map(lambda text: f"Canary{text}"))
def test_no_password_is_shown_whatever_it_holds(password: str) -> None:
    for text in (f"nats://user:{password}@127.0.0.1:4222", f"http://user:{password}@host", f"user:{password}@host"):
        try:
            shown = [repr(Address(text, NATS)), repr(vars(Address(text, NATS)))]
        except ConfigError as error:
            shown = [str(error), repr(error), repr(vars(error))]
        assert not [one for one in shown if "Canary" in one], shown


@pytest.mark.parametrize(
    ("text", "address", "found"),
    [
        ("nats://host", "nats://host", {}),
        ("nats://host?ca=/a%20b.pem", "nats://host", {"ca": "/a b.pem"}),
        ("redis://host/0?db=1&ca=x&group=", "redis://host/0?db=1", {"ca": "x", "group": ""}),
        ("redis://host?name=a%26b", "redis://host?name=a%26b", {}),
    ],
)
def test_our_options_of_an_address_are_taken_out_and_the_client_s_stay(
    text: str, address: str, found: dict[str, str]
) -> None:
    assert without_options(text, ("ca", "group")) == (address, found)
