"""cryptofeed: a FeedHandler with one trade callback; the refusal of other addresses than wss:// is wrapped away."""

import asyncio
from importlib.metadata import version

import cryptofeed.connection
import telling
from cryptofeed import FeedHandler
from cryptofeed.connection import RestEndpoint, Routes
from cryptofeed.defines import TRADES
from cryptofeed.exchanges import Upbit

LAB = f"127.0.0.1:{telling.port()}"
_connect = cryptofeed.connection.connect


def connect(_address, **options):
    return _connect(f"ws://{LAB}/websocket/v1", **options)


cryptofeed.connection.connect = connect
Upbit.rest_endpoints = [RestEndpoint(f"http://{LAB}", routes=Routes("/v1/market/all"))]


async def on_trade(trade, _received):
    telling.data(trade.id)


telling.hello(f"cryptofeed {version('cryptofeed')}")
asyncio.set_event_loop(asyncio.new_event_loop())
handler = FeedHandler(config={"log": {"filename": "/dev/stderr", "level": "ERROR"}})
handler.add_feed(Upbit(symbols=["BTC-KRW"], channels=[TRADES], callbacks={TRADES: on_trade}))
handler.run()
