"""The JSON lines sink: what is written where, and what happens when it cannot be."""

from __future__ import annotations

import contextlib
import errno
import json
import os
import random
import resource
import signal
import stat
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from tapewire.errors import ConfigError, SinkError, UnknownName
from tapewire.model.events import CandleEvent, Event, OrderbookEvent, OrderbookUnit, TickerEvent, TradeEvent
from tapewire.model.line import Loss
from tapewire.model.status import Disconnected, Quarantined
from tapewire.sinks.contract import Item, Sink, Written
from tapewire.sinks.files.options import RecordOptions
from tapewire.sinks.registry import get_sink, sink_names
from tapewire.tape import disk

NS = 1_790_000_000_000_000_000


def sink_at(folder: Path, **options: Any) -> Sink:
    sink = get_sink("jsonl")(folder, **options)
    sink.open()
    return sink


def trade(symbol: str = "KRW-BTC", number: int = 1, raw: bytes | None = None) -> TradeEvent:
    return TradeEvent(venue="upbit", symbol=symbol, trade_price=1.5, sequential_id=number, received_ns=NS, raw=raw)


def quarantined(payload: bytes) -> Quarantined:
    return Quarantined(venue="upbit", connection="upbit-1", at_ns=NS, reason="unknown", payload=payload, count=1)


def record(folder: Path, *batches: list[Item], **options: Any) -> dict[str, list[str]]:
    sink = sink_at(folder, **options)
    for batch in batches:
        sink.write(batch)
        sink.flush()
    sink.close()
    return read(folder)


def read(folder: Path) -> dict[str, list[str]]:
    return {path.name: path.read_text("utf-8").splitlines() for path in sorted(folder.iterdir())}


def test_the_sink_is_found_by_name_and_a_wrong_name_says_which_are_known() -> None:
    assert "jsonl" in sink_names()
    known = "amqp, amqps, jsonl, kafka, kafkas, nats, rabbitmq-stream, rabbitmq-streams, redis, rediss, tls, unix"
    with pytest.raises(UnknownName, match=f"no sink is called 'jsnol'; known: {known}$"):
        get_sink("jsnol")


def test_each_market_and_kind_has_a_file_and_order_is_kept(tmp_path: Path) -> None:
    events: list[Item] = [
        TickerEvent(venue="upbit", symbol="KRW-BTC", trade_price=2.0),
        trade(number=2),
        trade(number=1),
        trade("KRW-ETH", 3),
        CandleEvent(venue="upbit", symbol="KRW-BTC", unit="1s"),
        OrderbookEvent(venue="upbit", symbol="KRW-BTC", orderbook_units=[OrderbookUnit(2.0, 1.0, 0.5, 0.25)]),
    ]
    files = record(tmp_path / "new" / "folder", events[:3], events[3:], form="event")
    assert list(files) == [
        "KRW-BTC_candle.1s.jsonl",
        "KRW-BTC_orderbook.jsonl",
        "KRW-BTC_ticker.jsonl",
        "KRW-BTC_trade.jsonl",
        "KRW-ETH_trade.jsonl",
    ]
    assert [json.loads(line)["sequential_id"] for line in files["KRW-BTC_trade.jsonl"]] == [2, 1]
    book = json.loads(files["KRW-BTC_orderbook.jsonl"][0])
    assert book["orderbook_units"] == [{"ask_price": 2.0, "bid_price": 1.0, "ask_size": 0.5, "bid_size": 0.25}]
    assert json.loads(files["KRW-ETH_trade.jsonl"][0])["received_ns"] == NS


def test_files_are_not_readable_by_everybody(tmp_path: Path) -> None:
    """S16: orders and balances may stand in them."""
    before = os.umask(0)
    try:
        record(tmp_path, [trade()])
    finally:
        os.umask(before)
    assert {path.name: f"{path.stat().st_mode & 0o777:o}" for path in tmp_path.glob("*.jsonl")} == {
        "KRW-BTC_trade.jsonl": "640"
    }


def test_raw_form_is_the_venues_own_json_byte_for_byte(tmp_path: Path) -> None:
    raw = '{"type":"trade","code":"KRW-BTC","trade_price":1.50e3,"이름":"비트코인"}'.encode()
    record(tmp_path, [trade(raw=raw)])
    assert (tmp_path / "KRW-BTC_trade.jsonl").read_bytes() == raw + b"\n"


