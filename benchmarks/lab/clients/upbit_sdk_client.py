"""The official upbit-sdk: ``async for event in stream`` as its documentation shows it."""

import asyncio
from importlib.metadata import version

import telling
from upbit import AsyncUpbit


def hear(event):
    if getattr(event, "type", None) == "trade" and getattr(event, "sequential_id", None):
        telling.data(event.sequential_id)
    else:
        words = event.to_dict() if hasattr(event, "to_dict") else event
        telling.foreign(words)


async def main():
    client = AsyncUpbit(
        base_url=f"http://127.0.0.1:{telling.port()}", websocket_base_url=f"ws://127.0.0.1:{telling.port()}"
    )
    async with client.ws_stream.trade(["KRW-BTC"]) as stream:
        async for event in stream:
            hear(event)
    telling.ended("iterator ends, no error")


telling.hello(f"upbit-sdk {version('upbit-sdk')}")
asyncio.run(main())
