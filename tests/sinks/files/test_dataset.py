"""A folder of Parquet files: few of them, in large pieces, whatever comes in which order, in bounded memory."""

from __future__ import annotations

from pathlib import Path

import pyarrow.parquet as pq
import pytest

from tapewire.model.events import OrderbookEvent, OrderbookUnit, TradeEvent
from tapewire.sinks.files import dataset
from tapewire.sinks.files.columns import events_of
from tapewire.sinks.files.dataset import Dataset

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