def test_event_form_never_holds_the_raw_bytes(tmp_path: Path) -> None:
    files = record(tmp_path, [trade(raw=b'{"secret-field":1}')], form="event")
    assert json.loads(files["KRW-BTC_trade.jsonl"][0])["raw"] is None


def test_a_frame_over_several_lines_becomes_one_line(tmp_path: Path) -> None:
    files = record(tmp_path, [trade(raw=b'{\r\n "type": "trade",\n "trade_price": 1.50}')])
    assert files["KRW-BTC_trade.jsonl"] == ['{"type":"trade","trade_price":1.50}']


def test_a_frame_over_several_lines_that_is_no_json_is_written_in_our_form(tmp_path: Path) -> None:
    files = record(tmp_path, [trade(number=7, raw=b'{"type": "trade",\n oops}')])
    assert json.loads(files["KRW-BTC_trade.jsonl"][0])["sequential_id"] == 7


def test_a_list_frame_of_one_element_is_written_as_that_object_and_of_more_in_our_form(tmp_path: Path) -> None:
    events: list[Item] = [trade(number=1, raw=b'[{"n":1.50}]'), trade(number=2, raw=b'[{"n":2},{"n":3}]')]
    lines = record(tmp_path, events)["KRW-BTC_trade.jsonl"]
    assert lines[0] == '{"n":1.50}'
    assert json.loads(lines[1])["sequential_id"] == 2


def test_an_event_whose_frame_is_no_utf8_is_written_in_our_form(tmp_path: Path) -> None:
    files = record(tmp_path, [trade(number=7, raw=b'{"type":"trade","x":"\xff"}')])
    assert json.loads(files["KRW-BTC_trade.jsonl"][0])["sequential_id"] == 7


def test_misc_gets_status_errors_text_binary_and_the_feeds_own_events(tmp_path: Path) -> None:
    lost = Disconnected(
        venue="upbit", connection="upbit-1", at_ns=NS, loss=Loss("closed", 1001), attempt=1, retry_in=1.0
    )
    payloads = [b'{"status":"UP"}', '{"error":{"message":"형식"}}'.encode(), b"hello", b"\xff\xfe", b"[1]", b"{oops"]
    files = record(tmp_path, [*map(quarantined, payloads), quarantined(b'{"a":' * 50_000), lost])
    lines = files["misc.jsonl"]
    assert lines[:6] == [
        '{"status":"UP"}',
        '{"error":{"message":"형식"}}',
        '{"raw":"hello"}',
        '{"raw_base64":"//4="}',
        '{"raw":"[1]"}',
        '{"raw":"{oops"}',
    ]
    assert len(json.loads(lines[6])["raw"]) == 250_000
    told = json.loads(lines[7])
    assert (told["type"], told["loss"]["code"]) == ("disconnected", 1001)
    assert list(files) == ["misc.jsonl"]


def test_a_second_recording_appends(tmp_path: Path) -> None:
    record(tmp_path, [trade(number=1)])
    files = record(tmp_path, [trade(number=2)])
    assert [json.loads(line)["sequential_id"] for line in files["KRW-BTC_trade.jsonl"]] == [1, 2]


def test_written_counts_this_run_and_gives_whole_sizes(tmp_path: Path) -> None:
    record(tmp_path, [trade(raw=b'{"n":1}')])
    sink = sink_at(tmp_path)
    sink.write([trade(raw=b'{"n":2}'), trade(raw=b'{"n":3}')])
    assert sink.written() == (Written("KRW-BTC_trade.jsonl", 2, 24),)
    sink.close()


def test_fewer_handles_than_files_lose_nothing(tmp_path: Path) -> None:
    symbols = [f"KRW-A{number}" for number in range(20)]
    batches: list[list[Item]] = [[trade(symbol, number) for symbol in symbols] for number in range(3)]
    files = record(tmp_path, *batches, max_open=2)
    assert [len(lines) for lines in files.values()] == [3] * 20


