"""``tapewire publish`` as its users run it, against real brokers: what arrives, what it says, no password in it."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest
from click.testing import CliRunner

from tapewire.apps.cli.main import cli
from tapewire.model.events import Event
from tapewire.sinks.brokers.letters import unpack
from tapewire.testing.background import BackgroundSimulator
from tests.sinks.brokers.servers import PASSWORD, NatsServer, RedisServer


@pytest.fixture(scope="module")
def simulator() -> Iterator[BackgroundSimulator]:
    with BackgroundSimulator(markets=("KRW-BTC", "KRW-ETH"), rate=50.0) as running:
        yield running


def publish(
    simulator: BackgroundSimulator, folder: Path, *words: str, to: str = "", until: str = ""
) -> subprocess.CompletedProcess[str]:
    """Run it, and stop it by Ctrl-C when a line of its output has this in it."""
    command = ["publish", "KRW-BTC", "KRW-ETH", "--types", "trade,orderbook", "--url", simulator.url]
    address = {"TAPEWIRE_PUBLISH_TO": to} if to else {}
    with subprocess.Popen(
        [sys.executable, "-m", "tapewire", *command, *words],
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, cwd=folder, env={**os.environ, **address},
    ) as ran:  # fmt: skip
        assert ran.stdout is not None
        seen = []
        for line in ran.stdout:
            seen.append(line)
            if until and re.search(until, line):
                ran.send_signal(signal.SIGINT)
                until = ""
        said, errors = ran.communicate(timeout=50)
    everything = "".join(seen) + said
    assert PASSWORD not in everything + errors
    return subprocess.CompletedProcess(ran.args, ran.returncode, everything, errors)


def test_what_comes_is_at_the_broker(simulator: BackgroundSimulator, tmp_path: Path) -> None:
    if not NatsServer.is_there():
        pytest.skip("make servers")
    with NatsServer(tmp_path / "server") as server:
        ran = publish(simulator, tmp_path, "--json", "--form", "venue", "--batch", "20", "-v",
                      to=server.address, until='"status".*"trade":')  # fmt: skip
        assert ran.returncode == 130, ran.stderr
        summary = json.loads(ran.stdout.splitlines()[-1])
        events = [event for headers, payload in server.stored() for event in unpack(headers, payload)]
    came = Counter(event.kind for event in events if isinstance(event, Event))
    assert came == summary["received"]
    assert came["trade"]
    assert summary["broker"]["confirmed"] == len(events) == sum(row["events"] for row in summary["files"])
    assert summary["folder"] == f"nats://127.0.0.1:{server.port}"
    assert sorted(path.name for path in (tmp_path / "publish-spool").iterdir()) == ["owner"]


def test_the_summary_for_people(simulator: BackgroundSimulator, tmp_path: Path) -> None:
    if not RedisServer.is_there():
        pytest.skip("make servers")
    with RedisServer(tmp_path / "server") as server:
        ran = publish(simulator, tmp_path, "--spool", "none", "--set", "latest=true", "--to", server.address,
                      until=r" s  orderbook .*trade \d.*confirmed")  # fmt: skip
    assert ran.returncode == 130, ran.stderr
    assert f"to redis://127.0.0.1:{server.port}\n" in ran.stdout
    assert f" at redis://127.0.0.1:{server.port}\n" in ran.stdout
    assert "events confirmed in" in ran.stdout
    assert "the feed's own" in ran.stdout
    assert not (tmp_path / "publish-spool").exists()


def test_wrong_credentials_end_it_with_one_line(simulator: BackgroundSimulator, tmp_path: Path) -> None:
    if not NatsServer.is_there():
        pytest.skip("make servers")
    with NatsServer(tmp_path / "server") as server:
        ran = publish(simulator, tmp_path, "-v", to=server.refused_address)
    assert ran.returncode == 1
    assert f"tapewire: nats://127.0.0.1:{server.port}: Authorization Violation" in ran.stderr


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["--to", "gopher://me:secret@host"], "no sink is called 'gopher'"),
        (["--to", "me:secret@host"], "address is '…'; it must be one that begins with"),
        (
            ["--to", "nats://me:secret@host:port"],
            "address is 'nats://host:port'; it must be an address such as nats://host",
        ),
        (["--to", "redis://me:secret@a,redis://b"], "it must be one server"),
        (["--to", "nats://host", "--set", "speed=1"], "speed is 1; it must be one of these options: batch,"),
        (["--to", "nats://host", "--set", "replicas=many"], "replicas is 'many'; it must be of its type"),
        (["--to", "nats://host", "--set", "replicas"], "'replicas' is not NAME=VALUE"),
        (["--to", "nats://host", "--prefix", "a b"], "prefix is 'a b'"),
        ([], "Missing option '--to'"),
    ],
)
def test_what_cannot_be_is_refused_before_anything_is_asked(words: list[str], said: str) -> None:
    ran = CliRunner().invoke(cli, ["publish", "KRW-BTC", *words])
    assert (ran.exit_code, ran.stdout) == (2, "")
    assert said in ran.stderr
    assert "secret" not in ran.stderr


@pytest.mark.parametrize("words", [["settings"], ["settings", "--json"]])
@pytest.mark.parametrize(
    "url", ["nats://me:secret@host:1", "ws://me:secret@host", "redis://me:secret@a,redis://x:secret@b"]
)
def test_settings_show_no_password_of_an_address(words: list[str], url: str) -> None:
    ran = CliRunner().invoke(cli, words, env={"TAPEWIRE_URL": url})
    assert ran.exit_code == 0
    assert "secret@" not in ran.output
    assert "host" in ran.output or "//b" in ran.output


def test_a_broker_that_is_away_is_told_without_its_password() -> None:
    words = ["watch", "KRW-BTC", "--view", "lines", "--seconds", "0.3", "-v", "--url", "redis://me:secret@127.0.0.1:1"]
    ran = CliRunner().invoke(cli, words)
    assert ran.exit_code == 1
    assert "127.0.0.1:1" in ran.output
    assert "secret" not in ran.output
