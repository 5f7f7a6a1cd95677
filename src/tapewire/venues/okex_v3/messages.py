"""OKEX v3's data messages as typed structs, and the events that they become (spec/okx.md B4).

Every number comes as text, and only the number of orders of a level was a number before mid 2019; both are read. The
table says the market and the channel, the instrument stands in each row.
"""

from __future__ import annotations

from collections.abc import Callable
from decimal import Decimal
from functools import cache, partial, reduce
from operator import or_
from sys import float_info
from typing import Annotated, Any, Generic, Literal, TypeVar, cast

import msgspec
from msgspec import Struct

from tapewire.config import Numbers
from tapewire.model.book import BookChange, BookLevel, DepthOrderbookEvent, Row
from tapewire.model.derivatives import FundingRateEvent, IndexTickerEvent, MarkPriceEvent, PriceLimitEvent
from tapewire.model.events import CandleEvent, Event, TickerEvent, TradeEvent
from tapewire.venues.okex_v3.channels import CANDLE_SECONDS, TABLES, Table
from tapewire.venues.okex_v3.profile import NAME
from tapewire.venues.okex_v3.times import milliseconds

#: The largest float64; exact decimals are held to the same range.
_MAX = Decimal(float_info.max)
#: A float that is a number: text is read too, and ``"nan"`` is text.
_FLOAT = Annotated[float, msgspec.Meta(ge=-float_info.max, le=float_info.max)]
_ID = Annotated[int, msgspec.Meta(ge=-(2**63), le=2**63 - 1)]
_LEVEL = Annotated[tuple[str | int, ...], msgspec.Meta(min_length=2)]

_TEXT = {str}

N = TypeVar("N")


class _Ticker(Struct, Generic[N]):
    """``last_qty`` and the best sizes came in 2019, the days' opening prices later; some are of one market only."""

    instrument_id: str
    timestamp: str
    last: N
    best_bid: N
    best_ask: N
    open_24h: N | None = None
    high_24h: N | None = None
    low_24h: N | None = None
    open_utc0: N | None = None
    open_utc8: N | None = None
    last_qty: N | None = None
    best_bid_size: N | None = None
    best_ask_size: N | None = None
    base_volume_24h: N | None = None
    quote_volume_24h: N | None = None
    volume_24h: N | None = None
    volume_token_24h: N | None = None
    open_interest: N | None = None


class _Trade(Struct, Generic[N]):
    """``size`` in spot and swap, ``qty`` in futures and option."""

    instrument_id: str
    timestamp: str
    trade_id: _ID
    price: N
    side: Literal["buy", "sell"]
    size: N | None = None
    qty: N | None = None


class _Level(Struct, Generic[N], array_like=True):
    """Three elements (spot until 2022 in ``depth5``) end with the number of orders, four have another figure before."""

    price: N
    size: N
    third: int = 0
    fourth: int | None = None


class _Book(Struct, Generic[N]):
    instrument_id: str
    timestamp: str
    asks: list[_Level[N]]
    bids: list[_Level[N]]


class _Change(Struct):
    """The texts of the levels are kept: the checksum is made of them."""

    instrument_id: str
    timestamp: str
    asks: list[_LEVEL]
    bids: list[_LEVEL]
    checksum: Annotated[int, msgspec.Meta(ge=-(2**31), le=2**31 - 1)] | None = None


class _Figures(Struct, Generic[N], array_like=True):
    """One candle; ``currency_volume`` is not sent for spot."""

    begin: str
    open: N
    high: N
    low: N
    close: N
    volume: N
    currency_volume: N | None = None


class _Candle(Struct, Generic[N]):
    instrument_id: str
    candle: _Figures[N]


class _FundingRate(Struct, Generic[N]):
    instrument_id: str
    funding_rate: N
    funding_time: str
    estimated_rate: N | None = None
    interest_rate: N | None = None
    settlement_time: str | None = None


class _MarkPrice(Struct, Generic[N]):
    instrument_id: str
    timestamp: str
    mark_price: N


class _PriceRange(Struct, Generic[N]):
    instrument_id: str
    timestamp: str
    highest: N
    lowest: N


class _Index(Struct, Generic[N]):
    instrument_id: str
    timestamp: str
    last: N
    open_24h: N | None = None
    high_24h: N | None = None
    low_24h: N | None = None


