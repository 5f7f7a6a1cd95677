"""Parquet recordings: lines become columns when their file is over, and nothing is lost or doubled meanwhile."""

from __future__ import annotations

import json
import random
import signal
import subprocess
import sys
import threading
from decimal import Decimal
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest
from msgspec.structs import replace

from tapewire.client.tables import files_of, kinds_of, read_parquet
from tapewire.errors import SinkError
from tapewire.model.events import CandleEvent, TradeEvent
from tapewire.sinks.contract import Item, Sink
from tapewire.sinks.files import finishing
from tapewire.sinks.files.dataset import WholeFile
from tapewire.sinks.files.finishing import Finished, Finisher, Stopped, finish_folder, to_parquet
from tapewire.sinks.files.options import RecordOptions
from tapewire.sinks.files.reading import is_misc, lines_of, recorded_lines
from tapewire.sinks.registry import get_sink
from tests.sinks.files.test_segments import START, lost, notices, trade
from tests.sizes import size

PARQUET = RecordOptions(files="parquet", fsync="none")


def sink_at(folder: Path, **options: Any) -> Sink:
    sink = get_sink("jsonl")(folder, options=replace(PARQUET, **options))
    sink.open()
    return sink


def finish(folder: Path, **options: Any) -> Finished:
    return finish_folder(folder, replace(PARQUET, **options), patience=30)


def names(folder: Path) -> list[str]:
    return sorted(str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file())


def ids(folder: Path) -> list[int]:
    """Of all trades in a folder, in columns or still in lines."""
    whole = read_parquet(folder, "trade").column("sequential_id").to_pylist() if kinds_of(folder) else []
    waiting = [
        json.loads(line)["sequential_id"]
        for one in recorded_lines(folder)
        if not is_misc(one)
        for line in lines_of(one.path)
    ]
    return sorted(whole + waiting)


def segment(folder: Path, *lines: bytes, name: str = "KRW-BTC_trade.segment") -> str:
    folder.mkdir(exist_ok=True)
    (folder / name).write_bytes(b"".join(line + b"\n" for line in lines))
    return name


def line(number: int, **more: object) -> bytes:
    return json.dumps({"type": "trade", "venue": "upbit", "symbol": "KRW-BTC", "sequential_id": number, **more},
                      separators=(",", ":")).encode()  # fmt: skip


@pytest.mark.parametrize("layout", ["flat", "dated"])
def test_a_recording_ends_as_columns_with_the_feeds_words_beside(tmp_path: Path, layout: str) -> None:
    sink = sink_at(tmp_path, layout=layout)
    events: list[Item] = [trade(1), lost(), trade(2, 1800), trade(3, 1801, "KRW-ETH"),
                          CandleEvent(venue="upbit", symbol="KRW-BTC", unit="1m", received_ns=START)]  # fmt: skip
    sink.write(events)
    sink.close()
    finish(tmp_path)
    assert names(tmp_path) == (
        ["KRW-BTC_candle.1m.parquet", "KRW-BTC_trade.parquet", "KRW-ETH_trade.parquet", "misc.jsonl"]
        if layout == "flat"
        else [
            "upbit/candle/KRW-BTC/date=2026-11-21/23.parquet",
            "upbit/misc/all/date=2026-11-21/23.jsonl",
            "upbit/trade/KRW-BTC/date=2026-11-21/23.parquet",
            "upbit/trade/KRW-BTC/date=2026-11-22/00.parquet",
            "upbit/trade/KRW-ETH/date=2026-11-22/00.parquet",
        ]
    )
    assert sorted(read_parquet(tmp_path, "trade", form="events"), key=lambda event: event.sequential_id) == [
        replace(event, raw=None) for event in events if isinstance(event, TradeEvent)
    ]
    assert read_parquet(tmp_path, "candle", form="events") == [events[-1]]
    assert read_parquet(tmp_path, "trade", "KRW-ETH", venue="upbit").num_rows == 1
    assert list(files_of(tmp_path, "orderbook")) == []


def test_a_file_that_is_over_becomes_columns_while_the_next_is_written(tmp_path: Path) -> None:
    sink = sink_at(tmp_path, rotate_count=2)
    done = _until_parquet(sink, tmp_path)
    sink.write([trade(n) for n in range(5)])
    done()
    assert names(tmp_path) == ["KRW-BTC_trade-2.parquet", "KRW-BTC_trade-3.segment", "KRW-BTC_trade.parquet"]
    assert ids(tmp_path) == [0, 1, 2, 3, 4]
    sink.close()


