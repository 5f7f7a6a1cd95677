"""Every command that would dial a venue which the exchange has ended says so, and dials nothing."""

from __future__ import annotations

from pathlib import Path

import pytest
from click.testing import CliRunner

from tapewire.apps.cli.main import cli


@pytest.mark.parametrize(
    "command",
    [("watch", "BTC-USDT"), ("record", "BTC-USDT"), ("markets",), ("doctor",), ("ping",)],
    ids=lambda command: command[0],
)
def test_a_venue_that_has_ended_is_named_with_what_took_its_place(
    command: tuple[str, ...], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    result = CliRunner().invoke(cli, [*command, "--venue", "okex3"])
    assert result.exit_code == 2, result.output
    assert 'OKEX v3 (docs/okex3.md); its feeds are the venue "okx" now' in result.output.replace("\n", " ")
