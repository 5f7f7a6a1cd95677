"""``tapewire gaps``: the ledger of a recording, for people and for programs."""

from __future__ import annotations

import io
import json
import signal
from datetime import UTC, datetime, timedelta
from pathlib import Path

import msgspec
import pytest
from click.testing import CliRunner, Result
from msgspec.structs import replace
from rich.console import Console

from tapewire.apps.cli.gap_table import in_words, show, span, summary_of
from tapewire.apps.cli.gaps import since_ns
from tapewire.apps.cli.main import cli
from tapewire.apps.cli.recorded_gaps import recorded_gaps
from tapewire.config import TapeOptions
from tapewire.model.events import KST
from tapewire.model.status import Connected, Disconnected, FeedEvent, Gap, Stopped, Subscribed
from tapewire.model.subscription import Subscription
from tapewire.tape.format import Header, Kind
from tapewire.tape.recorder import Recorder
from tapewire.testing.background import BackgroundSimulator
from tests.apps.test_commands import read_until, started

SECOND = 10**9
#: 21 November 2026, 23:30 UTC: the 22nd in Korea.
START = 1_795_303_800 * SECOND
BTC, ETH = Subscription("trade", "KRW-BTC"), Subscription("orderbook", "KRW-ETH", depth=15)
FILLED = Gap(
    venue="upbit", connection="upbit-1", at_ns=START + 5 * SECOND, subscription=BTC, cause="reset", state="filled",
    from_ns=START, to_ns=START + 2 * SECOND, recovered=1_234,
)  # fmt: skip
UNFILLED = replace(FILLED, state="unfilled", from_ns=START + 3600 * SECOND, to_ns=START + 3660 * SECOND, recovered=0)
COMPLETE = replace(FILLED, subscription=ETH, state="full_state", from_ns=START + 1, recovered=0)


def tapewire(*arguments: str) -> Result:
    return CliRunner().invoke(cli, ["gaps", *arguments], catch_exceptions=False)


def recording(folder: Path, *events: FeedEvent | bytes) -> Path:
    """A folder whose misc.jsonl holds these lines."""
    lines = [event if isinstance(event, bytes) else msgspec.json.encode(event) for event in events]
    (folder / "misc.jsonl").write_bytes(b"".join(line + b"\n" for line in lines))
    return folder


def at(seconds: int) -> dict[str, object]:
    return {"venue": "upbit", "connection": "upbit-1", "at_ns": START + seconds * SECOND}


def lost(seconds: int, cause: str = "reset") -> Disconnected:
    return msgspec.convert({**at(seconds), "type": "disconnected", "loss": {"cause": cause}, "attempt": 1,
                            "retry_in": 1.0}, Disconnected)  # fmt: skip


def live(seconds: int, *streams: Subscription) -> Subscribed:
    return Subscribed(venue="upbit", connection="upbit-1", at_ns=START + seconds * SECOND, subscriptions=streams)


def connected(seconds: int, reconnect: int) -> Connected:
    return Connected(
        venue="upbit", connection="upbit-1", at_ns=START + seconds * SECOND, url="ws://x", reconnect=reconnect
    )


def second(event: FeedEvent) -> FeedEvent:
    """As told of the second line."""
    return replace(event, connection="upbit-2")


def test_each_row_is_read_as_it_was_told_last_and_other_lines_are_passed_over(tmp_path: Path) -> None:
    folder = recording(
        tmp_path, b'{"raw":"hello"}', replace(FILLED, state="filling", recovered=0), COMPLETE,
        b'{"type":"gap","of":"the exchange"}', UNFILLED, FILLED, b'{"type":"gap","venue":"upb',
    )  # fmt: skip
    assert recorded_gaps(folder) == (FILLED, COMPLETE, UNFILLED)


