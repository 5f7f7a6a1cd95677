"""A tape that is played again gives what was delivered live: the same events, losses and recoveries, at any speed."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from msgspec.structs import replace

from tapewire import Event, TapeOptions, TradeEvent, WebSocketClient
from tapewire.client.replaying import Replay, Replayed, replay
from tapewire.errors import ConfigError, TapeError
from tapewire.model.status import Connected, Disconnected, FeedEvent, Gap
from tapewire.tape.format import Record, runs_of
from tapewire.tape.reader import header_of, read_tape
from tapewire.tape.writer import TapeWriter
from tests.client.stage import Stage, play

ALONE = {"upbit": "KRW-BTC", "upbit-sg": "SGD-BTC"}
MARKETS = ("KRW-BTC", "KRW-ETH")
KINDS = ("ticker", "trade", "orderbook")


def recorded(
    folder: Path, *, seconds: float = 60, faults: tuple[str, ...] = (), **scenario: Any
) -> tuple[list[Event], list[FeedEvent]]:
    """Keep a tape of a feed; what it delivered and told."""
    heard: list[Event] = []

    async def story(stage: Stage) -> list[FeedEvent]:
        async with stage.client(
            recover=True, venue=scenario.get("venue", "upbit"), tape=TapeOptions(folder=str(folder))
        ) as client:
            for kind in KINDS:
                await getattr(client, f"subscribe_{kind}")(scenario.get("markets", MARKETS), heard.append)
            await stage.after(seconds)
        return stage.feed

    return heard, play(story, faults=faults, rate=5.0, **scenario)


def heard_from(folder: Path, **how: Any) -> tuple[list[Event], list[FeedEvent]]:
    """The same program on the tape."""
    heard: list[Event] = []
    feed: list[FeedEvent] = []

    async def program(_replay: Replay) -> None:
        async with WebSocketClient("again") as client:
            client.subscribe_feed(feed.append)
            for kind in KINDS:
                await getattr(client, f"subscribe_{kind}")(MARKETS, heard.append)
            async for _ in client.trades(MARKETS[0]):  # ends with the tape
                pass

    replay(folder, program, **how)
    return heard, feed


def test_events_are_those_that_were_delivered_live(tmp_path: Path) -> None:
    live, _ = recorded(tmp_path)
    again, _ = heard_from(tmp_path)
    assert len(live) > 100
    assert again == live


def alike(events: list[Event]) -> list[Event]:
    """What REST told was received when it was asked, and that is at another moment now."""
    return [replace(event, received_ns=0) if event.recovered else event for event in events]


@pytest.mark.parametrize(
    ("fault", "recovers"), [("drop@20", False), ("abort@20x3", False), ("freeze@20", True), ("refuse:503@20x3", True)]
)
def test_losses_and_what_was_recovered_are_played_too(tmp_path: Path, fault: str, *, recovers: bool) -> None:
    live, told = recorded(tmp_path, faults=(fault, "drop@20"), seconds=120)
    again, retold = heard_from(tmp_path)
    assert alike(again) == alike(live)
    assert any(event.recovered for event in live) == recovers
    for kind in (Connected, Disconnected, Gap):
        live_ones, again_ones = ([event for event in feed if isinstance(event, kind)] for feed in (told, retold))
        assert len(again_ones) == len(live_ones), kind
    losses = [[event.loss.cause for event in feed if isinstance(event, Disconnected)] for feed in (told, retold)]
    assert losses[0] == losses[1]


def test_the_same_tape_gives_the_same_at_every_speed(tmp_path: Path) -> None:
    recorded(tmp_path, faults=("drop@20",))
    first, second = heard_from(tmp_path), heard_from(tmp_path)
    assert first == second
    paced, _ = heard_from(tmp_path, speed=40)
    assert alike(paced) == alike(first[0])


def test_a_part_of_a_tape_begins_with_the_connections_that_were_open(tmp_path: Path) -> None:
    live, _ = recorded(tmp_path, faults=("drop@20",))
    since, until = live[len(live) // 2].received_ns, live[-20].received_ns
    again, feed = heard_from(tmp_path, since_ns=since, until_ns=until)
    assert again == [event for event in live if since <= event.received_ns < until]
    assert len([event for event in feed if isinstance(event, Connected)]) == 1


def test_several_tapes_are_merged_by_time(tmp_path: Path) -> None:
    live = {
        venue: recorded(tmp_path / venue, venue=venue, markets=(symbol,))[0] for venue, symbol in ALONE.items()
    }  # fmt: skip
    heard: list[Event] = []

    async def program(again: Replay) -> None:
        assert again.venues == tuple(ALONE)
        async with WebSocketClient("kr") as korea, WebSocketClient("sg", "upbit-sg") as singapore:
            for client, symbol in ((korea, "KRW-BTC"), (singapore, "SGD-BTC")):
                for kind in KINDS:
                    await getattr(client, f"subscribe_{kind}")(symbol, heard.append)
            async for _ in korea.trades("KRW-BTC"):
                pass

    replay([tmp_path / venue for venue in ALONE], program)
    for venue in ALONE:
        assert [event for event in heard if event.venue == venue] == live[venue]
    times = [event.received_ns for event in heard]
    assert times == sorted(times)


def test_a_damage_is_told_and_the_rest_is_played(tmp_path: Path) -> None:
    live, _ = recorded(tmp_path / "whole")
    header = header_of(tmp_path / "whole")
    writer = TapeWriter(TapeOptions(folder=str(tmp_path / "hurt")), header, lambda: header.created_ns)
    writer.open()
    records = [one for one in read_tape(tmp_path / "whole") if isinstance(one, Record)]
    for begin in range(0, len(records), 20):
        writer.write(runs_of(records[begin : begin + 20]))
    writer.close()
    [path] = (tmp_path / "hurt").iterdir()
    data = bytearray(path.read_bytes())
    data[len(data) * 2 // 3] ^= 1
    path.write_bytes(data)

    async def program(again: Replay) -> tuple[Replayed, list[Event]]:
        heard: list[Event] = []
        async with WebSocketClient("again") as client:
            for kind in KINDS:
                await getattr(client, f"subscribe_{kind}")(MARKETS, heard.append)
            async for _ in client.trades(MARKETS[0]):
                pass
        return again.played, heard

    played, heard = replay(tmp_path / "hurt", program)
    assert [damage.reason for damage in played.damages] == ["a block is not as it was written"]
    assert 0 < len(heard) < len(live)
    assert all(event in live for event in heard)


def test_a_program_that_wants_less_hears_less_and_may_end_early(tmp_path: Path) -> None:
    live, _ = recorded(tmp_path)

    async def program(again: Replay) -> list[TradeEvent]:
        async with WebSocketClient("less") as client:
            found: list[TradeEvent] = []
            async for trade in client.trades("KRW-ETH"):
                found.append(trade)
                if len(found) == 3:
                    return found
        return found

    trades = [event for event in live if isinstance(event, TradeEvent) and event.symbol == "KRW-ETH"]
    assert replay(tmp_path, program) == trades[:3]


def test_wrong_use_is_an_error(tmp_path: Path) -> None:
    async def program(_replay: Replay) -> None:
        raise AssertionError("nothing can be played")

    with pytest.raises(TapeError):
        replay(tmp_path / "nowhere", program)
    with pytest.raises(ConfigError, match="speed"):
        replay(tmp_path, program, speed=0)
    recorded(tmp_path, seconds=5)
    with pytest.raises(TapeError, match="nothing is on the tape in that time"):
        replay(tmp_path, program, until_ns=5)
