"""Facts about OKEX v3, each with its section of spec/okx.md part B. The exchange has retired it: B1, B7."""

from __future__ import annotations

from tapewire.venues.contract import Facts, Window
from tapewire.venues.okex_v3.channels import CANDLE_SECONDS, TABLES

NAME = "okex3"
HOST = "real.okex.com"
PATH = "/ws/v3"
REST_HOST = "www.okex.com"

KINDS = tuple(dict.fromkeys(table.kind for table in TABLES.values()))

FACTS = Facts(
    url=f"wss://{HOST}:10442{PATH}",  # B1
    rest_url=f"https://{REST_HOST}",
    connects=(Window(1, 1.0),),  # B1, of the address
    messages=(),  # B1: only requests are counted, by connection
    requests=(Window(240, 3600.0),),  # B1
    rest_calls=(Window(20, 2.0),),  # the documents' limit of public calls
    replaces=False,  # B2: each request adds or takes away
    acknowledges=True,  # B2: one answer for each argument
    idle_timeout=30.0,  # B1
    text_ping=b"ping",  # B1
    keep_alive="text",  # B1
    ping_most=20.0,  # B1: below 30; the SDKs' 5 to 29
    kinds=KINDS,
    candle_units=tuple(CANDLE_SECONDS),
    full_state_kinds=frozenset(KINDS) - {"trade"},
    fatal_statuses=frozenset({400, 401, 403, 404}),
    marks_snapshots=False,  # B3
    undated=frozenset({"candle"}),  # B4: when it opened
    retired='the exchange has retired OKEX v3 (docs/okex3.md); its feeds are the venue "okx" now',
)
