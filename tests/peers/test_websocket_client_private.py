"""The guide's private client (S0-68 to S0-77) with websocket-client and PyJWT, nothing changed but the address."""

from __future__ import annotations

import pytest

from tapewire.sim.scenario import Scenario
from tapewire.sim.server import Simulator
from tests.peers.runs import running

pytestmark = pytest.mark.peers
_SCRIPT = "websocket_client_private.py"


@pytest.mark.parametrize("algorithm", ["HS512", "HS256"])
async def test_public_and_private_side_by_side(algorithm: str) -> None:
    """S0-68, S0-69, S0-71, S0-72, S0-74 to S0-77."""
    async with Simulator(Scenario(markets=("KRW-BTC", "KRW-ETH"))) as simulator:
        key = simulator.keys[0]
        how = (simulator.url, simulator.urls["private"], key.access_key, key.secret_key.reveal(), algorithm)
        async with running(_SCRIPT, *how) as peer:
            for _ in range(2):
                await peer.says("opened")
            while len(simulator.requests) < 2:
                await simulator.reached(simulator.now + 0.02)
            order = simulator.place_order("KRW-BTC", "ask", ord_type="market", volume="0.001")
            simulator.place_order("KRW-ETH", "ask", ord_type="market", volume="0.01")
            last = await peer.until(lambda fact: fact.get("fields", {}).get("state") == "done")
            while not any(fact.get("client") == "public" for fact in peer.said if fact["what"] == "event"):
                await peer.says("event")
            events = [fact for fact in peer.said if fact["what"] == "event"]
            assert {(fact["client"], fact["fields"]["type"]) for fact in events} == {
                ("public", "ticker"), ("private", "myOrder"),
            }  # fmt: skip
            assert {fact["fields"]["code"] for fact in events} == {"KRW-BTC"}
            assert last["fields"]["uuid"] == order.uuid
            peer.end()
            left = await peer.says("left")
            assert left["alive"] == [False, False]
            assert simulator.violations == []


async def test_without_a_secret_there_is_no_token_and_no_private_stream() -> None:
    """S0-70, S0-73: the public one works without a key."""
    async with Simulator(Scenario(markets=("KRW-BTC",))) as simulator:
        how = (simulator.url, simulator.urls["private"], "sim-access-key", "-", "HS512")
        async with running(_SCRIPT, *how) as peer:
            error = await peer.says("error")
            assert (error["client"], error["status"]) == ("private", 401)
            assert error["body"]["error"]["name"] == "no_authorization_token"
            await peer.until(lambda fact: fact["what"] == "event" and fact["client"] == "public")


async def test_private_types_on_the_public_address_are_refused() -> None:
    async with Simulator(Scenario(markets=("KRW-BTC",))) as simulator:
        key = simulator.keys[0]
        how = (simulator.url, simulator.url, key.access_key, key.secret_key.reveal(), "HS256")
        async with running(_SCRIPT, *how) as peer:
            refused = await peer.until(lambda fact: fact.get("client") == "private" and fact["what"] == "event")
            assert refused["fields"]["error"]["name"] == "INVALID_AUTH"
            assert (await peer.says("closed"))["code"] == 1000
