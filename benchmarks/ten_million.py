"""Many messages, from the line to a query: time, peak memory and size on disk of each step.

    .venv/bin/python -m benchmarks.ten_million [--millions 10] [--rate 100000] [--markets 100] [--out DIR]

Records that many messages of a load like that of ``tapewire bench``, so many a second, as a raw tape and as JSON lines
of the exchange's own frames, and tells what was dropped; checks the tape; converts both into Parquet; runs a query over
all trades; and reads what there is back in each form of ``read_parquet``. Each step is a process of its own, and what
it wrote is removed in the end.
"""

from __future__ import annotations

import argparse
import asyncio
import csv
import json
import multiprocessing
import resource
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from benchmarks.fresh_load import fresh_load
from tapewire import RecordOptions, Subscription, TapeOptions, WebSocketClient, read_parquet
from tapewire.apps.cli.bench_load import market_codes
from tapewire.client.converting import convert
from tapewire.model.status import Taping
from tapewire.sinks.registry import get_sink
from tapewire.tape.checking import check_tape

_KINDS = (("ticker", None), ("trade", None), ("orderbook", None), ("candle", "1s"))
_COUNTING = "SELECT symbol, count(*) AS trades, sum(trade_volume) FROM trade GROUP BY symbol"
_FORMS = ("arrow", "polars", "pandas")
_MILLION = 1_000_000
#: Seconds that a step has to end once it has told its figures.
_PATIENCE = 10.0
Row = dict[str, Any]


async def record(port: int, markets: int, count: int, tape: Path | None, files: Path | None) -> int:
    """Keep ``count`` messages at least; how many there were."""
    wanted = [Subscription(kind, code, unit) for kind, unit in _KINDS for code in market_codes(markets)]
    kept = None if tape is None else TapeOptions(folder=str(tape))
    client = WebSocketClient(
        "many",
        url=f"ws://127.0.0.1:{port}/websocket/v1",
        validate=False,
        drop_doubles=False,
        keep_raw=files is not None,
        tape=kept,
    )
    untaped: list[int] = []
    client.subscribe_feed(lambda news: untaped.append(news.missed) if isinstance(news, Taping) else None)
    async with client:
        if files is None:
            await client.subscribe(wanted, lambda _event: None)
            number = await _until(lambda: client.statistics().total_processed, count)
            print(f"  {max(untaped, default=0):,} not on the tape, as the disk took less than came", flush=True)
            return number
        sink = get_sink("jsonl")(files, options=RecordOptions())
        fed = await client.add_sink(sink, wanted)
        await _until(lambda: sum(file.events for file in sink.written()), count)
        await fed.close()
        print(f"  {client.statistics().dropped:,} dropped, as the disk took less than came", flush=True)
        return sum(file.events for file in sink.written() if file.name != "misc.jsonl")


async def _until(done: Callable[[], int], count: int) -> int:
    while (number := done()) < count:  # noqa: ASYNC110 - nobody tells
        await asyncio.sleep(0.05)
    return number


def recorded(port: int, markets: int, count: int, tape: Path | None, files: Path | None) -> int:
    """``record`` on the event loop of the other benches."""
    import uvloop  # noqa: PLC0415 - an optional part

    done: int = uvloop.run(record(port, markets, count, tape, files))
    return done


def checked(tape: Path) -> int:
    """Records of a tape, each checksum looked at."""
    return sum(report.records for report in check_tape(tape))


def plain(tape: Path) -> int:
    """Bytes of a tape before they were compressed."""
    return sum(report.plain for report in check_tape(tape))


def converted(source: Path, target: Path) -> int:
    """Events that became Parquet."""
    return convert(source, target).events


def queried(folder: Path) -> int:
    """Trades that a query saw."""
    command = [str(Path(sys.executable).with_name("tapewire")), "query", _COUNTING, str(folder), "--csv"]
    answer = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    return sum(int(row["trades"]) for row in csv.DictReader(answer.splitlines()))


def read(folder: Path, kind: str, form: Any, symbols: list[str]) -> int:
    """Events read back, all 24 to 48 columns of them; of no symbols: of all."""
    return len(read_parquet(folder, kind, symbols, form=form))


