"""The whole screen as lines: which panel stands where at this size."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import datetime

from msgspec import Struct

from tapewire.apps.cli.view.cells import Line, beside, block, rule
from tapewire.apps.cli.view.controls import Controls
from tapewire.apps.cli.view.edges import Heading, bottom, help_panel, top
from tapewire.apps.cli.view.ladder import ladder
from tapewire.apps.cli.view.picture import Picture
from tapewire.apps.cli.view.quotes import Quote
from tapewire.apps.cli.view.table import first_row, table
from tapewire.apps.cli.view.tape import tape
from tapewire.apps.cli.view.wires import status, wires

_LOW = 6  # lines from which on heading, status and keys have lines of their own
_SIDE, _SIDE_FROM, _SIDE_HEIGHT = 46, 124, 14  # book and trades beside the table: their width; from this size on
_BELOW = 8  # lines that book and trades need below the table
_PAIR, _GAP = 70, 3  # cells from which on book and trades stand side by side; cells between them
_LEAST = 34  # cells that either needs

#: Cells, lines.
Size = tuple[int, int]
Panel = Callable[[int, int], list[Line]]


class Room(Struct, frozen=True):
    """How the table's view is divided: lines of the table, cells of it, lines below it, cells beside it."""

    rows: int
    width: int
    below: int
    beside: int


def screen(picture: Picture, controls: Controls, heading: Heading, at: datetime, size: Size) -> list[Line]:
    """Exactly so many lines of so many cells, whatever the size; ``at``: the wall clock, aware."""
    width, height = size
    quotes = controls.ordered(picture.quotes)
    if height < _LOW:
        return block(_body(picture, controls, heading, quotes, size), width, height)
    body = block(_body(picture, controls, heading, quotes, (width, height - 3)), width, height - 3)
    found = len(controls.matches(quotes)) if controls.search is not None else 0
    edges = top(heading, controls, at, width), status(picture.figures, width), bottom(controls, found, width)
    return [edges[0], *body, *edges[1:]]


def market_at(picture: Picture, controls: Controls, place: tuple[int, int], size: Size) -> str | None:
    """The market whose row in the table stands at (column, line), None where there is none."""
    (column, line), (width, height) = place, size
    quotes = controls.ordered(picture.quotes)
    if controls.view != "table" or controls.helping or height < _LOW:
        return None
    room = divided(len(quotes), picture.kinds, width, height - 3)
    row = line - 2  # below the first line and the heading
    if not (0 <= row < room.rows - 1 and column < room.width):
        return None
    index = first_row(quotes, controls.chosen, room.rows - 1) + row
    return quotes[index].symbol if index < len(quotes) else None


def divided(markets: int, kinds: frozenset[str], width: int, height: int) -> Room:
    """Book and trades stand beside the table where it is wide, else below it where there is room, else not at all."""
    panels = len(kinds & {"orderbook", "trade"})
    wide = width >= _SIDE_FROM and height >= _SIDE_HEIGHT and panels > 0
    below = height - markets - 1
    if below < _BELOW or width < _LEAST or panels == wide:
        below = 0
    beside = _SIDE if wide else 0
    return Room(height - below, width - beside - (_GAP if wide else 0), below, beside)


def _body(picture: Picture, controls: Controls, heading: Heading, quotes: Sequence[Quote], size: Size) -> list[Line]:
    width, height = size
    if controls.helping:
        return help_panel(width)
    chosen = next((quote for quote in quotes if quote.symbol == controls.chosen), quotes[0] if quotes else None)
    if controls.view == "wires" or chosen is None:
        return wires(picture.figures, picture.notes, width, height)
    book, trades = _panels(picture, heading, chosen)
    if controls.view != "table":
        return {"ladder": book, "tape": trades}[controls.view](width, height)
    room = divided(len(quotes), picture.kinds, width, height)
    rows = table(quotes, chosen.symbol, picture.kinds, picture.now, (room.width, room.rows))
    panels = [panel for panel, kind in ((book, "orderbook"), (trades, "trade")) if kind in picture.kinds]
    if room.beside and room.below:
        return beside(rows + panels[1](room.width, room.below), panels[0](room.beside, height))
    if room.beside:
        return beside(rows, _stacked(panels, room.beside, height))
    return rows + (_side_by_side(panels, width, room.below) if room.below else [])


def _panels(picture: Picture, heading: Heading, chosen: Quote) -> tuple[Panel, Panel]:
    """Order book and trades of a market, each a function of its size, with its title."""

    def titled(title: str, kind: str, draw: Panel) -> Panel:
        def missing(_width: int, _height: int) -> list[Line]:
            return [[(f"not subscribed: add {kind} to --types", "warn")]]

        body = draw if kind in picture.kinds else missing
        return lambda width, height: block(
            [rule(f"{chosen.symbol} {title}", width), *body(width, height - 1)], width, height
        )

    return (
        titled("order book", "orderbook", lambda width, height: ladder(chosen, width, height)),
        titled("trades", "trade", lambda width, height: tape(chosen, heading.zone, width, height)),
    )


def _stacked(panels: Sequence[Panel], width: int, height: int) -> list[Line]:
    if len(panels) == 1:
        return panels[0](width, height)
    upper = min(height * 3 // 5, 32)
    return panels[0](width, upper) + panels[1](width, height - upper)


def _side_by_side(panels: Sequence[Panel], width: int, height: int) -> list[Line]:
    if len(panels) == 1 or width < _PAIR:
        return panels[0](width, height)
    left = (width - _GAP) * 9 // 20
    return beside(panels[0](left, height), panels[1](width - _GAP - left, height))
