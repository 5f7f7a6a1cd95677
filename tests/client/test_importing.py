"""Captures of other people's connections become tapes: every frame at its time, played as any other tape."""

from __future__ import annotations

import base64
from collections import Counter
from pathlib import Path

import pytest

from tapewire import ConfigError, Event, WebSocketClient, decode
from tapewire.client.converting import convert
from tapewire.client.importing import import_capture
from tapewire.client.replaying import Replay, recorded_streams, replay
from tapewire.client.tables import read_parquet
from tapewire.errors import TapeError
from tapewire.model.status import FeedEvent, Gap, Rejected
from tapewire.tape.checking import check_tape
from tapewire.tape.format import Kind, Record
from tapewire.tape.reader import read_tape

DATA = Path(__file__).parents[1] / "data"
SHIPPED = Path(__file__).parents[2] / "src" / "tapewire" / "sim" / "data"
C1 = "okex3/all_cryptofeed-2021-04-17-c1"
#: Capture, venue, streams asked (and those that want a key), events by kind: data/README of the captures.
CAPTURES = {
    "okx5/all_cryptofeed-2022-05-13.jsonl": (
        "okx", (9, 0), {"TickerEvent": 28, "TradeEvent": 74, "DepthOrderbookEvent": 290},
    ),
    "okx5/all_cryptofeed-2022-02-27.jsonl": ("okx", (20, 10), {"TickerEvent": 19, "TradeEvent": 19}),
    f"{C1}.jsonl": ("okex3", (30, 0), {"TickerEvent": 33, "TradeEvent": 25, "DepthOrderbookEvent": 2_384}),
    f"{C1}.rawdeflate.b64.txt": (
        "okex3", (30, 0), {"TickerEvent": 33, "TradeEvent": 25, "DepthOrderbookEvent": 2_384},
    ),
}  # fmt: skip


def played(folder: Path) -> tuple[list[Event], list[FeedEvent]]:
    """What a client hears of a tape that was imported."""
    heard: list[Event] = []
    feed: list[FeedEvent] = []
    venue, streams = recorded_streams(folder)

    async def program(again: Replay) -> None:
        async with WebSocketClient("again", venue, url=again.url_of(venue)) as client:
            client.subscribe_feed(feed.append)
            await client.subscribe(streams, heard.append)
            await again.ended()

    replay(folder, program)
    return heard, feed


def frames(folder: Path) -> list[Record]:
    kinds = (Kind.RECEIVED_TEXT, Kind.RECEIVED_BINARY)
    return [one for one in read_tape(folder) if isinstance(one, Record) and one.kind in kinds]


@pytest.mark.parametrize("name", CAPTURES)
def test_every_capture_becomes_a_tape_that_is_played(name: str, tmp_path: Path) -> None:
    venue, (streams, keyed), events = CAPTURES[name]
    done = import_capture(DATA / name, tmp_path, venue)
    lines = (DATA / name).read_bytes().splitlines()
    payloads = [base64.b64decode(line) for line in lines] if name.endswith(".txt") else lines
    times = [float(text) for text in (DATA / name).with_name(_stem(name) + ".recv_ts.txt").read_text().split()]
    kept = frames(tmp_path)
    assert [one.payload for one in kept] == payloads
    assert [one.at_ns for one in kept] == pytest.approx([at * 1e9 for at in times], abs=1e6)
    assert (done.frames, len(done.streams), len(done.keyed)) == (len(payloads), streams, keyed)
    assert not any(report.damages for report in check_tape(tmp_path))
    heard, feed = played(tmp_path)
    assert Counter(type(event).__name__ for event in heard) == events
    assert not [event for event in feed if isinstance(event, Gap)], "every checksum and every number holds"
    times_ns = {one.at_ns for one in kept}
    assert {event.received_ns for event in heard} <= times_ns
    assert {event.name for event in feed if isinstance(event, Rejected)} <= {"no_answer"}


def _stem(name: str) -> str:
    return Path(name).name.removesuffix(".rawdeflate.b64.txt").removesuffix(".jsonl")


