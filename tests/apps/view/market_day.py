"""A small day at the exchange for the view's tests: events, figures, a picture of them."""

from __future__ import annotations

from datetime import UTC, datetime
from random import Random
from typing import Any

from tapewire.apps.cli.view.cells import Line, width_of
from tapewire.apps.cli.view.edges import Heading
from tapewire.apps.cli.view.picture import Picture
from tapewire.client import Statistics
from tapewire.model.events import KST, OrderbookEvent, OrderbookUnit, TickerEvent, TradeEvent
from tapewire.model.metrics import LatencyStatistics
from tapewire.runtime.observe import ConnectionStatistics

AT = datetime(2026, 11, 21, 2, 30, 15, tzinfo=UTC)
MS = int(AT.timestamp() * 1000)
HEADING = Heading("upbit", "ws://127.0.0.1:9001/websocket/v1", KST)
SYMBOLS = ("KRW-BTC", "KRW-ETH", "KRW-SHIB")
KINDS = ("ticker", "trade", "orderbook")


def ticker(symbol: str, price: Any, **more: Any) -> TickerEvent:
    known: dict[str, Any] = {"change": "RISE", "signed_change_rate": 0.0123, "acc_trade_volume_24h": 1234.5,
             "acc_trade_price_24h": 1.5e11}  # fmt: skip
    return TickerEvent(venue="upbit", symbol=symbol, trade_price=price, **known | more)


def trade(symbol: str, price: Any, volume: Any = 0.5, side: str = "BID", at: int = MS) -> TradeEvent:
    return TradeEvent(venue="upbit", symbol=symbol, trade_price=price, trade_volume=volume, ask_bid=side,
                      trade_timestamp=at, timestamp=at)  # fmt: skip


def book(symbol: str, *levels: tuple[Any, ...]) -> OrderbookEvent:
    """``levels``: (ask price, bid price, ask size, bid size), the best first."""
    units = [OrderbookUnit(*level) for level in levels]
    return OrderbookEvent(venue="upbit", symbol=symbol, orderbook_units=units)


def statistics(**changes: Any) -> Statistics:
    one = ConnectionStatistics(
        name="upbit-1", url="ws://x", state="open", subscriptions=9, connects=1, reconnects=0,
        messages={"ticker": 400, "trade": 600}, unwanted=0, quarantined=0, open_gaps=0,
    )  # fmt: skip
    known: dict[str, Any] = {
        "connections": (one,), "messages": {"ticker": 400, "trade": 600}, "total_processed": 1000, "reconnects": 0,
        "gaps": 0, "recovered": 0, "quarantined": 0, "callback_errors": 0, "dropped": 0, "doubled": 0,
        "conflicts": 0, "polled": 0,
        "latency_ms": LatencyStatistics(100, 53.2, 60.0, 71.8, 80.0),
    }  # fmt: skip
    return Statistics(**known | changes)


def a_picture() -> Picture:
    """Three markets that everything is known of, three seconds after the start."""
    picture = Picture(SYMBOLS, KINDS, 100.0)
    for second, price in enumerate((143_500_000.0, 143_490_000.0, 143_520_000.0)):
        picture.hear(ticker("KRW-BTC", price))
        picture.hear(trade("KRW-BTC", price, 0.125, "ASK" if second == 1 else "BID", MS - 2000 + second * 1000))
        picture.advance(100.0 + second)
    picture.hear(book("KRW-BTC", (143_521_000.0, 143_519_000.0, 0.5, 0.25), (143_530_000.0, 143_518_000.0, 1.0, 2.0)))
    picture.hear(ticker("KRW-ETH", 5_012_000.0, change="FALL", signed_change_rate=-0.0045))
    picture.hear(ticker("KRW-SHIB", 0.01234, change="EVEN", signed_change_rate=0.0, acc_trade_volume_24h=1.43e12))
    picture.advance(103.0)
    picture.observe(103.0, statistics())
    return picture


def a_busy_picture() -> Picture:
    """Five markets after a minute of trading; the same at every call."""
    chance = Random(7)
    starts = {
        "KRW-BTC": 143_500_000.0,
        "KRW-ETH": 5_012_000.0,
        "KRW-XRP": 3_127.0,
        "KRW-SOL": 264_300.0,
        "BTC-ETH": 0.03493,
    }
    ticks = {"KRW-BTC": 1_000.0, "KRW-ETH": 1_000.0, "KRW-XRP": 1.0, "KRW-SOL": 100.0, "BTC-ETH": 1e-8}
    picture = Picture(starts, KINDS, 0.0)
    steps = dict.fromkeys(starts, 0)
    for second in range(61):
        for number, (symbol, start) in enumerate(starts.items()):
            steps[symbol] += chance.choice((-3, -1, 0, 1, 2))
            price, tick = start + steps[symbol] * ticks[symbol], ticks[symbol]
            change = ("RISE", "FALL", "RISE", "EVEN", "RISE")[number]
            value = (9.8e10, 5.5e10, 8.9e10, 3.5e10, 12.4)[number]
            rate = (0.0123, -0.0045, 0.0301, 0.0, 0.0007)[number]
            picture.hear(
                ticker(
                    symbol,
                    price,
                    change=change,
                    signed_change_rate=rate,
                    acc_trade_volume_24h=value / start,
                    acc_trade_price_24h=value,
                )
            )
            side = chance.choice(("BID", "ASK"))
            size = round(chance.random() ** 3, 8)
            picture.hear(trade(symbol, price, size, side, MS - 61_000 + second * 1000 + chance.randrange(900)))
            levels = [
                (price + n * tick, price - n * tick, *(round(chance.random(), 8) for _ in "ab")) for n in range(1, 16)
            ]
            picture.hear(book(symbol, *levels))
        picture.advance(float(second))
        picture.observe(float(second), statistics(total_processed=second * 412))
    return picture


def plain_text(lines: list[Line]) -> list[str]:
    """The lines without their styles and the blanks at their ends."""
    return ["".join(text for text, _ in line).rstrip() for line in lines]


def widths(lines: list[Line]) -> set[int]:
    return {sum(width_of(text) for text, _ in line) for line in lines}
