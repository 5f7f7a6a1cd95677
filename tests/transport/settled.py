"""A listener with a dispatch: a settled stream, and everything that the steps of the short road were told."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

from tapewire.hub.listening import Listener
from tapewire.hub.router import Router
from tapewire.model.line import Loss
from tapewire.model.subscription import Subscription
from tapewire.transport.dispatch import Dispatch, HeadDispatch
from tapewire.venues.okx.channels import wire_name
from tapewire.venues.okx.codec import OkxCodec
from tapewire.venues.registry import get_venue

_TICKER = b'{"type":"ticker","code":"KRW-BTC","timestamp":%d,"trade_price":1.5,"stream_type":"REALTIME"}'


def hot(timestamp: int, note: bytes = b"") -> bytes:
    """A ticker that the settled stream hears; with a note, which nobody reads, longer than any control frame."""
    return (_TICKER % timestamp)[:-1] + (b',"note":"%s%s"}' % (note, b"." * 60) if note else b"}")


_MARK = (
    b'{"arg":{"channel":"mark-price","instId":"BTC-USDT"},"data":[{"instType":"MARGIN","instId":"BTC-USDT",'
    b'"markPx":"42310.6","ts":"%d"}]}'
)


def headed(timestamp: int) -> bytes:
    """The same at a venue whose frames name their stream first."""
    return _MARK % timestamp


class Ear:
    """A settled ticker of KRW-BTC, and everything that the steps of its dispatch were told.

    ``called`` is what did not come by the short road.

    Its callback raises at the event with the time stamp ``breaks_at``.
    """

    def __init__(self, breaks_at: int | None = None) -> None:
        self._breaks_at = breaks_at
        codec = get_venue("upbit").codec("DEFAULT", "float", False)
        self.heard: list[Any] = []
        self.answer: Callable[[Any], None] = lambda _event: None
        self.called: list[bytes] = []
        self.careful: list[tuple[bytes, int]] = []
        self.failures: list[str] = []
        self.pongs: list[bytes] = []
        self.lost: asyncio.Future[Loss] = asyncio.get_running_loop().create_future()
        router = Router(codec.classes, lambda _callback, error: self.failures.append(str(error)))
        ticker = Subscription("ticker", "KRW-BTC")
        self.stream = router.add(ticker, Listener("ear", self._hear, "realtime_only"))
        router.deliver(codec.read(hot(0)).events[0], lambda _listener, error: self.failures.append(str(error)))
        self.dispatch: Dispatch | HeadDispatch = Dispatch(
            codec.decode,
            router.tables,
            lambda payload, received_ns: self.careful.append((payload, received_ns)),
            lambda _callback, error: self.failures.append(str(error)),
        )

    @property
    def account(self) -> tuple[Any, ...]:
        return self.heard, self.careful, self.failures, self.stream.count, self.stream.last

    def _hear(self, event: Any) -> None:
        self.heard.append(event)
        self.answer(event)
        if event.timestamp == self._breaks_at:
            raise ValueError("broken ear")

    def on_message(self, payload: bytes, is_text: bool, received_ns: int) -> None:
        self.called.append(payload)
        self.dispatch.on_message()(payload, is_text, received_ns)

    def on_pong(self, payload: bytes) -> None:
        self.pongs.append(payload)

    def on_lost(self, loss: Loss) -> None:
        self.lost.set_result(loss)


class TakingEar(Ear):
    """The same where frames of the ticker may go unread: ``taken`` are these, and when they came."""

    def __init__(self, breaks_at: int | None = None) -> None:
        super().__init__(breaks_at)
        self.heard.clear()
        self.taken: list[tuple[bytes, int]] = []
        codec = get_venue("upbit").codec("DEFAULT", "float", True)
        router = Router(codec.classes, self._failed, skim=codec.skim)
        self.stream = router.add(
            Subscription("ticker", "KRW-BTC"), Listener("ear", self._hear, "realtime_only", take=self._take)
        )
        router.deliver(codec.read(hot(0)).events[0], lambda _listener, error: self.failures.append(str(error)))
        careful, failed = self.dispatch.careful, self.dispatch.failed
        self.dispatch = Dispatch(codec.decode, router.tables, careful, failed, *router.unread.road)

    def _failed(self, _callback: Any, error: BaseException) -> None:
        self.failures.append(str(error))

    def _take(self, frame: bytes, received_ns: int) -> None:
        self.taken.append((frame, received_ns))
        if b'"timestamp":%d,' % (self._breaks_at or 0) in frame:
            raise ValueError("broken ear")

    @property
    def account(self) -> tuple[Any, ...]:
        return *super().account, self.stream.last_timestamp, self.taken


class HeadedEar(Ear):
    """The same at a venue whose frames name their stream first: a settled mark price of BTC-USDT."""

    def __init__(self, breaks_at: int | None = None) -> None:
        super().__init__(breaks_at)
        self.heard.clear()
        codec = OkxCodec("okx", "DEFAULT", "float", False)
        router = Router(codec.classes, lambda _callback, error: self.failures.append(str(error)), wire_name=wire_name)
        self.stream = router.add(Subscription("markPrice", "BTC-USDT"), Listener("ear", self._hear, "realtime_only"))
        first = codec.read(headed(0))
        router.deliver(first.events[0], lambda _listener, error: None, first.stream, first.head)
        self.dispatch = HeadDispatch(router.heads.table, self.dispatch.careful, self.dispatch.failed)
