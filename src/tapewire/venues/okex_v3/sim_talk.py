"""OKEX v3's side of the talk on one connection: requests, acknowledgements, what is sent (spec/okx.md B1, B2)."""

from __future__ import annotations

from functools import partial
from typing import Annotated, Any, Literal

import msgspec
from msgspec import Struct

from tapewire.venues.exchange import Answer, Due
from tapewire.venues.okex_v3 import sim_frames as frames
from tapewire.venues.okex_v3.channels import TABLES, Table
from tapewire.venues.okex_v3.inflate import deflate
from tapewire.venues.okex_v3.sim_auth import Keys, LoginRefused
from tapewire.venues.okex_v3.sim_streams import BOOKS, TIMED, Streams, Timed
from tapewire.venues.okex_v3.sim_switches import Switches

#: What wants a login; nothing is ever sent on them here.
_PRIVATE = ("account", "margin_account", "order", "order_algo", "position")


class _Request(Struct):
    op: Literal["subscribe", "unsubscribe", "login"]
    args: Annotated[list[Any], msgspec.Meta(min_length=1)]


class Talk:
    """One connection."""

    def __init__(self, switches: Switches, streams: Streams, keys: Keys) -> None:
        self._switches, self._all, self._keys = switches, streams, keys
        self._streams: dict[str, tuple[Table, str]] = {}
        self._timed: dict[str, Timed] = {}
        self._logged_in = False

    @property
    def deadline(self) -> float | None:
        """When something is due by time alone."""
        return min((timed.at for timed in self._timed.values()), default=None)

    def receive(self, now: float, payload: bytes, *, is_text: bool) -> Answer:  # noqa: ARG002 - both kinds are read
        """Answer one message."""
        if payload == b"ping":
            return Answer((self.status(),))
        if len(payload) > self._switches.request_max:
            return Answer(close=(1009, f"Max frame length of {self._switches.request_max} has been exceeded."))
        try:
            request = msgspec.json.decode(payload, type=_Request)
        except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
            return self.error("30039", "unrecognized request")
        if request.op == "login":
            return self._login(request.args)
        return self._subscribe(now, request.args) if request.op == "subscribe" else self._unsubscribe(request.args)

    def advance(self, now: float) -> list[bytes]:
        """What time alone brings."""
        return [self._frame(said) for timed in self._timed.values() for said in timed.due(now)]

    def realtime(self, due: Due, cache: dict[object, bytes]) -> list[bytes]:
        """Frames for what the market publishes; equal ones are made once for all connections."""
        told = []
        for name, (table, symbol) in self._streams.items():
            for number, make in enumerate(self._all.news(table, symbol, due)):
                key = (name, number, due.flaw)
                frame = cache.get(key)
                if frame is None:
                    frame = cache[key] = self._frame(make())
                told.append(frame)
        return told

    def error(self, name: str, message: str = "") -> Answer:
        """An error; the connection stays open."""
        code: int | str = int(name) if name.isdecimal() else name
        return Answer((self._frame({"event": "error", "message": message or name, "errorCode": code}),))

    def status(self) -> bytes:
        """The answer to ``ping``."""
        return deflate(b"pong") if self._switches.deflates else b"pong"

    def farewell(self) -> bytes | None:
        """It has no word for it."""
        return None

    def lost(self) -> None:
        """Nothing is kept of a connection."""

    def _subscribe(self, now: float, arguments: list[Any]) -> Answer:
        acks: list[bytes] = []
        first: list[bytes] = []
        books: list[bytes] = []
        for argument in arguments:
            refusal = self._refusal(argument)
            if refusal is not None:
                acks += self.error(*refusal).payloads
                continue
            acks.append(self._frame({"event": "subscribe", "channel": argument}))
            name, _, symbol = argument.partition(":")
            table = TABLES.get(name)
            if table is None:  # private: acknowledged and silent
                continue
            self._streams[argument] = table, symbol
            (books if table.channel in BOOKS else first).append(self._frame(self._all.first(table, symbol)))
            if table.channel in TIMED:
                self._timed[argument] = Timed(now, *TIMED[table.channel], partial(self._all.first, table, symbol))
        return Answer((*acks, *first), books=tuple(books), subscribed=len(acks) > 0)

    def _unsubscribe(self, arguments: list[Any]) -> Answer:
        acks: list[bytes] = []
        for argument in arguments:
            refusal = self._refusal(argument)
            if refusal is not None:
                acks += self.error(*refusal).payloads
                continue
            self._streams.pop(argument, None)
            self._timed.pop(argument, None)
            acks.append(self._frame({"event": "unsubscribe", "channel": argument}))
        return Answer(tuple(acks))

    def _login(self, arguments: list[Any]) -> Answer:
        if self._logged_in:
            return self.error("30042", "already logged in")
        try:
            self._keys.admit(arguments, self._all.now_ms)
        except LoginRefused as refused:
            return self.error(str(refused.code), refused.message)
        self._logged_in = True
        return Answer((self._frame({"event": "login", "success": "true" if self._switches.text_success else True}),))

    def _refusal(self, argument: object) -> tuple[str, str] | None:
        """Code and words, if there is no such channel."""
        if not isinstance(argument, str):
            return "30039", "unrecognized request"
        name, _, symbol = argument.partition(":")
        table = TABLES.get(name)
        if table is not None and self._all.listed(table, symbol):
            return None
        if table is None and name.partition("/")[2] in _PRIVATE:
            return None if self._logged_in else ("30041", f"User not logged in / User must be logged in: {argument}")
        return "30040", f"Channel {argument} doesn't exist"

    def _frame(self, said: object) -> bytes:
        return frames.frame(said, deflates=self._switches.deflates)
