"""The load of ``tapewire bench``: made-up Upbit messages, framed once, written in large pieces.

Runs as a process of its own (``python -m tapewire.apps.cli.bench_load MARKETS MESSAGES SEED [RATE]``): prints its port
and the mean size of a message, and ends when its standard input does. RATE: messages a second; without it, as fast as
they are read.
"""

from __future__ import annotations

import asyncio
import itertools
import json
import random
import struct
import sys
from collections.abc import Iterable, Sequence
from typing import Any

import picows

_PIECE = 256 * 1024
_START_MS = 1_785_395_043_831
_FIRST_ID = 17_853_950_437_790_001
#: Share of each kind, about that of a day of Upbit Korea's traffic.
_MIX = ("ticker",) * 25 + ("trade",) * 25 + ("orderbook",) * 45 + ("candle.1s",) * 5


def market_codes(count: int) -> list[str]:
    """``KRW-AAA``, ``KRW-AAB`` …: as many well-formed codes as asked, KRW-BTC the first."""
    letters = "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
    made = ("".join(code) for code in itertools.product(letters, repeat=3))
    return ["KRW-BTC", *(f"KRW-{code}" for code in itertools.islice(made, count - 1))][:count]


def snapshots(codes: Sequence[str], seed: int) -> list[bytes]:
    """The first message of each stream, as the exchange sends it after a request."""
    draw = _draw(seed)
    rows = [(kind, code) for code in codes for kind in _BODIES]
    return [_message(draw, kind, code, 1e6, number, stream="SNAPSHOT") for number, (kind, code) in enumerate(rows)]


def messages(codes: Sequence[str], count: int, seed: int) -> list[bytes]:
    """``count`` messages in Upbit's DEFAULT format; the same arguments give the same bytes."""
    draw = _draw(seed)
    prices = {code: round(10 ** draw.uniform(1, 8)) for code in codes}
    made = []
    for number in range(count):
        code = draw.choice(codes)
        prices[code] = price = max(100, round(prices[code] * draw.uniform(0.999, 1.001)))
        made.append(_message(draw, draw.choice(_MIX), code, float(price), number, stream="REALTIME"))
    return made


def _draw(seed: int) -> random.Random:
    return random.Random(seed)  # noqa: S311 - made-up prices, no secret


def _message(draw: random.Random, kind: str, code: str, price: float, number: int, *, stream: str) -> bytes:
    head = {"type": kind, "code": code, "timestamp": _START_MS + number}
    fields = {**head, **_BODIES[kind](draw, price, number), "stream_type": stream}
    return json.dumps(fields, separators=(",", ":")).encode()


def _trade(draw: random.Random, price: float, number: int) -> dict[str, Any]:
    return {
        "trade_date": "2026-07-30",
        "trade_time": "07:04:03",
        "trade_timestamp": _START_MS + number - 35,
        "trade_price": price,
        "trade_volume": round(draw.expovariate(10), 8),
        "ask_bid": draw.choice(("ASK", "BID")),
        "prev_closing_price": price - 63.0,
        "change": "RISE",
        "change_price": 63.0,
        "sequential_id": _FIRST_ID + number,
        "best_ask_price": price + 1,
        "best_ask_size": round(draw.random(), 8),
        "best_bid_price": price - 1,
        "best_bid_size": round(draw.random(), 8),
    }


def _ticker(draw: random.Random, price: float, number: int) -> dict[str, Any]:
    volume = round(draw.uniform(1e3, 1e5), 8)
    return {
        "opening_price": price - 20,
        "high_price": price + 90,
        "low_price": price - 90,
        "trade_price": price,
        "prev_closing_price": price - 63.0,
        "acc_trade_price": round(price * volume, 4),
        "change": "RISE",
        "change_price": 63.0,
        "signed_change_price": 63.0,
        "change_rate": 0.0006890867,
        "signed_change_rate": 0.0006890867,
        "ask_bid": draw.choice(("ASK", "BID")),
        "trade_volume": round(draw.expovariate(10), 8),
        "acc_trade_volume": volume,
        "trade_date": "20260730",
        "trade_time": "070403",
        "trade_timestamp": _START_MS + number - 35,
        "acc_ask_volume": round(volume * 0.48, 8),
        "acc_bid_volume": round(volume * 0.52, 8),
        "highest_52_week_price": price * 2,
        "highest_52_week_date": "2026-03-14",
        "lowest_52_week_price": price / 2,
        "lowest_52_week_date": "2025-10-31",
        "market_state": "ACTIVE",
        "is_trading_suspended": False,
        "delisting_date": None,
        "market_warning": "NONE",
        "acc_trade_price_24h": round(price * volume * 1.4, 4),
        "acc_trade_volume_24h": round(volume * 1.4, 8),
    }


