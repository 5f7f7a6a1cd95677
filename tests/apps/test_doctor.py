"""``tapewire doctor`` and ``tapewire settings``: lines for people, objects for programs, the right exit code."""

from __future__ import annotations

import contextlib
import json
import os
import pty
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from tapewire.apps.cli.main import cli
from tapewire.apps.cli.settings import shown
from tapewire.apps.settings import load
from tapewire.apps.table import all_settings, unit_of, value_of
from tapewire.config import LineOptions
from tapewire.testing.background import BackgroundSimulator

SCRIPT = str(Path(sys.executable).with_name("tapewire"))
KEYS = {"UPBIT_ACCESS_KEY": "canary-access", "UPBIT_SECRET_KEY": "canary-secret"}


@pytest.fixture(scope="module")
def exchange() -> Iterator[BackgroundSimulator]:
    """Many patients a second come from one address here: it refuses none for that."""
    with BackgroundSimulator(markets=("KRW-BTC",), limits=False) as simulator:
        yield simulator


def tapewire(*arguments: str, columns: str = "80", **environ: str) -> Result:
    return CliRunner().invoke(cli, arguments, catch_exceptions=False, env={"COLUMNS": columns, **environ})


def test_a_healthy_way_ends_with_zero(exchange: BackgroundSimulator) -> None:
    result = tapewire("doctor", "--url", exchange.url)
    assert result.exit_code == 0, result.output
    lines = result.output.splitlines()
    assert lines[0].startswith(f"ok    settings    upbit at {exchange.url}; ")
    assert lines[-1] == "15 steps well, 0 failed, 1 not tried."
    assert max(map(len, lines)) <= 80
    assert "\x1b" not in result.output


def test_what_failed_stands_with_what_to_do_and_ends_with_one() -> None:
    result = tapewire("doctor", "--url", "ws://127.0.0.1:1/")
    assert result.exit_code == 1
    assert "FAIL  tcp         unreachable (connecting to 127.0.0.1:1: connection refused)" in result.output
    assert "                  → nothing listens there: look at the port; is the simulator\n" in result.output
    assert "–     tls         not tried: it needs tcp" in result.output
    assert result.output.endswith("1 failed, 9 not tried.\n")


def test_as_json_each_step_is_an_object(exchange: BackgroundSimulator) -> None:
    result = tapewire("doctor", "--url", exchange.url, "--json", "--out", "/proc/here")
    assert result.exit_code == 1
    told = [json.loads(line) for line in result.stdout.splitlines()]
    assert told[-1] == {"step": "summary", "ok": 13, "warning": 1, "failed": 1, "skipped": 1}
    assert all(set(line) == {"step", "state", "found", "advice", "facts"} for line in told[:-1])
    by_step = {line["step"]: line for line in told}
    assert (by_step["folder"]["state"], by_step["folder"]["found"]) == (
        "failed",
        "/proc/here: no such file or directory",
    )
    assert (by_step["disk"]["state"], by_step["disk"]["found"]) == ("warning", "0.0 GB free")


def test_rest_may_stand_elsewhere(exchange: BackgroundSimulator) -> None:
    result = tapewire("doctor", "--url", exchange.url, "--rest-url", "http://127.0.0.1:1", "--json")
    [markets] = [one for one in map(json.loads, result.stdout.splitlines()) if one["step"] == "markets"]
    assert (result.exit_code, markets["state"]) == (1, "failed")
    assert "connection refused" in markets["found"]


def test_an_address_of_rest_alone_is_refused() -> None:
    result = tapewire("doctor", "--rest-url", "http://127.0.0.1:1")
    assert result.exit_code == 2
    assert "url is 'http://127.0.0.1:1'; it must be a ws:// or wss:// address; that of REST goes to" in result.output


def test_names_of_the_environment_without_a_meaning_are_told(exchange: BackgroundSimulator) -> None:
    result = tapewire("doctor", "--url", exchange.url, columns="120", UPBIT_WEBSOCKET_RATE_LIMITER="on")
    assert result.exit_code == 0, result.output
    assert result.output.startswith("look  settings ")
    assert "UPBIT_WEBSOCKET_RATE_LIMITER means nothing here: the exchange's limits are always kept" in result.output
    assert "14 steps well, 1 to look at, 0 failed" in result.output


