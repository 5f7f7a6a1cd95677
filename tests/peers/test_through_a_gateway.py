"""Other people's clients through a gateway: what they get from the simulator, over its one upstream connection."""

from __future__ import annotations

from contextlib import AsyncExitStack
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from tapewire import WebSocketClient
from tapewire.apps.gateway.access import Token
from tapewire.apps.gateway.gateway import Gateway
from tapewire.apps.gateway.settings import GatewayOptions
from tapewire.config import Secret
from tapewire.sim.scenario import Scenario
from tapewire.sim.server import Simulator
from tests.peers.runs import running
from tests.peers.test_python_okx import check_public, check_rest, heard, is_push
from tests.transport.certificates import Authority

pytestmark = pytest.mark.peers
TOKEN = "a-token-of-the-gateway"
BOT = Token(name="bot", token=Secret(TOKEN), scopes=("market", "private"))


def key_of(simulator: Simulator) -> dict[str, Any]:
    """What the gateway itself signs with."""
    key = simulator.keys[0]
    return {"access_key": key.access_key, "secret_key": key.secret_key.reveal()}


def _is_live(name: str, fact: dict[str, Any]) -> bool:
    return bool(fact.get("fields", {}).get(name) == "REALTIME")


def check_trades(heard: list[tuple[str, int]], simulator: Simulator) -> None:
    """Of each market every trade that the exchange made from the first that was heard to the last, each once, in order.

    Args:
        heard: market and id: two markets may have trades of one id.
    """
    assert len(heard) == len(set(heard))
    for market in {market for market, _ in heard}:
        own = [number for name, number in heard if name == market]
        made = [trade.sequential_id or 0 for trade in simulator.trades if trade.symbol == market]
        assert own == [number for number in sorted(made) if own[0] <= number <= own[-1]]


async def test_upbits_sdk_and_its_guide_side_by_side(tmp_path: Path) -> None:
    async with AsyncExitStack() as stack:
        simulator = await stack.enter_async_context(Simulator())
        upstream = WebSocketClient("gateway", url=simulator.url, keep_raw=True)
        gateway = await stack.enter_async_context(Gateway(upstream, GatewayOptions(port=0)))
        address = gateway.url.replace("http", "ws", 1) + "/websocket/v1"
        forms = ("DEFAULT", "SIMPLE_LIST")
        sdks = [await stack.enter_async_context(running("upbit_sdk_feed.py", gateway.url, form)) for form in forms]
        guide = await stack.enter_async_context(
            running("websocket_client_guide.py", address, "stream", str(tmp_path), "30", "10")
        )
        for form, sdk in zip(forms, sdks, strict=True):
            await sdk.says("subscriptions")
            stream_type = "st" if form.startswith("SIMPLE") else "stream_type"
            await sdk.until(partial(_is_live, stream_type))
            events = [fact for fact in sdk.said if fact["what"] == "event"]
            assert {fact["listed"] for fact in events} == {form.endswith("_LIST")}
            assert "BaseModel" not in {fact["model"] for fact in events}
            assert len({fact["model"] for fact in events}) == 4
            code, number = ("cd", "sid") if form.startswith("SIMPLE") else ("code", "sequential_id")
            told = [fact["fields"] for fact in events if _is_live(stream_type, fact)]
            check_trades([(one[code], one[number]) for one in told if number in one], simulator)
        await guide.says("opened")
        guide.tell("subscribe")
        assert (await guide.says("file"))["binary"] is True
        guide.tell("more")
        await guide.until(lambda fact: fact.get("name") == "KRW-ETH_trade.jsonl")
        guide.tell("end")
        await guide.says("left")
        assert simulator.connected == 1
        assert simulator.violations == []


async def test_upbits_guide_with_a_key() -> None:
    """The exchange's key is the gateway's; the program signs with its token."""
    async with Simulator(Scenario(markets=("KRW-BTC", "KRW-ETH"))) as simulator:
        upstream = WebSocketClient("gateway", url=simulator.url, keep_raw=True, **key_of(simulator))
        options = GatewayOptions(port=0, private=True)
        async with Gateway(upstream, options, tokens=[BOT]) as gateway:
            private = gateway.url.replace("http", "ws") + "/websocket/v1/private"
            given = (simulator.url, private, "bot", TOKEN, "HS512")
            async with running("websocket_client_private.py", *given) as peer:
                for _ in range(2):
                    await peer.says("opened")
                while len(simulator.requests) < 2:
                    await simulator.reached(simulator.now + 0.02)
                order = simulator.place_order("KRW-BTC", "ask", ord_type="market", volume="0.01")
                last = await peer.until(lambda fact: fact.get("fields", {}).get("state") == "done")
                assert last["fields"]["uuid"] == order.uuid
                states = [
                    fact["fields"]["state"]
                    for fact in peer.said
                    if fact.get("client") == "private" and "fields" in fact
                ]
                assert states == ["wait", *["trade"] * len(order.fills), "done"]
                peer.end()
                await peer.says("left")
            assert len(simulator.connects) == 2  # the guide's own, and the gateway's
            assert simulator.violations == []


@pytest.mark.slow
async def test_okxs_sdk_on_all_three_paths(tmp_path: Path) -> None:
    authority = Authority(tmp_path)
    async with Simulator(Scenario(venue="okx", markets=("BTC-USDT", "BTC-USDT-SWAP"))) as simulator:
        key = key_of(simulator) | {"passphrase": simulator.keys[0].phrase}
        upstream = WebSocketClient("gateway", "okx", url=simulator.url, keep_raw=True, **key)
        options = GatewayOptions(port=0, private=True)
        async with Gateway(upstream, options, tokens=[BOT], tls=authority.server("okx")) as gateway:
            place = gateway.url.replace("https://", f"any:{TOKEN}@")
            given = (f"wss://{place}/ws/v5", f"https://{place}", "bot", TOKEN, "whatever")
            async with running("okx_python.py", *given, SSL_CERT_FILE=str(authority.folder / "ca.pem")) as peer:
                await peer.until(lambda fact: is_push(fact, "account"))
                check_public(peer)
                peer.tell("rest")
                check_rest((await peer.says("answered"))["calls"])
                order = simulator.place_order("BTC-USDT", "ask", ord_type="market", volume="0.01")
                while (
                    not (pushes := heard(peer, "orders"))
                    or "data" not in pushes[-1]
                    or pushes[-1]["data"][0]["state"] != "filled"
                ):
                    await peer.until(lambda fact: is_push(fact, "orders"))
                states = [one["data"][0]["state"] for one in pushes if "data" in one]
                assert states == ["live", *["partially_filled"] * (len(order.fills) - 1), "filled"]
                [_, first, *_] = heard(peer, "balance_and_position")
                assert first["data"][0]["eventType"] == "snapshot"
                trades = [row for one in heard(peer, "trades") for row in one.get("data", ())]
                check_trades([(row["instId"], int(row["tradeId"])) for row in trades[1:]], simulator)
                peer.end()
                await peer.until(lambda fact: fact.get("message", {}).get("event") == "unsubscribe")
            assert len(simulator.connects) == 3  # public, business, private: one each
            assert simulator.violations == []
