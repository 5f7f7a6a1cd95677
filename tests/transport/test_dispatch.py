"""The short road stands twice, as one function and inside ``PicowsLine``: both must do the same."""

from __future__ import annotations

import asyncio

from tapewire.config import LineOptions
from tapewire.transport.picows_line import PicowsLine

from . import wire
from .benches import NOW_NS, wall_ns
from .settled import Ear, hot

FRAMES = [
    (wire.BINARY, hot(1, b"long")),
    (wire.TEXT, hot(2, b"long")),  # this one raises in the user's callback
    (wire.BINARY, b'{"type":"ticker","code":"KRW-XRP","timestamp":3}'),  # nobody wants it
    (wire.BINARY, b'{"type":"wonder","code":"KRW-BTC"}'),
    (wire.TEXT, b'{"status":"UP"}'),
    (wire.TEXT, "한글 PING".encode()),
    (wire.BINARY, b"\xff\xfe"),
    (wire.BINARY, b"[" * 100_000),
    (wire.BINARY, hot(9, b"long")),
]


async def test_the_line_does_what_the_function_does() -> None:
    async def send_all(peer: wire.Peer) -> None:
        peer.accept()
        await peer.frame()  # it is open there, and the short road with it
        peer.write(b"".join(wire.frame(opcode, payload) for opcode, payload in FRAMES) + wire.close_frame(1000))
        await peer.reader.read()

    called, inside = Ear(breaks_at=2), Ear(breaks_at=2)
    on_message = called.dispatch.on_message()
    for opcode, payload in FRAMES:
        on_message(payload, opcode == wire.TEXT, NOW_NS)

    async with wire.serve(send_all) as served:
        line = PicowsLine(LineOptions(), wall_ns)
        await line.open(served.url, {}, inside)
        line.ping()
        async with asyncio.timeout(5):
            await inside.lost

    assert inside.account == called.account
    assert [event.timestamp for event in inside.heard] == [0, 1, 2, 9]
    assert [event.received_ns for event in inside.heard] == [0, NOW_NS, NOW_NS, NOW_NS]
    assert [payload for payload, _ in inside.careful] == [payload for _, payload in FRAMES[2:-1]]
    assert inside.called == [payload for _, payload in FRAMES[2:-1]], "the settled ones came by the short road"
    assert inside.pongs == []
    assert inside.failures == ["broken ear"]
