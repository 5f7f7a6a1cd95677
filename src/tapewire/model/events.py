"""Market events: one class per kind for all venues (DESIGN.md section 2).

Names are Upbit's own; every other venue maps onto them. A field that the venue does not send is None.
Numbers are ``float``; a client made with ``numbers="decimal"`` gets the same classes with exact
``decimal.Decimal`` values in the places annotated ``float``. Orders and balances are always exact.
Times called ``timestamp`` are integer milliseconds as the venue sent them (Unix epoch, UTC); ``received_ns`` is
integer nanoseconds UTC of the socket read that brought the message (0 when unknown, as in a pure ``decode``).
``recovered`` says that the stream missed the event and REST told of it afterwards: it may be older than the one before.
``polled`` says that there was no stream, and REST was asked in its place (``FeedOptions.poll_after``).
Fields stand in the order in which Upbit sends them: a decoder that finds the next key where it looks first saves 15 %
on tickers.
"""

from __future__ import annotations

from decimal import Decimal
from typing import Any

from msgspec import Struct

from tapewire.model.derivatives import (
    FundingRateEvent,
    IndexTickerEvent,
    LiquidationEvent,
    MarkPriceEvent,
    OpenInterestEvent,
    PriceLimitEvent,
)
from tapewire.model.event import KST, Event, StreamType
from tapewire.model.listing import InstrumentEvent, StatusEvent
from tapewire.model.positions import BalanceAndPositionEvent, FillEvent, PositionEvent
from tapewire.model.subscription import as_detail

__all__ = [
    "EVENT_CLASSES", "KST", "AnnouncementEvent", "Asset", "BalanceAndPositionEvent", "CandleEvent", "Event",
    "FillEvent", "FundingRateEvent", "IndexTickerEvent", "IndicatorEvent", "IndicatorSignalEvent", "InstrumentEvent",
    "LiquidationEvent", "MarkPriceEvent", "MyAssetEvent", "MyOrderEvent", "OpenInterestEvent", "OrderbookEvent",
    "OrderbookUnit", "PositionEvent", "PriceLimitEvent", "StatusEvent", "StreamType", "TickerEvent", "TradeEvent",
]  # fmt: skip


class TickerEvent(Event, gc=False, kw_only=True, tag="ticker"):
    """State of one market: last price, the UTC day's figures, rolling 24 hours (spec/upbit.md 4.1)."""

    opening_price: float | None = None
    high_price: float | None = None
    low_price: float | None = None
    trade_price: float | None = None
    prev_closing_price: float | None = None
    acc_trade_price: float | None = None
    change: str | None = None
    change_price: float | None = None
    signed_change_price: float | None = None
    change_rate: float | None = None
    signed_change_rate: float | None = None
    ask_bid: str | None = None
    trade_volume: float | None = None
    acc_trade_volume: float | None = None
    trade_date: str | None = None
    trade_time: str | None = None
    trade_timestamp: int | None = None
    acc_ask_volume: float | None = None
    acc_bid_volume: float | None = None
    highest_52_week_price: float | None = None
    highest_52_week_date: str | None = None
    lowest_52_week_price: float | None = None
    lowest_52_week_date: str | None = None
    market_state: str | None = None
    is_trading_suspended: bool | None = None
    delisting_date: Any = None
    market_warning: str | None = None
    acc_trade_price_24h: float | None = None
    acc_trade_volume_24h: float | None = None
    best_bid_price: float | None = None
    best_bid_size: float | None = None
    best_ask_price: float | None = None
    best_ask_size: float | None = None
    opening_price_24h: float | None = None
    high_price_24h: float | None = None
    low_price_24h: float | None = None
    opening_price_utc8: float | None = None
    contracts_24h: float | None = None
    open_interest: float | None = None
    market_type: str | None = None
    source: str | None = None


class TradeEvent(Event, gc=False, kw_only=True, tag="trade"):
    """One trade. ``ask_bid`` is the taker's side; ``sequential_id`` is unique within one market only
    and does not arrive in order (spec/upbit.md section 8).

    With a ``count`` it stands for so many trades of one taker at one price, whose last id it has (spec/okx.md A6.2).
    """

    trade_date: str | None = None
    trade_time: str | None = None
    trade_timestamp: int | None = None
    trade_price: float | None = None
    trade_volume: float | None = None
    ask_bid: str | None = None
    prev_closing_price: float | None = None
    change: str | None = None
    change_price: float | None = None
    sequential_id: int | None = None
    best_ask_price: float | None = None
    best_ask_size: float | None = None
    best_bid_price: float | None = None
    best_bid_size: float | None = None
    count: int | None = None
    source: str | None = None
    sequence: int | None = None


class OrderbookUnit(Struct, gc=False):
    """One level of both sides: the i-th best ask beside the i-th best bid."""

    ask_price: float
    bid_price: float
    ask_size: float
    bid_size: float


class OrderbookEvent(Event, gc=False, kw_only=True, tag="orderbook"):
    """A complete book of the asked depth; it replaces the one before. ``orderbook_units[0]`` is the best.

    A thin book's missing levels may be padded with price 0 and size 0 (spec/upbit.md 4.3).
    """

    total_ask_size: float | None = None
    total_bid_size: float | None = None
    orderbook_units: list[OrderbookUnit] = []
    level: float | None = None


