"""The simulated exchange in a process of its own: what the tests read meanwhile does not hold it up."""

from __future__ import annotations

import subprocess
import sys
import threading
from pathlib import Path
from typing import Any, Self

import msgspec

from tapewire.model.events import TradeEvent
from tapewire.testing.background import BackgroundSimulator
from tests.sizes import size

_PATIENCE = float(size(30, 120))


class Exchange:
    """``BackgroundSimulator`` with as much of it as is needed here, in another process.

    Args:
        options: the fields of ``Scenario``.
    """

    def __init__(self, **options: Any) -> None:
        command = [sys.executable, "-m", "tests.chaos.exchange", msgspec.json.encode(options).decode()]
        self._process = subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, cwd=Path(__file__).parents[2]
        )
        self.url = ""

    @property
    def trades(self) -> list[TradeEvent]:
        """Every trade that the market published."""
        return msgspec.json.decode(self._ask(b"trades\n"), type=list[TradeEvent])

    def __enter__(self) -> Self:
        try:
            self.url = self._ask(b"url\n").decode().strip()
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.kill()  # it has nothing that is worth a farewell
        self._process.wait(_PATIENCE)
        self._process.stdin.close()
        self._process.stdout.close()

    def _ask(self, question: bytes) -> bytes:
        """Its answer of one line; a process that does not answer in time is killed, and has none."""
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        watch = threading.Timer(_PATIENCE, self._process.kill)
        watch.start()
        try:
            self._process.stdin.write(question)
            self._process.stdin.flush()
            answer = self._process.stdout.readline()
        finally:
            watch.cancel()
        assert answer.endswith(b"\n"), "the exchange does not answer"
        return answer


def main(scenario: str) -> None:
    """Play it until the input or the process ends; answer ``url`` and ``trades``."""
    with BackgroundSimulator(**msgspec.json.decode(scenario)) as simulator:
        answers = {"url": simulator.url.encode, "trades": lambda: msgspec.json.encode(simulator.trades)}
        for question in sys.stdin:
            sys.stdout.buffer.write(answers[question.strip()]() + b"\n")
            sys.stdout.buffer.flush()


if __name__ == "__main__":
    main(sys.argv[1])
