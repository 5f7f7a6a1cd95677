"""The command table: help, versions, errors as one line with the right exit code, completion."""

from __future__ import annotations

import resource
import subprocess
import sys
from pathlib import Path

import click
import pytest
from click.testing import CliRunner

from tapewire import __version__, errors
from tapewire.apps.cli.main import COMMANDS, cli
from tapewire.apps.cli.streams import subscriptions
from tapewire.model.subscription import Subscription
from tapewire.sim.faults import KINDS

RUNNER = CliRunner()
SCRIPT = Path(sys.executable).with_name("tapewire")


def test_help_lists_every_command_with_its_line() -> None:
    result = RUNNER.invoke(cli, ["--help"], terminal_width=120)
    assert result.exit_code == 0
    for name, (_, line) in COMMANDS.items():
        assert f"{name} " in result.output
        assert line in result.output


@pytest.mark.parametrize("name", COMMANDS)
def test_every_command_explains_itself(name: str) -> None:
    result = RUNNER.invoke(cli, [name, "--help"], terminal_width=100)
    assert result.exit_code == 0
    assert "Usage: " in result.output
    assert "Traceback" not in result.output


def test_the_simulators_help_names_every_fault() -> None:
    words = RUNNER.invoke(cli, ["simulate", "--help"], terminal_width=100).output.replace(",", " ").replace(".", " ")
    assert [name for name in KINDS if name not in words.split()] == []


def test_version_and_running_as_a_module() -> None:
    done = subprocess.run([sys.executable, "-m", "tapewire", "--version"], capture_output=True, check=True, text=True)
    assert done.stdout == f"tapewire, version {__version__}\n"


def test_help_costs_less_than_a_quarter_of_a_second() -> None:
    """CPU time of the process, which other work on the machine hardly changes; the best of five."""

    def once() -> float:
        before = resource.getrusage(resource.RUSAGE_CHILDREN)
        subprocess.run([SCRIPT, "--help"], capture_output=True, check=True)
        after = resource.getrusage(resource.RUSAGE_CHILDREN)
        return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime

    assert min(once() for _ in range(5)) < 0.25


