"""Recorded, replayed, recorded again: the tape is the same byte for byte, the events are the same one by one."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
from msgspec.structs import replace

from tapewire import Event, Subscription, TapeOptions, WebSocketClient
from tapewire.client.replaying import Replay, recorded_streams, replay
from tapewire.errors import ConfigError, TapeError
from tapewire.model.status import Gap
from tapewire.sinks.registry import get_sink
from tapewire.tape.format import Kind, Record
from tapewire.tape.reader import read_tape
from tests.client.stage import Stage, play
from tests.client.test_replay import recorded

UPBIT = [
    *(Subscription(kind, symbol) for kind in ("ticker", "trade") for symbol in ("KRW-BTC", "KRW-ETH")),
    Subscription("orderbook", "KRW-BTC", depth=5),
    Subscription("orderbook", "KRW-BTC", depth=15),  # which needs a connection of its own
    Subscription("candle", "KRW-BTC", unit="1s"),
]
OKX = [
    *(Subscription(kind, symbol) for kind in ("ticker", "trade", "orderbook") for symbol in ("BTC-USDT", "ETH-USDT")),
    Subscription("candle", "BTC-USDT", unit="1m"),  # on another path
]
FAULTS = ("drop@20", "abort@45x2", "refuse:503@45x1", "duplicate%0.02", "late:1%0.02")


def record(folder: Path, venue: str, streams: Sequence[Subscription], **options: Any) -> tuple[list[Event], list[Gap]]:
    """Two minutes with losses; what was delivered, and the gaps that were told."""
    heard: list[Event] = []
    markets = tuple(dict.fromkeys(stream.symbol for stream in streams))

    async def story(stage: Stage) -> list[Gap]:
        tape = TapeOptions(folder=str(folder), write_every=0.01)
        async with stage.client(recover=True, venue=venue, tape=tape, **options) as client:
            await client.subscribe(streams, heard.append)
            await stage.after(120)
        return stage.told(Gap)

    return heard, play(story, venue=venue, faults=FAULTS, rate=8.0, markets=markets, speed=1.0)


def again(folder: Path, copy: Path | None, **options: Any) -> list[Event]:
    """The same program on a tape, which is copied meanwhile."""
    heard: list[Event] = []
    venue, streams = recorded_streams(folder)

    async def program(played: Replay) -> None:
        async with WebSocketClient("again", venue, **options) as client:
            await client.subscribe(streams, heard.append)
            await played.ended()

    replay(folder, program, tape=copy)
    return heard


def as_lines(folder: Path, events: Sequence[Event]) -> dict[str, bytes]:
    """What a recorder of events makes of them."""
    sink = get_sink("jsonl")(folder, form="event")
    sink.open()
    sink.write([replace(event, received_ns=0) if event.recovered else event for event in events])
    sink.close()
    return files(folder)


def files(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.iterdir()}


@pytest.mark.parametrize("redundancy", [1, 2])
@pytest.mark.parametrize(("venue", "streams"), [("upbit", UPBIT), ("okx", OKX)])
def test_a_tape_played_onto_another_is_the_same_byte_for_byte(
    venue: str, streams: list[Subscription], redundancy: int, tmp_path: Path
) -> None:
    live, gaps = record(tmp_path / "first", venue, streams, redundancy=redundancy)
    played = again(tmp_path / "first", tmp_path / "second", redundancy=redundancy)
    assert files(tmp_path / "second") == files(tmp_path / "first")
    assert again(tmp_path / "second", None, redundancy=redundancy) == played
    assert as_lines(tmp_path / "played", played) == as_lines(tmp_path / "live", live)
    told = [one for one in read_tape(tmp_path / "first") if isinstance(one, Record)]
    connections = {one.connection for one in told if one.kind == Kind.OPENED}
    assert len(connections) > 2 * redundancy
    assert {one.kind for one in told} >= {
        Kind.SENT_TEXT,
        Kind.DIALLED,
        Kind.OPENED,
        Kind.LOST,
        Kind.ANSWERED,
        Kind.FEED,
    }
    if redundancy == 1:
        assert {gap.state for gap in gaps} >= {"filled", "full_state"}
        assert any(event.recovered for event in live)


def test_a_part_is_a_tape_of_its_own(tmp_path: Path) -> None:
    live, _ = recorded(tmp_path / "whole", faults=("drop@20",))
    since, until = live[len(live) // 2].received_ns, live[-20].received_ns
    feeds: list[list[Event]] = []

    async def program(played: Replay) -> None:
        heard: list[Event] = []
        feeds.append(heard)
        async with WebSocketClient("part") as client:
            await client.subscribe(recorded_streams(tmp_path / "whole")[1], heard.append)
            await played.ended()

    replay(tmp_path / "whole", program, since_ns=since, until_ns=until, tape=tmp_path / "part")
    replay(tmp_path / "part", program)
    assert feeds[0] == feeds[1] == [event for event in live if since <= event.received_ns < until]


def test_a_copy_needs_a_folder_of_its_own_and_one_tape(tmp_path: Path) -> None:
    recorded(tmp_path, seconds=5)

    async def program(_played: Replay) -> None:
        raise AssertionError("nothing is played")

    with pytest.raises(TapeError, match="a tape is here already"):
        replay(tmp_path, program, tape=tmp_path)
    with pytest.raises(ConfigError, match="several tapes do not make one"):
        replay([tmp_path, tmp_path], program, tape=tmp_path / "copy")
