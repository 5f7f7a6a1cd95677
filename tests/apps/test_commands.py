"""The commands against the simulated exchange over real sockets."""

from __future__ import annotations

import contextlib
import json
import os
import pty
import re
import signal
import subprocess
import sys
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from tapewire.apps.cli.demo import perform
from tapewire.apps.cli.main import cli
from tapewire.apps.cli.running import Stop, run
from tapewire.config import Secret
from tapewire.testing.background import BackgroundSimulator
from tapewire.venues.exchange import SimKey
from tests.transport.certificates import Authority

SCRIPT = str(Path(sys.executable).with_name("tapewire"))
PATIENCE = 10.0


def tapewire(*arguments: str) -> Result:
    return CliRunner().invoke(cli, arguments, catch_exceptions=False)


def lines(path: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in path.read_bytes().splitlines()]


@contextmanager
def started(*arguments: str, **how: Any) -> Iterator[subprocess.Popen[str]]:
    """A tapewire of its own; ended by force if the test has not ended it."""
    process = subprocess.Popen([SCRIPT, *arguments], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, **how)
    try:
        yield process
    finally:
        process.kill()
        process.communicate()


def read_until(process: subprocess.Popen[str], word: str) -> str:
    assert process.stdout is not None
    for line in process.stdout:
        if word in line:
            return line
    raise AssertionError(f"{word!r} never came: {process.stderr and process.stderr.read()}")


def test_record_writes_the_exchanges_own_json_by_market_and_type(exchange: BackgroundSimulator, tmp_path: Path) -> None:
    result = tapewire("record", "KRW-BTC,KRW-ETH", "--url", exchange.url, "--types", "trade,orderbook.5,candle.1s",
                      "--out", "ticks", "--seconds", "1")  # fmt: skip
    assert result.exit_code == 0, result.output
    folder = tmp_path / "ticks"
    assert sorted(path.name for path in folder.iterdir()) == [
        "KRW-BTC_candle.1s.jsonl", "KRW-BTC_orderbook.jsonl", "KRW-BTC_trade.jsonl",
        "KRW-ETH_candle.1s.jsonl", "KRW-ETH_orderbook.jsonl", "KRW-ETH_trade.jsonl", "misc.jsonl",
    ]  # fmt: skip
    trades = lines(folder / "KRW-BTC_trade.jsonl")
    assert len(trades) > 5
    assert all(
        trade["type"] == "trade" and trade["code"] == "KRW-BTC" and "received_ns" not in trade for trade in trades
    )
    assert {len(book["orderbook_units"]) for book in lines(folder / "KRW-ETH_orderbook.jsonl")} == {5}
    assert {line["type"] for line in lines(folder / "misc.jsonl")} >= {"connecting", "connected", "subscribed"}
    assert "0 reconnects" in result.output
    assert f"{len(trades)}" in result.output


def test_record_in_our_form_and_as_json_with_a_summary_that_counts_the_lines(
    exchange: BackgroundSimulator, tmp_path: Path
) -> None:
    result = tapewire("record", "KRW-BTC", "--url", exchange.url, "--types", "trade", "--form", "event",
                      "--format", "simple_list", "--seconds", "2", "--json")  # fmt: skip
    assert result.exit_code == 0, result.output
    summary = json.loads(result.stdout.splitlines()[-1])
    trades = lines(tmp_path / "recording" / "KRW-BTC_trade.jsonl")
    assert summary["type"] == "summary"
    assert summary["received"] == {"trade": len(trades)}
    assert {"name": "KRW-BTC_trade.jsonl", "events": len(trades),
            "size": (tmp_path / "recording" / "KRW-BTC_trade.jsonl").stat().st_size} in summary["files"]  # fmt: skip
    assert all(trade["received_ns"] > 0 and trade["symbol"] == "KRW-BTC" for trade in trades)
    assert {json.loads(line)["type"] for line in result.stdout.splitlines()} >= {"connecting", "connected", "summary"}


def test_record_raw_of_simple_list_frames_is_one_simple_object_a_line(
    exchange: BackgroundSimulator, tmp_path: Path
) -> None:
    tapewire(
        "record", "KRW-BTC", "--url", exchange.url, "--types", "trade", "--format", "SIMPLE_LIST", "--seconds", "2"
    )
    assert all(trade["ty"] == "trade" for trade in lines(tmp_path / "recording" / "KRW-BTC_trade.jsonl"))


