"""Upbit's four regions as venues: the table of contents of this folder.

profile: facts · symbols and details: what may be asked · fields: names on the wire · messages: its structs ·
lax and codec: frame → events · requests: wishes → payloads · listing: what is held · auth: signatures ·
rest: markets and levels · limits: what it says of them · history, account: what a stream missed · polls: where
there is no stream ·
sim: Upbit's own side of the talk · serving: the same, spoken by a gateway.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from functools import partial
from typing import TYPE_CHECKING

from tapewire.config import Credentials, Format, Numbers
from tapewire.model.events import CandleEvent, Event, TradeEvent
from tapewire.venues.contract import History, Stamp, Venue
from tapewire.venues.upbit import account, auth, history, limits, listing, polls, profile, requests, rest, symbols
from tapewire.venues.upbit.asked import streams_asked
from tapewire.venues.upbit.codec import UpbitCodec

if TYPE_CHECKING:
    from tapewire.venues.exchange import SimKey
    from tapewire.venues.upbit.serving import UpbitServing
    from tapewire.venues.upbit.sim import UpbitExchange


def position(event: Event) -> tuple[int | None, int | None]:
    """(trade id or None, venue timestamp in ms or None): only trades have an id (spec/upbit.md section 8)."""
    return event.sequential_id if isinstance(event, TradeEvent) else None, event.timestamp


def _authorize(credentials: Credentials, stamp: Stamp) -> tuple[tuple[str, str], ...]:
    """Upbit's tokens hold no time."""
    return auth.authorize(credentials, stamp.nonce)


def _exchange(
    region: profile.Region, switches: Mapping[str, object] | None = None, keys: Iterable[SimKey] = ()
) -> UpbitExchange:
    from tapewire.venues.upbit.sim import exchange  # noqa: PLC0415 - only simulators need it

    return exchange(region, switches, keys)


def _serving(region: profile.Region, raw_format: Format = "DEFAULT") -> UpbitServing:
    from tapewire.venues.upbit.serving import UpbitServing  # noqa: PLC0415 - only gateways need it

    return UpbitServing(region, raw_format)


def _read_candles(venue: str, _symbol: str, unit: str, body: bytes, numbers: Numbers) -> list[CandleEvent]:
    """Each of Upbit's candles names its market."""
    return history.read_candles(venue, unit, body, numbers)


def _venue(region: profile.Region) -> Venue:
    return Venue(
        name=region.name,
        facts=profile.facts(region),
        check=partial(symbols.check, region),
        same_line=requests.same_line,
        encode=requests.encode,
        encode_list=requests.encode_list,
        read_list=listing.read_list,
        asked=streams_asked,
        fits=requests.fits,
        authorize=_authorize,
        codec=partial(UpbitCodec, region),
        position=position,
        markets_request=rest.MARKETS_REQUEST,
        read_markets=partial(rest.read_markets, region.name),
        levels_request=rest.levels_request if region.levels else None,
        read_levels=partial(rest.read_levels, region.name) if region.levels else None,
        read_refusal=rest.read_refusal,
        rest_group=limits.rest_group,
        read_remaining=limits.read_remaining,
        read_block=limits.read_block,
        history=History(
            trades_request=history.trades_request,
            read_trades=lambda _symbol, body, numbers: history.read_trades(region.name, body, numbers),
            candles_request=history.candles_request,
            read_candles=partial(_read_candles, region.name),
            frame=history.frame,
            trades_days=history.TRADES_DAYS,
        ),
        polls=polls.polls(region.name),
        account=account.account(region.name),
        exchange=partial(_exchange, region),
        serving=partial(_serving, region),
    )


KOREA = _venue(profile.KR)
SINGAPORE = _venue(profile.SG)
INDONESIA = _venue(profile.ID)
THAILAND = _venue(profile.TH)
