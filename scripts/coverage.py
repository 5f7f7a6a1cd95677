"""Branch coverage of the pure rooms by their own tests: anything below 100 % fails."""

from __future__ import annotations

import subprocess
import sys

PURE = [
    "src/tapewire/model/*",
    "src/tapewire/errors.py",
    "src/tapewire/config.py",
    "src/tapewire/venues/*",
    "src/tapewire/session/*",
    "src/tapewire/hub/router.py",
    "src/tapewire/sim/market.py",
    "src/tapewire/sim/faults.py",
    "src/tapewire/sim/peer.py",
]
TESTS = [
    "tests/model",
    "tests/venues",
    "tests/session",
    "tests/hub",
    "tests/sim",
    "tests/test_config.py",
    "tests/test_errors.py",
]


def main() -> int:
    """Run the pure rooms' tests under coverage and report; 0 when every branch was taken."""
    run = [sys.executable, "-m", "coverage"]
    tests = subprocess.run([*run, "run", "-m", "pytest", "-q", "-p", "no:xdist", *TESTS], check=False)
    if tests.returncode:
        return tests.returncode
    report = [*run, "report", f"--include={','.join(PURE)}", "--skip-covered", "--fail-under=100"]
    return subprocess.run(report, check=False).returncode


if __name__ == "__main__":
    sys.exit(main())