def test_record_over_two_lines_writes_each_trade_once(exchange: BackgroundSimulator, tmp_path: Path) -> None:
    result = tapewire(
        "record", "KRW-BTC", "--url", exchange.url, "--types", "trade", "--redundancy", "2", "--seconds", "4"
    )
    assert result.exit_code == 0, result.output
    ids = [trade["sequential_id"] for trade in lines(tmp_path / "recording" / "KRW-BTC_trade.jsonl")]
    assert len(ids) == len(set(ids)) > 5
    told = lines(tmp_path / "recording" / "misc.jsonl")
    assert {line["connection"] for line in told if line["type"] == "connected"} >= {"upbit-1", "upbit-2"}


def test_only_the_snapshot_and_only_news(exchange: BackgroundSimulator, tmp_path: Path) -> None:
    for only in ("snapshot", "realtime"):
        tapewire("record", "KRW-BTC", "--url", exchange.url, "--types", "ticker", "--only", only, "--seconds", "2",
                 "--out", only)  # fmt: skip
    assert [one["stream_type"] for one in lines(tmp_path / "snapshot" / "KRW-BTC_ticker.jsonl")] == ["SNAPSHOT"]
    assert {one["stream_type"] for one in lines(tmp_path / "realtime" / "KRW-BTC_ticker.jsonl")} == {"REALTIME"}


def test_one_unknown_symbol_does_not_block_the_others(exchange: BackgroundSimulator, tmp_path: Path) -> None:
    result = tapewire("record", "KRW-BTC", "KRW-BTX", "--url", exchange.url, "--types", "trade", "--seconds", "2")
    assert result.exit_code == 0
    assert "symbol is 'KRW-BTX'; it must be a market that upbit lists" in result.output
    assert lines(tmp_path / "recording" / "KRW-BTC_trade.jsonl")


def test_a_folder_whose_name_looks_like_markup_is_shown_as_it_is(exchange: BackgroundSimulator) -> None:
    result = tapewire("record", "KRW-BTC", "--url", exchange.url, "--out", "[red]x[/red]", "--seconds", "0.2")
    assert "files, " in result.output
    assert "in [red]x[/red]" in result.output


def test_nothing_but_unknown_symbols_is_wrong_usage(exchange: BackgroundSimulator) -> None:
    result = tapewire("watch", "KRW-BTX", "--url", exchange.url)
    assert result.exit_code == 2
    assert "tapewire: symbol is 'KRW-BTX'" in result.output


def test_a_recording_that_never_began_shows_its_error_and_no_summary(exchange: BackgroundSimulator) -> None:
    result = tapewire("record", "KRW-BTX", "--url", exchange.url, "--types", "trade")
    assert result.exit_code == 2
    first, second = result.output.splitlines()
    assert first == f"recording 1 stream of {exchange.url} to recording"
    assert second.startswith("tapewire: symbol is 'KRW-BTX'")


def test_watch_in_a_pipe_prints_a_line_an_event_and_the_feeds_steps(exchange: BackgroundSimulator) -> None:
    result = tapewire("watch", "KRW-BTC", "--url", exchange.url, "--seconds", "2")
    assert result.exit_code == 0
    assert "-- upbit-1: connected to ws://" in result.output
    kinds = {line.split()[1] for line in result.output.splitlines() if line.startswith("KRW-BTC ")}
    assert kinds == {"ticker", "trade", "orderbook"}


def test_watch_as_json_is_one_object_a_line(exchange: BackgroundSimulator) -> None:
    result = tapewire("watch", "KRW-BTC", "--url", exchange.url, "--types", "trade", "--seconds", "2", "--json")
    types = [json.loads(line)["type"] for line in result.stdout.splitlines()]
    assert types[0] == "connecting"
    assert types.count("trade") > 2