#: Attribute of a ticker → its name on the wire, of all markets.
TICKER_FIELDS = {
    "trade_price": "last", "trade_volume": "last_qty", "best_bid_price": "best_bid", "best_bid_size": "best_bid_size",
    "best_ask_price": "best_ask", "best_ask_size": "best_ask_size", "opening_price": "open_utc0",
    "opening_price_utc8": "open_utc8", "opening_price_24h": "open_24h", "high_price_24h": "high_24h",
    "low_price_24h": "low_24h", "open_interest": "open_interest",
}  # fmt: skip
#: The same of its volumes, of spot and of what is counted in contracts.
SPOT_VOLUMES = {"acc_trade_volume_24h": "base_volume_24h", "acc_trade_price_24h": "quote_volume_24h"}
CONTRACT_VOLUMES = {"acc_trade_volume_24h": "volume_token_24h", "contracts_24h": "volume_24h"}


def _ticker(table: Table, _action: str | None, row: _Ticker[Any]) -> TickerEvent:
    contracts = table.market != "spot"
    return TickerEvent(
        venue=NAME,
        symbol=row.instrument_id,
        timestamp=milliseconds(row.timestamp),
        market_type=table.market.upper(),
        trade_price=row.last,
        trade_volume=row.last_qty,
        best_bid_price=row.best_bid,
        best_bid_size=row.best_bid_size,
        best_ask_price=row.best_ask,
        best_ask_size=row.best_ask_size,
        opening_price=row.open_utc0,
        opening_price_utc8=row.open_utc8,
        opening_price_24h=row.open_24h,
        high_price_24h=row.high_24h,
        low_price_24h=row.low_24h,
        acc_trade_volume_24h=row.volume_token_24h if contracts else row.base_volume_24h,
        acc_trade_price_24h=row.quote_volume_24h,
        contracts_24h=row.volume_24h,
        open_interest=row.open_interest,
    )


def _trade(_table: Table, _action: str | None, row: _Trade[Any]) -> TradeEvent:
    at = milliseconds(row.timestamp)
    volume = row.qty if row.size is None else row.size
    if volume is None:
        raise ValueError("neither size nor qty")
    return TradeEvent(
        venue=NAME,
        symbol=row.instrument_id,
        timestamp=at,
        trade_timestamp=at,
        trade_price=row.price,
        trade_volume=volume,
        ask_bid="BID" if row.side == "buy" else "ASK",
        sequential_id=row.trade_id,
    )


def _book(table: Table, _action: str | None, row: _Book[Any]) -> DepthOrderbookEvent:
    return DepthOrderbookEvent(
        venue=NAME,
        symbol=row.instrument_id,
        timestamp=milliseconds(row.timestamp),
        channel=table.channel,
        asks=[_level(level) for level in row.asks],
        bids=[_level(level) for level in row.bids],
    )


def _level(level: _Level[Any]) -> BookLevel:
    if level.fourth is None:
        return BookLevel(level.price, level.size, 0, level.third)
    return BookLevel(level.price, level.size, level.third, level.fourth)


def _change(table: Table, action: str | None, row: _Change) -> BookChange:
    if action not in ("partial", "update"):
        raise ValueError(f'action is {action!r}; it must be "partial" or "update"')
    return BookChange(
        venue=NAME,
        symbol=row.instrument_id,
        timestamp=milliseconds(row.timestamp),
        channel=table.channel,
        action="snapshot" if action == "partial" else "update",
        asks=_texts(row.asks),
        bids=_texts(row.bids),
        checksum=row.checksum,
    )


def _texts(levels: list[tuple[str | int, ...]]) -> list[Row]:
    """As they are, unless one has a number (before mid 2019)."""
    if {type(one) for level in levels for one in level} <= _TEXT:
        return cast("list[Row]", levels)
    return [tuple(map(str, level)) for level in levels]


def _candle(table: Table, _action: str | None, row: _Candle[Any]) -> CandleEvent:
    figures, contracts = row.candle, table.market not in ("spot", "index")
    begin = figures.begin
    candle: CandleEvent = _CANDLES[
        table.unit
    ](
        venue=NAME,
        symbol=row.instrument_id,
        timestamp=milliseconds(begin),  # the only time that is told
        unit=table.unit,
        candle_date_time_utc=begin[:19],
        opening_price=figures.open,
        high_price=figures.high,
        low_price=figures.low,
        trade_price=figures.close,
        candle_acc_trade_volume=figures.currency_volume if contracts else figures.volume,
        contracts=figures.volume if contracts else None,
    )
    return candle


def _funding_rate(table: Table, _action: str | None, row: _FundingRate[Any]) -> FundingRateEvent:
    return FundingRateEvent(
        venue=NAME,
        symbol=row.instrument_id,
        market_type=table.market.upper(),
        funding_rate=row.funding_rate,
        funding_time=milliseconds(row.funding_time),
        next_funding_rate=row.estimated_rate,
        next_funding_time=None if row.settlement_time is None else milliseconds(row.settlement_time),
        interest_rate=row.interest_rate,
    )


