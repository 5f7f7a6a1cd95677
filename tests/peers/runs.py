"""Another client's program as a child process: its lines in, our lines out, each wait limited."""

from __future__ import annotations

import asyncio
import json
import os
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

_HERE = Path(__file__).parent
_ROOT = _HERE.parent.parent
_PYTHON = _ROOT / ".peers" / "bin" / "python"
_PATIENCE = 20.0


class Peer:
    """A running program that says one JSON object a line."""

    def __init__(self, process: asyncio.subprocess.Process) -> None:
        self._process = process
        self.said: list[dict[str, Any]] = []

    async def until(self, wanted: Callable[[dict[str, Any]], bool]) -> dict[str, Any]:
        """The next thing it says that is wanted; all before is kept in ``said``."""
        assert self._process.stdout is not None
        async with asyncio.timeout(_PATIENCE):
            while line := await self._process.stdout.readline():
                fact: dict[str, Any] = json.loads(line)
                self.said.append(fact)
                if wanted(fact):
                    return fact
        raise AssertionError(f"it ended; it said last: {self.said[-3:]}; {await self._complaint()}")

    async def says(self, what: str) -> dict[str, Any]:
        """The next thing of that name."""
        return await self.until(lambda fact: fact["what"] == what)

    def tell(self, line: str) -> None:
        """Write a line to its input."""
        assert self._process.stdin is not None
        self._process.stdin.write(line.encode() + b"\n")

    def end(self) -> None:
        """End its input."""
        assert self._process.stdin is not None
        self._process.stdin.close()

    async def _complaint(self) -> str:
        assert self._process.stderr is not None
        return (await self._process.stderr.read()).decode()[-2_000:]


@asynccontextmanager
async def running(script: str, *arguments: str, **environment: str) -> AsyncIterator[Peer]:
    """Run one of this folder's scripts with the peers' Python; it is ended afterwards."""
    if not _PYTHON.exists():
        pytest.fail(
            f"{_PYTHON} is missing: `make test` sets it up (sh scripts/setup.sh python3 .peers requirements/peers.lock)"
        )
    process = await asyncio.create_subprocess_exec(
        str(_PYTHON), str(_HERE / script), *arguments,
        stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE, limit=2**20,
        env={**os.environ, **environment},
    )  # fmt: skip
    try:
        yield Peer(process)
    finally:
        if process.returncode is None:
            process.kill()
        await process.communicate()
