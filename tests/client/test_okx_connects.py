"""All sides of OKX at once: its three connects a second are of the address, whether a key logs in later or not (A2)."""

from __future__ import annotations

from collections import Counter

from tapewire.model.events import Event
from tapewire.model.status import Connected
from tapewire.model.subscription import Subscription, as_detail
from tapewire.sim.scenario import DEMO_KEY
from tests.client.stage import Stage, play

WANTED = [
    Subscription("trade", "BTC-USDT"),
    Subscription("candle", "BTC-USDT", unit="1m"),
    Subscription("myOrder", ""),
    Subscription("orderbook", "BTC-USDT", detail=as_detail({"channel": "books50-l2-tbt"})),
]
KEY = {
    "access_key": DEMO_KEY.access_key, "secret_key": DEMO_KEY.secret_key.reveal(), "passphrase": DEMO_KEY.phrase,
}  # fmt: skip


def test_four_sides_are_opened_within_the_limit_of_the_address() -> None:
    async def story(stage: Stage) -> tuple[list[float], int]:
        heard: Counter[str] = Counter()

        def hear(event: Event) -> None:
            heard[type(event).__name__] += 1

        async with stage.client(venue="okx", **KEY) as client:
            await client.subscribe(WANTED, hear)
            await stage.after(5.0)
            stage.simulator.place_order("BTC-USDT", "ask", ord_type="market", volume="0.01")
            await stage.after(5.0)
            assert {"TradeEvent", "CandleEvent", "MyOrderEvent", "DepthOrderbookEvent"} <= heard.keys()
            return stage.simulator.connects, len(stage.told(Connected))

    connects, opened = play(story, venue="okx", markets=("BTC-USDT",))
    assert (len(connects), opened) == (4, 4)
    assert connects[3] - connects[0] >= 1.0
