"""tapewire in its documented loop: one callback for the data, one for the feed's own news."""

import asyncio

import telling

import tapewire
from tapewire import TradeEvent, WebSocketClient


def on_trade(event):
    if isinstance(event, TradeEvent):
        telling.data(event.sequential_id)
    else:
        telling.foreign(event)


def on_news(event):
    telling.told(f"{type(event).__name__} {event}")


async def main():
    base = f"127.0.0.1:{telling.port()}"
    async with WebSocketClient("lab", url=f"ws://{base}/websocket/v1", rest_url=f"http://{base}") as client:
        client.subscribe_feed(on_news)
        await client.subscribe_trade(["KRW-BTC"], on_trade)
        await asyncio.Event().wait()


telling.hello(f"tapewire {tapewire.__version__}")
asyncio.run(main())
