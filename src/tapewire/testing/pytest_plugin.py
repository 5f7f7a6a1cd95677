"""The simulated exchange as pytest fixtures, loaded by pytest itself once tapewire is installed.

``upbit_simulator`` listens on a free port of 127.0.0.1 for the length of one test and stops afterwards::

    def test_my_bot(upbit_simulator):
        bot = MyBot(url=upbit_simulator.url)
        ...
        upbit_simulator.drop(1001)

``okx_simulator`` is the same of OKX.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from tapewire.testing.background import BackgroundSimulator


@pytest.fixture
def upbit_scenario() -> dict[str, object]:
    """Keyword arguments of ``tapewire.sim.scenario.Scenario`` for ``upbit_simulator``; override it in your tests."""
    return {}


@pytest.fixture
def okx_scenario() -> dict[str, object]:
    """The same for ``okx_simulator``."""
    return {}


@pytest.fixture
def okx_simulator(okx_scenario: dict[str, object]) -> Iterator[BackgroundSimulator]:
    """A simulated OKX, as ``upbit_simulator`` is a simulated Upbit."""
    from tapewire.testing.background import BackgroundSimulator  # noqa: PLC0415 - only when a test asks for it

    with BackgroundSimulator(**{"venue": "okx", **okx_scenario}) as simulator:
        yield simulator


@pytest.fixture
def upbit_simulator(upbit_scenario: dict[str, object]) -> Iterator[BackgroundSimulator]:
    """A simulated Upbit on real sockets, in a thread of its own: works with any client, threaded or asyncio."""
    from tapewire.testing.background import BackgroundSimulator  # noqa: PLC0415 - only when a test asks for it

    with BackgroundSimulator(**upbit_scenario) as simulator:
        yield simulator
