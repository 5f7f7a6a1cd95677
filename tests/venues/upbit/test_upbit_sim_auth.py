"""The exchange's look at a token, against tokens of PyJWT and of our own client."""

from __future__ import annotations

import json
import warnings
from base64 import urlsafe_b64encode
from collections.abc import Iterator, Mapping
from hashlib import sha512
from typing import Any

import jwt
import pytest

from tapewire.config import Credentials, Secret
from tapewire.errors import ConfigError
from tapewire.venues.exchange import Caller, HttpAnswer, HttpCall, SimKey
from tapewire.venues.upbit import sim_auth
from tapewire.venues.upbit.auth import authorize, rest_authorize
from tapewire.venues.upbit.profile import KR, SG
from tapewire.venues.upbit.sim import UpbitExchange, exchange
from tapewire.venues.upbit.sim_auth import Doorman, Unauthorized, hashed_text

KEY = SimKey(access_key="known", secret_key="s" * 40)  # type: ignore[arg-type]  # text is wrapped
OLD = SimKey(access_key="old", secret_key="o" * 40, expired=True)  # type: ignore[arg-type]
HOME = SimKey(access_key="home", secret_key="h" * 40, ips=("10.0.0.7",))  # type: ignore[arg-type]
READS = SimKey(access_key="reads", secret_key="r" * 40, permissions=frozenset({"view_orders"}))  # type: ignore[arg-type]
NONE = SimKey(access_key="none", secret_key="n" * 40, permissions=frozenset())  # type: ignore[arg-type]
KEYS = (KEY, OLD, HOME, READS, NONE)


def token(
    key: SimKey = KEY, *, secret: str | None = None, algorithm: str | None = "HS512", nonce: Any = "1", **claims: Any
) -> dict[str, str]:
    payload = {"access_key": key.access_key, "nonce": nonce} | claims
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", jwt.InsecureKeyLengthWarning)  # Upbit's secrets have 40 characters
        signed = jwt.encode(payload, "" if algorithm is None else secret or key.secret_key.reveal(), algorithm)
    return {"authorization": f"Bearer {signed}"}


def part(value: object) -> str:
    text = value if isinstance(value, bytes) else json.dumps(value).encode()
    return urlsafe_b64encode(text).rstrip(b"=").decode()


def why(headers: Mapping[str, str], address: str = "127.0.0.1", query: str | None = None) -> str:
    with pytest.raises(Unauthorized) as refused:
        Doorman(KEYS).admit(headers, address, query)
    assert refused.value.message
    return refused.value.name


@pytest.mark.parametrize("algorithm", ["HS256", "HS384", "HS512"])
def test_each_documented_algorithm_is_let_in(algorithm: str) -> None:
    assert Doorman(KEYS).admit(token(algorithm=algorithm), "") is KEY


@pytest.mark.parametrize("algorithm", ["HS256", "HS512"])
def test_our_own_client_is_let_in(algorithm: Any) -> None:
    own = Credentials("known", "s" * 40, algorithm=algorithm)  # type: ignore[arg-type]  # text is wrapped
    headers = {name.lower(): value for name, value in authorize(own, "nonce")}
    assert Doorman(KEYS).admit(headers, "") is KEY
    headers = {name.lower(): value for name, value in rest_authorize(own, "n", {"states[]": ["wait", "watch"]})}
    assert Doorman(KEYS).admit(headers, "", "states[]=wait&states[]=watch") is KEY


