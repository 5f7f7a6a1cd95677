"""Runs the pure rooms' own tests and measures branch coverage of these rooms: anything below 100 % fails."""

from __future__ import annotations

import subprocess
import sys
import tomllib
from pathlib import Path

ROOT = Path(__file__).parents[1]


def pure() -> list[str]:
    """The files that the import rule of the pure rooms names, and those that stand outside the rooms."""
    rules = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["tool"]["importlinter"]["contracts"]
    [modules] = [rule["source_modules"] for rule in rules if rule["name"].startswith("Pure rooms")]
    paths = [
        "src/" + module.replace(".", "/")
        for module in [*modules, "tapewire.errors", "tapewire.config", "tapewire.credentials"]
    ]
    return [f"{path}/*" if (ROOT / path).is_dir() else f"{path}.py" for path in paths]


def main(tests: list[str]) -> int:
    """Run ``tests`` under coverage and report; 0 when they passed and took every branch."""
    run = [sys.executable, "-m"]
    watch = ["--cov=tapewire", "--cov-branch", "--cov-report="]
    passed = subprocess.run([*run, "pytest", "-q", "-n", "2", *watch, *tests], check=False)
    if passed.returncode:
        return passed.returncode
    report = ["coverage", "report", f"--include={','.join(pure())}", "--skip-covered", "--fail-under=100"]
    return subprocess.run([*run, *report], check=False).returncode


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
