"""Questions of ``check_venue`` to the simulated exchange: does it send what the real one sent, and say what is true?"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from math import fsum, isclose
from random import Random
from typing import Any, Protocol

import msgspec

from tapewire.config import Format
from tapewire.model.events import Event, TradeEvent
from tapewire.model.subscription import Subscription, Wish
from tapewire.sim.announcements import Crier
from tapewire.sim.desk import Desk
from tapewire.sim.faults import FaultPlan
from tapewire.sim.market import SeededMarket
from tapewire.sim.peer import Exchange
from tapewire.sim.pit import Listing
from tapewire.sim.scenario import Scenario, listings
from tapewire.testing.venue_frames import must
from tapewire.venues.contract import Venue
from tapewire.venues.exchange import Caller, VenueExchange

_START_MS = 1_700_000_000_000
#: Seconds of the exchange that are listened to.
_WHILE = 20.0


class Plays(Protocol):
    """The part of a ``VenueCase`` that is needed here."""

    @property
    def venue(self) -> Venue: ...
    @property
    def captures(self) -> Sequence[bytes]: ...
    @property
    def streams(self) -> Sequence[Subscription]: ...
    @property
    def markets(self) -> tuple[str, ...] | None: ...
    @property
    def listings(self) -> Sequence[Listing]: ...
    @property
    def format(self) -> Format: ...
    @property
    def switches(self) -> Mapping[str, Any]: ...
    @property
    def other_times(self) -> frozenset[str]: ...


def the_peers_frames_have_the_shape_of_the_captures(case: Plays) -> None:
    """The same fields with the same types, of every kind that both have."""
    frames, _ = _play(case)
    real, ours = _shapes(case, case.captures), _shapes(case, frames)
    both = real.keys() & ours.keys()
    must(bool(both), f"nothing to compare: captures of {sorted(real)}, the peer's of {sorted(ours)}")
    for kind in sorted(both):
        told = {path for path in real[kind].keys() ^ ours[kind].keys() if f"{kind}.{path}" not in case.other_times}
        must(not told, f"only one side has {sorted(f'{kind}.{path}' for path in told)}")
        for path in real[kind].keys() & ours[kind].keys():
            extra = ours[kind][path] - real[kind][path] - {"null"}
            must(not extra, f"{kind}.{path} is {sorted(extra)}, captured as {sorted(real[kind][path])}")


def what_the_market_makes_comes_back_equal(case: Plays) -> None:
    """Event → peer → frame → event: every trade of the market, whole, and once."""
    symbols = {one.symbol for one in case.streams if one.kind == "trade"}
    must(bool(symbols), "no stream is of trades")
    frames, exchange = _play(case)
    codec = case.venue.codec(case.format, "float", False)
    heard: dict[str, list[TradeEvent]] = {symbol: [] for symbol in symbols}
    for frame in frames:
        reading = codec.read(frame)
        must(not reading.quarantined, f"the peer's frame is not read: {reading.quarantined}")
        for event in reading.events:
            if isinstance(event, TradeEvent) and event.symbol in heard:
                heard[event.symbol].append(event)
    made = [trade for trade in exchange.market.trades_made if trade.symbol in heard]
    must(len(made) > 10, f"only {len(made)} trades were made in {_WHILE:g} s")
    counted = exchange.venue.rhythm.counted
    for symbol, trades in heard.items():
        _are_equal([trade for trade in made if trade.symbol == symbol], trades, counted=counted)


def _are_equal(made: Sequence[TradeEvent], heard: Sequence[TradeEvent], *, counted: bool) -> None:
    """Where trades are counted one by one, one that took several may be told in parts, the last has its number."""
    told = {trade.sequential_id or 0: trade for trade in heard}
    for trade in made:
        number = trade.sequential_id or 0
        must(number in told, f"trade {number} was made and is not told")
        last = told[number]
        must(last.trade_price == trade.trade_price and last.ask_bid == trade.ask_bid, f"{trade} came back as {last}")
        parts = [last]
        while counted and not isclose(_volume(parts), trade.trade_volume or 0.0, rel_tol=1e-9):
            number -= 1
            must(number in told, f"{trade} came back as {parts}")
            parts.append(told[number])
        must(isclose(_volume(parts), trade.trade_volume or 0.0, rel_tol=1e-9), f"{trade} came back as {parts}")


def _volume(trades: Iterable[TradeEvent]) -> float:
    return fsum(trade.trade_volume or 0.0 for trade in trades)


class _Wire:
    """The client's end of a connection: it keeps what comes."""

    def __init__(self) -> None:
        self.frames: list[bytes] = []

    def send(self, payload: bytes, *, is_text: bool) -> None:  # noqa: ARG002 - both are kept
        self.frames.append(payload)

    def ping(self, payload: bytes) -> None:
        """Not answered: it is asked for by a fault only."""

    def close(self, code: int, reason: str) -> None:
        raise AssertionError(f"the peer closes the connection: {code} {reason}")

    def abort(self, *, reset: bool) -> None:  # noqa: ARG002 - either way
        raise AssertionError("the peer breaks the connection")

    def freeze(self) -> None:
        """A fault's."""

    def cut(self, payload: bytes) -> None:
        """A fault's."""