def _bad_tokens() -> Iterator[tuple[str, dict[str, str]]]:
    good = token()["authorization"]
    head, payload, signature = good.removeprefix("Bearer ").split(".")
    yield "no_authorization_token", {}
    yield "no_authorization_token", {"authorization": good.replace("Bearer", "Basic")}
    yield "no_authorization_token", {"authorization": "Bearer"}
    yield "no_authorization_token", {"authorization": "Bearer "}
    yield "invalid_query_payload", {"authorization": "Bearer token"}
    yield "invalid_query_payload", {"authorization": f"Bearer {head}.{payload}"}
    yield "invalid_query_payload", {"authorization": f"Bearer {head}.{part([1])}.{signature}"}
    yield "invalid_query_payload", {"authorization": f"Bearer {head}.{part(b'{')}.{signature}"}
    yield "invalid_query_payload", {"authorization": f"Bearer {head}.{part(b'[' * 9000)}.{signature}"}
    yield "invalid_query_payload", {"authorization": f"Bearer {head}.*.{signature}"}
    yield "invalid_query_payload", {"authorization": f"Bearer {head}.\udcff.{signature}"}
    yield "invalid_query_payload", {"authorization": f"Bearer {head}.{payload}.="}
    yield "jwt_verification", {"authorization": f"Bearer {head}.{payload}.{part(b'x' * 64)}"}
    yield "jwt_verification", token(secret="t" * 40)
    yield "jwt_verification", token(algorithm=None)
    yield "jwt_verification", {"authorization": f"Bearer {part({'alg': 'RS256'})}.{payload}.{signature}"}
    yield "jwt_verification", {"authorization": f"Bearer {part({'alg': 'HS256'})}.{payload}.{signature}"}
    yield "invalid_access_key", token(SimKey(access_key="nobody", secret_key="s" * 40))  # type: ignore[arg-type]
    yield "invalid_query_payload", token(nonce=None)
    yield "invalid_query_payload", token(nonce="")
    yield "invalid_query_payload", token(nonce=7)
    yield "expired_access_key", token(OLD)
    yield "no_authorization_ip", token(HOME)


@pytest.mark.parametrize(("name", "headers"), list(_bad_tokens()))
def test_what_is_wrong_has_its_name(name: str, headers: dict[str, str]) -> None:
    assert why(headers) == name


def test_an_address_on_the_list_is_let_in() -> None:
    assert Doorman(KEYS).admit(token(HOME), "10.0.0.7") is HOME


def test_a_nonce_counts_once_and_only_when_the_signature_was_right() -> None:
    doorman = Doorman(KEYS)
    with pytest.raises(Unauthorized, match="jwt_verification"):
        doorman.admit(token(secret="t" * 40), "")
    assert doorman.admit(token(), "") is KEY
    with pytest.raises(Unauthorized, match="nonce_used"):
        doorman.admit(token(algorithm="HS256"), "")
    assert doorman.admit(token(nonce="2"), "") is KEY


def test_nonces_are_not_remembered_for_ever(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sim_auth, "_KEPT", 2)
    doorman = Doorman(KEYS)
    for nonce in ("1", "2", "3", "1"):
        assert doorman.admit(token(nonce=nonce), "") is KEY
    with pytest.raises(Unauthorized, match="nonce_used"):
        doorman.admit(token(nonce="3"), "")


def test_a_key_is_checked_and_its_secret_shown_nowhere() -> None:
    assert "s" * 40 not in repr(KEY)
    with pytest.raises(ConfigError, match="access_key"):
        SimKey(access_key="", secret_key=Secret("x"))
    with pytest.raises(ConfigError, match="permissions is 'withdraw'; it must be some of view_accounts"):
        SimKey(access_key="a", secret_key=Secret("x"), permissions=frozenset({"withdraw"}))  # type: ignore[arg-type]


