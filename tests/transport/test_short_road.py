"""What the short road of ``PicowsLine`` takes for data, beside what a strict line makes of the same bytes."""

from __future__ import annotations

import asyncio
import contextlib
import zlib
from collections.abc import Sequence
from typing import NamedTuple

import pytest

from tapewire.config import LineOptions
from tapewire.model.line import Loss

from . import wire
from .benches import SOCKET_LINES, wall_ns
from .settled import Ear, hot
from .wire import BINARY, CLOSE, CONT, PING, PONG, TEXT, frame

CLOSED = ("closed", 1000)
PROTOCOL, NO_UTF8, TOO_BIG = ("protocol", 1002), ("protocol", 1007), ("protocol", 1009)


LONG = b"long"
STRANGER = hot(5, LONG).replace(b"KRW-BTC", b"KRW-XRP")
BAD = b"\xc3\x28"
KOREAN = "비트코인 🪙".encode()


class Outcome(NamedTuple):
    """What came of some frames: time stamps heard, payloads of the careful road, pongs, how it ended."""

    heard: list[int]
    careful: list[bytes]
    pongs: list[bytes]
    end: tuple[str, int | None]


def outcome(
    *heard: int, careful: Sequence[bytes] = (), pongs: Sequence[bytes] = (), end: tuple[str, int | None] = CLOSED
) -> Outcome:
    return Outcome(list(heard), list(careful), list(pongs), end)


async def played(line: str, data: bytes, **options: object) -> tuple[Outcome, list[tuple[int, bytes]]]:
    """What a line makes of the bytes and a close frame, and what it sent."""
    ear = Ear()
    answers: list[tuple[int, bytes]] = []
    gone = asyncio.Event()

    async def handler(peer: wire.Peer) -> None:
        peer.accept(*(["Sec-WebSocket-Extensions: permessage-deflate"] if "compression" in options else []))
        await peer.frame()
        peer.write(data + wire.close_frame(1000))
        with contextlib.suppress(asyncio.IncompleteReadError, ConnectionError):
            while True:
                answers.append(await peer.frame())
        gone.set()

    async with wire.serve(handler) as served:
        made = SOCKET_LINES[line](LineOptions(**options), wall_ns)  # type: ignore[arg-type]
        await made.open(served.url, {}, ear)
        made.ping()  # now it is open there, and the short road with it
        async with asyncio.timeout(5):
            loss: Loss = await ear.lost
            await gone.wait()
    assert ear.failures == []
    heard = [event.timestamp for event in ear.heard[1:]]  # the first one settled the stream
    assert ear.stream.count == len(heard) + 1
    return Outcome(heard, [payload for payload, _ in ear.careful], ear.pongs, (loss.cause, loss.code)), answers