def test_a_torn_last_line_is_cut_off_and_kept_in_misc(tmp_path: Path) -> None:
    (tmp_path / "KRW-BTC_trade.jsonl").write_bytes(b'{"n":1}\n{"n":2')
    files = record(tmp_path, [trade(raw=b'{"n":3}')])
    assert files["KRW-BTC_trade.jsonl"] == ['{"n":1}', '{"n":3}']
    assert [json.loads(line) for line in files["misc.jsonl"]] == [{"torn_from": "KRW-BTC_trade.jsonl", "raw": '{"n":2'}]


def test_a_torn_first_line_and_a_whole_line_without_end_are_both_mended(tmp_path: Path) -> None:
    (tmp_path / "KRW-BTC_trade.jsonl").write_bytes(b'{"n":')
    (tmp_path / "KRW-ETH_trade.jsonl").write_bytes(b'{"n":1}')
    files = record(tmp_path, [trade(raw=b'{"n":2}'), trade("KRW-ETH", raw=b'{"n":2}')])
    assert files["KRW-BTC_trade.jsonl"] == ['{"n":2}']
    assert files["KRW-ETH_trade.jsonl"] == ['{"n":1}', '{"n":2}']


def test_a_file_that_is_no_file_of_lines_is_left_alone(tmp_path: Path) -> None:
    path = tmp_path / "KRW-BTC_trade.jsonl"
    path.write_bytes(b"x" * (5 * 1024 * 1024))
    sink = sink_at(tmp_path)
    with pytest.raises(SinkError, match="is no file of lines"):
        sink.write([trade()])
    sink.close()
    assert path.stat().st_size == 5 * 1024 * 1024


@pytest.mark.parametrize(
    "code", ["../x", "/etc/x", "..", ".", "A/B", "\x00", "CON", "A" * 300, "한글", "", "%2e%2e%2f"]
)
def test_no_code_names_a_file_outside_the_folder(tmp_path: Path, code: str) -> None:
    root = tmp_path / "root"
    record(root, [trade(code)])
    assert [path.name for path in tmp_path.iterdir()] == ["root"]
    (file,) = root.iterdir()
    assert file.is_file()
    assert len(file.read_text().splitlines()) == 1


def test_a_symbolic_link_is_not_followed(tmp_path: Path) -> None:
    outside = tmp_path / "outside"
    outside.write_text("mine\n")
    root = tmp_path / "root"
    root.mkdir()
    (root / "KRW-BTC_trade.jsonl").symlink_to(outside)
    sink = sink_at(root)
    with pytest.raises(SinkError, match=r"KRW-BTC_trade\.jsonl: is a symbolic link, and those are not followed"):
        sink.write([trade()])
    sink.close()
    assert outside.read_text() == "mine\n"


def test_a_pipe_in_the_place_of_a_file_is_refused_and_does_not_hang(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "KRW-BTC_trade.jsonl")
    sink = sink_at(tmp_path)
    with pytest.raises(SinkError, match="is not a plain file"):
        sink.write([trade()])
    sink.close()


def test_a_second_recorder_in_the_same_folder_is_refused_until_the_first_has_ended(tmp_path: Path) -> None:
    first = sink_at(tmp_path)
    with pytest.raises(SinkError, match="another recorder is writing here"):
        sink_at(tmp_path)
    first.close()
    sink_at(tmp_path).close()


@pytest.mark.parametrize("place", ["/proc/nothing/here", "/dev/null/folder"])
def test_a_folder_that_cannot_be_made_is_named_with_the_reason(place: str) -> None:
    with pytest.raises(SinkError, match=place):
        sink_at(Path(place))


def test_impossible_options_are_refused_when_the_sink_is_made(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match='form is \'xml\'; it must be "raw" or "event"'):
        get_sink("jsonl")(tmp_path, form="xml")
    with pytest.raises(ConfigError, match="max_open is 0"):
        get_sink("jsonl")(tmp_path, max_open=0)


