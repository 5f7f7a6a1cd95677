"""The house itself: rooms as the architecture page says, small files, import rules that hold and can fail."""

from __future__ import annotations

import ast
import re
import shutil
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from importlib.metadata import entry_points
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
SOURCE = ROOT / "src" / "tapewire"
MODULE_LINES = 400
FUNCTION_LINES = 40

PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())
CONTRACTS = {contract["name"]: contract for contract in PROJECT["tool"]["importlinter"]["contracts"]}

#: One import that each contract must refuse: (file below src/tapewire, line put into it).
WRONG_IMPORTS = {
    "Rooms are stacked: nothing imports upward": ("transport/contract.py", "import tapewire.venues.registry"),
    "Pure rooms touch no socket, clock, task, file, chance, log or environment": ("session/gate.py", "import random"),
    "Nobody imports a concrete venue (entry points only)": ("venues/registry.py", "import tapewire.venues.upbit.rest"),
    "Nobody imports a concrete sink (entry points only)": ("sinks/registry.py", "import tapewire.sinks.files.jsonl"),
    "Only the runtime and the test kit run a session": ("client/lines.py", "import tapewire.session.gate"),
    "Only the client drives the runtime": ("apps/settings.py", "import tapewire.runtime.clock"),
    "Apps are thin: no engine parts behind the client's back": ("apps/settings.py", "import tapewire.hub.router"),
    "The product never needs the simulator": ("client/lines.py", "import tapewire.sim.scenario"),
    "Inside apps: cli > settings": ("apps/settings.py", "import tapewire.apps.cli.main"),
    "No cycles among siblings": ("hub/mailbox.py", "import tapewire.hub.stream"),
}

#: Who may ask for time or chance, and why. The simulator's shell and the commands are not the engine: they own theirs.
TIME_AND_CHANCE = {
    "runtime/clock.py": {"time"},
    "runtime/loops.py": {"time"},  # a loop's clock
    "tape/player.py": {"asyncio.sleep"},  # a turn for everybody else
    "runtime/manager.py": {"random", "uuid"},  # the defaults of what tests hand in
    "sim/scenario.py": {"random"},  # seeded
    "sim/server.py": {"time", "asyncio.sleep"},  # a simulated exchange runs on the real clock, and on the loop's
    "sim/sockets.py": {"asyncio.sleep"},  # a slow network
    "testing/proof.py": {"random"},  # seeded
    "testing/venue_frames.py": {"random"},  # seeded
    "testing/venue_peer.py": {"random"},  # seeded
    "testing/clock.py": {"asyncio.sleep"},  # of virtual time
}


def modules() -> list[Path]:
    return sorted(path for path in SOURCE.rglob("*.py"))


def rooms() -> list[str]:
    return sorted(path.parent.name for path in SOURCE.glob("*/__init__.py"))


def first_line(path: Path) -> str:
    docstring = ast.get_docstring(ast.parse(path.read_text()))
    assert docstring, f"{path} has no docstring"
    return docstring.partition("\n")[0]


def test_the_architecture_page_lists_every_room_with_its_own_words() -> None:
    page = (ROOT / "ARCHITECTURE.md").read_text()
    listed = dict(re.findall(r"^\| `([a-z]+)` \| (.+) \|$", page, flags=re.MULTILINE))
    assert listed == {room: first_line(SOURCE / room / "__init__.py") for room in rooms()}


@pytest.mark.parametrize("path", modules(), ids=lambda path: str(path.relative_to(SOURCE)))
def test_every_module_is_small_and_says_what_it_is_for(path: Path) -> None:
    lines = path.read_text().splitlines()
    assert len(lines) <= MODULE_LINES, f"{path.name} has {len(lines)} lines; cut it"
    assert first_line(path).endswith(".") or len(lines) > 1
    long = [f"{name}: {length}" for name, length in functions(path) if length > FUNCTION_LINES]
    assert not long, f"functions of more than {FUNCTION_LINES} lines (docstrings aside): {long}"


def functions(path: Path) -> Iterator[tuple[str, int]]:
    """Name and lines of each function, its docstring aside."""
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            body = node.body[1:] if ast.get_docstring(node) else node.body
            first = body[0].lineno if body else node.lineno
            yield node.name, (node.end_lineno or first) - first + 1


def test_no_module_is_named_after_nothing() -> None:
    assert {path.stem for path in modules()}.isdisjoint(
        {"utils", "util", "helpers", "helper", "common", "misc", "base"}
    )
    assert [path for path in modules() if path.stem == "manager"] == [SOURCE / "runtime" / "manager.py"]


def test_time_and_chance_are_asked_for_in_their_places_only() -> None:
    used = {str(path.relative_to(SOURCE)): asks_for(path) for path in modules() if SOURCE / "apps" not in path.parents}
    assert {name: what for name, what in used.items() if what} == TIME_AND_CHANCE


def asks_for(path: Path) -> set[str]:
    """Which sources of time and chance a module uses."""
    found: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text())):
        names: list[str] = []
        if isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            names = [node.module or "", *(f"{node.module}.{alias.name}" for alias in node.names)]
        elif isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name):
            names = [f"{node.value.id}.{node.attr}"]
        found.update(name for name in names if name in {"time", "random", "secrets", "uuid", "asyncio.sleep"})
        found.update(name for name in names if re.fullmatch(r"(datetime|date)\.(now|utcnow|today)", name))
    return found


