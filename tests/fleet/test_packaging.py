"""What is packaged for a fleet says what the command line takes."""

from __future__ import annotations

import re
import shlex
from pathlib import Path

import click
import pytest
import yaml  # type: ignore[import-untyped]

from tapewire.apps.cli.collect import collect
from tapewire.apps.cli.main import cli

PACKAGING = Path(__file__).parents[2] / "packaging"


def parse(words: list[str]) -> click.Context:
    assert words[:2] == ["tapewire", "collect"]
    group = click.Context(cli, info_name="tapewire", **cli.context_settings)
    return collect.make_context("collect", words[2:], parent=group)


def test_the_unit_starts_a_collector(monkeypatch: pytest.MonkeyPatch) -> None:
    unit = (PACKAGING / "systemd" / "tapewire-collect@.service").read_text("utf-8")
    settings = (PACKAGING / "systemd" / "fleet.env").read_text("utf-8")
    given = dict(line.split("=", 1) for line in settings.splitlines() if "=" in line)
    for name, value in given.items():
        monkeypatch.setenv(name, value)
    [start] = re.findall(r"^ExecStart=(.+)$", unit, re.MULTILINE)
    words = re.sub(r"\$\{(\w+)\}", lambda found: given[found[1]], start).replace("%H", "host").replace("%i", "one")
    parsed = parse(["tapewire", *shlex.split(words)[1:]]).params
    assert (parsed["name"], parsed["markets"], parsed["settings"]) == ("host-one", ("KRW-*",), ("replicas=3",))
    assert parsed["to"] == given["TAPEWIRE_FLEET"]
    [patience] = re.findall(r"^TimeoutStopSec=(\d+)$", unit, re.MULTILINE)
    assert float(patience) > parsed["handover"] + 5


def test_the_compose_file_starts_a_cluster_and_its_collectors(monkeypatch: pytest.MonkeyPatch) -> None:
    read = yaml.safe_load((PACKAGING / "compose.yaml").read_text("utf-8"))
    services = read["services"]
    servers = sorted(name for name in services if name.startswith("nats"))
    collectors = [service for name, service in services.items() if name.startswith("collector")]
    assert (len(servers), len(collectors)) == (3, 3)
    for name in servers:
        command = services[name]["command"]
        others = {f"nats://{other}:6222" for other in servers if other != name}
        assert set(command[command.index("-routes") + 1].split(",")) == others
        assert command[command.index("-n") + 1] == name
    for service in collectors:
        assert service["depends_on"] == servers
        monkeypatch.setenv("TAPEWIRE_FLEET", service["environment"]["TAPEWIRE_FLEET"])
        assert parse(shlex.split(service["environment"]["COLLECT"])).params["to"] == f"nats://{','.join(servers)}"
