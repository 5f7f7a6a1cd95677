"""Positions as OKX writes them (spec/okx.md A7.3, A7.4)."""

from __future__ import annotations

from decimal import Decimal
from typing import Any
from zlib import crc32

from tapewire.venues.digits import plain
from tapewire.venues.exchange import MarketView
from tapewire.venues.okx.sim_instruments import Instrument, instrument
from tapewire.venues.trading import ZERO, Position

_LEVERAGE = Decimal(10)
_MAINTENANCE = Decimal("0.004")
_PLACES = Decimal(1).scaleb(-10)


def position_id(position: Position) -> str:
    """``posId``: one for each market; what is opened there again has it again (OKX keeps it for 30 days)."""
    return str(10**17 + crc32(position.symbol.encode()))


def position_row(position: Position, market: MarketView) -> dict[str, Any]:
    """A row of ``positions``."""
    one, mark, now = instrument(position.symbol), _mark(position.symbol, market), str(market.now_ms)
    size = abs(position.volume)
    worth, gain = _worth(one, mark, size), _gain(one, position, mark)
    margin = worth / _LEVERAGE
    last = Decimal(repr(market.last_trade(position.symbol).trade_price or 0.0))
    latest = _gain(one, position, last)
    row: dict[str, Any] = dict.fromkeys(_NOTHING, "") | dict.fromkeys(_ZEROS, "0")
    return row | short_row(position) | {
        "adl": "1", "availPos": "", "bePx": plain(position.mean), "cTime": str(position.opened_ms),
        "closeOrderAlgo": [], "fee": _number(-position.fee), "idxPx": plain(mark), "imr": _number(margin),
        "last": plain(last), "lever": plain(_LEVERAGE), "markPx": plain(mark), "mmr": _number(worth * _MAINTENANCE),
        "notionalUsd": _number(worth * mark if one.inverse else worth), "pTime": now, "pnl": _number(position.profit),
        "realizedPnl": _number(position.profit - position.fee), "upl": _number(gain), "uplLastPx": _number(latest),
        "uplRatio": _part(gain, margin), "uplRatioLastPx": _part(latest, margin),
    }  # fmt: skip


def short_row(position: Position) -> dict[str, Any]:
    """What ``balance_and_position`` tells of one."""
    one = instrument(position.symbol)
    return {
        "posId": position_id(position), "tradeId": str(position.trade), "instId": one.id, "instType": one.type,
        "mgnMode": "cross", "avgPx": plain(position.mean), "ccy": one.settle, "posSide": "net",
        "pos": plain(position.volume), "posCcy": "", "nonSettleAvgPx": "", "settledPnl": "", "uTime": str(position.ms),
    }  # fmt: skip


def _mark(symbol: str, market: MarketView) -> Decimal:
    ladder = market.ladder(symbol)
    return Decimal((next(iter(ladder.asks)) + next(iter(ladder.bids))) // 2).scaleb(ladder.power)


def _worth(one: Instrument, price: Decimal, size: Decimal) -> Decimal:
    return size * one.worth / price if one.inverse else size * one.worth * price


def _gain(one: Instrument, position: Position, price: Decimal) -> Decimal:
    """What closing it at a price would bring."""
    if not position.volume:
        return ZERO
    size = abs(position.volume)
    gain = _worth(one, price, size) - _worth(one, position.mean, size)
    return gain if (position.volume > 0) is not one.inverse else -gain


def _number(value: Decimal) -> str:
    return plain(value.quantize(_PLACES))


def _part(gain: Decimal, margin: Decimal) -> str:
    return _number(gain / margin) if margin else ""


_NOTHING = ("liab", "liabCcy", "margin", "mgnRatio", "liqPx", "optVal", "usdPx")
_ZEROS = ("fundingFee", "interest", "liqPenalty", "pendingCloseOrdLiabVal")