def test_a_tape_tells_the_same(tmp_path: Path) -> None:
    told = [live(0, BTC), FILLED, lost(10)]
    options, troubles = TapeOptions(folder=str(tmp_path)), list[object]()
    recorder = Recorder(options, Header("upbit", 0, 0), lambda: START, troubles.append)
    recorder.open()
    recorder.put(Kind.RECEIVED_TEXT, 1, START, b'{"type":"gap"}')
    for event in told:
        recorder.put(Kind.FEED, 0, START, msgspec.json.encode(event))
    recorder.close()
    assert troubles == []
    (lines := tmp_path / "lines").mkdir()
    assert recorded_gaps(tmp_path) == recorded_gaps(recording(lines, *told))
    assert [row.state for row in recorded_gaps(tmp_path)] == ["filled", "open"]


def test_what_a_killed_process_had_lost_is_open(tmp_path: Path) -> None:
    folder = recording(tmp_path, connected(0, 0), live(1, BTC, ETH), lost(2), lost(3))
    assert [(row.subscription, row.state, row.from_ns, row.to_ns) for row in recorded_gaps(folder)] == [
        (BTC, "open", START + 2 * SECOND, None),
        (ETH, "open", START + 2 * SECOND, None),
    ]


def test_it_is_over_when_another_process_records(tmp_path: Path) -> None:
    folder = recording(tmp_path, connected(0, 0), live(1, BTC), lost(2), connected(9, 0), live(10, BTC))
    (row,) = recorded_gaps(folder)
    assert (row.state, row.cause, row.from_ns, row.to_ns) == (
        "unfilled", "reset", START + 2 * SECOND, START + 9 * SECOND,
    )  # fmt: skip


def test_what_the_next_process_filled_is_told_by_its_row(tmp_path: Path) -> None:
    """It began where the killed one was (``cursor_file``), once in the outage and once before it."""
    first = (connected(0, 0), live(1, BTC), lost(2), connected(9, 0))
    filled = replace(FILLED, cause="restart", from_ns=START + 2 * SECOND, to_ns=START + 10 * SECOND)
    later = replace(filled, from_ns=START + 11 * SECOND, to_ns=START + 30 * SECOND)
    again = (live(10, BTC), lost(12), connected(29, 0))
    assert recorded_gaps(recording(tmp_path, *first, filled, *again, later)) == (filled, later)
    assert [row.state for row in recorded_gaps(recording(tmp_path, *first, *again, later))] == ["unfilled", "filled"]


def test_a_row_that_covers_a_loss_tells_it(tmp_path: Path) -> None:
    told = replace(FILLED, from_ns=START + 2 * SECOND, to_ns=START + 4 * SECOND)
    folder = recording(tmp_path, connected(0, 0), live(1, BTC), lost(2), connected(3, 1), told)
    assert recorded_gaps(folder) == (told,)


def test_a_line_that_we_closed_and_streams_that_were_stopped_are_no_gaps(tmp_path: Path) -> None:
    stopped = Stopped(venue="upbit", connection="upbit-1", at_ns=START, reason="stopped")
    folder = recording(tmp_path, live(1, BTC), lost(2, "stopped"), lost(3), live(4, BTC), stopped, lost(5))
    assert recorded_gaps(folder) == ()


