"""Any split of valid messages into fragments and TCP chunks gives what the sans-IO parser gives (RELIABILITY H6)."""

from __future__ import annotations

import asyncio
import contextlib
import zlib
from collections.abc import Iterator

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from websockets.client import ClientProtocol
from websockets.extensions.permessage_deflate import PerMessageDeflate
from websockets.frames import Frame
from websockets.protocol import State
from websockets.uri import parse_uri

from tapewire.config import LineOptions
from tapewire.model.line import Loss
from tapewire.transport.contract import Line
from tests.sizes import size

from . import wire
from .benches import SOCKET_LINES, Recorder, wall_ns
from .wire import BINARY, CONT, PING, PONG, TEXT

END = b"\0end"


class Lab:
    """One open line on a loop of its own, and a server that writes it chunks."""

    def __init__(self, name: str, compression: str | None) -> None:
        self.loop = asyncio.new_event_loop()
        self.packer = zlib.compressobj(wbits=-15) if compression else None
        self._stack = contextlib.AsyncExitStack()
        self.listener = Recorder()
        self.line: Line
        self.loop.run_until_complete(self._open(name, compression))

    async def _open(self, name: str, compression: str | None) -> None:
        ready: asyncio.Future[wire.Peer] = self.loop.create_future()

        async def handler(peer: wire.Peer) -> None:
            peer.accept(*(["Sec-WebSocket-Extensions: permessage-deflate"] if compression else []))
            ready.set_result(peer)
            await peer.gone()

        served = await self._stack.enter_async_context(wire.serve(handler))
        options = LineOptions(max_control_rate=10_000, compression="deflate" if compression else None)
        self.line = SOCKET_LINES[name](options, wall_ns)
        await self.line.open(served.url, {}, self.listener)
        self.peer = await ready

    async def play(self, chunks: list[bytes]) -> list[tuple[bytes, bool]]:
        """What the listener was told of these chunks, each sent and read by itself."""
        for chunk in [*chunks, wire.frame(BINARY, END)]:
            self.peer.write(chunk)
            await wire.turns(2)
        told = []
        while (what := await self.listener.next())[1] != END:
            if what[0] == "message":
                told.append((what[1], what[2]))
        return told

    def close(self) -> None:
        async def end() -> None:
            self.line.close(Loss("stopped"), graceful=False)
            await self.listener.lost()
            await self._stack.aclose()

        self.loop.run_until_complete(end())
        self.loop.close()


@pytest.fixture(scope="module", params=["picows", "picows-deflate", "websockets"])
def lab(request: pytest.FixtureRequest) -> Iterator[Lab]:
    name, _, compression = request.param.partition("-")
    made = Lab(name, compression or None)
    yield made
    made.close()


def sans_io(data: bytes, *, compression: bool) -> list[tuple[bytes, bool]]:
    """The messages that websockets' own parser finds."""
    protocol = ClientProtocol(parse_uri("ws://x/"), state=State.OPEN)
    if compression:
        protocol.extensions = [PerMessageDeflate(True, True, 15, 15)]  # contexts of one message: made so below
    protocol.receive_data(data)
    messages: list[tuple[bytes, bool]] = []
    parts: list[bytes] = []
    text = False
    for event in protocol.events_received():
        assert isinstance(event, Frame)
        if event.opcode in (TEXT, BINARY):
            parts, text = [], event.opcode == TEXT
        if event.opcode in (TEXT, BINARY, CONT):
            parts.append(bytes(event.data))
            if event.fin:
                messages.append((b"".join(parts), text))
    assert protocol.parser_exc is None
    return messages


MESSAGES = st.lists(
    st.one_of(
        st.tuples(st.just(TEXT), st.text(max_size=300).map(str.encode)),
        st.tuples(st.just(BINARY), st.binary(max_size=300)),
        st.tuples(st.just(BINARY), st.integers(60_000, 70_000).map(lambda size: b"\xab" * size)),
    ),
    max_size=5,
)


def pieces(data: st.DataObject, payload: bytes, most: int) -> list[bytes]:
    cuts = sorted(data.draw(st.lists(st.integers(0, len(payload)), max_size=most)))
    return [payload[a:b] for a, b in zip([0, *cuts], [*cuts, len(payload)], strict=True)]


def frames_of(data: st.DataObject, opcode: int, payload: bytes, *, packed: bool) -> bytes:
    """A message as frames, with control frames between them."""
    if packed:
        packer = zlib.compressobj(wbits=-15)
        payload = packer.compress(payload) + packer.flush(zlib.Z_FULL_FLUSH)
        payload = payload[:-4]
    parts = pieces(data, payload, 4)
    wire_bytes = b""
    for i, part in enumerate(parts):
        first = i == 0
        rsv = 4 if packed and first else 0
        wire_bytes += wire.frame(CONT if not first else opcode, part, fin=i == len(parts) - 1, rsv=rsv)
        if data.draw(st.integers(0, 3)) == 0:
            wire_bytes += wire.frame(data.draw(st.sampled_from([PING, PONG])), data.draw(st.binary(max_size=125)))
    return wire_bytes


@settings(max_examples=size(60, 20_000), deadline=None)
@given(messages=MESSAGES, data=st.data())
def test_any_split_gives_what_the_sans_io_parser_gives(
    lab: Lab, messages: list[tuple[int, bytes]], data: st.DataObject
) -> None:
    packable = lab.packer is not None
    stream = b"".join(
        frames_of(data, opcode, payload, packed=packable and data.draw(st.booleans())) for opcode, payload in messages
    )
    told = lab.loop.run_until_complete(lab.play(pieces(data, stream, 6)))
    assert told == [(payload, opcode == TEXT) for opcode, payload in messages]
    assert told == sans_io(stream, compression=packable)
