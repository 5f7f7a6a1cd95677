"""Signatures of the login and of REST calls: the specification's own vectors; no part of a key is ever shown."""

from __future__ import annotations

import traceback

import msgspec
import pytest

from tapewire.config import Credentials
from tapewire.errors import CredentialsError
from tapewire.venues.contract import Call, Stamp
from tapewire.venues.okx import DEMO, GLOBAL
from tapewire.venues.okx.auth import call_headers, login, sign

KEY, SECRET, PHRASE = "985d5b66-57ce-40fb-b714-afc0b9787083", "22582BD0CFF14C41EDBF1AB98506286D", "secret words"
CREDENTIALS = Credentials(KEY, SECRET, PHRASE)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("ms", "signature"),
    [
        (1704876947_999, "5/36BgGV6m/6pmdc20zdqk0mzF5ZalmzzPD2fo3wavU="),
        (1538054050_000, "+LdIr8lkkvhr5hoA3g9TMC0+uQJ849ftAcocA/ouu4M="),
    ],
)
def test_the_login_is_signed_with_whole_seconds(ms: int, signature: str) -> None:
    [shown] = msgspec.json.decode(login(CREDENTIALS, Stamp("never", ms)))["args"]
    assert shown == {"apiKey": KEY, "passphrase": PHRASE, "timestamp": str(ms // 1000), "sign": signature}
    assert msgspec.json.decode(login(CREDENTIALS, Stamp("n", ms)))["op"] == "login"


def test_every_stack_logs_in_alike() -> None:
    assert GLOBAL.login is DEMO.login is login


@pytest.mark.parametrize(
    ("text", "signature"),
    [
        ("GET/api/v5/account/balance?ccy=BTC", "HiZhvSfMtWJA3uUIVXV3a/bSXNPCWvYFXoGCVS8V4zY="),
        (
            'POST/api/v5/account/set-leverage{"instId":"BTC-USDT","lever":"5","mgnMode":"isolated"}',
            "eCnnCgWLjlQ9XnpUkrcny3qNq3WW/81KNrDr/XR6Xv8=",
        ),
    ],
)
def test_rest_signs_time_method_path_and_query(text: str, signature: str) -> None:
    assert sign(SECRET, f"2020-12-08T09:08:57.715Z{text}") == signature


def test_a_call_carries_the_text_that_it_signed() -> None:
    call = Call("/api/v5/account/balance", {"ccy": "BTC"})
    headers = dict(call_headers(CREDENTIALS, Stamp("n", 1607418537_715), call, demo=False))
    assert headers == {
        "OK-ACCESS-KEY": KEY,
        "OK-ACCESS-SIGN": "HiZhvSfMtWJA3uUIVXV3a/bSXNPCWvYFXoGCVS8V4zY=",
        "OK-ACCESS-TIMESTAMP": "2020-12-08T09:08:57.715Z",
        "OK-ACCESS-PASSPHRASE": PHRASE,
    }
    shown = call_headers(CREDENTIALS, Stamp("n", 1607418537_715), call, demo=True)
    assert dict(shown) == headers | {"x-simulated-trading": "1"}


@pytest.mark.parametrize(
    ("credentials", "field", "said"),
    [
        (Credentials(KEY, SECRET), "passphrase", "is missing"),  # type: ignore[arg-type]
        (Credentials(KEY, "CANARY-SECRET ", PHRASE), "", ""),  # type: ignore[arg-type]
        (Credentials("CANARY KEY", SECRET, PHRASE), "access_key", "without spaces"),  # type: ignore[arg-type]
        (Credentials(KEY, "CANARY\nSECRET", PHRASE), "secret_key", "without spaces"),  # type: ignore[arg-type]
        (Credentials(KEY, SECRET, "CANARY\x00"), "passphrase", "of ASCII only"),  # type: ignore[arg-type]
    ],
)
def test_what_cannot_be_a_key_is_refused_and_never_shown(credentials: Credentials, field: str, said: str) -> None:
    if not field:  # white space around it is the user's clipboard's
        assert login(credentials, Stamp("n", 1))
        return
    with pytest.raises(CredentialsError, match=said) as refused:
        login(credentials, Stamp("n", 1))
    assert str(refused.value).startswith(field)
    shown = "".join(traceback.format_exception(refused.value)) + repr(credentials) + repr(refused.value)
    assert "CANARY" not in shown
