"""Frames that come in runs give the files that whole events give."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from tapewire.config import MailboxOptions
from tapewire.hub.frame_box import FrameBox
from tapewire.model.events import CandleEvent, Event, IndexTickerEvent, OrderbookEvent
from tapewire.model.subscription import Subscription
from tapewire.sinks.contract import Sink
from tapewire.sinks.files.options import RecordOptions
from tests.sinks.files.test_jsonl import NS, read, sink_at, trade

HOUR = 3600 * 10**9


async def runs(sink: Sink, events: list[Event]) -> list[Any]:
    """What waits for the sink when these events came."""
    box = FrameBox("recorder", MailboxOptions(), sink.frames)  # type: ignore[attr-defined]
    for event in events:
        kind, unit = event.kind, getattr(event, "unit", None)
        symbol = event.symbol
        box.hear(event.venue, Subscription(kind, symbol, unit))(event)
    box.close()
    return box.take_many(1000)


def odd_events() -> list[Event]:
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
    events += [CandleEvent(venue="upbit", symbol="KRW-BTC", unit=unit, raw=b"{}") for unit in ("1s", "1m")]
    events += [trade("", raw=b"{}"), trade("../../etc/passwd", raw=b"{}")]
    events += [OrderbookEvent(venue="upbit", symbol="KRW-BTC", raw=b'{"depth":%d}' % depth) for depth in (5, 30)]
    events.append(IndexTickerEvent(venue="upbit", symbol="KRW-BTC", raw=b'{"index":1}'))
    for event in events:
        event.received_ns = NS
    return events


def files_in(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*.*")}


@pytest.mark.parametrize(
    "options",
    [RecordOptions(), RecordOptions(layout="dated"), RecordOptions(rotate_count=2), RecordOptions(compress="zstd")],
    ids=["flat", "dated", "rotated", "zstd"],
)
async def test_frames_in_runs_give_the_same_files_as_whole_events(tmp_path: Path, options: RecordOptions) -> None:
    whole, light = (sink_at(tmp_path / name, options=options) for name in ("whole", "light"))
    events = odd_events()
    whole.write(events)
    light.write(await runs(light, events))
    whole.close()
    light.close()
    files = files_in(tmp_path / "whole")
    assert files == files_in(tmp_path / "light")
    assert len(files) >= 4
    assert light.frames.counts() == {  # type: ignore[attr-defined]
        "trade": 9, "candle.1s": 1, "candle.1m": 1, "orderbook": 2, "indexTicker": 1,
    }  # fmt: skip


async def test_frames_go_to_the_file_of_their_hour(tmp_path: Path) -> None:
    sink = sink_at(tmp_path, options=RecordOptions(layout="dated"))
    events: list[Event] = [trade(number=number, raw=b'{"n":%d}' % number) for number in range(4)]
    for event, hours in zip(events, (0, 1, 1, 2), strict=True):
        event.received_ns = NS + hours * HOUR
    sink.write(await runs(sink, events))
    sink.close()
    assert [files_in(tmp_path)[name] for name in sorted(files_in(tmp_path))] == [
        b'{"n":0}\n', b'{"n":1}\n{"n":2}\n', b'{"n":3}\n',
    ]  # fmt: skip


async def test_events_and_runs_may_come_in_one_batch(tmp_path: Path) -> None:
    sink = sink_at(tmp_path)
    sink.write([*await runs(sink, [trade(number=1, raw=b'{"n":1}')]), trade("KRW-ETH", number=2, raw=b'{"n":2}')])
    sink.close()
    assert read(tmp_path) == {"KRW-BTC_trade.jsonl": ['{"n":1}'], "KRW-ETH_trade.jsonl": ['{"n":2}']}


def test_our_form_and_columns_take_whole_events(tmp_path: Path) -> None:
    for form, options in (("event", RecordOptions()), (None, RecordOptions(files="parquet"))):
        sink = sink_at(tmp_path / str(form), form=form, options=options)
        assert sink.frames is None  # type: ignore[attr-defined]
        sink.close()
