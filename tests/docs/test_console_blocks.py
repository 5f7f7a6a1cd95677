"""Every command shown in a ```console block exists with its options; settings and scenario files are read."""

from __future__ import annotations

import re
import shlex
from pathlib import Path

import click
import pytest

from tapewire.apps.cli.main import COMMANDS, cli
from tapewire.apps.settings import load
from tapewire.sim.faults import KINDS, parse_fault
from tapewire.sim.scenario import build, read_scenario
from tests.docs.pages import ROOT, Block, blocks

LINES = [(str(block), line) for block in blocks("console") for line in block.text.splitlines()]


@pytest.mark.parametrize("line", [line for _, line in LINES if line.startswith("tapewire ")])
def test_a_command_takes_what_it_is_given(line: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "bad-day.toml").write_text(_toml("docs/simulator.md"), "utf-8")
    (tmp_path / "all_cryptofeed-2022-05-13.jsonl").touch()
    _, *words = shlex.split(line.partition(" | ")[0])
    _parse(words)


def test_the_parser_refuses_what_does_not_exist() -> None:
    with pytest.raises(click.UsageError):
        _parse(["record", "KRW-BTC", "--speed", "7"])
    with pytest.raises(click.UsageError):
        _parse(["recrod", "KRW-BTC"])


@pytest.mark.parametrize("line", [line for _, line in LINES if not line.startswith("tapewire ")])
def test_any_other_command_is_one_of_few(line: str) -> None:
    word, *rest = shlex.split(line)
    if word == "make":
        targets = (ROOT / "Makefile").read_text("utf-8")
        assert all(f"\n{target}:" in targets for target in rest)
    else:
        extras = (ROOT / "pyproject.toml").read_text("utf-8").partition("[project.optional-dependencies]")[2]
        assert (word, rest[0]) == ("pip", "install")
        assert rest[1] == "." or f"\n{rest[1].strip('.[]')} = " in extras


def test_the_readme_names_the_two_commands() -> None:
    shown = [line for place, line in LINES if place.startswith("README.md")]
    assert shown[:2] == ["make demo", "make test"]


def test_every_command_is_shown_somewhere() -> None:
    text = (ROOT / "README.md").read_text("utf-8")
    assert [name for name in COMMANDS if f"`tapewire {name}" not in text] == []


def test_the_settings_file_of_the_pages_is_read(tmp_path: Path) -> None:
    path = tmp_path / "tapewire.toml"
    path.write_text(_toml("docs/cli.md"), "utf-8")
    settings = load({"TAPEWIRE_CONFIG": str(path)})
    assert (settings.venue, settings.format, settings.compression) == ("upbit-sg", "SIMPLE", True)
    assert (settings.session.ping_interval, settings.session.backoff_cap) == (15, 60)


def test_the_scenario_file_of_the_pages_can_be_played(tmp_path: Path) -> None:
    path = tmp_path / "bad-day.toml"
    path.write_text(_toml("docs/simulator.md"), "utf-8")
    scenario = read_scenario(path)
    exchange = build(scenario, 1_786_611_600_000)
    assert set(exchange.market.symbols) == {"KRW-BTC", "KRW-ETH", "USDT-BTC"}
    assert len(scenario.faults) == 5


def test_every_fault_that_the_pages_write_out_can_be_read() -> None:
    page = (ROOT / "docs/simulator.md").read_text("utf-8").partition("<!-- gen:faults -->")[0]
    written = [text for text in re.findall(r"`([^`\n]+)`", page) if re.match(rf"({'|'.join(KINDS)})[@:%]", text)]
    written += [text for _, line in LINES for text in re.findall(r"--fault (\S+)", line)]
    assert len(written) >= 6
    for text in written:
        assert parse_fault(text).name in text


def _parse(words: list[str]) -> None:
    context = click.Context(cli, info_name="tapewire", **cli.context_settings)
    if words == ["--version"]:
        return
    command = cli.get_command(context, words[0])
    assert command is not None
    command.make_context(words[0], words[1:], parent=context)


def _toml(page: str) -> str:
    [block] = [block for block in blocks("toml") if block.page == page]
    assert isinstance(block, Block)
    return block.text
