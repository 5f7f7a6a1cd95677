"""A customer's orders, fills and balances as OKX writes them (spec/okx.md A7, A8)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from decimal import Decimal
from typing import Any, Literal

from msgspec import Struct

from tapewire.model.events import MyOrderEvent
from tapewire.venues.digits import plain
from tapewire.venues.exchange import MarketView
from tapewire.venues.okx.sim_instruments import instrument
from tapewire.venues.trading import ZERO, Balance, Fill, NewOrder, Order

_KEPT = 20_000
_TYPES = {"ioc": "ioc", "fok": "fok", "post_only": "post_only", None: "limit"}
#: Why an order of this validity ends by itself (A7.1, ``cancelSource``).
_ENDS = {"fok": "13", "ioc": "14", "post_only": "31", "optimal_limit_ioc": "14"}
#: What the size of a market order is counted in.
_TARGETS = {"price": "quote_ccy", "market": "base_ccy"}
_DOLLARS = ("USDT", "USDC", "USD")


class Terms(Struct, frozen=True):
    """What was said with an order that the desk does not know of."""

    tag: str = ""
    mode: str = "cash"
    type: str = ""
    size: str = ""
    target: str = ""


class Terminals:
    """Those of all orders of an exchange, the oldest forgotten; and the price at which the market stood at an end."""

    def __init__(self) -> None:
        self._said: dict[str, Terms] = {}
        self._ends: dict[str, str] = {}

    def keep(self, uuid: str, said: Terms) -> None:
        """Remember what was said with an order."""
        _remember(self._said, uuid, said)

    def of(self, uuid: str) -> Terms:
        """What was said with it."""
        return self._said.get(uuid, Terms())

    def last_price(self, seen: Seen, market: MarketView) -> str:
        """``lastPx`` of an order: the market's price; of one that has ended as it was when that was first told."""
        price = self._ends.get(seen.uuid) or plain(market.last_trade(seen.symbol).trade_price or 0.0)
        if seen.state in ("filled", "canceled"):
            _remember(self._ends, seen.uuid, price)
        return price


def _remember(kept: dict[str, Any], uuid: str, value: object) -> None:
    kept[uuid] = value
    if len(kept) > _KEPT:
        del kept[next(iter(kept))]


class Seen(Struct, frozen=True):
    """An order at one moment: as an event tells of it, or as it stands."""

    uuid: str
    symbol: str
    side: str
    type: str
    in_force: str | None
    price: Decimal | None
    volume: Decimal | None
    identifier: str | None
    executed: Decimal
    funds: Decimal
    fee: Decimal
    state: Literal["live", "partially_filled", "filled", "canceled"]
    created_ms: int
    updated_ms: int


def order_id(uuid: str) -> str:
    """``ordId`` of an order."""
    return str(int(uuid.replace("-", ""), 16) % 10**18 + 10**17)


def bill_id(order: Order, fill: Fill) -> str:
    """``billId`` of an execution: one match is two of them if both orders are the account's own."""
    return order_id(order.uuid + fill.uuid)


def seen_order(order: Order) -> Seen:
    """An order as it stands."""
    asked = order.asked
    states: Mapping[str, Any] = {"done": "filled", "wait": "partially_filled" if order.executed_volume else "live"}
    state = states.get(order.state, "filled" if asked.spends and order.executed_volume else "canceled")
    updated = order.ended_ms or (order.fills[-1].ms if order.fills else order.ms)
    return Seen(
        order.uuid, asked.symbol, asked.side, asked.ord_type, asked.time_in_force, asked.price, asked.volume,
        asked.identifier, order.executed_volume, order.executed_funds, order.paid_fee, state, order.ms, updated,
    )  # fmt: skip


def seen_event(event: MyOrderEvent, asked: NewOrder) -> Seen | None:
    """What an event tells; None: OKX has no message for it.

    A fill that completes an order is one message, not two; an order that spends an amount ends with one of its own.
    """
    executed, spends = event.executed_volume or ZERO, event.remaining_volume is None
    complete = event.remaining_volume == 0
    if event.state == "prevented" or (event.state == "done" and complete):
        return None
    traded = "filled" if complete else "partially_filled"
    waits = "partially_filled" if executed else "live"  # again after it was amended
    states: Mapping[str, Any] = {"wait": waits, "trade": traded, "done": "filled"}
    state = states.get(event.state, "filled" if spends and executed else "canceled")
    return Seen(
        event.uuid, event.symbol, asked.side, asked.ord_type, asked.time_in_force, asked.price, asked.volume,
        asked.identifier, executed, event.executed_funds or ZERO, event.paid_fee or ZERO, state,
        event.order_timestamp or 0, event.timestamp or 0,
    )  # fmt: skip


