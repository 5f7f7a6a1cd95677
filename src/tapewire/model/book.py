"""Order books whose sides are sent apart: levels, whole books, and changes of a book that is kept."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from sys import float_info
from typing import Annotated, Literal, overload

from msgspec import UNSET, Meta, Struct, UnsetType

from tapewire.model.event import Event
from tapewire.model.events import OrderbookEvent, OrderbookUnit

#: One level as the venue wrote it: text of the price, text of the size, …, number of orders. Size 0 removes the level.
Row = tuple[str, ...]


#: A decoder that reads texts takes ``"nan"`` for a float: the bounds refuse it.
_Finite = Annotated[float, Meta(ge=-float_info.max, le=float_info.max)]


class BookLevel(Struct, array_like=True, gc=False):
    """One price of one side: what rests there, and in how many orders.

    ``liquidated``: a figure that venues no longer fill (spec/okx.md A6.4): 0.
    """

    price: _Finite
    size: _Finite
    liquidated: int = 0
    orders: int = 0


class RpiBookLevel(BookLevel, array_like=True, gc=False):
    """A level of a book with retail price improvement orders, which not everybody may meet (spec/okx.md A6.4).

    ``size`` is all that rests there; ``organic``: what anybody may meet.
    """

    organic: _Finite = 0.0


class PairedLevels(Sequence[OrderbookUnit]):
    """Two sides as ``orderbook_units``: the i-th ask beside the i-th bid, made when it is read.

    A side that is shorter is padded with price 0 and size 0, as Upbit does it.
    """

    __slots__ = ("_asks", "_bids")

    def __init__(self, asks: Sequence[BookLevel], bids: Sequence[BookLevel]) -> None:
        self._asks, self._bids = asks, bids

    def __len__(self) -> int:
        return max(len(self._asks), len(self._bids))

    @overload
    def __getitem__(self, at: int) -> OrderbookUnit: ...
    @overload
    def __getitem__(self, at: slice) -> list[OrderbookUnit]: ...
    def __getitem__(self, at: int | slice) -> OrderbookUnit | list[OrderbookUnit]:
        if isinstance(at, slice):
            return [self._unit(place) for place in range(*at.indices(len(self)))]
        place = at + len(self) if at < 0 else at
        if not 0 <= place < len(self):
            raise IndexError(f"the book has {len(self)} levels, there is no unit {at}")
        return self._unit(place)

    def __iter__(self) -> Iterator[OrderbookUnit]:
        return map(self._unit, range(len(self)))

    def __eq__(self, other: object) -> bool:
        return list(self) == list(other) if isinstance(other, (PairedLevels, list)) else NotImplemented

    def __hash__(self) -> int:
        raise TypeError("levels can change hands, not be keys")

    def __repr__(self) -> str:
        return repr(list(self))

    def _unit(self, place: int) -> OrderbookUnit:
        ask = self._asks[place] if place < len(self._asks) else _NOTHING
        bid = self._bids[place] if place < len(self._bids) else _NOTHING
        return OrderbookUnit(ask.price, bid.price, ask.size, bid.size)


_NOTHING = BookLevel(0, 0)


class _WithoutUnits(OrderbookEvent, gc=False, kw_only=True):
    """The place of ``orderbook_units`` stays empty, and out of its JSON."""

    orderbook_units: list[OrderbookUnit] | UnsetType = UNSET  # type: ignore[assignment]


class DepthOrderbookEvent(_WithoutUnits, gc=False, kw_only=True, tag="orderbook"):
    """A complete book of a venue that sends both sides apart: ``asks`` and ``bids``, the best first.

    ``orderbook_units`` are made of them when they are read, and are not in its JSON.
    """

    asks: list[BookLevel] = []
    bids: list[BookLevel] = []
    channel: str = ""
    sequence: int | None = None

    @property  # type: ignore[misc]
    def orderbook_units(self) -> Sequence[OrderbookUnit]:  # type: ignore[override]
        """The i-th best ask beside the i-th best bid."""
        return PairedLevels(self.asks, self.bids)


class BookChange(Event, gc=False, kw_only=True, tag="bookChange"):
    """What one message says of a book that is kept: all of it, or what changed (spec/okx.md A6.4).

    ``tapewire.decode`` gives it; subscribers hear whole books.

    Attributes:
        channel: the venue's word for the kind of book (``books``, ``books-l2-tbt``).
        action: ``snapshot`` replaces the book, ``update`` changes it.
        asks, bids: levels with the texts as they came, the checksum is made of them; the best first.
        checksum: signed CRC-32 of the state after the change; 0 and None: none.
        sequence: number of the state after the change; previous_sequence: of the one it changes, -1 of a snapshot.
            None where the venue sends none.
    """

    channel: str = ""
    action: Literal["snapshot", "update"] = "update"
    asks: list[Row] = []
    bids: list[Row] = []
    checksum: int | None = None
    sequence: int | None = None
    previous_sequence: int | None = None
