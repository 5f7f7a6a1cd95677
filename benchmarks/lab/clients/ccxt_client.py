"""ccxt.pro: the caller's usual loop around ``watch_trades``, which goes on after an exception."""

import asyncio

import ccxt
import ccxt.pro
import telling


async def main():
    exchange = ccxt.pro.upbit({"newUpdates": True})
    base = f"127.0.0.1:{telling.port()}"
    exchange.urls["api"].update(ws=f"ws://{base}/websocket/v1", public=f"http://{base}", private=f"http://{base}")
    await exchange.load_markets()
    while True:
        try:
            for trade in await exchange.watch_trades("BTC/KRW"):
                telling.data(trade["id"])
        except Exception as error:  # the loop that everybody writes
            telling.told(f"raised {type(error).__name__}: {error}")
            await asyncio.sleep(0.05)


telling.hello(f"ccxt {ccxt.__version__}")
asyncio.run(main())
