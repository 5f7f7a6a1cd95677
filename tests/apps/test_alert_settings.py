"""Alerts of a command: from a file of their own or from the settings; private when they hold a secret."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tapewire import alerts
from tapewire.apps.alert_settings import load_alerts
from tapewire.apps.settings import SettingsError
from tapewire.errors import ConfigError
from tapewire.testing.background import BackgroundSimulator

from .test_commands import tapewire

RULE = '[[alerts]]\ntype = "price"\nsymbol = "KRW-BTC"\nabove = 1\n'
SLACK = '[[alerts]]\nchannel = "slack"\nurl = "{url}"\n'


def written(path: Path, text: str, mode: int = 0o644) -> Path:
    path.write_text(text)
    path.chmod(mode)
    return path


def test_without_file_and_settings_there_are_no_alerts() -> None:
    assert load_alerts(None, {}) is None


def test_the_settings_tables_are_taken(tmp_path: Path) -> None:
    written(tmp_path / "tapewire.toml", RULE + SLACK.format(url="$HOOK"))
    plan = load_alerts(None, {"HOOK": "https://hooks.slack.com/x"})
    assert plan is not None
    assert plan.rules == (alerts.Price("KRW-BTC", above=1.0),)
    assert plan.channels == (alerts.Slack("https://hooks.slack.com/x"),)


def test_a_file_of_its_own_goes_before_them(tmp_path: Path) -> None:
    written(tmp_path / "tapewire.toml", RULE)
    plan = load_alerts(written(tmp_path / "own.toml", '[[alerts]]\ntype = "down"\nseconds = 3\n'), {})
    assert plan is not None
    assert plan.rules == (alerts.Down(3),)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ('venue = "upbit"\n', r"own\.toml: has venue; a file of alerts has \[\[alerts\]\] tables and nothing else"),
        ("", r"own\.toml: has nothing; a file of alerts"),
        ('[[alerts]]\ntype = "dwn"\n', r"own\.toml: alerts, table 1: type is 'dwn'.*did you mean 'down'"),
        ("[[alerts]\n", r"own\.toml: is no TOML: "),
    ],
)
def test_a_wrong_file_says_where_and_what(tmp_path: Path, text: str, words: str) -> None:
    with pytest.raises(SettingsError, match=words):
        load_alerts(written(tmp_path / "own.toml", text), {})


def test_a_file_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match=r"own\.toml: is not there, though it was named as the file of alerts"):
        load_alerts(tmp_path / "own.toml", {})


def test_a_wrong_table_of_the_settings_is_named(tmp_path: Path) -> None:
    written(tmp_path / "tapewire.toml", '[[alerts]]\ntype = "down"\nsecs = 1\n')
    with pytest.raises(ConfigError, match="alerts, table 1: key is 'secs'"):
        load_alerts(None, {})


@pytest.mark.parametrize("name", ["own.toml", "tapewire.toml"])
def test_a_file_with_a_secret_in_it_must_be_private(tmp_path: Path, name: str) -> None:
    text = RULE + SLACK.format(url="https://hooks.slack.com/CANARY")
    path = written(tmp_path / name, text)
    asked = path if name == "own.toml" else None
    with pytest.raises(SettingsError, match=r"others may read it \(mode 0644\); do: chmod 600") as caught:
        load_alerts(asked, {})
    assert "CANARY" not in str(caught.value)
    path.chmod(0o600)
    assert load_alerts(asked, {}) is not None


def test_record_tells_its_alerts(exchange: BackgroundSimulator, tmp_path: Path) -> None:
    written(tmp_path / "alerts.toml", RULE)
    result = tapewire("record", "KRW-BTC", "--url", exchange.url, "--types", "trade", "--seconds", "1",
                      "--alerts", "alerts.toml", "--json")  # fmt: skip
    assert result.exit_code == 0, result.output
    said = [json.loads(line) for line in result.output.splitlines()]
    [note] = [line["text"] for line in said if line["type"] == "note"]
    assert note.startswith("[info] price: KRW-BTC is above 1: ")


def test_record_refuses_wrong_alerts_before_it_begins(tmp_path: Path) -> None:
    written(tmp_path / "alerts.toml", '[[alerts]]\ntype = "price"\n')
    result = tapewire("record", "KRW-BTC", "--url", "ws://127.0.0.1:9/", "--alerts", "alerts.toml")
    assert result.exit_code == 2
    assert "tapewire: alerts.toml: alerts, table 1: symbol is None; it must be there" in result.output
    assert not (tmp_path / "recording").exists()
