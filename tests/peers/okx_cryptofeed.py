"""cryptofeed at OKX as its examples use it: trades, the book and the ticker of two markets, and the account's orders.

okx_cryptofeed.py WS_BASE REST_URL ACCESS SECRET PASSPHRASE

Run by .peers/bin/python. Says what it got, one JSON a line. It asks for wss:// and trusts SSL_CERT_FILE.
"""

from __future__ import annotations

import asyncio
import json
import sys
from typing import Any

from cryptofeed import FeedHandler  # type: ignore[import-not-found]  # only in .peers
from cryptofeed.connection import RestEndpoint, WebsocketEndpoint  # type: ignore[import-not-found]
from cryptofeed.defines import L2_BOOK, ORDER_INFO, TICKER, TRADES  # type: ignore[import-not-found]
from cryptofeed.exchanges import OKX  # type: ignore[import-not-found]

SYMBOLS = ["BTC-USDT", "BTC-USDT-PERP"]


def say(what: str, **facts: object) -> None:
    print(json.dumps({"what": what, **facts}), flush=True)  # noqa: T201 - how it answers


async def on_trade(trade: Any, _received: float) -> None:
    say("trade", symbol=trade.symbol, id=trade.id, price=str(trade.price), side=trade.side)


async def on_book(book: Any, _received: float) -> None:
    asks, bids = (
        [[str(price), str(side[price])] for price in side.keys()[:5]] for side in (book.book.asks, book.book.bids)
    )
    say("book", symbol=book.symbol, asks=asks, bids=bids, levels=len(book.book.asks))


async def on_ticker(ticker: Any, _received: float) -> None:
    say("ticker", symbol=ticker.symbol, bid=str(ticker.bid), ask=str(ticker.ask))


async def on_order(order: Any, _received: float) -> None:
    say("order", symbol=order.symbol, id=order.id, status=order.status, price=str(order.price))


def main(ws_base: str, rest: str, access: str, secret: str, phrase: str) -> None:
    OKX.websocket_endpoints = [
        WebsocketEndpoint(
            one.address.replace("wss://ws.okx.com:8443/ws/v5", ws_base),
            channel_filter=one.channel_filter,
            options=one.options,
        )
        for one in OKX.websocket_endpoints
    ]
    OKX.rest_endpoints = [RestEndpoint(rest, routes=OKX.rest_endpoints[0].routes)]
    OKX.api = f"{rest}/api/v5/"
    key = {"key_id": access, "key_secret": secret, "key_passphrase": phrase}
    asyncio.set_event_loop(asyncio.new_event_loop())
    settings = {"log": {"filename": "/dev/stderr", "level": "ERROR", "disabled": False}, "okx": key}
    handler = FeedHandler(config=settings)
    heard = {TRADES: on_trade, L2_BOOK: on_book, TICKER: on_ticker, ORDER_INFO: on_order}
    handler.add_feed(OKX(config=settings, symbols=SYMBOLS, channels=list(heard), callbacks=heard))
    say("ready")
    handler.run()


main(*sys.argv[1:])
