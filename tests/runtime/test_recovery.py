"""A hole whose filling goes wrong ends all the same: told as it stands, and the stream is hot again."""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping

import pytest
from msgspec.structs import replace

from tapewire.config import FeedOptions
from tapewire.errors import DecodeError
from tapewire.hub.listening import Listener
from tapewire.hub.router import Router
from tapewire.model.status import FeedEvent, Gap, GapState
from tapewire.model.subscription import Subscription
from tapewire.runtime.clock import LoopClock
from tapewire.runtime.holes import Holes
from tapewire.runtime.limits import shared_gate
from tapewire.runtime.recovery import Recovery
from tapewire.runtime.rest import Rest
from tapewire.session.limits import Limits
from tapewire.testing.clock import elapse, run_virtual
from tapewire.venues.contract import History
from tapewire.venues.registry import get_venue

VENUE = get_venue("upbit")
MINUTE = 60_000
STREAMS = {"trade": Subscription("trade", "KRW-BTC"), "candle": Subscription("candle", "KRW-BTC", unit="1m")}


class Empty:
    """Answers every call with an empty list."""

    async def get(self, url: str, *, timeout: float, headers: Mapping[str, str] | None = None) -> bytes:  # noqa: ASYNC109
        return b"[]"

    async def close(self) -> None:
        """Nothing is held."""


def unreadable(*_: object) -> list[object]:
    raise DecodeError("upbit", "no list", b"")


def faulty(*_: object) -> list[object]:
    raise ZeroDivisionError("a fault of the venue's own code")


def with_reader(read: Callable[..., object]) -> History:
    assert VENUE.history is not None
    return replace(VENUE.history, read_trades=read, read_candles=read)


def nobody(*_: object) -> None:
    raise AssertionError("no callback is called")


@pytest.mark.parametrize("kind", STREAMS)
@pytest.mark.parametrize(("read", "level"), [(unreadable, "WARNING"), (faulty, "ERROR")])
def test_a_hole_ends_whatever_goes_wrong_while_it_is_filled(
    kind: str, read: Callable[..., object], level: str, caplog: pytest.LogCaptureFixture
) -> None:
    subscription = STREAMS[kind]
    state: GapState = "unfilled" if kind == "trade" else "full_state"
    told: list[FeedEvent] = []

    async def story() -> None:
        venue, clock, options = replace(VENUE, history=with_reader(read)), LoopClock(), FeedOptions()
        rest = Rest(venue, options, Empty(), clock, Limits(venue.facts, shared_gate), told.append)
        recovery = Recovery(venue, options, rest, clock, told.append)
        router = Router(venue.codec("DEFAULT", "float", False).classes, nobody)
        stream = router.add(subscription, Listener("me", nobody, "both"))
        holes = Holes("upbit", "upbit-1", router, clock, told.append, recovery, nobody, None)
        now_ms = clock.wall_ns() // 1_000_000
        holes.tell(
            Gap(
                venue="upbit", connection="upbit-1", at_ns=0, subscription=subscription, cause="reset", state=state,
                from_ns=0, last_timestamp=now_ms - 10 * MINUTE, first_timestamp=now_ms - 2 * MINUTE,
            )
        )  # fmt: skip
        assert (stream.holes, recovery.open) == (1, 1)
        await elapse(1_000)
        assert (stream.holes, stream.known, recovery.open) == (0, None, 0)

    with caplog.at_level(logging.WARNING, "tapewire"):
        run_virtual(story())
    assert [event.state for event in told if isinstance(event, Gap)] == ["filling", "unfilled"]
    assert level in [record.levelname for record in caplog.records]
    assert ("ZeroDivisionError" in caplog.text) == (read is faulty)
