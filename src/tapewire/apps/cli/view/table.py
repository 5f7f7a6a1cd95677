"""The table of the live view: one row a market, as many columns as there is room for."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from msgspec import Struct

from tapewire.apps.cli.terminal import plain
from tapewire.apps.cli.view.cells import Line, filled, fit, width_of
from tapewire.apps.cli.view.figures import NOTHING, number, percent, scaled, span, sparkline
from tapewire.apps.cli.view.quotes import Quote

_GAP = 2
_ARROWS = {"RISE": "▲", "FALL": "▼"}
_STYLE_OF_CHANGE = {"RISE": "up", "FALL": "down"}
_LIT = {1: "up-lit", -1: "down-lit"}
_TREND = (11, 60)  # least and most cells


class Column(Struct, frozen=True):
    """One column: least width, whether it leans right, what it shows of a quote at a time, the kind it needs."""

    title: str
    least: int
    text: Callable[[Quote, float], str]
    style: Callable[[Quote], str] = lambda _: ""
    right: bool = True
    kinds: frozenset[str] = frozenset()


def _change_style(quote: Quote) -> str:
    return _STYLE_OF_CHANGE.get(quote.change or "", "")


def _price(quote: Quote, _now: float) -> str:
    if quote.price is None and quote.refused:
        return "refused"
    return number(quote.price, quote.decimals)


def _price_style(quote: Quote) -> str:
    if quote.price is None and quote.refused:
        return "bad"
    return _LIT.get(quote.flash) or _change_style(quote)


def _change(quote: Quote, _now: float) -> str:
    return f"{_ARROWS.get(quote.change or '', ' ')} {percent(quote.rate)}" if quote.rate is not None else NOTHING


def _age(quote: Quote, now: float) -> str:
    return span(None if quote.heard is None else now - quote.heard)


_TICKER, _BOOK = frozenset({"ticker"}), frozenset({"ticker", "orderbook"})
_COLUMNS = {
    column.title: column
    for column in (
        Column("Market", 9, lambda quote, _: plain(quote.symbol, 24), lambda _: "market", right=False),
        Column("Name", 12, lambda quote, _: plain(quote.name, 24), right=False),
        Column("Price", 11, _price, _price_style),
        Column("Change", 9, _change, _change_style, kinds=_TICKER),
        Column("24 h volume", 11, lambda quote, _: scaled(quote.volume), kinds=_TICKER),
        Column("24 h value", 10, lambda quote, _: scaled(quote.value), kinds=_TICKER),
        Column("Bid", 11, lambda quote, _: number(quote.bid, quote.decimals), kinds=_BOOK),
        Column("Ask", 11, lambda quote, _: number(quote.ask, quote.decimals), kinds=_BOOK),
        Column("Spread", 7, lambda quote, _: number(quote.spread, quote.decimals), kinds=_BOOK),
        Column("Age", 4, _age, lambda quote: "warn" if quote.stale else "dim"),
    )
}
#: What is left out last comes first, pairs together; "Trend" takes the room that is left.
_RANKS = (
    ("Market",), ("Price",), ("Change",), ("24 h volume",), ("Spread",), ("Trend",), ("Age",), ("24 h value",),
    ("Bid", "Ask"), ("Name",),
)  # fmt: skip
_ORDER = ("Market", "Name", "Price", "Change", "Trend", "24 h volume", "24 h value", "Bid", "Ask", "Spread", "Age")


def table(quotes: Sequence[Quote], chosen: str, kinds: frozenset[str], now: float, size: tuple[int, int]) -> list[Line]:
    """Heading and rows, the chosen one among them, in exactly (cells, lines).

    ``now`` is the time of the quotes, monotonic seconds.
    """
    width, height = size
    first = first_row(quotes, chosen, height - 1)
    shown = quotes[first : first + max(height - 1, 0)]
    widths = _widths(shown, kinds, now, width)
    lines = [_heading(widths, width), *(_row(quote, chosen, widths, now, width) for quote in shown)]
    return (lines + [[(" " * width, "")] for _ in range(height - len(lines))])[:height]


def first_row(quotes: Sequence[Quote], chosen: str, rows: int) -> int:
    """Which quote stands in the first row, so that the chosen one is in the middle where the table is longer."""
    place = next((index for index, quote in enumerate(quotes) if quote.symbol == chosen), 0)
    return min(max(place - rows // 2, 0), max(len(quotes) - rows, 0))


def _widths(shown: Sequence[Quote], kinds: frozenset[str], now: float, width: int) -> dict[str, int]:
    """Columns that fit, in their order, with their widths."""
    widths: dict[str, int] = {}
    room = width + _GAP  # none after the last column
    for titles in _RANKS:
        needed = {title: _needed(title, shown, now) for title in titles if _is_of_use(title, shown, kinds)}
        total = sum(needed.values()) + _GAP * len(needed)
        if widths and total > room:
            break
        widths |= needed
        room -= total
    if "Trend" in widths:
        widths["Trend"] = min(widths["Trend"] + max(room, 0), _TREND[1])
    return {title: widths[title] for title in _ORDER if title in widths}


def _needed(title: str, shown: Sequence[Quote], now: float) -> int:
    if title == "Trend":
        return _TREND[0]
    column = _COLUMNS[title]
    return max(column.least, len(title), *(width_of(column.text(quote, now)) for quote in shown))


def _is_of_use(title: str, shown: Sequence[Quote], kinds: frozenset[str]) -> bool:
    if title == "Trend":
        return True
    if title == "Name":
        return any(quote.name for quote in shown)
    return not _COLUMNS[title].kinds or bool(_COLUMNS[title].kinds & kinds)


def _heading(widths: dict[str, int], width: int) -> Line:
    line: Line = []
    for title, cells in widths.items():
        right = title == "Trend" or _COLUMNS[title].right
        word = "Last minute" if title == "Trend" else title
        line += [(fit(word, cells, right=right), "head"), (" " * _GAP, "")]
    return filled(line[:-1], width)


def _row(quote: Quote, chosen: str, widths: dict[str, int], now: float, width: int) -> Line:
    line: Line = []
    for title, cells in widths.items():
        if title == "Trend":
            line.append((sparkline(quote.trend, cells), _trend_style(quote)))
        else:
            column = _COLUMNS[title]
            line.append((fit(column.text(quote, now), cells, right=column.right), column.style(quote)))
        line.append((" " * _GAP, ""))
    line = filled(line[:-1], width)
    return [(text, f"{style} chosen".strip()) for text, style in line] if quote.symbol == chosen else line


def _trend_style(quote: Quote) -> str:
    first, last = (quote.trend[0], quote.trend[-1]) if quote.trend else (0.0, 0.0)
    return "up" if last > first else "down" if last < first else "dim"
