"""The official SDK's private and info streams, only address and key given.

upbit_sdk_private.py REST_URL FORMAT ACCESS SECRET

Run by .peers/bin/python. Says what it got, one JSON a line; places and reads an order by REST when it is told to.
"""

from __future__ import annotations

import asyncio
import json
import sys
from typing import Any

from upbit import AsyncUpbit  # type: ignore[import-not-found]  # only in .peers

RSI = {"type": "rsi", "params": {"period": 14}}
MACD = {"type": "macd", "params": {"fast": 12, "slow": 26, "signal_period": 9}}
CROSS = {"type": "moving_average", "params": {"type": "SMA", "period": 5}, "trigger": "price_cross_above"}


def say(what: str, **facts: object) -> None:
    print(json.dumps({"what": what, **facts}), flush=True)  # noqa: T201 - how it answers


async def listen(side: str, manager: Any) -> None:
    async with manager as connection:
        answer = await connection.list_subscriptions()
        say("subscriptions", side=side, answer=answer.model_dump())
        async for event in connection:
            for one in event if isinstance(event, list) else [event]:
                say("event", side=side, model=type(one).__name__, fields=one.model_dump())


async def trade(client: AsyncUpbit) -> None:
    """An order placed, read and cancelled; the account before and after; each line of input is a cue."""
    loop = asyncio.get_running_loop()
    while (await loop.run_in_executor(None, sys.stdin.readline)).strip() == "trade":
        accounts = await client.accounts.list()
        price = float((await client.tickers.list_by_trading_pairs(markets="KRW-BTC"))[0].trade_price)
        order = await client.orders.create(
            market="KRW-BTC", side="bid", ord_type="limit", price=str(int(price * 0.9) // 1000 * 1000), volume="0.001",
            identifier="from-the-sdk",
        )  # fmt: skip
        found = await client.orders.retrieve(uuid=order.uuid)
        waiting = [one async for one in client.orders.list_open(market="KRW-BTC", states=["wait", "watch"])]
        await client.orders.cancel(uuid=order.uuid)
        closed = await client.orders.list_closed(market="KRW-BTC")
        say(
            "traded", currencies=[account.currency for account in accounts], order=order.model_dump(),
            found=found.state, waiting=[one.uuid for one in waiting], closed=[one.state for one in closed],
        )  # fmt: skip


async def main(rest_url: str, form: str, access: str, secret: str) -> None:
    client = AsyncUpbit(base_url=rest_url, access_key=access, secret_key=secret)
    private = client.ws_stream.subscribe_private(
        my_order=["KRW-BTC"], my_asset=True, announcement={"include_body": True}, format=form
    )
    info = client.ws_stream.subscribe_info(
        indicator={"codes": ["KRW-BTC"], "timeframe": "5m", "indicators": [RSI, MACD]},
        indicator_signal={"codes": ["KRW-BTC"], "timeframe": "5m", "indicators": [CROSS]},
        format=form,
    )
    try:
        await asyncio.gather(listen("private", private), listen("info", info), trade(client))
    except Exception as error:
        say("failed", kind=type(error).__name__, text=str(error))
        raise


asyncio.run(main(*sys.argv[1:]))
