"""The wheel has everything that a machine without this folder needs, needs no compiler, and runs once installed."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import sysconfig
from collections.abc import Iterator
from pathlib import Path
from zipfile import ZipFile

import pytest

import tapewire
from tests.docs.pages import ROOT, blocks

pytestmark = pytest.mark.xdist_group("wheel")  # one worker: it is built and installed once for all
PATIENCE = 30.0


def python(*module: str) -> None:
    """Run a module of this environment's Python to its end."""
    subprocess.run([sys.executable, "-m", *module], cwd=ROOT, check=True, capture_output=True, timeout=60)


@pytest.fixture(scope="module")
def file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A wheel of this folder, made by the build backend alone: no network, no environment of its own."""
    folder = tmp_path_factory.mktemp("wheel")
    python("hatchling", "build", "-t", "wheel", "-d", str(folder))
    (path,) = folder.iterdir()
    assert path.name.endswith("-py3-none-any.whl"), "pure Python: one file for every platform"
    return path


@pytest.fixture(scope="module")
def wheel(file: Path) -> Iterator[ZipFile]:
    with ZipFile(file) as archive:
        yield archive


class Machine:
    """An environment with the wheel in it and what it depends on, but nothing of this folder."""

    def __init__(self, folder: Path, wheel: Path) -> None:
        self.bin, self.home = folder / "env" / "bin", folder / "home"
        self.home.mkdir()
        python("venv", "--without-pip", str(folder / "env"))
        python("pip", "--python", str(self.bin / "python"), "install", "-q", "--no-deps", "--no-index", str(wheel))
        # The dependencies are this environment's: a path alone, so that its link to this folder's source is not read.
        (packages,) = (folder / "env" / "lib").glob("python*/site-packages")
        (packages / "dependencies.pth").write_text(sysconfig.get_path("purelib") + "\n", "utf-8")

    def start(self, program: str, *arguments: str) -> subprocess.Popen[str]:
        """Run a program of its ``bin`` in its home."""
        kept = {name: value for name, value in os.environ.items() if not name.startswith(("PYTHON", "TAPEWIRE", "COV"))}
        return subprocess.Popen(
            [str(self.bin / program), *arguments], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
            cwd=self.home, env={**kept, "PYTHONUNBUFFERED": "1"},
        )  # fmt: skip


@pytest.fixture(scope="module")
def machine(file: Path, tmp_path_factory: pytest.TempPathFactory) -> Machine:
    return Machine(tmp_path_factory.mktemp("machine"), file)


@pytest.fixture(scope="module")
def demo(machine: Machine) -> Iterator[subprocess.Popen[str]]:
    """The demo, begun early: it takes its ten seconds while the others are run."""
    with machine.start("tapewire", "demo", "--seconds", "10", "--json", "--out", "recording") as process:
        yield process
        process.kill()


def ended(process: subprocess.Popen[str]) -> str:
    """What it printed, once it has ended well."""
    with process:
        output, errors = process.communicate(timeout=PATIENCE)
    assert (process.returncode, errors) == (0, "")
    return output


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
        "jsonl = tapewire.sinks.files.jsonl:JsonlSink",
        "tapewire = tapewire.testing.pytest_plugin",
    ):
        assert line in declared.splitlines()


@pytest.mark.usefixtures("demo")
def test_installed_it_is_the_wheels_own_code_and_tells_its_version(machine: Machine) -> None:
    code = "import tapewire; print(tapewire.__file__)"
    found = Path(ended(machine.start("python", "-c", code)).strip())
    assert found.is_relative_to(machine.bin.parent)
    assert ended(machine.start("tapewire", "--version")) == f"tapewire, version {tapewire.__version__}\n"
    assert "record" in ended(machine.start("python", "-m", "tapewire", "--help"))


@pytest.mark.usefixtures("demo")
def test_the_readmes_hello_world_runs_against_the_installed_simulator(machine: Machine) -> None:
    hello = next(block.text for block in blocks("python") if block.page == "README.md")
    arguments = ("upbit", "--port", "0", "--markets", "KRW-BTC,KRW-ETH", "--rate", "200", "--json")
    with machine.start("tapewire", "simulate", *arguments) as simulator:
        assert simulator.stdout is not None
        url = json.loads(simulator.stdout.readline())["url"]
        here = hello.replace('WebSocketClient("my_app")', f'WebSocketClient("my_app", url="{url}")')
        assert url in here
        with machine.start("python", "-c", here) as program:
            assert program.stdout is not None
            missing = {"KRW-BTC:", "KRW-ETH:", "a trade"}
            while missing:
                line = program.stdout.readline()
                assert line, program.communicate(timeout=PATIENCE)
                words = line.split()
                missing.discard(words[0] if words[0].startswith("KRW-") else "a trade")
                assert all(float(word.replace(",", "")) > 0 for word in words if not word.startswith("KRW-"))
            program.send_signal(signal.SIGINT)
            program.communicate(timeout=PATIENCE)
        simulator.send_signal(signal.SIGINT)
        simulator.communicate(timeout=PATIENCE)
    assert (program.returncode, simulator.returncode) == (-signal.SIGINT, 130)


@pytest.mark.slow
def test_the_demo_runs_from_the_wheel_and_loses_nothing_in_silence(
    machine: Machine, demo: subprocess.Popen[str]
) -> None:
    summary = json.loads(ended(demo).splitlines()[-1])
    assert (summary["type"], summary["lost_in_silence"]) == ("summary", 0)
    assert (summary["made"] > 50, summary["reconnects"] >= 1) == (True, True)
    for file in summary["files"]:
        assert (machine.home / "recording" / file["name"]).stat().st_size == file["size"] > 0
