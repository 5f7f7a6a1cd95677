"""Rows of OKEX v3's tables as the exchange sends them: names in its order, numbers as text (spec/okx.md B4)."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

import msgspec

from tapewire.model.events import CandleEvent, TradeEvent
from tapewire.venues.digits import plain
from tapewire.venues.exchange import MarketView
from tapewire.venues.okex_v3.inflate import deflate
from tapewire.venues.okex_v3.sim_books import Level, ToldBook
from tapewire.venues.okex_v3.sim_switches import Switches
from tapewire.venues.okex_v3.times import iso

Row = dict[str, Any]
_EIGHT_HOURS = 28_800_000
_LIMIT = 0.05  # how far from the last price orders may be


def frame(said: object, *, deflates: bool) -> bytes:
    """A message as it goes out."""
    text = msgspec.json.encode(said)
    return deflate(text) if deflates else text


def table(name: str, rows: Sequence[Row], action: str | None = None) -> dict[str, Any]:
    """The envelope of rows."""
    return {"table": name} | ({"action": action} if action else {}) | {"data": rows}


def trade_row(market: str, trade: TradeEvent) -> Row:
    """One trade; its size is called ``qty`` in two markets."""
    return {
        "side": "buy" if trade.ask_bid == "BID" else "sell",
        "trade_id": str(trade.sequential_id),
        "price": _text(trade.trade_price),
        "qty" if market in ("futures", "option") else "size": _text(trade.trade_volume),
        "instrument_id": trade.symbol,
        "timestamp": iso(trade.trade_timestamp or 0),
    }


def ticker_row(kind: str, view: MarketView, symbol: str) -> Row:
    """The ticker of a market of that kind; volumes of contracts are told in contracts and in coins."""
    now, day = view.ticker(symbol), view.candle(symbol, "1d+8")
    volume, price = now.acc_trade_volume_24h or 0.0, now.trade_price or 0.0
    best = next(iter(view.orderbook(symbol).orderbook_units))
    row: Row = {
        "last": _text(price), "open_24h": _text(now.prev_closing_price), "best_bid": _text(best.bid_price),
        "high_24h": _text(now.high_price), "low_24h": _text(now.low_price), "open_utc0": _text(now.opening_price),
        "open_utc8": _text(day.opening_price),
    }  # fmt: skip
    if kind == "spot":
        row |= {"base_volume_24h": _text(volume), "quote_volume_24h": _text(now.acc_trade_price_24h)}
    else:
        row |= {"volume_24h": _text(round(volume)), "volume_token_24h": _text(coins(symbol, volume, price))}
    row["best_ask"] = _text(best.ask_price)
    if kind != "spot":
        row["open_interest"] = _text(round(3 * volume))
    return row | {
        "instrument_id": symbol, "timestamp": iso(now.timestamp or 0), "best_bid_size": _text(best.bid_size),
        "best_ask_size": _text(best.ask_size), "last_qty": _text(now.trade_volume),
    }  # fmt: skip


def candle_row(market: str, symbol: str, candle: CandleEvent) -> Row:
    """A candle of spot has six elements, all others seven; nobody trades an index."""
    figures = [candle.opening_price, candle.high_price, candle.low_price, candle.trade_price]
    texts = [f"{candle.candle_date_time_utc}.000Z", *map(_text, figures)]
    volume, price = candle.candle_acc_trade_volume or 0.0, candle.trade_price or 0.0
    if market == "index":
        texts += ["0", "0"]
    elif market == "spot":
        texts.append(_text(volume))
    else:
        texts += [_text(round(volume)), _text(coins(symbol, volume, price))]
    return {"candle": texts, "instrument_id": symbol}


def depth5_row(view: MarketView, symbol: str, switches: Switches) -> Row:
    """The best five levels of each side."""
    units = view.orderbook(symbol).orderbook_units[:5]
    asks = [(_text(unit.ask_price), _text(unit.ask_size)) for unit in units if unit.ask_size]
    bids = [(_text(unit.bid_price), _text(unit.bid_size)) for unit in units if unit.bid_size]
    return {
        "asks": levels(symbol, asks, switches), "bids": levels(symbol, bids, switches), "instrument_id": symbol,
        "timestamp": iso(view.now_ms),
    }  # fmt: skip


def book_row(symbol: str, book: ToldBook, switches: Switches, *, whole: bool, flawed: bool = False) -> Row:
    """All of a book, or what changed at the last time, with the checksum of the state after it."""
    asks, bids = book.whole() if whole else (book.asks, book.bids)
    return {
        "instrument_id": symbol, "asks": levels(symbol, asks, switches), "bids": levels(symbol, bids, switches),
        "timestamp": iso(book.ms), "checksum": book.checksum ^ flawed,
    }  # fmt: skip


def levels(symbol: str, told: Iterable[Level], switches: Switches) -> list[list[str | int]]:
    """Levels with their tail: orders that were liquidated, and the number of orders; ``0`` of a level that goes."""
    spot = symbol.count("-") == 1
    return [
        [price, size, *_tail(0 if size == "0" else 1 + len(price + size) % 4, switches, spot=spot)]
        for price, size in told
    ]


def funding_row(view: MarketView, symbol: str) -> Row:
    """What holders of a swap pay next, and an estimate of the time after."""
    due = (view.now_ms // _EIGHT_HOURS + 1) * _EIGHT_HOURS
    rates = [f"{((due // _EIGHT_HOURS + step) * 7919 % 2000 - 1000) / 1e6:.8f}".rstrip("0") for step in (0, 1)]
    return {
        "estimated_rate": rates[1], "funding_rate": rates[0], "funding_time": iso(due), "instrument_id": symbol,
        "interest_rate": "0", "settlement_time": iso(due + _EIGHT_HOURS),
    }  # fmt: skip


def mark_row(view: MarketView, symbol: str) -> Row:
    """The price that positions are valued by: here the middle of the book."""
    best = next(iter(view.orderbook(symbol).orderbook_units))
    middle = round((best.ask_price + best.bid_price) / 2, 8)
    return {"instrument_id": symbol, "mark_price": _text(middle), "timestamp": iso(view.now_ms)}


def range_row(view: MarketView, symbol: str) -> Row:
    """The highest price that may be bid and the lowest that may be asked."""
    price = view.last_trade(symbol).trade_price or 0.0
    highest, lowest = (_text(float(f"{price * part:.6g}")) for part in (1 + _LIMIT, 1 - _LIMIT))
    return {"highest": highest, "instrument_id": symbol, "lowest": lowest, "timestamp": iso(view.now_ms)}


def index_row(view: MarketView, index: str, source: str) -> Row:
    """An index, here the price of one market of the same coins."""
    now = view.ticker(source)
    return {
        "last": _text(now.trade_price), "open_24h": _text(now.prev_closing_price), "high_24h": _text(now.high_price),
        "low_24h": _text(now.low_price), "instrument_id": index, "timestamp": iso(now.timestamp or 0),
    }  # fmt: skip


def coins(symbol: str, contracts: float, price: float) -> float:
    """Contracts as coins: of 100 or 10 dollars each, or of a hundredth of a coin where they are paid in USDT."""
    base, quote, *_, last = symbol.split("-")
    if quote != "USD" or last in ("C", "P"):
        return round(contracts / 100, 8)
    return round(contracts * face_value(base) / price, 8)


def face_value(base: str) -> int:
    """Dollars of one contract."""
    return 100 if base == "BTC" else 10


def _tail(orders: int, switches: Switches, *, spot: bool) -> Sequence[str | int]:
    if switches.levels == "count":
        return (orders,) if spot else (0, orders)
    return (str(orders),) if spot and switches.levels == "three" else ("0", str(orders))


def _text(value: float | None) -> str:
    return plain(0.0 if value is None else value)
