"""A tape behind a gateway: local programs hear what was recorded, through the same doors."""

from __future__ import annotations

import asyncio
import itertools
import json
from pathlib import Path

import aiohttp

from tapewire import TapeOptions, TradeEvent, WebSocketClient, decode
from tapewire.apps.cli.serve_tape import TapedServer
from tapewire.apps.gateway.gateway import Gateway
from tapewire.apps.gateway.settings import GatewayOptions
from tapewire.sim.scenario import Scenario
from tapewire.sim.server import Simulator
from tapewire.tape.format import Kind, Record
from tapewire.tape.reader import read_tape
from tests.apps.gateway.stage import PATIENCE

RECEIVED = (Kind.RECEIVED_BINARY, Kind.RECEIVED_TEXT)


async def recorded(folder: Path) -> list[int]:
    """A tape of some trades of one market; the ids that are on it: the last may have come after the client's end."""
    enough = asyncio.Event()
    count = itertools.count(1)

    def hear(_event: TradeEvent) -> None:
        if next(count) == 120:
            enough.set()

    async with (
        Simulator(Scenario(rate=300.0, markets=("KRW-BTC",))) as simulator,
        WebSocketClient("recorder", url=simulator.url, tape=TapeOptions(folder=str(folder))) as client,
    ):
        await client.subscribe_trade("KRW-BTC", hear)
        async with asyncio.timeout(PATIENCE):
            await enough.wait()
    frames = [one for one in read_tape(folder) if isinstance(one, Record) and one.kind in RECEIVED]
    events = [event for one in frames for event in decode("upbit", one.payload)]
    return [event.sequential_id or 0 for event in events if isinstance(event, TradeEvent)]


def test_local_programs_hear_the_tape(tmp_path: Path) -> None:
    ids = asyncio.run(recorded(tmp_path / "tape"))
    listeners: list[asyncio.Task[tuple[list[int], list[int]]]] = []

    def greet(gateway: Gateway) -> None:
        listeners.append(asyncio.get_running_loop().create_task(listen(gateway.url)))

    TapedServer(GatewayOptions(port=0), None, None, greet).serve([tmp_path / "tape"], 2.0)
    own, theirs = listeners[0].result()
    assert len(own) > 50
    assert set(own) <= set(ids)
    assert own == [number for number in ids if number in set(own)]
    assert theirs
    assert set(theirs) <= set(ids)


async def listen(url: str) -> tuple[list[int], list[int]]:
    """Trade ids that came through our door and the exchange's, until the gateway stops."""
    own, theirs = list[int](), list[int]()
    async with (
        aiohttp.ClientSession() as session,
        session.ws_connect(f"{url}/v1/stream") as ours,
        session.ws_connect(f"{url}/websocket/v1") as exchanges,
    ):
        await ours.send_json({"subscribe": [{"type": "trade", "symbols": "*"}], "news": False})
        await exchanges.send_str(json.dumps([{"ticket": "t"}, {"type": "trade", "codes": ["KRW-BTC"]}]))

        async def hear_theirs() -> None:
            async for message in exchanges:
                theirs.append(json.loads(message.data)["sequential_id"])

        reading = asyncio.create_task(hear_theirs())
        async for message in ours:
            said = json.loads(message.data)
            if "event" in said:
                own.append(said["event"]["sequential_id"])
        await reading
    return own, theirs