def order_row(seen: Seen, terminals: Terminals, market: MarketView, fill: Fill | None = None) -> dict[str, Any]:
    """A row of ``orders`` (A7.1); ``fill`` is what this message tells of."""
    one, said = instrument(seen.symbol), terminals.of(seen.uuid)
    kind = said.type or _order_type(seen)
    mean = plain(round(seen.funds / seen.executed, 8)) if seen.executed else "0"
    size = said.size or plain(seen.volume if seen.volume is not None else seen.price or ZERO)
    row: dict[str, Any] = dict.fromkeys(_EMPTY, "")
    row |= {
        "accFillSz": plain(seen.executed), "amendResult": "", "attachAlgoOrds": [], "avgPx": mean,
        "cTime": str(seen.created_ms), "cancelSource": _cancel_source(seen, kind), "category": "normal",
        "clOrdId": seen.identifier or "", "code": "0", "fee": _charged(seen.fee), "feeCcy": one.quote,
        "fillFee": "0", "fillPnl": "0", "fillSz": "0", "instId": one.id, "instType": one.type, "isTpLimit": "false",
        "lastPx": terminals.last_price(seen, market), "lever": "0" if one.type == "SPOT" else "10",
        "linkedAlgoOrd": {"algoId": ""}, "notionalUsd": plain(round(seen.funds, 8)), "ordId": order_id(seen.uuid),
        "ordType": kind, "pnl": "0", "px": "" if kind == "market" else plain(seen.price or ZERO), "rebate": "0",
        "rebateCcy": one.base, "reduceOnly": "false", "side": "buy" if seen.side == "bid" else "sell",
        "state": seen.state, "sz": size, "tag": said.tag, "tdMode": said.mode,
        "tgtCcy": said.target or _TARGETS.get(seen.type, ""), "tradeQuoteCcy": one.quote, "uTime": str(seen.updated_ms),
    }  # fmt: skip
    return row if fill is None else row | _this_fill(fill, one.quote)


def fill_row(symbol: str, uuid: str, identifier: str | None, side: str, fill: Fill) -> dict[str, Any]:
    """A row of ``fills`` (A7.5)."""
    return {
        "instId": symbol, "fillSz": plain(fill.volume), "fillPx": plain(fill.price),
        "side": "buy" if side == "bid" else "sell", "ts": str(fill.ms), "ordId": order_id(uuid),
        "clOrdId": identifier if identifier and identifier.isdigit() else "0", "tradeId": str(fill.trade),
        "execType": "M" if fill.is_maker else "T", "count": "1",
    }  # fmt: skip


def executed_row(order: Order, fill: Fill, said: Terms) -> dict[str, Any]:
    """A row of REST's ``trade/fills``."""
    one = instrument(order.asked.symbol)
    return fill_row(one.id, order.uuid, None, order.asked.side, fill) | {
        "instType": one.type, "clOrdId": order.asked.identifier or "", "billId": bill_id(order, fill), "tag": said.tag,
        "posSide": "net", "feeCcy": one.quote, "fee": _charged(fill.fee), "fillTime": str(fill.ms), "fillPnl": "0",
        "fillIdxPx": "", "fillMarkPx": "", "fillMarkVol": "", "fillPxUsd": "", "fillPxVol": "", "fillFwdPx": "",
        "subType": "1" if order.asked.side == "bid" else "2", "tradeQuoteCcy": one.quote,
    }  # fmt: skip


