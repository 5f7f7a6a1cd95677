"""What a venue can be asked by REST, beside its list of markets: the past, the present state, the key's own account."""

from __future__ import annotations

from collections.abc import Callable, Generator, Mapping, Sequence
from types import MappingProxyType
from typing import Any, Protocol, TypeAlias, TypeVar
from urllib.parse import urlencode

from msgspec import Struct

from tapewire.config import Credentials, Numbers
from tapewire.model.events import (
    BalanceAndPositionEvent,
    CandleEvent,
    Event,
    FillEvent,
    MyAssetEvent,
    MyOrderEvent,
    PositionEvent,
    TradeEvent,
)
from tapewire.model.subscription import Subscription
from tapewire.venues.orders import OpenOrder, OrderWords


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
        read: the streams that were asked for, its body → events as these would have sent them, in any order; one that
            it leaves out is not there. Raises DecodeError.
    """

    most: int
    alike: Callable[[Subscription], Any]
    request: Callable[[Sequence[Subscription]], str]
    read: Callable[[Sequence[Subscription], bytes, Numbers], Sequence[Event]]


class Call(Struct, frozen=True):
    """One REST call: path and parameters in the order in which they are sent; a name in ``[]`` may have several."""

    path: str
    parameters: Mapping[str, str | tuple[str, ...]] = MappingProxyType({})

    @property
    def address(self) -> str:
        """Path and query, percent-encoded."""
        return f"{self.path}?{urlencode(self.parameters, doseq=True)}" if self.parameters else self.path


class Question(Struct, frozen=True):
    """One call, and what reads its answer: body → its meaning; raises DecodeError for what is none."""

    call: Call
    read: Callable[[bytes], Any]


Answer = TypeVar("Answer")
#: Asks call after call: each answer, read, is sent in, a refusal that no later try mends is thrown in (HttpFailed);
#: what it returns is what was to be known.
Asking: TypeAlias = Generator[Question, Any, Answer]


class Account(Protocol):
    """What can be asked by REST of the key's owner: orders that wait, orders that ended, balances, positions."""

    @property
    def kinds(self) -> tuple[str, ...]:
        """The kinds of streams that it tells of: ``myOrder``, ``myAsset``, ``myPosition`` and others."""
        ...

    @property
    def words(self) -> OrderWords:
        """How its order events are read."""
        ...

    @property
    def unfilled_kept(self) -> float:
        """Seconds for which an order is told that was cancelled with no fill: of a longer gap nobody knows them all."""
        ...

    @property
    def balances(self) -> Call:
        """The call that balances are asked with: its limit is the pace of polling."""
        ...

    def sign(self, credentials: Credentials, stamp: Stamp, call: Call) -> tuple[tuple[str, str], ...]:
        """The headers of a call. Raises CredentialsError for a key that cannot be one."""
        ...

    def waiting(self) -> Asking[list[MyOrderEvent]]:
        """All orders that are open, each as the stream would tell how it stands."""
        ...

    def ended(self, since_ms: int, until_ms: int) -> Asking[list[MyOrderEvent]]:
        """Orders that were made between these times (Unix ms, UTC) and have ended; there may be others among them."""
        ...

    def named(self, orders: Sequence[OpenOrder]) -> Asking[list[MyOrderEvent]]:
        """How orders ended that are open no more."""
        ...

    def executed(self, order: MyOrderEvent, now_ms: int) -> Asking[tuple[MyOrderEvent, list[MyOrderEvent]]]:
        """An order, and the executions that its sums are made of, newest first. ``now_ms``: Unix ms, UTC."""
        ...

    def held(self) -> Asking[MyAssetEvent]:
        """All balances."""
        ...

    @property
    def positions(self) -> Callable[[], Asking[list[PositionEvent]]] | None:
        """Asks for all positions that are not closed; None: the exchange has none."""
        ...

    @property
    def cash(self) -> Callable[[], Asking[BalanceAndPositionEvent]] | None:
        """Asks for cash and positions as ``balanceAndPosition`` tells them; None: the exchange has no such stream."""
        ...

    @property
    def fills(self) -> Callable[[int, int], Asking[list[FillEvent]]] | None:
        """Asks for executions between two times (Unix ms, UTC), in any order, maybe with some from before.

        None: the exchange has no stream of them.
        """
        ...
