"""OKX's private path: what its owner alone may hear, and orders by WebSocket (spec/okx.md A7)."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from decimal import Decimal
from typing import Any

import msgspec

from tapewire.model.events import MyAssetEvent, MyOrderEvent
from tapewire.venues.digits import plain
from tapewire.venues.exchange import Answer, Due
from tapewire.venues.okx.sim_instruments import instrument
from tapewire.venues.okx.sim_ledger import Terminals, account_row, fill_row, order_row, seen_event
from tapewire.venues.okx.sim_positions import position_row, short_row
from tapewire.venues.okx.sim_requests import Refused, Request, Wish
from tapewire.venues.okx.sim_talk import Talk, next_moment
from tapewire.venues.okx.sim_trade import Counter
from tapewire.venues.trading import Balance, Position, TradingDesk

_STATE = ("account", "positions")


class PrivateTalk(Talk):
    """Orders, fills, balances and positions of one account."""

    def __init__(self, *, desk: TradingDesk, said: Terminals, **common: Any) -> None:
        super().__init__(**common)
        self._desk, self._said = desk, said
        self._cash: dict[str, Decimal] = {}

    # -- orders -------------------------------------------------------------------------------------------------

    def _operate(self, request: Request) -> Answer:
        if request.op not in _OPERATIONS:
            raise Refused("60019", request.op)
        if self.key is None:
            raise Refused("60011")
        if request.id is None:
            raise Refused("60027", "id")
        if "trade" not in self.key.permissions:
            raise Refused("50120")
        began = self._market.now_ms * 1000
        counter = Counter(self._desk, self._market, self._said, self.key)
        act = _OPERATIONS[request.op]
        done = [act(counter, arg) for arg in request.args if isinstance(arg, dict)]
        bad = sum(result["sCode"] != "0" for result in done) + len(request.args) - len(done)
        code, message = (
            ("0", "") if not bad else ("1", "All operations failed") if bad == len(request.args) else ("2", "")
        )
        reply = {
            "id": request.id, "op": request.op, "code": code, "msg": message, "data": done, "inTime": str(began),
            "outTime": str(began + 1_000),
        }  # fmt: skip
        return Answer((msgspec.json.encode(reply),))

    # -- what it hears ------------------------------------------------------------------------------------------

    def _first(self, wish: Wish) -> list[bytes]:
        """Balances and positions begin with all there is; orders do not (A7.1)."""
        if wish.channel in _STATE:
            pause = self._pause(wish)
            if pause:
                self._timed[wish.key] = next_moment(self._now, pause)
            return self._whole(wish)
        if wish.channel == "balance_and_position":
            self._cash = {one.currency: one.free + one.locked for one in self._balances()}
            held = [one for one in self._positions() if one.volume]
            owned = {currency: total for currency, total in self._cash.items() if total}
            return [self._push(wish, [self._both(owned, held)])]
        return []

    def realtime(self, due: Due, cache: dict[object, bytes]) -> list[bytes]:  # noqa: ARG002 - nothing is shared
        """Frames of what happened to this account."""
        if self.key is None or due.account != self.key.account:
            return []
        if isinstance(due.event, MyOrderEvent):
            return self._order(due, due.event)
        if isinstance(due.event, MyAssetEvent):
            return self._assets(due.event)
        return self._position(due.symbol) if due.kind == "myPosition" else []

    def _position(self, symbol: str) -> list[bytes]:
        """A position changed; one that is closed is told once more."""
        [found] = [one for one in self._positions() if one.symbol == symbol]
        wishes = [one for one in self._held.values() if one.channel == "positions" and _meant(one, symbol)]
        rows = [position_row(found, self._market)]
        return [self._push(wish, rows, eventType="event_update") for wish in wishes]

    def _order(self, due: Due, event: MyOrderEvent) -> list[bytes]:
        assert due.asked is not None  # noqa: S101 - the desk says it with every step
        frames, seen, fill = [], seen_event(event, due.asked), due.fill
        for wish in self._held.values():
            if wish.channel == "orders" and seen is not None and _meant(wish, due.symbol):
                frames.append(self._push(wish, [order_row(seen, self._said, self._market, fill)]))
            if wish.channel == "fills" and fill is not None and wish.symbol in ("", due.symbol):
                row = fill_row(due.symbol, event.uuid, event.identifier, due.asked.side, fill)
                frames.append(self._push(wish, [row]))
        if fill is not None:
            frames += self._traded(due.symbol, fill.trade)
        return frames

    def _assets(self, event: MyAssetEvent) -> list[bytes]:
        names = {asset.currency for asset in event.assets}
        changed = [one for one in self._balances() if one.currency in names]
        frames = []
        for wish in self._held.values():
            if wish.channel == "account":
                said = [one for one in changed if wish.sent.get("ccy") in (None, one.currency)]
                if said:
                    frames.append(self._push(wish, [account_row(said, self._market)], eventType="event_update"))
        return frames

    def _traded(self, symbol: str, trade: int) -> list[bytes]:
        """``balance_and_position`` tells what a fill changed."""
        wish = self._streams.get(("balance_and_position", ""))
        if wish is None:
            return []
        now = {one.currency: one.free + one.locked for one in self._balances()}
        changed = {currency: total for currency, total in now.items() if self._cash.get(currency) != total}
        self._cash = now
        held = [one for one in self._positions() if one.symbol == symbol]
        row = self._both(changed, held) | {"eventType": "filled", "trades": [{"instId": symbol, "tradeId": str(trade)}]}
        return [self._push(wish, [row])]

    def _both(self, balances: Mapping[str, Decimal], positions: Sequence[Position]) -> dict[str, Any]:
        now = str(self._market.now_ms)
        told = [{"ccy": name, "cashBal": plain(total), "uTime": now} for name, total in balances.items()]
        held = [short_row(one) for one in positions]
        return {"pTime": now, "eventType": "snapshot", "balData": told, "posData": held, "trades": []}

    def _whole(self, wish: Wish) -> list[bytes]:
        if wish.channel == "positions":
            found = [one for one in self._positions() if one.volume and _meant(wish, one.symbol)]
            rows = [position_row(one, self._market) for one in found]
        else:
            rows = [account_row(self._asked_for(wish), self._market)]
        return [self._push(wish, rows, eventType="snapshot", curPage=1, lastPage=True)]

    def _asked_for(self, wish: Wish) -> list[Balance]:
        return [one for one in self._balances() if wish.sent.get("ccy") in (None, one.currency)]

    def _positions(self) -> list[Position]:
        return self._desk.positions(self.key.account) if self.key else []

    def _balances(self) -> list[Balance]:
        return self._desk.balances(self.key.account) if self.key else []

    # -- by time ------------------------------------------------------------------------------------------------

    def _told(self, wish: Wish) -> list[bytes]:
        return self._whole(wish)

    def _period(self, wish: Wish) -> float:
        return self._pause(wish)

    def _pause(self, wish: Wish) -> float:
        """Seconds between full pushes; 0: none (A7.2, ``updateInterval``)."""
        try:
            extra = msgspec.json.decode(wish.sent.get("extraParams") or "{}", type=dict[str, str])
        except msgspec.MsgspecError:
            return self._switches.account_pause
        interval = extra.get("updateInterval", "")
        return int(interval) / 1000 if interval.isdigit() else self._switches.account_pause

    def _arg(self, wish: Wish) -> dict[str, Any]:
        return wish.sent | {"uid": uid_of(self.key.account if self.key else "")}


def uid_of(account: str) -> str:
    """A number for an account."""
    return str(10**17 + int.from_bytes(account.encode()[:7], "big"))


def _meant(wish: Wish, symbol: str) -> bool:
    one = instrument(symbol)
    return wish.type in ("ANY", one.type) and wish.symbol in ("", one.id) and wish.family in ("", one.family)


_OPERATIONS: Mapping[str, Callable[[Counter, Mapping[str, Any]], dict[str, Any]]] = {
    "order": Counter.place, "batch-orders": Counter.place,
    "cancel-order": Counter.cancel, "batch-cancel-orders": Counter.cancel,
    "amend-order": Counter.amend, "batch-amend-orders": Counter.amend,
    "mass-cancel": Counter.mass_cancel,
}  # fmt: skip
