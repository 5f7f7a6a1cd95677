"""What a bot should do when the feed is not whole: stop acting, and act again when it is.

Try it against `tapewire simulate upbit --fault drop@3/6 --fault silence:5@10`.

python feed_events.py [--url ws://127.0.0.1:9001/websocket/v1] [--seconds 20]
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib

from tapewire import Event, FeedEvent, Subscription, WebSocketClient
from tapewire.model.status import Disconnected, Gap, Recovered, Rejected, Stale, Stopped, Subscribed


class Bot:
    """Acts on trades, but only while the feed is whole."""

    def __init__(self) -> None:
        self.may_act = False

    def on_data(self, event: Event) -> None:
        print("act on" if self.may_act else "only look at", event.symbol, event.timestamp)

    def on_feed(self, event: FeedEvent) -> None:
        match event:
            case Subscribed() | Recovered():
                self.may_act = True
                print("-- whole")
            case Disconnected():
                self.may_act = False
                print(f"-- lost: {event.loss}; next attempt in {event.retry_in} s")
            case Stale():
                self.may_act = event.over
                print(f"-- {event.subscription} {'speaks again' if event.over else 'is silent'}")
            case Gap(state="unfilled"):
                print(f"-- trades of {event.subscription.symbol} may lack: {event.last_id} … {event.first_id}")
            case Rejected():
                print(f"-- refused: {event.name} {event.message}")
            case Stopped(error=True):
                print(f"-- ended for good: {event.reason}")


async def main(url: str | None) -> None:
    bot = Bot()
    async with WebSocketClient("bot", url=url) as client:
        async for item in client.stream([Subscription("trade", "KRW-BTC")]):
            if isinstance(item, FeedEvent):
                bot.on_feed(item)
            else:
                bot.on_data(item)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--url", help="another server, such as that of `tapewire simulate upbit`")
    parser.add_argument("--seconds", type=float, help="end after so many seconds")
    options = parser.parse_args()
    with contextlib.suppress(KeyboardInterrupt, TimeoutError):
        asyncio.run(asyncio.wait_for(main(options.url), options.seconds))
