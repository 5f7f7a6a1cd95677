"""OKEX v3, retired by the exchange (recordings and old tools still speak it): the table of contents of this folder.

profile: facts · symbols: instrument ids · channels: streams and their names · check: what may be asked · times:
ISO 8601 · inflate: frame → text · messages and codec: text → events · sequence: what makes books · requests: wishes →
payloads · refusals: error codes · auth: login · rest: markets · history: what a stream missed ·
polls: where there is none · sim: OKEX's own side of the talk.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING

from tapewire.model.events import Event, TradeEvent
from tapewire.venues.contract import Changes, Venue
from tapewire.venues.okex_v3 import auth, channels, profile, refusals, requests, rest, sequence
from tapewire.venues.okex_v3.asked import streams_asked
from tapewire.venues.okex_v3.check import check
from tapewire.venues.okex_v3.codec import OkexCodec
from tapewire.venues.okex_v3.history import HISTORY
from tapewire.venues.okex_v3.polls import POLLS

if TYPE_CHECKING:
    from tapewire.venues.exchange import SimKey
    from tapewire.venues.okex_v3.sim import OkexExchange


def position(event: Event) -> tuple[int | None, int | None]:
    """(trade id or None, venue timestamp in ms or None): nothing else is numbered (spec/okx.md B3)."""
    return event.sequential_id if isinstance(event, TradeEvent) else None, event.timestamp


def _exchange(switches: Mapping[str, object] | None = None, keys: Iterable[SimKey] = ()) -> OkexExchange:
    from tapewire.venues.okex_v3.sim import exchange  # noqa: PLC0415 - only simulators need it

    return exchange(switches, keys)


OKEX_V3 = Venue(
    name=profile.NAME,
    facts=profile.FACTS,
    check=check,
    same_line=channels.same_line,
    encode=requests.encode,
    changes=Changes(
        name=channels.argument,
        encode=requests.encode_change,
        request_id=requests.request_id,
        most=requests.MOST,
        concerns=requests.concerns,
    ),
    judge=refusals.judge,
    asked=streams_asked,
    read_refusal=rest.read_refusal,
    login=auth.login,
    codec=OkexCodec,
    position=position,
    markets_request=rest.MARKETS_REQUEST,
    read_markets=rest.read_markets,
    book=sequence.book,
    history=HISTORY,
    polls=POLLS,
    exchange=_exchange,
)
