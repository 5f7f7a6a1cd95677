"""How large the large tests are: RELIABILITY.md's PR sizes in ``make test``, its full ones in ``make nightly``."""

from __future__ import annotations

import os

NIGHTLY = bool(os.environ.get("TAPEWIRE_NIGHTLY"))


def size(usual: int, nightly: int) -> int:
    """The number for this run."""
    return nightly if NIGHTLY else usual


def figure(text: str) -> None:
    """Say what was measured; seen with ``pytest -s`` (``make nightly``)."""
    print(f"\n  {text}")  # noqa: T201 - meant to be read
