"""Faults as values: what goes wrong, when, how often; read from short text, drawn from a seeded generator (pure).

The text is ``name[:value][:option=value…][@start[/every]][xTIMES][%CHANCE]``, times in seconds of the exchange:

==========================  ==========================================================================================
``drop[:CODE]``             close every connection with a close frame (1000)
``abort``                   break every connection without one
``freeze``                  half-open: everything vanishes both ways, nothing is closed; new connections work
``silence[:SECONDS]``       pings are answered, data stop (for good)
``cut``                     send half a frame, then break the connection
``garbage``                 send a frame that is no JSON
``unknown``                 send a frame of a type nobody knows
``error[:NAME]``            send an error frame (WRONG_FORMAT)
``status``                  send the sign of life unasked
``ping[:SECONDS]``          send a PING frame; who has not answered it after so long (10) is cut, ``inf``: never
``maintenance[:SECONDS]``   break every connection and be unreachable (8); ``status=503`` answers that instead
``refuse[:STATUS]``         answer handshakes with a status (429); ``retry=SECONDS`` states Retry-After; once unless xN
``rest[:STATUS]``           answer REST calls with a status (500); ``retry=``; once unless xN
``close-after-subscribe``   ``[:CODE]`` close 50 ms after every request (1000); ``after=SECONDS``
``duplicate``               send trades twice, each with chance %
``late[:SECONDS]``          hold trades back by up to that long (2), each with chance %
``slow[:SECONDS]``          everything sent arrives that much later (0.2); ``for=SECONDS`` ends it
``upgrade[:SECONDS]``       say that the connection will be closed, and close it so much later (60); ``code=`` (1001)
``book-lost[:SYMBOL]``      one message of a book does not arrive (any book), each with chance %
``book-repeat[:SYMBOL]``    one message of a book arrives twice, each with chance %
``book-checksum[:SYMBOL]``  one message of a book has a wrong checksum, each with chance %
``book-late[:SECONDS]``     the snapshot of a book comes that much after its first deltas (0.5), each with chance %
``book-reset[:SYMBOL]``     the numbering of books begins again, as after a maintenance
==========================  ==========================================================================================

``drop@5``: five seconds in. ``drop@5/30x3``: then every thirty seconds, three in all. ``refuse:429:retry=3@0x2``: the
first two handshakes. ``duplicate%0.05``: one trade in twenty. What happens to connections happens to those of one side
alone with ``side=`` (``public``, ``private``, ``info``, ``business``): ``freeze:side=private@20``.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Sequence
from math import inf
from typing import NamedTuple

from msgspec import Struct
from msgspec.structs import force_setattr

from tapewire.errors import ConfigError
from tapewire.sim.link import Unreachable
from tapewire.venues.exchange import HttpAnswer

_FORM = re.compile(
    r"(?P<name>[a-z-]+)(?P<options>(?::[^@%:]*)*)"
    r"(?:@(?P<at>\d+(?:\.\d+)?)(?:/(?P<every>\d+(?:\.\d+)?))?)?"
    r"(?:x(?P<times>\d+))?(?:%(?P<chance>\d+(?:\.\d+)?))?"
)
_FORM_TEXT = "name[:value][:option=value][@start[/every]][xTIMES][%CHANCE]"


class Kind(NamedTuple):
    """What is known of one kind of fault."""

    value: str  # the default
    numeric: bool
    options: tuple[str, ...] = ()
    once: bool = False  # without xN it happens one time
    timed: bool = True  # happens at a moment, by itself; else when there is occasion
    bounds: tuple[float, float] = (0, 100_000)  # of the value; seconds: more than a day of them
    sided: bool = True  # may be of one side's connections only
    named: bool = False  # the value is the symbol that is meant; none: all


GARBAGE = b"\x00\xff this is no JSON {"
UNKNOWN = b'{"type":"moonPhase","code":"KRW-BTC","phase":0.5}'
_PLAIN = (("Content-Type", "text/plain"),)
_SIDES = ("public", "private", "info", "business")
_CODES = (0, 65_535)  # close codes: what two bytes hold, forbidden ones too (they are a fault as well)
_STATUSES = (200, 599)

KINDS = {
    "drop": Kind("1000", numeric=True, bounds=_CODES),
    "abort": Kind("", numeric=False),
    "freeze": Kind("", numeric=False),
    "silence": Kind("inf", numeric=True, bounds=(0, inf)),
    "cut": Kind("", numeric=False),
    "garbage": Kind("", numeric=False),
    "unknown": Kind("", numeric=False),
    "error": Kind("WRONG_FORMAT", numeric=False),
    "status": Kind("", numeric=False),
    "ping": Kind("10", numeric=True, bounds=(0, inf)),
    "maintenance": Kind("8", numeric=True, options=("status", "retry"), sided=False),
    "slow": Kind("0.2", numeric=True, options=("for",), sided=False),
    "refuse": Kind("429", numeric=True, options=("retry",), once=True, timed=False, bounds=_STATUSES),
    "rest": Kind("500", numeric=True, options=("retry",), once=True, timed=False, bounds=_STATUSES, sided=False),
    "close-after-subscribe": Kind("1000", numeric=True, options=("after",), timed=False, bounds=_CODES),
    "duplicate": Kind("", numeric=False, timed=False, sided=False),
    "late": Kind("2", numeric=True, timed=False, sided=False),
    "upgrade": Kind("60", numeric=True, options=("code",)),
    "book-lost": Kind("", numeric=False, timed=False, named=True),
    "book-repeat": Kind("", numeric=False, timed=False, named=True),
    "book-checksum": Kind("", numeric=False, timed=False, named=True),
    "book-late": Kind("0.5", numeric=True, timed=False),
    "book-reset": Kind("", numeric=False, sided=False, named=True),
}


class Fault(Struct, frozen=True, kw_only=True):
    """One fault.

    Attributes:
        name: a key of ``KINDS``.
        value: close code, status, seconds, or name, by kind.
        options: further options by name.
        at: seconds of the exchange at which it begins.
        every: seconds between repetitions; None: happens once (timed) or at every occasion.
        times: occurrences at most; None: no end.
        chance: probability at each occasion.
        side: whose connections it happens to; None: all.
    """

    name: str
    value: str = ""
    options: tuple[tuple[str, float], ...] = ()
    at: float = 0.0
    every: float | None = None
    times: int | None = None
    chance: float = 1.0
    side: str | None = None

    def __post_init__(self) -> None:
        if self.name not in KINDS:
            raise ConfigError("fault", self.name, f"one of {', '.join(KINDS)}")
        kind = KINDS[self.name]
        if not self.value:
            force_setattr(self, "value", kind.value)
        if kind.numeric:
            _number(self.name, self.name, self.value, kind.bounds)
        for option, number in self.options:
            _number(self.name, option, number, _bounds_of(option))
        if unknown := [option for option, _ in self.options if option not in kind.options]:
            raise ConfigError("fault", f"{self.name}:{unknown[0]}=", _known_options(self.name))
        if self.side is not None:
            _check_side(self.name, self.side)
        if not 0 <= self.chance <= 1:
            raise ConfigError("chance", self.chance, "from 0 to 1 (0.05 is one in twenty)")
        if self.every is not None and not self.every > 0:
            raise ConfigError("every", self.every, "more than 0 s")

    @property
    def number(self) -> float:
        """``value`` as a number."""
        return float(self.value)

    def option(self, name: str) -> float | None:
        """A further option, None when it was not given."""
        return dict(self.options).get(name)


def failure(fault: Fault, own: HttpAnswer | None = None) -> HttpAnswer:
    """How a ``refuse`` or ``rest`` answers: in the exchange's ``own`` words, if it has any for the status."""
    return _stating(fault, own or HttpAnswer(int(fault.number), f"HTTP {int(fault.number)}".encode(), _PLAIN))


