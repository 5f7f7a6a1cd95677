"""The simulated OKX's look at keys: logins by message, REST calls by headers."""

from __future__ import annotations

from typing import Any

import pytest

from tapewire.config import Secret
from tapewire.sim.scenario import DEMO_KEY
from tapewire.venues.exchange import SimKey
from tests.sim.listed import START_MS
from tests.venues.okx.sim_stage import Client, login_of, make, sign, signed

SECONDS = START_MS // 1000
BOUND = SimKey(access_key="bound", secret_key=Secret("s" * 32), ips=("10.0.0.7",))
READER = SimKey(access_key="reader", secret_key=Secret("r" * 32), permissions=frozenset({"view_orders"}))
OLD = SimKey(access_key="old", secret_key=Secret("o" * 32), expired=True)
KEYS = (DEMO_KEY, BOUND, READER, OLD)


def test_the_documented_vector_is_right() -> None:
    """spec/okx.md A4: so the checks of this page are of the right thing."""
    secret = "22582BD0CFF14C41EDBF1AB98506286D"
    assert sign(secret, "1704876947GET/users/self/verify") == "5/36BgGV6m/6pmdc20zdqk0mzF5ZalmzzPD2fo3wavU="


class TestLogin:
    def test_it_is_granted_once(self) -> None:
        client = Client(make(), "private")
        [answer] = client.say(login_of(client))
        assert answer == {"event": "login", "code": "0", "msg": "", "connId": answer["connId"]}
        [again] = client.say(login_of(client))
        assert (again["event"], again["code"]) == ("error", "60031")
        assert client.wire.ends == []

    @pytest.mark.parametrize(
        ("changes", "code"),
        [
            ({"apiKey": ""}, "60005"),
            ({"apiKey": "nobody"}, "60032"),
            ({"apiKey": "old"}, "60032"),
            ({"passphrase": "wrong"}, "60024"),
            ({"sign": "wrong"}, "60007"),
            ({"sign": 5}, "60007"),
            ({"timestamp": "soon"}, "60004"),
            ({"timestamp": "nan"}, "60006"),
            ({"timestamp": str(SECONDS - 31)}, "60006"),
            ({"timestamp": str(SECONDS + 31)}, "60006"),
            ({"timestamp": str(START_MS)}, "60006"),
        ],
    )
    def test_what_is_wrong_is_named_and_the_connection_closed(self, changes: dict[str, Any], code: str) -> None:
        client = Client(make(keys=KEYS), "private")
        [answer] = client.say(login_of(client, **changes))
        assert (answer["event"], answer["code"]) == ("error", code)
        assert client.wire.ends == [(4001, "Login failed")]

    def test_the_close_is_only_possible(self) -> None:
        client = Client(make(login_closes=False), "private")
        client.say(login_of(client, sign="wrong"))
        assert client.wire.ends == []
        assert client.say(login_of(client))[0]["event"] == "login"

    @pytest.mark.parametrize("stamp", [SECONDS, f"{SECONDS}.25", str(SECONDS - 29)])
    def test_a_time_may_be_a_number_or_have_decimals(self, stamp: Any) -> None:
        client = Client(make(), "private")
        assert client.say(login_of(client, timestamp=stamp))[0]["event"] == "login"

    def test_one_argument_is_wanted(self) -> None:
        client = Client(make(), "private")
        assert [answer["code"] for answer in client.say({"op": "login", "args": ["key"]})] == ["60013"]

    @pytest.mark.parametrize(("address", "event"), [("10.0.0.7", "login"), ("10.0.0.8", "error")])
    def test_a_key_may_be_bound_to_addresses(self, address: str, event: str) -> None:
        client = Client(make(keys=KEYS), "private", address=address)
        assert client.say(login_of(client, BOUND))[0]["event"] == event

    def test_private_channels_want_it_first(self) -> None:
        client = Client(make(), "private")
        assert [one["code"] for one in client.ask({"channel": "account"})] == ["60011"]
        assert [one["code"] for one in client.ask({"instId": "BTC-USDT"}, op="order", id="1")] == ["60011"]


class TestRest:
    def test_a_signed_call_is_answered(self) -> None:
        status, body = signed(make(), "/api/v5/account/balance?ccy=BTC")
        assert (status, body["code"]) == (200, "0")
        assert [row["ccy"] for row in body["data"][0]["details"]] == ["BTC"]

    @pytest.mark.parametrize(
        ("name", "text", "code"),
        [
            ("ok-access-key", "", "50103"),
            ("ok-access-passphrase", "", "50104"),
            ("ok-access-sign", "", "50106"),
            ("ok-access-timestamp", "", "50107"),
            ("ok-access-timestamp", "1786611600", "50112"),
            ("ok-access-timestamp", "2026-08-13T08:59:29.000Z", "50102"),
            ("ok-access-key", "nobody", "50119"),
            ("x-simulated-trading", "1", "50101"),
            ("ok-access-passphrase", "wrong", "50105"),
            ("ok-access-sign", "wrong", "50113"),
        ],
    )
    def test_what_is_wrong_is_named(self, name: str, text: str, code: str) -> None:
        status, body = signed(make(), "/api/v5/account/balance", headers={name: text})
        assert (status, body["code"], body["data"]) == (401, code, [])

    def test_the_body_is_signed_too(self) -> None:
        okx = make()
        other = sign(DEMO_KEY.secret_key.reveal(), "2026-08-13T09:00:00.000ZPOST/api/v5/trade/order{}")
        _, body = signed(okx, "/api/v5/trade/order", {"instId": "BTC-USDT"}, headers={"ok-access-sign": other})
        assert body["code"] == "50113"

    def test_a_key_may_be_bound_or_not_allowed(self) -> None:
        okx = make(keys=KEYS)
        assert signed(okx, "/api/v5/account/balance", key=BOUND, address="10.0.0.8")[1]["code"] == "50110"
        assert signed(okx, "/api/v5/account/balance", key=BOUND, address="10.0.0.7")[1]["code"] == "0"
        assert signed(okx, "/api/v5/account/balance", key=READER)[1]["code"] == "50120"
        assert signed(okx, "/api/v5/trade/orders-pending", key=READER)[1]["code"] == "0"
