"""What a venue can be asked by REST, beside its list of markets: the past, the present state, the key's own account."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from types import MappingProxyType
from typing import Any
from urllib.parse import urlencode

from msgspec import Struct

from tapewire.config import Credentials, Numbers
from tapewire.model.events import CandleEvent, Event, MyAssetEvent, MyOrderEvent, TradeEvent
from tapewire.model.subscription import Subscription


class Trouble(Struct, frozen=True):
    """An error that a REST answer of status 200 tells: the status that says the same, and the exchange's words."""

    status: int
    reason: str


class Stamp(Struct, frozen=True):
    """What makes one signature unlike any other: a nonce that was never used, the exchange's time (Unix ms, UTC)."""

    nonce: str
    ms: int


class History(Struct, frozen=True, kw_only=True):
    """What can be asked of the past by REST.

    Attributes:
        trades_request: symbol, an id that the trades are to be older than (None: the newest), how many UTC days ago →
            path of one page, newest first.
        read_trades: symbol, its body → trades as the stream would have sent them. Raises DecodeError.
        frame: an event that REST told → the message that the stream would have sent, for recordings.
        candles_request: symbol, unit, time (Unix ms, UTC) before which windows began (None: the newest) → path of one
            page, newest first.
        read_candles: symbol, unit, its body → candles. Raises DecodeError.
        trades_days: how many days back can be asked; 0: a page knows no days.
        ids_ascend: ids of a market's trades grow by one with each: what was missed lies between those on either side.
        window: unit, time → when the window that holds it began (both Unix ms, UTC); None: seconds and minutes only.
        candles_late_ms: for how long after a window's end messages of it may come.
    """

    trades_request: Callable[[str, int | None, int], str]
    read_trades: Callable[[str, bytes, Numbers], list[TradeEvent]]
    candles_request: Callable[[str, str, int | None], str]
    read_candles: Callable[[str, str, bytes, Numbers], list[CandleEvent]]
    frame: Callable[[Event], bytes]
    trades_days: int = 0
    ids_ascend: bool = False
    window: Callable[[str, int], int] | None = None
    candles_late_ms: int = 3_000


class StatePoll(Struct, frozen=True, kw_only=True):
    """How the present state of several streams of one kind is asked by REST in one call.

    Attributes:
        most: streams of one call at most.
        alike: stream → what those of one call must have in common (a depth).
        request: streams that are alike → the path.
        read: its body → events as the stream would have sent them, in any order; one that it leaves out is not there.
            Raises DecodeError.
    """

    most: int
    alike: Callable[[Subscription], Any]
    request: Callable[[Sequence[Subscription]], str]
    read: Callable[[bytes, Numbers], Sequence[Event]]


class Call(Struct, frozen=True):
    """One REST call: path and parameters in the order in which they are sent; a name in ``[]`` may have several."""

    path: str
    parameters: Mapping[str, str | tuple[str, ...]] = MappingProxyType({})

    @property
    def address(self) -> str:
        """Path and query, percent-encoded."""
        return f"{self.path}?{urlencode(self.parameters, doseq=True)}" if self.parameters else self.path


class Account(Struct, frozen=True, kw_only=True):
    """What can be asked by REST of the key's owner: orders that wait, orders that ended, balances.

    Attributes:
        open_orders: number of a page (from 1) → the call. open_page: orders of a full page.
        closed_orders: made from, made until (Unix ms, UTC) → the call; oldest first. closed_page: orders of a full
            answer. closed_span_ms: how far apart the two times may be.
        orders_by_id: ids → the call. ids_most: how many at most.
        order: id → the call that tells its executions, too.
        balances: the call.
        sign: credentials, a stamp, the call → its headers.
        read_orders, read_balances: body → what the stream would tell; read_order: an order and its executions. They
            raise DecodeError.
    """

    open_orders: Callable[[int], Call]
    open_page: int
    closed_orders: Callable[[int, int], Call]
    closed_page: int
    closed_span_ms: int
    orders_by_id: Callable[[Sequence[str]], Call]
    ids_most: int
    order: Callable[[str], Call]
    balances: Call
    sign: Callable[[Credentials, Stamp, Call], tuple[tuple[str, str], ...]]
    read_orders: Callable[[bytes], list[MyOrderEvent]]
    read_order: Callable[[bytes], tuple[MyOrderEvent, list[MyOrderEvent]]]
    read_balances: Callable[[bytes], MyAssetEvent]
