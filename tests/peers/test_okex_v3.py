"""The monitor scripts of 2019 against the simulator: nothing but the address is another (spec/okx.md B6)."""

from __future__ import annotations

import json

import pytest

from tapewire.sim.scenario import Scenario
from tapewire.sim.server import Simulator
from tests.peers.runs import running

pytestmark = pytest.mark.peers


async def test_a_subscription_of_2019_hears_and_reads_the_simulated_exchange() -> None:
    async with (
        Simulator(Scenario(venue="okex3", rate=60.0)) as simulator,
        running("okex_v3_subscription.py", simulator.url, "BTC-USD-190517", "futures") as peer,
    ):
        heard: dict[str, str] = {}
        while len(heard) < 4:
            fact = await peer.says("heard")
            heard[fact["name"]] = fact["message"]
        assert heard.keys() == {"subscribe", "pong", "futures/depth5", "futures/trade"}
        depth = json.loads(heard["futures/depth5"])["data"][0]
        assert (len(depth["asks"]), len(depth["bids"]), depth["instrument_id"]) == (5, 5, "BTC-USD-190517")
        assert json.loads(heard["futures/trade"])["data"][0]["qty"].isdecimal()
        peer.tell("depth")
        best = await peer.says("depth")
        assert 7_000 < float(best["bid"]) < float(best["ask"]) < 9_000
        assert simulator.violations == []
        simulator.drop(1001)
        await peer.says("closing")
        assert not [fact for fact in peer.said if fact["what"] == "error" and "argument" in fact["text"]]
