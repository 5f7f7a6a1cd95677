"""OKX's side of the talk on one connection: login, requests, acknowledgements, pushes (spec/okx.md A3 to A6)."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import msgspec

from tapewire.venues.exchange import Answer, Caller, Due, MarketView, NothingThere, SimKey
from tapewire.venues.okx.sim_auth import Doorman
from tapewire.venues.okx.sim_books import BOOK_CHANNELS, Books, Tape
from tapewire.venues.okx.sim_instruments import instrument
from tapewire.venues.okx.sim_requests import CHANNELS, LARGEST, LIMITED, MESSAGES, Refused, Request, Wish, parse, read
from tapewire.venues.okx.sim_rows import UNITS, Rows
from tapewire.venues.okx.sim_switches import Switches

_SIM_UNITS = {unit: name for name, unit in UNITS.items()}
#: Channels that are told by time, and how often (seconds).
_TIMED: Mapping[str, float] = {
    "mark-price": 0.2, "index-tickers": 0.1, "price-limit": 0.2, "open-interest": 3.0, "funding-rate": 60.0,
}  # fmt: skip
_RIVALS: Mapping[str, tuple[str, ...]] = {
    "books-l2-tbt": ("books50-l2-tbt", "books"), "books50-l2-tbt": ("books-l2-tbt",), "books": ("books-l2-tbt",),
}  # fmt: skip
_LIQUIDATED = 97  # every so manieth trade of a contract closes a position by force
_SOON = "The connection will soon be closed for a service upgrade. Please reconnect."


class Census:
    """Which connections of an account have which limited channel (A2)."""

    def __init__(self, most: int) -> None:
        self.most = most
        self._held: dict[tuple[str, str], dict[str, None]] = {}
        self._count = 0

    def name(self) -> str:
        """A ``connId`` that none had before."""
        self._count += 1
        return f"{(self._count * 0x9E3779B1) & 0xFFFFFFFF:08x}"

    def add(self, account: str, channel: str, connection: str) -> int:
        """How many have it now, this one too."""
        held = self._held.setdefault((account, channel), {})
        held[connection] = None
        return len(held)

    def remove(self, account: str, channel: str, connection: str) -> None:
        """It has it no longer."""
        self._held.get((account, channel), {}).pop(connection, None)


class Talk:
    """One connection; ``PrivateTalk`` adds what only its owner may hear.

    Args:
        switches: see ``Switches``.
        market: what is traded.
        books: of the whole exchange.
        rows: says what the market is.
        doorman: knows the keys.
        census: counts connections.
        caller: which path, from where.
    """

    def __init__(
        self,
        *,
        switches: Switches,
        market: MarketView,
        books: Books,
        rows: Rows,
        doorman: Doorman,
        census: Census,
        caller: Caller,
    ) -> None:
        self._switches, self._market, self._books, self._rows = switches, market, books, rows
        self._doorman, self._census, self._caller = doorman, census, caller
        self.side = caller.side
        self.key: SimKey | None = None
        self.name = census.name()
        self._held: dict[str, Wish] = {}
        self._streams: dict[tuple[str, str], Wish] = {}
        self._tapes: dict[str, Tape] = {}
        self._timed: dict[str, float] = {}
        self._last: dict[str, bytes] = {}
        self._now = 0.0

    # -- what a client says -------------------------------------------------------------------------------------

    @property
    def deadline(self) -> float | None:
        """When something is due by time alone."""
        return min(self._timed.values(), default=None)

    def receive(self, now: float, payload: bytes, *, is_text: bool) -> Answer:  # noqa: ARG002 - both kinds are read
        """Answer one message."""
        self._now = now
        if payload == b"ping":
            return Answer((b"pong",))
        if len(payload) > LARGEST:
            return Answer(close=(1009, f"Max frame length of {LARGEST} has been exceeded."))
        request: Request | None = None
        try:
            request = parse(payload)
            acts = {"login": self._login, "subscribe": self._subscribe, "unsubscribe": self._unsubscribe}
            return acts.get(request.op, self._operate)(request)
        except Refused as refused:
            return Answer((self._error(refused, request),))

    def _operate(self, request: Request) -> Answer:
        raise Refused("60028" if "order" in request.op else "60019", request.op)

    def _login(self, request: Request) -> Answer:
        if self.key is not None:
            raise Refused("60031")
        try:
            self.key = self._doorman.login(request.args, self._market.now_ms, self._caller.address)
        except Refused as refused:
            close = (4001, "Login failed") if self._switches.login_closes else None
            return Answer((self._error(refused, request),), close)
        return Answer((self._control(request, event="login", code="0", msg=""),))

    def _subscribe(self, request: Request) -> Answer:
        read_args = [self._read(arg) for arg in request.args]
        refusals = [found for found in read_args if isinstance(found, Refused)]
        if refusals and self._switches.all_or_nothing:
            return Answer(tuple(self._error(refused, request) for refused in refusals))
        frames: list[bytes] = []
        books: list[bytes] = []
        for found in read_args:
            if isinstance(found, Refused):
                frames.append(self._error(found, request))
            else:
                frames += self._grant(found, request)
                if (snapshot := self._snapshot(found)) is not None:
                    books.append(snapshot)
        full = sum(map(len, self._held)) > LARGEST
        close = (self._switches.arguments_close, "too many arguments") if full else None
        return Answer(tuple(frames), close, subscribed=len(refusals) < len(read_args), books=tuple(books))

    def _unsubscribe(self, request: Request) -> Answer:
        frames = []
        for arg in request.args:
            found = self._read(arg, leaving=True)
            if isinstance(found, Refused):
                frames.append(self._error(found, request))
            else:
                self._drop(found)
                frames.append(self._control(request, event="unsubscribe", arg=found.sent))
        return Answer(tuple(frames))

    def _read(self, arg: object, *, leaving: bool = False) -> Wish | Refused:
        try:
            wish = read(arg, self.side, self._market, self._switches)
            if not leaving:
                self._permit(wish)
        except Refused as refused:
            return refused
        return wish

    def _permit(self, wish: Wish) -> None:
        """Login, tier, and books that do not go together (A6.4)."""
        channel = CHANNELS.get(wish.channel)
        if channel is None:
            return
        if channel.login and self.key is None:
            raise Refused("60011")
        if channel.tier and not self._switches.vip:
            raise Refused("64003")
        for rival in _RIVALS.get(wish.channel, ()):
            if (rival, wish.symbol) in self._streams:
                raise Refused("64004", wish.channel if rival == "books-l2-tbt" else rival, wish.symbol)

    def _grant(self, wish: Wish, request: Request) -> list[bytes]:
        """The acknowledgement, and what follows it at once."""
        frames = [self._control(request, event="subscribe", arg=wish.sent)]
        if wish.channel in LIMITED and self.key is not None:
            count = self._census.add(self.key.account, wish.channel, self.name)
            over = count > self._census.most
            event = "channel-conn-count-error" if over else "channel-conn-count"
            frames.append(self._control(None, event=event, channel=wish.channel, connCount=str(count)))
            if over:
                self._census.remove(self.key.account, wish.channel, self.name)
                return frames
        self._hold(wish)
        return frames + self._first(wish)

    def _hold(self, wish: Wish) -> None:
        if wish.key not in self._held and wish.channel in BOOK_CHANNELS:
            self._tapes[wish.key] = self._books.join(wish.channel, wish.symbol, self._market)
        self._held[wish.key] = wish
        self._streams[wish.channel, wish.symbol] = wish
        if wish.channel in _TIMED:
            self._timed[wish.key] = next_moment(self._now, _TIMED[wish.channel])

    def _drop(self, wish: Wish) -> None:
        held = self._held.pop(wish.key, None)
        if held is None:
            return
        self._streams.pop((held.channel, held.symbol), None)
        self._timed.pop(wish.key, None)
        self._last.pop(wish.key, None)
        if self._tapes.pop(wish.key, None) is not None:
            self._books.leave(held.channel, held.symbol)
        if held.channel in LIMITED and self.key and all(one.channel != held.channel for one in self._held.values()):
            self._census.remove(self.key.account, held.channel, self.name)

    # -- what it hears ------------------------------------------------------------------------------------------

    def _first(self, wish: Wish) -> list[bytes]:
        """The latest known value, even if it is old (A5)."""
        make = _FIRST.get(wish.channel.removesuffix(wish.unit) if wish.unit else wish.channel)
        try:
            rows = [] if make is None else make(self._rows, wish, self._market)
        except NothingThere:  # a tape has not come to it yet
            return []
        if wish.channel == "instruments" and not self._switches.lists_instruments:
            rows = []
        return [self._push(wish, rows)] if rows else []

    def _snapshot(self, wish: Wish) -> bytes | None:
        tape = self._tapes.get(wish.key)
        if tape is None or not (tape.channel.is_whole or self._switches.snapshots):
            return None
        row = self._book_row(wish, tape, tape.snapshot(self._market.now_ms))
        return self._push(wish, [row]) if tape.channel.is_whole else self._push(wish, [row], action="snapshot")

    def realtime(self, due: Due, cache: dict[object, bytes]) -> list[bytes]:
        """Frames of what the market publishes, for what is held; equal ones are encoded once."""
        if due.kind in ("orderbook", "orderbook-fast", "still"):
            return self._changes(due, cache)
        if due.kind == "trade" and due.trade is not None:
            return self._trades(due, cache)
        if due.kind == "ticker":
            return self._shared(("tickers", due.symbol), cache, lambda _: [self._rows.ticker(due.symbol)])
        if due.kind == "candle":
            told = (name for name, unit in UNITS.items() if due.unit in ("", unit))
            return [frame for name in told for frame in self._candle(name, due, cache)] + self._twins(due)
        if due.kind == "close" and due.unit in _SIM_UNITS:
            return self._candle(_SIM_UNITS[due.unit], due, cache) + self._twins(due)
        return []

    def _changes(self, due: Due, cache: dict[object, bytes]) -> list[bytes]:
        frames = []
        for name in BOOK_CHANNELS:
            wish = self._streams.get((name, due.symbol))
            tape = self._tapes.get(wish.key) if wish else None
            if wish is None or tape is None or tape.latest is None:
                continue
            if due.kind not in ("still", tape.channel.pace):
                continue
            frame = cache.get(wish.key)
            if frame is None:
                row = self._book_row(wish, tape, tape.latest, due.flaw)
                frame = self._push(wish, [row]) if tape.channel.is_whole else self._push(wish, [row], action="update")
                cache[wish.key] = frame
            frames.append(frame)
        return frames

    def _book_row(self, wish: Wish, tape: Tape, change: Any, flaw: str = "") -> dict[str, Any]:
        return self._rows.book(change, symbol=wish.symbol, channel=tape.channel, flaw=flaw)

    def _trades(self, due: Due, cache: dict[object, bytes]) -> list[bytes]:
        trade = due.trade
        assert trade is not None  # noqa: S101 - who calls has looked
        parts = due.parts or (trade,)
        frames = self._shared(("trades", due.symbol), cache, lambda _: [self._rows.trade(trade, len(parts))])
        wish = self._streams.get(("trades-all", due.symbol))
        if wish is not None:
            frames += [self._push(wish, [self._rows.match(part)]) for part in parts]
        number = trade.sequential_id or 0
        if instrument(due.symbol).type != "SPOT" and number // _LIQUIDATED != (number - len(parts)) // _LIQUIDATED:
            frames += self._liquidations(due.symbol, [self._rows.liquidation(trade)])
        return frames

    def _liquidations(self, symbol: str, rows: list[dict[str, Any]]) -> list[bytes]:
        kind = instrument(symbol).type
        wishes = [one for one in self._held.values() if one.channel == "liquidation-orders" and one.type == kind]
        return [self._push(wish, rows) for wish in wishes if wish.symbol in ("", symbol)]

    def _candle(self, name: str, due: Due, cache: dict[object, bytes]) -> list[bytes]:
        before = due.ms if due.kind == "close" else None
        stream = (f"candle{name}", due.symbol)
        return self._shared(stream, cache, lambda _: [self._rows.candle(due.symbol, name, before)])

    def _twins(self, due: Due) -> list[bytes]:
        """Candles of marks and of indices, which are asked for by few."""
        before = due.ms if due.kind == "close" else None
        return [
            self._push(wish, [self._rows.prices(due.symbol, wish.unit, before)])
            for wish in self._held.values()
            if wish.unit and not wish.channel.startswith("candle") and due.symbol == source_of(self._rows, wish)
            if due.unit in ("", UNITS[wish.unit])
        ]

    def _shared(
        self, stream: tuple[str, str], cache: dict[object, bytes], make: Callable[[Wish], list[Any]]
    ) -> list[bytes]:
        """The frame of one stream if it is held, from the cache if another connection has it too."""
        wish = self._streams.get(stream)
        if wish is None:
            return []
        if wish.key not in cache:
            cache[wish.key] = self._push(wish, make(wish))
        return [cache[wish.key]]

    def advance(self, now: float) -> list[bytes]:
        """Channels that are told by time: when they changed."""
        self._now = now
        frames = []
        for key, at in list(self._timed.items()):
            if at <= now:
                wish = self._held[key]
                self._timed[key] = next_moment(now, self._period(wish))
                frames += self._told(wish)
        return frames

    def _period(self, wish: Wish) -> float:
        return _TIMED[wish.channel]

    def _told(self, wish: Wish) -> list[bytes]:
        rows = _FIRST[wish.channel](self._rows, wish, self._market)
        said = msgspec.json.encode([{name: value for name, value in row.items() if name != "ts"} for row in rows])
        if self._last.get(wish.key) == said:
            return []
        self._last[wish.key] = said
        return [self._push(wish, rows)]

    # -- frames -------------------------------------------------------------------------------------------------

    def error(self, name: str, message: str = "") -> Answer:
        """An error event; what is no code of OKX's is a malformed request."""
        code = name if name.isdigit() else "60012"
        text = message or MESSAGES.get(code, name)
        return Answer((self._control(None, event="error", msg=text, code=code),))

    def status(self) -> bytes:
        """The sign of life."""
        return b"pong"

    def farewell(self) -> bytes | None:
        """Sixty seconds before a service upgrade (A5)."""
        return self._control(None, event="notice", code="64008", msg=_SOON)

    def lost(self) -> None:
        """Nothing of it is counted any more."""
        for wish in list(self._held.values()):
            self._drop(wish)

    def _error(self, refused: Refused, request: Request | None) -> bytes:
        echo = request if self._switches.errors_echo_id else None
        return self._control(echo, event="error", msg=refused.message, code=refused.code)

    def _control(self, request: Request | None, **fields: Any) -> bytes:
        message: dict[str, Any] = {} if request is None or request.id is None else {"id": request.id}
        message |= fields
        if self._switches.fields != "2022":
            message["connId"] = self.name
        return msgspec.json.encode(message)

    def _push(self, wish: Wish, rows: list[Any], **more: Any) -> bytes:
        return msgspec.json.encode({"arg": self._arg(wish), **more, "data": rows})

    def _arg(self, wish: Wish) -> dict[str, Any]:
        return wish.sent