def _mark_price(table: Table, _action: str | None, row: _MarkPrice[Any]) -> MarkPriceEvent:
    return MarkPriceEvent(
        venue=NAME,
        symbol=row.instrument_id,
        timestamp=milliseconds(row.timestamp),
        market_type=table.market.upper(),
        mark_price=row.mark_price,
    )


def _price_range(_table: Table, _action: str | None, row: _PriceRange[Any]) -> PriceLimitEvent:
    return PriceLimitEvent(
        venue=NAME,
        symbol=row.instrument_id,
        timestamp=milliseconds(row.timestamp),
        highest_bid=row.highest,
        lowest_ask=row.lowest,
    )


def _index(_table: Table, _action: str | None, row: _Index[Any]) -> IndexTickerEvent:
    return IndexTickerEvent(
        venue=NAME,
        symbol=row.instrument_id,
        timestamp=milliseconds(row.timestamp),
        index_price=row.last,
        opening_price_24h=row.open_24h,
        high_price_24h=row.high_24h,
        low_price_24h=row.low_24h,
    )


#: One class for each candle unit, for the tables of the short road.
_CANDLES: dict[str | None, Any] = {
    unit: msgspec.defstruct(f"OkexCandle{unit}", [], bases=(CandleEvent,), gc=False, kw_only=True, tag="candle")
    for unit in CANDLE_SECONDS
}
#: Kind → the struct of its rows, and what makes an event of one. Books that are always full have a depth.
_ROWS: dict[tuple[str, bool], tuple[Any, Callable[[Table, str | None, Any], Event]]] = {
    ("ticker", False): (_Ticker, _ticker),
    ("trade", False): (_Trade, _trade),
    ("orderbook", True): (_Book, _book),
    ("orderbook", False): (_Change, _change),
    ("candle", False): (_Candle, _candle),
    ("fundingRate", False): (_FundingRate, _funding_rate),
    ("markPrice", False): (_MarkPrice, _mark_price),
    ("priceLimit", False): (_PriceRange, _price_range),
    ("indexTicker", False): (_Index, _index),
}


def wire_classes() -> dict[type, tuple[type[Event], str, str | None]]:
    """See ``Codec.classes``: what the short road may deliver, changes of books to the book that is kept."""
    plain: dict[type, tuple[type[Event], str, str | None]] = {
        cls: (cls, cls.__struct_config__.tag, None)  # type: ignore[misc]
        for cls in (
            TickerEvent, TradeEvent, DepthOrderbookEvent, BookChange,
            FundingRateEvent, MarkPriceEvent, PriceLimitEvent, IndexTickerEvent,
        )
    }  # fmt: skip
    return plain | {cls: (CandleEvent, "candle", unit) for unit, cls in _CANDLES.items()}


@cache
def row_reader(name: str, numbers: Numbers) -> Callable[[Any, str | None], Event]:
    """For a table: JSON of one row, the frame's action → its event. Raises on anything else."""
    table = TABLES[name]
    struct, make = _ROWS[table.kind, table.depth is not None]
    decode = msgspec.json.Decoder(_of(struct, numbers), strict=False).decode

    def read(row: Any, action: str | None) -> Event:
        event = make(table, action, decode(row))
        return _in_range(event) if numbers == "decimal" else event

    return read


@cache
def frame_reader(numbers: Numbers) -> Callable[[bytes], Event]:
    """Text of a frame with one row → its event. Raises on anything else."""
    frames: list[Any] = []
    makers: dict[type, Callable[[str | None, Any], Event]] = {}
    for table in TABLES.values():
        struct, make = _ROWS[table.kind, table.depth is not None]
        row: Any = _of(struct, numbers)
        fields: list[Any] = [("data", list[row]), ("action", str | None, None)]
        frame = msgspec.defstruct("Frame", fields, tag_field="table", tag=table.name, gc=False)
        frames.append(frame)
        makers[frame] = partial(make, table)
    decode = msgspec.json.Decoder(reduce(or_, frames), strict=False).decode

    def read(text: bytes) -> Event:
        frame = decode(text)
        [row] = frame.data
        return makers[type(frame)](frame.action, row)

    return read if numbers == "float" else lambda text: _in_range(read(text))


def _of(struct: Any, numbers: Numbers) -> Any:
    return struct if struct is _Change else struct[_FLOAT if numbers == "float" else Decimal]


def _in_range(event: Event) -> Event:
    """A Decimal may be NaN (sent as text) or ``1e999999``, which a float decoder refuses by itself."""
    values = list(msgspec.structs.astuple(event))
    if isinstance(event, DepthOrderbookEvent):
        values += [value for level in (*event.asks, *event.bids) for value in (level.price, level.size)]
    for value in values:
        if isinstance(value, Decimal) and not -_MAX <= value <= _MAX:  # NaN raises InvalidOperation here
            raise ValueError(f"number out of range: {value:.3e}")
    return event
