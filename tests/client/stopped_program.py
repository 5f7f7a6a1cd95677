"""A program that a test stops or kills: prints each trade and each step of its feed as one JSON line."""

from __future__ import annotations

import asyncio
import sys
from typing import Any

import msgspec

from tapewire import FeedOptions, WebSocketClient
from tapewire.config import SessionOptions


def say(event: Any) -> None:
    sys.stdout.buffer.write(msgspec.json.encode(event) + b"\n")
    sys.stdout.buffer.flush()


async def main(url: str, cursor_file: str | None = None) -> None:
    session = SessionOptions(ping_interval=0.5, ping_timeout=0.5, backoff_base=0.2)
    options = FeedOptions(cursor_file=cursor_file, session=session)
    async with WebSocketClient("stopped", url=url, options=options) as client:
        client.subscribe_feed(say)
        await client.subscribe_trade("KRW-BTC", say)
        await asyncio.Event().wait()


asyncio.run(main(*sys.argv[1:]))
