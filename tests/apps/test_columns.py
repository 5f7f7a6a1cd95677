"""``convert`` and ``query``: recordings and tapes become columns, exactly once, and can be asked."""

from __future__ import annotations

import csv
import json
from pathlib import Path

import pytest

from tapewire import read_parquet
from tapewire.client.converting import LineReader, convert, sources_of
from tapewire.errors import ConfigError, SubscriptionError
from tapewire.model.events import Event
from tapewire.testing.background import BackgroundSimulator
from tests.apps.test_commands import lines, tapewire


@pytest.fixture
def place(exchange: BackgroundSimulator, tmp_path: Path) -> Path:
    """A recording in ``files``, its tape in ``ticks``."""
    result = tapewire("record", "KRW-BTC,KRW-ETH", "--url", exchange.url, "--types", "ticker,trade,orderbook.5",
                      "--seconds", "1", "--tape", "ticks", "--out", "files")  # fmt: skip
    assert result.exit_code == 0, result.output
    return tmp_path


def recorded(folder: Path, kind: str) -> list[Event]:
    reader = LineReader("upbit")
    paths = sorted(folder.glob(f"*_{kind}.jsonl"))
    return [event for path in paths for line in path.read_bytes().splitlines() for event in reader.read(line)]


def by_time(events: list[Event]) -> list[Event]:
    return sorted(events, key=lambda event: (event.timestamp or 0, event.symbol, repr(event)))


def test_a_recording_as_columns_is_what_was_recorded(place: Path) -> None:
    result = tapewire("convert", "files", "columns")
    assert result.exit_code == 0, result.output
    for kind in ("ticker", "trade", "orderbook"):
        live = recorded(place / "files", kind)
        assert by_time(read_parquet(place / "columns", kind, form="events")) == by_time(live) != []
    again = tapewire("convert", "files", "columns")
    assert again.output.startswith("0 events in 0 files")
    assert "6 sources were there already" in again.output


def test_a_tape_as_columns_has_the_times_of_receipt(place: Path) -> None:
    assert tapewire("convert", "ticks", "columns").exit_code == 0
    trades = read_parquet(place / "columns", "trade", form="events")
    live = recorded(place / "files", "trade")
    assert len(trades) >= len(live) > 0
    assert all(trade.received_ns > 0 for trade in trades)


