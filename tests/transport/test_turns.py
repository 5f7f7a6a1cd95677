"""Lines in a loop where somebody listens do what plain ones do, and say when the messages of a read are over."""

from __future__ import annotations

import asyncio

import pytest

from tapewire.config import LineOptions
from tapewire.transport import turns
from tapewire.transport.metered_picows_line import MeteredPicowsLine
from tapewire.transport.picows_line import PicowsLine

from . import wire
from .benches import NOW_NS, wall_ns
from .settled import Ear, HeadedEar
from .test_dispatch import FRAMES, HEADED, call, send

LISTENED = pytest.mark.parametrize(("frames", "make"), [(FRAMES, Ear), (HEADED, HeadedEar)], ids=["class", "head"])


class Overs:
    """How many events an ear had heard whenever a read was over."""

    def __init__(self, ear: Ear) -> None:
        self._ear, self.seen = ear, list[int]()
        self.turns = turns.listen(asyncio.get_running_loop(), self.over)

    def over(self) -> None:
        assert not self.turns.reading
        self.seen.append(len(self._ear.heard))


@LISTENED
async def test_the_line_does_what_the_function_does_and_tells_the_end_of_a_read_after_its_last_message(
    frames: list[tuple[int, bytes]], make: type[Ear]
) -> None:
    called, inside = make(breaks_at=2), make(breaks_at=2)
    call(frames, called)
    overs = Overs(inside)
    during: list[bool] = []
    inside.answer = lambda _event: during.append(overs.turns.reading)
    await send(frames, MeteredPicowsLine(LineOptions(), wall_ns), inside)
    turns.leave(asyncio.get_running_loop(), overs.over)

    assert inside.account == called.account
    assert [event.received_ns for event in inside.heard] == [0, NOW_NS, NOW_NS, NOW_NS]
    assert inside.failures == ["broken ear"]
    assert during == [True, True, True], "whoever is told knows that more may come at once"
    assert overs.seen[-1] == 4, "nothing is left without an end"
    assert overs.seen == sorted(overs.seen)


async def test_a_read_that_breaks_off_is_over_when_the_line_is_lost() -> None:
    ear = Ear()
    overs = Overs(ear)
    good = wire.frame(*FRAMES[0])

    async def break_off(peer: wire.Peer) -> None:
        peer.accept()
        await peer.frame()
        peer.write(good * 3 + wire.frame(wire.TEXT, b"x", rsv=7) + b"\x8f\x00")
        await peer.reader.read()

    async with wire.serve(break_off) as served:
        line = MeteredPicowsLine(LineOptions(), wall_ns)
        await line.open(served.url, {}, ear)
        line.ping()
        async with asyncio.timeout(20):
            await ear.lost
    turns.leave(asyncio.get_running_loop(), overs.over)
    assert overs.seen[-1] == len(ear.heard) > 1
    assert not overs.turns.reading


async def test_without_listeners_lines_are_plain_ones() -> None:
    loop, heard = asyncio.get_running_loop(), list[str]()
    first, second = (lambda: heard.append("first")), (lambda: heard.append("second"))
    one = turns.listen(loop, first)
    assert turns.listen(loop, second) is one is turns.heard_in(loop)
    one.end()
    turns.leave(loop, first)
    one.end()
    assert heard == ["first", "second", "second"]
    turns.leave(loop, second)
    turns.leave(loop, second)
    assert turns.heard_in(loop) is None
    ear, line = Ear(), MeteredPicowsLine(LineOptions(), wall_ns)
    await send(FRAMES[:1], line, ear)
    assert type(line._line) is PicowsLine
