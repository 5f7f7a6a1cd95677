"""Runs the pure rooms' own tests and measures branch coverage of these rooms: anything below 100 % fails."""

from __future__ import annotations

import subprocess
import sys

PURE = [
    "src/tapewire/model/*",
    "src/tapewire/errors.py",
    "src/tapewire/config.py",
    "src/tapewire/venues/*",
    "src/tapewire/session/*",
    *(
        f"src/tapewire/hub/{name}.py"
        for name in ["alert_judges", "alert_rules", "alerting", "calls", "held", "notice_forms", "notices", "router"]
    ),
    *(
        f"src/tapewire/sim/{name}.py"
        for name in [
            "announcements",
            "bars",
            "book",
            "customer",
            "desk",
            "faults",
            "limits",
            "link",
            "market",
            "past",
            "peer",
            "pit",
            "purse",
            "resting",
            "rules",
            "ticks",
        ]
    ),
]


def main(tests: list[str]) -> int:
    """Run ``tests`` under coverage and report; 0 when they passed and took every branch."""
    run = [sys.executable, "-m"]
    watch = ["--cov=tapewire", "--cov-branch", "--cov-report="]
    passed = subprocess.run([*run, "pytest", "-q", "-n", "2", *watch, *tests], check=False)
    if passed.returncode:
        return passed.returncode
    report = ["coverage", "report", f"--include={','.join(PURE)}", "--skip-covered", "--fail-under=100"]
    return subprocess.run([*run, *report], check=False).returncode


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