def test_upbits_capture_is_converted_as_any_tape(tmp_path: Path) -> None:
    capture = tmp_path / "all_simple_cryptofeed-2021-04-17.jsonl"
    capture.write_bytes((DATA / "upbit" / capture.name).read_bytes())
    sent = capture.with_name(f"{capture.stem}.sent.jsonl")
    sent.write_bytes((DATA / "upbit" / sent.name).read_bytes())
    times = (SHIPPED / "upbit_2021-04-17.recv_ts.txt").read_bytes()
    capture.with_name(f"{capture.stem}.recv_ts.txt").write_bytes(times)
    done = import_capture(capture, tmp_path / "tape", "upbit")
    assert (done.frames, len(done.streams)) == (449, 20)
    converted = convert(tmp_path / "tape", tmp_path / "columns")
    assert converted.events == 449
    trades = read_parquet(tmp_path / "columns", "trade", form="events")
    assert len(trades) == 304
    assert {trade.received_ns // 10**9 for trade in trades} <= {int(float(text)) for text in times.split()}


def test_the_exchanges_own_samples_need_no_import(tmp_path: Path) -> None:
    """The layout of the Upbit samples: {code}_{type}.jsonl, misc.jsonl beside them."""
    rows: dict[str, list[bytes]] = {}
    for name in ("mixed_default_ccxt-2026-08-13.jsonl", "candle1m_default_maxt-2026-07-30.jsonl"):
        for event, line in _named_lines(DATA / "upbit" / name):
            rows.setdefault(event, []).append(line)
    samples = tmp_path / "samples"
    samples.mkdir()
    for name, lines in rows.items():
        (samples / f"{name}.jsonl").write_bytes(b"".join(line + b"\n" for line in lines))
    (samples / "misc.jsonl").write_bytes(b'{"status":"UP"}\n')
    converted = convert(samples, tmp_path / "columns")
    assert (converted.events, converted.unreadable) == (sum(map(len, rows.values())), 0)
    assert converted.events == 12


def _named_lines(path: Path) -> list[tuple[str, bytes]]:
    found = []
    for line in path.read_bytes().splitlines():
        [event] = decode("upbit", line)
        kind, unit = str(event.__struct_config__.tag), getattr(event, "unit", None)
        found.append((f"{event.symbol}_{kind}.{unit}" if unit else f"{event.symbol}_{kind}", line))
    return found


def test_what_is_no_capture_is_said(tmp_path: Path) -> None:
    capture = tmp_path / "one.jsonl"
    with pytest.raises(ConfigError, match=r"a file that ends with \.jsonl"):
        import_capture(tmp_path / "one.csv", tmp_path / "tape", "upbit")
    capture.write_bytes(b'{"type":"trade"}\n')
    with pytest.raises(ConfigError, match=r"one\.recv_ts\.txt"):
        import_capture(capture, tmp_path / "tape", "upbit")
    times = tmp_path / "one.recv_ts.txt"
    times.write_text("1\n2\n")
    with pytest.raises(ConfigError, match="with 2 lines"):
        import_capture(capture, tmp_path / "tape", "upbit")
    times.write_text("noon\n")
    (tmp_path / "one.sent.jsonl").write_bytes(b"no request\n")
    with pytest.raises(ConfigError, match="a time in Unix seconds"):
        import_capture(capture, tmp_path / "tape", "upbit")
    times.write_text("1\n")
    with pytest.raises(ConfigError, match="a request of upbit"):
        import_capture(capture, tmp_path / "tape", "upbit")
    (tmp_path / "one.sent.jsonl").write_bytes(b'[{"ticket":"t"}]\n')
    with pytest.raises(ConfigError, match="whose client asked for streams"):
        import_capture(capture, tmp_path / "tape", "upbit")
    bad = tmp_path / "one.rawdeflate.b64.txt"
    bad.write_bytes(b"$$$\n")
    with pytest.raises(ConfigError, match="line 1"):
        import_capture(bad, tmp_path / "tape", "okex3")
    with pytest.raises(TapeError):
        import_capture(DATA / "okx5/all_cryptofeed-2022-05-13.jsonl", capture, "okx")
