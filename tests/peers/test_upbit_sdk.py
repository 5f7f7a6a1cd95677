"""The official SDK against the simulator, nothing changed but the address."""

from __future__ import annotations

from typing import Any

import pytest

from tapewire.sim.server import Simulator
from tests.peers.runs import Peer, running

pytestmark = pytest.mark.peers
_WIRE_NAMES = {"DEFAULT": ("type", "code"), "SIMPLE": ("ty", "cd")}


def _seen(peer: Peer, form: str) -> set[tuple[str, str]]:
    kind, code = _WIRE_NAMES[form.replace("_LIST", "").replace("JSON", "DEFAULT")]
    return {(fact["fields"][kind], fact["fields"][code]) for fact in peer.said if fact["what"] == "event"}


@pytest.mark.parametrize("form", ["DEFAULT", "SIMPLE", "JSON_LIST", "SIMPLE_LIST"])
async def test_reads_every_stream_and_lists_its_subscriptions(form: str) -> None:
    wanted = {
        ("ticker", "KRW-BTC"), ("ticker", "KRW-ETH"), ("trade", "KRW-BTC"), ("trade", "KRW-ETH"),
        ("orderbook", "KRW-BTC"), ("candle.1s", "KRW-BTC"), ("candle.240m", "KRW-BTC"),
    }  # fmt: skip
    stream_type = "st" if form.startswith("SIMPLE") else "stream_type"

    def live(fact: dict[str, Any]) -> bool:
        return bool(fact["what"] == "event" and fact["fields"][stream_type] == "REALTIME")

    async with Simulator() as simulator, running("upbit_sdk_feed.py", simulator.rest_url, form) as peer:
        listed = await peer.says("subscriptions")
        await peer.until(live)
        assert _seen(peer, form) == wanted
        events = [fact for fact in peer.said if fact["what"] == "event"]
        assert {fact["listed"] for fact in events} == {form.endswith("_LIST")}
        # The SDK picks its typed model by what it recognised: none of ours may fall through to its base class.
        assert "BaseModel" not in {fact["model"] for fact in events}
        assert len({fact["model"] for fact in events}) == 4
        result = listed["answer"]["rslt" if form.startswith("SIMPLE") else "result"]
        names = ("ty", "cds") if form.startswith("SIMPLE") else ("type", "codes")
        assert [(entry[names[0]], entry[names[1]]) for entry in result] == [
            ("ticker", ["KRW-BTC", "KRW-ETH"]), ("trade", ["KRW-BTC", "KRW-ETH"]), ("orderbook", ["KRW-BTC"]),
            ("candle.1s", ["KRW-BTC"]), ("candle.240m", ["KRW-BTC"]),
        ]  # fmt: skip
        assert simulator.violations == []


async def test_comes_back_after_a_reset_and_gets_its_snapshots_again() -> None:
    async with Simulator() as simulator, running("upbit_sdk_feed.py", simulator.rest_url, "DEFAULT") as peer:
        await peer.until(lambda fact: fact["what"] == "event")
        simulator.abort()
        await peer.says("disconnected")
        await peer.says("reconnected")
        back = await peer.until(lambda fact: fact["what"] == "event")
        assert back["fields"]["stream_type"] == "SNAPSHOT"
        assert len(simulator.connects) == 2