def balance_row(balance: Balance, market: MarketView) -> dict[str, Any]:
    """One currency of ``account`` (A7.2)."""
    total, price = balance.free + balance.locked, dollars(balance.currency, market)
    row: dict[str, Any] = dict.fromkeys(_NOTHING, "") | dict.fromkeys(_ZEROS, "0")
    mean = plain(balance.avg_buy_price) if balance.avg_buy_price else ""
    return row | {
        "accAvgPx": mean, "availBal": plain(balance.free), "availEq": plain(balance.free), "cashBal": plain(total),
        "ccy": balance.currency, "coinUsdPrice": plain(price), "collateralEnabled": False, "collateralRestrict": False,
        "eq": plain(total), "eqUsd": plain(round(total * price, 8)), "frozenBal": plain(balance.locked),
        "openAvgPx": mean, "ordFrozen": plain(balance.locked), "spotBal": plain(total), "uTime": str(market.now_ms),
    }  # fmt: skip


def account_row(balances: Sequence[Balance], market: MarketView) -> dict[str, Any]:
    """The account with some of its currencies; totals are of those that are not 0."""
    held = [one for one in balances if one.free + one.locked]
    worth = sum(((one.free + one.locked) * dollars(one.currency, market) for one in held), ZERO)
    row: dict[str, Any] = dict.fromkeys(_ACCOUNT, "")
    return row | {
        "delta": "0", "deltaNeutralStatus": "0", "details": [balance_row(one, market) for one in held], "isoEq": "0",
        "totalEq": plain(round(worth, 8)), "uTime": str(market.now_ms),
    }  # fmt: skip


def dollars(currency: str, market: MarketView) -> Decimal:
    """What one coin is worth, 0 if nobody knows."""
    if currency in _DOLLARS:
        return Decimal(1)
    symbol = f"{currency}-USDT"
    if symbol not in market.symbols:
        return ZERO
    return Decimal(repr(market.last_trade(symbol).trade_price or 0.0))


def _this_fill(fill: Fill, quote: str) -> dict[str, Any]:
    return {
        "fillPx": plain(fill.price), "fillSz": plain(fill.volume), "tradeId": str(fill.trade),
        "fillTime": str(fill.ms), "fillFee": _charged(fill.fee), "fillFeeCcy": quote,
        "execType": "M" if fill.is_maker else "T", "fillNotionalUsd": plain(round(fill.funds, 8)),
    }  # fmt: skip


def _order_type(seen: Seen) -> str:
    if seen.type == "best":
        return "optimal_limit_ioc"
    return "market" if seen.type in ("price", "market") else _TYPES[seen.in_force]


def _cancel_source(seen: Seen, kind: str) -> str:
    if seen.state != "canceled":
        return ""
    at_once = kind != "post_only" or seen.updated_ms == seen.created_ms
    return _ENDS.get(kind, "1") if at_once else "1"


def _charged(fee: Decimal) -> str:
    return plain(-fee) if fee else "0"


_EMPTY = (
    "algoClOrdId", "algoId", "amendSource", "attachAlgoClOrdId", "ccy", "execType", "fillFeeCcy", "fillFwdPx",
    "fillIdxPx", "fillMarkPx", "fillMarkVol", "fillNotionalUsd", "fillPx", "fillPxUsd", "fillPxVol", "fillTime", "msg",
    "posSide", "pxType", "pxUsd", "pxVol", "quickMgnType", "reqId", "slOrdPx", "slTriggerPx", "slTriggerPxType",
    "source", "stpId", "stpMode", "tpOrdPx", "tpTriggerPx", "tpTriggerPxType", "tradeId",
)  # fmt: skip
_NOTHING = (
    "borrowFroz", "clSpotInUseAmt", "crossLiab", "interest", "isoLiab", "liab", "maxLoan", "maxSpotInUseAmt",
    "mgnRatio", "spotInUseAmt", "spotUpl", "spotUplRatio", "totalPnl", "totalPnlRatio", "uplLiab",
)  # fmt: skip
_ZEROS = (
    "colBorrAutoConversion", "colRes", "disEq", "fixedBal", "frpType", "imr", "isoEq", "isoUpl", "mmr",
    "notionalLever", "rewardBal", "smtSyncEq", "spotCopyTradingEq", "spotIsoBal", "stgyEq", "twap", "upl",
)  # fmt: skip
_ACCOUNT = (
    "adjEq", "availEq", "borrowFroz", "deltaLever", "imr", "mgnRatio", "mmr", "notionalUsd", "notionalUsdForBorrow",
    "notionalUsdForFutures", "notionalUsdForOption", "notionalUsdForSwap", "ordFroz", "upl",
)  # fmt: skip
