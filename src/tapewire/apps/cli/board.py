"""The live table: one row a market, the newest steps of the feed below it."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from rich.console import Console, Group
from rich.live import Live
from rich.table import Table
from rich.text import Text

from tapewire.apps.cli.news import News
from tapewire.apps.cli.tally import Tally
from tapewire.apps.cli.terminal import amount, event_line, plain, price
from tapewire.model.counted import count_of
from tapewire.model.events import CandleEvent, Event, OrderbookEvent, TickerEvent, TradeEvent
from tapewire.model.status import Rejected
from tapewire.sinks.contract import Item

_NARROW, _WIDE, _WIDEST = 64, 112, 140
_NOTES, _FEW_NOTES, _LOW = 6, 2, 16
_IN_TABLE = (TickerEvent, TradeEvent, OrderbookEvent, CandleEvent)
_MIN_WIDTH = {"Market": 10, "Price": 10, "Change": 7, "Age": 5}
_STYLE_OF_CHANGE = {"RISE": "green", "FALL": "red"}
_WORD_OF_SIDE = {"BID": "buy", "ASK": "sell"}
_STYLE_OF_SIDE = {"BID": "green", "ASK": "red"}


@dataclass
class _Row:
    """What is known of one market now."""

    price: float | None = None
    change: str | None = None
    rate: float | None = None
    volume: float | None = None
    bid: float | None = None
    ask: float | None = None
    trade: tuple[str | None, float | None, float | None] = (None, None, None)
    candle: tuple[float | None, float | None] = (None, None)
    heard: float | None = None
    refused: bool = False


class Board:
    """Shows a feed as it is now. ``add`` is called on the loop's thread, ``render`` on the terminal's.

    Args:
        symbols: the rows, in this order.
        kinds: which columns make sense.
        title: first line; called at each drawing.
        now: a monotonic clock in seconds.
    """

    def __init__(
        self,
        symbols: tuple[str, ...],
        kinds: frozenset[str],
        title: Callable[[], str],
        now: Callable[[], float],
        tally: Tally,
    ) -> None:
        self._rows = {symbol: _Row() for symbol in symbols}
        self._kinds = kinds
        self._title = title
        self._now = now
        self._started = now()
        self._notes: deque[tuple[float, str, str]] = deque(maxlen=_NOTES)
        self._news = News()
        self._tally = tally
        self._pace: deque[tuple[float, int]] = deque([(now(), 0)], maxlen=12)

    def add(self, item: Item) -> None:
        """Take one event in."""
        for style, text in self._news.hear(item, self._now()):
            self.note(style, text)
        if isinstance(item, Rejected):
            for subscription in item.subscriptions:
                self._rows.get(subscription.symbol, _Row()).refused = True
        if isinstance(item, Event):
            self._add_event(item)

    def _add_event(self, event: Event) -> None:
        if not isinstance(event, _IN_TABLE):  # orders, balances, announcements: no column is theirs
            self.note("", " ".join(event_line(event).split()))
            return
        row = self._rows.get(event.symbol)
        if row is not None:
            row.heard = self._now()
            _update(row, event)

    def note(self, style: str, text: str) -> None:
        """Add one line of news below the table."""
        self._notes.append((self._now() - self._started, style, text))

    def render(self, width: int, height: int) -> Group:
        """The whole picture for a terminal of that size."""
        now = self._now()
        self._pace.append((now, self._tally.total))
        room = _NOTES if height >= _LOW else _FEW_NOTES
        rows = max(height - room - 5, 1)
        notes = [_note(*entry, width) for entry in tuple(self._notes)[-room:]]
        return Group(self._head(width), self._table(now, width, rows), *notes)

    def _head(self, width: int) -> Text:
        (then, before), (now, after) = self._pace[0], self._pace[-1]
        pace = (after - before) / (now - then) if now > then else 0.0
        head = Text(plain(self._title(), width), style="bold", no_wrap=True, overflow="ellipsis")
        open_now = bool(self._tally.connected)
        head.append("  ● connected" if open_now else "  ○ no line", style="green" if open_now else "red")
        head.append(f"  {count_of(after, 'event')}, {pace:,.0f}/s", style="default")
        return head

    def _table(self, now: float, width: int, rows: int) -> Table:
        table = Table(
            box=None, padding=(0, 2 if width >= _WIDE else 1, 0, 0), header_style="dim", width=width, pad_edge=False
        )
        columns = self._columns(width)
        for name in columns:
            justify = "left" if name == "Market" else "right"
            table.add_column(name, justify=justify, min_width=_MIN_WIDTH.get(name), no_wrap=True, overflow="ellipsis")  # type: ignore[arg-type]
        shown = list(self._rows.items())[: rows if rows >= len(self._rows) else max(rows - 1, 1)]
        for symbol, row in shown:
            cells = {"Market": Text(plain(symbol, 20), style="bold"), **_cells(row, now)}
            table.add_row(*(cells[name] for name in columns))
        if len(shown) < len(self._rows):
            table.add_row(Text(f"and {len(self._rows) - len(shown)} more", style="dim"))
        return table

    def _columns(self, width: int) -> list[str]:
        wide = width >= _WIDE
        columns = ["Market", "Price"]
        if width < _NARROW:  # whole numbers of few columns before halves of many
            return [*columns, *(["Change"] if "ticker" in self._kinds else []), "Age"]
        if "ticker" in self._kinds:
            columns += ["Change", "24 h volume"] if wide else ["Change"]
        if self._kinds & {"ticker", "orderbook"}:
            columns += ["Bid", "Ask", "Spread"] if wide else ["Bid", "Ask"]
        if "trade" in self._kinds:
            columns += ["Last trade" if wide else "Last"]
        if "candle" in self._kinds and width >= _WIDEST:
            columns += ["Candle low – high"]
        return [*columns, "Age"]


@contextmanager
def live(console: Console, board: Board) -> Iterator[None]:
    """Draw the board four times a second on a thread of its own; its last state stays on the screen."""

    def draw() -> Group:
        return board.render(console.width, console.height)

    with Live(get_renderable=draw, console=console, refresh_per_second=4, vertical_overflow="crop"):
        yield


def _note(at: float, style: str, text: str, width: int) -> Text:
    return Text(plain(f"{at:5.1f} s  {text}", width), style=style, no_wrap=True, overflow="ellipsis")


def _update(row: _Row, event: Event) -> None:
    match event:
        case TickerEvent():
            row.price, row.change = event.trade_price, event.change
            row.rate, row.volume = event.signed_change_rate, event.acc_trade_volume_24h
            row.bid, row.ask = event.best_bid_price or row.bid, event.best_ask_price or row.ask
        case TradeEvent():
            row.price = event.trade_price
            row.trade = (event.ask_bid, event.trade_price, event.trade_volume)
        case OrderbookEvent() if event.orderbook_units:
            row.bid, row.ask = event.orderbook_units[0].bid_price, event.orderbook_units[0].ask_price
        case CandleEvent():
            row.price, row.candle = event.trade_price, (event.low_price, event.high_price)
        case _:
            pass


def _cells(row: _Row, now: float) -> dict[str, Text]:
    side, at, volume = row.trade
    age = None if row.heard is None else max(now - row.heard, 0.0)
    low, high = row.candle
    refused = row.refused and row.heard is None
    change = _STYLE_OF_CHANGE.get(row.change or "", "")
    traded = _STYLE_OF_SIDE.get(side or "", "")
    word = _WORD_OF_SIDE.get(side or "", "")
    return {
        "Price": Text("refused", style="red") if refused else Text(price(row.price), style=change),
        "Change": Text("–" if row.rate is None else f"{row.rate * 100:+.2f}%", style=change),
        "24 h volume": Text(amount(row.volume)),
        "Bid": Text(price(row.bid)),
        "Ask": Text(price(row.ask)),
        "Spread": Text(price(row.ask - row.bid if row.ask and row.bid else None)),
        "Last": Text(f"{word} {amount(volume)}", style=traded),
        "Last trade": Text("–" if at is None else f"{word} {amount(volume)} @ {price(at)}", style=traded),
        "Candle low – high": Text("–" if low is None else f"{price(low)} – {price(high)}"),
        "Age": Text("–" if age is None else f"{age:.1f}s", style="yellow" if age is not None and age > 5 else "dim"),
    }
