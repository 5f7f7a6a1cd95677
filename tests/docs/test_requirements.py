"""docs/requirements.md names every point of the guides, and every test and page that it names exists."""

from __future__ import annotations

import ast
import re
from pathlib import Path

import pytest

from tests.docs.pages import ROOT

PAGE = ROOT / "docs/requirements.md"
IDS = (ROOT / "tests/data/requirement_ids.txt").read_text("utf-8").split()
SOURCE = ROOT.parent / "shared/REQUIREMENTS.md"
ROW = re.compile(r"^\| (S\d-\d+) \| (.+?) \| (.+) \|$", re.MULTILINE)
#: Promises of the plan of reliability, in the same form.
PROMISE = re.compile(r"^\| ([CLPS]\d+(?:, S\d+)*) \| .+? \| (.+) \|$", re.MULTILINE)
SHOWN = re.compile(r"`(tests/[\w/]+\.py)::((?:\w+::)?\w+)`")
#: Points of the guides that are done: each must be shown here and now.
OWED = (
    ("S0", 29, 29), ("S0", 68, 87), ("S0", 96, 96), ("S0", 99, 99), ("S1", 1, 44), ("S1", 47, 59), ("S2", 1, 72),
    ("S3", 1, 77), ("S4", 25, 37),
)  # fmt: skip
#: Issues that are closed: no point waits for them.
CLOSED = re.compile("issue [A-C]")

rows = {found[1]: found[3] for found in ROW.finditer(PAGE.read_text("utf-8"))}


def test_every_id_is_named_once_and_in_order() -> None:
    assert [found[1] for found in ROW.finditer(PAGE.read_text("utf-8"))] == IDS


@pytest.mark.skipif(not SOURCE.exists(), reason="the list of points is not on this machine")
def test_the_ids_are_those_of_the_list() -> None:
    assert re.findall(r"^- \[.\] (S\d-\d+) ", SOURCE.read_text("utf-8"), re.MULTILINE) == IDS


def test_every_named_test_exists() -> None:
    every = rows | dict(PROMISE.findall(PAGE.read_text("utf-8")))
    assert {"P8", "C8", "S13"} <= every.keys()
    files = {file for shown in every.values() for file, _ in SHOWN.findall(shown)}
    defined = {file: _tests(ROOT / file) for file in files}
    missing = [
        f"{point}: {file}::{name}"
        for point, shown in every.items()
        for file, name in SHOWN.findall(shown)
        if name not in defined[file]
    ]
    assert missing == []


def _tests(path: Path) -> set[str]:
    """Names of the tests in a file, those in classes with their class."""
    found = set()
    for node in ast.parse(path.read_text("utf-8")).body if path.exists() else ():
        found.update(_name(node))
        if isinstance(node, ast.ClassDef):
            found.update(f"{node.name}::{name}" for part in node.body for name in _name(part))
    return found


def _name(node: ast.stmt) -> list[str]:
    if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
        return [node.name] if node.name.startswith("test_") else []
    if isinstance(node, ast.Assign):
        names = [target.id for target in node.targets if isinstance(target, ast.Name)]
        return [name for name in names if name.startswith("Test")]
    return []


def test_every_row_names_a_test_a_page_an_issue_or_says_why() -> None:
    for point, shown in rows.items():
        assert (
            SHOWN.search(shown)
            or re.search(r"\]\([^)]+\.md", shown)
            or re.search(r"issue [D-F]", shown)
            or (len(shown) > 40)
        ), point


def test_what_is_owed_now_is_not_put_off_as_a_whole() -> None:
    """The name of an issue alone shows nothing."""
    put_off = [
        point
        for guide, first, last in OWED
        for point in (f"{guide}-{number}" for number in range(first, last + 1))
        if re.fullmatch(r"issue [A-F](, issue [A-F])*", rows[point])
    ]
    assert put_off == []


def test_nothing_waits_for_an_issue_that_is_closed() -> None:
    assert [point for point, shown in rows.items() if CLOSED.search(shown)] == []


def test_the_page_of_points_is_linked() -> None:
    assert "(requirements.md)" in Path(ROOT / "docs/index.md").read_text("utf-8")
