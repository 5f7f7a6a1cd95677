"""OKX's own protocol spoken by a gateway: its public and business paths, over streams that are held (spec A3 to A6).

Frames are handed on as they came; what is made here are acknowledgements, errors, and the snapshot of a book for those
who come later.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from decimal import Decimal
from itertools import count
from typing import Any, NamedTuple

import msgspec

from tapewire.model.events import Event
from tapewire.model.subscription import Subscription, as_detail
from tapewire.model.subscription import Wish as StreamWish
from tapewire.venues.exchange import Answer, HttpAnswer
from tapewire.venues.okx import history
from tapewire.venues.okx.channels import DELTA_BOOKS, TYPED_KINDS, channel_of, meaning_of
from tapewire.venues.okx.profile import EVENT_KINDS
from tapewire.venues.okx.sim_requests import CHANNELS, LARGEST, MESSAGES, Refused, Request, Wish, parse, read
from tapewire.venues.okx.sim_switches import Switches
from tapewire.venues.serving import BookCopy, HeldStreams

_SIDES = ("public", "business")
_READS = ("/api/v5/market/", "/api/v5/public/")
_SWITCHES = Switches()


class OkxServing:
    """One stack. ``_raw_format``: OKX has but one format."""

    is_text = True
    too_many = "60014"

    def __init__(self, _raw_format: str = "DEFAULT") -> None:
        self.paths: Mapping[str, str] = {f"/ws/v5/{side}": side for side in _SIDES}  # A1
        self._numbers = count(1)

    def visitor(self, held: HeldStreams, side: str) -> OkxVisitor:
        """The talk on a new connection."""
        return OkxVisitor(held, side, f"{next(self._numbers):08x}")

    def refusal(self, path: str, headers: Mapping[str, str]) -> HttpAnswer | None:  # noqa: ARG002 - none is good
        """The private path is the exchange's alone."""
        return HttpAnswer(401, b"", (("Content-Type", "text/plain"),)) if path == "/ws/v5/private" else None

    def forwards(self, path: str) -> bool:
        """See ``Serving.forwards`` (A8)."""
        return path.startswith(_READS)

    def book_copy(self, stream: Subscription) -> BookCopy | None:
        """Books that are told by changes have one (A6.4)."""
        if stream.kind != "orderbook" or channel_of(stream) not in DELTA_BOOKS:
            return None
        return OkxBook({"channel": channel_of(stream), "instId": stream.symbol}, DELTA_BOOKS[channel_of(stream)])