class CandleEvent(Event, gc=False, kw_only=True, tag="candle"):
    """The state of one candle window so far; the same window comes many times, the last one wins.

    ``final``: the window is over and this is all of it. Upbit's stream never says so, REST told it afterwards (with
    ``recovered``); OKX says it.
    """

    unit: str | None = None
    candle_date_time_utc: str | None = None
    candle_date_time_kst: str | None = None
    opening_price: float | None = None
    high_price: float | None = None
    low_price: float | None = None
    trade_price: float | None = None
    candle_acc_trade_volume: float | None = None
    candle_acc_trade_price: float | None = None
    final: bool = False
    contracts: float | None = None


class MyOrderEvent(Event, gc=False, kw_only=True, tag="myOrder"):
    """What happened to one order of the key's owner (spec/upbit.md 4.5). Numbers are exact.

    ``state``: ``wait``, ``watch``, ``trade``, ``done``, ``cancel``, ``prevented``. While it is ``trade``, ``price`` and
    ``volume`` are those of the execution. Other venues' words are kept (``live``, ``filled`` …), and what a venue says
    beyond these names is in ``fields``, under its own names and as it sent it.
    """

    uuid: str
    ask_bid: str | None = None
    order_type: str | None = None
    state: str
    trade_uuid: str | None = None
    price: Decimal | None = None
    avg_price: Decimal | None = None
    volume: Decimal | None = None
    remaining_volume: Decimal | None = None
    executed_volume: Decimal | None = None
    trades_count: int | None = None
    reserved_fee: Decimal | None = None
    remaining_fee: Decimal | None = None
    paid_fee: Decimal | None = None
    locked: Decimal | None = None
    executed_funds: Decimal | None = None
    time_in_force: str | None = None
    trade_fee: Decimal | None = None
    is_maker: bool | None = None
    identifier: str | None = None
    smp_type: str | None = None
    prevented_volume: Decimal | None = None
    prevented_locked: Decimal | None = None
    trade_timestamp: int | None = None
    order_timestamp: int | None = None
    fields: dict[str, Any] = {}


class Asset(Struct, gc=False):
    """One currency of the account: ``balance`` is what is free, ``locked`` lies in orders and withdrawals."""

    currency: str
    balance: Decimal
    locked: Decimal


class MyAssetEvent(Event, gc=False, kw_only=True, tag="myAsset"):
    """Balances that changed, as absolute new values; what is not named is unchanged (spec/upbit.md 4.6).

    What a venue says beyond them is in ``fields``, under its own names and as it sent it.
    """

    symbol: str = ""
    asset_uuid: str | None = None
    assets: list[Asset] = []
    asset_timestamp: int | None = None
    fields: dict[str, Any] = {}


class AnnouncementEvent(Event, gc=False, kw_only=True, tag="announcement"):
    """A notice of the exchange, new or changed (spec/upbit.md 4.7). ``first_listed_at``, ``listed_at``: ISO 8601."""

    symbol: str = ""
    event_type: str | None = None
    uuid: str
    title: str | None = None
    category: str | None = None
    url: str | None = None
    first_listed_at: str | None = None
    listed_at: str | None = None
    body: str | None = None


class IndicatorEvent(Event, gc=False, kw_only=True, tag="indicator"):
    """An indicator's value at the close of a candle (spec/upbit.md 4.8); names in it are the long ones."""

    timeframe: str
    indicator: str
    params: dict[str, Any] = {}
    candle_date_time_utc: str | None = None
    value: dict[str, float] = {}

    @property
    def unit(self) -> str:
        """The time frame, as ``Subscription.unit`` has it."""
        return self.timeframe

    @property
    def detail(self) -> str:
        """Which indicator it is, as ``Subscription.detail`` has it."""
        return as_detail({"type": self.indicator, "params": self.params})


class IndicatorSignalEvent(IndicatorEvent, gc=False, kw_only=True, tag="indicator_signal"):
    """An indicator's condition became true at the close of a candle (spec/upbit.md 4.9)."""

    trigger: str
    event_params: dict[str, Any] = {}

    @property
    def detail(self) -> str:
        """Which signal it is, as ``Subscription.detail`` has it."""
        said = {"type": self.indicator, "params": self.params, "trigger": self.trigger}
        return as_detail(said | ({"event_params": self.event_params} if self.event_params else {}))


#: Every kind of market event by the word used in ``Subscription.kind``.
EVENT_CLASSES: dict[str, type[Event]] = {
    "ticker": TickerEvent,
    "trade": TradeEvent,
    "orderbook": OrderbookEvent,
    "candle": CandleEvent,
    "myOrder": MyOrderEvent,
    "myAsset": MyAssetEvent,
    "announcement": AnnouncementEvent,
    "indicator": IndicatorEvent,
    "indicator_signal": IndicatorSignalEvent,
    "instrument": InstrumentEvent,
    "status": StatusEvent,
    "fundingRate": FundingRateEvent,
    "markPrice": MarkPriceEvent,
    "indexTicker": IndexTickerEvent,
    "openInterest": OpenInterestEvent,
    "priceLimit": PriceLimitEvent,
    "liquidation": LiquidationEvent,
    "myPosition": PositionEvent,
    "balanceAndPosition": BalanceAndPositionEvent,
    "myFill": FillEvent,
}