class TestSeveralLines:
    """With ``redundancy`` a stream is lost when no line carries it; its rows name all lines."""

    UP = (connected(0, 0), live(1, BTC), second(connected(0, 0)), second(live(1, BTC)))

    def test_the_loss_of_one_is_no_gap(self, tmp_path: Path) -> None:
        back = (connected(4, 1), live(5, BTC))
        assert recorded_gaps(recording(tmp_path, *self.UP, lost(2), *back, second(lost(6)))) == ()

    def test_the_loss_of_both_is_one_from_the_second_on(self, tmp_path: Path) -> None:
        (row,) = recorded_gaps(recording(tmp_path, *self.UP, lost(2), second(lost(3)), lost(4), second(lost(5))))
        assert (row.subscription, row.state, row.from_ns) == (BTC, "open", START + 3 * SECOND)

    def test_the_row_of_the_group_tells_it(self, tmp_path: Path) -> None:
        told = replace(FILLED, connection="upbit-1+upbit-2", from_ns=START + 3 * SECOND, to_ns=START + 4 * SECOND)
        loss = (*self.UP, lost(2), second(lost(3)), connected(4, 1), told)
        assert recorded_gaps(recording(tmp_path, *loss)) == (told,)
        (_, again) = recorded_gaps(recording(tmp_path, *loss, lost(5)))
        assert (again.state, again.from_ns) == ("open", START + 5 * SECOND)

    @pytest.mark.parametrize("killed_in_outage", [True, False])
    def test_the_next_process_may_have_one_line(self, tmp_path: Path, *, killed_in_outage: bool) -> None:
        outage = (lost(2), second(lost(3))) if killed_in_outage else ()
        folder = recording(tmp_path, *self.UP, *outage, connected(9, 0), live(10, BTC), lost(11))
        assert [(row.state, row.to_ns) for row in recorded_gaps(folder)] == [
            *([("unfilled", START + 9 * SECOND)] if killed_in_outage else []), ("open", None),
        ]  # fmt: skip


def test_venues_in_one_folder_are_told_apart(tmp_path: Path) -> None:
    other = [replace(event, venue="okx", connection="okx-1") for event in (connected(0, 0), live(1, BTC))]
    (row,) = recorded_gaps(recording(tmp_path, connected(0, 0), live(1, BTC), *other, lost(2)))
    assert (row.venue, row.state) == ("upbit", "open")


def test_a_pipe_gets_a_line_for_each_gap_and_the_figures_beside(tmp_path: Path) -> None:
    result = tapewire(str(recording(tmp_path, COMPLETE, UNFILLED, FILLED)))
    assert result.exit_code == 0
    assert [line.split("\t") for line in result.stdout.splitlines()] == [
        ["2026-11-21T23:30:00.000+00:00", "2026-11-21T23:30:02.000+00:00", "2.000",
         "upbit", "trade KRW-BTC", "reset", "filled", "1234"],
        ["2026-11-21T23:30:00.000+00:00", "2026-11-21T23:30:02.000+00:00", "2.000",
         "upbit", "orderbook KRW-ETH.15", "reset", "full_state", "0"],
        ["2026-11-22T00:30:00.000+00:00", "2026-11-22T00:31:00.000+00:00", "60.000",
         "upbit", "trade KRW-BTC", "reset", "unfilled", "0"],
    ]  # fmt: skip
    assert result.stderr == "3 gaps: 1 filled, 1 complete again, 1 may lack some; 1,234 events recovered\n"


def test_json_is_the_rows_and_their_figures(tmp_path: Path) -> None:
    result = tapewire(str(recording(tmp_path, UNFILLED, FILLED)), "--json")
    first, second, last = result.stdout.splitlines()
    assert [msgspec.json.decode(line, type=Gap) for line in (first, second)] == [FILLED, UNFILLED]
    assert json.loads(last) == {
        "type": "summary", "gaps": 2, "states": {"filled": 1, "unfilled": 1}, "missing": 1, "recovered": 1234,
    }  # fmt: skip


@pytest.mark.parametrize(
    ("options", "shown", "code"),
    [
        ((), 3, 0),
        (("--strict",), 3, 1),
        (("--open",), 1, 0),
        (("--open", "--strict"), 1, 1),
        (("--since", "2026-11-22"), 1, 0),
        (("--since", "2026-11-21T23:30:02Z", "--strict"), 3, 1),
        (("--since", "2026-11-22", "--kst"), 3, 0),
        (("--since", "2026-11-22T01:00", "--strict"), 0, 0),
    ],
)
def test_what_is_shown_and_how_it_ends(tmp_path: Path, options: tuple[str, ...], shown: int, code: int) -> None:
    result = tapewire(str(recording(tmp_path, FILLED, UNFILLED, COMPLETE)), *options)
    assert (len(result.stdout.splitlines()), result.exit_code) == (shown, code)


def test_a_recording_without_gaps_says_so(tmp_path: Path) -> None:
    assert tapewire(str(recording(tmp_path)), "--strict").stderr == "no gaps\n"


