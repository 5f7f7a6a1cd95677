"""Makes the other people's files of the live page anew from npm's packages, and writes down their hashes.

    .venv/bin/python scripts/vendor.py          # needs npm and its registry

To take a newer version: change ``PACKAGES``, run it, change the paths in ``index.html`` and ``js``, look at the page.
"""

from __future__ import annotations

import base64
import hashlib
import json
import shutil
import subprocess
import tarfile
import tempfile
from pathlib import Path

VENDOR = Path(__file__).parents[1] / "src" / "tapewire" / "apps" / "dashboard" / "static" / "vendor"
INTRO = """\
# Other people's files in this folder, as npm ships them. Written by scripts/vendor.py; tests/dashboard checks hashes.
"""
#: Package, version, licence, and what is taken of it.
PACKAGES = (
    ("lightweight-charts", "5.2.1", "Apache-2.0", ("dist/lightweight-charts.standalone.production.mjs", "LICENSE")),
    ("uplot", "1.6.32", "MIT", ("dist/uPlot.iife.min.js", "dist/uPlot.min.css", "LICENSE")),
)


def main() -> None:
    tables = [INTRO]
    with tempfile.TemporaryDirectory() as folder:
        for name, version, licence, files in PACKAGES:
            archive = pack(name, version, Path(folder))
            place = VENDOR / f"{name}-{version}"
            shutil.rmtree(place, ignore_errors=True)
            place.mkdir(parents=True)
            tables.append(
                table(name, version, licence, archive) + "".join(take(archive, file, place) for file in files)
            )
    (VENDOR / "vendor.toml").write_text("\n".join(tables), "utf-8")


def pack(name: str, version: str, folder: Path) -> Path:
    """The package's archive, as the registry has it."""
    run = subprocess.run(
        ["npm", "pack", "--json", f"{name}@{version}"], cwd=folder, check=True, capture_output=True, timeout=120
    )
    return folder / json.loads(run.stdout)[0]["filename"]


def table(name: str, version: str, licence: str, archive: Path) -> str:
    integrity = base64.b64encode(hashlib.sha512(archive.read_bytes()).digest()).decode()
    head = {"name": name, "version": version, "licence": licence, "integrity": f"sha512-{integrity}"}
    return "[[package]]\n" + "".join(f'{key} = "{value}"\n' for key, value in head.items()) + "[package.sha256]\n"


def take(archive: Path, name: str, place: Path) -> str:
    """Put one file of the archive into its folder; its line of the table."""
    with tarfile.open(archive) as packed:
        member = packed.extractfile(f"package/{name}")
        assert member is not None, f"{archive.name} has no {name}"
        content = member.read()
    target = place / Path(name).name
    target.write_bytes(content)
    return f'"{target.name}" = "{hashlib.sha256(content).hexdigest()}"\n'


if __name__ == "__main__":
    main()