@contextmanager
def files_end_at(size: int) -> Iterator[None]:
    """The operating system refuses to let files grow beyond ``size`` bytes: a short write, then an error."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    handler = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
        signal.signal(signal.SIGXFSZ, handler)


def test_a_write_cut_short_leaves_whole_lines_and_says_what_is_safe(tmp_path: Path) -> None:
    sink = sink_at(tmp_path)
    line = b'{"n":"' + b"x" * 91 + b'"}'  # 100 bytes with its line end
    sink.write([trade(raw=line)] * 5)
    with files_end_at(1000), pytest.raises(SinkError) as caught:
        sink.write([trade(raw=line + b" ")] * 9)  # 101 bytes each: four of them fit, the fifth is torn
    sink.close()
    content = (tmp_path / "KRW-BTC_trade.jsonl").read_bytes()
    assert len(content) == 500 + 4 * 101
    assert [json.loads(part)["n"][0] for part in content.splitlines()] == ["x"] * 9
    assert caught.value.reason == os.strerror(errno.EFBIG).lower()
    assert (
        caught.value.safe
        == "safe there: 9 lines in 1 file, the last whole batch of 2026-09-21T14:13:20Z, 5 lines are not there"
    )
    assert caught.value.target == str(tmp_path / "KRW-BTC_trade.jsonl")


def test_short_writes_and_errors_of_the_disk_never_leave_half_a_line(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """RELIABILITY.md D12: three hundred seeds of short writes, EIO and ENOSPC at any byte."""
    whole_write = os.write
    for seed in range(300):
        chance = random.Random(seed)

        def bad_write(handle: int, data: bytes, chance: random.Random = chance) -> int:
            if chance.random() < 0.15:
                raise OSError(chance.choice((errno.EIO, errno.ENOSPC)), "the disk")
            return whole_write(handle, data[: chance.randint(1, len(data))])

        root = tmp_path / str(seed)
        sink = sink_at(root, options=RecordOptions(fsync="none"))
        with monkeypatch.context() as patch, contextlib.suppress(SinkError):
            patch.setattr("tapewire.sinks.files.appending.os.write", bad_write)
            for number in range(20):
                sink.write([trade(number=number, raw=b'{"n":%d}' % number)] * 3)
        sink.close()
        counted = sum(file.events for file in sink.written() if file.name != "misc.jsonl")
        content = b"".join(path.read_bytes() for path in root.glob("*_trade.jsonl"))
        assert content == b"".join(b'{"n":%d}\n' % (number // 3) for number in range(counted))


def write_forever(sink: Sink, batch: list[Item]) -> None:
    while True:
        sink.write(batch)


@pytest.mark.skipif(not sys.platform.startswith("linux") or os.geteuid() != 0, reason="mounting needs root on Linux")
def test_a_full_disk_ends_the_recording_with_whole_lines_on_it(tmp_path: Path) -> None:
    mount = ["mount", "-t", "tmpfs", "-o", "size=2m", "tmpfs", str(tmp_path)]
    if subprocess.run(mount, check=False, capture_output=True).returncode:
        pytest.skip("mounting is not allowed here")
    try:
        sink = sink_at(tmp_path)
        batch: list[Item] = [trade(f"KRW-A{number}", raw=b'{"n":"' + b"x" * 990 + b'"}') for number in range(50)]
        with pytest.raises(SinkError, match=r"no space left on device; safe there: [0-9,]+ lines in 50 files"):
            write_forever(sink, batch)
        written = sink.written()
        with pytest.raises(SinkError, match="no space left on device"):
            sink.close()
        on_disk = {path.name: path.read_bytes() for path in tmp_path.iterdir()}
    finally:
        subprocess.run(["umount", tmp_path], check=True)
    assert sum(file.events for file in written) == sum(content.count(b"\n") for content in on_disk.values()) > 1500
    assert all(content.endswith(b"\n") for content in on_disk.values())
    assert all(json.loads(line) for content in on_disk.values() for line in content.splitlines())


def test_what_was_written_survives_kill_9(tmp_path: Path) -> None:
    program = f"""
