"""Trades → candles, as the exchange makes them: windows of UTC, none without a trade (pure)."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import UTC, datetime
from typing import Any

from tapewire.errors import SubscriptionError
from tapewire.model.event import KST
from tapewire.model.events import CandleEvent, TradeEvent

_SECONDS = {"s": 1, "m": 60, "h": 3600, "d": 86_400}


def window_ms(unit: str) -> int:
    """Milliseconds of a candle's unit: ``1s``, ``1m`` … ``240m``, ``1h``, ``1d``.

    Raises:
        SubscriptionError: no such unit (weeks and months are no fixed span).
    """
    count, scale = unit[:-1], unit[-1:]
    if not count.isdecimal() or not int(count) or scale not in _SECONDS:
        raise SubscriptionError("unit", unit, "a number with s, m, h or d, such as 1s, 5m, 1d")
    return int(count) * _SECONDS[scale] * 1000


def candles_of(trades: Iterable[TradeEvent], unit: str) -> list[CandleEvent]:
    """Final candles of all symbols, in the order of their windows; trades may come in any order, and once each.

    A window's first and last trade are told by ``trade_timestamp`` and, within a millisecond, by the order of
    ``sequential_id``. Sums are made in the trades' own numbers: exact with ``Decimal``, else rounded as floats are.

    Raises:
        SubscriptionError: no such unit.
    """
    span = window_ms(unit)
    windows: dict[tuple[int, str, str], list[TradeEvent]] = {}
    for trade in trades:
        windows.setdefault((_moment(trade) // span * span, trade.venue, trade.symbol), []).append(trade)
    return [
        _candle(begin, unit, sorted(windows[begin, venue, symbol], key=_order))
        for begin, venue, symbol in sorted(windows)
    ]


def _moment(trade: TradeEvent) -> int:
    return trade.trade_timestamp if trade.trade_timestamp is not None else trade.timestamp or 0


def _order(trade: TradeEvent) -> tuple[int, int]:
    return _moment(trade), trade.sequential_id or 0


def _candle(begin: int, unit: str, trades: list[TradeEvent]) -> CandleEvent:
    first, last = trades[0], trades[-1]
    prices: list[Any] = [trade.trade_price for trade in trades]
    volumes: list[Any] = [trade.trade_volume for trade in trades]
    start = datetime.fromtimestamp(begin / 1000, UTC)
    return CandleEvent(
        venue=first.venue,
        symbol=first.symbol,
        unit=unit,
        candle_date_time_utc=_text(start),
        candle_date_time_kst=_text(start.astimezone(KST)),
        opening_price=prices[0],
        high_price=max(prices),
        low_price=min(prices),
        trade_price=prices[-1],
        candle_acc_trade_volume=sum(volumes),
        candle_acc_trade_price=sum(price * volume for price, volume in zip(prices, volumes, strict=True)),
        timestamp=_moment(last),
        final=True,
        stream_type=None,
        received_ns=max(trade.received_ns for trade in trades),
    )


def _text(moment: datetime) -> str:
    return moment.strftime("%Y-%m-%dT%H:%M:%S")
