"""What is converted has the values that a feed delivered, and all of them."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pyarrow.parquet as pq
import pytest
from msgspec import structs

from tapewire import Event, TapeOptions, read_parquet
from tapewire.client.converted import Ledger, Source
from tapewire.client.converting import LineReader, convert, sources_of
from tapewire.errors import ConfigError
from tapewire.sinks.files.columns import events_of
from tapewire.tape.files import file_name
from tapewire.tape.format import Record, encode_block, encode_header, runs_of
from tapewire.tape.reader import header_of, read_tape
from tapewire.venues.registry import get_venue
from tests.client.stage import Stage, play
from tests.client.test_replay import alike


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


FILES = 6
KINDS = ("ticker", "trade", "orderbook")


class Stopped(Exception):
    pass


def tape_of_files(folder: Path, heard: list[Event]) -> Path:
    """A tape with a lost line and what REST recovered of it, cut into several files, each of several blocks."""

    async def story(stage: Stage) -> None:
        options = TapeOptions(folder=str(folder / "whole"))
        async with stage.client(recover=True, tape=options) as client:
            for kind in KINDS:
                await getattr(client, f"subscribe_{kind}")(["KRW-BTC", "KRW-ETH"], heard.append)
            await stage.after(60)

    play(story, faults=("refuse:503@20x3", "drop@20"), rate=5.0)
    records = [one for one in read_tape(folder / "whole") if isinstance(one, Record)]
    header, size = header_of(folder / "whole"), len(records) // FILES + 1
    target = folder / "tape"
    target.mkdir()
    for number, begin in enumerate(range(0, len(records), size), 1):
        part = records[begin : begin + size]
        blocks = [encode_block(runs_of(part[at : at + 50]), compress=True) for at in range(0, len(part), 50)]
        path = target / file_name(number, header.created_ns)
        path.write_bytes(encode_header(structs.replace(header, number=number)) + b"".join(blocks))
    assert len(sources_of(target)) == FILES
    return target


def content(columns: Path) -> dict[str, list[Event]]:
    """Every file of a target, and its events."""
    found = sorted(columns.rglob("*.parquet"))
    return {str(path.relative_to(columns)): events_of(pq.read_table(path)) for path in found}


def stopping(after: int) -> Callable[[Source, int], None]:
    calls = iter(range(after))

    def progress(_source: Source, _bytes: int) -> None:
        if next(calls, None) is None:
            raise Stopped

    return progress


def test_a_conversion_that_was_stopped_goes_on_with_the_file_where_it_stopped(tmp_path: Path) -> None:
    heard: list[Event] = []
    tape = tape_of_files(tmp_path, heard)
    told: list[Path] = []
    whole = convert(tape, tmp_path / "whole-columns", progress=lambda source, _bytes: told.append(source.path))
    expected = content(tmp_path / "whole-columns")
    everything = [event for events in expected.values() for event in events]
    assert by_time(alike(everything)) == by_time(alike(heard)) != []
    assert any(event.recovered for event in everything)
    assert (whole.converted, whole.skipped, whole.events) == (FILES, 0, len(heard))
    assert list(dict.fromkeys(told)) == [source.path for source in sources_of(tape)], "one after the other"
    for stop in range(1, len(told), 3):
        columns = tmp_path / f"stopped-{stop}"
        with pytest.raises(Stopped):
            convert(tape, columns, progress=stopping(stop))
        done = convert(tape, columns)
        assert done.converted + done.skipped == FILES
        assert done.skipped == sum(told[:stop].count(path) == told.count(path) for path in set(told))
        assert content(columns) == expected


def test_of_a_tape_that_grew_only_the_new_files_are_converted(tmp_path: Path) -> None:
    tape = tape_of_files(tmp_path, [])
    convert(tape, tmp_path / "at-once")
    last = [source.path for source in sources_of(tape)][-2:]
    for path in last:
        path.rename(tmp_path / path.name)
    assert convert(tape, tmp_path / "columns").converted == FILES - 2
    for path in last:
        (tmp_path / path.name).rename(path)
    done = convert(tape, tmp_path / "columns")
    assert (done.converted, done.skipped) == (2, FILES - 2)
    assert content(tmp_path / "columns") == content(tmp_path / "at-once")
    assert convert(tape, tmp_path / "columns").skipped == FILES


def test_a_file_of_a_tape_that_gave_other_events_then_is_converted_anew(tmp_path: Path) -> None:
    tape = tape_of_files(tmp_path, [])
    convert(tape, tmp_path / "columns")
    expected = content(tmp_path / "columns")
    first, second, *_ = sources_of(tape)
    ledger = Ledger(tmp_path / "columns")
    ledger.add(first.key, "1 00000000")
    ledger.forget(second.key)
    done = convert(tape, tmp_path / "columns")
    assert done.converted == 2
    assert content(tmp_path / "columns") == expected


def test_a_target_of_an_older_version_is_not_doubled(tmp_path: Path) -> None:
    tape = tape_of_files(tmp_path, [])
    Ledger(tmp_path / "columns").add(Source(tape, 5, 5).key)
    with pytest.raises(ConfigError, match="no earlier version"):
        convert(tape, tmp_path / "columns")
