"""What is converted has the values that a feed delivered, and all of them."""

from __future__ import annotations

from pathlib import Path

import pytest

from tapewire import Event, TapeOptions, read_parquet
from tapewire.client.converting import LineReader, convert
from tapewire.venues.registry import get_venue
from tests.client.stage import Stage, play


def by_time(events: list[Event]) -> list[Event]:
    return sorted(events, key=lambda event: (event.received_ns, event.symbol, repr(event)))


@pytest.mark.parametrize("validate", [True, False])
def test_a_tape_without_a_list_of_markets_is_converted_from_its_first_message_on(
    tmp_path: Path, *, validate: bool
) -> None:
    """The list is not on a tape that was recorded without: to wait for it cost the tape's first ten seconds."""
    heard: list[Event] = []

    async def story(stage: Stage) -> None:
        async with stage.client(validate=validate, tape=TapeOptions(folder=str(tmp_path / "tape"))) as client:
            for kind in ("ticker", "trade", "orderbook"):
                await getattr(client, f"subscribe_{kind}")(["KRW-BTC", "KRW-ETH"], heard.append)
            await stage.after(20)

    play(story)
    done = convert(tmp_path / "tape", tmp_path / "columns")
    found = [
        event
        for kind in ("ticker", "trade", "orderbook")
        for event in read_parquet(tmp_path / "columns", kind, form="events")
    ]
    assert by_time(found) == by_time(heard) != []
    assert done.events == len(heard)


def test_a_line_is_read_as_a_feed_reads_its_frame() -> None:
    """The short road of a feed gives what the careful one gives, for whatever the exchange sent."""
    codec = get_venue("upbit").codec("DEFAULT", "float", False)
    reader = LineReader("upbit")
    frames = [
        line.strip()
        for path in sorted((Path(__file__).parents[1] / "data" / "upbit").rglob("*.jsonl"))
        for line in path.read_bytes().splitlines()
    ]
    whole = [(frame, codec.read(frame).events) for frame in frames if codec.read(frame).events]
    assert len(whole) > 50
    for frame, events in whole:
        assert reader.read(frame) == list(events)
        assert [type(one) for one in reader.read(frame)] == [type(one) for one in events]
