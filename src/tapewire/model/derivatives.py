"""Market events of derivatives: funding, mark and index prices, open interest, price limits, liquidations."""

from __future__ import annotations

from msgspec import Struct

from tapewire.model.event import Event


class FundingRateEvent(Event, gc=False, kw_only=True, tag="fundingRate"):
    """What holders of a perpetual swap pay each other at ``funding_time`` (ms UTC); longs pay a positive rate."""

    market_type: str | None = None
    funding_rate: float | None = None
    funding_time: int | None = None
    next_funding_rate: float | None = None
    next_funding_time: int | None = None
    previous_funding_time: int | None = None
    min_funding_rate: float | None = None
    max_funding_rate: float | None = None
    settlement_state: str | None = None
    settlement_funding_rate: float | None = None
    premium: float | None = None
    interest_rate: float | None = None
    impact_value: float | None = None
    method: str | None = None
    formula_type: str | None = None


class MarkPriceEvent(Event, gc=False, kw_only=True, tag="markPrice"):
    """The price by which the exchange values positions."""

    market_type: str | None = None
    mark_price: float | None = None


class IndexTickerEvent(Event, gc=False, kw_only=True, tag="indexTicker"):
    """An index: the mean price of several exchanges. ``symbol`` is the index (``BTC-USDT``)."""

    index_price: float | None = None
    high_price_24h: float | None = None
    low_price_24h: float | None = None
    opening_price_24h: float | None = None
    opening_price: float | None = None
    opening_price_utc8: float | None = None


class OpenInterestEvent(Event, gc=False, kw_only=True, tag="openInterest"):
    """Contracts that are open: in contracts, in the base currency, in US dollars."""

    market_type: str | None = None
    open_interest: float | None = None
    open_interest_currency: float | None = None
    open_interest_usd: float | None = None


class PriceLimitEvent(Event, gc=False, kw_only=True, tag="priceLimit"):
    """The highest price that may be bid and the lowest that may be asked; None: no limit at present."""

    highest_bid: float | None = None
    lowest_ask: float | None = None
    enabled: bool | None = None


class Liquidation(Struct, gc=False, kw_only=True):
    """One order by which the exchange closed somebody's position.

    ``ask_bid``: side of that order. ``bankruptcy_price``: where the position was worth nothing; ``bankruptcy_loss``:
    what it lost beyond.
    """

    ask_bid: str | None = None
    position_side: str | None = None
    bankruptcy_price: float | None = None
    volume: float | None = None
    bankruptcy_loss: float | None = None
    currency: str | None = None
    timestamp: int | None = None


class LiquidationEvent(Event, gc=False, kw_only=True, tag="liquidation"):
    """Positions of one market that the exchange closed; about one each second and contract is told."""

    market_type: str | None = None
    family: str | None = None
    underlying: str | None = None
    liquidations: list[Liquidation] = []