def test_a_folder_that_is_no_recording_is_wrong_usage(tmp_path: Path) -> None:
    result = tapewire(str(tmp_path))
    assert result.exit_code == 2
    assert f"DIR is '{tmp_path}'; it must be the folder of a recording (it has no misc.jsonl)" in result.output
    assert tapewire(str(tmp_path / "nowhere")).exit_code == 2


@pytest.mark.parametrize("when", ["yesterday", "2x", "-1h"])
def test_a_time_that_is_none_is_wrong_usage(tmp_path: Path, when: str) -> None:
    result = tapewire(str(recording(tmp_path)), f"--since={when}")
    assert result.exit_code == 2
    assert "is neither a span (90s, 30m, 2h, 7d) nor a time" in result.output


def test_a_span_is_counted_back_from_now() -> None:
    two_hours = since_ns(timedelta(hours=2), kst=False)
    assert two_hours is not None
    assert abs(two_hours / 1e9 - (datetime.now(UTC).timestamp() - 7200)) < 60


def test_the_table_fits_80_columns_and_has_a_line_for_each_day() -> None:
    console = Console(width=80, record=True, file=io.StringIO())
    rows = (FILLED, COMPLETE, UNFILLED, replace(UNFILLED, cause="[red]", to_ns=None, state="open"))
    show(console, rows, UTC)
    assert [line.rstrip() for line in console.export_text().splitlines()] == [
        "From     To       For      Stream               Cause State          Recov.",
        "                           2026-11-21 UTC",
        "23:30:00 23:30:02 2.00 s   trade KRW-BTC        reset filled          1,234",
        "23:30:00 23:30:02 2.00 s   orderbook KRW-ETH.15 reset complete again",
        "                           2026-11-22 UTC",
        "00:30:00 00:31:00 1 m 00 s trade KRW-BTC        reset may lack some",
        "00:30:00 …                 trade KRW-BTC        [red] still open",
    ]


def test_the_table_names_the_venues_where_there_are_several_and_days_that_pass_in_a_gap() -> None:
    console = Console(width=100, record=True, file=io.StringIO())
    rows = (FILLED, replace(FILLED, venue="okx", to_ns=START + 90_000 * SECOND))
    show(console, rows, KST)
    lines = console.export_text().splitlines()
    assert "2026-11-22 KST" in lines[1]
    assert [line.split()[0:8] for line in lines[2:]] == [
        ["08:30:00", "08:30:02", "2.00", "s", "upbit", "trade", "KRW-BTC", "reset"],
        ["08:30:00", "11-23", "09:30:00", "1", "d", "01", "h", "okx"],
    ]


@pytest.mark.parametrize(
    ("seconds", "words"),
    [(-1, "0.00 s"), (1.256, "1.26 s"), (42.4, "42 s"), (187, "3 m 07 s"), (7_500, "2 h 05 m"), (274_000, "3 d 04 h")],
)
def test_spans_are_short(seconds: float, words: str) -> None:
    assert span(seconds) == words


def test_one_gap_is_one() -> None:
    assert in_words(summary_of([replace(FILLED, recovered=1)])) == "1 gap: 1 filled; 1 event recovered"


@pytest.mark.parametrize("lines", [1, 2])
def test_the_ledger_of_a_real_recording(exchange: BackgroundSimulator, tmp_path: Path, lines: int) -> None:
    arguments = ("record", "KRW-BTC", "--url", exchange.url, "--types", "trade", "--out", "ticks")
    with started(*arguments, f"--redundancy={lines}", cwd=tmp_path) as process:
        for line in range(lines):
            read_until(process, f"upbit-{line + 1}: trade KRW-BTC live")
        exchange.abort()
        read_until(process, "recovered")
        process.send_signal(signal.SIGTERM)
        process.communicate(timeout=20)
    (row,) = recorded_gaps(tmp_path / "ticks")
    assert (row.cause, row.state, str(row.subscription)) == ("reset", "filled", "trade KRW-BTC")
