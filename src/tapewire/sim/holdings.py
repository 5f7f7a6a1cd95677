"""What an account holds of contracts: one net position for each market (pure)."""

from __future__ import annotations

from decimal import Decimal

from tapewire.venues.exchange import Contract
from tapewire.venues.trading import ZERO, Fill, Position

_PLACES = Decimal(1).scaleb(-10)


def value(contract: Contract, price: Decimal, volume: Decimal) -> Decimal:
    """What so many contracts are worth at a price, in the currency that they are settled in."""
    return volume * contract.worth / price if contract.inverse else volume * contract.worth * price


class Holdings:
    """Positions of one account, by market."""

    def __init__(self) -> None:
        self._positions: dict[str, Position] = {}

    def all(self) -> list[Position]:
        """Every position that there is or was, in the order in which they came."""
        return list(self._positions.values())

    def trade(self, symbol: str, contract: Contract, fill: Fill, *, buys: bool) -> Decimal:
        """Count an execution in.

        Args:
            symbol: the market.
            contract: what is traded there.
            fill: the execution; its fee is counted too.
            buys: whether the account bought.

        Returns:
            the profit of what was closed, negative for a loss.
        """
        held = self._positions.setdefault(symbol, Position(symbol, opened_ms=fill.ms))
        signed = fill.volume if buys else -fill.volume
        closing = min(abs(held.volume), fill.volume) if held.volume * signed < 0 else ZERO
        profit = _profit(contract, held, fill.price, closing)
        rest = fill.volume - closing
        if rest:
            held.mean = _mean(contract, held.mean, abs(held.volume) - closing, fill.price, rest)
            held.opened_ms = fill.ms if abs(held.volume) == closing else held.opened_ms
        held.volume += signed
        held.mean = held.mean if held.volume else ZERO
        held.profit, held.fee = held.profit + profit, held.fee + fill.fee
        held.trade, held.ms = fill.trade, fill.ms
        return profit


def _profit(contract: Contract, held: Position, price: Decimal, closing: Decimal) -> Decimal:
    if not closing:
        return ZERO
    entry, leave = value(contract, held.mean, closing), value(contract, price, closing)
    gain = entry - leave if contract.inverse else leave - entry
    return (gain if held.volume > 0 else -gain).quantize(_PLACES)


def _mean(contract: Contract, mean: Decimal, held: Decimal, price: Decimal, more: Decimal) -> Decimal:
    """The price at which both together are worth what they cost."""
    if not held:
        return price
    if contract.inverse:
        return ((held + more) / (held / mean + more / price)).quantize(_PLACES)
    return ((mean * held + price * more) / (held + more)).quantize(_PLACES)
