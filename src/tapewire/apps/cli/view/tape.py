"""The trade tape of one market: the newest trade first, its taker's side in colour."""

from __future__ import annotations

from datetime import timezone

from tapewire.apps.cli.view.cells import Line, bar, filled, fit
from tapewire.apps.cli.view.figures import NOTHING, clock, number, scaled, size_decimals
from tapewire.apps.cli.view.quotes import Quote
from tapewire.model.events import TradeEvent

_SIDES = {"BID": ("▲", " buy ", "up"), "ASK": ("▼", " sell", "down")}
_GAP = "  "
_LEAST_BAR, _MOST_BAR = 8, 40


def tape(quote: Quote, zone: timezone, width: int, height: int) -> list[Line]:
    """Heading and the newest trades, in exactly ``height`` lines of ``width`` cells; times are of ``zone``."""
    trades = quote.trades[::-1][: max(height - 1, 0)]
    if not trades:
        lines: list[Line] = [[("waiting for trades", "dim")]]
    else:
        row = _Row(quote, trades, zone, width)
        lines = [row.heading(), *map(row.line, trades)]
    return [filled(line, width) for line in (lines + [[] for _ in range(height)])[:height]]


class _Row:
    """Widths and scales that all trades of one picture share; what there is no room for is left out."""

    def __init__(self, quote: Quote, trades: tuple[TradeEvent, ...], zone: timezone, width: int) -> None:
        sizes = [float(trade.trade_volume or 0) for trade in trades]
        self._zone = zone
        self._decimals = quote.decimals
        self._size_decimals = size_decimals(sizes)
        self._largest = max(sizes) or 1.0
        self._price = max(5, *(len(number(_price(trade), quote.decimals)) for trade in trades))
        self._size = max(4, *(len(number(size, self._size_decimals)) for size in sizes))
        room = width - 1 - len(_GAP) - self._price - len(_GAP) - self._size
        self._time, room = (8, room - 10) if room >= 10 else (0, room)
        self._word, room = (5, room - 5) if room >= 5 else (0, room)
        self._time, room = (12, room - 4) if self._time and room >= 4 else (self._time, room)
        self._value, room = (10, room - 12) if room >= 12 else (0, room)
        self._bar = min(room - len(_GAP), _MOST_BAR) if room >= _LEAST_BAR + len(_GAP) else 0

    def heading(self) -> Line:
        zone = self._zone.tzname(None) or ""
        words = [fit(f"{zone} time" if self._time > 8 else zone, self._time)] if self._time else []
        words += ["Side".ljust(1 + self._word) if self._word else " ", f"{'Price':>{self._price}}"]
        words += [f"{'Size':>{self._size}}"] + ([f"{'Value':>{self._value - 1}}"] if self._value else [])
        return [(_GAP.join(words), "head")]

    def line(self, trade: TradeEvent) -> Line:
        arrow, word, style = _SIDES.get(trade.ask_bid or "", (NOTHING, " " * 5, ""))
        at = clock(trade.trade_timestamp or trade.timestamp, self._zone)
        size = float(trade.trade_volume or 0)
        line: Line = [(fit(at[: self._time], self._time) + _GAP, "dim")] if self._time else []
        line += [
            (f"{arrow}{word[: self._word]}{_GAP}{number(_price(trade), self._decimals):>{self._price}}{_GAP}", style),
            (f"{number(size, self._size_decimals):>{self._size}}", ""),
        ]
        if self._value:
            line.append((f"{_GAP}{scaled((_price(trade) or 0) * size):>{self._value}}", "dim"))
        return [*line, (_GAP + bar(size / self._largest, self._bar), style)] if self._bar else line


def _price(trade: TradeEvent) -> float | None:
    return None if trade.trade_price is None else float(trade.trade_price)
