"""Private events beside orders and balances: positions, and fills. Numbers are exact."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

from msgspec import Struct

from tapewire.model.event import Event


class PositionEvent(Event, gc=False, kw_only=True, tag="myPosition"):
    """One position of the key's owner (spec/okx.md A7.3). Times are ms UTC.

    ``position_side``: ``long``, ``short`` or ``net``; of ``net`` the sign of ``position`` is the direction. What the
    venue says beyond these names is in ``fields``, under its own names and as it sent it.
    """

    position_id: str | None = None
    market_type: str | None = None
    margin_mode: str | None = None
    position_side: str | None = None
    position: Decimal | None = None
    position_currency: str | None = None
    available: Decimal | None = None
    avg_price: Decimal | None = None
    mark_price: Decimal | None = None
    liquidation_price: Decimal | None = None
    leverage: Decimal | None = None
    margin: Decimal | None = None
    unrealized_profit: Decimal | None = None
    realized_profit: Decimal | None = None
    currency: str | None = None
    trade_id: int | None = None
    created_at: int | None = None
    updated_at: int | None = None
    fields: dict[str, Any] = {}


class CashBalance(Struct, gc=False, kw_only=True):
    """Cash of one currency, as an absolute new value."""

    currency: str
    balance: Decimal | None = None
    updated_at: int | None = None


class PositionChange(Struct, gc=False, kw_only=True):
    """One position, as absolute new values."""

    position_id: str | None = None
    symbol: str | None = None
    market_type: str | None = None
    margin_mode: str | None = None
    position_side: str | None = None
    position: Decimal | None = None
    position_currency: str | None = None
    avg_price: Decimal | None = None
    currency: str | None = None
    trade_id: int | None = None
    updated_at: int | None = None
    fields: dict[str, Any] = {}


class TradeReference(Struct, gc=False, kw_only=True):
    """A trade by its market and id."""

    symbol: str
    trade_id: int | None = None


class BalanceAndPositionEvent(Event, gc=False, kw_only=True, tag="balanceAndPosition"):
    """Cash and positions that one happening changed (spec/okx.md A7.4).

    ``event_type``: ``snapshot``, ``filled``, ``transferred``, ``funding_fee``, ``delivery``, ``adl`` …
    """

    symbol: str = ""
    event_type: str | None = None
    balances: list[CashBalance] = []
    positions: list[PositionChange] = []
    trades: list[TradeReference] = []


class FillEvent(Event, gc=False, kw_only=True, tag="myFill"):
    """One execution of an order of the key's owner, of orders in the book (spec/okx.md A7.5).

    ``count``: a taker's executions at one price are told as one.
    """

    uuid: str
    ask_bid: str | None = None
    price: Decimal | None = None
    volume: Decimal | None = None
    sequential_id: int | None = None
    identifier: str | None = None
    is_maker: bool | None = None
    count: int | None = None
