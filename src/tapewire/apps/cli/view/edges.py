"""First and last line of the live view and its help: which feed, what time, which keys."""

from __future__ import annotations

from datetime import datetime, timezone

from msgspec import Struct

from tapewire.apps.cli.terminal import plain
from tapewire.apps.cli.view.cells import Line, filled, fit, folded, rule, width_of
from tapewire.apps.cli.view.controls import KEYS, ORDERS, Controls

_ADDRESS_FROM = 20  # cells that must be free for an address
_BOTTOM = (
    ("1", "table"), ("2", "book"), ("3", "trades"), ("4", "feed"), ("↑↓", "market"), ("?", "help"), ("q", "quit"),
    ("/", "search"), ("p", "pause"), ("s", "sort"), ("c", "colours"),
)  # fmt: skip
_NARROW, _BOTTOM_NARROW = 64, (("q", "quit"), ("?", "help"), ("1-4", "view"), ("↑↓", "market"), ("/", "search"))
_VIEW_OF_KEY = {"1": "table", "2": "ladder", "3": "tape", "4": "wires"}


class Heading(Struct, frozen=True):
    """Which feed is shown, and the venue's local time zone."""

    venue: str
    address: str
    zone: timezone


def top(heading: Heading, controls: Controls, at: datetime, width: int) -> Line:
    """Feed and address at the left; order, pause and the venue's time at the right."""
    zone = heading.zone
    right: Line = [("  PAUSED ", "paused")] if controls.paused else []
    if controls.order != "asked" or controls.reverse:
        right.append((f"  {ORDERS[controls.order]}{', reversed' if controls.reverse else ''}", "dim"))
    right.append((f"  {at.astimezone(zone):%H:%M:%S} {zone.tzname(None)}", ""))
    room = width - sum(width_of(text) for text, _ in right)
    name = f"tapewire watch · {plain(heading.venue)}"
    if room < 5:
        return filled([(name, "title")], width)
    line: Line = [(name, "title")]
    if room - width_of(name) >= _ADDRESS_FROM:
        line.append((f"  {plain(heading.address)}", "dim"))
    return [*filled(line, room), *right]


def bottom(controls: Controls, matches: int, width: int) -> Line:
    """The keys, or the search while one is typed."""
    if controls.search is not None:
        found = f"{matches} found" if matches else "none found"
        hint = f"   {found}   ↑↓ other  Enter take  Esc back"
        return filled([("/", "key"), (plain(controls.search), ""), ("▏", "key"), (hint, "dim")], width)
    line: Line = []
    room = width
    for key, word in _BOTTOM if width >= _NARROW else _BOTTOM_NARROW:
        here = _VIEW_OF_KEY.get(key) == controls.view and not controls.helping
        needed = width_of(key) + 1 + width_of(word) + 2
        if needed - 2 > room:
            break
        line += [(key, "key"), (f" {word}", "title" if here else "dim"), ("  ", "")]
        room -= needed
    return filled(line[:-1], width)


def help_panel(width: int) -> list[Line]:
    """Every key and what it does, folded where the terminal is narrow."""
    lines: list[Line] = [rule("Keys", width), []]
    for keys, words in KEYS:
        head = fit(keys, 11)
        for text in folded(words, width - 11):
            lines.append([(head, "key"), (text, "")])
            head = " " * 11
    return lines
