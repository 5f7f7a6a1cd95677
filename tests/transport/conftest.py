"""The lines as fixtures."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest

import tapewire.transport.socks  # noqa: F401 - imported late it trips pytest's rewriting in CPython 3.11.7

from .benches import SOCKET_LINES, Bench, Recorder, memory_bench, socket_bench


@pytest.fixture(params=[*SOCKET_LINES, "memory"])
async def bench(request: pytest.FixtureRequest) -> AsyncIterator[Bench]:
    """Each of the three lines in turn."""
    async with memory_bench() if request.param == "memory" else socket_bench(request.param) as made:
        yield made


@pytest.fixture(params=list(SOCKET_LINES))
def socket_line(request: pytest.FixtureRequest) -> str:
    """The name of each line that has a socket."""
    return str(request.param)


@pytest.fixture
def listener() -> Recorder:
    return Recorder()