class TestHashes:
    def test_the_query_as_it_stands_is_hashed(self) -> None:
        query = "market=KRW-BTC&states[]=wait&states[]=watch"
        call = HttpCall("/v1/orders/open", "market=KRW-BTC&states%5B%5D=wait&states%5B%5D=watch")
        assert hashed_text(call) == query
        hashed: dict[str, Any] = {"query_hash": sha512(query.encode()).hexdigest(), "query_hash_alg": "SHA512"}
        assert Doorman(KEYS).admit(token(**hashed), "", query) is KEY

    def test_a_body_is_hashed_pair_by_pair(self) -> None:
        body = b'{"market":"KRW-BTC","side":"bid","price":"100.50","n":1,"on":true,"no":null,"ids":["a","b"],"x[]":[1]}'
        text = "market=KRW-BTC&side=bid&price=100.50&n=1&on=true&no=none&ids[]=a&ids[]=b&x[]=1"
        assert hashed_text(HttpCall("/v1/orders", method="POST", body=body)) == text

    @pytest.mark.parametrize("body", [b"market=KRW-BTC", b"[1]", b'{"\xff":1}', b"[" * 9000])
    def test_only_json_is_a_body(self, body: bytes) -> None:
        with pytest.raises(Unauthorized, match="invalid_query_payload"):
            hashed_text(HttpCall("/v1/orders", method="POST", body=body))

    def test_nothing_needs_no_hash(self) -> None:
        assert hashed_text(HttpCall("/v1/accounts")) is None
        assert hashed_text(HttpCall("/v1/orders", method="POST", body=b"{}")) is None

    @pytest.mark.parametrize(
        "claims",
        [
            {},
            {"query_hash": "0" * 128, "query_hash_alg": "SHA512"},
            {"query_hash": sha512(b"a=1").hexdigest(), "query_hash_alg": "MD5"},
            {"query_hash": sha512(b"a=2").hexdigest()},
        ],
    )
    def test_a_wrong_hash_is_refused(self, claims: dict[str, Any]) -> None:
        assert why(token(**claims), query="a=1") == "invalid_query_payload"


class TestHandshakes:
    def dial(self, side: str, headers: Mapping[str, str], **switches: Any) -> Caller | tuple[int, str]:
        answer = exchange(KR, switches, KEYS).handshake(f"/websocket/v1{side}", headers, "127.0.0.1")
        if isinstance(answer, HttpAnswer):
            return answer.status, json.loads(answer.body)["error"]["name"]
        return answer

    @pytest.mark.parametrize("side", ["private", "info"])
    def test_signed_sides_let_in_who_is_known(self, side: str) -> None:
        assert self.dial(f"/{side}", token()) == Caller(side, KEY)
        assert self.dial(f"/{side}", {}) == (401, "no_authorization_token")
        assert self.dial(f"/{side}", {}, refused_status=403) == (403, "no_authorization_token")

    def test_the_public_side_asks_nobody(self) -> None:
        assert self.dial("", {}) == self.dial("", token(OLD)) == Caller()

    def test_a_key_without_sight_is_refused_at_the_door_if_so_switched(self) -> None:
        assert self.dial("/private", token(NONE)) == Caller("private", NONE)
        switched = {"scope_at_handshake": True}
        assert self.dial("/private", token(NONE), **switched) == (401, "out_of_scope")
        assert self.dial("/private", token(NONE), **switched, scope_status=403) == (403, "out_of_scope")
        assert self.dial("/private", token(READS), **switched) == Caller("private", READS)
        assert self.dial("/info", token(NONE), **switched) == Caller("info", NONE)

    def test_other_regions_have_no_info_side(self) -> None:
        answer = UpbitExchange(SG, keys=KEYS).handshake("/websocket/v1/info", token())
        assert isinstance(answer, HttpAnswer)
        assert answer.status == 404

    def test_a_token_is_spent_by_whatever_side_saw_it_first(self) -> None:
        side = exchange(KR, {}, KEYS)
        headers = token()
        assert side.handshake("/websocket/v1/private", headers) == Caller("private", KEY)
        again = side.handshake("/websocket/v1/info", headers)
        assert isinstance(again, HttpAnswer)
        assert json.loads(again.body) == {
            "error": {"name": "nonce_used", "message": "이미 요청한 nonce값이 다시 사용되었습니다."}
        }

    @pytest.mark.parametrize(("status", "name"), [(401, "jwt_verification"), (403, "out_of_scope")])
    def test_a_refusal_by_fault_has_a_name(self, status: int, name: str) -> None:
        answer = exchange(KR).refusal(status)
        assert answer is not None
        assert (answer.status, json.loads(answer.body)["error"]["name"]) == (status, name)
        assert exchange(KR).refusal(429) is None
