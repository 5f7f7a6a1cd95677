"""Orders as OKX takes them, by REST and by WebSocket: body in, result with its ``sCode`` out (spec/okx.md A7.5, A8)."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from decimal import Decimal, InvalidOperation
from typing import Any

from msgspec.structs import replace

from tapewire.venues.exchange import MarketView, SimKey
from tapewire.venues.okx.sim_instruments import instrument
from tapewire.venues.okx.sim_ledger import Terminals, Terms, order_id
from tapewire.venues.trading import Fault, NewOrder, Order, OrderRefused, SmpType, TradingDesk

_FAULTS: Mapping[Fault, str] = {
    "market": "51001", "type": "51000", "price": "51006", "volume": "51121", "minimum": "51020", "funds": "51008",
    "identifier": "51016", "unknown": "51603",
}  # fmt: skip
_LIMITS: Mapping[str, Any] = {"limit": None, "ioc": "ioc", "fok": "fok", "post_only": "post_only"}
_SMP: Mapping[str, SmpType] = {"cancel_maker": "cancel_maker", "cancel_taker": "cancel_taker", "cancel_both": "reduce"}
#: A market order stops this far from the best price.
_FARTHEST = Decimal("0.05")


class Rejected(Exception):
    """A result that is not 0: its ``sCode`` and text."""

    def __init__(self, code: str, message: str) -> None:
        super().__init__(code, message)
        self.code, self.message = code, message


class Counter:
    """Where one account's orders are taken.

    Args:
        desk: of the exchange.
        market: of the exchange.
        said: what the desk does not keep.
        key: whose account.
    """

    def __init__(self, desk: TradingDesk, market: MarketView, said: Terminals, key: SimKey) -> None:
        self._desk, self._market, self._said, self._key = desk, market, said, key

    def place(self, body: Mapping[str, Any]) -> dict[str, Any]:
        """One new order: its result."""
        return self._result(body, self._place)

    def cancel(self, body: Mapping[str, Any]) -> dict[str, Any]:
        """One cancellation: its result."""
        return self._result(body, self._cancel)

    def amend(self, body: Mapping[str, Any]) -> dict[str, Any]:
        """One change of an open order: its result."""
        return self._result(body, self._amend) | {"reqId": str(body.get("reqId") or "")}

    def mass_cancel(self, body: Mapping[str, Any]) -> dict[str, Any]:
        """All open orders of a family of options: its result, which tells no orders."""
        if body.get("instType") != "OPTION" or not body.get("instFamily"):
            return {"result": False, "sCode": "51000", "sMsg": "Parameter instType or instFamily error"}
        for order in self._desk.orders(self._key.account):
            one = instrument(order.asked.symbol)
            if order.state == "wait" and one.type == "OPTION" and one.family == body["instFamily"]:
                self._desk.cancel(self._key.account, order.uuid)
        return {"result": True, "sCode": "0", "sMsg": ""}

    def find(self, body: Mapping[str, Any]) -> Order:
        """The order that ``ordId``, else ``clOrdId``, names.

        Raises:
            Rejected: there is none.
        """
        number, name = body.get("ordId"), body.get("clOrdId")
        for order in self._desk.orders(self._key.account):
            if (order_id(order.uuid) == number) if number else (name and order.asked.identifier == name):
                return order
        raise Rejected("51603", "Order does not exist")

    def _result(self, body: Mapping[str, Any], act: Callable[[Mapping[str, Any]], Order]) -> dict[str, Any]:
        result = {
            "ordId": str(body.get("ordId") or ""), "clOrdId": str(body.get("clOrdId") or ""),
            "tag": str(body.get("tag") or ""), "ts": str(self._market.now_ms),
        }  # fmt: skip
        try:
            order = act(body)
        except OrderRefused as refused:
            return result | {"sCode": _FAULTS[refused.fault], "sMsg": refused.message}
        except Rejected as rejected:
            return result | {"sCode": rejected.code, "sMsg": rejected.message}
        return result | {"ordId": order_id(order.uuid), "sCode": "0", "sMsg": "Order placed"}

    def _place(self, body: Mapping[str, Any]) -> Order:
        symbol = self._symbol(body)
        asked, target = self._asked(symbol, body)
        order = self._desk.place(self._key.account, asked)
        said = Terms(str(body.get("tag") or ""), str(body["tdMode"]), str(body["ordType"]), str(body["sz"]), target)
        self._said.keep(order.uuid, said)
        return order

    def _cancel(self, body: Mapping[str, Any]) -> Order:
        order = self.find(body)
        if order.state != "wait":
            raise Rejected("51400", "Cancellation failed as the order has been filled, canceled or does not exist")
        return self._desk.cancel(self._key.account, order.uuid)

    def _amend(self, body: Mapping[str, Any]) -> Order:
        order = self.find(body)
        if order.state != "wait":
            raise Rejected("51503", "Your order has already been filled or canceled")
        if not (body.get("newSz") or body.get("newPx")):
            raise Rejected("51000", "Parameter newSz or newPx error")
        changed = {
            ours: _number(body, theirs)
            for theirs, ours in (("newPx", "price"), ("newSz", "volume"))
            if body.get(theirs)
        }
        amended = self._desk.amend(self._key.account, order.uuid, **changed)
        if "volume" in changed:
            self._said.keep(order.uuid, replace(self._said.of(order.uuid), size=str(body["newSz"])))
        return amended

    def _symbol(self, body: Mapping[str, Any]) -> str:
        """The market that ``instId`` or ``instIdCode`` names."""
        code = body.get("instIdCode")
        for symbol in self._market.symbols:
            if symbol == body.get("instId") or (code and instrument(symbol).code == code):
                return symbol
        raise Rejected("51001", "Instrument ID does not exist")

    def _asked(self, symbol: str, body: Mapping[str, Any]) -> tuple[NewOrder, str]:
        """The order for the desk, and in what its size is."""
        kind, side = body.get("ordType"), {"buy": "bid", "sell": "ask"}.get(str(body.get("side")))
        if side is None:
            raise Rejected("51000", "Parameter side error")
        spot = instrument(symbol).type == "SPOT"
        if body.get("tdMode") not in (("cash",) if spot else ("cross", "isolated")):
            raise Rejected("51000", "Parameter tdMode error")
        smp, size = _SMP.get(str(body.get("stpMode"))), _number(body, "sz")
        common: dict[str, Any] = {
            "symbol": symbol, "side": side, "identifier": body.get("clOrdId") or None,
            "smp_type": None if kind == "post_only" else smp or "cancel_maker",
        }  # fmt: skip
        if kind in _LIMITS:
            price = _number(body, "px")
            return NewOrder(**common, price=price, volume=size, time_in_force=_LIMITS[str(kind)]), ""
        if kind != "market":
            raise Rejected("51000", "Parameter ordType error")
        target = str(body.get("tgtCcy") or ("quote_ccy" if side == "bid" else "base_ccy")) if spot else ""
        if target == "quote_ccy":
            if side == "ask":
                raise Rejected("51000", "Parameter tgtCcy error")
            return NewOrder(**common, ord_type="price", price=size), target
        if side == "ask" and spot:
            return NewOrder(**common, ord_type="market", volume=size), target
        return NewOrder(**common, price=self._worst(symbol, side), volume=size, time_in_force="ioc"), target

    def _worst(self, symbol: str, side: str) -> Decimal:
        """How far a market order of so much goes, on the tick."""
        ladder, tick = self._market.ladder(symbol), Decimal(self._market.tick_size(symbol))
        best = Decimal(next(iter(ladder.asks if side == "bid" else ladder.bids))).scaleb(ladder.power)
        limit = best * (1 + _FARTHEST if side == "bid" else 1 - _FARTHEST)
        return max(tick, limit // tick * tick)


def _number(body: Mapping[str, Any], name: str) -> Decimal:
    try:
        number = Decimal(str(body.get(name)))
    except InvalidOperation:
        raise Rejected("51000", f"Parameter {name} error") from None
    if not number.is_finite() or number <= 0:
        raise Rejected("51000", f"Parameter {name} error")
    return number
