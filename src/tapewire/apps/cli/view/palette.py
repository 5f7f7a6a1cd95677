"""Colours: from the names of styles to rich's, of the terminal's own sixteen, so that dark and light both work."""

from __future__ import annotations

from functools import cache

from rich.style import Style

_PLAIN = {
    "": "",
    "head": "dim",
    "title": "bold",
    "rule": "dim",
    "dim": "dim",
    "market": "bold",
    "chosen": "reverse",
    "key": "bold",
    "paused": "bold reverse",
    "good": "green",
    "green": "green",
    "warn": "yellow",
    "yellow": "yellow",
    "bad": "red",
    "red": "red",
}
#: Rise and fall: green and red as in most of the world, red and blue as in Korea.
_UP_DOWN = {False: ("green", "red"), True: ("red", "blue")}


@cache
def style_of(names: str, *, eastern: bool = False) -> Style:
    """The style of one or more names (``"up chosen"``); an unknown name is a KeyError."""
    up, down = _UP_DOWN[eastern]
    table = _PLAIN | {
        "up": up,
        "down": down,
        "up-lit": f"bold black on {up}",
        "down-lit": f"bold {'white' if eastern else 'black'} on {down}",
    }
    return Style.parse(" ".join(filter(None, (table[name] for name in names.split()))))
