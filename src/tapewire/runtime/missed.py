"""Trades and candles that a line did not bring although it was alive: seen when a snapshot shows how far it is."""

from __future__ import annotations

from msgspec.structs import replace

from tapewire.hub.listening import Stream
from tapewire.model.events import CandleEvent, Event, TradeEvent
from tapewire.model.status import Gap
from tapewire.session.actions import Now


def missed_trades(venue: str, connection: str, now: Now, stream: Stream, event: Event) -> Gap | None:
    """The gap before ``event``, which was not delivered yet; None when there is none.

    The exchange's latest trade must have come by itself on a line that brought trades before. Between the last that
    came and this one any number may be missing. The first message after a loss is the gap ledger's business.
    """
    if not isinstance(event, TradeEvent) or event.stream_type != "SNAPSHOT" or event.sequential_id is None:
        return None
    if stream.count == stream.base or stream.last_id is None or stream.seen_at(event.sequential_id):
        return None
    return replace(
        _silence(venue, connection, now, stream, event),
        state="unfilled",
        last_id=stream.last_id,
        first_id=event.sequential_id,
    )


def missed_candles(venue: str, connection: str, now: Now, stream: Stream, event: Event) -> Gap | None:
    """The same of candles, on a line of which some stream fell silent: windows may have ended since."""
    if not isinstance(event, CandleEvent) or event.stream_type != "SNAPSHOT":
        return None
    if stream.count == stream.base or stream.last_timestamp is None:
        return None
    return _silence(venue, connection, now, stream, event)


def _silence(venue: str, connection: str, now: Now, stream: Stream, event: Event) -> Gap:
    """From the last message of a stream to this one."""
    return Gap(
        venue=venue,
        connection=connection,
        at_ns=now.ns,
        subscription=stream.subscription,
        cause="stale",
        state="full_state",
        from_ns=now.ns if stream.last_timestamp is None else min(now.ns, stream.last_timestamp * 1_000_000),
        to_ns=now.ns,
        last_timestamp=stream.last_timestamp,
        first_timestamp=event.timestamp,
    )