def on_a_terminal(*arguments: str, until: str) -> tuple[int, str]:
    """Exit code and everything drawn on a terminal of 80 columns; Ctrl-C once ``until`` was seen."""
    master, slave = pty.openpty()
    environment = {**os.environ, "TERM": "xterm", "COLUMNS": "80", "LINES": "24"}
    with subprocess.Popen([SCRIPT, *arguments], stdout=slave, stderr=slave, env=environment) as process:
        os.close(slave)
        drawn = ""
        with contextlib.suppress(OSError):  # how Linux tells that the last writer has gone
            while part := os.read(master, 65536):
                drawn += part.decode("utf-8", "replace")
                if until in drawn and process.poll() is None:
                    process.send_signal(signal.SIGINT)
                    until = "\0"
        os.close(master)
    return process.returncode, drawn


def test_watch_on_a_terminal_draws_a_table_that_stays(exchange: BackgroundSimulator) -> None:
    code, drawn = on_a_terminal(
        "watch", "KRW-BTC", "KRW-NOPE", "--view", "table", "--url", exchange.url, until="upbit-1: 3 streams live"
    )
    assert code == 130, drawn
    assert "tapewire watch · upbit" in drawn
    assert "● connected" in drawn
    assert "refused" in drawn
    assert "\x1b[?1049" not in drawn, "the last state stays: no alternate screen"


def test_record_on_a_terminal_draws_the_board_and_ends_with_the_summary(exchange: BackgroundSimulator) -> None:
    code, drawn = on_a_terminal("record", "KRW-BTC", "--url", exchange.url, until="upbit-1: 3 streams live")
    assert code == 130, drawn
    assert "tapewire record → recording" in drawn
    assert "KRW-BTC" in drawn.rpartition("lines · size")[2]


def test_markets_on_a_terminal_is_a_table(exchange: BackgroundSimulator) -> None:
    code, drawn = on_a_terminal("markets", "--url", exchange.url, until="\0")
    assert code == 0, drawn
    assert "비트코인" in drawn
    assert "3 markets" in drawn


def test_watch_ends_quietly_when_its_reader_goes_away(exchange: BackgroundSimulator) -> None:
    with started("watch", "KRW-BTC", "--url", exchange.url) as process:
        read_until(process, "KRW-BTC")
        assert process.stdout is not None
        process.stdout.close()
        assert process.wait(PATIENCE) == 0
        assert process.stderr is not None
        assert process.stderr.read() == ""
        process.stdout = None


@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 0), (signal.SIGHUP, 130)])
def test_a_signal_ends_the_recording_cleanly_with_everything_flushed(
    exchange: BackgroundSimulator, tmp_path: Path, number: signal.Signals, code: int
) -> None:
    arguments = ("record", "KRW-BTC", "--url", exchange.url, "--types", "trade", "--json")
    with started(*arguments) as process:
        read_until(process, '"subscribed"')
        process.send_signal(number)
        output, errors = process.communicate(timeout=5)
        assert (process.returncode, errors) == (code, "")
    summary = json.loads(output.splitlines()[-1])
    assert len(lines(tmp_path / "recording" / "KRW-BTC_trade.jsonl")) == summary["received"]["trade"] > 0


def test_a_command_leaves_the_signals_as_they_were() -> None:
    numbers = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)

    async def interrupted(stop: Stop) -> None:
        signal.raise_signal(signal.SIGINT)
        await stop.wait(5)

    before = [signal.getsignal(number) for number in numbers]
    assert run(interrupted) == 130
    assert [signal.getsignal(number) for number in numbers] == before


def test_under_nohup_a_lost_terminal_does_not_end_the_recording(exchange: BackgroundSimulator, tmp_path: Path) -> None:
    ignored = signal.signal(signal.SIGHUP, signal.SIG_IGN)
    try:
        with started("record", "KRW-BTC", "--url", exchange.url, "--types", "trade", "--json") as process:
            read_until(process, '"subscribed"')
            process.send_signal(signal.SIGHUP)
            process.send_signal(signal.SIGTERM)
            assert process.wait(PATIENCE) == 0
    finally:
        signal.signal(signal.SIGHUP, ignored)


def test_a_recording_killed_in_the_middle_is_readable_and_can_go_on(
    exchange: BackgroundSimulator, tmp_path: Path
) -> None:
    with started("record", "KRW-BTC", "KRW-ETH", "--url", exchange.url) as process:
        read_until(process, "live")
        process.kill()
        process.wait(PATIENCE)
    assert tapewire("record", "KRW-BTC", "KRW-ETH", "--url", exchange.url, "--seconds", "2").exit_code == 0
    assert all(lines(path) for path in (tmp_path / "recording").iterdir())


