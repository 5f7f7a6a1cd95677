"""A simulated exchange in a thread, for commands that run a loop of their own."""

from __future__ import annotations

import os
from collections.abc import Iterator

import pytest

from tapewire.testing.background import BackgroundSimulator


@pytest.fixture(scope="module")
def exchange() -> Iterator[BackgroundSimulator]:
    """Upbit with three busy markets."""
    with BackgroundSimulator(venue="upbit", seed=7, markets=("KRW-BTC", "KRW-ETH", "BTC-ETH"), rate=400.0) as simulator:
        yield simulator


@pytest.fixture(autouse=True)
def clean_place(tmp_path: object, monkeypatch: pytest.MonkeyPatch) -> None:
    """A working directory of its own and no settings from outside."""
    monkeypatch.chdir(str(tmp_path))
    for name in tuple(os.environ):
        if name.startswith(("TAPEWIRE_", "UPBIT_")):
            monkeypatch.delenv(name)
