"""Real collectors as processes of their own, as their users run them; and what stood at the broker in the end."""

from __future__ import annotations

import asyncio
import json
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Sequence
from contextlib import ExitStack, suppress
from itertools import accumulate
from math import inf
from pathlib import Path
from typing import Any, NamedTuple, Self

from tapewire.fleet.lease import Bucket
from tapewire.fleet.words import FleetOptions, State
from tapewire.model.events import TradeEvent
from tapewire.sinks.brokers.address import Address
from tapewire.sinks.brokers.letters import unpack
from tapewire.sinks.brokers.link import Away
from tapewire.sinks.brokers.nats_line import SCHEMES
from tests.sinks.brokers.servers import Stored

#: Seconds for anything that takes a few at most on a free machine.
PATIENCE = 60.0
#: A trade may be published so long after its execution (spec/upbit.md section 8).
LATE_MS = 2_200


class Collecting:
    """One ``tapewire collect``; what it says is read as it comes."""

    def __init__(self, name: str, *words: str, log: Path, before: Sequence[str] = ()) -> None:
        self.name = name
        self.said: list[dict[str, Any]] = []
        self._news = threading.Condition()
        self._errors = log.open("wb")
        self.process = subprocess.Popen(
            [*before, sys.executable, "-m", "tapewire", "collect", "--name", name, "--json", *words],
            stdout=subprocess.PIPE, stderr=self._errors,
        )  # fmt: skip
        self._ear = threading.Thread(target=self._hear, daemon=True)
        self._ear.start()

    @property
    def notes(self) -> list[str]:
        """Its own words so far."""
        return [line["text"] for line in tuple(self.said) if line["type"] == "note"]

    def until(self, words: str) -> None:
        """Wait until it says this."""
        with self._news:
            assert self._news.wait_for(lambda: any(words in note for note in self.notes), PATIENCE), (words, self.notes)

    def forget(self) -> None:
        """What it said so far does not count any more."""
        self.said.clear()

    def end(self, how: signal.Signals) -> int:
        """Send a signal that ends it; the exit code."""
        self.process.send_signal(how)
        code = self.process.wait(PATIENCE)
        self._ear.join(PATIENCE)
        return code

    def send(self, how: signal.Signals) -> None:
        self.process.send_signal(how)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGCONT)
            self.process.kill()
        self.process.wait(PATIENCE)
        self._ear.join(PATIENCE)
        self._errors.close()
        assert self.process.stdout is not None
        self.process.stdout.close()

    def _hear(self) -> None:
        assert self.process.stdout is not None
        for line in self.process.stdout:
            with self._news:
                if line.endswith(b"\n"):
                    self.said.append(json.loads(line))
                self._news.notify_all()


class Fleet:
    """Collectors of one exchange at one NATS; ``with`` ends them."""

    def __init__(self, nats: str, url: str, folder: Path, *words: str) -> None:
        self._nats, self._folder = nats, folder
        self.words = ["--fleet", nats, "--url", url, *words]
        self._stack = ExitStack()
        self._count = 0

    def start(self, name: str, *words: str, before: Sequence[str] = ()) -> Collecting:
        self._count += 1
        log = self._folder / f"{self._count}-{name}.log"
        return self._stack.enter_context(Collecting(name, *self.words, *words, log=log, before=before))

    def states(self) -> dict[str, State]:
        """What the members say now, by name, as soon as NATS answers."""
        answers: list[dict[str, State]] = []

        def answered() -> bool:
            with suppress(Away):
                answers.append({state.name: state for state in asyncio.run(self._states())})
            return bool(answers)

        wait_for(answered, lambda: f"NATS does not answer {self.complaints()}")
        return answers[0]

    def until(self, right: Callable[[dict[str, State]], bool]) -> dict[str, State]:
        """Wait until what the members say is right."""
        found: dict[str, State] = {}

        def look() -> bool:
            found.clear()
            found.update(self.states())
            return right(found)

        wait_for(look, lambda: f"{found} {self.complaints()}")
        return found

    def complaints(self) -> str:
        return "".join(path.read_text() for path in self._folder.glob("*.log"))

    async def _states(self) -> list[State]:
        bucket = Bucket(Address(self._nats, SCHEMES), FleetOptions(fleet="upbit", name="looker"))
        try:
            return await bucket.states() if await bucket.open(make=False) else []
        finally:
            await bucket.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._stack.close()


def wait_for(condition: Callable[[], bool], words: Callable[[], str] = str) -> None:
    """Look again and again until it holds; ``words`` say what was found instead."""
    patience = threading.Event()
    for _ in range(int(PATIENCE / 0.2)):
        if condition():
            return
        patience.wait(0.2)
    raise AssertionError(words())


def carried(states: dict[str, State]) -> dict[str, set[str]]:
    """Symbol → who carries it."""
    found: dict[str, set[str]] = {}
    for name, state in states.items():
        for symbol in state.carries:
            found.setdefault(symbol, set()).add(name)
    return found


class Trade(NamedTuple):
    """One trade at the broker: its number, when it was published (ms), whether REST told of it."""

    number: int
    at_ms: int
    recovered: bool


def trades(stored: Sequence[Stored]) -> dict[str, list[Trade]]:
    """Trades at the broker by symbol, as they stand there."""
    found: dict[str, list[Trade]] = {}
    for headers, payload in stored:
        if headers["tw-type"] == "trade":
            for event in unpack(headers, payload):
                assert isinstance(event, TradeEvent)
                assert event.sequential_id is not None
                assert event.timestamp is not None
                row = Trade(event.sequential_id, event.timestamp, headers["tw-recovered"] == "1")
                found.setdefault(event.symbol, []).append(row)
    return found


def judge(made: dict[str, list[int]], stored: dict[str, list[Trade]]) -> int:
    """Each trade that was published from the first to the last at the broker is there once, in order; how many are.

    Those that came live stand as they were published; those that REST told of (it knows the order of execution, and
    one may be published 2.2 s after it) no further from their place than that. What it tells of the time before the
    very first one is left aside. If the very first one is told by REST, those count that were executed later, and those
    that were published later than the first live one.

    Args:
        made: numbers of all trades of each symbol, as they were published.
        stored: what is at the broker.
    """
    assert set(stored) == set(made)
    for symbol, rows in stored.items():
        place = {number: position for position, number in enumerate(made[symbol])}
        numbers = [row.number for row in rows]
        assert len(numbers) == len(set(numbers)), f"{symbol}: doubled"
        first = next((place[row.number] for row in rows if not row.recovered), inf)
        since = rows[0].number if rows[0].recovered else inf  # numbers rise with the time of execution
        owed = {number for number in place if place[number] >= first or number >= since}
        kept = [row for row in rows if row.number in owed]
        places = {place[row.number] for row in kept}
        lost = sorted(number for number in owed - set(numbers) if place[number] < max(places))
        assert not lost, f"{symbol}: lost {lost}"
        live = [place[row.number] for row in kept if not row.recovered]
        assert live == sorted(live), f"{symbol}: out of order"
        latest = accumulate((row.at_ms for row in kept), max)
        early = [row for row, newest in zip(kept, latest, strict=True) if row.at_ms < newest - LATE_MS]
        assert not early, (symbol, early, kept)
    return sum(map(len, stored.values()))