def test_a_file_that_may_not_grow_stops_the_recording_with_what_is_safe(
    exchange: BackgroundSimulator, tmp_path: Path
) -> None:
    command = f"ulimit -f 20; exec {SCRIPT} record KRW-BTC KRW-ETH --url {exchange.url} --types orderbook --seconds 9"
    done = subprocess.run(["bash", "-c", command], capture_output=True, text=True, timeout=PATIENCE, check=False)
    assert done.returncode == 1
    assert "_orderbook.jsonl: file too large; safe there: " in done.stderr
    assert len(done.stderr.splitlines()) == 1
    for path in (tmp_path / "recording").iterdir():
        assert path.read_bytes().endswith(b"\n")
        assert lines(path)


def test_an_unwritable_folder_is_named_before_anything_is_asked(exchange: BackgroundSimulator) -> None:
    result = tapewire("record", "KRW-BTC", "--url", exchange.url, "--out", "/proc/here")
    assert result.exit_code == 1
    assert "tapewire: /proc/here: no such file or directory" in result.output


def test_two_recorders_in_one_folder_are_refused(exchange: BackgroundSimulator) -> None:
    with started("record", "KRW-BTC", "--url", exchange.url, "--out", "same") as process:
        read_until(process, "live")
        result = tapewire("record", "KRW-BTC", "--url", exchange.url, "--out", "same", "--seconds", "1")
    assert result.exit_code == 1
    assert "another recorder is writing here" in result.output


def test_record_serves_its_figures_where_it_says(exchange: BackgroundSimulator) -> None:
    arguments = ("record", "KRW-BTC", "--url", exchange.url, "--types", "trade", "--json", "--metrics", "0")
    with started(*arguments) as process:
        read_until(process, '"subscribed"')
        assert process.stderr is not None
        told = process.stderr.readline()
        assert re.fullmatch(r"tapewire: metrics at http://127\.0\.0\.1:\d+/metrics\n", told)
        with urllib.request.urlopen(told.split()[-1], timeout=PATIENCE) as answer:  # noqa: S310 - looked at above
            page = answer.read().decode()
        process.send_signal(signal.SIGTERM)
        assert process.wait(PATIENCE) == 0
    assert "tapewire_" in page


def test_a_taken_port_of_figures_ends_with_one(exchange: BackgroundSimulator) -> None:
    port = exchange.rest_url.rpartition(":")[2]
    result = tapewire("record", "KRW-BTC", "--url", exchange.url, "--metrics", port)
    assert result.exit_code == 1
    assert f"tapewire: metrics: cannot listen on 127.0.0.1:{port}: " in result.output


def test_a_recording_that_was_never_connected_ends_with_one(tmp_path: Path) -> None:
    result = tapewire("record", "KRW-BTC", "--url", "ws://127.0.0.1:1", "--seconds", "0.2")
    assert result.exit_code == 1
    assert "tapewire: unreachable (127.0.0.1:1: connection refused)" in result.output


def test_what_the_account_does_is_watched_and_recorded(tmp_path: Path) -> None:
    key = SimKey(access_key="mine", secret_key=Secret("canary-secret-of-forty-characters-000001"))
    path = tmp_path / "key.toml"
    path.write_text(f'access_key = "mine"\nsecret_key = "{key.secret_key.reveal()}"\n')
    path.chmod(0o600)
    with BackgroundSimulator(markets=("KRW-BTC",), keys=(key,), customer=0.05) as exchange:
        how = ("--url", exchange.url, "--keys", str(path), "--types", "myOrder,myAsset", "--seconds", "2")
        watched = tapewire("watch", *how)
        recorded = tapewire("record", *how, "--json")
    assert (watched.exit_code, recorded.exit_code) == (0, 0), watched.output + recorded.output
    assert "KRW-BTC      myOrder    " in watched.output
    assert " myAsset    " in watched.output
    summary = json.loads(recorded.stdout.splitlines()[-1])
    assert set(summary["received"]) == {"myOrder", "myAsset"}
    everything = "".join(file.read_text() for file in (tmp_path / "recording").iterdir())
    assert "canary" not in everything + watched.output + recorded.output


