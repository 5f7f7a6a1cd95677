"""The short road stands twice, as one function and inside ``PicowsLine``: both must do the same."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from tapewire.config import LineOptions, TapeOptions
from tapewire.tape.format import Header, Kind, Record
from tapewire.tape.reader import read_tape
from tapewire.tape.recorder import Recorder
from tapewire.tape.taps import tapped_lines
from tapewire.transport import turns
from tapewire.transport.contract import Line
from tapewire.transport.dispatch import Dispatch
from tapewire.transport.metered_picows_line import MeteredPicowsLine
from tapewire.transport.picows_line import PicowsLine

from . import wire
from .benches import NOW_NS, wall_ns
from .settled import Ear, HeadedEar, TakingEar, headed, hot

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

HEADED = [
    (wire.BINARY, headed(1)),
    (wire.TEXT, headed(2)),  # this one raises in the user's callback
    (wire.TEXT, headed(3).replace(b"BTC", b"XRP")),  # nobody wants it
    (wire.TEXT, headed(3).replace(b"[{", b"[{},{")),
    (wire.TEXT, headed(3).replace(b"[", b"(")),
    (wire.TEXT, b"pong"),
    (wire.TEXT, "한글 PING".encode()),
    (wire.BINARY, b"\xff\xfe"),
    (wire.BINARY, b"[" * 100_000),
    (wire.BINARY, headed(9)),
]


def on_tape(frames: list[tuple[int, bytes]]) -> list[tuple[int, int, int, bytes]]:
    """What a tape has to hold of them."""
    kinds = {wire.TEXT: Kind.RECEIVED_TEXT, wire.BINARY: Kind.RECEIVED_BINARY}
    return [(kinds[opcode], 1, NOW_NS, payload) for opcode, payload in frames]


async def kept(frames: list[tuple[int, bytes]], ear: Ear, folder: Path) -> list[Record]:
    """The messages on a tape of a line that was sent ``frames``."""
    recorder = Recorder(TapeOptions(folder=str(folder)), Header("upbit", 0, 0), wall_ns, print)
    await send(frames, tapped_lines(MeteredPicowsLine, recorder)(LineOptions(), wall_ns), ear)
    recorder.close()
    found = [one for one in read_tape(folder) if isinstance(one, Record)]
    return [one for one in found if one.kind in (Kind.RECEIVED_TEXT, Kind.RECEIVED_BINARY)]


async def send(frames: list[tuple[int, bytes]], line: Line, ear: Ear) -> None:
    """All ``frames`` to an open line, until it is closed."""

    async def send_all(peer: wire.Peer) -> None:
        peer.accept()
        await peer.frame()  # it is open there, and the short road with it
        peer.write(b"".join(wire.frame(opcode, payload) for opcode, payload in frames) + wire.close_frame(1000))
        await peer.reader.read()

    async with wire.serve(send_all) as served:
        await line.open(served.url, {}, ear)
        line.ping()
        async with asyncio.timeout(5):
            await ear.lost


def call(frames: list[tuple[int, bytes]], ear: Ear) -> None:
    """The same to the function."""
    on_message, dispatch = ear.dispatch.on_message(), ear.dispatch
    taken = dispatch.taken() if isinstance(dispatch, Dispatch) else None
    for opcode, payload in frames:
        if taken is None or not taken(payload, NOW_NS):
            on_message(payload, opcode == wire.TEXT, NOW_NS)


async def test_where_frames_name_their_stream_the_line_does_what_the_function_does() -> None:
    called, inside, plain = HeadedEar(breaks_at=2), HeadedEar(breaks_at=2), HeadedEar(breaks_at=2)
    call(HEADED, called)
    await send(HEADED, MeteredPicowsLine(LineOptions(), wall_ns), inside)
    await send(HEADED, PicowsLine(LineOptions(), wall_ns), plain)

    assert inside.account == called.account == plain.account
    assert [event.timestamp for event in inside.heard] == [0, 1, 2, 9]
    assert [event.received_ns for event in inside.heard] == [0, NOW_NS, NOW_NS, NOW_NS]
    assert [payload for payload, _ in inside.careful] == [payload for _, payload in HEADED[2:-1]]
    assert inside.called == [payload for _, payload in HEADED[2:-1]], "the settled ones came by the short road"
    assert plain.called == [payload for _, payload in HEADED], "a line without this form calls the function"
    assert inside.failures == ["broken ear"]


async def test_the_line_does_what_the_function_does() -> None:
    called, inside = Ear(breaks_at=2), Ear(breaks_at=2)
    call(FRAMES, called)
    await send(FRAMES, PicowsLine(LineOptions(), wall_ns), inside)

    assert inside.account == called.account
    assert [event.timestamp for event in inside.heard] == [0, 1, 2, 9]
    assert [event.received_ns for event in inside.heard] == [0, NOW_NS, NOW_NS, NOW_NS]
    assert [payload for payload, _ in inside.careful] == [payload for _, payload in FRAMES[2:-1]]
    assert inside.called == [payload for _, payload in FRAMES[2:-1]], "the settled ones came by the short road"
    assert inside.pongs == []
    assert inside.failures == ["broken ear"]


TAKEN = [
    *FRAMES,
    (wire.TEXT, hot(10, b"long")),
    (wire.TEXT, hot(11, b"long") + b"\n"),
    (wire.TEXT, hot(12, "오래".encode() * 20)),
    (wire.TEXT, hot(13, b"long").replace(b":13,", b":'13',")),
    (wire.BINARY, hot(14, b"long")),
]


async def test_where_frames_go_unread_the_line_does_what_the_function_does() -> None:
    called, inside = TakingEar(breaks_at=2), TakingEar(breaks_at=2)
    call(TAKEN, called)
    await send(TAKEN, MeteredPicowsLine(LineOptions(), wall_ns), inside)

    assert [hot_at(frame) for frame, _ in called.taken] == [1, 2, 9, 10, 13, 14]
    assert [event.timestamp for event in called.heard] == [0, 11, 12]
    assert called.failures == ["broken ear"]
    assert {at for _, at in called.taken} == {NOW_NS}
    assert inside.account == called.account


@pytest.mark.parametrize("kind", ["of a gateway", "of a tape"])
async def test_other_lines_read_everything_and_hide_nothing_that_cannot_be_read(kind: str, tmp_path: Path) -> None:
    inside = TakingEar(breaks_at=2)
    if kind == "of a tape":
        assert await kept(TAKEN, inside, tmp_path) == on_tape(TAKEN)
    else:
        turns.listen(asyncio.get_running_loop(), list)
        await send(TAKEN, MeteredPicowsLine(LineOptions(), wall_ns), inside)
    assert inside.taken == []
    assert [event.timestamp for event in inside.heard] == [0, 1, 2, 9, 10, 11, 12, 14]
    assert [payload for payload, _ in inside.careful] == [*(payload for _, payload in FRAMES[2:-1]), TAKEN[-2][1]]


def hot_at(frame: bytes) -> int:
    """The time stamp of what ``hot`` made."""
    return int(frame.partition(b'"timestamp":')[2].partition(b",")[0].strip(b"'"))


@pytest.mark.parametrize(("frames", "make"), [(FRAMES, Ear), (HEADED, HeadedEar)], ids=["by class", "by head"])
async def test_a_line_that_is_recorded_does_the_same_and_keeps_each_message_once(
    tmp_path: Path, frames: list[tuple[int, bytes]], make: type[Ear]
) -> None:
    called, inside = make(breaks_at=2), make(breaks_at=2)
    call(frames, called)
    assert await kept(frames, inside, tmp_path) == on_tape(frames)
    assert inside.account == called.account
    assert inside.called == [payload for _, payload in frames[2:-1]], "the settled ones came by the short road"
    assert inside.failures == ["broken ear"]


async def test_what_a_callback_sends_stands_on_the_tape_between_the_messages(tmp_path: Path) -> None:
    recorder = Recorder(TapeOptions(folder=str(tmp_path)), Header("upbit", 0, 0), wall_ns, print)
    line = tapped_lines(MeteredPicowsLine, recorder)(LineOptions(), wall_ns)
    frames = [(wire.BINARY, hot(number, b"long")) for number in range(1, 4)]
    ear = Ear()
    ear.answer = lambda event: line.send(b"%d" % event.timestamp) if event.timestamp == 2 else None
    await send(frames, line, ear)
    recorder.close()
    found = [one for one in read_tape(tmp_path) if isinstance(one, Record)]
    told = [(one.kind, one.payload) for one in found if one.kind in (Kind.RECEIVED_BINARY, Kind.SENT_TEXT)]
    received = [(Kind.RECEIVED_BINARY, payload) for _, payload in frames]
    assert told == [*received[:2], (Kind.SENT_TEXT, b"2"), received[2]]
