"""scripts/setup.sh on machines that lack something: it says what, stops, and leaves nothing half made behind."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest

SCRIPT = Path(__file__).parent.parent / "scripts/setup.sh"

#: A Python of the machine: good enough for the version check, and `venv` does what the test says.
PYTHON = """#!/bin/sh
case "$1 $2" in
  "-c import"*) exit {old} ;;
  "-V "*) echo "Python 3.9.2" ;;
  "-m venv") {venv} ;;
  *) exit 1 ;;
esac
"""
MAKES = 'mkdir -p "$3/bin" && cp "$0.inside" "$3/bin/python"'
BREAKS = 'echo "ensurepip is not available"; mkdir -p "$3/bin"; exit 1'
#: The Python inside the environment: `pip --version` works, `pip install` writes down what it was asked for.
INSIDE = """#!/bin/sh
case "$*" in
  "-m pip --version") exit 0 ;;
  *) echo "$*" >> asked; echo "pip says no"; exit {pip} ;;
esac
"""


def script(path: Path, text: str) -> None:
    path.write_text(text, "utf-8")
    path.chmod(0o755)


def set_up(tmp_path: Path, *, venv: str = MAKES, old: int = 0, pip: int = 0) -> subprocess.CompletedProcess[str]:
    """Run the script as somebody who may not install packages."""
    script(tmp_path / "python", PYTHON.format(old=old, venv=venv))
    script(tmp_path / "python.inside", INSIDE.format(pip=pip))
    (tmp_path / "path").mkdir(exist_ok=True)
    script(tmp_path / "path/id", "#!/bin/sh\necho 1000\n")
    command = ["sh", str(SCRIPT), "./python", "env", "dev.lock", "."]
    path = f"{tmp_path / 'path'}:{os.environ['PATH']}"
    return subprocess.run(
        command, cwd=tmp_path, env={"PATH": path}, capture_output=True, text=True, timeout=30, check=False
    )


def test_the_lock_is_installed_with_its_hashes_and_then_the_project(tmp_path: Path) -> None:
    done = set_up(tmp_path)
    assert (done.returncode, done.stderr) == (0, "setting up env …\ninstalling dev.lock …\n")
    lock, project = (tmp_path / "asked").read_text("utf-8").splitlines()
    assert lock.endswith("--require-hashes -r dev.lock")
    assert project.endswith("--no-build-isolation -e .")


def test_a_failed_installation_fails_and_says_what_pip_said(tmp_path: Path) -> None:
    done = set_up(tmp_path, pip=1)
    assert done.returncode == 1
    assert "pip says no" in done.stderr
    assert "the installation into env failed" in done.stderr


def test_an_environment_that_is_whole_is_kept_and_one_without_pip_is_made_anew(tmp_path: Path) -> None:
    set_up(tmp_path)
    assert set_up(tmp_path).stderr == "installing dev.lock …\n"
    script(tmp_path / "env/bin/python", "#!/bin/sh\nexit 1\n")
    assert "setting up env …" in set_up(tmp_path).stderr


def test_a_python_without_venv_is_told_in_its_own_words_and_with_what_to_install(tmp_path: Path) -> None:
    done = set_up(tmp_path, venv=BREAKS)
    assert done.returncode == 1
    assert "ensurepip is not available" in done.stderr
    assert "sudo apt-get install python3-venv" in done.stderr
    assert not (tmp_path / "env").exists()


@pytest.mark.parametrize(("python", "found"), [("./python", "Python 3.9.2"), ("./none", "not there")])
def test_too_old_a_python_or_none_is_named_with_what_would_be_right(tmp_path: Path, python: str, found: str) -> None:
    script(tmp_path / "python", PYTHON.format(old=1, venv=MAKES))
    command = ["sh", str(SCRIPT), python, "env", "dev.lock"]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, timeout=30, check=False)
    assert done.returncode == 1
    assert done.stderr == (
        f"tapewire needs Python 3.11 or newer; {python} is {found}. Name another: make PYTHON=python3.12 demo\n"
    )
