"""The wheel has everything that a machine without this folder needs, and needs no compiler."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from zipfile import ZipFile

import pytest

ROOT = Path(__file__).parent.parent


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ZipFile]:
    """A wheel of this folder, made by the build backend alone: no network, no environment of its own."""
    folder = tmp_path_factory.mktemp("wheel")
    command = [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", str(folder)]
    subprocess.run(command, cwd=ROOT, check=True, capture_output=True, timeout=60)
    (path,) = folder.iterdir()
    assert path.name.endswith("-py3-none-any.whl"), "pure Python: one file for every platform"
    with ZipFile(path) as archive:
        yield archive


def test_it_has_every_file_of_the_package_and_no_other(wheel: ZipFile) -> None:
    found = {name for name in wheel.namelist() if ".dist-info/" not in name}
    files = (path for path in (ROOT / "src/tapewire").rglob("*") if path.is_file() and "__pycache__" not in path.parts)
    assert found == {path.relative_to(ROOT / "src").as_posix() for path in files}
    assert {"tapewire/py.typed", "tapewire/sim/data/markets.json"} <= found


def test_it_carries_the_licence_and_the_credits(wheel: ZipFile) -> None:
    for name in ("LICENSE", "NOTICE"):
        (inside,) = [one for one in wheel.namelist() if one.endswith(f".dist-info/licenses/{name}")]
        assert wheel.read(inside) == (ROOT / name).read_bytes()


def test_it_declares_the_command_the_venues_the_sink_and_the_pytest_fixtures(wheel: ZipFile) -> None:
    (inside,) = [one for one in wheel.namelist() if one.endswith(".dist-info/entry_points.txt")]
    declared = wheel.read(inside).decode()
    for line in (
        "tapewire = tapewire.apps.cli.main:main",
        "upbit-th = tapewire.venues.upbit:THAILAND",
        "jsonl = tapewire.sinks.jsonl:JsonlSink",
        "tapewire = tapewire.testing.pytest_plugin",
    ):
        assert line in declared.splitlines()
