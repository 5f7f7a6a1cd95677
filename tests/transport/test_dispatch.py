"""The short road stands twice, as one function and inside ``PicowsLine``: both must do the same."""

from __future__ import annotations

import asyncio
from typing import Any

from tapewire.config import LineOptions
from tapewire.hub.router import Listener, Router
from tapewire.model.line import Loss
from tapewire.model.subscription import Subscription
from tapewire.transport.dispatch import Dispatch
from tapewire.transport.picows_line import PicowsLine
from tapewire.venues.registry import get_venue

from . import wire
from .benches import NOW_NS, wall_ns

HOT = b'{"type":"ticker","code":"KRW-BTC","timestamp":%d,"trade_price":1.5,"stream_type":"REALTIME"}'
FRAMES = [
    (wire.BINARY, HOT % 1),
    (wire.TEXT, HOT % 2),  # this one raises in the user's callback
    (wire.BINARY, b'{"type":"ticker","code":"KRW-XRP","timestamp":3}'),  # nobody wants it
    (wire.BINARY, b'{"type":"wonder","code":"KRW-BTC"}'),
    (wire.TEXT, b'{"status":"UP"}'),
    (wire.TEXT, "한글 PING".encode()),
    (wire.BINARY, b"\xff\xfe"),
    (wire.BINARY, b"[" * 100_000),
    (wire.BINARY, HOT % 9),
]


class Ear:
    """A settled ticker of KRW-BTC, and everything that the steps of its dispatch were told."""

    def __init__(self) -> None:
        codec = get_venue("upbit").codec("DEFAULT", "float", False)
        self.heard: list[Any] = []
        self.careful: list[tuple[bytes, int]] = []
        self.failures: list[str] = []
        self.lost: asyncio.Future[Loss] = asyncio.get_running_loop().create_future()
        router = Router(codec.classes, lambda _callback, error: self.failures.append(str(error)))
        ticker = Subscription("ticker", "KRW-BTC")
        self.stream = router.add(ticker, Listener("ear", self._hear, "realtime_only"))
        router.deliver(codec.read(HOT % 0).events[0], lambda _listener, error: self.failures.append(str(error)))
        self.dispatch = Dispatch(
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
        if event.timestamp == 2:
            raise ValueError("broken ear")

    def on_message(self, payload: bytes, is_text: bool, received_ns: int) -> None:
        self.dispatch.on_message()(payload, is_text, received_ns)

    def on_pong(self, payload: bytes) -> None:
        raise AssertionError(payload)

    def on_lost(self, loss: Loss) -> None:
        self.lost.set_result(loss)


async def test_the_line_does_what_the_function_does() -> None:
    async def send_all(peer: wire.Peer) -> None:
        peer.accept()
        peer.write(b"".join(wire.frame(opcode, payload) for opcode, payload in FRAMES) + wire.close_frame(1000))
        await peer.reader.read()

    called, inside = Ear(), Ear()
    on_message = called.dispatch.on_message()
    for opcode, payload in FRAMES:
        on_message(payload, opcode == wire.TEXT, NOW_NS)

    async with wire.serve(send_all) as served:
        line = PicowsLine(LineOptions(), wall_ns)
        await line.open(served.url, {}, inside)
        async with asyncio.timeout(5):
            await inside.lost

    assert inside.account == called.account
    assert [event.timestamp for event in inside.heard] == [0, 1, 2, 9]
    assert [event.received_ns for event in inside.heard] == [0, NOW_NS, NOW_NS, NOW_NS]
    assert [payload for payload, _ in inside.careful] == [payload for _, payload in FRAMES[2:-1]]
    assert inside.failures == ["broken ear"]
