"""What each timed fault does to an exchange and its connections (pure)."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Protocol

from tapewire.sim.faults import GARBAGE, UNKNOWN, Fault, away
from tapewire.sim.link import Unreachable
from tapewire.venues.exchange import Conversation, Due, HttpAnswer

_INF = float("inf")


class Connection(Protocol):
    """One connection as a fault sees it."""

    @property
    def talk(self) -> Conversation: ...
    def send(self, now: float, payload: bytes) -> None: ...
    def ping(self, now: float, within: float) -> None: ...
    def silence(self, until: float) -> None: ...
    def close(self, code: int) -> None: ...
    def close_later(self, at: float, code: int) -> None: ...
    def abort(self) -> None: ...
    def cut(self, payload: bytes) -> None: ...
    def freeze(self) -> None: ...


class Whole(Protocol):
    """The exchange as a fault sees it."""

    def everyone(self, side: str | None = None) -> Sequence[Connection]: ...
    def maintain(self, now: float, seconds: float, answer: HttpAnswer | Unreachable) -> None: ...
    def slow(self, seconds: float, until: float) -> None: ...
    def tell(self, due: Due) -> None: ...


Deed = Callable[[Whole, float, Fault], None]


def _each(deed: Callable[[Connection, float, Fault], None]) -> Deed:
    def all_of_them(exchange: Whole, now: float, fault: Fault) -> None:
        for peer in exchange.everyone(fault.side):
            deed(peer, now, fault)

    return all_of_them


def _slow(exchange: Whole, now: float, fault: Fault) -> None:
    seconds = fault.option("for")
    exchange.slow(fault.number, _INF if seconds is None else now + seconds)


def _error(peer: Connection, now: float, fault: Fault) -> None:
    for payload in peer.talk.error(fault.value, "a fault of the simulator").payloads:
        peer.send(now, payload)


def _upgrade(peer: Connection, now: float, fault: Fault) -> None:
    notice, code = peer.talk.farewell(), fault.option("code")
    if notice is not None:
        peer.send(now, notice)
    peer.close_later(now + fault.number, 1001 if code is None else int(code))


DEEDS: Mapping[str, Deed] = {
    "drop": _each(lambda peer, _, fault: peer.close(int(fault.number))),
    "abort": _each(lambda peer, *_: peer.abort()),
    "freeze": _each(lambda peer, *_: peer.freeze()),
    "silence": _each(lambda peer, now, fault: peer.silence(now + fault.number)),
    "cut": _each(lambda peer, *_: peer.cut(UNKNOWN)),
    "garbage": _each(lambda peer, now, _: peer.send(now, GARBAGE)),
    "unknown": _each(lambda peer, now, _: peer.send(now, UNKNOWN)),
    "status": _each(lambda peer, now, _: peer.send(now, peer.talk.status())),
    "error": _each(_error),
    "ping": _each(lambda peer, now, fault: peer.ping(now, fault.number)),
    "upgrade": _each(_upgrade),
    "maintenance": lambda exchange, now, fault: exchange.maintain(now, fault.number, away(fault)),
    "slow": _slow,
    "book-reset": lambda exchange, _, fault: exchange.tell(Due("restart", fault.value)),
}

BOOKS = ("orderbook", "orderbook-fast", "still")
#: What each fault of books does to the frames of one publication on one connection.
SPOILING: Mapping[str, Callable[[Conversation, Due, list[bytes]], list[bytes]]] = {
    "book-lost": lambda *_: [],
    "book-repeat": lambda _talk, _due, frames: frames * 2,
    "book-checksum": lambda talk, due, _: talk.realtime(due._replace(flaw="checksum"), {}),
}
