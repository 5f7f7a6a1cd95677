"""How a REST call is answered, and how a tape says that it holds no answer (pure)."""

from __future__ import annotations

from msgspec import json

from tapewire.venues.exchange import HttpAnswer, HttpCall, MarketView, NothingThere, VenueExchange
from tapewire.venues.trading import TradingDesk


def answered(venue: VenueExchange, call: HttpCall, market: MarketView, desk: TradingDesk) -> HttpAnswer:
    """The venue's own answer; 404 with the reason when the market cannot tell that."""
    try:
        return venue.http(call, market, desk)
    except NothingThere as nothing:
        words = json.encode({"error": {"name": 404, "message": str(nothing)}})
        return HttpAnswer(404, words, (("Content-Type", "application/json; charset=utf-8"),))
