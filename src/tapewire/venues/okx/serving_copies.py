"""What OKX tells by changes, kept in its own texts for programs of a gateway that join later (spec A6.4, A7).

By those texts programs find the levels that a change replaces.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from decimal import Decimal
from typing import Any

import msgspec

from tapewire.model.events import Event
from tapewire.venues.okx import history


class _Row(msgspec.Struct):
    asks: list[tuple[str, ...]]
    bids: list[tuple[str, ...]]
    ts: str = ""
    checksum: int | None = None
    seqId: int = -1  # noqa: N815 - OKX's word
    prevSeqId: int = -1  # noqa: N815


class _Frame(msgspec.Struct):
    data: list[_Row]
    action: str = "update"


_FRAME = msgspec.json.Decoder(_Frame)


class OkxBook:
    """A book in the exchange's own texts (A6.4): by them programs find the levels that a change replaces.

    Args:
        arg: of its channel.
        depth: levels of a side.
    """

    def __init__(self, arg: Mapping[str, str], depth: int) -> None:
        self._arg, self._depth = dict(arg), depth
        self._asks: dict[str, Sequence[str]] = {}
        self._bids: dict[str, Sequence[str]] = {}
        self._newest: _Row | None = None

    @property
    def is_whole(self) -> bool:
        """See ``BookCopy``."""
        return self._newest is not None

    def hear(self, event: Event) -> None:
        """See ``BookCopy``. What is no message of the channel ends the copy: the next snapshot begins another."""
        try:
            frame = None if event.raw is None else _FRAME.decode(event.raw)
        except msgspec.MsgspecError:
            frame = None
        if frame is None or not frame.data:
            self._newest = None
            return
        for row in frame.data:
            self._take(row, whole=frame.action == "snapshot")

    def snapshot(self) -> bytes:
        """See ``BookCopy``."""
        newest = self._newest
        if newest is None:
            raise LookupError("the book is not whole")
        row = {
            "asks": self._best(self._asks, 1), "bids": self._best(self._bids, -1), "ts": newest.ts,
            "seqId": newest.seqId, "prevSeqId": -1,
        }  # fmt: skip
        if newest.checksum is not None:  # the book with RPI orders has none
            row["checksum"] = newest.checksum
        return msgspec.json.encode({"arg": self._arg, "action": "snapshot", "data": [row]})

    def _take(self, row: _Row, *, whole: bool) -> None:
        if whole:
            self._asks, self._bids = {}, {}
        elif self._newest is None:
            return
        self._newest = row
        _apply(self._asks, row.asks)
        _apply(self._bids, row.bids)

    def _best(self, side: Mapping[str, Sequence[str]], sign: int) -> list[Sequence[str]]:
        return sorted(side.values(), key=lambda level: sign * Decimal(level[0]))[: self._depth]


def _apply(side: dict[str, Sequence[str]], levels: Iterable[Sequence[str]]) -> None:
    for level in levels:
        if not Decimal(level[1]):
            side.pop(level[0], None)
        else:
            side[level[0]] = level


#: Kinds of an account that begin with all there is.
STATES = ("myAsset", "myPosition", "balanceAndPosition")


class AccountCopy:
    """What an account has, in the exchange's own texts (A7.2 to A7.4): changes name only what changed.

    Args:
        kind: one of ``STATES``.
    """

    def __init__(self, kind: str) -> None:
        self._kind = kind
        self._arg: dict[str, Any] = {}
        self._newest: dict[str, Any] | None = None
        #: Name of a list → its rows by what tells them apart; ``""``: the rows of the frame itself.
        self._rows: dict[str, dict[str, dict[str, Any]]] = {}

    @property
    def is_whole(self) -> bool:
        """See ``BookCopy``."""
        return self._newest is not None

    def hear(self, event: Event) -> None:
        """See ``BookCopy``."""
        said = msgspec.json.decode(raw_of(event) or history.frame(event))
        rows: list[dict[str, Any]] = said["data"]
        first = rows[0] if rows else {}
        begins = (said.get("eventType") or first.get("eventType")) == "snapshot" and said.get("curPage", 1) == 1
        if begins:
            self._rows = {}
        elif self._newest is None:
            return  # what was before is not known
        self._arg, self._newest = said["arg"], first
        if self._kind == "myPosition":
            self._merge("", "posId", rows)
        elif self._kind == "myAsset":
            self._merge("details", "ccy", first.get("details", ()))
        else:
            self._merge("balData", "ccy", first.get("balData", ()))
            self._merge("posData", "posId", first.get("posData", ()))

    def snapshot(self) -> bytes:
        """See ``BookCopy``."""
        newest = self._newest
        if newest is None:
            raise LookupError("the account is not whole")
        if self._kind == "myPosition":
            return self._frame(list(self._rows.get("", {}).values()))
        lists = {name: list(rows.values()) for name, rows in self._rows.items()}
        if self._kind == "myAsset":
            return self._frame([newest | lists])
        return msgspec.json.encode(
            {"arg": self._arg, "data": [newest | lists | {"eventType": "snapshot", "trades": []}]}
        )

    def _frame(self, rows: list[dict[str, Any]]) -> bytes:
        beside = {"eventType": "snapshot", "curPage": 1, "lastPage": True}
        return msgspec.json.encode({"arg": self._arg, **beside, "data": rows})

    def _merge(self, name: str, key: str, rows: Iterable[dict[str, Any]]) -> None:
        known = self._rows.setdefault(name, {})
        for row in rows:
            if row.get("pos") == "0":  # it was closed
                known.pop(row[key], None)
            else:
                known[row[key]] = row


def raw_of(event: Event) -> bytes | None:
    """The frame that brought it; None: it came otherwise."""
    return None if event.recovered or event.polled else event.raw