def test_markets_lists_filters_and_prints_json(exchange: BackgroundSimulator) -> None:
    everything = tapewire("markets", "--url", exchange.rest_url)
    assert [line.split("\t")[0] for line in everything.output.splitlines()] == ["KRW-BTC", "KRW-ETH", "BTC-ETH"]
    assert tapewire("markets", "--url", exchange.url, "--quote", "btc").output.startswith("BTC-ETH\tEthereum\t")
    found = tapewire("markets", "bitcoin", "--url", exchange.url, "--json").stdout.splitlines()
    assert [json.loads(line)["symbol"] for line in found] == ["KRW-BTC"]


def test_markets_without_a_network_says_so_and_what_to_do() -> None:
    result = tapewire("markets", "--url", "http://127.0.0.1:1")
    assert result.exit_code == 1
    assert "connection refused" in result.output
    assert "`tapewire simulate upbit` runs an exchange on this machine" in result.output


def test_simulate_prints_its_addresses_serves_and_ends_on_ctrl_c() -> None:
    with started("simulate", "upbit", "--port", "0", "--markets", "KRW-BTC", "--rate", "200", "--json") as process:
        addresses = json.loads(read_until(process, "url"))
        assert addresses["markets"] == ["KRW-BTC"]
        assert tapewire("markets", "--url", addresses["url"]).output.startswith("KRW-BTC\t")
        process.send_signal(signal.SIGINT)
        assert process.wait(PATIENCE) == 130


def test_simulate_shows_the_keys_that_it_was_given() -> None:
    how = ("simulate", "--port", "0", "--seconds", "0.05", "--markets", "KRW-BTC")
    shown = tapewire(*how, "--key", "mine:its-secret", "--key", "blind:other:none", "--customer", "1").output
    assert "key        mine  secret its-secret\n  key        blind  secret other\n" in shown
    assert re.search(r"private    ws://127\.0\.0\.1:\d+/websocket/v1/private\n  info       ws://.*/v1/info\n", shown)
    facts = json.loads(tapewire(*how, "--key", "mine:its-secret:view_orders,trade", "--json").output)
    assert facts["keys"] == [
        {"access_key": "mine", "secret_key": "its-secret", "permissions": ["trade", "view_orders"]}
    ]
    assert facts["urls"] == {
        side: facts["url"] + path for side, path in (("public", ""), ("private", "/private"), ("info", "/info"))
    }


def test_simulate_of_another_venue_says_what_its_keys_and_users_need() -> None:
    how = ("simulate", "okx", "--port", "0", "--seconds", "0.05", "--markets", "BTC-USDT")
    shown = tapewire(*how).output
    assert re.search(r"key        sim-access-key  secret \S+  passphrase sim-passphrase\n", shown)
    assert re.search(r"business   ws://127\.0\.0\.1:\d+/ws/v5/business\n", shown)
    assert re.search(r"tapewire watch BTC-USDT --venue okx --url ws://127\.0\.0\.1:\d+/ws/v5\n", shown)
    assert json.loads(tapewire(*how, "--json").output)["keys"][0]["passphrase"] == "sim-passphrase"


def test_simulate_speaks_tls_with_a_certificate(tmp_path: Path) -> None:
    authority = Authority(tmp_path)
    authority.server("okx")
    both = tmp_path / "both.pem"
    both.write_bytes((tmp_path / "okx.key").read_bytes() + (tmp_path / "okx.pem").read_bytes())
    how = ("simulate", "okx", "--port", "0", "--seconds", "0.05", "--markets", "BTC-USDT", "--json")
    facts = json.loads(tapewire(*how, "--certificate", str(both)).output)
    assert [facts[name].partition(":")[0] for name in ("url", "rest_url")] == ["wss", "https"]
    both.write_text("no certificate")
    result = tapewire(*how, "--certificate", str(both))
    assert result.exit_code == 2
    assert "it must be a PEM file with a certificate and its key" in result.output


@pytest.mark.parametrize(
    ("key", "says"),
    [
        ("only-a-canary", "key is '***'; it must be ACCESS:SECRET"),
        (":canary", "key is '***'; it must be ACCESS:SECRET"),
        ("mine:canary:withdraw", "permissions is 'withdraw'; it must be some of view_accounts, view_orders, trade"),
    ],
)
def test_simulate_refuses_a_key_without_showing_it(key: str, says: str) -> None:
    result = tapewire("simulate", "--port", "0", "--key", key)
    assert result.exit_code == 2
    assert says in result.output
    assert "canary" not in result.output