def _until_parquet(sink: Any, folder: Path) -> Any:
    """Waits until the finisher has nothing to do."""

    def wait() -> None:
        finisher = sink._finisher
        for _ in range(2000):
            if not finisher.unfinished():
                return
            finisher._stop.wait(0.01)
        pytest.fail(f"still there: {names(folder)}")

    return wait


def test_the_next_recording_has_files_of_its_own(tmp_path: Path) -> None:
    for number in range(3):
        sink = sink_at(tmp_path)
        sink.write([trade(number)])
        sink.close()
        finish(tmp_path)
    assert names(tmp_path) == ["KRW-BTC_trade-2.parquet", "KRW-BTC_trade-3.parquet", "KRW-BTC_trade.parquet"]
    assert ids(tmp_path) == [0, 1, 2]


def test_what_a_crash_left_is_finished_by_the_next_start(tmp_path: Path) -> None:
    segment(tmp_path, line(1), line(2))
    with (tmp_path / "KRW-BTC_trade.segment").open("ab") as file:
        file.write(b'{"type":"tra')
    (tmp_path / "KRW-ETH_trade.part").write_bytes(b"half a Parquet file")
    sink = sink_at(tmp_path)
    _until_parquet(sink, tmp_path)()
    sink.close()
    assert names(tmp_path) == ["KRW-BTC_trade.parquet", "misc.jsonl"]
    assert ids(tmp_path) == [1, 2]
    assert notices(tmp_path) == [{"torn_from": "KRW-BTC_trade.segment", "raw": '{"type":"tra'}]


def test_columns_that_are_whole_win_over_the_lines_they_were_made_of(tmp_path: Path) -> None:
    """The process died between the last two steps."""
    name = segment(tmp_path, line(1), line(2))
    to_parquet(tmp_path, name, PARQUET, threading.Event())
    segment(tmp_path, line(1), line(2))
    assert ids(tmp_path) == [1, 2], "a reader takes one of them"
    sink_at(tmp_path).close()
    assert names(tmp_path) == ["KRW-BTC_trade.parquet"]


@pytest.mark.parametrize(
    ("bad", "reason"),
    [(b"no JSON", "JSON is malformed"), (b'{"type":"ticker","venue":"upbit","symbol":"x"}', "Invalid value 'ticker'"),
     (line(3, trade_price="1e-30"), "")],
)  # fmt: skip
def test_what_cannot_become_columns_stays_as_lines_and_is_told(tmp_path: Path, bad: bytes, reason: str) -> None:
    segment(tmp_path, line(1), bad)
    sink = sink_at(tmp_path, numbers="decimal")
    _until_parquet(sink, tmp_path)()
    sink.flush()
    sink.close()
    assert names(tmp_path) == ["KRW-BTC_trade.segment", "misc.jsonl"]
    (notice,) = notices(tmp_path)
    assert notice["not_converted"] == "KRW-BTC_trade.segment"
    assert reason in notice["because"]
    finished = finish(tmp_path, numbers="decimal")
    assert (finished.done, len(finished.failed), finished.left) == (0, 1, 0)


def test_an_empty_segment_is_nothing(tmp_path: Path) -> None:
    segment(tmp_path)
    assert finish(tmp_path) == Finished(1, (), 0)
    assert names(tmp_path) == []


def test_a_full_disk_is_tried_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    segment(tmp_path, line(1))
    monkeypatch.setattr(finishing, "RETRY", 0.01)
    refused, gone = threading.Event(), threading.Event()

    def full(*_args: object, **_named: object) -> None:
        refused.set()
        raise OSError(28, "No space left on device")

    finisher = Finisher(tmp_path, PARQUET)
    with monkeypatch.context() as patch:
        patch.setattr(WholeFile, "end", full)
        finisher.add("KRW-BTC_trade.segment")
        finisher.open()
        assert refused.wait(20)
        assert finisher.unfinished() == {"KRW-BTC_trade.segment"}
    for _ in range(2000):
        if not finisher.unfinished():
            break
        refused.clear()
        refused.wait(0.01)
    finisher.close(gone.set)
    assert gone.wait(20)
    assert names(tmp_path) == ["KRW-BTC_trade.parquet"]
    assert b"no space left on device" in finisher.notices.popleft().line
    gone.clear()
    finisher.close(gone.set)
    assert gone.is_set(), "a second call does nothing else"


