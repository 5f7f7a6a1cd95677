"""Other people's clients through a gateway: what they get from the simulator, over its one upstream connection."""

from __future__ import annotations

from contextlib import AsyncExitStack
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from tapewire import WebSocketClient
from tapewire.apps.gateway.gateway import Gateway
from tapewire.apps.gateway.settings import GatewayOptions
from tapewire.sim.server import Simulator
from tests.peers.runs import running

pytestmark = pytest.mark.peers


def _is_live(name: str, fact: dict[str, Any]) -> bool:
    return bool(fact.get("fields", {}).get(name) == "REALTIME")


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
        await guide.says("opened")
        guide.tell("subscribe")
        assert (await guide.says("file"))["binary"] is True
        guide.tell("more")
        await guide.until(lambda fact: fact.get("name") == "KRW-ETH_trade.jsonl")
        guide.tell("end")
        await guide.says("left")
        assert simulator.connected == 1
        assert simulator.violations == []