def _play(case: Plays) -> tuple[list[bytes], Exchange]:
    """What a client hears that asks for the streams, and the exchange afterwards."""
    exchange = _exchange(case)
    side = case.venue.side(case.streams[0])
    path = next((path for path, leads_to in exchange.venue.paths.items() if leads_to == side), "")
    caller, wire = exchange.dial(0.0, path, {}, "here"), _Wire()
    if not isinstance(caller, Caller):
        raise AssertionError(f"nobody is let in at {path!r}: {caller}")  # noqa: TRY004 - an answer, not a mistake
    peer = exchange.accept(0.0, wire, caller)
    for payload in case.venue.encode([Wish(stream) for stream in case.streams], "ticket", case.format):
        peer.receive(0.0, payload, is_text=True)
    for ping in range(1, int(_WHILE // 10)):
        _advance(exchange, 10.0 * ping)
        peer.receive(10.0 * ping, case.venue.facts.text_ping, is_text=True)
    _advance(exchange, _WHILE)
    return wire.frames, exchange


def _advance(exchange: Exchange, until: float) -> None:
    while (due := exchange.deadline) <= until:
        exchange.advance(due)
    exchange.advance(until)


def _exchange(case: Plays) -> Exchange:
    name, make = case.venue.name, case.venue.exchange
    if make is None:
        raise AssertionError("nothing plays the exchange: Venue.exchange")
    side: VenueExchange = make(switches=case.switches, keys=())
    rows = list(case.listings) or listings(Scenario(venue=name, markets=case.markets), (), side)
    market = SeededMarket(name, rows, _START_MS, Random(1), rhythm=side.rhythm)  # noqa: S311 - repeatable
    plan = FaultPlan((), Random(1).random)  # noqa: S311 - repeatable
    return Exchange(side, market, Desk(name, market, 1, {}), Crier(name, market), plan, limits=False)


def _shapes(case: Plays, frames: Iterable[bytes]) -> dict[str, dict[str, set[str]]]:
    """Kind of message → path of each field → the types that it had."""
    codec = case.venue.codec(case.format, "float", True)
    found: dict[str, dict[str, set[str]]] = {}
    for frame in frames:
        for event in codec.read(frame).events:
            shape = found.setdefault(_kind(event), {})
            for path, kind in _fields(msgspec.json.decode(event.raw or b"null")):
                shape.setdefault(path, set()).add(kind)
    return found


def _kind(event: Event) -> str:
    """Messages of one kind have one form: of one channel and type of market, and a book whole or its changes."""
    parts = [event.kind, *(getattr(event, name, None) for name in ("channel", "action", "market_type"))]
    return " ".join(str(part) for part in parts if part)


def _fields(value: Any, path: str = "") -> Iterator[tuple[str, str]]:
    if isinstance(value, dict):
        for name, one in value.items():
            yield from _fields(one, f"{path}.{name}" if path else name)
    elif isinstance(value, list):
        for one in value:
            yield from _fields(one, f"{path}[]")
    else:
        yield path, _TYPES.get(type(value), "text")


_TYPES = {int: "number", float: "number", bool: "yes or no", type(None): "null"}
