"""What only the memory line has: its far end."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

import pytest

from tapewire.config import LineOptions
from tapewire.errors import ConnectFailed
from tapewire.model.line import Loss
from tapewire.transport.memory import FarEnd, MemoryLine

from .benches import Recorder
from .wire import turns


class Server:
    """Accepts every dial and keeps what the far end is told."""

    def __init__(self) -> None:
        self.told: list[tuple[str, object]] = []
        self.end: FarEnd

    def __call__(self, end: FarEnd) -> None:
        self.end = end
        end.on_message = lambda payload, is_text: self.told.append(("message", (payload, is_text)))
        end.on_ping = lambda payload: self.told.append(("ping", payload))
        end.on_pong = lambda payload: self.told.append(("pong", payload))
        end.on_lost = lambda loss: self.told.append(("lost", loss))
        end.accept(compression="deflate")


async def opened(
    server: Callable[[FarEnd], None], listener: Recorder, clock: Callable[[], int] = lambda: 5
) -> MemoryLine:
    line = MemoryLine(server, LineOptions(close_timeout=0.01, headers=(("X-Both", "1"),)), clock)
    await line.open("ws://sim/websocket/v1", {"Authorization": "Bearer x"}, listener)
    return line


async def test_the_far_end_sees_url_and_headers_and_tells_the_compression(listener: Recorder) -> None:
    server = Server()
    line = MemoryLine(server, LineOptions(), lambda: 0)
    handshake = await line.open("ws://sim/websocket/v1", {"Authorization": "Bearer x"}, listener)
    assert server.end.url == handshake.url == "ws://sim/websocket/v1"
    assert server.end.headers == {"Authorization": "Bearer x", "User-Agent": "tapewire"}
    assert handshake.compression == "deflate"
    assert server.end.open


async def test_nothing_is_told_within_the_call_that_causes_it(listener: Recorder) -> None:
    server = Server()
    line = await opened(server, listener)
    await turns()
    line.send(b"up")
    line.ping(b"p")
    server.end.send(b"down")
    server.end.ping(b"q")
    server.end.close(1000)
    line.close(Loss("stopped"))
    assert server.told == listener.told == []
    await turns()
    assert server.told[:2] == [("message", (b"up", True)), ("ping", b"p")]
    assert listener.told == [("message", b"down", False), ("lost", Loss("stopped"))]


async def test_one_time_stamp_covers_what_arrives_together(listener: Recorder) -> None:
    server = Server()
    times = iter(range(100))
    await opened(server, listener, lambda: next(times))
    await turns()
    for _ in range(2):
        server.end.send(b"a")
        server.end.send(b"b")
        await turns()
    first, second, third, fourth = listener.stamps
    assert first == second < third == fourth


async def test_a_frozen_line_swallows_everything_both_ways_until_the_client_gives_up(listener: Recorder) -> None:
    server = Server()
    line = await opened(server, listener)
    await turns()
    server.end.send(b"under way")
    line.send(b"under way")
    server.end.freeze()
    server.end.send(b"x")
    server.end.ping(b"x")
    line.send(b"x")
    line.ping(b"x")
    await turns()
    assert server.told == listener.told == []
    line.close(Loss("ping_timeout", 1006, "no pong"), graceful=False)
    await turns()
    assert listener.told == [("lost", Loss("ping_timeout", 1006, "no pong"))]
    assert [what for what, _ in server.told] == ["lost"]
    assert not server.end.open


@pytest.mark.parametrize("end", ["close", "abort"])
async def test_the_far_end_of_a_frozen_line_can_end_itself_unseen(listener: Recorder, end: str) -> None:
    server = Server()
    line = await opened(server, listener)
    server.end.freeze()
    getattr(server.end, end)()
    await turns()
    assert [what for what, _ in server.told] == ["lost"]
    assert listener.told == []
    line.close(Loss("stopped"))
    assert await listener.lost() == Loss("stopped")
    await turns()
    assert len(server.told) == 1


async def test_an_answer_after_the_dial_was_given_up_comes_to_nothing(listener: Recorder) -> None:
    ends: list[FarEnd] = []
    line = MemoryLine(ends.append, LineOptions(connect_timeout=0.01), lambda: 0)
    with pytest.raises(ConnectFailed, match=r"no answer within 0\.01 s"):
        await line.open("ws://sim/", {}, listener)
    assert ends[0].accept() is False
    ends[0].refuse(503)
    ends[0].send(b"x")
    ends[0].close()
    await turns()
    assert listener.told == []


async def test_a_far_end_may_answer_later(listener: Recorder) -> None:
    ends: list[FarEnd] = []
    line = MemoryLine(ends.append, LineOptions(), lambda: 0)
    dial = asyncio.create_task(line.open("ws://sim/", {}, listener))
    await turns()
    ends[0].accept()
    await dial
    ends[0].send(b"hello")
    assert await listener.next() == ("message", b"hello", False)


async def test_a_far_end_can_play_dead(listener: Recorder) -> None:
    with pytest.raises(ConnectFailed, match=r"unreachable \(sim:80: the name cannot be resolved\)"):
        await opened(lambda end: end.unreachable("the name cannot be resolved"), listener)


async def test_pongs_can_be_withheld(listener: Recorder) -> None:
    server = Server()
    line = await opened(server, listener)
    server.end.auto_pong = False
    line.ping(b"p")
    await turns()
    assert server.told == [("ping", b"p")]
    assert listener.told == []


async def test_a_callback_of_the_far_end_that_raises_is_reported(listener: Recorder) -> None:
    reported: list[object] = []
    asyncio.get_running_loop().set_exception_handler(lambda _, context: reported.append(context["exception"]))
    server = Server()
    line = await opened(server, listener)
    boom = LookupError("boom")

    def raising(payload: bytes, is_text: bool) -> None:
        raise boom

    server.end.on_message = raising
    line.send(b"a")
    line.send(b"b")
    line.ping(b"c")
    await turns()
    assert reported == [boom, boom]
    assert server.told == [("ping", b"c")]


async def test_a_client_that_reads_nothing_is_cut_by_the_far_end(listener: Recorder) -> None:
    server = Server()
    line = await opened(server, listener)
    line.hold(True)
    await turns()
    for _ in range(17):
        server.end.send(bytes(1024 * 1024))
    await turns()
    assert [what for what, _ in server.told] == ["lost"]
    line.hold(False)
    assert (await listener.lost()).cause == "reset"
    assert len(listener.messages) == 17
