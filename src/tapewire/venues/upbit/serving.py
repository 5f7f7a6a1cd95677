"""Upbit's own protocol spoken by a gateway: who is let in, and its public talk over held streams (spec 2 to 6)."""

from __future__ import annotations

from collections.abc import Callable, Collection, Hashable, Mapping
from typing import TypeVar

import msgspec

from tapewire.config import Format
from tapewire.model.events import CandleEvent, Event, OrderbookEvent, OrderbookUnit, TickerEvent, TradeEvent
from tapewire.model.market import Market
from tapewire.model.subscription import Subscription, Wish
from tapewire.venues.exchange import HttpAnswer, HttpCall
from tapewire.venues.serving import BookCopy, HeldStreams, Keys
from tapewire.venues.upbit.fields import UNIT_FIELDS
from tapewire.venues.upbit.profile import DEPTHS, Region
from tapewire.venues.upbit.serving_signed import InfoVisitor, PrivateVisitor, SignedVisitor
from tapewire.venues.upbit.sim import UpbitExchange, unauthorized
from tapewire.venues.upbit.sim_auth import Doorman, Unauthorized, demand, hashed_text, shown_token
from tapewire.venues.upbit.sim_frames import cut
from tapewire.venues.upbit.sim_requests import Refused, TypeObject, parse, public_type
from tapewire.venues.upbit.sim_rest import is_public
from tapewire.venues.upbit.sim_switches import Switches
from tapewire.venues.upbit.sim_talk import PublicTalk

Kind = TypeVar("Kind", bound=Event)


class UpbitServing:
    """One region.

    Args:
        region: whose hosts, quotes and levels it has.
        raw_format: the format of ``Event.raw``: frames of it are handed on as they came.
    """

    is_text = False
    restores = True
    too_many = UpbitExchange.too_many
    key_refused = "invalid_access_key"
    private_reads = frozenset({
        "/v1/orders/open", "/v1/orders/closed", "/v1/order", "/v1/orders/uuids", "/v1/accounts",
    })  # fmt: skip # section 9.6

    def __init__(self, region: Region, raw_format: Format = "DEFAULT") -> None:
        self._exchange, self._raw_format = UpbitExchange(region), raw_format
        self.paths: Mapping[str, str] = self._exchange.paths
        self.keyed = frozenset(path for path, side in self.paths.items() if side != "public")
        self._doorman = Doorman(())

    def visitor(self, held: HeldStreams, side: str, keys: Keys) -> UpbitVisitor | SignedVisitor:  # noqa: ARG002 - known by now
        """The talk on a new connection."""
        switches = self._exchange.switches
        if side == "public":
            return UpbitVisitor(switches, held, self._raw_format)
        kind = PrivateVisitor if side == "private" else InfoVisitor
        return kind(switches, _Market(held), held, self._raw_format)

    def admit(self, path: str, headers: Mapping[str, str], keys: Keys) -> HttpAnswer | None:  # noqa: ARG002 - all alike
        """See ``Serving.admit`` (sections 2 and 5.2)."""
        return self._refused(headers, keys, lambda: None)

    def admit_call(self, call: HttpCall, keys: Keys) -> HttpAnswer | None:
        """See ``Serving.admit_call``: as a handshake, and ``query_hash`` is of the query (section 2)."""
        return self._refused(call.headers, keys, lambda: hashed_text(call))

    def _refused(self, headers: Mapping[str, str], keys: Keys, hashed: Callable[[], str | None]) -> HttpAnswer | None:
        try:
            shown_token(headers.get("authorization", ""))
            if not keys.is_open:
                key = self._doorman.admit(headers, keys.address, hashed(), keys.find)
                demand(key, "view_orders", "view_accounts")
        except Unauthorized as error:
            if error.name not in ("no_authorization_token", "out_of_scope"):
                keys.failed()
            return unauthorized(error, self._exchange.switches)
        return None

    def closed(self, headers: Mapping[str, str]) -> HttpAnswer:
        """See ``Serving.closed``."""
        try:
            shown_token(headers.get("authorization", ""))
        except Unauthorized as error:
            return unauthorized(error, self._exchange.switches)
        return unauthorized(Unauthorized("invalid_access_key"), self._exchange.switches)

    def forwards(self, path: str) -> bool:
        """See ``Serving.forwards`` (section 9)."""
        return is_public(path)

    def book_copy(self, stream: Subscription) -> BookCopy | None:  # noqa: ARG002 - none is needed
        """Upbit sends whole books."""
        return None


