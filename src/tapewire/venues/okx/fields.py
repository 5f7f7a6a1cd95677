"""OKX's names of what events hold, one table for each kind: attribute → name on the wire (spec/okx.md A6, A7)."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

#: Kind → {attribute: name in ``data``}, in the order of OKX's own messages. What has an element of its own is not here:
#: sides, levels, candles, and the figures whose meaning depends on the type of instrument (``VOLUMES``).
FIELDS: Mapping[str, Mapping[str, str]] = MappingProxyType({
    "ticker": {
        "market_type": "instType",
        "symbol": "instId",
        "trade_price": "last",
        "trade_volume": "lastSz",
        "best_ask_price": "askPx",
        "best_ask_size": "askSz",
        "best_bid_price": "bidPx",
        "best_bid_size": "bidSz",
        "opening_price_24h": "open24h",
        "high_price_24h": "high24h",
        "low_price_24h": "low24h",
        "opening_price": "sodUtc0",
        "opening_price_utc8": "sodUtc8",
        "timestamp": "ts",
        "source": "source",
    },
    "trade": {
        "symbol": "instId",
        "sequential_id": "tradeId",
        "trade_price": "px",
        "trade_volume": "sz",
        "ask_bid": "side",
        "timestamp": "ts",
        "count": "count",
        "source": "source",
        "sequence": "seqId",
    },
    "orderbook": {"symbol": "instId", "timestamp": "ts", "sequence": "seqId"},
    "bookChange": {
        "symbol": "instId",
        "timestamp": "ts",
        "checksum": "checksum",
        "previous_sequence": "prevSeqId",
        "sequence": "seqId",
    },
    "instrument": {
        "symbol": "instId",
        "market_type": "instType",
        "state": "state",
        "base": "baseCcy",
        "quote": "quoteCcy",
        "settlement_currency": "settleCcy",
        "underlying": "uly",
        "family": "instFamily",
        "tick_size": "tickSz",
        "lot_size": "lotSz",
        "min_size": "minSz",
        "contract_value": "ctVal",
        "contract_multiplier": "ctMult",
        "contract_currency": "ctValCcy",
        "contract_type": "ctType",
        "option_type": "optType",
        "strike": "stk",
        "leverage": "lever",
        "listed_at": "listTime",
        "expires_at": "expTime",
    },
    "status": {
        "title": "title",
        "state": "state",
        "begin": "begin",
        "end": "end",
        "pre_open_begin": "preOpenBegin",
        "url": "href",
        "service_type": "serviceType",
        "system": "system",
        "rescheduled": "scheDesc",
        "maintenance_type": "maintType",
        "environment": "env",
        "timestamp": "ts",
    },
    "fundingRate": {
        "symbol": "instId",
        "market_type": "instType",
        "funding_rate": "fundingRate",
        "funding_time": "fundingTime",
        "next_funding_rate": "nextFundingRate",
        "next_funding_time": "nextFundingTime",
        "previous_funding_time": "prevFundingTime",
        "min_funding_rate": "minFundingRate",
        "max_funding_rate": "maxFundingRate",
        "settlement_state": "settState",
        "settlement_funding_rate": "settFundingRate",
        "premium": "premium",
        "interest_rate": "interestRate",
        "impact_value": "impactValue",
        "method": "method",
        "formula_type": "formulaType",
        "timestamp": "ts",
    },
    "markPrice": {"symbol": "instId", "market_type": "instType", "mark_price": "markPx", "timestamp": "ts"},
    "indexTicker": {
        "symbol": "instId",
        "index_price": "idxPx",
        "high_price_24h": "high24h",
        "low_price_24h": "low24h",
        "opening_price_24h": "open24h",
        "opening_price": "sodUtc0",
        "opening_price_utc8": "sodUtc8",
        "timestamp": "ts",
    },
    "openInterest": {
        "symbol": "instId",
        "market_type": "instType",
        "open_interest": "oi",
        "open_interest_currency": "oiCcy",
        "open_interest_usd": "oiUsd",
        "timestamp": "ts",
    },
    "priceLimit": {
        "symbol": "instId",
        "highest_bid": "buyLmt",
        "lowest_ask": "sellLmt",
        "enabled": "enabled",
        "timestamp": "ts",
    },
    "liquidation": {"symbol": "instId", "market_type": "instType", "family": "instFamily", "underlying": "uly"},
    "myOrder": {
        "symbol": "instId",
        "uuid": "ordId",
        "ask_bid": "side",
        "order_type": "ordType",
        "state": "state",
        "trade_uuid": "tradeId",
        "avg_price": "avgPx",
        "executed_volume": "accFillSz",
        "identifier": "clOrdId",
        "trade_timestamp": "fillTime",
        "order_timestamp": "cTime",
        "timestamp": "uTime",
    },
    "myPosition": {
        "symbol": "instId",
        "position_id": "posId",
        "market_type": "instType",
        "margin_mode": "mgnMode",
        "position_side": "posSide",
        "position": "pos",
        "position_currency": "posCcy",
        "available": "availPos",
        "avg_price": "avgPx",
        "mark_price": "markPx",
        "liquidation_price": "liqPx",
        "leverage": "lever",
        "margin": "margin",
        "unrealized_profit": "upl",
        "realized_profit": "realizedPnl",
        "currency": "ccy",
        "trade_id": "tradeId",
        "created_at": "cTime",
        "updated_at": "uTime",
        "timestamp": "pTime",
    },
    "balanceAndPosition": {"event_type": "eventType", "timestamp": "pTime"},
    "myFill": {
        "symbol": "instId",
        "uuid": "ordId",
        "ask_bid": "side",
        "price": "fillPx",
        "volume": "fillSz",
        "sequential_id": "tradeId",
        "identifier": "clOrdId",
        "count": "count",
        "timestamp": "ts",
    },
})  # fmt: skip
#: Kind → what an event of it cannot be without.
NEEDED: Mapping[str, tuple[str, ...]] = MappingProxyType(
    {
        "trade": ("sequential_id", "trade_price", "trade_volume", "ask_bid", "timestamp"),
        "fundingRate": ("funding_rate",),
        "markPrice": ("mark_price",),
        "indexTicker": ("index_price",),
        "openInterest": ("open_interest",),
        "myOrder": ("uuid", "state"),
        "myFill": ("uuid",),
    }
)
#: The same as ``FIELDS`` for what stands in lists within a message.
PARTS: Mapping[str, Mapping[str, str]] = MappingProxyType({
    "liquidation": {
        "ask_bid": "side",
        "position_side": "posSide",
        "bankruptcy_price": "bkPx",
        "volume": "sz",
        "bankruptcy_loss": "bkLoss",
        "currency": "ccy",
        "timestamp": "ts",
    },
    "asset": {"currency": "ccy", "balance": "availBal", "locked": "frozenBal"},
    "balance": {"currency": "ccy", "balance": "cashBal", "updated_at": "uTime"},
    "position": {
        "position_id": "posId",
        "symbol": "instId",
        "market_type": "instType",
        "margin_mode": "mgnMode",
        "position_side": "posSide",
        "position": "pos",
        "position_currency": "posCcy",
        "avg_price": "avgPx",
        "currency": "ccy",
        "trade_id": "tradeId",
        "updated_at": "uTime",
    },
    "trade": {"symbol": "instId", "trade_id": "tradeId"},
})  # fmt: skip
#: Volumes of a ticker, of spot and of what is counted in contracts (A6.1): attribute → name on the wire.
VOLUMES: Mapping[bool, Mapping[str, str]] = MappingProxyType(
    {
        False: {"acc_trade_volume_24h": "vol24h", "acc_trade_price_24h": "volCcy24h"},
        True: {"contracts_24h": "vol24h", "acc_trade_volume_24h": "volCcy24h"},
    }
)
#: Side of an order, of the taker's in a trade → our word.
SIDES: Mapping[str, str] = MappingProxyType({"buy": "BID", "sell": "ASK"})
#: ``execType`` → whether the order was the maker (A7.1).
MAKER: Mapping[str, bool] = MappingProxyType({"M": True, "T": False})
#: Elements of a candle's row (A6.5): attribute of spot, of what is counted in contracts. ``ts`` is the first,
#: ``confirm`` the last of nine; rows of 2022 end after two volumes.
CANDLE_PRICES = ("opening_price", "high_price", "low_price", "trade_price")
CANDLE_VOLUMES: Mapping[bool, tuple[str | None, ...]] = MappingProxyType(
    {
        False: ("candle_acc_trade_volume", "candle_acc_trade_price", None),
        True: ("contracts", "candle_acc_trade_volume", "candle_acc_trade_price"),
    }
)