def away(fault: Fault) -> HttpAnswer | Unreachable:
    """How a ``maintenance`` answers who calls meanwhile."""
    status = fault.option("status")
    if status is None:
        return Unreachable()
    return _stating(fault, HttpAnswer(int(status), b"Service under maintenance.", _PLAIN))


def _stating(fault: Fault, answer: HttpAnswer) -> HttpAnswer:
    """The answer with the wait that ``retry=`` asks for."""
    retry = fault.option("retry")
    wait = () if retry is None else (("Retry-After", f"{retry:g}"),)
    return HttpAnswer(answer.status, answer.body, answer.headers + wait)


def parse_fault(text: str) -> Fault:
    """Read one fault's text; see the module's docstring for the form.

    Raises:
        ConfigError: naming what is wrong and what would be right.
    """
    match = _FORM.fullmatch(text.strip())
    if match is None:
        raise ConfigError("fault", text, f"of the form {_FORM_TEXT}, such as drop@5 or refuse:429:retry=3@0x2")
    name = match["name"]
    if name not in KINDS:
        raise ConfigError("fault", text, f"one of {', '.join(KINDS)}")
    parts = match["options"].split(":")[1:]
    sides = [part.removeprefix("side=") for part in parts if part.startswith("side=")]
    value, options = _options(text, name, [part for part in parts if not part.startswith("side=")])
    every, chance = match["every"], float(match["chance"] or 1)
    if chance > 1:
        raise ConfigError("fault", text, "a chance of at most 1 (%0.05 is one in twenty)")
    if every is not None and float(every) <= 0:
        raise ConfigError("fault", text, "repeated after more than 0 s")
    times = int(match["times"]) if match["times"] else (1 if KINDS[name].once else None)
    return Fault(
        name=name,
        value=value,
        options=options,
        at=float(match["at"] or 0),
        every=None if every is None else float(every),
        times=times,
        chance=chance,
        side=sides[-1] if sides else None,
    )


