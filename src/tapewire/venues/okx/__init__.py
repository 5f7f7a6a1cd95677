"""OKX's account stacks as venues: the table of contents of this folder.

profile: facts · channels: subscription ↔ channel, argument, path · symbols: instrument ids · check: what may be asked ·
fields: names on the wire · values, rows: its elements · messages: structs for the short road · codec: frame → events ·
sequence: order of its delta books · requests: wishes → payloads · refusals: its error codes · auth: signatures ·
rest: markets and time · limits: of calls · history, account: what a stream missed · words: of its orders ·
private_frames: pushes of what REST told · polls: where there is none · sim: OKX's own side of the talk.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from functools import partial
from typing import TYPE_CHECKING

from tapewire.model.events import Event, TradeEvent
from tapewire.venues.contract import Changes, Venue
from tapewire.venues.okx import (
    account,
    auth,
    channels,
    history,
    limits,
    polls,
    profile,
    refusals,
    requests,
    rest,
    sequence,
)
from tapewire.venues.okx.asked import streams_asked
from tapewire.venues.okx.check import check
from tapewire.venues.okx.codec import OkxCodec

if TYPE_CHECKING:
    from tapewire.venues.exchange import SimKey
    from tapewire.venues.okx.serving import OkxServing
    from tapewire.venues.okx.sim import OkxExchange


def position(event: Event) -> tuple[int | None, int | None]:
    """(trade id or None, venue timestamp in ms or None): trades have an id that ascends (spec/okx.md A6.2)."""
    return event.sequential_id if isinstance(event, TradeEvent) else None, event.timestamp


def _serving(raw_format: str = "DEFAULT") -> OkxServing:
    from tapewire.venues.okx.serving import OkxServing  # noqa: PLC0415 - only gateways need it

    return OkxServing(raw_format)


def _exchange(
    stack: profile.Stack, switches: Mapping[str, object] | None = None, keys: Iterable[SimKey] = ()
) -> OkxExchange:
    from tapewire.venues.okx.sim import exchange  # noqa: PLC0415 - only simulators need it

    return exchange(stack, switches, keys)


def _venue(stack: profile.Stack) -> Venue:
    return Venue(
        name=stack.name,
        facts=profile.facts(stack),
        check=partial(check, stack.name),
        same_line=channels.same_line,
        side_by=channels.side_of,
        encode=requests.encode,
        changes=Changes(
            name=channels.wire_name,
            encode=requests.encode_change,
            request_id=requests.request_id,
            most=requests.MOST,
            concerns=refusals.concerns,
        ),
        judge=refusals.judge,
        asked=streams_asked,
        fits=requests.fits,
        read_refusal=rest.read_refusal,
        login=auth.login,
        time_request=rest.TIME_REQUEST,
        read_time=partial(rest.read_time, stack.name),
        codec=partial(OkxCodec, stack.name),
        position=position,
        markets_request=rest.MARKETS_REQUEST,
        more_markets=rest.MORE_MARKETS,
        read_markets=partial(rest.read_markets, stack.name),
        rest_group=limits.rest_group,
        read_trouble=rest.read_trouble,
        book=sequence.book,
        book_request=sequence.book_request,
        read_book=partial(sequence.read_book, stack.name),
        history=history.history(stack.name),
        polls=polls.polls(stack.name),
        account=account.account(stack.name, demo=stack.demo),
        exchange=partial(_exchange, stack),
        serving=_serving,
    )


GLOBAL = _venue(profile.GLOBAL)
EEA = _venue(profile.EEA)
US = _venue(profile.US)
DEMO = _venue(profile.DEMO)
EEA_DEMO = _venue(profile.EEA_DEMO)
US_DEMO = _venue(profile.US_DEMO)
