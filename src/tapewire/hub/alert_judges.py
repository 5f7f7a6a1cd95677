"""Judges of alert rules that need a memory: outages, silences, rates, prices; facts and time in, signs out (pure)."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable
from typing import Any, Literal, Protocol

from tapewire.hub.notices import Sign, span
from tapewire.model import status
from tapewire.model.subscription import Subscription


class Judge(Protocol):
    """One rule at work: facts with their time (monotonic seconds) in, signs out. ``deadline``: when to ``tick``."""

    @property
    def deadline(self) -> float | None: ...
    def hear(self, fact: Any, t: float) -> list[Sign]: ...
    def tick(self, t: float) -> list[Sign]: ...


class Stateless:
    """A judge of facts that each say all."""

    deadline: float | None = None

    def __init__(self, signs: Callable[[Any], list[Sign]]) -> None:
        self._signs = signs

    def hear(self, fact: Any, t: float) -> list[Sign]:
        return [sign._replace(since=t) for sign in self._signs(fact)]

    def tick(self, t: float) -> list[Sign]:  # noqa: ARG002
        return []


class Outages:
    """Connections that are down, from the loss (or the first dial) until their streams are live again."""

    def __init__(self, seconds: float) -> None:
        self._seconds = seconds
        self._since: dict[str, float] = {}
        self._told: set[str] = set()
        self._why: dict[str, str] = {}

    @property
    def deadline(self) -> float | None:
        waiting = (since for name, since in self._since.items() if name not in self._told)
        return min((since + self._seconds for since in waiting), default=None)

    def hear(self, fact: Any, t: float) -> list[Sign]:
        name = getattr(fact, "connection", "")
        match fact:
            case status.Connecting():
                self._since.setdefault(name, t)
            case status.Disconnected(loss=loss) if loss.cause != "stopped":
                self._since.setdefault(name, t)
                self._why[name] = str(loss)
            case status.Stopped(error=True):
                self._forget(name)
                return [Sign("end", name, f"{name} gave up: {fact.reason}")]
            case status.Subscribed() | status.Recovered():
                return self._up(name, t, "is back")
            case status.Disconnected() | status.Stopped():
                return self._up(name, t, "was closed, nobody wants it any more,")
        return []

    def tick(self, t: float) -> list[Sign]:
        late = [
            (name, since)
            for name, since in self._since.items()
            if name not in self._told and t >= since + self._seconds
        ]
        self._told.update(name for name, _ in late)
        return [
            Sign("on", name, f"{name} is down for {span(t - since)}: {self._why.get(name, 'no line yet')}", since)
            for name, since in late
        ]

    def _up(self, name: str, t: float, how: str) -> list[Sign]:
        since, told = self._since.get(name, t), name in self._told
        self._forget(name)
        return [Sign("off", name, f"{name} {how} after {span(t - since)}")] if told else []

    def _forget(self, name: str) -> None:
        self._since.pop(name, None)
        self._why.pop(name, None)
        self._told.discard(name)


class StaleStreams:
    """Streams that the feed calls stale, until it says that this is over or their connection ends."""

    deadline: float | None = None

    def __init__(self) -> None:
        self._stale: dict[Subscription, str] = {}

    def hear(self, fact: Any, t: float) -> list[Sign]:
        match fact:
            case status.Stale(over=True, subscription=stream):
                self._stale.pop(stream, None)
                return [Sign("off", str(stream), f"{stream} has data again after {span(fact.silent)}")]
            case status.Stale(subscription=stream):
                self._stale[stream] = fact.connection
                text = f"{stream} is silent for {span(fact.silent)} (its limit is {span(fact.limit)})"
                if fact.cause != "silent":
                    text = f"{stream}: {fact.words}"
                return [Sign("on", str(stream), text, t - fact.silent)]
            case status.Stopped(connection=name):
                ended = [stream for stream, place in self._stale.items() if place == name]
                for stream in ended:
                    del self._stale[stream]
                return [Sign("off", str(stream), f"{stream} ended with {name}") for stream in ended]
        return []

    def tick(self, t: float) -> list[Sign]:  # noqa: ARG002
        return []


class Rate:
    """Events of one class that come too often on a connection, within a window that slides."""

    def __init__(self, kind: type[status.FeedEvent], count: int, seconds: float, what: str) -> None:
        self._kind, self._count, self._seconds, self._what = kind, count, seconds, what
        self._moments: dict[str, deque[float]] = {}
        self._on: set[str] = set()

    @property
    def deadline(self) -> float | None:
        return min((self._moments[name][0] + self._seconds for name in self._on), default=None)

    def hear(self, fact: Any, t: float) -> list[Sign]:
        name = getattr(fact, "connection", "")
        if isinstance(fact, status.Stopped):
            self._moments.pop(name, None)
            return self._off(name, f"{name} ended")
        if not isinstance(fact, self._kind) or getattr(fact, "reconnect", 1) < 1:  # the first connect is none again
            return []
        moments = self._moments.setdefault(name, deque(maxlen=self._count))
        moments.append(t)
        if len(moments) < self._count or t - moments[0] >= self._seconds:
            return []
        self._on.add(name)
        return [Sign("on", name, f"{name}: {self._count:,} {self._what} within {span(t - moments[0])}", moments[0])]

    def tick(self, t: float) -> list[Sign]:
        calm = [name for name in sorted(self._on) if t >= self._moments[name][0] + self._seconds]
        text = f"fewer than {self._count:,} {self._what} within {span(self._seconds)} again"
        return [sign for name in calm for sign in self._off(name, f"{name}: {text}")]

    def _off(self, name: str, text: str) -> list[Sign]:
        if name not in self._on:
            return []
        self._on.discard(name)
        return [Sign("off", name, text)]


class Beyond:
    """The price is beyond a bound, until it has come back by ``margin``."""

    deadline: float | None = None

    def __init__(self, bound: float, margin: float, *, above: bool) -> None:
        self._bound, self._above = bound, above
        self._back = bound - margin if above else bound + margin
        self._is_on = False

    def hear(self, fact: Any, t: float) -> list[Sign]:
        price = fact.trade_price
        if price is None:
            return []
        limit = self._back if self._is_on else self._bound
        beyond = price > limit if self._above else price < limit
        if beyond == self._is_on:
            return []
        self._is_on = beyond
        where = "above" if self._above else "below"
        state: Literal["on", "off"] = "on" if beyond else "off"
        is_where = f"is {where}" if beyond else f"is no longer {where}"
        return [Sign(state, fact.symbol, f"{fact.symbol} {is_where} {shown(self._bound)}: {shown(price)}", t)]

    def tick(self, t: float) -> list[Sign]:  # noqa: ARG002
        return []


class Crossing:
    """The price passes a bound, in either direction; a price at the bound is on neither side."""

    deadline: float | None = None

    def __init__(self, bound: float) -> None:
        self._bound = bound
        self._was_above: bool | None = None

    def hear(self, fact: Any, t: float) -> list[Sign]:
        price = fact.trade_price
        if price is None or price == self._bound:
            return []
        before, self._was_above = self._was_above, price > self._bound
        if before is None or before == self._was_above:
            return []
        way = "upwards" if self._was_above else "downwards"
        return [Sign("once", fact.symbol, f"{fact.symbol} crossed {shown(self._bound)} {way}: {shown(price)}", t)]

    def tick(self, t: float) -> list[Sign]:  # noqa: ARG002
        return []


class Silences:
    """Streams of which nothing came for a time, from ``t`` on."""

    def __init__(self, streams: Iterable[Subscription], seconds: float, t: float) -> None:
        self._seconds = seconds
        self._last = {stream.symbol: t for stream in streams}
        self._names = {stream.symbol: str(stream) for stream in streams}
        self._on: set[str] = set()

    @property
    def deadline(self) -> float | None:
        return min((last + self._seconds for name, last in self._last.items() if name not in self._on), default=None)

    def hear(self, fact: Any, t: float) -> list[Sign]:
        symbol = fact.symbol
        before, self._last[symbol] = self._last[symbol], t
        if symbol not in self._on:
            return []
        self._on.discard(symbol)
        name = self._names[symbol]
        return [Sign("off", name, f"{name} has data again after {span(t - before)}")]

    def tick(self, t: float) -> list[Sign]:
        silent = [
            (symbol, last)
            for symbol, last in self._last.items()
            if symbol not in self._on and t >= last + self._seconds
        ]
        self._on.update(symbol for symbol, _ in silent)
        return [
            Sign("on", self._names[symbol], f"{self._names[symbol]} is silent for {span(t - last)}", last)
            for symbol, last in silent
        ]


def shown(price: Any) -> str:
    """A price with thousands apart and no zeros at its end."""
    text = f"{price:,.8f}" if isinstance(price, float) else f"{price:,}"
    return text.rstrip("0").rstrip(".") if "." in text else text