def _options(text: str, name: str, parts: Sequence[str]) -> tuple[str, tuple[tuple[str, float], ...]]:
    kind, value, options = KINDS[name], KINDS[name].value, []
    for part in parts:
        key, given, number = part.partition("=")
        if not given:
            value = part
        elif key not in kind.options:
            raise ConfigError("fault", text, _known_options(name))
        else:
            options.append((key, _number(text, key, number, _bounds_of(key))))
    if kind.numeric:
        _number(text, name, value, kind.bounds)
    elif value and not kind.value and not kind.named:
        raise ConfigError("fault", text, f"{name} without a value")
    return value, tuple(options)


def _check_side(name: str, side: str) -> None:
    if not KINDS[name].sided:
        raise ConfigError("fault", f"{name}:side={side}", f"{name} without side=: it happens to all at once")
    if side not in _SIDES:
        raise ConfigError("fault", f"{name}:side={side}", f"side={' or side='.join(_SIDES)}")


def _known_options(name: str) -> str:
    options = KINDS[name].options
    return f"{name} {'with ' + ' or '.join(f'{option}=' for option in options) if options else 'without options'}"


def _bounds_of(option: str) -> tuple[float, float]:
    return {"status": _STATUSES, "code": _CODES}.get(option, (0, 100_000))


def _number(text: str, what: str, number: str | float, bounds: tuple[float, float]) -> float:
    try:
        value = float(number)
    except ValueError:
        raise ConfigError("fault", text, f"a number for {what}, not {number!r}") from None
    low, high = bounds
    if not low <= value <= high:  # nan is neither
        raise ConfigError("fault", text, f"a number from {low:g} to {high:,g} for {what}, not {number}")
    return value


class FaultPlan:
    """When each fault of a scenario happens. Every draw comes from ``random``.

    Args:
        faults: what goes wrong.
        random: draws in [0, 1).
    """

    def __init__(self, faults: Iterable[Fault], random: Callable[[], float]) -> None:
        self._random = random
        self._rows = [_Row(fault) for fault in faults]

    @property
    def deadline(self) -> float | None:
        """When the next timed fault happens."""
        return min((row.next for row in self._rows if row.next is not None), default=None)

    def due(self, now: float) -> list[Fault]:
        """Timed faults up to ``now``, in order."""
        found: list[tuple[float, Fault]] = []
        for row in self._rows:
            while row.next is not None and row.next <= now:
                at = row.next
                row.move()
                if self._hits(row):
                    found.append((at, row.fault))
        return [fault for _, fault in sorted(found, key=lambda pair: pair[0])]

    def occasion(self, name: str, now: float, side: str | None = None, symbol: str = "") -> Fault | None:
        """The fault called ``name`` that happens at this occasion (of a side's connection, a market), if one does."""
        for row in self._rows:
            meant = row.fault.name == name and row.fault.side in (None, side)
            if KINDS[name].named:
                meant = meant and row.fault.value in ("", symbol)
            if meant and row.ready(now) and self._hits(row):
                return row.fault
        return None

    def has(self, name: str) -> bool:
        """Whether a fault of that name may still happen."""
        return any(row.fault.name == name and not row.spent for row in self._rows)

    def draw(self) -> float:
        """A number in [0, 1) for what a fault leaves open."""
        return self._random()

    def _hits(self, row: _Row) -> bool:
        if row.fault.chance < 1 and self._random() >= row.fault.chance:
            return False
        row.happened()
        return True


class _Row:
    """One fault with its count and its next moment."""

    def __init__(self, fault: Fault) -> None:
        self.fault, self.count, self._from = fault, 0, fault.at
        self.next: float | None = fault.at if KINDS[fault.name].timed else None

    @property
    def spent(self) -> bool:
        return self.fault.times is not None and self.count >= self.fault.times

    def ready(self, now: float) -> bool:
        return now >= self._from and not self.spent

    def move(self) -> None:
        every = self.fault.every
        self.next = None if every is None or self.next is None else self.next + every

    def happened(self) -> None:
        self.count += 1
        if not KINDS[self.fault.name].timed and self.fault.every is not None:
            self._from += self.fault.every
        if self.spent:
            self.next = None
