"""RELIABILITY L6: a day of a feed is played far faster than it was, and tells what was recorded, hash for hash."""

from __future__ import annotations

import hashlib
import time
from pathlib import Path

import msgspec

from tapewire import Event, TapeOptions, WebSocketClient
from tapewire.client.replaying import Replay, recorded_streams, replay
from tests.client.stage import Stage, play
from tests.sizes import figure, size

#: Seconds of the exchange: a quarter of an hour, and a day by night.
SPAN = size(900, 86_400)
#: Messages a second of all streams.
RATE = size(4, 10)
#: Times real time, in CPU seconds: a machine with other work takes longer, but no more work.
LEAST = 50


class Digest:
    """A hash over events as they are told, and how many."""

    def __init__(self) -> None:
        self._hash, self._encode = hashlib.sha256(), msgspec.json.Encoder().encode
        self.count = 0

    def hear(self, event: Event) -> None:
        self._hash.update(self._encode(event))
        self.count += 1

    @property
    def value(self) -> str:
        return self._hash.hexdigest()


def test_l6_a_day_is_played_in_minutes_and_is_the_same(tmp_path: Path) -> None:
    live, again = Digest(), Digest()

    async def story(stage: Stage) -> None:
        async with stage.client(tape=TapeOptions(folder=str(tmp_path))) as client:
            for kind in ("ticker", "trade", "orderbook"):
                await getattr(client, f"subscribe_{kind}")(["KRW-BTC", "KRW-ETH"], live.hear)
            await stage.after(SPAN)

    play(story, rate=float(RATE), faults=("drop@1000/900",), markets=("KRW-BTC", "KRW-ETH"))
    venue, streams = recorded_streams(tmp_path)

    async def program(played: Replay) -> None:
        async with WebSocketClient("again", venue) as client:
            await client.subscribe(streams, again.hear)
            await played.ended()

    began = time.process_time()
    replay(tmp_path, program)
    seconds = time.process_time() - began
    assert (again.count, again.value) == (live.count, live.value)
    assert live.count > SPAN
    assert seconds * LEAST < SPAN
    figure(f"{SPAN / 3600:g} h with {live.count:,} events played in {seconds:.1f} CPU s: {SPAN / seconds:,.0f} times")