def next_moment(now: float, period: float) -> float:
    """The next moment of a grid that all connections share."""
    return (int(now / period + 1e-9) + 1) * period


def source_of(rows: Rows, wish: Wish) -> str:
    """The market whose prices a stream of marks or of an index follows."""
    return rows.source(wish.symbol) if wish.channel.startswith("index") else wish.symbol


_FIRST: Mapping[str, Callable[[Rows, Wish, MarketView], list[Any]]] = {
    "tickers": lambda rows, wish, _: [rows.ticker(wish.symbol)],
    "trades": lambda rows, wish, market: [rows.trade(market.last_trade(wish.symbol))],
    "trades-all": lambda rows, wish, market: [rows.match(market.trades(wish.symbol, market.now_ms + 1, None, 1)[0])],
    "candle": lambda rows, wish, _: [rows.candle(wish.symbol, wish.unit)],
    "mark-price-candle": lambda rows, wish, _: [rows.prices(wish.symbol, wish.unit)],
    "index-candle": lambda rows, wish, _: [rows.prices(rows.source(wish.symbol), wish.unit)],
    "instruments": lambda rows, wish, _: rows.instruments(wish.type, wish.family),
    "status": lambda rows, *_: [rows.status()],
    "funding-rate": lambda rows, wish, _: [rows.funding_rate(wish.symbol)],
    "mark-price": lambda rows, wish, _: [rows.mark_price(wish.symbol)],
    "index-tickers": lambda rows, wish, _: [rows.index_ticker(wish.symbol)],
    "open-interest": lambda rows, wish, _: [rows.open_interest(wish.symbol)],
    "price-limit": lambda rows, wish, _: [rows.price_limit(wish.symbol)],
}
