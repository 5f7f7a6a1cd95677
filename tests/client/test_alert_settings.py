"""[[alerts]] tables of a settings file: what they make, and errors that name table, key and what would be right."""

from __future__ import annotations

import tomllib
from pathlib import Path
from typing import Any

import pytest

from tapewire import alerts
from tapewire.client.channels import CHANNELS
from tapewire.errors import ConfigError
from tapewire.hub.alert_rules import RULES

FILE = """
[[alerts]]
type = "down"
seconds = 5
severity = "critical"

[[alerts]]
type = "price"
symbol = "KRW-BTC"
above = 50_000_000
name = "fifty million"

[[alerts]]
type = "silence"
symbols = ["KRW-BTC", "KRW-ETH"]

[[alerts]]
channel = "log"
at_least = "warning"

[[alerts]]
channel = "slack"
url = "$SLACK_URL"

[[alerts]]
channel = "telegram"
token = "123:CANARY"
chat_id = -100123

[[alerts]]
channel = "webhook"
url = "https://example.com/CANARY"
headers = { Authorization = "$HOOK_TOKEN", X-From = "CANARY" }
"""
TABLES = tomllib.loads(FILE)["alerts"]
ENVIRONMENT = {"SLACK_URL": "https://hooks.slack.com/services/CANARY", "HOOK_TOKEN": "Bearer CANARY"}
any_settings: Any = alerts.from_settings


def test_tables_become_rules_and_channels() -> None:
    rules, channels = alerts.from_settings(TABLES, ENVIRONMENT)
    assert rules == (
        alerts.Down(5, severity="critical"),
        alerts.Price("KRW-BTC", above=50_000_000.0, name="fifty million"),
        alerts.Silence(("KRW-BTC", "KRW-ETH")),
    )
    assert channels == (
        alerts.Log(at_least="warning"),
        alerts.Slack("https://hooks.slack.com/services/CANARY"),
        alerts.Telegram("123:CANARY", -100123),
        alerts.Webhook("https://example.com/CANARY", {"Authorization": "Bearer CANARY", "X-From": "CANARY"}),
    )
    assert "CANARY" not in repr(channels)


def test_keys_that_hold_a_secret_themselves_are_named() -> None:
    assert alerts.literal_secrets(TABLES) == [
        "alerts, table 6: token",
        "alerts, table 7: url",
        "alerts, table 7: headers",
    ]
    assert alerts.literal_secrets([{"type": "down"}, "no table"]) == []


@pytest.mark.parametrize(
    ("tables", "words"),
    [
        ({"type": "down"}, "alerts is 'dict'; it must be a list of tables"),
        ("down", "alerts is 'str'; it must be a list of tables"),
        ([], "alerts is 'without a rule'; it must be tables of which one at least has a type"),
        ([{"channel": "log"}], "alerts is 'without a rule'"),
        (["down"], "alerts, table 1 is 'down'; it must be a table"),
        ([{"seconds": 5}], r"alerts, table 1 is \['seconds'\]; it must be one with either type"),
        ([{"type": "down", "channel": "log"}], r"alerts, table 1 is \['channel', 'type'\]; it must be one with either"),
        ([{"type": "dwn"}], "alerts, table 1: type is 'dwn'; it must be one of down, stale.*did you mean 'down'"),
        ([{"type": ["down"]}], r"alerts, table 1: type is \['down'\]; it must be one of down"),
        ([{"type": "xyz"}], "one of down, stale, .*, silence$"),
        ([{"type": "down", "secnds": 5}], "key is 'secnds'; it must be one of .*did you mean 'seconds'"),
        ([{"type": "down", "seconds": "5"}], "alerts, table 1 is 'down'; it must be right in every key: Exp"),
        ([{"type": "down", "seconds": 0}], "right in every key: seconds is 0.0; it must be more than 0"),
        ([{"type": "price", "above": 5}], "alerts, table 1: symbol is None; it must be there: type = 'price' needs it"),
        ([{"type": "down"}, {"channel": "slak"}], "alerts, table 2: channel is 'slak'.*did you mean 'slack'"),
        ([{"type": "down"}, {"channel": "slack"}], "alerts, table 2: url is None; it must be there"),
        (
            [{"channel": "slack", "url": "$NOT_THERE"}],
            r"alerts, table 1: url is '\$NOT_THERE'; it must be the name of a variable that is set: NOT_THERE is not",
        ),
        ([{"channel": "slack", "url": 5}], "alerts, table 1: url is 'int'; it must be a text that is not empty, or"),
        ([{"channel": "slack", "url": "http://h/CANARY"}], "alerts, table 1: url is '…'; it must be an https"),
        (
            [{"channel": "webhook", "url": "https://h/CANARY", "headers": {"A": ""}}],
            "alerts, table 1: headers.A is ''; it must be a text that is not empty",
        ),
        ([{"channel": "log", "at_least": 3}], 'at_least is 3; it must be "info" or'),
        ([{"channel": "telegram", "token": "1:CANARY", "chat_id": []}], r"chat_id is \[\]; it must be the number"),
        ([{"channel": "slack", "url": "https://h/CANARY", "timeout": "1"}], "timeout is '1'; it must be a number"),
        ([{"channel": "telegram", "token": "1:CANARY", "chat_id": 1, "api": 5}], "api is 5; it must be an https"),
    ],
)  # fmt: skip
def test_a_wrong_table_is_refused_with_its_place(tables: Any, words: str) -> None:
    with pytest.raises(ConfigError, match=words) as caught:
        any_settings(tables, {})
    assert "CANARY" not in str(caught.value)


def test_the_page_names_every_rule_and_channel_with_its_options() -> None:
    page = (Path(__file__).parents[2] / "docs/alerts.md").read_text("utf-8")
    shared = set(alerts.Rule.__struct_fields__)
    for word, rule in RULES.items():
        [row] = [line for line in page.splitlines() if line.startswith(f"| `{rule.__name__}(")]
        assert f"| `{word}` |" in row
        assert [name for name in rule.__struct_fields__ if name not in shared and name not in row] == []
    for name in shared:
        assert f"| `{name}` |" in page
    for channel in CHANNELS.values():
        assert f"| `{channel.__name__}(" in page