def test_the_search_for_time_and_chance_finds_every_way_of_asking(tmp_path: Path) -> None:
    module = tmp_path / "sly.py"
    module.write_text(
        "import time\nfrom random import random\nimport asyncio as _\nfrom asyncio import sleep\n"
        "import uuid\nimport datetime\nx = datetime.now()\n"
    )
    assert asks_for(module) == {"time", "random", "asyncio.sleep", "uuid", "datetime.now"}


@pytest.mark.parametrize("path", sorted((ROOT / "tests").rglob("*.py")), ids=lambda path: str(path.relative_to(ROOT)))
def test_no_test_sleeps(path: Path) -> None:
    assert sleeps(path) == [], "wait for what happens, or let virtual time pass: tapewire.testing.clock.elapse()"


def sleeps(path: Path) -> list[str]:
    """Each call of a ``sleep`` that takes time: its line and what it says. ``sleep(0)`` is a turn of the loop."""
    tree = ast.parse(path.read_text())
    names = {"sleep"}
    for node in ast.walk(tree):
        if isinstance(node, ast.ImportFrom):
            names.update(alias.asname or alias.name for alias in node.names if alias.name == "sleep")
    calls = [node for node in ast.walk(tree) if isinstance(node, ast.Call) and called(node) in names]
    calls.sort(key=lambda call: call.lineno)
    return [f"{call.lineno}: {ast.unparse(call)}" for call in calls if not is_turn(call)]


def called(call: ast.Call) -> str:
    return call.func.attr if isinstance(call.func, ast.Attribute) else getattr(call.func, "id", "")


def is_turn(call: ast.Call) -> bool:
    return [argument.value for argument in call.args if isinstance(argument, ast.Constant)] == [0]


def test_the_search_for_sleeps_finds_every_way_of_sleeping(tmp_path: Path) -> None:
    module = tmp_path / "test_tired.py"
    module.write_text(
        "import asyncio\nimport asyncio as a\nimport time\nfrom time import sleep as nap\nfrom asyncio import sleep\n"
        "nap(1)\nsleep(delay)\nawait a.sleep(0.01)\ntime.sleep(seconds=2)\nawait asyncio.sleep(0)\nsleep(0.0)\n"
    )
    assert sleeps(module) == ["6: nap(1)", "7: sleep(delay)", "8: a.sleep(0.01)", "9: time.sleep(seconds=2)"]


def lint(root: Path) -> subprocess.CompletedProcess[str]:
    """Check the import rules of this project on the package in ``root``."""
    command = "import sys; from importlinter.cli import lint_imports; sys.exit(lint_imports(no_cache=True))"
    return subprocess.run(
        [sys.executable, "-c", f"import sys; sys.path.insert(0, {str(root / 'src')!r}); {command}"],
        cwd=root, capture_output=True, text=True, timeout=50, check=False,
    )  # fmt: skip


def verdicts(output: str) -> dict[str, str]:
    return dict(re.findall(r"^(.+?) (KEPT|BROKEN)(?: \(.+\))?$", output, flags=re.MULTILINE))


@pytest.fixture
def copy(tmp_path: Path) -> Path:
    """The package and its rules, to be spoilt."""
    shutil.copytree(ROOT / "src", tmp_path / "src", ignore=shutil.ignore_patterns("__pycache__", "data"))
    shutil.copy(ROOT / "pyproject.toml", tmp_path)
    return tmp_path


def test_the_import_rules_hold() -> None:
    run = lint(ROOT)
    assert run.returncode == 0, run.stdout
    assert verdicts(run.stdout) == dict.fromkeys(CONTRACTS, "KEPT")


def test_every_import_rule_has_an_import_that_breaks_it() -> None:
    assert WRONG_IMPORTS.keys() == CONTRACTS.keys()


@pytest.mark.parametrize("contract", WRONG_IMPORTS)
def test_a_wrong_import_is_refused_by_its_rule(contract: str, copy: Path) -> None:
    name, line = WRONG_IMPORTS[contract]
    victim = copy / "src" / "tapewire" / name
    victim.write_text(f"{victim.read_text()}\n{line}\n")
    run = lint(copy)
    assert run.returncode == 1, run.stderr
    assert verdicts(run.stdout)[contract] == "BROKEN"


def test_a_room_that_nobody_knows_is_refused(copy: Path) -> None:
    room = copy / "src" / "tapewire" / "attic"
    room.mkdir()
    (room / "__init__.py").write_text('"""A new room."""\n')
    run = lint(copy)
    assert run.returncode == 1
    assert "attic" in run.stdout


def test_the_rules_name_every_venue_and_every_sink() -> None:
    venues = sorted(f"tapewire.venues.{path.parent.name}" for path in (SOURCE / "venues").glob("*/__init__.py"))
    assert CONTRACTS["Nobody imports a concrete venue (entry points only)"]["protected_modules"] == venues
    sinks = sorted(point.module for point in entry_points(group="tapewire.sinks") if point.dist is not None)
    ours = sorted({module for module in sinks if module.startswith("tapewire.sinks.")})
    assert CONTRACTS["Nobody imports a concrete sink (entry points only)"]["protected_modules"] == ours


def test_every_entry_point_of_a_venue_leads_into_a_folder_of_its_own() -> None:
    points = PROJECT["project"]["entry-points"]["tapewire.venues"]
    folders = {target.split(":")[0] for target in points.values()}
    protected = CONTRACTS["Nobody imports a concrete venue (entry points only)"]["protected_modules"]
    assert folders == set(protected)
