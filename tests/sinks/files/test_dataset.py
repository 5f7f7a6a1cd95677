"""A folder of Parquet files: few of them, in large pieces, whatever comes in which order, in bounded memory."""

from __future__ import annotations

import os
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from tapewire.model.events import OrderbookEvent, OrderbookUnit, TradeEvent
from tapewire.sinks.files import dataset
from tapewire.sinks.files.columns import events_of
from tapewire.sinks.files.dataset import Dataset
from tapewire.tape.disk import sync_file_system

HOUR = 3_600_000


def trade(number: int, symbol: str = "KRW-BTC", stamp: int | None = 0) -> TradeEvent:
    return TradeEvent(
        venue="upbit",
        symbol=symbol,
        sequential_id=number,
        trade_price=1.5,
        timestamp=None if stamp is None else stamp + number,
        received_ns=number,
    )


def book(number: int) -> OrderbookEvent:
    units = [OrderbookUnit(ask_price=2.0, bid_price=1.0, ask_size=float(n), bid_size=float(number)) for n in range(30)]
    return OrderbookEvent(venue="upbit", symbol="KRW-BTC", orderbook_units=units, timestamp=number, received_ns=number)


def ids(path: Path) -> list[int]:
    return [event.sequential_id for event in events_of(pq.read_table(path))]


def test_each_market_has_one_file_an_hour_however_its_events_come(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(dataset, "PENDING", 7)
    symbols = [f"KRW-{letter}" for letter in "ABCDE"]
    made = Dataset(tmp_path, "abc")
    for number in range(100):
        made.write([trade(number, symbol, hour * HOUR) for symbol in symbols for hour in (0, 1)])
    made.close()
    assert (made.events, len(made.files)) == (1000, 10)
    assert {path.name for path in made.files} == {"00-abc.parquet", "01-abc.parquet"}
    for path in made.files:
        assert ids(path) == list(range(100))
        assert pq.ParquetFile(path).num_row_groups == 1


def test_full_row_groups_are_written_at_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(dataset, "PENDING", 10)
    monkeypatch.setattr(dataset, "ROWS", 30)
    made = Dataset(tmp_path, "abc")
    for begin in range(0, 100, 10):
        made.write([trade(number) for number in range(begin, begin + 10)])
    assert made.events == 90
    made.close()
    [path] = made.files
    assert (ids(path), pq.ParquetFile(path).num_row_groups) == (list(range(100)), 4)


def test_beyond_its_bytes_the_largest_are_written_first(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(dataset, "PENDING", 20)
    monkeypatch.setattr(dataset, "HELD_BYTES", 20_000)
    made = Dataset(tmp_path, "abc")
    made.write([*(trade(number) for number in range(10)), *(book(number) for number in range(30))])
    assert made.events == 30, "the books"
    made.close()
    assert sorted(pq.ParquetFile(path).metadata.num_rows for path in made.files) == [10, 30]


def test_without_a_time_stamp_the_time_of_receipt_counts(tmp_path: Path) -> None:
    made = Dataset(tmp_path, "abc", zone="KST")
    made.write([trade(1, stamp=None)])
    made.close()
    assert [str(path.relative_to(tmp_path)) for path in made.files] == [
        "upbit/trade/KRW-BTC/date=1970-01-01/09-abc.parquet"
    ]


def test_what_was_given_up_leaves_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(dataset, "PENDING", 10)
    monkeypatch.setattr(dataset, "ROWS", 10)
    made = Dataset(tmp_path, "abc")
    made.write([trade(number) for number in range(15)])
    made.write([trade(number) for number in range(5)])
    made.give_up()
    assert [path for path in tmp_path.rglob("*") if path.is_file()] == []


@pytest.mark.parametrize("at_once", [3, 7, 1000])
def test_each_place_has_its_events_in_their_order_however_many_become_columns_together(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, at_once: int
) -> None:
    monkeypatch.setattr(dataset, "AT_ONCE", at_once)
    monkeypatch.setattr(dataset, "PENDING", 20)
    made = Dataset(tmp_path, "abc")
    for number in range(0, 60, 6):
        some = range(number, number + 6)
        made.write([event for n in some for event in (trade(n), book(n), trade(n, "KRW-ETH", HOUR * (n % 2)))])
    made.close()
    assert made.events == 180
    found = {str(path.relative_to(tmp_path / "upbit")): events_of(pq.read_table(path)) for path in made.files}
    assert found == {
        "trade/KRW-BTC/date=1970-01-01/00-abc.parquet": [trade(n) for n in range(60)],
        "orderbook/KRW-BTC/date=1970-01-01/00-abc.parquet": [book(n) for n in range(60)],
        "trade/KRW-ETH/date=1970-01-01/00-abc.parquet": [trade(n, "KRW-ETH") for n in range(0, 60, 2)],
        "trade/KRW-ETH/date=1970-01-01/01-abc.parquet": [trade(n, "KRW-ETH", HOUR) for n in range(1, 60, 2)],
    }


def test_memory_does_not_grow_with_what_is_written(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Quiet places, whose rows stay long, do not keep what was written of busy ones."""
    monkeypatch.setattr(dataset, "AT_ONCE", 100)
    monkeypatch.setattr(dataset, "PENDING", 500)
    monkeypatch.setattr(dataset, "HELD_BYTES", 2_000_000)
    monkeypatch.setattr(dataset, "ROWS", 2_000)
    made, begin, peaks = Dataset(tmp_path, "abc"), pa.total_allocated_bytes(), [0, 0]
    for number in range(160):
        quiet = [trade(number, f"KRW-Q{number % 10}")]
        made.write([*quiet, *(book(n) for n in range(50)), *(trade(n) for n in range(50))])
        half = number // 80
        peaks[half] = max(peaks[half], pa.total_allocated_bytes() - begin)
    made.close()
    assert made.events == 160 * 101
    assert 2_000_000 < peaks[1] < 8_000_000
    assert peaks[1] < peaks[0] * 1.1


@pytest.mark.parametrize("can", [True, False])
def test_many_files_are_on_the_disk_before_any_has_its_name(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, *, can: bool
) -> None:
    """By one commit of the file system where there is such a thing, else each by its own."""
    seen: list[tuple[str, int]] = []
    real = sync_file_system, os.fsync

    def system(handle: int | None) -> bool:
        seen.append(("system", len(list(tmp_path.rglob("*.parquet")))))
        return can and real[0](handle)

    def each(handle: int) -> None:
        seen.append(("each", len(list(tmp_path.rglob("*.parquet")))))
        real[1](handle)

    monkeypatch.setattr(dataset, "sync_file_system", system)
    monkeypatch.setattr(os, "fsync", each)
    made = Dataset(tmp_path, "abc")
    made.write([trade(number, f"KRW-Q{number}") for number in range(20)])
    made.close()
    assert len(made.files) == len(list(tmp_path.rglob("*.parquet"))) == 20
    assert list(tmp_path.rglob("*.part")) == []
    alone = [("system", 0), *[("each", 0)] * 20, ("system", 20), *[("each", 20)] * 20]
    assert seen == ([("system", 0), ("system", 20)] if can else alone)