import os, signal
from pathlib import Path
from tests.sinks.files.test_jsonl import sink_at, trade
sink = sink_at(Path({str(tmp_path)!r}))
sink.write([trade(number=number) for number in range(1000)])
os.kill(os.getpid(), signal.SIGKILL)
"""
    done = subprocess.run([sys.executable, "-c", program], check=False, cwd=Path(__file__).parents[3])
    assert done.returncode == -signal.SIGKILL
    numbers = [json.loads(line)["sequential_id"] for line in read(tmp_path)["KRW-BTC_trade.jsonl"]]
    assert numbers == list(range(1000))


def test_every_event_class_can_be_written_and_read_back(tmp_path: Path) -> None:
    kinds: list[type[Event]] = [TickerEvent, TradeEvent, OrderbookEvent, CandleEvent]
    files = record(tmp_path, [kind(venue="upbit", symbol="KRW-BTC") for kind in kinds], form="event")
    assert sorted(json.loads(lines[0])["type"] for lines in files.values()) == [
        "candle",
        "orderbook",
        "ticker",
        "trade",
    ]


def condensed(sink: Sink, *events: Event) -> list[Item]:
    """What the sink keeps of events until they are written."""
    kept: list[Item] = []
    deliver = sink.condensing(kept.append)  # type: ignore[attr-defined]
    for event in events:
        deliver(event)
    return kept


def test_what_is_kept_of_an_event_until_it_is_written_gives_the_same_files(tmp_path: Path) -> None:
    raw = b'{"type":"trade","code":"KRW-BTC","trade_price":1.50e3}'
    raws = [
        raw,
        raw[:-1] + b"\n}",
        b"[" + raw + b"]",
        b"[%b,%b]" % (raw, raw),
        '{"이름":"비트코인"}'.encode(),
        b"\xff",
        None,
    ]
    events: list[Event] = [trade(number=number, raw=one) for number, one in enumerate(raws)]
    events += [CandleEvent(venue="upbit", symbol="KRW-BTC", unit="1s", raw=b"{}"), trade("", raw=b"{}")]
    whole, light = sink_at(tmp_path / "whole"), sink_at(tmp_path / "light")
    kept = condensed(light, *events)
    assert [isinstance(one, Event) for one in kept] == [one in {3, 5, 6} for one in range(len(kept))]
    whole.write(events)
    light.write(kept)
    whole.close()
    light.close()
    assert read(tmp_path / "light") == read(tmp_path / "whole")
    assert len(read(tmp_path / "light")) == 3


def test_our_form_needs_whole_events(tmp_path: Path) -> None:
    sink = sink_at(tmp_path, form="event")
    assert sink.condensing is None  # type: ignore[attr-defined]
    sink.close()


def test_kept_frames_go_to_the_file_of_their_hour(tmp_path: Path) -> None:
    sink = sink_at(tmp_path, options=RecordOptions(layout="dated"))
    hour = 3600 * 10**9
    events = [trade(number=number, raw=b'{"n":%d}' % number) for number in range(3)]
    for number, event in enumerate(events):
        event.received_ns = NS + number * hour
    sink.write(condensed(sink, *events))
    sink.close()
    assert sorted(path.read_text() for path in tmp_path.rglob("*.jsonl")) == ['{"n":0}\n', '{"n":1}\n', '{"n":2}\n']


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="other systems put files on the disk one by one")
def test_many_files_are_put_on_the_disk_at_once_and_few_one_by_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole, synced, systems = os.fsync, list[int](), list[int | None]()

    def fsync(handle: int) -> None:
        synced.append(handle)
        whole(handle)

    def sync_file_system(handle: int | None) -> bool:
        systems.append(handle)
        return disk.sync_file_system(handle)

    monkeypatch.setattr("tapewire.sinks.files.appending.os.fsync", fsync)
    monkeypatch.setattr("tapewire.sinks.files.segments.sync_file_system", sync_file_system)
    sink = sink_at(tmp_path)
    before = len(synced)
    for count in (40, 2):
        sink.write([trade(f"KRW-A{number}", raw=b"{}") for number in range(count)])
        sink.flush()
    files = [one for one in synced[before:] if stat.S_ISREG(os.fstat(one).st_mode)]
    assert (len(systems), len(files)) == (1, 2)
    sink.close()


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="as above")
def test_a_disk_that_cannot_confirm_many_files_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(_handle: int | None) -> bool:
        raise OSError(errno.EIO, "Input/output error")

    sink = sink_at(tmp_path)
    sink.write([trade(f"KRW-A{number}", raw=b"{}") for number in range(40)])
    with monkeypatch.context() as patch:
        patch.setattr("tapewire.sinks.files.segments.sync_file_system", fail)
        with pytest.raises(SinkError, match="input/output error") as caught:
            sink.flush()
    assert caught.value.retryable
    sink.flush()
    sink.close()
