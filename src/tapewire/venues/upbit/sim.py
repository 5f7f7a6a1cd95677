"""Upbit played by ourselves: the public WebSocket's talk and the REST calls beside it (spec/upbit.md 3 to 9).

Where Upbit's behaviour is unknown (spec section 11) there is a switch; a client must work with either side of it.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import msgspec
from msgspec import Struct

from tapewire.config import Format
from tapewire.model.events import Event
from tapewire.venues.exchange import Answer, Due, HttpAnswer, MarketView
from tapewire.venues.upbit.fields import LIST_FIELDS, RESULT_FIELDS
from tapewire.venues.upbit.profile import Region, facts
from tapewire.venues.upbit.sim_frames import cut, encode, join
from tapewire.venues.upbit.sim_requests import Refused, Request, TypeObject, parse
from tapewire.venues.upbit.sim_rest import answer as rest_answer
from tapewire.venues.upbit.sim_rest import group_of

_UP = b'{"status":"UP"}'
_UP_EVERY = 10.0  # spec section 6


class Switches(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Where the exchange's own behaviour is uncertain; each default is what spec/upbit.md takes as the rule.

    Attributes:
        closes_after_error: an error frame is followed by a close (11, 2); documented for the info types only.
        close_code: the code of that close (11, 2).
        replaces: a request replaces the earlier ones (11, 4); False adds to them.
        format_required: a request without a format object is refused (11, 5).
        sums_all: totals are over all thirty levels, however few are asked (11, 8).
        lists_depth: LIST_SUBSCRIPTIONS repeats the depth suffix (11, 9).
        list_size: objects in one JSON_LIST or SIMPLE_LIST frame of snapshots at the most (11, 10).
        list_controls: error, status and subscription frames are arrays too under list formats (11, 10).
        messages_per_address: the message limits hold for all connections of an address together (11, 13).
        ping_counts: the text ``PING`` counts against the message limits (section 6).
        short_time: trade_time without its seconds when they are 0, as in 2021 (11, 16).
        text_frames: frames with the text opcode; recordings show binary ones (4.0).
    """

    closes_after_error: bool = True
    close_code: int = 1000
    replaces: bool = True
    format_required: bool = False
    sums_all: bool = False
    lists_depth: bool = False
    list_size: int = 1
    list_controls: bool = False
    messages_per_address: bool = False
    ping_counts: bool = False
    short_time: bool = False
    text_frames: bool = False


class UpbitExchange:
    """One region's public side.

    Args:
        region: whose hosts, quotes and levels it has.
        switches: see ``Switches``.
    """

    ws_path = "/websocket/v1"
    too_many = "TOO_MANY_REQUEST"
    origin: tuple[int, float] | None = (1, 10.0)  # section 7.1
    rest: tuple[int, float] = (10, 1.0)  # section 7.2

    def __init__(self, region: Region, switches: Switches | None = None) -> None:
        known = facts(region)
        self.region, self.switches = region, switches or Switches()
        self.is_text = self.switches.text_frames
        self.idle_timeout = known.idle_timeout
        self.connects = tuple((window.count, window.seconds) for window in known.connects)
        self.messages = tuple((window.count, window.seconds) for window in known.messages)
        self.messages_per_address = self.switches.messages_per_address

    def handshake(self, path: str, headers: Mapping[str, str]) -> HttpAnswer | None:  # noqa: ARG002 - venues differ
        """None for the public address; 401 for the private ones (no key is known here), 404 for others."""
        if path == self.ws_path:
            return None
        if path in (f"{self.ws_path}/private", f"{self.ws_path}/info"):
            return _json(401, {"error": {"name": "no_authorization_token", "message": "JWT 토큰이 필요합니다."}})
        return _json(404, {"error": {"name": 404, "message": "Not Found"}})

    def counts(self, payload: bytes) -> bool:
        """Whether a message counts against the limits."""
        return self.switches.ping_counts or payload != b"PING"

    def conversation(self, market: MarketView) -> UpbitConversation:
        """The talk on a new connection."""
        return UpbitConversation(self.region, self.switches, market)

    def group(self, path: str) -> str:
        """Name of the limit a REST path counts against."""
        return group_of(path)

    def http(self, path: str, query: Mapping[str, str], market: MarketView) -> HttpAnswer:
        """Answer one GET (spec 9.1 to 9.5)."""
        status, body = rest_answer(path, query, market, self.region)
        return _json(status, body)

    def limited(self, status: int, seconds: float | None) -> HttpAnswer:
        """429 or 418; the wait is stated only when one is given (``Retry-After`` is not documented)."""
        headers = (("Content-Type", "text/plain"),)
        wait = () if seconds is None else (("Retry-After", f"{seconds:g}"),)
        text = "Too many API requests." if status == 429 else f"I'm a teapot. Blocked for {seconds or 0:g} seconds."
        return HttpAnswer(status, text.encode(), headers + wait)

    def http_headers(self, group: str, left: int) -> tuple[tuple[str, str], ...]:
        """Headers of section 7.2."""
        count, _ = self.rest
        return (("Remaining-Req", f"group={group}; min={count * 60}; sec={left}"), ("Limit-By-Ip", "Yes"))


