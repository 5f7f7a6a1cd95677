"""What the short road calls: one function for any number of listeners."""

from __future__ import annotations

from typing import Any

import pytest

from tapewire.hub.listening import Listener
from tapewire.hub.router import Router
from tapewire.model.subscription import Subscription
from tests.hub.made_up import CLASSES, TICKER, TRADE, hand_over


def hot(subscription: Subscription, *callbacks: Any) -> tuple[Router, list[tuple[Any, str]]]:
    """A router whose only stream is settled, with these listeners; and what its callbacks raised."""
    raised: list[tuple[Any, str]] = []
    router = Router(CLASSES, lambda callback, error: raised.append((callback, str(error))))
    for number, callback in enumerate(callbacks):
        router.add(subscription, Listener(f"ear {number}", callback, "realtime_only"))
    assert hand_over(router, subscription, 1) == "careful"
    return router, raised


def test_a_single_listener_is_called_without_anything_between() -> None:
    heard: list[Any] = []
    router, _ = hot(TICKER, heard.append)
    assert router.streams[TICKER].deliver == heard.append


@pytest.mark.parametrize("listeners", [1, 2])
def test_trades_are_remembered_by_id_on_the_short_road_too(listeners: int) -> None:
    heard: list[Any] = []
    router, _ = hot(TRADE, *[heard.append] * listeners)
    assert hand_over(router, TRADE, 2) == "short"
    assert router.streams[TRADE].last_id == 2
    assert [event.sequential_id for event in heard] == [1] * listeners + [2] * listeners


def test_a_listener_that_raises_does_not_keep_the_event_from_the_others() -> None:
    heard: list[Any] = []

    def broken(event: Any) -> None:
        if event.timestamp == 2:
            raise ValueError("broken ear")

    router, raised = hot(TICKER, broken, heard.append)
    assert hand_over(router, TICKER, 2) == "short"
    assert [event.timestamp for event in heard] == [1, 2]
    assert raised == [(broken, "broken ear")]
