"""The official SDK on a tape that is served: upbit_sdk_tape.py REST_URL. Says what it got, one JSON a line."""

from __future__ import annotations

import asyncio
import json
import sys

from upbit import AsyncUpbit  # type: ignore[import-not-found]  # only in .peers


def say(what: str, **facts: object) -> None:
    print(json.dumps({"what": what, **facts}), flush=True)  # noqa: T201 - how it answers


async def main(rest_url: str) -> None:
    client = AsyncUpbit(base_url=rest_url)
    manager = client.ws_stream.subscribe(
        trade=["KRW-BTC"],
        orderbook=["KRW-BTC.5"],
    )
    async with manager as connection:
        async for event in connection:
            say("event", fields=event.model_dump())


asyncio.run(main(*sys.argv[1:]))
