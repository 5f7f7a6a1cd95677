"""What an account's streams told, held against what REST knows: the orders and balances that a lost line missed."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from decimal import Decimal

from msgspec import Struct
from msgspec.structs import replace

from tapewire.model.events import Asset, MyAssetEvent, MyOrderEvent
from tapewire.venues.orders import OWN, OpenOrder, OrderWords

#: Orders that ended, and recovered events whose live ones may still come, that are remembered of an account.
REMEMBERED = 10_000
#: Orders that ended, and that another process is told of: REST is asked for those made since shortly before the end.
HANDED_ON = 1_000
#: Milliseconds by which the stream's beginning may be told wrong: of what changed earlier nothing is news.
CLOCKS_DIFFER_MS = 60_000
_ZERO = Decimal(0)
_Mark = tuple[str, str]


class Known(Struct, omit_defaults=True):
    """How far the story of one order was told: ``executed`` by its events together, ``seen`` as its last one says."""

    executed: Decimal = _ZERO
    seen: Decimal = _ZERO
    losses: int = -1
    prevented: Decimal = _ZERO
    ended: bool = False
    fills: set[str] = set()
    symbol: str = ""


class OrdersState(Struct, frozen=True):
    """What another process must know of an account's orders; see ``Orders``."""

    begun_ms: int | None
    open: dict[str, Known]
    ended: dict[str, Known]


