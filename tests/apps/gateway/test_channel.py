"""What the gateway holds of a stream: frames, of which the same events are made again as were heard."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from tapewire.apps.gateway.upstream import Channel, restoring
from tapewire.model.events import Event
from tapewire.model.subscription import Subscription
from tapewire.venues.registry import get_venue
from tests.apps.gateway.stage import PATIENCE, served
from tests.apps.gateway.test_upbit_door import EVERYTHING, door, program

TRADE = b'{"type":"trade","code":"KRW-BTC","trade_price":1.5,"sequential_id":%d,"stream_type":"REALTIME"}'


def events(numbers: range, numbers_as: str = "float") -> list[Event]:
    codec = get_venue("upbit").codec("DEFAULT", numbers_as, True)
    return [event for number in numbers for event in codec.read(TRADE % number, 1_000 + number).events]


@pytest.mark.parametrize("numbers_as", ["float", "decimal"])
async def test_events_are_made_again_of_their_frames(numbers_as: Any) -> None:
    channel = Channel(
        Subscription("trade", "KRW-BTC"), None, restoring(get_venue("upbit").codec("DEFAULT", numbers_as, True))
    )
    assert (channel.latest, channel.trades) == (None, [])
    said = events(range(1, 601), numbers_as)
    for event in said[:-1]:
        channel.hear(event)
    assert channel.trades == said[-2:-502:-1]
    channel.hear(said[-1])
    assert channel.latest == said[-1]
    assert channel.latest is not said[-1], "no event is held"
    assert channel.latest is channel.latest, "it is made once"
    assert channel.trades == said[-1:-501:-1]
    assert len(channel.trades) == 500


async def test_what_rest_told_is_held_as_it_is_behind_what_came() -> None:
    channel = Channel(
        Subscription("trade", "KRW-BTC"), None, restoring(get_venue("upbit").codec("DEFAULT", "float", True))
    )
    live, [missed] = events(range(5, 7)), events(range(1, 2))
    missed.recovered = True
    for event in (*live, missed):
        channel.hear(event)
    assert channel.latest == live[-1]
    assert channel.trades == [live[1], live[0], missed]
    assert channel.trades[-1] is missed


async def test_frames_that_no_short_road_reads_are_read_by_the_careful_one() -> None:
    restore = restoring(get_venue("upbit").codec("DEFAULT", "float", True))
    simple = b'{"ty":"trade","cd":"KRW-BTC","tp":1.5,"sid":7,"st":"REALTIME"}'
    [wanted] = get_venue("upbit").codec("DEFAULT", "float", True).read(simple, 9).events
    assert restore(simple, 9) == wanted


async def test_what_the_gateway_holds_is_what_it_heard() -> None:
    async with served() as stage, program(stage.session, door(stage)) as local:
        upstream = stage.gateway._upstreams["upbit"]
        await local.ask(*EVERYTHING)
        heard: dict[Subscription, list[Event]] = {}
        enough = asyncio.Event()

        def listen(stream: Subscription) -> None:
            def hear(event: Event) -> None:
                heard.setdefault(stream, []).append(event)
                if len(heard) == len(upstream.channels) and sum(map(len, heard.values())) > 200:
                    enough.set()

            upstream.channels[stream].add(hear)

        async with asyncio.timeout(PATIENCE):
            while len(upstream.channels) < 8:
                await local.next()
            for stream in tuple(upstream.channels):
                listen(stream)
            await enough.wait()
        for stream, told in heard.items():
            channel = upstream.channels[stream]
            assert channel.latest == told[-1]
            if stream.kind == "trade":
                assert channel.trades[: len(told)] == told[::-1]
                assert all(event.received_ns > 0 for event in channel.trades)
