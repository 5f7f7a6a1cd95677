"""How far a stream came elsewhere, so that it can be gone on with here."""

from __future__ import annotations

from msgspec import Struct

from tapewire.model.subscription import Subscription


class Reached(Struct, frozen=True):
    """How far a stream came.

    Attributes:
        subscription: which.
        at_ns: until when nothing was missing (ns UTC).
        last_timestamp: of its last message (the venue's ms).
        ids: of its last trades, the newest last; those of ten seconds at least.
    """

    subscription: Subscription
    at_ns: int
    last_timestamp: int | None = None
    ids: tuple[int, ...] = ()
