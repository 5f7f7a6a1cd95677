"""Facts about Upbit and its four regions, each with its section of spec/upbit.md."""

from __future__ import annotations

from msgspec import Struct

from tapewire.venues.contract import Facts, Window
from tapewire.venues.upbit import limits

#: Kinds of each side (section 1). Announcements are documented for Korea only, but not denied elsewhere (11, 21).
PUBLIC_KINDS = ("ticker", "trade", "orderbook", "candle")
PRIVATE_KINDS = ("myOrder", "myAsset", "announcement")
INFO_KINDS = ("indicator", "indicator_signal")
#: Section 3.6; nothing longer on WebSocket.
CANDLE_UNITS = ("1s", "1m", "3m", "5m", "10m", "15m", "30m", "60m", "240m")
#: Levels of a book that can be asked for by suffix (section 3.4).
DEPTHS = (1, 5, 15, 30)


class Region(Struct, frozen=True):
    """One of Upbit's separate exchanges (section 1): own hosts, listings, books and keys.

    Attributes:
        name: the venue's name in tapewire.
        host: serves WebSocket and REST.
        quotes: quote currencies; none is the base in a market of a later one, so the order tells a reversed code.
        levels: order books can be grouped by a price unit, in the markets of the local currency (section 3.5).
        info: there is an info side, with indicators of the markets of the local currency (sections 1 and 4.8).
    """

    name: str
    host: str
    quotes: tuple[str, ...]
    levels: bool = False
    info: bool = False


KR = Region("upbit", "api.upbit.com", ("KRW", "USDT", "BTC"), levels=True, info=True)
SG = Region("upbit-sg", "sg-api.upbit.com", ("SGD", "USDT", "BTC"))
# BTC and USDT markets in Indonesia and Thailand are not confirmed (section 11, 21): never refused for it here.
ID = Region("upbit-id", "id-api.upbit.com", ("IDR", "USDT", "BTC"))
TH = Region("upbit-th", "th-api.upbit.com", ("THB", "USDT", "BTC"))
REGIONS = (KR, SG, ID, TH)


def kinds(region: Region) -> tuple[str, ...]:
    """What can be subscribed in ``region``."""
    return PUBLIC_KINDS + PRIVATE_KINDS + (INFO_KINDS if region.info else ())


def facts(region: Region) -> Facts:
    """What is fixed about ``region``.

    Never send an ``Origin`` header: with one, connects are limited to one in ten seconds (section 7.1).
    """
    signed = {"private": PRIVATE_KINDS} | ({"info": INFO_KINDS} if region.info else {})
    return Facts(
        url=f"wss://{region.host}/websocket/v1",  # section 1
        sides={"public": "", **{side: f"/{side}" for side in signed}},  # section 1
        side_of={kind: side for side, those in signed.items() for kind in those},
        signed_sides=frozenset(signed),  # section 2
        event_kinds=frozenset(PRIVATE_KINDS + INFO_KINDS),  # sections 4.5 to 4.9
        rest_url=f"https://{region.host}",  # section 1; every REST path begins with /v1
        connects=(Window(5, 1.0),),  # section 7.1, per IP; with a key per pocket or account
        messages=(Window(5, 1.0), Window(100, 60.0)),  # section 7.1, per connection or per address (11, 13)
        rest_calls=(Window(10, 1.0),),  # section 7.2: a group of another name is taken for a quotation's
        rest_groups=limits.rest_groups(korea=region is KR),  # section 7.2
        signed_groups=limits.SIGNED_GROUPS,  # section 7.2
        replaces=True,  # section 3.8
        acknowledges=False,  # section 3.8
        idle_timeout=120.0,  # section 6
        text_ping=b"PING",  # section 6
        formats=("DEFAULT", "SIMPLE", "JSON_LIST", "SIMPLE_LIST"),  # section 3.7
        kinds=kinds(region),
        candle_units=CANDLE_UNITS,
        full_state_kinds=frozenset({"ticker", "orderbook", "candle"}),  # section 8
        fatal_statuses=frozenset({400, 401, 403, 404}),  # section 5.2; 418, 429 and 5xx pass
    )
