"""Market events about the exchange's list: what can be traded and how, and when it is closed."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

from tapewire.model.event import Event


class InstrumentEvent(Event, gc=False, kw_only=True, tag="instrument"):
    """A market was listed, changed or ended (spec/okx.md A6.6). Steps and sizes are exact, times ms UTC.

    ``state``: ``live``, ``suspend``, ``expired``, ``preopen``, ``test``, ``rebase``, ``post_only``, ``settling``. What
    the venue says beyond these names is in ``fields``, under its own names and as it sent it.
    """

    market_type: str | None = None
    state: str | None = None
    base: str | None = None
    quote: str | None = None
    settlement_currency: str | None = None
    underlying: str | None = None
    family: str | None = None
    tick_size: Decimal | None = None
    lot_size: Decimal | None = None
    min_size: Decimal | None = None
    contract_value: Decimal | None = None
    contract_multiplier: Decimal | None = None
    contract_currency: str | None = None
    contract_type: str | None = None
    option_type: str | None = None
    strike: Decimal | None = None
    leverage: Decimal | None = None
    listed_at: int | None = None
    expires_at: int | None = None
    fields: dict[str, Any] = {}


class StatusEvent(Event, gc=False, kw_only=True, tag="status"):
    """Maintenance of the exchange, planned or under way (spec/okx.md A6.7). It says nothing about our connections.

    ``state``: ``scheduled``, ``ongoing``, ``pre_open``, ``completed``, ``canceled``. Times are ms UTC; ``end`` is an
    estimate until it is completed.
    """

    symbol: str = ""
    title: str | None = None
    state: str | None = None
    begin: int | None = None
    end: int | None = None
    pre_open_begin: int | None = None
    url: str | None = None
    service_type: str | None = None
    system: str | None = None
    rescheduled: str | None = None
    maintenance_type: str | None = None
    environment: str | None = None
