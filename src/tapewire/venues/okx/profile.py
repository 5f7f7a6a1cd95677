"""Facts about OKX and its account stacks, each with its section of spec/okx.md."""

from __future__ import annotations

from msgspec import Struct

from tapewire.venues.contract import Facts, Window
from tapewire.venues.okx import limits

#: Kinds whose messages come only when something happens: no snapshot, and silence is no fault (sections A6, A7).
EVENT_KINDS = frozenset({
    "instrument", "status", "liquidation", "myOrder", "myAsset", "myPosition", "balanceAndPosition", "myFill",
})  # fmt: skip
#: Everything that can be subscribed.
KINDS = (
    "ticker", "trade", "orderbook", "candle", "instrument", "status", "fundingRate", "markPrice", "indexTicker",
    "openInterest", "priceLimit", "liquidation", "myOrder", "myAsset", "myPosition", "balanceAndPosition", "myFill",
)  # fmt: skip
#: Sections A6.5; those of 6 hours and more begin at UTC+8, or with ``utc`` at UTC.
CANDLE_UNITS = (
    "1s", "1m", "3m", "5m", "15m", "30m", "1H", "2H", "4H",
    *(f"{span}{zone}" for zone in ("", "utc") for span in ("6H", "12H", "1D", "2D", "3D", "5D", "1W", "1M", "3M")),
)  # fmt: skip
#: Bytes that the arguments of one connection may have together, and of one request (section A2).
ARGUMENTS_MOST = 64 * 1024


class Stack(Struct, frozen=True):
    """One of OKX's separate places where accounts live (section A1): its own hosts and keys.

    Attributes:
        name: the venue's name in tapewire.
        host: serves WebSocket. rest_host: serves REST.
        demo: trading is for show; REST calls say so in a header.
    """

    name: str
    host: str
    rest_host: str
    demo: bool = False


GLOBAL = Stack("okx", "ws.okx.com", "www.okx.com")
EEA = Stack("okx-eea", "wseea.okx.com", "eea.okx.com")
US = Stack("okx-us", "wsus.okx.com", "us.okx.com")  # United States and Australia
DEMO = Stack("okx-demo", "wspap.okx.com", "www.okx.com", demo=True)
EEA_DEMO = Stack("okx-eea-demo", "wseeapap.okx.com", "eea.okx.com", demo=True)
US_DEMO = Stack("okx-us-demo", "wsuspap.okx.com", "us.okx.com", demo=True)
STACKS = (GLOBAL, EEA, US, DEMO, EEA_DEMO, US_DEMO)


def facts(stack: Stack) -> Facts:
    """What is fixed about ``stack``."""
    return Facts(
        url=f"wss://{stack.host}:8443/ws/v5",  # section A1; the side's path follows
        sides={  # section A1; ``tier``: deep books of the public path that want a login
            "public": "/public",
            "business": "/business",
            "private": "/private",
            "tier": "/public",
        },
        signed_sides=frozenset({"private", "tier"}),  # section A4
        passphrase=True,  # section A4
        event_kinds=EVENT_KINDS,
        rest_url=f"https://{stack.rest_host}",  # section A1; every REST path begins with /api/v5
        connects=(Window(3, 1.0),),  # section A2, per IP
        messages=(),  # section A2: only requests are counted, by connection
        requests=(Window(480, 3600.0),),  # section A2: subscribe, unsubscribe and login
        rest_calls=(Window(10, 2.0),),  # section A8: the lowest, for calls that are not in ``limits``
        rest_groups=limits.GROUPS,  # section A8
        signed_groups=limits.SIGNED_GROUPS,  # section A8
        replaces=False,  # section A5
        acknowledges=True,  # section A5
        idle_timeout=30.0,  # section A3
        text_ping=b"ping",  # section A3
        keep_alive="text",  # section A3
        ping_most=20.0,  # section A3: below 30
        kinds=KINDS,
        candle_units=CANDLE_UNITS,
        full_state_kinds=frozenset({
            "ticker", "orderbook", "candle", "fundingRate", "markPrice", "indexTicker", "openInterest", "priceLimit",
        }),
        fatal_statuses=frozenset({400, 401, 403, 404}),
        marks_snapshots=False,  # section A5
        headed=True,  # section A5: ``arg`` comes first
        undated=frozenset({"candle", "status"}),  # A6.5: when it opened; A6.7: when the entry changed
    )  # fmt: skip
