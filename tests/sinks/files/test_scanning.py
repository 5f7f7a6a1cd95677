"""Files read as one table: every row once, in the order of time, whatever the files' number, version and pieces."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tapewire import decode, read_parquet
from tapewire.errors import ConfigError
from tapewire.model.events import Event, OrderbookEvent, OrderbookUnit, TradeEvent
from tapewire.sinks.files import scanning
from tapewire.sinks.files.columns import events_of, schema_of, table_of
from tapewire.sinks.files.dataset import Dataset, WholeFile
from tapewire.sinks.files.scanning import Rows, read_files
from tests.sizes import NIGHTLY

DATA = Path(__file__).parents[2] / "data"
#: Made by ``Dataset`` on 2026-11-22, when levels could be null, with the first events of one market of this capture.
BEFORE = DATA / "columns-before-required"
CAPTURE = DATA / "upbit" / "all_simple_cryptofeed-2021-04-17.jsonl"


def book(number: int, stamp: int | None, *, levels: int = 3, symbol: str = "KRW-BTC") -> OrderbookEvent:
    units = [
        OrderbookUnit(ask_price=2.5 + n, bid_price=1.5, ask_size=float(n), bid_size=float(number))
        for n in range(levels)
    ]
    return OrderbookEvent(venue="upbit", symbol=symbol, orderbook_units=units, timestamp=stamp, received_ns=number)


def trade(number: int, stamp: int, venue: str = "upbit", symbol: str = "KRW-BTC") -> TradeEvent:
    return TradeEvent(venue=venue, symbol=symbol, sequential_id=number, trade_price=1.5, timestamp=stamp, ask_bid="BID")


def write(path: Path, events: list[Any], rows: int = 50_000) -> Path:
    """A file of these events, in row groups of so many."""
    kind = events[0].kind
    file = WholeFile(path, schema_of(kind))
    file.write(table_of(kind, events), rows)
    file.finish()
    file.give_name()
    return path


def by_time(events: list[Any]) -> list[Any]:
    return sorted(events, key=lambda event: (event.timestamp is None, event.timestamp or 0))


def captured(kind: str) -> list[Event]:
    events = [event for line in CAPTURE.read_bytes().splitlines() for event in decode("upbit", line, 7)]
    return [event for event in events if (event.kind, event.symbol) == (kind, "KRW-WAVES")]


@pytest.mark.parametrize("kind", ["trade", "orderbook"])
def test_files_of_an_earlier_version_are_read_alone_and_beside_new_ones(tmp_path: Path, kind: str) -> None:
    before = read_parquet(BEFORE, kind, form="events")
    events = captured(kind)
    assert before == events[: len(before)] != []
    both = tmp_path / "both"
    for path in BEFORE.rglob("*.parquet"):
        copy = both / path.relative_to(BEFORE)
        copy.parent.mkdir(parents=True)
        copy.write_bytes(path.read_bytes())
    made = Dataset(both, "anew")
    made.write(events)
    made.close()
    assert read_parquet(both, kind, form="events") == by_time([*events, *before])


def test_levels_are_there_and_only_whole_numbers_and_names_have_bounds(tmp_path: Path) -> None:
    """So a reader looks once at each level, and little is read before the numbers; the table is as it always was."""
    path = write(tmp_path / "x.parquet", [book(1, 5)])
    file = pq.ParquetFile(path)
    levels = [column for column in map(file.schema.column, range(len(file.schema))) if "." in column.path]
    assert [(one.path.rpartition(".")[2], one.max_definition_level) for one in levels] == [
        ("ask_price", 2), ("bid_price", 2), ("ask_size", 2), ("bid_size", 2),
    ]  # fmt: skip
    group = file.metadata.row_group(0)
    known = {c.path_in_schema for c in map(group.column, range(group.num_columns)) if c.statistics is not None}
    assert known == {"venue", "symbol", "timestamp", "received_ns"}
    number = pa.field("x", pa.float64())
    assert read_files([path]).schema.field("orderbook_units").type == pa.list_(
        pa.struct([number.with_name(name) for name in ("ask_price", "bid_price", "ask_size", "bid_size")])
    )


_STAMPS = st.lists(st.lists(st.none() | st.integers(0, 20), min_size=1, max_size=30), min_size=1, max_size=5)


@pytest.mark.timeout(60)
@settings(max_examples=300 if NIGHTLY else 25, deadline=None)
@given(stamps=_STAMPS, ascending=st.booleans(), rows=st.integers(1, 40), split=st.booleans())
def test_every_row_is_there_once_in_the_order_of_time(
    tmp_path_factory: pytest.TempPathFactory, *, stamps: list[list[int | None]], ascending: bool, rows: int, split: bool
) -> None:
    folder, numbers = tmp_path_factory.mktemp("files"), iter(range(1000))
    files = [[book(next(numbers), stamp, levels=(stamp or 0) % 4) for stamp in some] for some in stamps]
    if ascending:
        files = [by_time(events) for events in files]
    paths = [write(folder / f"{index}.parquet", events, rows) for index, events in enumerate(files)]
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(scanning, "SPLIT", 1 if split else 1_000_000)
        patch.setattr(scanning, "AT_ONCE", 7 if split else 16_000)
        table = read_files(paths)
    assert events_of(table) == by_time([event for events in files for event in events])


def test_a_span_or_a_venue_is_what_is_read(tmp_path: Path) -> None:
    """What is outside of a span is not even looked at: here it is damaged."""
    trades = [trade(number, number, venue="upbit" if number % 2 else "okx") for number in range(40)]
    path = write(tmp_path / "x.parquet", trades, rows=10)
    group = pq.read_metadata(path).row_group(3)
    content = bytearray(path.read_bytes())
    parts = [group.column(index) for index in range(group.num_columns)]
    begin, size = parts[0].dictionary_page_offset, sum(part.total_compressed_size for part in parts)
    content[begin : begin + size] = bytes(size)
    path.write_bytes(content)
    assert events_of(read_files([path], rows=Rows(since_ms=5, until_ms=30))) == trades[5:30]
    assert events_of(read_files([path], rows=Rows("okx", until_ms=22))) == trades[0:22:2]
    assert read_files([path], ["sequential_id"], Rows(until_ms=3)).to_pydict() == {"sequential_id": [0, 1, 2]}
    with pytest.raises((pa.ArrowException, OSError)):
        read_files([path])


def test_a_column_that_some_files_lack_is_null_there(tmp_path: Path) -> None:
    """A file of an earlier version has fewer columns, one of a later version has more."""
    whole = table_of("trade", [trade(1, 3), trade(2, 1)])
    pq.write_table(whole.drop_columns(["ask_bid", "source"]), tmp_path / "a.parquet")
    pq.write_table(whole.append_column("later", pa.array(["x", "y"])), tmp_path / "b.parquet")
    found = read_files([tmp_path / "a.parquet", tmp_path / "b.parquet"])
    assert found.select(["sequential_id", "ask_bid", "later"]).to_pydict() == {
        "sequential_id": [2, 2, 1, 1],
        "ask_bid": [None, "BID", None, "BID"],
        "later": [None, "y", None, "x"],
    }
    assert set(found.column_names) == {*whole.column_names, "later"}
    assert found.schema.field("later").type == pa.string()


def test_what_cannot_be_read_is_named(tmp_path: Path) -> None:
    made = Dataset(tmp_path, "abc")
    made.write([trade(number, number, symbol=symbol) for number in range(9) for symbol in ("KRW-BTC", "KRW-ETH")])
    made.close()
    with pytest.raises(ConfigError, match="columns is 'prices'"):
        read_parquet(tmp_path, "trade", columns=["prices"])
    damaged = made.files[1]
    damaged.write_bytes(damaged.read_bytes()[:-9])
    with pytest.raises(ConfigError, match=f"{damaged.parent.parent.name}.*{damaged.name}"):
        read_parquet(tmp_path, "trade")
    damaged.write_bytes(b"")
    with pytest.raises(ConfigError, match=f"{damaged.parent.parent.name}.*{damaged.name}"):
        read_parquet(tmp_path, "trade")