def test_no_key_and_no_password_is_shown() -> None:
    proxy = "socks5://me:canary-password@127.0.0.1:1"
    for how in ((), ("--json",), ("--verbose",)):
        result = tapewire("doctor", "--url", "ws://127.0.0.1:1/", "--proxy", proxy, *how, **KEYS)
        assert result.exit_code == 1
        assert "canary" not in result.output
    for how in ((), ("--json",)):
        result = tapewire("settings", *how, **KEYS, TAPEWIRE_PROXY=proxy)
        assert result.exit_code == 0
        assert "***" in result.output
        assert "canary" not in result.output


def test_ctrl_c_ends_it_with_what_was_found() -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:  # the kernel accepts; nobody ever answers
        command = [SCRIPT, "doctor", "--url", f"ws://127.0.0.1:{silent.getsockname()[1]}/"]
        with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
            assert process.stdout is not None
            seen = next(line for line in process.stdout if line.startswith("ok    tls "))
            process.send_signal(signal.SIGINT)
            output, errors = process.communicate(timeout=10)
    assert (process.returncode, errors) == (130, ""), seen
    assert output.endswith("steps well, 0 failed.\n")


@pytest.mark.parametrize(("environ", "coloured"), [({}, True), ({"NO_COLOR": "1"}, False)])
def test_on_a_terminal_failures_are_coloured_unless_unwanted(environ: dict[str, str], coloured: bool) -> None:
    master, slave = pty.openpty()
    command = [SCRIPT, "doctor", "--url", "ws://127.0.0.1:1/"]
    with subprocess.Popen(
        command, stdout=slave, stderr=slave, env={**os.environ, "TERM": "xterm", **environ}
    ) as process:
        os.close(slave)
        drawn = b""
        with contextlib.suppress(OSError):  # how Linux tells that the last writer has gone
            while part := os.read(master, 65536):
                drawn += part
    os.close(master)
    assert process.returncode == 1
    assert (b"\x1b[31m\x1b[1mFAIL\x1b[0m" in drawn) == coloured
    assert (b"\x1b" in drawn) == coloured


# Settings.


def test_every_setting_is_told_with_its_value_and_source() -> None:
    Path("tapewire.toml").write_text("[session]\nbackoff_cap = 12\n")
    result = tapewire("settings", "--profile", "development", TAPEWIRE_URL="ws://x/")
    assert result.exit_code == 0
    for line in (
        "session.backoff_cap = 12.0 s   (tapewire.toml)",
        "session.ping_interval = 60.0 s   (profile development)",
        "session.ping_timeout = 10.0 s   (default)",
        "url = ws://x/   (environment)",
        "session.max_retries = none   (default)",
    ):
        assert f"\n{line}\n" in f"\n{result.output}"
    assert max(map(len, result.output.splitlines())) <= 100


def test_only_what_was_changed_as_json() -> None:
    result = tapewire("settings", "--changed", "--json", "--profile", "production")
    told = {fact["name"]: fact for fact in map(json.loads, result.stdout.splitlines())}
    assert set(told) == {
        "use_profile", "session.ping_interval", "session.backoff_base", "session.backoff_factor",
        "session.backoff_cap", "line.connect_timeout",
    }  # fmt: skip
    assert told["line.connect_timeout"] == {
        "name": "line.connect_timeout", "value": 15.0, "default": 10.0, "unit": "s", "from": "profile production",
        "meaning": "seconds for name, TCP, TLS and handshake together.",
    }  # fmt: skip


def test_the_table_has_every_setting_with_a_sentence_and_every_number_with_a_unit() -> None:
    rows = all_settings()
    settings = load({})
    assert len({row.key for row in rows}) == len(rows) > 40
    for row in rows:
        assert row.words, row.key
        assert value_of(settings, row) == row.default, row.key
        assert row.unit or isinstance(row.default, bool) or not isinstance(row.default, int | float), row.key
    units = {row.key: row.unit for row in rows}
    assert (units["line.max_message"], units["session.max_retries"], units["mailbox.size"]) == (
        "bytes",
        "tries",
        "events",
    )
    assert (units["session.messages_per_minute"], units["session.jitter"]) == ("1/min", "")
    assert unit_of("seconds between signs of life") == "s"


def test_header_values_and_rules_are_counted_not_shown() -> None:
    options = LineOptions(headers=(("X-Key", "canary"),))
    assert shown("headers", options.headers) == ["X-Key"]
    assert shown("alerts", ({"url": "canary"},)) == 1
    assert (shown("secret_key", None), shown("proxy", None), shown("venue", "upbit")) == (None, None, "upbit")
