"""Signed REST reads of a client: with its key, in the exchange's words, and refused here where there is none."""

from __future__ import annotations

import json
from typing import Any

import pytest

from tapewire import WebSocketClient
from tapewire.errors import CredentialsError, HttpFailed, UsageError
from tapewire.sim.scenario import DEMO_KEY, Scenario
from tapewire.sim.server import Simulator

KEY: dict[str, Any] = {"access_key": DEMO_KEY.access_key, "secret_key": DEMO_KEY.secret_key.reveal()}


async def test_balances_and_an_error_of_the_exchange() -> None:
    async with Simulator(Scenario()) as simulator, WebSocketClient("s", url=simulator.url, **KEY) as client:
        balances = json.loads(await client.rest_signed("/v1/accounts"))
        assert "KRW" in {one["currency"] for one in balances}
        path = "/v1/orders/uuids?uuids%5B%5D=a&uuids%5B%5D=b"
        assert json.loads(await client.rest_signed(path)) == []
        with pytest.raises(HttpFailed) as failed:
            await client.rest_signed("/v1/order?uuid=nix")
        assert failed.value.status == 404
        assert KEY["secret_key"] not in str(failed.value)


async def test_without_a_key_it_says_what_is_missing() -> None:
    async with Simulator(Scenario()) as simulator, WebSocketClient("s", url=simulator.url) as client:
        with pytest.raises(CredentialsError, match="are needed for /v1/accounts"):
            await client.rest_signed("/v1/accounts?x=1")


async def test_a_venue_without_such_calls_says_so() -> None:
    scenario = Scenario(venue="okex3", markets=("BTC-USDT",))
    async with (
        Simulator(scenario) as simulator,
        WebSocketClient("s", "okex3", url=simulator.url, **KEY, passphrase="p") as client,
    ):
        with pytest.raises(UsageError, match="no REST calls with a key"):
            await client.rest_signed("/api/account/v3/wallet")