class UpbitVisitor(PublicTalk):
    """The talk with one local program."""

    def __init__(self, switches: Switches, held: HeldStreams, raw_format: Format) -> None:
        super().__init__(switches, _Market(held))
        self._held = held
        self._raw_format = raw_format

    def wishes(self, payload: bytes) -> list[Wish]:
        """See ``Visitor.wishes``."""
        if payload == b"PING":
            return []
        try:
            request = parse(payload, public_type)
        except Refused:
            return []
        return [
            Wish(_stream(one.kind, code.symbol, one.unit, one.level), snapshot=one.snapshot, realtime=one.realtime)
            for one in request.types
            for code in one.codes
            if code.symbol in self._market.symbols
        ]

    def holds(self) -> Collection[Subscription]:
        """See ``Visitor.holds``."""
        return {
            _stream(kind, symbol, unit, level): None
            for (kind, symbol), forms in self._streams.items()
            for unit, _, level in forms
        }

    def forget(self, stream: Subscription) -> None:
        """See ``Visitor.forget``."""
        self._streams.pop((stream.kind, stream.symbol), None)

    def shape(self, stream: Subscription) -> Hashable:
        """See ``Visitor.shape``."""
        return self.format, tuple(self._streams.get((stream.kind, stream.symbol), ()))

    def hands_on(self, stream: Subscription) -> bool:
        """See ``Visitor.hands_on``."""
        depths = self._depths(stream)
        whole = stream.kind != "orderbook" or depths[0:1] == [DEPTHS[-1]]
        return whole and len(depths) == 1 and self.format == self._raw_format

    def _depths(self, stream: Subscription) -> list[int]:
        forms = self._streams.get((stream.kind, stream.symbol), ())
        return [depth for unit, depth, level in forms if unit == stream.unit and level == stream.level]

    def tell(self, stream: Subscription, event: Event, cache: dict[object, bytes]) -> list[bytes]:
        """See ``Visitor.tell``."""
        frames = []
        for depth in self._depths(stream):
            key = (self.format, depth)
            frame = cache.get(key)
            if frame is None:
                frame = cache[key] = self._frame(event, depth)
            frames.append(frame)
        return frames

    def _frame(self, event: Event, depth: int) -> bytes:
        whole = not isinstance(event, OrderbookEvent) or depth >= len(event.orderbook_units)
        as_came = whole and event.stream_type == "REALTIME" and not (event.recovered or event.polled)
        if as_came and event.raw is not None and self.format == self._raw_format:
            return event.raw
        if isinstance(event, OrderbookEvent):
            return self._encoded(cut(as_written(event), depth, sum_all=self._switches.sums_all), "REALTIME")
        return self._encoded(event, "REALTIME")

    def _served(self, wish: TypeObject, symbol: str) -> bool:
        """Of a level only what the exchange sends is served; it says nothing of what it does not know (3.5)."""
        if symbol not in self._market.symbols:
            return False
        return wish.level == 0 or self._held.latest(_stream(wish.kind, symbol, None, wish.level)) is not None

    def _snapshot(self, kind: str, symbol: str, stream: tuple[str | None, int, float]) -> list[bytes]:
        try:
            return super()._snapshot(kind, symbol, stream)
        except LookupError:  # nothing is known of it: what comes says it
            return []


class _Market:
    """Held streams as the talk looks at a market; LookupError for what is not held."""

    def __init__(self, held: HeldStreams) -> None:
        self._held = held

    @property
    def symbols(self) -> Collection[str]:
        return self._held.markets.keys()

    def listing(self, symbol: str) -> Market:
        return self._held.markets[symbol]

    def ticker(self, symbol: str) -> TickerEvent:
        return self._latest(TickerEvent, _stream("ticker", symbol))

    def last_trade(self, symbol: str) -> TradeEvent:
        return self._latest(TradeEvent, _stream("trade", symbol))

    def orderbook(self, symbol: str, level: float = 0) -> OrderbookEvent:
        return as_written(self._latest(OrderbookEvent, _stream("orderbook", symbol, None, level)))

    def candle(self, symbol: str, unit: str) -> CandleEvent:
        return self._latest(CandleEvent, _stream("candle", symbol, unit))

    def _latest(self, kind: type[Kind], stream: Subscription) -> Kind:
        found = self._held.latest(stream)
        if isinstance(found, kind):
            return found
        raise LookupError(stream)


def as_written(event: OrderbookEvent) -> OrderbookEvent:
    """The same book with the numbers as the exchange wrote them: ``91370000`` is not ``91370000.0`` on the wire."""
    if event.raw is None or event.recovered or event.polled:
        return event
    said = msgspec.json.decode(event.raw)
    book = said[0] if isinstance(said, list) else said
    rows = book.get("orderbook_units", book.get("obu"))
    if not isinstance(rows, list) or len(rows) != len(event.orderbook_units):
        return event
    units = [OrderbookUnit(*(row.get(full, row.get(short)) for full, short in UNIT_FIELDS.items())) for row in rows]
    return msgspec.structs.replace(event, orderbook_units=units)


def _stream(kind: str, symbol: str, unit: str | None = None, level: float = 0) -> Subscription:
    return Subscription(kind, symbol, unit=unit, level=level)
