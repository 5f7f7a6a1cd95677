"""Upbit's side of the talk on one connection: signs of life, formats, errors; and the public streams (spec 3 to 6)."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable
from typing import Any, Generic

import msgspec

from tapewire.config import Format
from tapewire.model.events import Event
from tapewire.venues.exchange import Answer, Due, NothingThere, Quotes
from tapewire.venues.upbit.fields import LIST_FIELDS, RESULT_FIELDS
from tapewire.venues.upbit.sim_frames import cut, encode, join
from tapewire.venues.upbit.sim_requests import Asked, Refused, Request, TypeObject, parse, public_type
from tapewire.venues.upbit.sim_switches import Switches

_UP = b'{"status":"UP"}'
_UP_EVERY = 10.0  # spec section 6


class Talk(ABC, Generic[Asked]):
    """What is alike on every side: what is subscribed, in which format, and how errors are told."""

    def __init__(self, switches: Switches, market: Quotes) -> None:
        self._switches, self._market = switches, market
        self.format: Format = "DEFAULT"
        self._types: list[Asked] = []
        self._closes_after_error = switches.closes_after_error
        self.deadline: float | None = None

    @abstractmethod
    def _read(self, part: dict[str, Any]) -> Asked:
        """A type object of this side; raises ``Refused``."""

    @abstractmethod
    def _subscribe(self, now: float, wanted: tuple[Asked, ...]) -> list[bytes]:
        """Take over a request; the frames that answer it. Raises ``Refused``: then nothing is changed."""

    @abstractmethod
    def _entry(self, asked: Asked) -> dict[str, Any]:
        """A type object as LIST_SUBSCRIPTIONS tells it, under full names."""

    @abstractmethod
    def realtime(self, due: Due, cache: dict[object, bytes]) -> list[bytes]:
        """See ``Conversation.realtime``."""

    def receive(self, now: float, payload: bytes, *, is_text: bool) -> Answer:  # noqa: ARG002 - both kinds are read
        """Answer one message."""
        if payload == b"PING":
            self.deadline = now + _UP_EVERY
            return Answer((self.status(),))
        try:
            request = parse(payload, self._read, format_required=self._switches.format_required)
            before, self.format = self.format, request.format  # a method changes the running streams too (spec 3.9)
            if request.method:
                return Answer((self._control(self._list(request)),))
            try:
                frames = self._subscribe(now, request.types)
            except Refused:
                self.format = before
                raise
        except Refused as refused:
            return self.error(refused.name, refused.message)
        if self.format.endswith("_LIST"):
            frames = join(frames, self._switches.list_size)
        return Answer(tuple(frames), subscribed=True)

    def advance(self, now: float) -> list[bytes]:
        """``{"status":"UP"}`` every ten seconds after a ``PING``."""
        frames = []
        while self.deadline is not None and self.deadline <= now:
            self.deadline += _UP_EVERY
            frames.append(self.status())
        return frames

    def error(self, name: str, message: str = "") -> Answer:
        """An error frame, and the close after it."""
        frame = self._control({"error": {"name": name, "message": message or name}})
        return Answer((frame,), (self._switches.close_code, "") if self._closes_after_error else None)

    def status(self) -> bytes:
        """The sign of life."""
        return b"[%b]" % _UP if self._in_lists() else _UP

    def farewell(self) -> bytes | None:
        """Upbit closes without a word."""
        return None

    def lost(self) -> None:
        """Nothing is kept of a connection."""

    def _list(self, request: Request[Asked]) -> dict[str, Any]:
        short = request.format.startswith("SIMPLE")
        outer = {full: short_name if short else full for full, short_name in LIST_FIELDS.items()}
        result = [
            {RESULT_FIELDS[full] if short else full: value for full, value in self._entry(asked).items()}
            for asked in self._types
        ]
        return {outer["method"]: request.method, outer["result"]: result, outer["ticket"]: request.ticket}

    def _control(self, message: dict[str, Any]) -> bytes:
        return msgspec.json.encode([message] if self._in_lists() else message)

    def _in_lists(self) -> bool:
        return self._switches.list_controls and self.format.endswith("_LIST")


def has_all(_kind: str, _symbol: str, _detail: str) -> str:
    """As ``MarketView.lacks`` of a market that lacks nothing."""
    return ""


class PublicTalk(Talk[TypeObject]):
    """Tickers, trades, order books, candles."""

    def __init__(self, switches: Switches, market: Quotes, lacks: Callable[[str, str, str], str] = has_all) -> None:
        super().__init__(switches, market)
        self._lacks = lacks
        #: (kind, symbol) → the (candle unit, depth, level) wanted, each told once
        self._streams: dict[tuple[str, str], dict[tuple[str | None, int, float], None]] = {}

    def realtime(self, due: Due, cache: dict[object, bytes]) -> list[bytes]:
        """Frames for what the market publishes; equal ones are encoded once for all connections."""
        frames = []
        for stream in self._streams.get((due.kind, due.symbol), ()):
            if due.unit not in ("", _detail(stream) or "0"):
                continue
            key = (self.format, stream)
            frame = cache.get(key)
            if frame is None:
                event = due.trade or self._event(due.kind, due.symbol, *stream)
                frame = cache[key] = self._encoded(event, "REALTIME")
            frames.append(frame)
        return frames

    def _read(self, part: dict[str, Any]) -> TypeObject:
        return public_type(part)

    def _subscribe(self, now: float, wanted: tuple[TypeObject, ...]) -> list[bytes]:  # noqa: ARG002 - sides differ
        self._check(wanted)
        if self._switches.replaces:
            self._streams, self._types = {}, []
        frames = []
        for wish in wanted:
            if wish.realtime:
                self._types.append(wish)
            for code in wish.codes:
                if not self._served(wish, code.symbol):
                    continue  # silence: no error for an unknown code or an unsupported level (3.5, 3.8)
                stream = (wish.unit, code.depth if wish.kind == "orderbook" else 0, wish.level)
                if wish.realtime:
                    self._streams.setdefault((wish.kind, code.symbol), {})[stream] = None
                if wish.snapshot:
                    frames += self._snapshot(wish.kind, code.symbol, stream)
        return frames

    def _snapshot(self, kind: str, symbol: str, stream: tuple[str | None, int, float]) -> list[bytes]:
        try:
            return [self._encoded(self._event(kind, symbol, *stream), "SNAPSHOT")]
        except NothingThere:  # a tape has not come to it yet
            return []

    def _check(self, wanted: tuple[TypeObject, ...]) -> None:
        """A tape has not every stream, and its client is to know. Raises ``Refused``."""
        for wish in wanted:
            for code in wish.codes:
                if why := self._lacks(wish.kind, code.symbol, _detail((wish.unit, 0, wish.level))):
                    raise Refused("NO_CODES", why)

    def _served(self, wish: TypeObject, symbol: str) -> bool:
        if symbol not in self._market.symbols:
            return False
        return wish.level == 0 or wish.level in (self._market.listing(symbol).levels or ())

    def _event(self, kind: str, symbol: str, unit: str | None, depth: int, level: float) -> Event:
        if kind == "ticker":
            return self._market.ticker(symbol)
        if kind == "trade":
            return self._market.last_trade(symbol)
        if kind == "candle":
            return self._market.candle(symbol, unit or "")
        return cut(self._market.orderbook(symbol, level), depth, sum_all=self._switches.sums_all)

    def _encoded(self, event: Event, stream_type: str) -> bytes:
        frame = encode(event, self.format, stream_type)
        return _without_seconds(frame) if self._switches.short_time else frame

    def _entry(self, asked: TypeObject) -> dict[str, Any]:
        codes = [code.asked if self._switches.lists_depth else code.symbol for code in asked.codes]
        entry: dict[str, Any] = {"type": asked.type, "codes": codes}
        if asked.kind == "orderbook":
            entry["level"] = int(asked.level) if asked.level.is_integer() else asked.level
        return entry


def _detail(stream: tuple[str | None, int, float]) -> str:
    """As ``MarketView.lacks`` has it."""
    unit, _, level = stream
    return unit or (f"{level:g}" if level else "")


def _without_seconds(frame: bytes) -> bytes:
    for key in (b'"ttm":"', b'"trade_time":"'):
        before, found, after = frame.partition(key)
        if found and after[2:3] == b":" and after[5:8] == b":00":
            return before + found + after[:5] + after[8:]
    return frame
