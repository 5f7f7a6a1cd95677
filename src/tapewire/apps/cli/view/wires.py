"""The connections of the live view: their figures, the health of the feed, and its newest news."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from tapewire.apps.cli.terminal import Styled, count_of, plain
from tapewire.apps.cli.view.cells import Line, filled, fit, folded, width_of
from tapewire.apps.cli.view.figures import milliseconds
from tapewire.apps.cli.view.picture import Figures, Wire

_STATES = {"open": ("● open", "good"), "stopped": ("○ stopped", "bad")}
_HEALTH = {"healthy": "good", "degraded": "warn", "unhealthy": "bad"}
_HEADING = f"{'Connection':<19}{'State':<22}{'Streams':>8}{'msg/s':>8}{'Messages':>12}{'Reconnects':>11}"


def status(figures: Figures, width: int) -> Line:
    """All connections in one line; what matters least is left out first."""
    opened = sum(wire.state == "open" for wire in figures.wires)
    lines = len(figures.wires)
    state: tuple[str, str] = ("● connected", "good") if lines and opened == lines else ("○ no line", "bad")
    if 0 < opened < lines:
        state = (f"● {opened} of {count_of(lines, 'line')}", "warn")
    down = next((wire for wire in figures.wires if wire.state != "open"), None)
    parts = [
        state,
        (_trouble(down) if down else "", "bad"),
        (figures.health, _HEALTH.get(figures.health, "")),
        (f"{figures.rate:,.0f} msg/s", ""),
        (f"latency {milliseconds(figures.p50)} (p99 {milliseconds(figures.p99)})", ""),
        (count_of(figures.reconnects, "reconnect"), "warn" if figures.reconnects else ""),
        (count_of(figures.unfilled, "unfilled gap"), "warn" if figures.unfilled else ""),
        (f"{count_of(figures.total, 'message')}", "dim"),
    ]
    return _joined([part for part in parts if part[0]], width)


def _trouble(wire: Wire) -> str:
    """Why a line is down and when it is dialled again, short."""
    why = fit(plain(wire.last_error), min(width_of(wire.last_error), 40)) if wire.last_error else wire.state
    return why if wire.retry_in is None else f"{why}, again in {wire.retry_in:.0f} s"


def _joined(parts: Sequence[tuple[str, str]], width: int) -> Line:
    line: Line = []
    room = width
    for text, style in parts:
        more = [(" · ", "rule"), (text, style)] if line else [(text, style)]
        needed = sum(width_of(one) for one, _ in more)
        if line and needed > room:
            continue
        line += more
        room -= needed
    return filled(line, width)


def wires(figures: Figures, notes: Iterable[tuple[float, Styled]], width: int, height: int) -> list[Line]:
    """Connections, reasons of bad health, then the newest news, in exactly ``height`` lines of ``width`` cells."""
    lines: list[Line] = [[(_HEADING, "head")]]
    lines += [line for wire in figures.wires for line in _wire(wire)]
    style = _HEALTH.get(figures.health, "")
    lines += [[(text, style)] for reason in figures.reasons for text in folded(plain(reason), width)]
    lines += [[]]
    room = max(height - len(lines), 0)
    news = [line for note in list(notes)[-room:] for line in _note(*note, width)] if room else []
    lines += news[-room:]
    return [filled(line, width) for line in (lines + [[] for _ in range(height)])[:height]]


def _wire(wire: Wire) -> list[Line]:
    word, style = _STATES.get(wire.state, (f"○ {wire.state}", "warn"))
    if wire.retry_in is not None and wire.state != "open":
        word = f"{word}, {wire.retry_in:.1f} s"
    figures = f"{wire.streams:>8,}{wire.rate:>8,.0f}{wire.total:>12,}{wire.reconnects:>11,}"
    lines: list[Line] = [[(fit(plain(wire.name), 18) + " ", "market"), (fit(word, 22), style), (figures, "")]]
    return [*lines, [(f"  last error: {plain(wire.last_error)}", "dim")]] if wire.last_error else lines


def _note(at: float, styled: Styled, width: int) -> list[Line]:
    style, text = styled
    head = f"{at:8.1f} s  "
    first, *more = folded(text, max(width - len(head), 20))
    return [[(head, "dim"), (first, style)], *([(" " * len(head), ""), (part, style)] for part in more)]
