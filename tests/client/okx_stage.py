"""Stories of an account at the simulated OKX."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from tapewire.config import SessionOptions
from tapewire.model.events import Asset
from tapewire.sim.scenario import DEMO_KEY
from tapewire.sim.server import Simulator
from tapewire.venues.trading import Order
from tests.client.stage import Stage, play

KEY = {"access_key": "sim-access-key", "secret_key": DEMO_KEY.secret_key.reveal(), "passphrase": "sim-passphrase"}
MARKETS = ("BTC-USDT", "BTC-USDT-SWAP")
QUICK = SessionOptions(ping_interval=5.0, ping_timeout=3.0, backoff_cap=5.0)


def okx(story: Any, **scenario: Any) -> Any:
    return play(story, venue="okx", markets=MARKETS, rate=0.5, **scenario)


def held(simulator: Simulator) -> dict[str, Asset]:
    balances = simulator.exchange.desk.balances(simulator.keys[0].account)
    return {one.currency: Asset(one.currency, one.free, one.locked) for one in balances}


async def away(stage: Stage, *deeds: Callable[[], object], seconds: float = 60) -> None:
    """Something happens while the private line is gone."""
    stage.simulator.abort(side="private")
    await stage.after(0.01)
    for deed in deeds:
        deed()
    await stage.after(seconds)


def buy(stage: Stage, symbol: str = "BTC-USDT", **asked: Any) -> Order:
    """One that waits far from the market, unless it is said otherwise."""
    facts = {"side": "bid", "ord_type": "limit", "price": "30000", "volume": "0.01"} | asked
    return stage.simulator.place_order(symbol, **facts)
