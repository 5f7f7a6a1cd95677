"""Clients for the load bench on its OKX corpus (trades and ``books5``): this library's short road, and plain loops.

    okx_client.py NAME PORT N WARM

as ``load_client.py``; NAME says which:

    tapewire-client    the public WebSocketClient, one plain callback
    tapewire-road      line, codec and router of this library, joined as a driver joins them
    tapewire-plain     picows, one msgspec struct of typed fields for both channels, every field optional
    tapewire-channels  picows, the argument first, then a typed struct of its channel

The plain loops read every number of every level as a ``float``, as the library does.
"""

from __future__ import annotations

import asyncio
import json
import sys
import time
from collections.abc import Callable
from typing import Any

import msgspec
from msgspec import Raw, Struct
from picows import WSFrame, WSListener, WSTransport, ws_connect

from benchmarks.load_client import Meter, markets
from tapewire import WebSocketClient
from tapewire.config import LineOptions
from tapewire.hub.listening import Listener
from tapewire.hub.router import Router
from tapewire.model.book import BookLevel, DepthOrderbookEvent
from tapewire.model.subscription import Subscription
from tapewire.transport.dispatch import HeadDispatch
from tapewire.transport.metered_picows_line import MeteredPicowsLine
from tapewire.venues.okx.channels import wire_name
from tapewire.venues.okx.codec import OkxCodec

_TIME_LIMIT = 90.0
_HELLO = b'{"op":"subscribe","args":[]}'


class Argument(Struct, gc=False):
    channel: str
    instId: str  # noqa: N815 - its name on the wire


class Trade(Struct, gc=False, rename="camel"):
    inst_id: str
    trade_id: int
    px: float
    sz: float
    side: str
    ts: int
    count: int
    source: str
    seq_id: int


class Book(Struct, gc=False, rename="camel"):
    asks: list[BookLevel]
    bids: list[BookLevel]
    inst_id: str
    ts: int
    seq_id: int


class Either(Struct, gc=False, rename="camel"):
    inst_id: str
    ts: int
    trade_id: int | None = None
    px: float | None = None
    sz: float | None = None
    side: str | None = None
    count: int | None = None
    source: str | None = None
    seq_id: int | None = None
    asks: list[BookLevel] | None = None
    bids: list[BookLevel] | None = None


class PlainPush(Struct, gc=False):
    arg: Argument
    data: list[Either]


class RawPush(Struct, gc=False):
    arg: Argument
    data: Raw


def plain(hear: Callable[[Any], None]) -> Callable[[bytes], None]:
    decode = msgspec.json.Decoder(PlainPush, strict=False).decode

    def take(payload: bytes) -> None:
        for item in decode(payload).data:
            hear(item)

    return take


def by_channel(hear: Callable[[Any], None]) -> Callable[[bytes], None]:
    decode = msgspec.json.Decoder(RawPush).decode
    items = {
        "trades": msgspec.json.Decoder(list[Trade], strict=False).decode,
        "books5": msgspec.json.Decoder(list[Book], strict=False).decode,
    }

    def take(payload: bytes) -> None:
        push = decode(payload)
        for item in items[push.arg.channel](push.data):
            hear(item)

    return take


class PlainListener(WSListener):
    def __init__(self, take: Callable[[bytes], None]) -> None:
        self._take = take

    def on_ws_connected(self, transport: WSTransport) -> None:
        transport.send(1, _HELLO)

    def on_ws_frame(self, transport: WSTransport, frame: WSFrame) -> None:  # noqa: ARG002 - picows' call
        self._take(frame.get_payload_as_bytes())


class RoadEar:
    """What a driver hands a line, with all streams of the corpus in the router."""

    def __init__(self, hear: Callable[[Any], None]) -> None:
        codec = OkxCodec("okx", "DEFAULT", "float", keep_raw=False)
        router = Router(codec.classes, _failed, drop_doubles=False, wire_name=wire_name)
        for market in markets(100):
            symbol = f"{market.removeprefix('KRW-')}-USDT"
            for subscription in (Subscription("trade", symbol), Subscription("orderbook", symbol, depth=5)):
                router.add(subscription, Listener("load", hear, "realtime_only"))

        def careful(payload: bytes, received_ns: int) -> None:
            reading = codec.read(payload, received_ns)
            for event in reading.events:
                router.deliver(event, _failed, reading.stream, reading.head)

        self.dispatch = HeadDispatch(router.heads.table, careful, _failed)
        self.on_message = self.dispatch.on_message()

    def on_pong(self, payload: bytes) -> None:
        """No ping is sent."""

    def on_lost(self, loss: Any) -> None:
        """The load is over."""


def _failed(who: object, error: BaseException) -> None:
    raise AssertionError(f"{who} failed") from error


def price_of(name: str) -> Callable[[Any], float]:
    if name in ("tapewire-road", "tapewire-client"):
        return lambda event: event.asks[0].price if type(event) is DepthOrderbookEvent else event.trade_price
    if name == "tapewire-channels":
        return lambda item: item.px if type(item) is Trade else item.asks[0].price
    return lambda item: item.asks[0].price if item.px is None else item.px


async def measure(name: str, port: int, last: int, warm: int) -> dict[str, Any]:
    meter, url = OkxMeter(last, warm, name), f"ws://127.0.0.1:{port}/"
    hear = meter.callback()
    if name == "tapewire-client":
        return await through_the_client(port, meter, hear)
    if name == "tapewire-road":
        line = MeteredPicowsLine(LineOptions(), time.time_ns)
        await line.open(url, {}, RoadEar(hear))
        line.send(_HELLO)
    else:
        take = {"tapewire-plain": plain, "tapewire-channels": by_channel}[name](hear)
        await ws_connect(lambda: PlainListener(take), url)
    await asyncio.wait_for(meter.done.wait(), _TIME_LIMIT)
    return meter.result


async def through_the_client(port: int, meter: Meter, hear: Callable[[Any], None]) -> dict[str, Any]:
    symbols = [f"{market.removeprefix('KRW-')}-USDT" for market in markets(100)]
    books = [Subscription("orderbook", symbol, depth=5) for symbol in symbols]
    wanted = [*(Subscription("trade", symbol) for symbol in symbols), *books]
    url = f"ws://127.0.0.1:{port}"
    async with WebSocketClient("load", venue="okx", url=url, validate=False, drop_doubles=False) as client:
        await client.subscribe(wanted, hear)
        await asyncio.wait_for(meter.done.wait(), _TIME_LIMIT)
    return meter.result


class OkxMeter(Meter):
    """The same callback for all: one price is added."""

    def __init__(self, last: int, warm: int, name: str) -> None:
        super().__init__(last, warm, None)
        self._name = name

    def callback(self) -> Callable[[Any], None]:
        count, total, landmark, last = 0, 0.0, self._warm, self._last
        price = price_of(self._name)

        def hear(event: Any) -> None:
            nonlocal count, total, landmark
            if count >= last:
                return
            total += price(event)
            count += 1
            if count >= landmark:
                landmark = last
                self._pass(count, total)

        return hear


def main() -> None:
    import uvloop  # noqa: PLC0415 - an optional part

    name, port, last, warm = sys.argv[1:5]
    print(json.dumps(uvloop.run(measure(name, int(port), int(last), int(warm)))), flush=True)


if __name__ == "__main__":
    main()