def test_a_tapes_progress_is_told_block_by_block(place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tapewire.client.converting._BATCH", 20)
    told: list[int] = []
    [source] = sources_of(place / "ticks")
    convert(place / "ticks", place / "columns", progress=lambda _source, done: told.append(done))
    assert told == sorted(told)
    assert len({done for done in told if 0 < done < source.size}) >= 3
    assert told[-1] == source.size


def test_a_run_that_was_cut_off_goes_on_and_what_grew_is_converted_anew(place: Path) -> None:
    tapewire("convert", "files", "columns")
    torn = next((place / "columns").rglob("*.parquet")).with_suffix(".part")
    torn.write_bytes(b"half a file")
    path = place / "files" / "KRW-BTC_trade.jsonl"
    path.write_bytes(path.read_bytes() * 2)
    again = tapewire("convert", "files", "columns")
    assert "5 sources were there already" in again.output
    trades = read_parquet(place / "columns", "trade", "KRW-BTC", form="events")
    assert len(trades) == len(lines(path)), "its file was written over, not added to"


def test_lines_that_cannot_be_read_are_counted_and_fail_the_command(place: Path) -> None:
    path = place / "files" / "KRW-BTC_trade.jsonl"
    path.write_bytes(path.read_bytes() + b"{}\nno JSON\n")
    result = tapewire("convert", "files", "columns")
    assert (result.exit_code, "2 lines could not be read" in result.output) == (1, True)


def test_columns_as_lines_are_our_events(place: Path) -> None:
    tapewire("convert", "files", "columns", "--numbers", "decimal", "--zone", "KST")
    result = tapewire("convert", "columns", "back")
    assert result.exit_code == 0, result.output
    reader = LineReader("upbit")
    back = [
        event
        for line in (place / "back" / "KRW-ETH_trade.jsonl").read_bytes().splitlines()
        for event in reader.read(line)
    ]
    assert by_time(back) == by_time([e for e in recorded(place / "files", "trade") if e.symbol == "KRW-ETH"])


def test_lines_made_twice_are_there_once_and_what_was_interrupted_begins_anew(place: Path) -> None:
    tapewire("convert", "files", "columns")
    (place / "back" / "unfinished").mkdir(parents=True)
    (place / "back" / "unfinished" / "KRW-BTC_trade.jsonl").write_bytes(b'{"half":')
    assert tapewire("convert", "columns", "back").exit_code == 0
    made = {path.name: path.read_bytes() for path in (place / "back").glob("*.jsonl")}
    assert {name: text.count(b"\n") for name, text in made.items()} == {
        path.name: path.read_bytes().count(b"\n") for path in (place / "files").glob("KRW*.jsonl")
    }
    again = tapewire("convert", "columns", "back")
    assert again.output.startswith("0 events in 0 files")
    grown = place / "files" / "KRW-ETH_trade.jsonl"
    grown.write_bytes(grown.read_bytes() * 2)
    tapewire("convert", "files", "columns")
    third = tapewire("convert", "columns", "back")
    assert "5 sources were there already" in third.output
    made["KRW-ETH_trade.jsonl"] *= 2
    found = {path.name: path.read_bytes() for path in (place / "back").glob("*.jsonl")}
    assert found.keys() == made.keys()
    assert {name: sorted(text.splitlines()) for name, text in found.items()} == {
        name: sorted(text.splitlines()) for name, text in made.items()
    }
    assert not (place / "back" / "unfinished").exists()


def test_lines_of_something_else_are_not_touched(place: Path) -> None:
    tapewire("convert", "files", "columns")
    before = (place / "files" / "KRW-BTC_trade.jsonl").read_bytes()
    result = tapewire("convert", "columns", "files")
    assert result.exit_code == 2
    assert "_ticker.jsonl of something else" in result.output
    assert (place / "files" / "KRW-BTC_trade.jsonl").read_bytes() == before


def test_a_parquet_recording_becomes_lines_in_the_order_of_its_files(
    exchange: BackgroundSimulator, place: Path
) -> None:
    result = tapewire("record", "KRW-BTC", "--url", exchange.url, "--types", "trade", "--files", "parquet",
                      "--rotate-count", "1", "--seconds", "2", "--out", "short")  # fmt: skip
    assert result.exit_code == 0, result.output
    tapewire("convert", "short")
    made = list((place / "short").glob("*_trade*.parquet"))
    assert len(made) > 1
    assert tapewire("convert", "short", "back").exit_code == 0
    times = [line["received_ns"] for line in lines(place / "back" / "KRW-BTC_trade.jsonl")]
    assert times == sorted(times)
    assert len(times) == len(made)
    (place / "short" / "KRW-BTC_trade-9999.segment").write_bytes(b"{}\n")
    result = tapewire("convert", "short", "another")
    assert (result.exit_code, "1 file not Parquet yet, and left out" in result.output) == (1, True)


def test_a_damaged_file_is_named_and_no_traceback(place: Path) -> None:
    tapewire("convert", "files", "columns")
    for path in (place / "columns").glob("upbit/trade/KRW-BTC/*/*.parquet"):
        path.write_bytes(b"PAR1 no more")
    for arguments in (("convert", "columns", "back"), ("query", "FROM trade", "columns")):
        result = tapewire(*arguments)
        assert result.exit_code != 0
        assert "Parquet" in result.output
        assert "Traceback" not in result.output
        assert isinstance(result.exception, SystemExit)
    with pytest.raises(ConfigError, match="whole Parquet files"):
        read_parquet(place / "columns", "trade")


def test_sql_where_there_is_no_parquet_yet_says_what_makes_some(place: Path) -> None:
    def told(folder: str) -> str:
        result = tapewire("query", "SELECT 1", folder)
        assert result.exit_code == 2
        return result.output

    (place / "begun").mkdir()
    (place / "begun" / "KRW-BTC_trade.segment").write_bytes(b"")
    (place / "empty").mkdir()
    assert "there are lines of JSON; `tapewire convert files columns`" in told("files")
    assert "there is a tape; `tapewire convert ticks columns`" in told("ticks")
    assert "no file of this recording is over yet" in told("begun")
    assert "`tapewire convert begun` makes them so" in told("begun")
    assert told("empty").rstrip().endswith("a folder of Parquet files (see `tapewire convert`)")
    with pytest.raises(ConfigError, match="no file of this recording is over yet"):
        read_parquet(place / "begun", "trade")


def test_sql_over_columns(place: Path) -> None:
    tapewire("convert", "files", "columns")
    trades = recorded(place / "files", "trade")
    ask = "SELECT symbol, count(*) AS n, sum(trade_volume) AS volume FROM trade GROUP BY symbol ORDER BY symbol"
    told = [json.loads(line) for line in tapewire("query", ask, "columns", "--json").stdout.splitlines()]
    assert [(one["symbol"], one["n"]) for one in told] == [
        (symbol, sum(trade.symbol == symbol for trade in trades)) for symbol in ("KRW-BTC", "KRW-ETH")
    ]  # fmt: skip
    table = list(csv.reader(tapewire("query", ask, "columns", "--csv").stdout.splitlines()))
    assert table[0] == ["symbol", "n", "volume"]
    assert [row[0] for row in table[1:]] == ["KRW-BTC", "KRW-ETH"]
    assert "KRW-ETH" in tapewire("query", ask, "columns").output
    book = tapewire("query", "SELECT orderbook_units[1].ask_price AS p FROM orderbook LIMIT 1", "columns", "--json")
    assert json.loads(book.stdout)["p"] > 0


@pytest.mark.parametrize(
    ("sql", "words"),
    [("SELEC 1", "a query that DuckDB understands"), ("FROM read_csv('/etc/passwd')", "Permission Error")],
)
def test_what_cannot_be_asked_is_said(place: Path, sql: str, words: str) -> None:
    tapewire("convert", "files", "columns")
    result = tapewire("query", sql, "columns")
    assert result.exit_code == 2
    assert words in result.output


def test_reading_names_what_is_wrong(place: Path) -> None:
    tapewire("convert", "files", "columns")
    with pytest.raises(SubscriptionError, match="kind is 'trades'"):
        read_parquet("columns", "trades")
    with pytest.raises(ConfigError, match="Parquet files of candle"):
        read_parquet("columns", "candle")
    with pytest.raises(ConfigError, match="form is 'excel'"):
        read_parquet("columns", "trade", form="excel")  # type: ignore[arg-type]
    some = read_parquet("columns", "trade", ["KRW-BTC"], venue="upbit", columns=["trade_price"])
    assert (some.column_names, some.num_rows > 0) == (["trade_price"], True)
    first = next(iter(recorded(place / "files", "trade"))).timestamp or 0
    assert read_parquet("columns", "trade", since_ms=first + 10_000_000).num_rows == 0
    assert read_parquet("columns", "trade", since_ms=first - 10_000_000, until_ms=first + 10_000_000).num_rows > 0
    assert tapewire("convert", str(place / "columns" / "upbit" / "trade"), "x").exit_code == 2
