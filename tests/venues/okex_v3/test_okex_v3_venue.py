"""The venue as a value: facts, login, REST bodies; found by its name."""

from __future__ import annotations

import json

import pytest

from tapewire import WebSocketClient, blocking, decode
from tapewire.config import Credentials, Secret
from tapewire.errors import ConfigError, CredentialsError, DecodeError
from tapewire.model.market import Market
from tapewire.venues.contract import Control, Stamp
from tapewire.venues.okex_v3 import OKEX_V3, position
from tapewire.venues.okex_v3.auth import login, sign
from tapewire.venues.registry import get_venue
from tests.venues.okex_v3.wire import DATA, deflated, expected, long_road, recorded, singles

KEY = Credentials(Secret("key-1"), Secret("22582BD0CFF14C41EDBF1AB98506286D"), Secret("pass words"))


def test_the_venue_is_found_by_its_name() -> None:
    assert get_venue("okex3") is OKEX_V3


def test_facts() -> None:
    facts = OKEX_V3.facts
    assert facts.url == "wss://real.okex.com:10442/ws/v3"
    assert (facts.text_ping, facts.keep_alive, facts.idle_timeout) == (b"ping", "text", 30.0)
    assert (facts.acknowledges, facts.replaces) == (True, False)
    assert "trade" not in facts.full_state_kinds


def test_login_is_signed_as_the_test_vectors_say() -> None:
    request = json.loads(login(KEY, Stamp("unused", 1538054050000)))
    signature = sign(KEY.secret_key.reveal(), "1538054050.000")
    assert request == {"op": "login", "args": ["key-1", "pass words", "1538054050.000", signature]}
    assert json.loads(login(KEY, Stamp("", 1538054050007)))["args"][2] == "1538054050.007"


def test_the_signature_of_whole_seconds_is_that_of_the_specification() -> None:
    secret = KEY.secret_key.reveal()
    assert sign(secret, "1704876947") == "5/36BgGV6m/6pmdc20zdqk0mzF5ZalmzzPD2fo3wavU="
    assert sign(secret, "1538054050") == "+LdIr8lkkvhr5hoA3g9TMC0+uQJ849ftAcocA/ouu4M="


@pytest.mark.parametrize(
    ("credentials", "field"),
    [
        (Credentials(Secret("key"), Secret("canary-secret")), "passphrase"),
        (Credentials(Secret("canary key"), Secret("canary-secret"), Secret("canary")), "access_key"),
        (Credentials(Secret("key"), Secret("canary\n"), Secret("canary")), "secret_key"),
        (Credentials(Secret("key"), Secret("canäry"), Secret("canary")), "secret_key"),
    ],
)
def test_a_key_that_cannot_be_one_is_named_and_never_shown(credentials: Credentials, field: str) -> None:
    with pytest.raises(CredentialsError) as caught:
        login(credentials, Stamp("", 0))
    assert caught.value.option == field
    assert "can" not in str(caught.value).replace("cannot", "")


def test_markets_of_the_recorded_list() -> None:
    markets = OKEX_V3.read_markets((DATA / "v3_spot_instruments_cryptofeed-2021-04-17.json").read_bytes())
    assert (len(markets), markets[0]) == (499, Market("BTC-USDT", "BTC", "USDT"))


@pytest.mark.parametrize(
    ("body", "reason"),
    [
        (b'{"code":30030,"message":"endpoint request failed"}', "30030 endpoint request failed"),
        (b'{"error_code":"30014","error_message":"too fast","code":30014}', "30014 too fast"),
        (b"<html>", "JSON is malformed"),
        (b"{}", "Expected `array`, got `object`"),
        (b'[{"instrument_id":"A-B"}]', "missing required field `base_currency`"),
    ],
)
def test_a_body_that_is_no_list(body: bytes, reason: str) -> None:
    with pytest.raises(DecodeError) as caught:
        OKEX_V3.read_markets(body)
    assert str(caught.value).startswith("okex3: no list of instruments: ")
    assert reason in str(caught.value)


def test_the_words_of_a_refusal() -> None:
    assert OKEX_V3.read_refusal is not None
    assert OKEX_V3.read_refusal(b'{"code":30007,"message":"no"}') == Control("error", "30007", "no")
    assert OKEX_V3.read_refusal(b"{}") is None
    assert OKEX_V3.read_refusal(b"Bad Gateway") is None


def test_positions() -> None:
    codec = OKEX_V3.codec("DEFAULT", "float", False)
    assert position(long_road(codec, singles()[0])) == (161659503, 1616375788687)
    assert position(long_road(codec, singles()[14])) == (None, 1645749905387)
    assert position(long_road(codec, singles()[7])) == (None, None)


def test_decode_reads_frames_as_they_came() -> None:
    text = [frame for frame in recorded() if b'"table"' in frame]
    frames = [frame for frame in deflated() if OKEX_V3.codec("DEFAULT", "float", False).read(frame).events]
    assert [decode("okex3", frame) for frame in frames] == [[expected(frame)] for frame in text]
    [trade] = decode("okex3", singles()[0], received_ns=5)
    assert trade.received_ns == 5
    with pytest.raises(DecodeError, match="okex3: unknown table 'spot/account'"):
        decode("okex3", b'{"table":"spot/account","data":[{}]}')


def test_who_names_no_address_is_told_that_the_exchange_has_ended_it() -> None:
    assert OKEX_V3.address("ws://127.0.0.1:9001/ws/v3") == "ws://127.0.0.1:9001/ws/v3"
    for make in (WebSocketClient, blocking.WebSocketClient):
        with pytest.raises(ConfigError, match=r"url is None; it must be the address of a simulator .* retired OKEX v3"):
            make("monitor", "okex3")


@pytest.mark.parametrize("format", ["SIMPLE", "JSON_LIST", "SIMPLE_LIST"])
@pytest.mark.parametrize(("venue", "url"), [("okx", "ws://127.0.0.1:9/ws/v5"), ("okex3", "ws://127.0.0.1:9/ws/v3")])
def test_a_wire_format_that_the_venue_has_not_is_refused_at_once(format: str, venue: str, url: str) -> None:  # noqa: A002
    with pytest.raises(ConfigError, match=f"format is '{format}'; it must be \"DEFAULT\" with the venue {venue}"):
        WebSocketClient("monitor", venue, url=url, format=format)
