"""A tiny exchange with faults and a driver in one plain loop of virtual time: what a machine lives with."""

from __future__ import annotations

import heapq
from collections.abc import Callable, Sequence
from functools import partial
from random import Random

from tapewire.model.line import Handshake, Loss
from tapewire.model.subscription import Subscription
from tapewire.session.actions import Action, Close, Connect, Now, Ping, Progress, Publish, Send
from tapewire.session.machine import Machine
from tapewire.venues.contract import Control, Window
from tests.session.made_up import URL, WALL, stream


class Exchange:
    """Answers a machine's actions after a short while, as the faults of the moment allow.

    ``refuse``: losses with which the next dials fail. ``bad``: symbols for which a request is refused;
    ``hangs_up``: the line is closed after such a refusal. ``frozen``: everything vanishes both ways, until the
    line ends. ``silent``: pings are answered, but no data come.
    """

    def __init__(self, chance: Random, *, every: float = 5.0, latency: float = 0.02, bad: Sequence[str] = ()) -> None:
        self.chance, self.every, self.latency = chance, every, latency
        self.machine: Machine
        self.t, self.jump_ns = 0.0, 0
        self.bad, self.hangs_up = set(bad), False
        self.refuse: list[Loss] = []
        self.frozen = self.silent = False
        self.hang_up_after: float | None = None
        self.line = 0  # number of the present line; 0: none
        self.lines = 0
        self.connects: list[float] = []
        self.messages: dict[int, list[float]] = {}
        self.requests: list[tuple[float, str]] = []
        self.progress: dict[Subscription, Progress] = {}
        self.sold: dict[Subscription, int] = {}
        self.actions: list[tuple[float, Action]] = []
        self._due: list[tuple[float, int, Callable[[], list[Action]]]] = []
        self._number = self._request = 0

    @property
    def now(self) -> Now:
        return Now(self.t, WALL + round(self.t * 1e9) + self.jump_ns)

    def later(self, seconds: float, then: Callable[[], list[Action]]) -> None:
        self._number += 1
        heapq.heappush(self._due, (self.t + seconds, self._number, then))

    def run(self, until: float) -> None:
        """Let everything happen that is due until then, in order of time."""
        while True:
            due = self._due[0][0] if self._due else float("inf")
            deadline = self.machine.deadline
            ticks = deadline is not None and deadline < due
            due = deadline if ticks and deadline is not None else due
            if due > until:
                break
            self.t = max(self.t, due)
            then = heapq.heappop(self._due)[2] if not ticks else self._tick
            self.do(then())
        self.t = until

    def do(self, actions: list[Action]) -> None:
        """What a driver does."""
        for action in actions:
            self.actions.append((self.t, action))
            match action:
                case Connect():
                    self.connects.append(self.t)
                    self.later(self.latency, self._answer_dial)
                case Send(payload):
                    self._take(payload.decode())
                case Ping(payload):
                    self._if_line(self.latency, partial(self._pong, payload))
                case Close(loss):
                    self.line, line = 0, self.line
                    if line:
                        self.do(self.machine.lost(self.now, loss, self.progress))
                case _:
                    pass

    def end(self, loss: Loss) -> None:
        """The line breaks now."""
        if self.line:
            self.line, self.frozen, self.silent = 0, False, False
            self.do(self.machine.lost(self.now, loss, self.progress))

    def _hang_up(self) -> list[Action]:
        self.end(Loss("closed", 1000))
        return []

    def _pong(self, payload: bytes) -> list[Action]:
        return self.machine.pong(self.now, payload)

    def say(self, control: Control) -> None:
        """A control frame comes now."""
        if self.line and not self.frozen:
            self.do(self.machine.control(self.now, control))

    def _tick(self) -> list[Action]:
        return self.machine.tick(self.now, self.progress)

    def _answer_dial(self) -> list[Action]:
        if self.refuse:
            return self.machine.failed(self.now, self.refuse.pop(0))
        self.lines += 1
        self.line, self.frozen, self.silent = self.lines, False, False
        self.progress, self.messages[self.line] = {}, []
        if self.hang_up_after is not None:
            self._if_line(self.hang_up_after, self._hang_up)
        return self.machine.opened(self.now, Handshake(URL))

    def _if_line(self, seconds: float, then: Callable[[], list[Action]]) -> None:
        line = self.line
        self.later(seconds, lambda: then() if self.line == line and not self.frozen else [])

    def _take(self, text: str) -> None:
        self.messages[self.line].append(self.t)
        self.requests.append((self.t, text))
        if text == "PING":
            self._if_line(self.latency, lambda: self.machine.control(self.now, Control("alive")))
            return
        asked = [(stream(name.rstrip("+!")), name[-1] in "+!") for name in text.split(" ", 2)[2].split(", ")]
        if self.bad & {it.symbol for it, _ in asked}:
            self._if_line(self.latency, self._refuse_request)
            return
        self._request += 1
        for it, snapshot in asked:
            self._start(it, self._request, snapshot=snapshot)

    def _refuse_request(self) -> list[Action]:
        if self.hangs_up:
            self._if_line(self.latency, self._hang_up)
        return self.machine.control(self.now, Control("error", "WRONG_FORMAT", "no"))

    def _start(self, it: Subscription, request: int, *, snapshot: bool) -> None:
        def message(*, first: bool = False) -> list[Action]:
            if request != self._request:
                return []
            self._if_line(self.every * (0.5 + self.chance.random()), message)
            if self.silent:
                return []
            self.sold[it] = self.sold.get(it, 0) + (not first)
            before = self.progress.get(it, Progress())
            self.progress[it] = Progress(before.count + 1, self.sold[it], round(self.t * 1000))
            if before.count and not first:
                return []
            return self.machine.first_data(self.now, it, self.progress[it], first)

        self._if_line(self.latency, (lambda: message(first=True)) if snapshot else message)

    # what is looked at afterwards

    def log(self) -> list[str]:
        return [f"{t:.6f} {action}" for t, action in self.actions]

    def events(self) -> list[object]:
        return [action.event for _, action in self.actions if isinstance(action, Publish)]


def worst(times: Sequence[float], window: Window) -> int:
    """The fullest closed window of a sorted log."""
    fullest, start = 0, 0
    for end, t in enumerate(times):
        while times[start] < t - window.seconds:
            start += 1
        fullest = max(fullest, end - start + 1)
    return fullest