class Orders:
    """One account's orders.

    Args:
        words: how the venue's events are read.

    Attributes:
        complete: all that were open when the stream began are known.
        begun_ms: when it began (Unix ms, UTC, the exchange's clock): an order made since is news, even if not all
            before it are known; one that changed last before it is none, even if REST never named it before.
    """

    def __init__(self, words: OrderWords = OWN) -> None:
        self._words = words
        self.complete = False
        self.begun_ms: int | None = None
        self._losses = 0
        self._open: dict[str, Known] = {}
        self._ended: dict[str, Known] = {}
        self._marks: dict[_Mark, None] = {}
        self._by_rest: dict[str, None] = {}

    def state(self) -> OrdersState:
        """For another process: all that are open, the last of those that ended."""
        ended = dict(list(self._ended.items())[-HANDED_ON:])
        return OrdersState(self.begun_ms, self._open, ended)

    def resume(self, state: OrdersState) -> None:
        """Begin where another process ended, which knew all that were open."""
        self.complete, self.begun_ms = True, state.begun_ms
        for order in (*state.open.values(), *state.ended.values()):
            order.losses = -1
        self._open, self._ended = dict(state.open), dict(state.ended)

    def told(self, event: MyOrderEvent) -> bool:
        """The stream tells this; True: it was delivered already, or more than it: REST knew it first."""
        mark = event.uuid, self._words.mark(event)
        if mark in self._marks:
            del self._marks[mark]
            return True
        if (self._words.repeats and self._repeated(event)) or self._is_overtaken(event):
            return True
        self._hear(event)
        return False

    def lost(self) -> None:
        """The line is gone: between an order's last event and its next one any number may be missing."""
        self._losses += 1

    def learn(self, orders: Iterable[MyOrderEvent]) -> None:
        """How orders stand as the stream begins: nobody missed that."""
        for order in orders:
            self._note(order)

    def vanished(self, listed: Iterable[MyOrderEvent]) -> list[str]:
        """Orders that were told as open, or that have a hole, and are not among these: how did they end?"""
        named = {order.uuid for order in listed}
        holed = [uuid for uuid in self._ended if self.has_hole(uuid)]
        return [uuid for uuid in (*self._open, *holed) if uuid not in named]

    def heard_of(self, uuid: str) -> OpenOrder:
        """An order of ``vanished``, as far as it was told."""
        known = self._known(uuid) or Known()
        return OpenOrder(uuid, known.symbol, known.executed)

    def is_news(self, order: MyOrderEvent) -> bool:
        """Whether more is known of it than was told: by REST, or by the stream's sum at a later execution."""
        known = self._known(order.uuid)
        if known is None:
            return self._is_late(order)
        grown = self.lacks_fills(order) or _amount(order.prevented_volume) > known.prevented
        return grown or (not known.ended and order.state in self._words.ends)

    def lacks_fills(self, order: MyOrderEvent) -> bool:
        """Whether executions of it were missed."""
        known = self._known(order.uuid) or Known()
        return max(_amount(order.executed_volume), known.seen) > known.executed

    def has_hole(self, uuid: str) -> bool:
        """Whether the stream's own sums say that executions of it were missed."""
        known = self._known(uuid)
        return known is not None and known.seen > known.executed

    def missed(self, order: MyOrderEvent, fills: Sequence[MyOrderEvent]) -> list[MyOrderEvent]:
        """What to deliver of an order, in its own order: executions that were missed, then how it stands now.

        Args:
            order: as REST tells it.
            fills: all its executions, if ``lacks_fills``. Those that were told are left out.
        """
        if not self.is_news(order):
            self._note(order)
            return []
        known = self._known(order.uuid)
        if known is not None and _amount(order.executed_volume) < known.seen:
            found = self._missed_so_far(order, fills, known)
        else:
            ends = order.state in self._words.ends and not (known or Known()).ended
            found = self._new_fills(order, fills, known or Known(), ends=ends)
            end_told = any(event.state in self._words.ends for event in found)
            if not found or (not end_told and (known is None or ends)):
                found.append(order)
            for event in (*found, order):
                self._note(event)
        self._remember(order.uuid, found)
        return found

    def _missed_so_far(self, order: MyOrderEvent, fills: Sequence[MyOrderEvent], known: Known) -> list[MyOrderEvent]:
        """Of an answer that is older than what the stream told: executions it names; the hole stays until all are."""
        before = known.executed
        found = self._new_fills(order, fills, known, ends=False)
        for event in found:
            self._note(event)
        known.executed = before + sum((_amount(fill.volume) for fill in fills if fill.trade_uuid in _ids(found)), _ZERO)
        return found

    def _remember(self, uuid: str, found: Sequence[MyOrderEvent]) -> None:
        """The stream may still bring what REST told."""
        for event in found:
            self._marks[event.uuid, self._words.mark(event)] = None
        self._by_rest[uuid] = None
        while len(self._marks) > REMEMBERED:
            del self._marks[next(iter(self._marks))]
        while len(self._by_rest) > REMEMBERED:
            del self._by_rest[next(iter(self._by_rest))]

    def _is_late(self, order: MyOrderEvent) -> bool:
        """Whether an order that nobody named yet is of our time.

        A list may reach further back than the same list did when it was learned: what stood in it is forgotten.
        """
        since, made = self.begun_ms, order.order_timestamp
        if not self.complete:
            return since is not None and (made or 0) >= since
        changed = max((ms for ms in (made, order.timestamp) if ms is not None), default=None)
        return since is None or changed is None or changed >= since - CLOCKS_DIFFER_MS

    def _known(self, uuid: str) -> Known | None:
        return self._open.get(uuid) or self._ended.get(uuid)

    def _hear(self, event: MyOrderEvent) -> None:
        """The stream's word: it tells what was executed since its last one, or after a loss this execution alone."""
        known, executed = self._known(event.uuid), _amount(event.executed_volume)
        if known is None and not self.complete:
            self._note(event)
            return
        known = known or Known()
        told = executed - known.seen
        if known.losses != self._losses:
            told = min(told, _amount(event.volume) if self._words.executes(event) else _ZERO)
        known.executed += max(told, _ZERO)
        known.seen = max(known.seen, executed)
        self._keep(event, known)

    def _note(self, event: MyOrderEvent) -> None:
        """REST's word, or the first one of all: whatever it says of the past is told or was before our time."""
        known = self._known(event.uuid) or Known()
        known.executed = known.seen = max(known.executed, known.seen, _amount(event.executed_volume))
        self._keep(event, known)

    def _keep(self, event: MyOrderEvent, known: Known) -> None:
        known.losses, known.symbol = self._losses, event.symbol
        known.prevented = max(known.prevented, _amount(event.prevented_volume))
        if event.trade_uuid is not None and self._words.executes(event):
            known.fills.add(event.trade_uuid)
        known.ended = known.ended or event.state in self._words.ends
        if not known.ended:
            self._open[event.uuid] = known
            return
        self._open.pop(event.uuid, None)
        self._ended[event.uuid] = known
        if len(self._ended) > REMEMBERED:
            del self._ended[next(iter(self._ended))]

    def _repeated(self, event: MyOrderEvent) -> bool:
        known = self._known(event.uuid)
        if known is None:
            return False
        if self._words.executes(event):
            return event.trade_uuid in known.fills
        return known.ended and event.state in self._words.ends

    def _is_overtaken(self, event: MyOrderEvent) -> bool:
        """Whether it says how the order stood (``wait``) before an execution or an end that REST told already."""
        known = self._known(event.uuid) if event.uuid in self._by_rest else None
        if known is None or self._words.executes(event) or event.state in self._words.ends:
            return False
        return known.ended or _amount(event.executed_volume) < known.executed

    def _new_fills(
        self, order: MyOrderEvent, fills: Sequence[MyOrderEvent], known: Known, *, ends: bool
    ) -> list[MyOrderEvent]:
        """The newest executions that together are what was not told, each with the sums up to it.

        ``ends``: the order has ended, and that was not told.
        """
        whole = max(_amount(order.executed_volume), known.seen)
        missing = whole - known.executed
        chosen: list[MyOrderEvent] = []
        for fill in sorted(fills, key=lambda one: one.trade_timestamp or 0, reverse=True):
            if missing > 0 and fill.trade_uuid not in known.fills:
                chosen.append(fill)
                missing -= _amount(fill.volume)
        told, executed = [], known.executed
        for fill in reversed(chosen):
            executed += _amount(fill.volume)
            told.append(self._words.summed(fill, order, executed, ends and executed == whole))
        return told


