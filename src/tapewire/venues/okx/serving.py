"""OKX's own protocol spoken by a gateway: its paths, who is let in, what copies are kept (spec A1, A4, A8)."""

from __future__ import annotations

from collections.abc import Mapping
from itertools import count

from tapewire.model.subscription import Subscription
from tapewire.venues.exchange import HttpAnswer, HttpCall
from tapewire.venues.okx.channels import DELTA_BOOKS, channel_of
from tapewire.venues.okx.serving_copies import STATES, AccountCopy, OkxBook
from tapewire.venues.okx.serving_private import PrivateVisitor
from tapewire.venues.okx.serving_reads import PRIVATE_READS, admit_call
from tapewire.venues.okx.serving_talk import OkxVisitor
from tapewire.venues.serving import BookCopy, HeldStreams, Keys

_PRIVATE = "/ws/v5/private"
_READS = ("/api/v5/market/", "/api/v5/public/")


class OkxServing:
    """One stack. ``_raw_format``: OKX has but one format."""

    is_text = True
    restores = False  # of a book only what changed, and several trades in one frame
    too_many = "60014"
    key_refused = "60011"
    private_reads = PRIVATE_READS

    def __init__(self, _raw_format: str = "DEFAULT") -> None:
        self.paths: Mapping[str, str] = {
            "/ws/v5/public": "public", "/ws/v5/business": "business", _PRIVATE: "private",
        }  # fmt: skip # A1
        self.keyed = frozenset({_PRIVATE})
        self._numbers = count(1)

    def visitor(self, held: HeldStreams, side: str, keys: Keys) -> OkxVisitor:
        """The talk on a new connection."""
        name = f"{next(self._numbers):08x}"
        return PrivateVisitor(held, name, keys) if side == "private" else OkxVisitor(held, side, name)

    def admit(self, path: str, headers: Mapping[str, str], keys: Keys) -> HttpAnswer | None:  # noqa: ARG002
        """Who wants more logs in by a message (A4)."""
        return None

    def admit_call(self, call: HttpCall, keys: Keys) -> HttpAnswer | None:
        """See ``Serving.admit_call``."""
        return admit_call(call, keys)

    def closed(self, headers: Mapping[str, str]) -> HttpAnswer:  # noqa: ARG002 - none is good
        """See ``Serving.closed``."""
        return HttpAnswer(401, b"", (("Content-Type", "text/plain"),))

    def forwards(self, path: str) -> bool:
        """See ``Serving.forwards`` (A8)."""
        return path.startswith(_READS)

    def book_copy(self, stream: Subscription) -> BookCopy | None:
        """Books that are told by changes have one (A6.4), and what an account has (A7)."""
        if stream.kind in STATES:
            return AccountCopy(stream.kind)
        if stream.kind != "orderbook" or channel_of(stream) not in DELTA_BOOKS:
            return None
        return OkxBook({"channel": channel_of(stream), "instId": stream.symbol}, DELTA_BOOKS[channel_of(stream)])
