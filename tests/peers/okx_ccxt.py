"""ccxt.pro at OKX as its manual uses it, only the addresses and the key given.

okx_ccxt.py WS_BASE REST_URL ACCESS SECRET PASSPHRASE

Run by .peers/bin/python. Says what it watched, one JSON a line, then what it traded.
"""

from __future__ import annotations

import asyncio
import json
import sys

import ccxt.pro  # type: ignore[import-not-found]  # only in .peers

SPOT, SWAP = "BTC/USDT", "BTC/USDT:USDT"


def say(what: str, **facts: object) -> None:
    print(json.dumps({"what": what, **facts}), flush=True)  # noqa: T201 - how it answers


async def watch(exchange: ccxt.pro.okx) -> None:
    """Public channels of both paths."""
    say("markets", symbols=sorted(await exchange.load_markets()))
    say("ticker", ticker=(await exchange.watch_ticker(SPOT))["info"])
    trades: list[dict[str, object]] = []
    while len(trades) < 5:
        trades += await exchange.watch_trades(SWAP)
    say("trades", ids=[trade["id"] for trade in trades], symbols=sorted({str(trade["symbol"]) for trade in trades}))
    for depth in ("books", "books5", "books-rpi"):
        book = await exchange.watch_order_book(SPOT, params={"depth": depth})
        for _ in range(3):
            book = await exchange.watch_order_book(SPOT, params={"depth": depth})
        say("book", depth=depth, asks=book["asks"][:5], bids=book["bids"][:5], levels=len(book["bids"]))
        await exchange.un_watch_order_book(SPOT, params={"depth": depth})
    say("candle", row=(await exchange.watch_ohlcv(SPOT, "1m"))[-1])


async def trade(exchange: ccxt.pro.okx) -> None:
    """One order by REST, another by WebSocket; the private path tells of both."""
    orders = asyncio.ensure_future(exchange.watch_orders(SPOT))
    balance = asyncio.ensure_future(exchange.watch_balance())
    await balance
    placed = await exchange.create_order(SPOT, "limit", "buy", 0.01, 30_000)
    say("order", told=[(one["id"], one["status"]) for one in await orders], placed=placed["id"])
    orders = asyncio.ensure_future(exchange.watch_orders(SPOT))
    cancelled = await exchange.cancel_order(placed["id"], SPOT)
    say("cancelled", told=[(one["id"], one["status"]) for one in await orders], cancelled=cancelled["id"])
    orders = asyncio.ensure_future(exchange.watch_orders(SPOT))
    bought = await exchange.create_order_ws(SPOT, "limit", "buy", 0.01, 70_000, {"timeInForce": "IOC"})
    await orders
    fills = await exchange.fetch_my_trades(SPOT)
    say("bought", id=bought["id"], fills=[(one["order"], one["amount"]) for one in fills])
    say("balance", total=(await exchange.fetch_balance())["total"])


async def main(ws_base: str, rest: str, access: str, secret: str, phrase: str) -> None:
    exchange = ccxt.pro.okx({"apiKey": access, "secret": secret, "password": phrase, "newUpdates": True})
    exchange.urls["api"].update(ws=ws_base, rest=rest)
    try:
        await watch(exchange)
        await trade(exchange)
        say("done")
    finally:
        await exchange.close()


asyncio.run(main(*sys.argv[1:]))
