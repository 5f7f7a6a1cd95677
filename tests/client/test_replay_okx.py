"""Tapes of OKX and OKEX v3: requests that are answered, deflated frames, and books that come as changes."""

from __future__ import annotations

from pathlib import Path

import pytest
from msgspec.structs import replace

from tapewire import Event, TapeOptions, WebSocketClient
from tapewire.client.replaying import Replay, replay
from tapewire.errors import ConfigError
from tapewire.model.book import DepthOrderbookEvent
from tapewire.model.status import Connected, Disconnected, FeedEvent, Gap, Rejected, Stale
from tapewire.model.subscription import Subscription
from tests.client.stage import Stage, play

MARKETS = ("BTC-USDT", "ETH-USDT")
STREAMS = [
    *(Subscription(kind, symbol) for kind in ("ticker", "trade", "orderbook") for symbol in MARKETS),
    Subscription("orderbook", MARKETS[0], depth=5),
    Subscription("candle", MARKETS[0], unit="1m"),
]
FAULTS = ("book-lost:ETH-USDT@5x1", "drop@20", "book-reset@30", "book-checksum:BTC-USDT@35x1", "freeze@40")


def recorded(folder: Path, venue: str, faults: tuple[str, ...] = ()) -> tuple[list[Event], list[FeedEvent]]:
    """Keep a tape of a feed; what it delivered and told."""
    heard: list[Event] = []

    async def story(stage: Stage) -> list[FeedEvent]:
        tape = TapeOptions(folder=str(folder))
        async with stage.client(venue=venue, recover=True, validate=False, tape=tape) as client:
            await client.subscribe(STREAMS, heard.append)
            await stage.after(75)
        return stage.feed

    return heard, play(story, venue=venue, faults=faults, rate=15.0, depth=30, markets=MARKETS)


def heard_from(folder: Path, venue: str) -> tuple[list[Event], list[FeedEvent]]:
    """The same program on the tape."""
    heard: list[Event] = []
    feed: list[FeedEvent] = []

    async def program(_replay: Replay) -> None:
        async with WebSocketClient("again", venue, validate=False) as client:
            client.subscribe_feed(feed.append)
            await client.subscribe(STREAMS, heard.append)
            async for _ in client.trades(MARKETS[0]):  # ends with the tape
                pass

    replay(folder, program)
    return heard, feed


def alike(events: list[Event]) -> list[Event]:
    """What REST told was received when it was asked, and that is at another moment now."""
    return [replace(event, received_ns=0) if event.recovered else event for event in events]


@pytest.mark.parametrize("venue", ["okx", "okex3"])
def test_events_are_those_that_were_delivered_live(tmp_path: Path, venue: str) -> None:
    live, _ = recorded(tmp_path, venue)
    again, _ = heard_from(tmp_path, venue)
    assert len([event for event in live if isinstance(event, DepthOrderbookEvent)]) > 100
    assert again == live


@pytest.mark.parametrize("venue", ["okx", "okex3"])
def test_losses_spoilt_books_and_what_was_recovered_are_played_too(tmp_path: Path, venue: str) -> None:
    live, told = recorded(tmp_path, venue, FAULTS)
    again, retold = heard_from(tmp_path, venue)
    assert alike(again) == alike(live)
    for kind in (Connected, Disconnected, Gap, Stale):
        live_ones, again_ones = ([event for event in feed if isinstance(event, kind)] for feed in (told, retold))
        assert len(again_ones) == len(live_ones), kind
        assert live_ones, kind


@pytest.mark.parametrize("venue", ["okx", "okex3"])
def test_a_part_of_a_tape_is_played_although_its_requests_were_answered_before(tmp_path: Path, venue: str) -> None:
    live, _ = recorded(tmp_path, venue)
    since = live[len(live) // 2].received_ns
    heard: list[Event] = []
    feed: list[FeedEvent] = []
    streams = [stream for stream in STREAMS if stream.kind in ("ticker", "trade")]

    async def program(_replay: Replay) -> None:
        async with WebSocketClient("again", venue, validate=False) as client:
            client.subscribe_feed(feed.append)
            await client.subscribe(streams, heard.append)
            async for _ in client.trades(MARKETS[0]):
                pass

    replay(tmp_path, program, since_ns=since)
    later = [event for event in live if event.received_ns >= since and event.kind in ("ticker", "trade")]
    assert [replace(event, stream_type=None) for event in heard] == [
        replace(event, stream_type=None) for event in later
    ]
    assert [event for event in feed if isinstance(event, Rejected)] == []


def test_a_program_without_an_address_of_a_retired_exchange_is_refused_but_in_a_replay() -> None:
    with pytest.raises(ConfigError, match="retired"):
        WebSocketClient("again", "okex3")