def test_a_stop_in_the_middle_of_a_file_leaves_the_lines(tmp_path: Path) -> None:
    name = segment(tmp_path, *[line(number) for number in range(1500)])
    stop = threading.Event()
    stop.set()
    with pytest.raises(Stopped):
        to_parquet(tmp_path, name, PARQUET, stop)
    assert names(tmp_path) == [name]
    assert finish_folder(tmp_path, PARQUET, stop) == Finished(0, (), 1)


def test_a_folder_that_is_recorded_into_is_not_touched(tmp_path: Path) -> None:
    sink = sink_at(tmp_path)
    with pytest.raises(SinkError, match="another recorder is writing here"):
        finish_folder(tmp_path, PARQUET)
    sink.close()
    with pytest.raises(SinkError, match="no segment"):
        to_parquet(tmp_path, "KRW-BTC_trade.jsonl", PARQUET, threading.Event())


def test_exact_numbers_stay_exact_all_the_way(tmp_path: Path) -> None:
    """H5: event → line → column → event."""
    event = TradeEvent(venue="upbit", symbol="KRW-BTC", sequential_id=1, received_ns=START,
                       trade_price=Decimal("0.100000000000000001"), trade_volume=Decimal("12345678901234567890.5"))  # type: ignore[arg-type]  # fmt: skip
    sink = sink_at(tmp_path, numbers="decimal")
    sink.write([event])
    sink.close()
    finish(tmp_path, numbers="decimal")
    assert read_parquet(tmp_path, "trade", form="events") == [event]


def test_row_groups_are_bounded_by_bytes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(finishing, "GROUP_BYTES", 1000)
    name = segment(tmp_path, *[line(number) for number in range(100)])
    to_parquet(tmp_path, name, PARQUET, threading.Event())
    file = pq.ParquetFile(tmp_path / "KRW-BTC_trade.parquet")
    assert file.num_row_groups > 5
    assert ids(tmp_path) == list(range(100))


def test_names_beyond_the_bound_are_left_to_the_next_start(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(finishing, "WAITING_MOST", 1)
    finisher = Finisher(tmp_path, PARQUET)
    finisher.add(segment(tmp_path, line(1)))
    finisher.add(segment(tmp_path, line(2), name="KRW-ETH_trade.segment"))
    assert finisher.unfinished() == {"KRW-BTC_trade.segment", "KRW-ETH_trade.segment"}, "retention spares both"
    finisher.open()
    gone = threading.Event()
    finisher.close(gone.set)
    assert gone.wait(20)
    finish(tmp_path)
    assert names(tmp_path) == ["KRW-BTC_trade.parquet", "KRW-ETH_trade.parquet"]


_RECORDER = """
import sys
from pathlib import Path
from tests.sinks.files.test_finishing import sink_at
from tests.sinks.files.test_segments import trade
sink = sink_at(Path(sys.argv[1]), rotate_count=150)
number = int(sys.argv[2])
while True:
    sink.write([trade(number + k) for k in range(50)])
    sink.flush()
    number += 50
    print(number, flush=True)
"""


def test_killed_at_any_moment_nothing_that_was_flushed_is_lost_or_doubled(tmp_path: Path) -> None:
    """C3: SIGKILL while files are written and become columns."""
    chance, begin = random.Random(3), 0
    for _life in range(size(2, 50)):
        with subprocess.Popen(
            [sys.executable, "-c", _RECORDER, str(tmp_path), str(begin)], stdout=subprocess.PIPE, text=True,
            cwd=Path(__file__).parents[3],
        ) as process:  # fmt: skip
            assert process.stdout is not None
            told = [int(process.stdout.readline()) for _ in range(chance.randint(1, 60))]
            process.send_signal(signal.SIGKILL)
            told += [int(rest) for rest in process.stdout.read().splitlines() if rest]
        there = ids(tmp_path)
        assert there == list(range(len(there))), "each once"
        assert len(there) >= told[-1]
        begin = len(there)
    sink_at(tmp_path).close()
    finish(tmp_path)
    assert ids(tmp_path) == list(range(begin))
    assert not [name for name in names(tmp_path) if not name.endswith((".parquet", ".jsonl"))]
