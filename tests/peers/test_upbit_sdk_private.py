"""The official SDK's private and info streams and signed REST calls against the simulator, only the address given."""

from __future__ import annotations

from typing import Any

import pytest

from tapewire.sim.scenario import Scenario
from tapewire.sim.server import Simulator
from tests.peers.runs import Peer, running

pytestmark = pytest.mark.peers
_SCRIPT = "upbit_sdk_private.py"
#: A moment at which the market has just crossed its mean of five candles of 5 minutes, by a wide margin.
_CROSSING = 1_786_612_020_000


def played(**options: Any) -> Simulator:
    return Simulator(Scenario(markets=("KRW-BTC", "KRW-ETH"), start_ms=_CROSSING, **options))


def key_of(simulator: Simulator) -> tuple[str, str]:
    return simulator.keys[0].access_key, simulator.keys[0].secret_key.reveal()


async def both_listen(peer: Peer) -> dict[str, Any]:
    """What each side says it is subscribed to."""
    answers = [await peer.says("subscriptions") for _ in range(2)]
    return {fact["side"]: fact["answer"] for fact in answers}


@pytest.mark.parametrize("form", ["DEFAULT", "SIMPLE"])
async def test_reads_every_private_and_info_stream(form: str) -> None:
    state, kind = ("state", "type") if form == "DEFAULT" else ("s", "ty")
    async with played() as simulator, running(_SCRIPT, simulator.rest_url, form, *key_of(simulator)) as peer:
        listed = await both_listen(peer)
        result = "result" if form == "DEFAULT" else "rslt"
        assert [entry[kind] for entry in listed["private"][result]] == ["announcement", "myOrder", "myAsset"]
        assert [entry[kind] for entry in listed["info"][result]] == ["indicator", "indicator_signal"]

        order = simulator.place_order("KRW-BTC", "ask", ord_type="market", volume="0.02")
        simulator.announce("Listing", "trade", "**text**")
        last = await peer.until(lambda fact: fact["fields"].get(kind) == "announcement")
        assert (last["fields"].get("body") or last["fields"].get("bd")) == "**text**"
        told = [fact["fields"] for fact in peer.said if fact["what"] == "event"]
        assert [fields[state] for fields in told if fields[kind] == "myOrder"] == [
            "wait", *["trade"] * len(order.fills), "done",
        ]  # fmt: skip
        assert {fields[kind] for fields in told} == {"myOrder", "myAsset", "announcement"}

        simulator.close_candles("5m")
        signal = await peer.until(lambda fact: fact["fields"].get(kind) == "indicator_signal")
        assert (signal["fields"].get("trigger") or signal["fields"].get("tr")) == "price_cross_above"
        # The SDK picks its typed model by what it recognised: none of ours may fall through to its base class.
        prefix = "" if form == "DEFAULT" else "Simple"
        assert {fact["model"] for fact in peer.said if fact["what"] == "event"} == {
            f"{prefix}{name}"
            for name in (
                "MyOrder", "MyAsset", "Announcement", "RsiIndicator", "MacdIndicator", "MovingAverageIndicatorSignal",
            )
        }  # fmt: skip
        assert simulator.violations == []


async def test_orders_by_rest_and_hears_of_them() -> None:
    async with played() as simulator, running(_SCRIPT, simulator.rest_url, "DEFAULT", *key_of(simulator)) as peer:
        await both_listen(peer)
        peer.tell("trade")
        traded = await peer.says("traded")
        [order] = simulator.orders()
        assert traded["order"]["uuid"] == order.uuid
        assert traded["order"]["identifier"] == "from-the-sdk"
        assert (traded["found"], traded["waiting"], traded["closed"]) == ("wait", [order.uuid], ["cancel"])
        assert traded["currencies"] == ["BTC", "ETH", "KRW"]
        states = [fact["fields"]["state"] for fact in peer.said if fact.get("model") == "MyOrder"]
        if len(states) < 2:
            fact = await peer.until(lambda fact: fact.get("fields", {}).get("state") == "cancel")
            states.append(fact["fields"]["state"])
        assert states[-1] == "cancel"
        assert simulator.violations == []


async def test_comes_back_with_a_fresh_token() -> None:
    async with played() as simulator, running(_SCRIPT, simulator.rest_url, "DEFAULT", *key_of(simulator)) as peer:
        await both_listen(peer)
        simulator.abort(side="private")
        while len(simulator.requests) < 5:  # a request and a question on each of two lines, then the request again
            await simulator.reached(simulator.now + 0.05)
        simulator.announce("Listing", "trade")
        await peer.until(lambda fact: fact.get("model") == "Announcement")
        assert len(simulator.connects) == 3


async def test_a_wrong_secret_is_refused() -> None:
    wrong = ("DEFAULT", "sim-access-key", "x" * 40)
    async with played() as simulator, running(_SCRIPT, simulator.rest_url, *wrong) as peer:
        failed = await peer.says("failed")
        assert "HTTP 401" in failed["text"]
        assert simulator.connected == 0