class Balances:
    """One account's balances by currency. ``complete``: all that there were when the stream began are known."""

    def __init__(self) -> None:
        self.complete = False
        self._known: dict[str, Asset] = {}
        self._marks: dict[str, Asset] = {}
        self._fresh: set[str] = set()

    def state(self) -> list[Asset]:
        """For another process: each currency as it was told last."""
        return list(self._known.values())

    def resume(self, assets: Iterable[Asset]) -> None:
        """Begin where another process ended, which knew all that there were."""
        self.complete = True
        self._known = {asset.currency: asset for asset in assets}

    def told(self, event: MyAssetEvent) -> bool:
        """The stream tells this; True: these very values were delivered already, recovered from REST."""
        double = bool(event.assets) and all(self._marks.get(asset.currency) == asset for asset in event.assets)
        for asset in event.assets:
            self._marks.pop(asset.currency, None)
            self._known[asset.currency] = asset
            self._fresh.add(asset.currency)
        return double

    def ask(self) -> None:
        """REST is asked now: what the stream tells from here on is not older than its answer."""
        self._fresh.clear()

    def learn(self, event: MyAssetEvent) -> None:
        """How balances stand as the stream begins."""
        for asset in event.assets:
            if asset.currency not in self._fresh:
                self._known[asset.currency] = asset

    def missed(self, event: MyAssetEvent) -> MyAssetEvent | None:
        """The balances of REST's answer that the stream did not tell; None: it told them all.

        A currency that the answer leaves out is held no more.
        """
        held = {asset.currency: asset for asset in event.assets}
        gone = [
            Asset(name, _ZERO, _ZERO)
            for name, known in self._known.items()
            if name not in held and (known.balance or known.locked)
        ]
        news = [asset for asset in (*held.values(), *gone) if self._is_news(asset)]
        self.learn(event)
        for asset in news:
            self._marks[asset.currency] = self._known[asset.currency] = asset
        return replace(event, assets=news) if news else None

    def _is_news(self, asset: Asset) -> bool:
        known = self._known.get(asset.currency)
        if asset.currency in self._fresh:
            return False
        return self.complete if known is None else known != asset


def _ids(fills: Iterable[MyOrderEvent]) -> set[str | None]:
    return {fill.trade_uuid for fill in fills}


def _amount(value: Decimal | None) -> Decimal:
    return _ZERO if value is None else value
