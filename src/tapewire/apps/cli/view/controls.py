"""What the person at the keyboard asks for: chosen market, view, order, pause, search (keys in, wishes out)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Literal

from tapewire.apps.cli.view.quotes import Quote

View = Literal["table", "ladder", "tape", "wires"]
Wish = Literal["quit", "interrupt"]

VIEWS: tuple[View, ...] = ("table", "ladder", "tape", "wires")
#: Orders of the table, and the word for each.
ORDERS = {"asked": "as asked for", "name": "by name", "change": "by change", "value": "by 24 h value"}
#: Key, what it does: the help panel; the first words of some stand in the bottom line.
KEYS = (
    ("↑ ↓  j k", "choose the market above, below (also the mouse)"),
    ("PgUp PgDn", "ten markets on; Home, End: the first, the last"),
    ("/", "search a market: type, ↑ ↓ other matches, Enter takes it, Esc goes back"),
    ("1", "table of the markets, with book and trades where there is room"),
    ("2", "order book of the chosen market"),
    ("3", "trades of the chosen market"),
    ("4", "connections and the feed's own news"),
    ("s  S", "next order of the table; the other way round"),
    ("p  Space", "pause: the picture stands still, the feed goes on"),
    ("c", "colours of rise and fall: green/red, red/blue (as Upbit shows them)"),
    ("?", "this help"),
    ("q  Ctrl-C", "quit"),
)

_JUMPS = {"up": -1, "k": -1, "down": 1, "j": 1, "pageup": -10, "pagedown": 10, "home": -(10**6), "end": 10**6}
_KEPT_WHILE_SEARCHING = 30


@dataclass
class Controls:
    """State of the view; ``press`` is told every key, ``quotes`` is the picture's at that moment."""

    chosen: str = ""
    view: View = "table"
    order: str = "asked"
    reverse: bool = False
    paused: bool = False
    helping: bool = False
    search: str | None = None
    eastern: bool = False  # red is up, blue is down
    _before: str = field(default="", repr=False)

    def ordered(self, quotes: Sequence[Quote]) -> list[Quote]:
        """The table's rows in their order; what has no figure comes last."""
        sign = 1 if self.reverse else -1
        match self.order:
            case "change":
                return sorted(quotes, key=lambda quote: _last_without(quote.rate, sign))
            case "value":
                return sorted(quotes, key=lambda quote: _last_without(quote.value, sign))
            case "name":
                return sorted(quotes, key=lambda quote: quote.symbol, reverse=self.reverse)
            case _:
                return list(quotes)[:: -1 if self.reverse else 1]

    def choose(self, symbol: str) -> None:
        """Take this market."""
        self.chosen = symbol

    def move(self, step: int, quotes: Sequence[Quote]) -> None:
        """Choose the market so many rows further down."""
        symbols = [quote.symbol for quote in self.ordered(quotes)]
        if symbols:
            place = symbols.index(self.chosen) if self.chosen in symbols else 0
            self.chosen = symbols[min(max(place + step, 0), len(symbols) - 1)]

    def press(self, key: str, character: str | None, quotes: Sequence[Quote]) -> Wish | None:
        """One key, by textual's name for it and the character it prints."""
        if key == "ctrl+c":
            return "interrupt"
        if self.search is not None:
            self._type(key, character, quotes)
        elif key in _JUMPS:
            self.move(_JUMPS[key], quotes)
        elif character == "q" or key == "ctrl+q":
            return "quit"
        else:
            self._switch(key, character)
        return None

    def _switch(self, key: str, character: str | None) -> None:
        match character or key:
            case "1" | "2" | "3" | "4" as digit:
                self.view, self.helping = VIEWS[int(digit) - 1], False
            case "/":
                self.search, self._before, self.helping = "", self.chosen, False
            case "s":
                names = list(ORDERS)
                self.order = names[(names.index(self.order) + 1) % len(names)]
            case "S":
                self.reverse = not self.reverse
            case "p" | " ":
                self.paused = not self.paused
            case "c":
                self.eastern = not self.eastern
            case "?" | "h":
                self.helping = not self.helping
        if key in {"escape", "enter"}:
            self.helping = False

    def _type(self, key: str, character: str | None, quotes: Sequence[Quote]) -> None:
        """A key while searching."""
        text = self.search or ""
        match key:
            case "enter":
                self.search = None
            case "escape":
                self.search, self.chosen = None, self._before
            case "backspace":
                self.search = text[:-1]
            case "up" | "down" | "tab" | "shift+tab":
                self._next_match(-1 if key in {"up", "shift+tab"} else 1, quotes)
            case _ if character and character.isprintable() and len(text) < _KEPT_WHILE_SEARCHING:
                self.search = text + character
                self._next_match(0, quotes)

    def _next_match(self, step: int, quotes: Sequence[Quote]) -> None:
        """Go ``step`` matches further; 0: stay if the chosen one matches, else take the first."""
        symbols = [quote.symbol for quote in self.matches(quotes)]
        if self.chosen in symbols:
            self.chosen = symbols[(symbols.index(self.chosen) + step) % len(symbols)]
        elif symbols:
            self.chosen = symbols[0]

    def matches(self, quotes: Sequence[Quote]) -> list[Quote]:
        """Markets whose code or name has the text searched for."""
        text = (self.search or "").casefold()
        return [one for one in self.ordered(quotes) if text in one.symbol.casefold() or text in one.name.casefold()]


def _last_without(value: float | None, sign: int) -> tuple[bool, float]:
    return value is None, sign * (value or 0.0)