#: what → frames, and what both lines make of them.
ALIKE: dict[str, tuple[list[bytes], Outcome]] = {
    "text and binary": ([frame(TEXT, hot(1, LONG)), frame(BINARY, hot(2, LONG))], outcome(1, 2)),
    "as short as a control frame": ([frame(TEXT, hot(1)), frame(BINARY, hot(2))], outcome(1, 2)),
    "a ping with an event in it": ([frame(PING, hot(1)), frame(BINARY, hot(2, LONG))], outcome(2)),
    "a pong with an event in it": ([frame(PONG, hot(1)), frame(BINARY, hot(2, LONG))], outcome(2, pongs=[hot(1)])),
    "a close frame with an event in it": (
        [frame(CLOSE, (1001).to_bytes(2, "big") + hot(1)), frame(BINARY, hot(2, LONG))],
        outcome(end=("closed", 1001)),
    ),
    "a ping too long, with an event in it": ([frame(PING, hot(1, LONG))], outcome(end=PROTOCOL)),
    "a pong too long, with an event in it": ([frame(PONG, hot(1, LONG))], outcome(end=PROTOCOL)),
    "a close frame too long, with an event in it": ([frame(CLOSE, b"\x03\xe8" + hot(1, LONG))], outcome(end=PROTOCOL)),
    "an event in an unknown data frame": ([frame(3, hot(1, LONG))], outcome(end=PROTOCOL)),
    "an event in an unknown control frame": ([frame(11, hot(1))], outcome(end=PROTOCOL)),
    "a stray continuation of a short event": ([frame(CONT, hot(1))], outcome(end=PROTOCOL)),
    "a stray continuation of a stranger": ([frame(CONT, STRANGER)], outcome(end=PROTOCOL)),
    "a stray continuation of garbage": ([frame(CONT, b"x" * 200)], outcome(end=PROTOCOL)),
    "a continuation that is one": (
        [frame(TEXT, hot(1, LONG)[:50], fin=False), frame(CONT, hot(1, LONG)[50:]), frame(TEXT, hot(2, LONG))],
        outcome(1, 2),
    ),
    "a first fragment that would be an event alone": (
        [frame(TEXT, hot(1, LONG), fin=False), frame(CONT, b" "), frame(TEXT, hot(2, LONG))], outcome(1, 2),
    ),
    "a continuation that would be an event alone": (
        [frame(TEXT, b"[", fin=False), frame(CONT, hot(1, LONG), fin=False), frame(CONT, b"]")],
        outcome(careful=[b"[" + hot(1, LONG) + b"]"]),
    ),
    "a last fragment that would be an event alone": (
        [frame(BINARY, b" x", fin=False), frame(CONT, hot(1, LONG)), frame(BINARY, hot(2, LONG))],
        outcome(2, careful=[b" x" + hot(1, LONG)]),
    ),
    "an event between fragments": ([frame(TEXT, b"{", fin=False), frame(TEXT, hot(1, LONG))], outcome(end=PROTOCOL)),
    "a ping with an event between fragments": (
        [frame(TEXT, hot(1, LONG)[:9], fin=False), frame(PING, hot(7)), frame(CONT, hot(1, LONG)[9:])],
        outcome(1),
    ),
    "reserved bit 1": ([frame(TEXT, hot(1, LONG), rsv=4)], outcome(end=PROTOCOL)),
    "reserved bit 2": ([frame(TEXT, hot(1, LONG), rsv=2)], outcome(end=PROTOCOL)),
    "reserved bit 3": ([frame(BINARY, hot(1, LONG), rsv=1)], outcome(end=PROTOCOL)),
    "names in Korean": (
        [frame(TEXT, hot(1, KOREAN)), frame(BINARY, hot(2, KOREAN)), frame(TEXT, b'{"status":"' + KOREAN + b'"}')],
        outcome(1, 2, careful=[b'{"status":"' + KOREAN + b'"}']),
    ),
    "no UTF-8 in a field that is read": ([frame(TEXT, hot(1, LONG).replace(b"BTC", BAD))], outcome(end=NO_UTF8)),
    "no UTF-8 in a stranger": ([frame(TEXT, STRANGER.replace(b"...", BAD))], outcome(end=NO_UTF8)),
    "no UTF-8 in an event as short as a control frame": (
        [frame(TEXT, hot(1)[:-1] + b',"note":"' + BAD + b'"}')], outcome(end=NO_UTF8),
    ),
    "no UTF-8 in fragments": (
        [frame(TEXT, hot(1, BAD)[:50], fin=False), frame(CONT, hot(1, BAD)[50:])], outcome(end=NO_UTF8),
    ),
    "no UTF-8 in a binary frame": ([frame(BINARY, hot(1, BAD))], outcome(1)),
    "nothing counts after a close frame": (
        [wire.close_frame(1001), frame(TEXT, hot(1, LONG)), frame(PONG, b"x")], outcome(end=("closed", 1001)),
    ),
    "nothing counts after a violation": (
        [frame(TEXT, hot(1, LONG)), frame(CONT, b"x" * 200), frame(TEXT, hot(2, LONG))], outcome(1, end=PROTOCOL),
    ),
}  # fmt: skip

#: what → frames, what the short road makes of them, what a strict line does: the documented leniency.
LENIENT: dict[str, tuple[list[bytes], Outcome, Outcome]] = {
    "a stray continuation that is a whole event": (
        [frame(TEXT, hot(1, LONG)), frame(CONT, hot(2, LONG)), frame(TEXT, hot(3, LONG))],
        outcome(1, 2, 3),
        outcome(1, end=PROTOCOL),
    ),
    "no UTF-8 in a field that nobody reads": (
        [frame(TEXT, hot(1, LONG)), frame(TEXT, hot(2, BAD)), frame(TEXT, hot(3, LONG))],
        outcome(1, 2, 3),
        outcome(1, end=NO_UTF8),
    ),
}