def test_simulate_for_people_says_how_to_try_it_and_reads_a_scenario(tmp_path: Path) -> None:
    (tmp_path / "bad.toml").write_text('seed = 5\nmarkets = ["KRW-XRP"]\nfaults = ["drop@1"]\n')
    result = tapewire("simulate", "--port", "0", "--scenario", "bad.toml", "--seconds", "0.1")
    assert result.exit_code == 0
    assert "Simulated upbit, seed 5, 1 market:\n  KRW-XRP\n" in result.output
    assert "tapewire watch KRW-XRP --url ws://127.0.0.1:" in result.output
    assert "Served 0 connections, 0 requests; made " in result.output


def test_the_venue_on_the_command_line_goes_before_the_scenarios(tmp_path: Path) -> None:
    (tmp_path / "sg.toml").write_text('venue = "upbit-sg"\nseed = 5\n')
    how = ("--port", "0", "--scenario", "sg.toml", "--seconds", "0.1")
    assert "Simulated upbit-sg, seed 5" in tapewire("simulate", *how).output
    assert "Simulated upbit-th, seed 5" in tapewire("simulate", "upbit-th", *how).output


def test_simulate_on_a_taken_port_is_wrong_usage(exchange: BackgroundSimulator) -> None:
    port = exchange.rest_url.rpartition(":")[2]
    result = tapewire("simulate", "--port", port)
    assert result.exit_code == 2
    assert f"port is {port}; it must be a free one" in result.output


@pytest.mark.slow
@pytest.mark.parametrize(
    ("venue", "candle", "other"), [("okx", "candle.1s", "ETH-USDT"), ("okex3", "candle.1m", "BTC-USD-190517")]
)
def test_the_demo_of_okx_and_okex_loses_nothing_in_silence_either(
    tmp_path: Path, capsysbinary: pytest.CaptureFixture[bytes], venue: str, candle: str, other: str
) -> None:
    code = run(lambda stop: perform(stop, tmp_path / "demo", 7.0, 1, venue=venue, as_json=True))
    summary = json.loads(capsysbinary.readouterr().out.splitlines()[-1])
    assert (code, summary["lost_in_silence"]) == (0, 0)
    assert summary["made"] > 20
    assert set(summary["received"]) == {"ticker", "trade", "orderbook", candle}
    assert {"BTC-USDT_trade.jsonl", f"{other}_orderbook.jsonl"} <= {file["name"] for file in summary["files"]}


@pytest.mark.slow
def test_the_demo_loses_the_line_twice_and_nothing_in_silence(
    tmp_path: Path, capsysbinary: pytest.CaptureFixture[bytes]
) -> None:
    code = run(lambda stop: perform(stop, tmp_path / "demo", 7.0, 1, as_json=True))
    told = [json.loads(line) for line in capsysbinary.readouterr().out.splitlines()]
    summary = told[-1]
    assert code == 0
    assert (summary["type"], summary["lost_in_silence"]) == ("summary", 0)
    assert summary["reconnects"] in {1, 2}, "the second may come after the end where the machine is busy"
    assert summary["made"] > 50
    losses = [line["loss"]["cause"] for line in told if line["type"] == "disconnected"]
    assert losses[:2] == ["closed", "ping_timeout"]
    assert losses[2:] == ["stopped"] * (summary["reconnects"] - 1), "a line that did not come back cannot be closed"
    assert set(summary["received"]) == {"ticker", "trade", "orderbook", "candle.1s"}
    for file in summary["files"]:
        assert len(lines(tmp_path / "demo" / file["name"])) == file["events"]


def test_the_demo_takes_a_fresh_folder_and_ctrl_c_ends_it_cleanly(tmp_path: Path) -> None:
    (tmp_path / "demo-recording").mkdir()
    with started("demo", "--json") as process:
        read_until(process, '"subscribed"')
        process.send_signal(signal.SIGINT)
        output, errors = process.communicate(timeout=5)
    assert (process.returncode, errors) == (130, "")
    summary = json.loads(output.splitlines()[-1])
    assert (summary["folder"], summary["lost_in_silence"]) == ("demo-recording-2", None)
    assert list((tmp_path / "demo-recording").iterdir()) == []
