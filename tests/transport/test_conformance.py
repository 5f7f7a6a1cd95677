"""What every line promises, asked of all three."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from tapewire.errors import ConnectFailed, LineLost, UsageError
from tapewire.model.line import Loss

from .benches import NOW_NS, Bench, Far, Recorder
from .wire import open_files, settled, turns

STOP = Loss("stopped", 1001, "nobody wants it")


async def test_what_either_end_sends_arrives_in_order_and_stamped(bench: Bench, listener: Recorder) -> None:
    line, far = await bench.connected(listener)
    sent = [b"%d" % i for i in range(500)]
    for payload in sent:
        line.send(payload)
        far.send(payload)
    line.send(b"\xff\x00", is_text=False)
    far.send(b"\xff\x00")
    far.send("값".encode(), True)
    assert [await far.next() for _ in sent] == [("text", payload) for payload in sent]
    assert await far.next() == ("binary", b"\xff\x00")
    for payload in sent:
        assert await listener.next() == ("message", payload, False)
    assert await listener.next() == ("message", b"\xff\x00", False)
    assert await listener.next() == ("message", "값".encode(), True)
    assert set(listener.stamps) == {NOW_NS}
    line.close(STOP)
    assert await listener.lost() == STOP


@pytest.mark.parametrize("size", [0, 125, 126, 65_535, 65_536, 1_048_576])
async def test_messages_of_every_frame_form_up_to_the_limit_arrive_whole(
    bench: Bench, listener: Recorder, size: int
) -> None:
    line, far = await bench.connected(listener)
    payload = bytes(range(256)) * (size // 256) + b"z" * (size % 256)
    far.send(payload)
    assert await listener.next() == ("message", payload, False)
    line.send(payload, is_text=False)
    assert await far.next() == ("binary", payload)
    line.close(STOP, graceful=False)
    await listener.lost()


async def test_one_byte_above_the_limit_ends_the_line_and_reaches_nobody(bench: Bench, listener: Recorder) -> None:
    _, far = await bench.connected(listener, max_message=1000)
    far.send(b"x" * 1000)
    far.send(b"y" * 1001)
    loss = await listener.lost()
    assert (loss.cause, loss.code) == ("protocol", 1009)
    assert listener.messages == [b"x" * 1000]


async def test_text_that_is_no_utf8_ends_the_line(bench: Bench, listener: Recorder) -> None:
    _, far = await bench.connected(listener)
    far.send(b"\xff\xfe{}", True)
    loss = await listener.lost()
    assert (loss.cause, loss.code) == ("protocol", 1007)
    assert listener.messages == []


async def test_pings_are_answered_both_ways(bench: Bench, listener: Recorder) -> None:
    line, far = await bench.connected(listener)
    far.ping(b"theirs")
    assert await far.next() == ("pong", b"theirs")
    line.ping(b"ours")
    assert await far.next() == ("ping", b"ours")
    assert await listener.next() == ("pong", b"ours")
    with pytest.raises(ValueError, match="125 bytes, not 126"):
        line.ping(b"x" * 126)
    line.close(STOP)
    await listener.lost()


async def test_a_flood_of_pings_cuts_the_line(bench: Bench, listener: Recorder) -> None:
    _, far = await bench.connected(listener, max_control_rate=20)
    for _ in range(21):
        far.ping(b"")
    loss = await listener.lost()
    assert (loss.cause, loss.code) == ("protocol", 1008)
    assert "control frames" in loss.reason


@pytest.mark.parametrize(("code", "reason"), [(1000, ""), (1001, "going away"), (1012, "재시작"), (4999, "x" * 123)])
async def test_a_close_by_the_far_end_is_told_with_code_and_reason_after_all_messages(
    bench: Bench, listener: Recorder, code: int, reason: str
) -> None:
    line, far = await bench.connected(listener)
    far.send(b"last")
    far.close(code, reason)
    assert await listener.next() == ("message", b"last", False)
    assert await listener.next() == ("lost", Loss("closed", code, reason))
    assert (await far.next())[0] == "close"
    with pytest.raises(LineLost, match="closed"):
        line.send(b"x")
    with pytest.raises(LineLost):
        line.ping()


async def test_a_broken_connection_is_a_reset(bench: Bench, listener: Recorder) -> None:
    _, far = await bench.connected(listener)
    far.send(b"last")
    await listener.next()
    far.abort()
    loss = await listener.lost()
    assert (loss.cause, loss.code) == ("reset", 1006)


async def test_a_held_line_reads_nothing_until_it_goes_on(bench: Bench, listener: Recorder) -> None:
    line, far = await bench.connected(listener)
    far.send(b"before")
    await listener.next()
    line.hold(True)
    line.hold(True)
    for i in range(3):
        far.send(b"%d" % i)
    far.close(1001, "going away")
    await turns(50)
    assert listener.messages == [b"before"]
    line.hold(False)
    line.hold(False)
    assert [(await listener.next())[1] for _ in range(3)] == [b"0", b"1", b"2"]
    assert await listener.lost() == Loss("closed", 1001, "going away")
    line.hold(True)


@pytest.mark.parametrize("graceful", [True, False])
async def test_a_held_line_can_be_closed(bench: Bench, listener: Recorder, graceful: bool) -> None:
    line, far = await bench.connected(listener)
    line.hold(True)
    line.send(b"bye")
    line.close(STOP, graceful=graceful)
    assert await listener.lost() == STOP
    assert await far.next() == ("text", b"bye")


async def test_a_graceful_close_waits_for_the_answer_and_tells_our_loss(bench: Bench, listener: Recorder) -> None:
    line, far = await bench.connected(listener)
    line.send(b"bye")
    line.close(STOP)
    assert await listener.lost() == STOP
    assert await far.next() == ("text", b"bye")
    assert await far.next() == ("close", (1001).to_bytes(2, "big"))


async def test_a_close_without_a_code_that_may_be_sent_says_1000(bench: Bench, listener: Recorder) -> None:
    line, far = await bench.connected(listener)
    loss = Loss("ping_timeout", 1006, "no pong")
    line.close(loss)
    assert await listener.lost() == loss
    assert await far.next() == ("close", (1000).to_bytes(2, "big"))


async def test_messages_under_way_when_we_close_are_still_delivered(bench: Bench, listener: Recorder) -> None:
    line, far = await bench.connected(listener)
    far.send(b"under way")
    line.close(STOP)
    assert await listener.next() == ("message", b"under way", False)
    assert await listener.next() == ("lost", STOP)


async def test_a_cut_tells_our_loss_and_nothing_after_it(bench: Bench, listener: Recorder) -> None:
    line, far = await bench.connected(listener)
    far.send(b"never seen")
    line.close(STOP, graceful=False)
    assert listener.told == [], "a loss is never told within the call"
    assert await listener.next() == ("lost", STOP)
    assert (await far.next())[0] == "lost"
    with pytest.raises(LineLost, match="nobody wants it"):
        line.send(b"x")


async def test_the_loss_is_told_exactly_once_whoever_ends_it(bench: Bench, listener: Recorder) -> None:
    line, far = await bench.connected(listener)
    line.close(STOP)
    line.close(Loss("stale"), graceful=False)
    far.close(1011)
    assert await listener.lost() == STOP
    far.abort()
    line.close(Loss("stale"))
    await turns(30)
    assert [what[0] for what in listener.told] == ["lost"]


async def test_messages_and_a_loss_that_come_with_the_handshake_are_told_after_open(
    bench: Bench, listener: Recorder
) -> None:
    def accept_and_close(far: Far) -> None:
        far.accept()
        far.send(b"early")
        far.close(1013, "try later")

    bench.on_dial = accept_and_close
    line = bench.line()
    await line.open(bench.url, {}, listener)
    assert listener.told == []
    assert await listener.next() == ("message", b"early", False)
    assert await listener.next() == ("lost", Loss("closed", 1013, "try later"))


async def test_a_listener_that_raises_is_reported_and_costs_neither_line_nor_message(bench: Bench) -> None:
    reported: list[dict[str, Any]] = []
    loop = asyncio.get_running_loop()
    loop.set_exception_handler(lambda _, context: reported.append(context))

    class Raising(Recorder):
        def on_message(self, payload: bytes, is_text: bool, received_ns: int) -> None:
            super().on_message(payload, is_text, received_ns)
            raise LookupError(payload)

        def on_pong(self, payload: bytes) -> None:
            super().on_pong(payload)
            raise LookupError("pong")

        def on_lost(self, loss: Loss) -> None:
            super().on_lost(loss)
            raise LookupError("lost")

    listener = Raising()
    line, far = await bench.connected(listener)
    far.send(b"one")
    far.send(b"two", True)
    line.ping()
    assert [(await listener.next())[1] for _ in range(3)] == [b"one", b"two", b""]
    line.close(STOP)
    assert await listener.lost() == STOP
    await turns()
    assert [repr(context["exception"]) for context in reported] == [
        "LookupError(b'one')", "LookupError(b'two')", "LookupError('pong')", "LookupError('lost')",
    ]  # fmt: skip


async def test_a_refusal_carries_status_retry_after_and_body(bench: Bench, listener: Recorder) -> None:
    bench.on_dial = lambda far: far.refuse(429, (("Retry-After", "3"),), b"slow down" + b"." * 4000)
    with pytest.raises(ConnectFailed) as caught:
        await bench.line().open(bench.url, {}, listener)
    loss = caught.value.loss
    assert (loss.cause, loss.status, loss.retry_after) == ("refused", 429, 3.0)
    assert loss.body == b"slow down" + b"." * 2039
    assert listener.told == []


async def test_a_retry_after_may_be_a_date(bench: Bench, listener: Recorder) -> None:
    bench.on_dial = lambda far: far.refuse(503, (("Retry-After", "Tue, 14 Nov 2023 22:13:50 GMT"),))
    with pytest.raises(ConnectFailed) as caught:
        await bench.line().open(bench.url, {}, listener)
    assert (caught.value.loss.status, caught.value.loss.retry_after) == (503, 30.0)


async def test_a_far_end_that_never_answers_is_given_up_in_time(bench: Bench, listener: Recorder) -> None:
    bench.on_dial = lambda far: None
    with pytest.raises(ConnectFailed, match=r"no answer within 0\.05 s"):
        await bench.line(connect_timeout=0.05).open(bench.url, {}, listener)


async def test_a_line_is_opened_once(bench: Bench, listener: Recorder) -> None:
    line, _ = await bench.connected(listener)
    line.close(STOP, graceful=False)
    await listener.lost()
    with pytest.raises(UsageError, match="a line is opened once"):
        await line.open(bench.url, {}, listener)


async def test_sending_before_open_is_refused(bench: Bench) -> None:
    with pytest.raises(LineLost, match="the line is not open"):
        bench.line().send(b"x")


async def test_a_cancelled_open_leaves_nothing_behind(bench: Bench, listener: Recorder) -> None:
    bench.on_dial = lambda far: None
    files, tasks = open_files(), len(asyncio.all_tasks())
    dial = asyncio.create_task(bench.line().open(bench.url, {}, listener))
    far = await bench.far()
    dial.cancel()
    with pytest.raises(asyncio.CancelledError):
        await dial
    far.accept()
    await settled(files, tasks)
    assert listener.told == []


async def test_reconnecting_leaves_no_tasks_or_files(bench: Bench) -> None:
    files, tasks = open_files(), len(asyncio.all_tasks())
    for i in range(20):
        listener = Recorder()
        line, far = await bench.connected(listener)
        if i % 2:
            line.close(STOP, graceful=bool(i % 4))
        else:
            far.abort()
        await listener.lost()
    await settled(files, tasks)


async def test_a_far_end_that_ignores_our_close_is_cut_after_the_time_limit(bench: Bench, listener: Recorder) -> None:
    line, far = await bench.connected(listener, close_timeout=0.05)
    if bench.name == "memory":
        far.end.freeze()  # type: ignore[attr-defined]
    else:
        far.mute = True  # type: ignore[attr-defined]
    line.close(STOP)
    assert await listener.lost() == STOP
