"""The official SDK as its README uses it, only the address given: upbit_sdk_feed.py REST_URL FORMAT.

Run by .peers/bin/python. Says what it got, one JSON a line, until it is ended.
"""

from __future__ import annotations

import asyncio
import json
import sys

from upbit import AsyncUpbit  # type: ignore[import-not-found]  # only in .peers


def say(what: str, **facts: object) -> None:
    print(json.dumps({"what": what, **facts}), flush=True)  # noqa: T201 - how it answers


async def main(rest_url: str, form: str) -> None:
    client = AsyncUpbit(base_url=rest_url)
    codes = ["KRW-BTC", "KRW-ETH"]
    manager = client.ws_stream.subscribe(
        ticker=codes,
        trade=codes,
        orderbook=["KRW-BTC.5"],
        candle={"1s": ["KRW-BTC"], "240m": ["KRW-BTC"]},
        format=form,
        retry_delay=0.1,
        on_disconnect=lambda: say("disconnected"),
        on_reconnect=lambda: say("reconnected"),
    )
    async with manager as connection:
        answer = await connection.list_subscriptions()
        say("subscriptions", model=type(answer).__name__, answer=answer.model_dump())
        async for event in connection:
            for one in event if isinstance(event, list) else [event]:
                say("event", model=type(one).__name__, listed=isinstance(event, list), fields=one.model_dump())


asyncio.run(main(*sys.argv[1:]))
