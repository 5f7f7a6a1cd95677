"""Draws what goes wrong in a trial from one seed: which faults, how often, how hard (pure)."""

from __future__ import annotations

from collections.abc import Callable

from tapewire.sim.faults import KINDS, Fault

#: Seconds before the first fault: the client may begin in peace.
PEACE = 60.0
#: Faults of a line: name, seconds between two occasions (least, most).
_LINE = {
    "drop": (300.0, 7_200.0),
    "abort": (300.0, 7_200.0),
    "cut": (900.0, 7_200.0),
    "freeze": (900.0, 14_400.0),
    "silence": (3_600.0, 28_800.0),
    "garbage": (120.0, 3_600.0),
    "unknown": (120.0, 3_600.0),
    "status": (120.0, 3_600.0),
    "error": (1_800.0, 14_400.0),
    "ping": (60.0, 3_600.0),
    "close-after-subscribe": (1_800.0, 14_400.0),
}
#: What nobody can notice on a line that is silent when all is well (docs/guarantees.md).
_PUBLIC = frozenset({"silence"})
_CODES = ("1000", "1001", "1006", "1011", "1012", "4000")
#: An occasion comes to something so often: faults do not stand in a row like soldiers.
_CHANCE = 0.6


def weather(draw: Callable[[], float], *, kept_books: bool = False) -> tuple[Fault, ...]:
    """The faults of one trial: each of a line, of the exchange, of its REST and of its trades, with drawn rates.

    Args:
        draw: gives a seeded number in [0, 1) at each call.
        kept_books: books come as changes, and their faults too; so does the word that a line will be closed.
    """
    return (
        *(_of_a_line(name, least, most, draw) for name, (least, most) in _LINE.items()),
        *_of_the_exchange(draw),
        *_of_rest(draw),
        *_of_trades(draw),
        *(_of_books(draw) if kept_books else ()),
    )


def single_line_weather(
    draw: Callable[[], float], *, kept_books: bool = False
) -> tuple[tuple[Fault, ...], tuple[Fault, ...]]:
    """For lines that stand in for each other: the faults of one line at a time, and those of everybody.

    The exchange never goes away for everybody at once; it still refuses handshakes, is slow, and its REST fails.
    Arguments as of ``weather``.
    """
    timed = {name: bounds for name, bounds in _LINE.items() if KINDS[name].timed}
    alone = tuple(_of_a_line(name, least, most, draw) for name, (least, most) in timed.items())
    whole = [fault for fault in _of_the_exchange(draw) if fault.name != "maintenance"]
    books = _of_books(draw) if kept_books else ()
    return alone, (*whole, *_of_rest(draw), *_of_trades(draw), *books)


def _of_a_line(name: str, least: float, most: float, draw: Callable[[], float]) -> Fault:
    every = _between(least, most, draw)
    value = {"drop": _one_of(_CODES, draw), "error": "NEW_KIND"}.get(name, "")
    side = "public" if name in _PUBLIC else None
    return Fault(name=name, value=value, side=side, at=PEACE + every * draw(), every=every, chance=_CHANCE)


def _of_the_exchange(draw: Callable[[], float]) -> list[Fault]:
    away, busy, slow = (_between(3_600.0, 28_800.0, draw) for _ in range(3))
    status = (("status", 503.0),) if draw() < 0.5 else ()
    return [
        Fault(
            name="maintenance", value=f"{_between(2.0, 900.0, draw):.1f}", options=status,
            at=PEACE + away * draw(), every=away, chance=_CHANCE,
        ),
        Fault(
            name="refuse", value=_one_of(("429", "418", "500", "503"), draw), options=(("retry", 1 + 10 * draw()),),
            at=PEACE + busy * draw(), every=busy / 10,
        ),
        Fault(
            name="slow", value=f"{_between(0.05, 3.0, draw):.3f}", options=(("for", _between(10.0, 300.0, draw)),),
            at=PEACE + slow * draw(), every=slow, chance=_CHANCE,
        ),
    ]  # fmt: skip


def _of_rest(draw: Callable[[], float]) -> list[Fault]:
    return [
        Fault(name="rest", value=status, at=PEACE, chance=0.3 * draw())
        for status in ("500", "503", "429")
    ]  # fmt: skip


def _of_trades(draw: Callable[[], float]) -> list[Fault]:
    """Up to 5 % doubled and up to 5 % late by up to two seconds (RELIABILITY.md D6)."""
    return [Fault(name="duplicate", chance=0.05 * draw()), Fault(name="late", value="2", chance=0.05 * draw())]


def _of_books(draw: Callable[[], float]) -> list[Fault]:
    """Lost, repeated and spoilt messages, late snapshots, numbers that begin again, and announced closes (D7)."""
    often = {"book-lost": 0.005, "book-repeat": 0.02, "book-checksum": 0.002}
    reset, upgrade = (_between(3_600.0, 28_800.0, draw) for _ in range(2))
    return [
        *(Fault(name=name, at=PEACE, chance=most * draw()) for name, most in often.items()),
        Fault(name="book-late", value=f"{_between(0.05, 2.0, draw):.3f}", at=PEACE, chance=0.5 * draw()),
        Fault(name="book-reset", at=PEACE + reset * draw(), every=reset, chance=_CHANCE),
        Fault(name="upgrade", at=PEACE + upgrade * draw(), every=upgrade, chance=_CHANCE),
    ]


def _between(least: float, most: float, draw: Callable[[], float]) -> float:
    """As likely between 1 and 10 as between 10 and 100."""
    return float(least * (most / least) ** draw())


def _one_of(texts: tuple[str, ...], draw: Callable[[], float]) -> str:
    return texts[int(draw() * len(texts))]