def _orderbook(draw: random.Random, price: float, _: int) -> dict[str, Any]:
    units = [
        {
            "ask_price": price + step + 1,
            "bid_price": price - step - 1,
            "ask_size": round(draw.expovariate(1), 8),
            "bid_size": round(draw.expovariate(1), 8),
        }
        for step in range(draw.choice((15, 30)))
    ]
    return {
        "total_ask_size": round(sum(unit["ask_size"] for unit in units), 8),
        "total_bid_size": round(sum(unit["bid_size"] for unit in units), 8),
        "orderbook_units": units,
        "level": 0,
    }


def _candle(draw: random.Random, price: float, number: int) -> dict[str, Any]:
    volume = round(draw.expovariate(10), 8)
    second = number % 60
    return {
        "candle_date_time_utc": f"2026-07-30T07:04:{second:02d}",
        "candle_date_time_kst": f"2026-07-30T16:04:{second:02d}",
        "opening_price": price - 2,
        "high_price": price + 3,
        "low_price": price - 3,
        "trade_price": price,
        "candle_acc_trade_volume": volume,
        "candle_acc_trade_price": round(price * volume, 8),
    }


_BODIES = {"trade": _trade, "ticker": _ticker, "orderbook": _orderbook, "candle.1s": _candle}


def pieces(payloads: Sequence[bytes]) -> list[bytes]:
    """The payloads as unmasked binary frames (RFC 6455 section 5.2), joined into pieces of about 256 KiB."""
    made, piece = [], bytearray()
    for payload in payloads:
        size = len(payload)
        piece += bytes((0x82, size)) if size < 126 else struct.pack("!BBH", 0x82, 126, size)
        piece += payload
        if len(piece) >= _PIECE:
            made.append(bytes(piece))
            piece.clear()
    return [*made, bytes(piece)] if piece else made


class LoadSource(picows.WSListener):
    """Answers the first message of a client with the first pieces once, then with the load without end.

    Args:
        first: pieces of the snapshots.
        load: pieces of the load, without end.
        pause: seconds from the begin of a piece to that of the next, 0: as fast as they are read.
    """

    def __init__(self, first: Iterable[bytes], load: Iterable[bytes], pause: float = 0.0) -> None:
        self._first, self._load, self._pause = first, load, pause
        self._writable = asyncio.Event()
        self._pump: asyncio.Task[None] | None = None

    def on_ws_frame(self, transport: picows.WSTransport, frame: picows.WSFrame) -> None:
        if frame.msg_type == picows.WSMsgType.CLOSE:
            transport.disconnect()
        elif self._pump is None:
            self._writable.set()
            self._pump = asyncio.get_running_loop().create_task(self._write(transport))

    def pause_writing(self) -> None:
        self._writable.clear()

    def resume_writing(self) -> None:
        self._writable.set()

    def on_ws_disconnected(self, transport: picows.WSTransport) -> None:  # noqa: ARG002
        if self._pump is not None:
            self._pump.cancel()

    async def _write(self, transport: picows.WSTransport) -> None:
        # The pieces are whole frames already: they go past picows, straight to the socket.
        socket = transport.underlying_transport
        now = asyncio.get_running_loop().time
        due = now()
        for piece in itertools.chain(self._first, self._load):
            socket.write(piece)
            await self._writable.wait()
            due += self._pause
            await asyncio.sleep(max(due - now(), 0) if self._pause else 0)


async def serve(first: Sequence[bytes], load: Sequence[bytes], pause: float = 0.0) -> asyncio.Server:
    """A listening load source on a free loopback port."""
    return await picows.ws_create_server(lambda _: LoadSource(first, itertools.cycle(load), pause), "127.0.0.1", 0)


def main() -> None:
    """The process: port and mean size on the first line of standard output, end with standard input."""
    markets, count, seed, *more = (int(argument) for argument in sys.argv[1:5])
    codes = market_codes(markets)
    made = messages(codes, count, seed)
    first, load, mean = pieces(snapshots(codes, seed)), pieces(made), sum(map(len, made)) // len(made)

    async def program() -> None:
        pause = len(made) / len(load) / more[0] if more else 0.0
        server = await serve(first, load, pause)
        print(server.sockets[0].getsockname()[1], mean, flush=True)  # noqa: T201 - what the parent waits for
        await asyncio.to_thread(sys.stdin.read)
        server.close()

    asyncio.run(program())


if __name__ == "__main__":
    main()
