"""``tapewire bench``: its load is real Upbit traffic in form, both clients read the same, the command tells figures."""

from __future__ import annotations

import importlib.util
import json
import struct
from typing import Any

import pytest
from click.testing import CliRunner

import tapewire
from tapewire.apps.cli.bench import BenchResult, Figure, conclusions, load, measure, run_bench
from tapewire.apps.cli.bench_load import market_codes, messages, pieces, snapshots
from tapewire.apps.cli.main import cli
from tapewire.errors import FeedError


def test_the_load_is_repeatable_by_its_seed() -> None:
    codes = market_codes(3)
    assert codes == ["KRW-BTC", "KRW-AAA", "KRW-AAB"]
    assert messages(codes, 50, 1) == messages(codes, 50, 1) != messages(codes, 50, 2)


def test_every_message_of_the_load_decodes_to_one_event_of_its_kind() -> None:
    kinds = set()
    for payload in messages(market_codes(100), 300, 1):
        raw = json.loads(payload)
        (event,) = tapewire.decode("upbit", payload)
        assert (event.symbol, event.timestamp, event.stream_type) == (raw["code"], raw["timestamp"], "REALTIME")
        kinds.add(raw["type"])
    assert kinds == {"ticker", "trade", "orderbook", "candle.1s"}


def test_each_stream_begins_with_its_snapshot() -> None:
    raw = [json.loads(payload) for payload in snapshots(["KRW-BTC", "KRW-AAA"], 1)]
    assert {(message["type"], message["code"]) for message in raw} == {
        (kind, code) for kind in ("ticker", "trade", "orderbook", "candle.1s") for code in ("KRW-BTC", "KRW-AAA")
    }
    assert len(raw) == 8
    assert {message["stream_type"] for message in raw} == {"SNAPSHOT"}


def test_the_pieces_are_whole_frames_of_the_messages() -> None:
    payloads = [b"short", *messages(market_codes(10), 500, 1)]
    stream, found = memoryview(b"".join(pieces(payloads))), []
    while stream:
        opcode, size = stream[0], stream[1]
        start = 2
        if size == 126:
            (size,) = struct.unpack_from("!H", stream, 2)
            start = 4
        assert opcode == 0x82
        found.append(bytes(stream[start : start + size]))
        stream = stream[start + size :]
    assert found == payloads
    assert len(pieces(payloads)) > 1


def test_both_clients_read_the_same_prices() -> None:
    with load(5, seed=1) as (port, _):
        ours = measure("tapewire", port, 5, 3000)
        plain = measure("websockets + json", port, 5, 3000)
    assert ours["checksum"] == plain["checksum"] > 0
    assert ours["messages"] == plain["messages"] == 3000


def test_a_bench_has_a_figure_for_each_client() -> None:
    steps: list[str] = []
    result = run_bench(rounds=1, markets=2, scale=0.02, progress=steps.append)
    assert [figure.name for figure in result.figures] == ["tapewire", "websockets + json"]
    assert all(figure.us_per_message > 0 and figure.rss_mb > 1 for figure in result.figures)
    assert steps == ["round 1 of 1: tapewire", "round 1 of 1: websockets + json"]
    assert (result.markets, result.missing) == (2, None)


def test_a_bench_without_websockets_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(importlib.util, "find_spec", lambda _: None)
    result = run_bench(rounds=1, markets=1, scale=0.01)
    assert [figure.name for figure in result.figures] == ["tapewire"]
    assert result.ratio is None
    assert conclusions(result) == ["No comparison: websockets is not installed: pip install 'tapewire[websockets]'"]


def test_the_ratio_is_in_words() -> None:
    figure: dict[str, Any] = {"messages_per_second": 1.0, "rss_mb": 1.0, "messages": 1, "runs": 1}
    figures = [
        Figure(name="tapewire", us_per_message=3.0, **figure),
        Figure(name="websockets + json", us_per_message=15.0, **figure),
    ]
    result = BenchResult(figures=figures, markets=1, bytes_per_message=1)
    assert conclusions(result) == ["tapewire takes 5.0 times less CPU a message than websockets + json."]


def test_a_client_that_fails_is_told_with_its_own_words() -> None:
    with pytest.raises(FeedError, match=r"^the bench of websockets \+ json failed: ConnectionRefusedError"):
        measure("websockets + json", 1, 1, 100)


def test_the_command_tells_json_lines() -> None:
    done = CliRunner().invoke(cli, ["bench", "--rounds", "1", "--markets", "3", "--json"])
    assert done.exit_code == 0, done.output
    figures = [json.loads(line) for line in done.stdout.splitlines()]
    assert [figure["name"] for figure in figures] == ["tapewire", "websockets + json"]
    assert figures[0]["markets"] == 3
    assert figures[0]["us_per_message"] < figures[1]["us_per_message"]
