"""OKX's talk with a local program of a gateway, over streams that are held (spec A3 to A6).

Frames are handed on as they came; what is made here are acknowledgements, errors, and the snapshot of a book for those
who come later. ``serving_private`` adds what only an account's owner may hear.
"""

from __future__ import annotations

from collections.abc import Collection, Hashable
from typing import Any, NamedTuple

import msgspec

from tapewire.model.events import Event
from tapewire.model.subscription import Subscription, as_detail
from tapewire.model.subscription import Wish as StreamWish
from tapewire.venues.exchange import Answer
from tapewire.venues.okx import history
from tapewire.venues.okx.channels import DELTA_BOOKS, TYPED_KINDS, channel_of, meaning_of
from tapewire.venues.okx.profile import EVENT_KINDS
from tapewire.venues.okx.serving_copies import raw_of
from tapewire.venues.okx.sim_requests import CHANNELS, LARGEST, MESSAGES, Refused, Request, Wish, parse, read
from tapewire.venues.okx.sim_switches import Switches
from tapewire.venues.serving import HeldStreams

SWITCHES = Switches()


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
        streams = [stream_of(wish) for wish in found if isinstance(wish, Wish)]
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
            return self._obey(request)
        except Refused as refused:
            return Answer((self._error(refused, request),))

    def holds(self) -> Collection[Subscription]:
        """See ``Visitor.holds``."""
        return {stream for _, stream in self._wishes.values()}

    def forget(self, stream: Subscription) -> None:
        """See ``Visitor.forget``."""
        self._wishes = {key: wish for key, wish in self._wishes.items() if wish[1] != stream}

    def shape(self, stream: Subscription) -> Hashable:  # noqa: ARG002 - all public pushes are handed on as they came
        """See ``Visitor.shape``."""
        return self._side

    def hands_on(self, stream: Subscription) -> bool:  # noqa: ARG002 - as ``shape``
        """See ``Visitor.hands_on``."""
        return True

    def tell(self, stream: Subscription, event: Event, cache: dict[object, bytes]) -> list[bytes]:
        """See ``Visitor.tell``."""
        frame = raw_of(event)
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

    def _obey(self, request: Request) -> Answer:
        if request.op not in ("subscribe", "unsubscribe"):
            raise Refused("60028" if "order" in request.op or request.op == "login" else "60019", request.op)
        return self._change(request)

    def _change(self, request: Request) -> Answer:
        frames: list[bytes] = []
        first: list[bytes] = []
        for arg in request.args:
            wish = self._read(arg)
            if isinstance(wish, Refused):
                frames.append(self._error(wish, request))
                continue
            refused = self._held.refused(stream_of(wish)) if request.op == "subscribe" else None
            if refused is not None:
                frames.append(self._control(request, event="error", msg=refused[1], code=refused[0]))
                continue
            frames.append(self._control(request, event=request.op, arg=wish.sent))
            if request.op == "unsubscribe":
                self._wishes.pop(wish.key, None)
            else:
                stream = stream_of(wish)
                self._wishes[wish.key] = wish, stream
                first += self._first(wish, stream)
        return Answer(tuple(frames), subscribed=bool(self._wishes), books=tuple(first))

    def _first(self, wish: Wish, stream: Subscription) -> list[bytes]:  # noqa: ARG002 - sides differ
        """What a new subscriber is told at once: the state, as far as it is known."""
        if stream.kind in EVENT_KINDS:
            return []
        if stream.kind == "orderbook" and channel_of(stream) in DELTA_BOOKS:
            copy = self._held.book(stream)
            return [] if copy is None else [copy.snapshot()]
        latest = self._held.latest(stream)
        frame = None if latest is None else raw_of(latest)
        return [] if frame is None else [frame]

    def _read(self, arg: object) -> Wish | Refused:
        try:
            wish = read(arg, self._side, _Listed(self._held), SWITCHES)
        except Refused as refused:
            return refused
        channel = CHANNELS.get(wish.channel)
        return Refused("60011") if channel is not None and channel.login and not self._may_hear() else wish

    def _may_hear(self) -> bool:
        """Whether what wants a login is told here."""
        return False

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


def stream_of(wish: Wish) -> Subscription:
    """The stream that an argument means."""
    meaning = meaning_of(wish.channel)
    assert meaning is not None  # noqa: S101 - every channel that can be read has one
    detail = meaning.detail
    if meaning.kind in TYPED_KINDS:
        said: dict[str, str] = {name: wish.sent[name] for name in ("instType", "instFamily") if name in wish.sent}
        detail = as_detail(said)
    return Subscription(meaning.kind, wish.symbol, unit=meaning.unit, depth=meaning.depth, detail=detail)
