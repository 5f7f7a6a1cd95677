"""What the short road calls with an event: one function for any number of listeners, and no trade twice (pure)."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Coroutine
from typing import Any, Protocol, TypeVar

from tapewire.errors import UsageError
from tapewire.hub.bodies import Bodies
from tapewire.model.events import Event, TradeEvent

Callback = Callable[[Any], object]
#: Takes a frame that was not read, and when it came (ns UTC).
Take = Callable[[bytes, int], None]


class Remembering(Protocol):
    """A stream of trades, as far as it knows which came already (``hub.router.Stream``)."""

    highest: int

    def repeats(self, event: TradeEvent) -> bool: ...


class Ear(Protocol):
    """A listener, as far as it is called (``hub.router.Listener``)."""

    name: str
    callback: Callback


_Ear = TypeVar("_Ear", bound=Ear)


def hand_over(ear: _Ear, event: Event, failed: Callable[[_Ear, BaseException], None]) -> None:
    """Call one listener; ``failed`` is told of what it raised."""
    try:
        answer = ear.callback(event)
        if answer is not None and inspect.iscoroutine(answer):  # a task or future runs by itself
            _refuse(ear, answer)
    except Exception as error:  # a user's callback may raise anything; the feed goes on
        failed(ear, error)


def _refuse(ear: Ear, answer: Coroutine[Any, Any, Any]) -> None:
    """A plain function that hands back a coroutine (a lambda around an async one): nobody would ever run it."""
    answer.close()
    raise UsageError(
        f"{ear.name}: the callback {ear.callback!r} gave back a coroutine, which nobody runs: "
        "give the async function itself, or a plain one that makes a task of it"
    )


def one_call(ears: tuple[Callback, ...], failed: Callable[[Callback, BaseException], None]) -> Callback:
    """The only callback itself, or one function that stands for several; ``failed`` is told of one that raised."""
    if len(ears) == 1:
        return ears[0]

    def hear_all(event: Event) -> None:
        for callback in ears:
            try:
                callback(event)
            except Exception as error:  # a user's callback may raise anything; the others go on
                failed(callback, error)

    return hear_all


def once(
    stream: Remembering,
    remember: Callable[[int | None], None],
    bodies: Bodies | None,
    hear: Callback,
    count: Callable[[int | None], None] | None = None,
) -> Callback:
    """``hear`` for trades that did not come before: those above all others at once, the rest are looked up.

    Costs 0.03 µs a trade. A set of the last ids beside the deque costs 0.06 and 128 kB a stream. That one that comes
    again can be held against the first costs 0.04. ``count`` is told how many matches each stands for, where that
    can be several.
    """
    keep = (bodies or Bodies()).keeper

    def hear_trade(event: TradeEvent) -> None:
        number = event.sequential_id
        if number and number > stream.highest:
            stream.highest = number
            remember(number)
            keep(event.trade_price)
            keep(event.trade_volume)
            keep(event.ask_bid)
        elif stream.repeats(event):
            return
        hear(event)

    def hear_counted(event: TradeEvent) -> None:
        number = event.sequential_id
        if number and number > stream.highest:
            stream.highest = number
            remember(number)
            count(event.count)  # type: ignore[misc]
            keep(event.trade_price)
            keep(event.trade_volume)
            keep(event.ask_bid)
        elif stream.repeats(event):
            return
        hear(event)

    return hear_trade if count is None else hear_counted


def every(
    remember: Callable[[int | None], None], hear: Callback, count: Callable[[int | None], None] | None = None
) -> Callback:
    """``hear`` for all trades, those that come twice included; ``count`` as of ``once``."""

    def hear_trade(event: TradeEvent) -> None:
        remember(event.sequential_id)
        if count is not None:
            count(event.count)
        hear(event)

    return hear_trade
