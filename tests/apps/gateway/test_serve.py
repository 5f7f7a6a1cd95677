"""``tapewire serve``: what it says, and what it refuses to do."""

from __future__ import annotations

import json
import resource
from pathlib import Path

import pytest
from click.testing import CliRunner

from tapewire.apps.cli.main import cli
from tapewire.client.local import file_limit
from tapewire.testing.background import BackgroundSimulator
from tests.open_files import files_allowed


def run(*words: str) -> tuple[int, str]:
    result = CliRunner().invoke(cli, ["serve", *words], catch_exceptions=False)
    return result.exit_code, result.output


def test_it_says_where_it_is_and_ends_after_its_time(exchange: BackgroundSimulator) -> None:
    code, output = run("--listen", "127.0.0.1:0", "--url", exchange.url, "--seconds", "0.2")
    assert code == 0
    assert "Serving upbit" in output
    assert "/v1/stream" in output
    assert "Served at most 0 clients" in output


def test_it_lets_itself_open_files_for_all_its_clients(exchange: BackgroundSimulator) -> None:
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    with files_allowed(500):
        code, _ = run("--listen", "127.0.0.1:0", "--url", exchange.url, "--seconds", "0.2")
        assert (code, file_limit().allowed) == (0, 4096 if hard == resource.RLIM_INFINITY else min(4096, hard))


def test_json_names_the_addresses_of_several_venues(exchange: BackgroundSimulator) -> None:
    code, output = run(
        "--listen", "127.0.0.1:0", "--venue", "upbit", "--venue", "okx", "--url", f"upbit={exchange.url}",
        "--url", "okx=ws://127.0.0.1:1/ws/v5", "--seconds", "0.2", "--json",
    )  # fmt: skip
    said = json.loads(output)
    assert (code, said["venues"]) == (0, ["upbit", "okx"])
    assert said["url"].startswith("http://127.0.0.1:")
    assert said["stream"] == said["url"].replace("http", "ws") + "/v1/stream"


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("--listen", "127.0.0.1"), "HOST:PORT"),
        (("--listen", "127.0.0.1:99999"), "HOST:PORT"),
        (("--listen", "0.0.0.0:0"), "tokens file"),
        (("--listen", "0.0.0.0:0", "--tokens", "tokens.toml"), "certificate"),
        (("--tokens", "nix.toml"), "TOML file"),
        (("--tls", "nix.pem"), "PEM file"),
        (("--url", "okx=ws://127.0.0.1:1/ws"), "one of a venue that is served"),
        (("--venue", "nix"), "nix"),
        (("--tape", ".", "--venue", "upbit"), "leave out --venue"),
        (("--private",), "UPBIT_ACCESS_KEY"),
        (("--private", "--keys", "okx=keys.toml"), "one of a venue that is served"),
    ],
)
def test_what_it_refuses(words: tuple[str, ...], said: str) -> None:
    tokens = Path("tokens.toml")
    tokens.write_text('[[tokens]]\nname="a"\ntoken="a-token-that-is-long"\n')
    tokens.chmod(0o600)
    code, output = run(*words, "--seconds", "0.1")
    assert code == 2
    assert said in output
