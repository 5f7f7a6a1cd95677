"""The OpenAPI document of the GET doors: made of the structs that they answer with, so that it says what they say."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from typing import Any

import msgspec
from msgspec import Struct

from tapewire import __version__
from tapewire.apps.gateway.problems import PROBLEMS
from tapewire.model.book import DepthOrderbookEvent
from tapewire.model.events import CandleEvent, OrderbookEvent, TickerEvent, TradeEvent
from tapewire.model.health import HealthState, Reason
from tapewire.model.market import Market
from tapewire.model.metrics import ConnectionMetrics
from tapewire.model.status import Gap

_TEMPLATE = "#/components/schemas/{name}"


class ProblemFacts(Struct):
    """What went wrong; ``name`` is one of a fixed list."""

    name: str
    message: str


class Refusal(Struct):
    """Every answer that is not 200 (but /health and /ready at 503)."""

    error: ProblemFacts


class ServedVenue(Struct):
    """One venue that is served here."""

    name: str
    kinds: tuple[str, ...]
    candle_units: tuple[str, ...]
    signed_kinds: list[str]
    url: str


class Venues(Struct):
    """``/v1/venues``."""

    version: str
    default: str
    venues: list[ServedVenue]


class Markets(Struct):
    """``/v1/markets``."""

    venue: str
    markets: list[Market]


class Tickers(Struct):
    """``/v1/tickers``."""

    venue: str
    tickers: list[TickerEvent]


class UnitsBook(Struct):
    """``/v1/orderbook/{symbol}`` of a venue that sends levels in pairs."""

    venue: str
    orderbook: OrderbookEvent


class SidesBook(Struct):
    """``/v1/orderbook/{symbol}`` of a venue that sends both sides apart."""

    venue: str
    orderbook: DepthOrderbookEvent


class Trades(Struct):
    """``/v1/trades/{symbol}``, newest first."""

    venue: str
    trades: list[TradeEvent]


class Candles(Struct):
    """``/v1/candles/{symbol}``, newest first."""

    venue: str
    unit: str
    candles: list[CandleEvent]


class Gaps(Struct):
    """``/v1/gaps``, newest first."""

    gaps: list[Gap]


class LimitLeft(Struct):
    """One of the exchange's limits: ``left`` of ``count`` in any ``seconds``."""

    venue: str
    group: str
    left: int
    count: int
    seconds: float


class Clients(Struct):
    """Local programs."""

    open: int
    most: int
    cut: int
    refused: int
    sent: int
    conflated: int


class Connections(Struct):
    """``/v1/connections``."""

    at_ns: int
    connections: list[ConnectionMetrics]
    limits: list[LimitLeft]
    clients: Clients


class StreamAge(Struct):
    """How old the data of one stream is; ``None``: none came yet."""

    venue: str
    type: str
    symbol: str
    unit: str | None
    age_seconds: float | None
    messages: int


class Health(Struct):
    """``/health``."""

    status: HealthState
    reasons: list[Reason]
    since_ns: int
    idle: bool
    uptime_seconds: float
    total_messages_processed: int
    connection_errors: int
    last_error: str | None
    last_error_ns: int | None
    streams: list[StreamAge]


class Ready(Struct):
    """``/ready``."""

    ready: bool


_ANSWERS: tuple[type[Struct], ...] = (
    Refusal, Venues, Markets, Tickers, UnitsBook, SidesBook, Trades, Candles, Gaps, Connections, Health, Ready,
)  # fmt: skip

Schema = dict[str, Any]


def _parameter(name: str, words: str, schema: Schema, *, within: str = "query") -> Schema:
    return {"name": name, "in": within, "required": within == "path", "description": words, "schema": schema}


def _number(name: str, words: str, low: int, high: int) -> Schema:
    return _parameter(name, words, {"type": "integer", "minimum": low, "maximum": high})


_VENUE = _parameter("venue", "As `tapewire serve --venue` names it; the first one without it.", {"type": "string"})
_SYMBOL = _parameter("symbol", "A market that /v1/markets lists.", {"type": "string"}, within="path")
#: Path → what it is, its parameters, its answers (200, and others than refusals).
_DOORS: Mapping[str, tuple[str, list[Schema], tuple[type[Struct], ...]]] = {
    "/v1/venues": ("What is served here.", [], (Venues,)),
    "/v1/markets": ("What can be subscribed.", [_VENUE], (Markets,)),
    "/v1/tickers": (
        "The present tickers.",
        [_VENUE, _parameter("symbols", "Codes with commas; all.", {"type": "string"})],
        (Tickers,),
    ),
    "/v1/orderbook/{symbol}": (
        "The present book.",
        [_SYMBOL, _VENUE, _number("depth", "Levels of each side.", 1, 5000),
         _parameter("level", "Price grouping unit.", {"type": "number", "minimum": 0, "exclusiveMaximum": 1e12})],
        (UnitsBook, SidesBook),
    ),
    "/v1/trades/{symbol}": (
        "The newest trades.", [_SYMBOL, _VENUE, _number("count", "100 without it.", 1, 500)], (Trades,),
    ),
    "/v1/candles/{symbol}": (
        "Candles, the running one included.",
        [_SYMBOL, _VENUE, _parameter("unit", "1m without it.", {"type": "string"}),
         _number("count", "200 without it.", 1, 1000), _number("before", "Unix ms, UTC.", 0, 2**53)],
        (Candles,),
    ),
    "/v1/gaps": (
        "The gap ledger.",
        [_VENUE, _parameter("symbol", "Of this market only.", {"type": "string"}),
         _number("count", "1000 without it.", 1, 10_000)],
        (Gaps,),
    ),
    "/v1/connections": ("Upstream connections, limits, local clients.", [], (Connections,)),
    "/health": ("How well the feed is; 503 while unhealthy.", [], (Health,)),
    "/ready": ("Whether what is wanted has data; else 503.", [], (Ready,)),
}  # fmt: skip
_BOTH = ("/health", "/ready")


@cache
def document() -> bytes:
    """The document, as ``/openapi.json`` serves it."""
    _, components = msgspec.json.schema_components(_ANSWERS, ref_template=_TEMPLATE)
    paths = {path: {"get": _operation(path, *facts)} for path, facts in _DOORS.items()}
    return msgspec.json.encode({
        "openapi": "3.1.0",
        "info": {"title": "tapewire gateway", "version": __version__, "description": "See docs/gateway.md."},
        "paths": paths,
        "components": {
            "schemas": components,
            "securitySchemes": {"token": {"type": "http", "scheme": "bearer"}},
        },
        "security": [{}, {"token": []}],
    })  # fmt: skip


def _operation(path: str, words: str, parameters: list[Schema], answers: tuple[type[Struct], ...]) -> Schema:
    good = _content(answers)
    refused = {str(status): _content((Refusal,), name) for name, (status, _) in PROBLEMS.items() if status != 405}
    if path in _BOTH:
        refused["503"] = _content((*answers, Refusal), "unhealthy, not ready, or too many clients")
    name = path.strip("/").replace("/", "_").replace("{", "").replace("}", "")
    return {"operationId": name, "summary": words, "parameters": parameters, "responses": {"200": good, **refused}}


def _content(answers: tuple[type[Struct], ...], words: str = "the answer") -> Schema:
    refs = [{"$ref": _TEMPLATE.format(name=one.__name__)} for one in answers]
    return {"description": words, "content": {"application/json": {"schema": {"anyOf": refs} if refs[1:] else refs[0]}}}
