"""The official SDK hears a tape that `tapewire replay --serve` serves as it would hear the exchange."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import pytest

from tapewire.model.events import TradeEvent
from tapewire.testing.background import BackgroundSimulator
from tests.apps.test_serve import UPBIT, everything, record, staged
from tests.peers.runs import running

pytestmark = pytest.mark.peers


def test_it_hears_what_was_recorded_of_what_it_asked(tmp_path: Path) -> None:
    with BackgroundSimulator(seed=5, markets=("KRW-BTC", "KRW-ETH"), rate=300.0) as exchange:
        served = record(tmp_path, "upbit", exchange.url, UPBIT)
    trades = [event for event in everything(served, UPBIT) if isinstance(event, TradeEvent)]

    async def story() -> list[dict[str, Any]]:
        async with staged(served) as stage:
            rest_url = stage.simulators["upbit"].rest_url
            async with running("upbit_sdk_tape.py", rest_url) as peer:
                playing = asyncio.create_task(stage.play())
                last = [event.sequential_id for event in trades if event.stream_type == "REALTIME"][-1]
                await peer.until(lambda fact: fact["what"] == "event" and fact["fields"].get("sequential_id") == last)
                await playing
                return [fact["fields"] for fact in peer.said if fact["what"] == "event"]

    heard = asyncio.run(story())
    assert {event["type"] for event in heard} == {"trade", "orderbook"}
    assert {event["code"] for event in heard} == {"KRW-BTC"}
    live = [(event.sequential_id, event.trade_price) for event in trades if event.stream_type == "REALTIME"]
    told = [(one["sequential_id"], float(one["trade_price"])) for one in heard if one["type"] == "trade"]
    assert [one for one in told if one in live] == live