def step(name: str, run: Callable[..., int], *arguments: Any, wrote: Path | None = None) -> Row:
    """One step in a process of its own: how many, seconds, CPU, peak memory, bytes on disk."""
    context = multiprocessing.get_context("spawn")
    ours, theirs = context.Pipe(duplex=False)
    process = context.Process(target=_run, args=(theirs, run, arguments))
    process.start()
    theirs.close()
    try:
        row: Row = {"step": name, **ours.recv()}
    except EOFError:
        sys.exit(f"{name} failed")
    finally:
        process.join(_PATIENCE)
        process.kill()
    row["bytes"] = 0 if wrote is None else sum(one.stat().st_size for one in wrote.rglob("*") if one.is_file())
    show(row)
    return row


def _run(pipe: Any, run: Callable[..., int], arguments: tuple[Any, ...]) -> None:
    began, before = time.perf_counter(), _cpu()
    count = run(*arguments)
    seconds, cpu = time.perf_counter() - began, _cpu() - before
    peak = max(usage.ru_maxrss for usage in _usages()) * 1024
    pipe.send({"count": count, "seconds": seconds, "cpu": cpu, "rss": peak})


def _cpu() -> float:
    return sum(usage.ru_utime + usage.ru_stime for usage in _usages())


def _usages() -> list[resource.struct_rusage]:
    return [resource.getrusage(whose) for whose in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]


def show(row: Row) -> None:
    """One line of the table."""
    size = f"{row['bytes'] / 1e9:8.3f} GB" if row["bytes"] else " " * 11
    rates = f"{row['count'] / row['seconds']:>11,.0f}/s {row['count'] / row['cpu']:>11,.0f}/cpu-s"
    print(
        f"{row['step']:30} {row['count']:>11,} {row['seconds']:8.1f} s {row['cpu']:8.1f} s CPU {rates}"
        f" {row['rss'] / 1e6:6.0f} MB {size}",
        flush=True,
    )


def main() -> int:
    """Every step in its turn, and the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--millions", type=float, default=10.0)
    parser.add_argument("--rate", type=int, default=100_000, help="messages a second, 0: as fast as they are read")
    parser.add_argument("--markets", type=int, default=100)
    parser.add_argument("--out", type=Path, help="where the files go while it runs")
    given = parser.parse_args()
    count = int(given.millions * _MILLION)
    root = Path(tempfile.mkdtemp(prefix="tapewire-million-", dir=given.out))
    try:
        rows = run_all(root, count, given.markets, given.rate)
        print(json.dumps(rows))
    finally:
        shutil.rmtree(root)
    return 0


def run_all(root: Path, count: int, markets: int, rate: int) -> list[Row]:
    """The steps."""
    tape, files = root / "tape", root / "files"
    of_tape, of_files = root / "columns-of-tape", root / "columns-of-files"
    with fresh_load(markets, 1, rate) as (port, size):
        print(f"{count:,} messages of {size} bytes, {markets} markets", flush=True)
        rows = [
            step("record, tape (zstd)", recorded, port, markets, count, tape, None, wrote=tape),
            step("record, JSON lines", recorded, port, markets, count, None, files, wrote=files),
        ]
    rows += [
        step("check the tape", checked, tape),
        step("convert the tape", converted, tape, of_tape, wrote=of_tape),
        step("convert the JSON lines", converted, files, of_files, wrote=of_files),
        step("query all trades", queried, of_files),
    ]
    for kind in ("trade", "ticker"):
        rows += [step(f"read {kind}: {form}", read, of_files, kind, form, []) for form in _FORMS]
    some = market_codes(markets)[: max(1, markets // 10)]  # a book is 30 levels: as Python objects all took 30 GB
    rows += [step(f"read tenth of orderbooks: {form}", read, of_files, "orderbook", form, some) for form in _FORMS]
    rows.append(step("read tenth of trades: events", read, of_files, "trade", "events", some))
    whole, small = rows[1]["bytes"] / rows[1]["count"], rows[0]["bytes"] / rows[0]["count"]
    print(f"a message takes {whole:.0f} bytes as JSON lines, {small:.0f} on the tape: {whole / small:.1f} times less")
    return rows


if __name__ == "__main__":
    sys.exit(main())