class OkxVisitor:
    """The talk with one local program."""

    deadline: float | None = None

    def __init__(self, held: HeldStreams, side: str, name: str) -> None:
        self._held, self._side, self._name = held, side, name
        self._wishes: dict[str, tuple[Wish, Subscription]] = {}
        #: The frame that was handed on last of each stream: one may bring several events.
        self._last: dict[Subscription, bytes] = {}

    def wishes(self, payload: bytes) -> list[StreamWish]:
        """See ``Visitor.wishes``."""
        try:
            request = parse(payload)
        except Refused:
            return []
        found = map(self._read, request.args if request.op == "subscribe" else ())
        streams = [_stream_of(wish) for wish in found if isinstance(wish, Wish)]
        return [StreamWish(stream, snapshot=stream.kind not in EVENT_KINDS) for stream in streams]

    def receive(self, now: float, payload: bytes, *, is_text: bool) -> Answer:  # noqa: ARG002 - both kinds are read
        """See ``Visitor.receive``."""
        if payload == b"ping":
            return Answer((b"pong",))
        if len(payload) > LARGEST:
            return Answer(close=(1009, f"Max frame length of {LARGEST} has been exceeded."))
        request: Request | None = None
        try:
            request = parse(payload)
            return self._change(request)
        except Refused as refused:
            return Answer((self._error(refused, request),))

    def holds(self) -> Collection[Subscription]:
        """See ``Visitor.holds``."""
        return {stream for _, stream in self._wishes.values()}

    def tell(self, stream: Subscription, event: Event, cache: dict[object, bytes]) -> list[bytes]:
        """See ``Visitor.tell``."""
        frame = _raw_of(event)
        if frame is None:
            frame = cache.get("made")
            if frame is None:
                frame = cache["made"] = history.frame(event)
        elif self._last.get(stream) is frame:
            return []
        self._last[stream] = frame
        return [frame]

    def advance(self, now: float) -> list[bytes]:  # noqa: ARG002 - nothing is due by time alone
        """See ``Visitor.advance``."""
        return []

    def error(self, name: str, message: str = "") -> Answer:
        """An error event; what is no code of OKX's is a malformed request."""
        code = name if name.isdigit() else "60012"
        return Answer((self._control(None, event="error", msg=message or MESSAGES.get(code, name), code=code),))

    def _change(self, request: Request) -> Answer:
        if request.op not in ("subscribe", "unsubscribe"):
            raise Refused("60028" if "order" in request.op or request.op == "login" else "60019", request.op)
        frames: list[bytes] = []
        first: list[bytes] = []
        for arg in request.args:
            wish = self._read(arg)
            if isinstance(wish, Refused):
                frames.append(self._error(wish, request))
                continue
            frames.append(self._control(request, event=request.op, arg=wish.sent))
            if request.op == "unsubscribe":
                self._wishes.pop(wish.key, None)
            else:
                stream = _stream_of(wish)
                self._wishes[wish.key] = wish, stream
                first += self._first(stream)
        return Answer(tuple(frames), subscribed=bool(self._wishes), books=tuple(first))

    def _first(self, stream: Subscription) -> list[bytes]:
        """What a new subscriber is told at once: the state, as far as it is known."""
        if stream.kind in EVENT_KINDS:
            return []
        if stream.kind == "orderbook" and channel_of(stream) in DELTA_BOOKS:
            copy = self._held.book(stream)
            return [] if copy is None else [copy.snapshot()]
        latest = self._held.latest(stream)
        frame = None if latest is None else _raw_of(latest)
        return [] if frame is None else [frame]

    def _read(self, arg: object) -> Wish | Refused:
        try:
            wish = read(arg, self._side, _Listed(self._held), _SWITCHES)
        except Refused as refused:
            return refused
        channel = CHANNELS.get(wish.channel)
        return Refused("60011") if channel is not None and channel.login else wish

    def _error(self, refused: Refused, request: Request | None) -> bytes:
        return self._control(request, event="error", msg=refused.message, code=refused.code)

    def _control(self, request: Request | None, **fields: Any) -> bytes:
        echo = {} if request is None or request.id is None else {"id": request.id}
        return msgspec.json.encode({**echo, **fields, "connId": self._name})


class _Listed(NamedTuple):
    """What is listed can be asked for; what never comes is never told."""

    held: HeldStreams

    @property
    def symbols(self) -> Collection[str]:
        return self.held.markets.keys()

    def lacks(self, kind: str, symbol: str, detail: str = "") -> str:  # noqa: ARG002 - the exchange has everything
        """See ``Offer``."""
        return ""


class _Row(msgspec.Struct):
    asks: list[tuple[str, ...]]
    bids: list[tuple[str, ...]]
    ts: str = ""
    checksum: int = 0
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
            "checksum": newest.checksum, "seqId": newest.seqId, "prevSeqId": -1,
        }  # fmt: skip
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


def _raw_of(event: Event) -> bytes | None:
    """The frame that brought it; None: it came otherwise."""
    return None if event.recovered or event.polled else event.raw


def _stream_of(wish: Wish) -> Subscription:
    """The stream that an argument means."""
    meaning = meaning_of(wish.channel)
    assert meaning is not None  # noqa: S101 - every channel that can be read has one
    detail = meaning.detail
    if meaning.kind in TYPED_KINDS:
        said: dict[str, str] = {name: wish.sent[name] for name in ("instType", "instFamily") if name in wish.sent}
        detail = as_detail(said)
    return Subscription(meaning.kind, wish.symbol, unit=meaning.unit, depth=meaning.depth, detail=detail)
