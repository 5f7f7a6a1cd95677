"""The pictures of docs/analysis.md are made of the page's own code, and what it finds is true."""

from __future__ import annotations

import importlib.util
import subprocess
import sys
from pathlib import Path
from types import ModuleType

import pytest

from tapewire.client.converting import convert

ROOT = Path(__file__).parents[2]
NAMES = {"gaps.png", "spread.png", "rhythm.png"}


@pytest.fixture(scope="module")
def script() -> ModuleType:
    spec = importlib.util.spec_from_file_location("pictures", ROOT / "scripts" / "pictures.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_the_pages_code_finds_what_happened(script: ModuleType, tmp_path: Path) -> None:
    tape, columns = tmp_path / "ticks", tmp_path / "columns"
    script.record(tape)
    convert(tape, columns)
    code = script.shown_code()
    gaps = code["gaps"](tape)
    assert sorted((one.subscription.kind, one.state) for one in gaps) == sorted(
        [("trade", "nothing_missed"), ("trade", "filled"), ("orderbook", "full_state"), ("orderbook", "full_state")] * 2
    )
    long = [(one.to_ns - one.from_ns) / 1e9 for one in gaps if one.state == "filled"]
    assert all(20 <= seconds < 30 for seconds in long)
    width = code["spread"](columns, "KRW-BTC")
    assert width.index.is_monotonic_increasing
    assert width.min() >= 1_000
    holes = script.blind(gaps, "KRW-BTC")
    assert not any(begin < moment < end for begin, end in holes for moment in width.index)
    counts, pauses = code["rhythm"](columns, "KRW-BTC")
    assert counts.sum() == len(pauses) + 1
    assert counts[1:-1].min() > 0, "what was missed stands where it belongs"
    assert len(code["closes"](columns, "KRW-BTC")) >= 10
    assert len(code["table"](columns, "trade", "KRW-BTC")) == len(pauses) + 1


def test_the_script_makes_every_picture_of_the_page(tmp_path: Path) -> None:
    program = [sys.executable, str(ROOT / "scripts" / "pictures.py"), "--to", str(tmp_path)]
    subprocess.run(program, check=True, capture_output=True, timeout=50)
    assert {path.name for path in tmp_path.iterdir()} == NAMES
    page = (ROOT / "docs" / "analysis.md").read_text("utf-8")
    assert all(f"(pictures/{name})" in page and (ROOT / "docs" / "pictures" / name).is_file() for name in NAMES)
