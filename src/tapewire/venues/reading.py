"""One payload of a venue → its events, for programs that have bytes and no connection."""

from __future__ import annotations

from tapewire.errors import DecodeError
from tapewire.model.events import Event
from tapewire.venues.contract import Venue


def decode_events(venue: Venue, payload: bytes, received_ns: int = 0) -> list[Event]:
    """The market events in ``payload``, whatever of the venue's formats it is in; a control frame has none.

    Args:
        venue: whose message it is.
        payload: one whole message.
        received_ns: what the events' ``received_ns`` shall be, nanoseconds UTC.

    Raises:
        DecodeError: the payload, or an element of its list, cannot be read; it says why and holds that part.
    """
    reading = venue.codec("DEFAULT", "float", False).read(payload, received_ns)
    for bad in reading.quarantined:
        raise DecodeError(venue.name, bad.reason, bad.payload)
    return list(reading.events)
