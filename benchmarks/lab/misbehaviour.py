"""What the lab's exchange does, whatever carries its lines: trades at a steady rate, and one fault."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import Callable
from typing import Any, Protocol

from benchmarks.lab.rows import Row

_AFTER_SUBSCRIBE = 0.05

MARKET = "KRW-BTC"
MARKETS = [{"market": MARKET, "korean_name": "비트코인", "english_name": "Bitcoin"}]
_LEVELS = {"market": MARKET, "quote_currency": "KRW", "tick_size": "1000", "supported_levels": ["0", "10000", "100000"]}
#: The REST calls that clients make before they subscribe.
REST: dict[str, Any] = {"/v1/market/all": MARKETS, "/v1/orderbook/instruments": [_LEVELS]}

#: DEFAULT key → SIMPLE key of a trade (spec/upbit.md 4.2).
_SHORT = {
    "type": "ty", "code": "cd", "timestamp": "tms", "trade_date": "td", "trade_time": "ttm", "trade_timestamp": "ttms",
    "trade_price": "tp", "trade_volume": "tv", "ask_bid": "ab", "prev_closing_price": "pcp", "change": "c",
    "change_price": "cp", "sequential_id": "sid", "best_ask_price": "bap", "best_ask_size": "bas",
    "best_bid_price": "bbp", "best_bid_size": "bbs", "stream_type": "st",
}  # fmt: skip


class LabLine(Protocol):
    """The exchange's end of one connection."""

    silent: bool
    simple: bool

    def send(self, payload: bytes) -> None: ...
    def close(self, code: int) -> None: ...
    def abort(self) -> None: ...


class Misbehaviour:
    """Trades of KRW-BTC at ``rate`` a second and one fault, ``fault_after`` seconds after the first request.

    What it saw, in seconds of the running loop: ``connects`` (handshakes), ``fault_at``, and ``last_id``, the id of the
    last trade before the fault. ``down`` says that nobody may connect now.

    Args:
        row: the fault.
        rate: trades a second on each line.
        fault_after: seconds.
    """

    def __init__(self, row: Row, *, rate: float = 10.0, fault_after: float = 5.0) -> None:
        self.row = row
        self.connects: list[float] = []
        self.requests: list[tuple[float, bytes]] = []
        self.fault_at: float | None = None
        self.last_id = 0
        self.down = False
        self._interval, self._fault_after = 1 / rate, fault_after
        self._lines: dict[LabLine, asyncio.Task[None] | None] = {}
        self._next_id = 17_853_950_437_790_001
        self._script: asyncio.Task[None] | None = None

    def connected(self, line: LabLine) -> None:
        self.connects.append(_now())
        self._lines[line] = None

    def gone(self, line: LabLine) -> None:
        pump = self._lines.pop(line, None)
        if pump is not None:
            pump.cancel()

    def hear(self, line: LabLine, message: bytes) -> None:
        """One message of a client."""
        self.requests.append((_now(), message))
        if message == b"PING":
            line.send(b'{"status":"UP"}')
        elif self._accept(line, message) and line in self._lines and self._lines[line] is None:
            self._lines[line] = asyncio.create_task(self._trade(line))

    async def deafen(self) -> None:
        """Let nobody connect from now on."""

    async def listen(self) -> None:
        """Let everybody connect again."""

    async def stop(self) -> None:
        """End everything."""
        tasks = [task for task in (self._script, *self._lines.values()) if task is not None]
        for task in tasks:
            task.cancel()
        for line in list(self._lines):
            line.abort()
        await asyncio.gather(*tasks, return_exceptions=True)

    def _accept(self, line: LabLine, message: bytes) -> bool:
        """Whether this request starts the trades; the row may have another answer."""
        line.simple = b'"SIMPLE' in message
        if self._script is None:
            self._script = asyncio.create_task(self._misbehave())
        if self.row.kind == "refuse":
            line.send(self.row.frames[0])
            return False
        if self.row.kind == "close_each" and self._faulty():
            asyncio.get_running_loop().call_later(_AFTER_SUBSCRIBE, line.close, self.row.code or 1000)
            return False
        return True

    def _faulty(self) -> bool:
        return self.fault_at is not None and _now() < self.fault_at + self.row.lasts

    async def _trade(self, line: LabLine) -> None:
        while True:
            if not line.silent:
                self._next_id += 1
                line.send(trade(self._next_id, simple=line.simple))
            await asyncio.sleep(self._interval)

    async def _misbehave(self) -> None:
        if self.row.kind != "refuse":
            await asyncio.sleep(self._fault_after)
        self.fault_at, self.last_id = _now(), self._next_id
        if self.row.down:
            self.down = True
            await self.deafen()
        strike = self._strikes()
        for line in list(self._lines):
            strike(line)
        if self.row.down:
            await asyncio.sleep(self.row.lasts)
            self.down = False
            await self.listen()

    def _strikes(self) -> Callable[[LabLine], None]:
        row = self.row
        if row.kind == "abort":
            return lambda line: line.abort()
        if row.kind in ("close", "close_each"):
            return lambda line: line.close(row.code or 1000)
        if row.kind == "frames":
            return self._send_frames
        if row.kind == "silence":
            return lambda line: setattr(line, "silent", True)
        return lambda _: None

    def _send_frames(self, line: LabLine) -> None:
        for frame in self.row.frames:
            line.send(frame)


def trade(number: int, *, simple: bool = False) -> bytes:
    """One trade as Upbit writes it, its id ``number``."""
    now = time.time()
    stamp = time.gmtime(now)
    fields: dict[str, Any] = {
        "type": "trade", "code": MARKET, "timestamp": int(now * 1000), "trade_date": time.strftime("%Y-%m-%d", stamp),
        "trade_time": time.strftime("%H:%M:%S", stamp), "trade_timestamp": int(now * 1000),
        "trade_price": 91361000.0 + number % 7 * 1000, "trade_volume": 0.01275549,
        "ask_bid": "ASK" if number % 2 else "BID", "prev_closing_price": 91424000.0, "change": "FALL",
        "change_price": 63000.0, "sequential_id": number, "best_ask_price": 91370000, "best_ask_size": 0.0070459,
        "best_bid_price": 91361000, "best_bid_size": 0.00196362, "stream_type": "REALTIME",
    }  # fmt: skip
    if simple:
        fields = {_SHORT[key]: value for key, value in fields.items()}
    return json.dumps(fields, separators=(",", ":")).encode()


def _now() -> float:
    return asyncio.get_running_loop().time()
