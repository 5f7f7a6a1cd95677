"""What an account's streams of positions and cash told, held against what REST knows: what changed, what is gone."""

from __future__ import annotations

from collections.abc import Iterable
from decimal import Decimal

from msgspec import Struct
from msgspec.structs import replace

from tapewire.model.positions import BalanceAndPositionEvent, CashBalance, PositionChange, PositionEvent
from tapewire.session.standing import Rules, Standing

_ZERO = Decimal(0)
_Any = PositionEvent | PositionChange


def _name(one: _Any) -> str:
    return one.position_id or f"{one.symbol} {one.position_side} {one.margin_mode}"


def _held(one: _Any) -> bool:
    return bool(one.position)


def _size(one: _Any) -> tuple[Decimal | None, Decimal | None]:
    """What trades change; prices and profits change all the time."""
    return one.position, one.avg_price


def _moment(one: _Any) -> object | None:
    return None if one.updated_at is None else (*_size(one), one.updated_at)


def _closed(known: PositionEvent) -> PositionEvent:
    return PositionEvent(
        venue=known.venue, symbol=known.symbol, position_id=known.position_id, market_type=known.market_type,
        margin_mode=known.margin_mode, position_side=known.position_side, currency=known.currency, position=_ZERO,
    )  # fmt: skip


def _closed_change(known: PositionChange) -> PositionChange:
    return PositionChange(
        symbol=known.symbol, position_id=known.position_id, market_type=known.market_type,
        margin_mode=known.margin_mode, position_side=known.position_side, currency=known.currency, position=_ZERO,
    )  # fmt: skip


def _cash_moment(one: CashBalance) -> object | None:
    return None if one.updated_at is None else (one.balance, one.updated_at)


_EVENTS = Rules[PositionEvent](name=_name, held=_held, size=_size, moment=_moment, gone=_closed)
_CHANGES = Rules[PositionChange](name=_name, held=_held, size=_size, moment=_moment, gone=_closed_change)
_CASH = Rules[CashBalance](
    name=lambda one: one.currency,
    held=lambda one: bool(one.balance),
    size=lambda one: one.balance,
    moment=_cash_moment,
    gone=lambda known: CashBalance(currency=known.currency, balance=_ZERO),
)


class Positions(Standing[PositionEvent]):
    """One account's positions, as ``myPosition`` tells them: what the answer of REST leaves out is closed."""

    def __init__(self) -> None:
        super().__init__(_EVENTS)


class CashState(Struct, frozen=True):
    """What another process must know of an account's cash and positions; see ``CashAndPositions``."""

    balances: list[CashBalance]
    positions: list[PositionChange]


class CashAndPositions:
    """One account's cash and positions, as ``balanceAndPosition`` tells them together."""

    def __init__(self) -> None:
        self._cash, self._changes = Standing(_CASH), Standing(_CHANGES)

    @property
    def complete(self) -> bool:
        """All that there were when the stream began are known."""
        return self._cash.complete

    @complete.setter
    def complete(self, value: bool) -> None:
        self._cash.complete = self._changes.complete = value

    def state(self) -> CashState:
        """For another process: all as it was told last."""
        return CashState(self._cash.state(), self._changes.state())

    def resume(self, state: CashState) -> None:
        """Begin where another process ended, which knew all that there was."""
        self._cash.resume(state.balances)
        self._changes.resume(state.positions)

    def told(self, event: BalanceAndPositionEvent) -> bool:
        """The stream tells this; True: each of its rows was delivered already, and it names no trade beside them."""
        doubles = [self._cash.told(one) for one in event.balances]
        doubles += [self._changes.told(one) for one in event.positions]
        return bool(doubles) and all(doubles) and not event.trades

    def ask(self) -> None:
        """REST is asked now: what the stream tells from here on is not older than its answer."""
        self._cash.ask()
        self._changes.ask()

    def learn(self, event: BalanceAndPositionEvent) -> None:
        """How everything stands as the stream begins."""
        self._cash.learn(event.balances)
        self._changes.learn(event.positions)

    def missed(self, event: BalanceAndPositionEvent) -> BalanceAndPositionEvent | None:
        """The rows of REST's answer that the stream did not tell; None: it told them all.

        What the answer leaves out is held no more. Why it changed REST does not say: ``event_type`` is None.
        """
        balances, positions = self._cash.missed(_rows(event.balances)), self._changes.missed(event.positions)
        if not balances and not positions:
            return None
        return replace(event, event_type=None, balances=balances, positions=positions)


def _rows(balances: Iterable[CashBalance]) -> list[CashBalance]:
    """Those that are held: a currency that is owed or frozen alone has a row without cash."""
    return [one for one in balances if one.balance]
