"""A client that keeps a tape: everything is on it, nothing secret is, and what it tells is what was delivered."""

from __future__ import annotations

from pathlib import Path

import msgspec

from tapewire import Event, TapeOptions
from tapewire.model.line import Handshake, Loss
from tapewire.model.status import Connected, FeedEvent
from tapewire.tape.format import Dialled, Kind, Record, RestAnswer
from tapewire.tape.reader import header_of, read_tape
from tapewire.venues.registry import get_venue
from tests.client.stage import Stage, play


def records(folder: Path, *kinds: Kind) -> list[Record]:
    return [one for one in read_tape(folder) if isinstance(one, Record) and (not kinds or one.kind in kinds)]


def test_every_frame_call_and_word_of_a_feed_is_on_its_tape(tmp_path: Path) -> None:
    heard: list[Event] = []

    async def story(stage: Stage) -> None:
        async with stage.client(recover=True, tape=TapeOptions(folder=str(tmp_path))) as client:
            for kind in ("ticker", "trade", "orderbook"):
                await getattr(client, f"subscribe_{kind}")(["KRW-BTC", "KRW-ETH"], heard.append)
            await stage.after(40)
        sent = [one.payload for one in stage.simulator.requests]
        assert [one.payload for one in records(tmp_path, Kind.SENT_TEXT)] == sent
        feed = [msgspec.json.decode(one.payload)["type"] for one in records(tmp_path, Kind.FEED)]
        assert feed == [str(type(event).__struct_config__.tag) for event in stage.feed]

    play(story, faults=("drop@20",))
    read = get_venue("upbit").codec("DEFAULT", "float", False).read
    told = [
        event
        for frame in records(tmp_path, Kind.RECEIVED_TEXT, Kind.RECEIVED_BINARY)
        for event in read(frame.payload, frame.at_ns).events
    ]  # fmt: skip
    live = [event for event in heard if not event.recovered]
    keys = {(event.symbol, type(event), event.timestamp, event.received_ns) for event in live}
    assert [event for event in told if (event.symbol, type(event), event.timestamp, event.received_ns) in keys] == live
    dials = [msgspec.json.decode(one.payload, type=Dialled) for one in records(tmp_path, Kind.DIALLED)]
    assert len(dials) == 2
    assert [one.connection for one in records(tmp_path, Kind.OPENED)] == [1, 2]
    assert msgspec.json.decode(records(tmp_path, Kind.OPENED)[0].payload, type=Handshake).url == dials[0].url
    losses = [msgspec.json.decode(one.payload, type=Loss).cause for one in records(tmp_path, Kind.LOST)]
    assert losses == ["closed", "stopped"]
    answers = [msgspec.json.decode(one.payload, type=RestAnswer) for one in records(tmp_path, Kind.ANSWERED)]
    assert {one.path.partition("?")[0] for one in answers} >= {"/v1/market/all", "/v1/trades/ticks"}
    assert {one.status for one in answers} == {200}
    assert header_of(tmp_path).venue == "upbit"


def test_each_use_of_a_feed_is_a_file_of_its_tape(tmp_path: Path) -> None:
    async def story(stage: Stage) -> None:
        for _ in range(2):
            async with stage.client(tape=TapeOptions(folder=str(tmp_path))) as client:
                await client.subscribe_ticker("KRW-BTC", lambda _event: None)
                await stage.after(5)

    play(story)
    connected = [one for one in records(tmp_path, Kind.FEED) if b'"type":"connected"' in one.payload]
    assert len(connected) == 2
    assert sorted(path.name[:6] for path in tmp_path.iterdir()) == ["000001", "000002"]


def test_an_events_time_on_the_tape_is_its_own(tmp_path: Path) -> None:
    async def story(stage: Stage) -> list[FeedEvent]:
        async with stage.client(tape=TapeOptions(folder=str(tmp_path))) as client:
            await client.subscribe_ticker("KRW-BTC", lambda _event: None)
            await stage.after(5)
        return stage.feed

    feed = play(story)
    [connected] = [event for event in feed if isinstance(event, Connected)]
    kept = [one.payload for one in records(tmp_path, Kind.FEED) if b'"type":"connected"' in one.payload]
    assert [msgspec.json.decode(one, type=Connected) for one in kept] == [connected]
