"""One account's money: what is free, what is locked, and what changed since it was last told (pure)."""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal

from tapewire.venues.trading import Balance, OrderRefused


class Purse:
    """The balances of one account; neither part of one is ever below 0.

    Args:
        balances: currency → what is free at the beginning.
    """

    def __init__(self, balances: Mapping[str, Decimal]) -> None:
        self._balances = {currency: Balance(currency, amount) for currency, amount in balances.items()}
        self._changed: dict[str, None] = {}

    def balances(self) -> list[Balance]:
        """All currencies, in the order in which they came."""
        return list(self._balances.values())

    def changes(self) -> list[Balance]:
        """The currencies that changed since the last call."""
        changed, self._changed = self._changed, {}
        return [self._balances[currency] for currency in changed]

    def lock(self, currency: str, amount: Decimal) -> None:
        """Set something aside for an order.

        Raises:
            OrderRefused: there is not so much.
        """
        balance = self._balances.get(currency) or Balance(currency)
        if amount > balance.free:
            raise OrderRefused("funds", f"{amount} {currency} needed, {balance.free} are free")
        balance.free -= amount
        balance.locked += amount
        self._changed[currency] = None

    def release(self, currency: str, amount: Decimal) -> None:
        """Something set aside comes back."""
        balance = self._balances[currency]
        balance.locked -= amount
        balance.free += amount
        self._changed[currency] = None

    def spend(self, currency: str, amount: Decimal) -> None:
        """Something set aside is gone."""
        self._balances[currency].locked -= amount
        self._changed[currency] = None

    def settle(self, currency: str, amount: Decimal) -> None:
        """A profit comes in, or a loss or fee goes out as far as there is something."""
        balance = self._balances.setdefault(currency, Balance(currency))
        balance.free = max(Decimal(0), balance.free + amount)
        self._changed[currency] = None

    def earn(self, currency: str, amount: Decimal, price: Decimal | None = None) -> None:
        """Something comes in; bought at ``price``, it moves the mean price."""
        balance = self._balances.setdefault(currency, Balance(currency))
        if price is not None:
            held = balance.free + balance.locked
            mean = (balance.avg_buy_price * held + price * amount) / (held + amount)
            balance.avg_buy_price = mean.quantize(Decimal(1).scaleb(-8))
        balance.free += amount
        self._changed[currency] = None
