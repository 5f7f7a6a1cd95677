"""OKX's public REST calls, answered from the simulated market (spec/okx.md A8)."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any, NamedTuple

from tapewire.venues.exchange import MarketView
from tapewire.venues.okx.sim_books import Books, levels, rpi_levels
from tapewire.venues.okx.sim_instruments import instrument
from tapewire.venues.okx.sim_rows import UNITS, Rows, started_ms

Query = Mapping[str, str]
_DAY_MS = 86_400_000
_TYPES = ("SPOT", "MARGIN", "SWAP", "FUTURES", "OPTION")


class BadCall(Exception):
    """An answer whose code is not 0: code and text of A8, HTTP status."""

    def __init__(self, code: str, message: str, status: int = 200) -> None:
        super().__init__(code, message)
        self.code, self.message, self.status = code, message, status


class Shown(NamedTuple):
    """What public calls read."""

    market: MarketView
    rows: Rows
    books: Books


class PublicCall(NamedTuple):
    """One call: so many in two seconds, and what it answers."""

    calls: int
    seconds: float
    make: Callable[[Query, Shown], list[Any]]


def _time(_: Query, shown: Shown) -> list[Any]:
    return [{"ts": str(shown.market.now_ms)}]


def _instruments(query: Query, shown: Shown) -> list[Any]:
    kind = _type(query)
    if kind == "OPTION" and not _family(query):
        raise BadCall("50014", "Parameter instFamily can not be empty.", 400)
    rows = shown.rows.instruments(kind, _family(query))
    if (symbol := query.get("instId")) is not None:
        rows = [row for row in rows if row["instId"] == symbol]
        if not rows:
            raise BadCall("51001", "Instrument ID does not exist")
    return rows


def _tickers(query: Query, shown: Shown) -> list[Any]:
    kind, family = _type(query), _family(query)
    found = map(instrument, shown.market.symbols)
    return [shown.rows.ticker(one.id) for one in found if one.type == kind and family in ("", one.family)]


def _ticker(query: Query, shown: Shown) -> list[Any]:
    return [shown.rows.ticker(_symbol(query, shown))]


def _books(query: Query, shown: Shown) -> list[Any]:
    return [_book(query, shown, levels)]


def _books_rpi(query: Query, shown: Shown) -> list[Any]:
    return [_book(query, shown, rpi_levels)]


def _book(query: Query, shown: Shown, rows: Callable[[Iterable[tuple[int, int]], int], Any]) -> dict[str, Any]:
    symbol, count = _symbol(query, shown), number(query, "sz", 1, 400)
    ladder = shown.market.ladder(symbol)
    sides = {
        name: rows([*side.items()][:count], ladder.power)
        for name, side in (("asks", ladder.asks), ("bids", ladder.bids))
    }
    return {**sides, "ts": str(shown.market.now_ms), "seqId": shown.books.number(symbol, ladder)}


def _trades(query: Query, shown: Shown) -> list[Any]:
    market = shown.market
    found = market.trades(_symbol(query, shown), market.now_ms + 1, None, number(query, "limit", 100, 500))
    return [shown.rows.match(trade) for trade in found]


def _history_trades(query: Query, shown: Shown) -> list[Any]:
    """``after`` and ``before`` are trade ids (``type`` 1), or ``after`` a time (2)."""
    market, symbol, limit = shown.market, _symbol(query, shown), number(query, "limit", 100, 100)
    after, before = optional(query, "after"), optional(query, "before")
    if query.get("type", "1") == "2":
        if before is not None:
            raise BadCall("50039", "The before parameter is not available when type is 2")
        found = market.trades(symbol, market.now_ms + 1 if after is None else after, None, limit)
    elif query.get("type", "1") == "1":
        found = market.trades(symbol, market.now_ms + 1, after, limit)
        found = [trade for trade in found if before is None or (trade.sequential_id or 0) > before]
    else:
        raise BadCall("51000", "Parameter type error")
    oldest = market.now_ms - 90 * _DAY_MS
    return [shown.rows.match(trade) for trade in found if (trade.trade_timestamp or 0) >= oldest]


def _candles(query: Query, shown: Shown) -> list[Any]:
    return _rows_of_candles(query, shown, _symbol(query, shown), 1_440, shown.rows.candle_row)


def _history_candles(query: Query, shown: Shown) -> list[Any]:
    return _rows_of_candles(query, shown, _symbol(query, shown), None, shown.rows.candle_row)


def _mark_candles(query: Query, shown: Shown) -> list[Any]:
    return _rows_of_candles(query, shown, _symbol(query, shown), None, shown.rows.price_row)


def _index_candles(query: Query, shown: Shown) -> list[Any]:
    return _rows_of_candles(query, shown, shown.rows.source(_index(query, shown)), None, shown.rows.price_row)


def _index_tickers(query: Query, shown: Shown) -> list[Any]:
    return [shown.rows.index_ticker(_index(query, shown))]


def _rows_of_candles(
    query: Query, shown: Shown, symbol: str, kept: int | None, row: Callable[..., list[str]]
) -> list[Any]:
    market = shown.market
    bar, limit = query.get("bar", "1m"), number(query, "limit", 100, 300)
    if bar not in UNITS:
        raise BadCall("51000", "Parameter bar error")
    after, before = optional(query, "after"), optional(query, "before")
    newest = market.candle(symbol, UNITS[bar])
    found = market.candles(symbol, UNITS[bar], market.now_ms + 1 if after is None else after, limit)
    if kept is not None:
        span = started_ms(newest) - started_ms(market.candles(symbol, UNITS[bar], started_ms(newest), 1)[0])
        oldest = started_ms(newest) - kept * span
        found = [candle for candle in found if started_ms(candle) > oldest]
    last = started_ms(newest)
    return [
        row(candle, is_final=started_ms(candle) < last)
        for candle in found
        if before is None or started_ms(candle) > before
    ]


def _status(query: Query, shown: Shown) -> list[Any]:
    rows = [shown.rows.status()]
    return [row for row in rows if query.get("state") in (None, row["state"])]


def _named(make: Callable[[Rows, str], dict[str, Any]]) -> Callable[[Query, Shown], list[Any]]:
    return lambda query, shown: [make(shown.rows, _symbol(query, shown))]


def _family(query: Query) -> str:
    """By REST it may still be called ``uly`` (ccxt 4.5 does)."""
    return query.get("instFamily") or query.get("uly", "")


def _type(query: Query) -> str:
    kind = query.get("instType", "")
    if not kind:
        raise BadCall("50014", "Parameter instType can not be empty.", 400)
    if kind not in _TYPES:
        raise BadCall("51000", "Parameter instType error", 400)
    return kind


def _symbol(query: Query, shown: Shown) -> str:
    symbol = query.get("instId", "")
    if not symbol:
        raise BadCall("50014", "Parameter instId can not be empty.", 400)
    if symbol not in shown.market.symbols:
        raise BadCall("51001", "Instrument ID, Instrument ID code, or Spread ID doesn't exist.")
    return symbol


def _index(query: Query, shown: Shown) -> str:
    index = query.get("instId", "")
    if not any(instrument(symbol).index == index for symbol in shown.market.symbols):
        raise BadCall("51001", "Instrument ID, Instrument ID code, or Spread ID doesn't exist.")
    return index


def number(query: Query, name: str, default: int, most: int) -> int:
    """A count from 1 to ``most``; more is as much as there may be.

    Raises:
        BadCall: 51000.
    """
    found = optional(query, name)
    if found is not None and found < 1:
        raise BadCall("51000", f"Parameter {name} error")
    return min(default if found is None else found, most)


def optional(query: Query, name: str) -> int | None:
    """A whole number, None where there is none.

    Raises:
        BadCall: 51000.
    """
    text = query.get(name)
    if not text:
        return None
    if not (text.isascii() and text.isdigit() and len(text) < 20):
        raise BadCall("51000", f"Parameter {name} error")
    return int(text)


PUBLIC_CALLS: Mapping[str, PublicCall] = {
    "/api/v5/public/time": PublicCall(10, 2.0, _time),
    "/api/v5/public/instruments": PublicCall(20, 2.0, _instruments),
    "/api/v5/public/funding-rate": PublicCall(20, 2.0, _named(Rows.funding_rate)),
    "/api/v5/public/open-interest": PublicCall(20, 2.0, _named(Rows.open_interest)),
    "/api/v5/public/price-limit": PublicCall(20, 2.0, _named(Rows.price_limit)),
    "/api/v5/public/mark-price": PublicCall(10, 2.0, _named(Rows.mark_price)),
    "/api/v5/market/tickers": PublicCall(20, 2.0, _tickers),
    "/api/v5/market/ticker": PublicCall(20, 2.0, _ticker),
    "/api/v5/market/books": PublicCall(40, 2.0, _books),
    "/api/v5/market/books-rpi": PublicCall(40, 2.0, _books_rpi),
    "/api/v5/market/trades": PublicCall(100, 2.0, _trades),
    "/api/v5/market/history-trades": PublicCall(20, 2.0, _history_trades),
    "/api/v5/market/candles": PublicCall(40, 2.0, _candles),
    "/api/v5/market/history-candles": PublicCall(20, 2.0, _history_candles),
    "/api/v5/market/mark-price-candles": PublicCall(20, 2.0, _mark_candles),
    "/api/v5/market/history-mark-price-candles": PublicCall(10, 2.0, _mark_candles),
    "/api/v5/market/index-candles": PublicCall(20, 2.0, _index_candles),
    "/api/v5/market/history-index-candles": PublicCall(10, 2.0, _index_candles),
    "/api/v5/market/index-tickers": PublicCall(20, 2.0, _index_tickers),
    "/api/v5/system/status": PublicCall(1, 5.0, _status),
}
