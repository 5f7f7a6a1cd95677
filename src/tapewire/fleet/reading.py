"""Asks JetStream, within a time limit: what a stream holds of a subject since some time."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable
from datetime import UTC, datetime
from typing import TYPE_CHECKING, TypeVar

from tapewire.sinks.brokers.link import Away
from tapewire.sinks.brokers.nats_line import words_of

if TYPE_CHECKING:
    from nats.aio.msg import Msg
    from nats.js import JetStreamContext

#: Seconds that one question may take.
ANSWER_WITHIN = 5.0

Answer = TypeVar("Answer")


async def asked(call: Awaitable[Answer]) -> Answer:
    """An answer of NATS. Raises Away: there is none."""
    from nats import errors  # noqa: PLC0415 - an optional extra
    from nats.js import errors as js_errors  # noqa: PLC0415

    try:
        async with asyncio.timeout(ANSWER_WITHIN):
            return await call
    except (errors.Error, js_errors.Error, TimeoutError, ConnectionError) as error:
        raise Away(f"NATS does not tell what it holds: {words_of(error)}") from None


async def messages_since(
    js: JetStreamContext, stream: str, subject: str, since_ns: int, *, headers_only: bool
) -> list[Msg]:
    """All messages of a subject (or pattern) that were stored since then (ns UTC). Raises errors of nats-py."""
    from nats.js import api  # noqa: PLC0415 - an optional extra

    config = api.ConsumerConfig(
        deliver_policy=api.DeliverPolicy.BY_START_TIME,
        opt_start_time=datetime.fromtimestamp(max(0, since_ns) / 1e9, UTC),
        headers_only=headers_only,
    )
    subscription = await js.subscribe(subject, stream=stream, ordered_consumer=True, config=config)
    try:
        info = await subscription.consumer_info()
        sent = 0 if info.delivered is None else info.delivered.consumer_seq
        return [await subscription.next_msg(ANSWER_WITHIN) for _ in range(sent + (info.num_pending or 0))]
    finally:
        await subscription.unsubscribe()