@pytest.mark.parametrize("what", ALIKE)
async def test_the_short_road_takes_what_a_strict_line_takes(socket_line: str, what: str) -> None:
    frames, expected = ALIKE[what]
    assert (await played(socket_line, b"".join(frames)))[0] == expected


@pytest.mark.parametrize("what", LENIENT)
async def test_it_is_lenient_where_the_payload_is_a_settled_event_and_nowhere_else(what: str) -> None:
    frames, short, strict = LENIENT[what]
    assert (await played("picows", b"".join(frames)))[0] == short
    assert (await played("websockets", b"".join(frames)))[0] == strict


async def test_a_ping_with_an_event_in_it_is_answered_with_the_event() -> None:
    _, answers = await played("picows", frame(PING, hot(1)) + frame(TEXT, hot(2, LONG)))
    assert answers == [(PONG, hot(1)), (CLOSE, b"\x03\xe8")]


async def test_a_violation_is_answered_with_its_code() -> None:
    _, answers = await played("picows", frame(TEXT, hot(1, LONG)) + frame(TEXT, hot(1, LONG), rsv=2))
    assert answers == [(CLOSE, b"\x03\xea")]


async def test_an_event_above_the_limit_is_never_heard(socket_line: str) -> None:
    data = frame(TEXT, hot(1, LONG)) + frame(TEXT, hot(2, b"x" * 2_000))
    assert (await played(socket_line, data, max_message=2_000))[0] == outcome(1, end=TOO_BIG)


def packed(*payloads: bytes) -> list[bytes]:
    """The payloads deflated one after the other, each referring to those before it."""
    stream = zlib.compressobj(9, wbits=-15)
    return [(stream.compress(payload) + stream.flush(zlib.Z_SYNC_FLUSH))[:-4] for payload in payloads]


async def test_on_a_compressed_line_plain_and_deflated_events_come_in_order(socket_line: str) -> None:
    first, second, third = packed(hot(1, LONG), hot(3, KOREAN), STRANGER)
    assert len(second) < len(first)
    data = [
        frame(TEXT, first, rsv=4), frame(BINARY, hot(2, LONG)), frame(TEXT, second[:20], fin=False, rsv=4),
        frame(PING, hot(9)), frame(CONT, second[20:]), frame(TEXT, hot(4, KOREAN)), frame(BINARY, third, rsv=4),
    ]  # fmt: skip
    told, _ = await played(socket_line, b"".join(data), compression="deflate")
    assert told == outcome(1, 2, 3, 4, careful=[STRANGER])


@pytest.mark.parametrize(
    ("broken", "end"),
    [
        (frame(TEXT, hot(1, LONG), rsv=6), PROTOCOL),
        (frame(TEXT, hot(1, LONG), rsv=2), PROTOCOL),
        (frame(PING, hot(1), rsv=4), PROTOCOL),
        (frame(TEXT, packed(hot(1, BAD))[0], rsv=4), NO_UTF8),
    ],
    ids=["two reserved bits", "another reserved bit", "a deflated ping", "no UTF-8"],
)
async def test_on_a_compressed_line_the_rest_is_refused(socket_line: str, broken: bytes, end: tuple[str, int]) -> None:
    told, _ = await played(socket_line, frame(TEXT, hot(8, LONG)) + broken, compression="deflate")
    assert told == outcome(8, end=end)


async def test_after_our_close_frame_events_are_heard_until_its_answer(socket_line: str) -> None:
    ear = Ear()

    async def handler(peer: wire.Peer) -> None:
        peer.accept()
        assert (await peer.frame())[0] == CLOSE
        peer.write(frame(TEXT, hot(1, LONG)) + frame(CONT, hot(2, LONG)))  # strict again
        await peer.gone()

    async with wire.serve(handler) as served:
        line = SOCKET_LINES[socket_line](LineOptions(), wall_ns)
        await line.open(served.url, {}, ear)
        await wire.turns(2)  # the short road is open
        line.close(Loss("stopped"))
        async with asyncio.timeout(5):
            assert (await ear.lost).cause == "stopped"
    assert [event.timestamp for event in ear.heard[1:]] == [1]
