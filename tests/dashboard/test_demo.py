"""``tapewire serve --demo`` (``make demo-page``): exchanges, gateway and page by one command."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
import urllib.request
from typing import Any

import pytest
from click.testing import CliRunner

from tapewire.apps.cli.main import cli
from tests.docs.pages import ROOT

PATIENCE = 30.0


def ask(address: str) -> bytes:
    with urllib.request.urlopen(address, timeout=PATIENCE) as answer:  # noqa: S310 - http, of this machine
        content: bytes = answer.read()
    return content


def test_one_command_starts_everything_and_says_where() -> None:
    command = [sys.executable, "-m", "tapewire", "serve", "--demo", "--listen", "127.0.0.1:0", "--json"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        try:
            assert process.stdout is not None
            said: dict[str, Any] = json.loads(process.stdout.readline())
            assert said["venues"] == ["upbit", "okx"]
            assert b'<div id="app">' in ask(f"{said['url']}/")
            for venue, symbol in (("upbit", "KRW-BTC"), ("okx", "BTC-USDT")):
                markets = json.loads(ask(f"{said['url']}/v1/markets?venue={venue}"))["markets"]
                assert symbol in [market["symbol"] for market in markets]
        finally:
            process.send_signal(signal.SIGTERM)
            assert process.wait(PATIENCE) == 0


@pytest.mark.parametrize("other", [["--venue", "upbit"], ["--url", "ws://127.0.0.1:1/websocket/v1"]])
def test_the_demo_has_venues_of_its_own(other: list[str]) -> None:
    result = CliRunner().invoke(cli, ["serve", "--demo", *other])
    assert result.exit_code == 2
    assert "leave out --venue and --url, or --demo" in result.output


def test_make_has_a_target_for_it() -> None:
    assert "demo-page: $(STAMP)" in (ROOT / "Makefile").read_text("utf-8")