class UpbitConversation:
    """The talk on one connection: what is subscribed, in which format."""

    def __init__(self, region: Region, switches: Switches, market: MarketView) -> None:
        self._region, self._switches, self._market = region, switches, market
        self.format: Format = "DEFAULT"
        self._types: list[TypeObject] = []
        #: (kind, symbol) → the (candle unit, depth, level) wanted, each told once
        self._streams: dict[tuple[str, str], dict[tuple[str | None, int, float], None]] = {}
        self.deadline: float | None = None

    def receive(self, now: float, payload: bytes, *, is_text: bool) -> Answer:  # noqa: ARG002 - both kinds are read
        """Answer one message."""
        if payload == b"PING":
            self.deadline = now + _UP_EVERY
            return Answer((self.status(),))
        try:
            request = parse(payload, format_required=self._switches.format_required)
        except Refused as refused:
            return self.error(refused.name, refused.message)
        self.format = request.format  # also of a method: it changes the running streams too (spec 3.9)
        if request.method:
            return Answer((self._control(self._list(request)),))
        return self._subscribe(request)

    def advance(self, now: float) -> list[bytes]:
        """``{"status":"UP"}`` every ten seconds after a ``PING``."""
        frames = []
        while self.deadline is not None and self.deadline <= now:
            self.deadline += _UP_EVERY
            frames.append(self.status())
        return frames

    def realtime(self, due: Due, cache: dict[object, bytes]) -> list[bytes]:
        """Frames for what the market publishes; equal ones are encoded once for all connections."""
        frames = []
        for stream in self._streams.get((due.kind, due.symbol), ()):
            key = (self.format, stream)
            frame = cache.get(key)
            if frame is None:
                event = due.trade or self._event(due.kind, due.symbol, *stream)
                frame = cache[key] = self._encoded(event, "REALTIME")
            frames.append(frame)
        return frames

    def error(self, name: str, message: str = "") -> Answer:
        """An error frame, and the close after it."""
        frame = self._control({"error": {"name": name, "message": message or name}})
        return Answer((frame,), (self._switches.close_code, "") if self._switches.closes_after_error else None)

    def status(self) -> bytes:
        """The sign of life."""
        return b"[%b]" % _UP if self._in_lists() else _UP

    def _subscribe(self, request: Request) -> Answer:
        if self._switches.replaces:
            self._streams, self._types = {}, []
        frames = []
        for wish in request.types:
            if wish.realtime:
                self._types.append(wish)
            for code in wish.codes:
                if not self._served(wish, code.symbol):
                    continue  # silence: no error for an unknown code or an unsupported level (3.5, 3.8)
                stream = (wish.unit, code.depth if wish.kind == "orderbook" else 0, wish.level)
                if wish.realtime:
                    self._streams.setdefault((wish.kind, code.symbol), {})[stream] = None
                if wish.snapshot:
                    event = self._event(wish.kind, code.symbol, *stream)
                    frames.append(self._encoded(event, "SNAPSHOT"))
        if self.format.endswith("_LIST"):
            frames = join(frames, self._switches.list_size)
        return Answer(tuple(frames), subscribed=True)

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

    def _list(self, request: Request) -> dict[str, Any]:
        short = request.format.startswith("SIMPLE")
        outer = {full: short_name if short else full for full, short_name in LIST_FIELDS.items()}
        inner = {full: short_name if short else full for full, short_name in RESULT_FIELDS.items()}
        result = []
        for wish in self._types:
            codes = [code.asked if self._switches.lists_depth else code.symbol for code in wish.codes]
            entry: dict[str, Any] = {inner["type"]: wish.type, inner["codes"]: codes}
            if wish.kind == "orderbook":
                entry[inner["level"]] = int(wish.level) if wish.level.is_integer() else wish.level
            result.append(entry)
        return {outer["method"]: request.method, outer["result"]: result, outer["ticket"]: request.ticket}

    def _control(self, message: dict[str, Any]) -> bytes:
        return msgspec.json.encode([message] if self._in_lists() else message)

    def _in_lists(self) -> bool:
        return self._switches.list_controls and self.format.endswith("_LIST")


def _without_seconds(frame: bytes) -> bytes:
    for key in (b'"ttm":"', b'"trade_time":"'):
        before, found, after = frame.partition(key)
        if found and after[2:3] == b":" and after[5:8] == b":00":
            return before + found + after[:5] + after[8:]
    return frame


def _json(status: int, body: object) -> HttpAnswer:
    return HttpAnswer(status, msgspec.json.encode(body), (("Content-Type", "application/json; charset=utf-8"),))


def exchange(region: Region, switches: Mapping[str, Any] | None = None) -> UpbitExchange:
    """``Venue.exchange`` of a region: a simulated exchange with these ``Switches`` by name.

    Raises:
        msgspec.ValidationError: a switch that does not exist or has a value of another type.
    """
    return UpbitExchange(region, msgspec.convert(dict(switches or {}), Switches))