def test_help_loads_nothing_heavy() -> None:
    program = (
        "import sys; from tapewire.apps.cli.main import cli; cli(['--help'], standalone_mode=False); "
        "print(sorted({'rich', 'aiohttp', 'picows', 'tapewire.client', 'tapewire.sim'} & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, check=True, text=True)
    assert done.stdout.splitlines()[-1] == "[]"


@pytest.mark.parametrize(
    ("arguments", "hint"),
    [
        (["wach"], "No such command 'wach'; did you mean 'watch'?"),
        (["xyzzy"], "No such command 'xyzzy'; there are demo, watch, record"),
        (["watch"], "Missing argument 'SYMBOLS...'"),
        (["watch", "KRW-BTC", "--types", "tickr"], "'tickr' is no type; there are ticker, trade, orderbook"),
        (["watch", "KRW-BTC", "--types", "orderbook.x"], "'orderbook.x' is no type"),
        (["watch", "KRW-BTC", "--types", "ticker.x"], "'ticker.x' is no type"),
        (["watch", "KRW-BTC", "--types", "indicator.5m"], "'indicator.5m' is no type"),
        (["watch", "KRW-BTC", "--types", "indicator.5m.rsi:period"], "'indicator.5m.rsi:period' is no type"),
        (["watch", "KRW-BTC", "--types", "trade:channel"], "'trade:channel' is no type"),
        (["watch", "KRW-BTC", "--types", "trade:a=b:a=c"], "'trade:a=b:a=c' is no type"),
        (["watch", "KRW-BTC", "--types", "status:a=b"], "'status:a=b' is no type"),
        (["watch", "KRW-BTC", "--types", ":a=b"], "':a=b' is no type"),
        (["watch", "--types", "fundingRate"], "Missing argument 'SYMBOLS...': fundingRate needs a market code"),
        (["watch", "--types", "myOrder,trade"], "Missing argument 'SYMBOLS...': trade needs a market code"),
        (["watch", "KRW-BTC", "--types", "myOrder"], "UPBIT_ACCESS_KEY, UPBIT_SECRET_KEY: are needed for myOrder"),
        (["watch", "KRW-BTC", "--profile", "home"], "profile is 'home'; it must be one of development, testing"),
        (["watch", "KRW-BTC", "--keys", "nowhere"], "nowhere: is not there, though it was named as the file of the"),
        (["watch", "KRW-BTC", "--types", ","], "nothing is left to subscribe"),
        (["watch", "KRW-BTC", "--only", "news"], "'news' is not one of 'snapshot', 'realtime'"),
        (["watch", "KRW-BTC", "--format", "XML"], "'XML' is not one of"),
        (["watch", "KRW-BTC", "--seconds", "0"], "0.0 is not in the range x>0"),
        (["watch", "KRW-BTC", "--seconds", "nan"], "'nan' is no number of seconds"),
        (["record", "KRW-BTC", "--seconds", "inf"], "'inf' is no number of seconds"),
        (["record", "KRW-BTC", "--url", "http://127.0.0.1:9001"], "it must be a ws:// or wss:// address"),
        (["watch", "KRW-BTC", "--venue", "binance"], "no venue is called 'binance'; known: okex3, okx, okx-demo"),
        (["watch", "KRW-BTC", "--url", "ftp://x"], "url is 'ftp://x'; it must be a ws:// or wss:// address"),
        (["watch", "KRW-BTC", "--proxy", "ftp://u:hunter2@x"], "proxy is 'ftp://…'; it must be"),
        (["simulate", "binance"], "no venue is called 'binance'"),
        (["simulate", "--fault", "explode"], "fault is 'explode'; it must be one of drop"),
        (["simulate", "--markets", "btc"], "markets is 'btc'; it must be a code in capitals"),
        (["simulate", "--markets", ","], "markets is '0 codes'; it must be from 1 to 5,000"),
        (["simulate", "--rate", "inf"], "rate is inf; it must be more than 0"),
        (["simulate", "--seconds", "nan"], "'nan' is no number of seconds"),
        (["completion", "csh"], "'csh' is not one of 'bash', 'zsh', 'fish'"),
        (["demo", "--seconds", "99"], "99.0 is not in the range 10<=x<=28"),
    ],
)
def test_wrong_usage_is_told_in_words_and_ends_with_two(arguments: list[str], hint: str) -> None:
    result = RUNNER.invoke(cli, arguments)
    assert hint in result.output
    assert "hunter2" not in result.output
    assert "Traceback" not in result.output
    assert result.exit_code == 2


def test_a_wrong_settings_file_is_wrong_usage(tmp_path: Path) -> None:
    (tmp_path / "tapewire.toml").write_text("urll = 1")
    result = RUNNER.invoke(cli, ["watch", "KRW-BTC"])
    assert result.exit_code == 2
    assert "tapewire: tapewire.toml: urll is no setting; did you mean url?" in result.output


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (errors.Rejected("upbit", "NO", "for \x1b[2J good"), 1),
        (errors.SinkError("disk", "full", "3 lines"), 1),
        (errors.UnknownSymbol("KRW-X", "upbit"), 2),
        (KeyboardInterrupt(), 130),
        (BrokenPipeError(), 0),
    ],
)
def test_each_end_has_its_exit_code(error: BaseException, code: int, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail() -> None:
        raise error

    monkeypatch.setattr(cli, "get_command", lambda *_: click.Command("fail", callback=fail))
    monkeypatch.setattr("tapewire.apps.cli.main._forget_output", lambda: None)
    result = RUNNER.invoke(cli, ["fail"])
    assert result.exit_code == code
    assert "\x1b" not in result.output
    if isinstance(error, errors.FeedError):
        assert result.output.startswith("tapewire: ")


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_completion_scripts(shell: str) -> None:
    result = RUNNER.invoke(cli, ["completion", shell])
    assert result.exit_code == 0
    assert "_TAPEWIRE_COMPLETE" in result.output


@pytest.mark.parametrize(
    ("words", "count", "found"),
    [
        ("tapewire re", 1, "plain,record\nplain,replay\n"),
        ("tapewire watch --venue upbit-", 3, "plain,upbit-id\nplain,upbit-sg\nplain,upbit-th\n"),
        ("tapewire nonsense x", 2, ""),
    ],
)
def test_commands_and_venues_are_completed(words: str, count: int, found: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("_TAPEWIRE_COMPLETE", "bash_complete")
    monkeypatch.setenv("COMP_WORDS", words)
    monkeypatch.setenv("COMP_CWORD", str(count))
    result = RUNNER.invoke(cli, [], prog_name="tapewire")
    assert result.output.strip() == found.strip()


def test_streams_that_need_a_key_have_words_too() -> None:
    assert subscriptions([], "myOrder,myAsset,announcement") == [
        Subscription("myOrder", ""),
        Subscription("myAsset", ""),
        Subscription("announcement", ""),
    ]
    signal = "indicator_signal.15m.rsi:period=14:trigger=overbought:threshold=70"
    bands = "indicator.5m.bollinger_bands:period=20:multiplier=2.5"
    average = "indicator.1d.moving_average:type=SMA:period=5"
    assert subscriptions(["KRW-BTC"], f"myOrder,myAsset,announcement.trade.event,{signal},{bands},{average}") == [
        Subscription("myOrder", "KRW-BTC"),
        Subscription("myAsset", ""),
        Subscription("announcement", "", detail='{"categories":["event","trade"]}'),
        Subscription(
            "indicator_signal",
            "KRW-BTC",
            unit="15m",
            detail='{"event_params":{"threshold":70},"params":{"period":14},"trigger":"overbought","type":"rsi"}',
        ),
        Subscription(
            "indicator",
            "KRW-BTC",
            unit="5m",
            detail='{"params":{"multiplier":2.5,"period":20},"type":"bollinger_bands"}',
        ),
        Subscription(
            "indicator", "KRW-BTC", unit="1d", detail='{"params":{"period":5,"type":"SMA"},"type":"moving_average"}'
        ),
    ]


def test_symbols_and_types_become_subscriptions() -> None:
    assert subscriptions(["KRW-BTC,KRW-ETH", "KRW-BTC"], "trade,orderbook.15,candle,candle.1m", 10.0) == [
        Subscription("trade", "KRW-BTC"),
        Subscription("trade", "KRW-ETH"),
        Subscription("orderbook", "KRW-BTC", depth=15, level=10.0),
        Subscription("orderbook", "KRW-ETH", depth=15, level=10.0),
        Subscription("candle", "KRW-BTC", unit="1s"),
        Subscription("candle", "KRW-ETH", unit="1s"),
        Subscription("candle", "KRW-BTC", unit="1m"),
        Subscription("candle", "KRW-ETH", unit="1m"),
    ]


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="no device that is always full")
@pytest.mark.parametrize("arguments", [["--help"], ["completion", "bash"], ["simulate", "--port", "0", "--json"]])
def test_output_that_cannot_be_written_is_one_line_and_no_traceback(arguments: list[str]) -> None:
    with Path("/dev/full").open("w") as full:
        done = subprocess.run(
            [SCRIPT, *arguments], stdout=full, stderr=subprocess.PIPE, text=True, timeout=30, check=False
        )
    assert (done.returncode, done.stderr) == (1, "tapewire: standard output: no space left on device\n")


def test_without_standard_streams_no_socket_takes_their_place() -> None:
    command = f"exec {SCRIPT} simulate --port 0 --seconds 0.1 <&- >&- 2>&-"
    assert subprocess.run(["sh", "-c", command], timeout=30, check=False).returncode == 0
