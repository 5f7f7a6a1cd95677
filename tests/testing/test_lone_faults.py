"""Faults of one line at a time: of the lines that carry the same one always stays whole."""

from __future__ import annotations

import asyncio
import random

from tapewire.config import Credentials, Secret
from tapewire.model.status import Disconnected, Gap
from tapewire.sim.faults import Fault
from tapewire.sim.scenario import DEMO_KEY
from tapewire.testing.lone_faults import LoneFaults
from tests.client.stage import Stage, play


def test_the_line_of_another_side_is_no_sister() -> None:
    async def story(stage: Stage) -> None:
        key = Credentials(Secret(DEMO_KEY.access_key), DEMO_KEY.secret_key)
        plan = [Fault(name="freeze", at=150.0, every=70.0), Fault(name="abort", at=152.0, every=35.0)]
        async with stage.client(redundancy=2, credentials=key) as client:
            await (await client.subscribe_orderbook("KRW-BTC", lambda _: None)).live()
            await (await client.subscribe_my_order(lambda _: None)).live()
            lone = LoneFaults(stage.simulator, plan, random.Random(1).random)
            striking = asyncio.create_task(lone.run())
            await stage.after(7_200)
            striking.cancel()
            await asyncio.wait([striking])
        hit = {event.connection.rpartition("-")[0] for event in stage.told(Disconnected)}
        assert hit == {"upbit", "upbit-private"}
        assert [gap for gap in stage.told(Gap) if gap.subscription.kind == "orderbook"] == []
        assert lone.struck > 30

    play(story, rate=2.0)
