"""The loop's own thread at its end."""

from __future__ import annotations

import asyncio
import gc
import logging
from collections.abc import AsyncIterator

import pytest

from tapewire.blocking.thread import Call, LoopThread
from tapewire.errors import UsageError


async def nothing() -> None:
    pass


def test_what_is_begun_while_the_loop_is_being_closed_is_told_so(caplog: pytest.LogCaptureFixture) -> None:
    gc.collect()  # what earlier tests left is no matter of this one
    thread = LoopThread("bot")
    late: list[Call[None]] = []

    async def left_open() -> AsyncIterator[int]:
        try:
            yield 1
        finally:  # its loop ends it, behind its last task
            late.append(thread.begin(nothing))

    generators = [left_open()]

    async def leave_open() -> None:
        await anext(generators[0])

    thread.run("leave open", leave_open)
    with caplog.at_level(logging.ERROR, asyncio.__name__):
        assert thread.stop(thread.begin(nothing), 5.0)
        with pytest.raises(UsageError, match="bot: begin late: the client was closed"):
            thread.wait(late[0], "begin late")
        assert late[0].answer.cancelled()
        gc.collect()  # a task that was never run would be told here
    assert [record for record in caplog.records if record.name == asyncio.__name__] == []
