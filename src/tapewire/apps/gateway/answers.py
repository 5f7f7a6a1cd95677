"""The GET doors: what each answers, from what is held, or asked of the exchange within its limits."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from tapewire import __version__
from tapewire.apps.gateway.asker import Asker
from tapewire.apps.gateway.brokered import NOT_ASKED, AnyMarket
from tapewire.apps.gateway.fanout import Fanout
from tapewire.apps.gateway.problems import Problem
from tapewire.apps.gateway.upstream import Channel, Upstream, cut
from tapewire.apps.gateway.wishes import chosen
from tapewire.model.events import Event
from tapewire.model.health import HealthState
from tapewire.model.market import Market
from tapewire.model.metrics import ConnectionMetrics
from tapewire.model.subscription import Subscription

Query = Mapping[str, str]

#: Pages of candles that one question asks the exchange for at most.
_PAGES = 10
_DEFAULT_UNIT = "1m"


class Answers:
    """What is answered, as plain values.

    Args:
        fanout: knows the venues.
        askers: by venue.
    """

    def __init__(self, fanout: Fanout, askers: Mapping[str, Asker]) -> None:
        self._fanout, self._askers = fanout, askers
        self._loop = asyncio.get_running_loop()

    def venues(self) -> dict[str, Any]:
        """What is served here."""
        found = []
        for name, upstream in self._fanout.upstreams.items():
            known = upstream.client.venue
            facts = known.facts
            signed = [kind for kind in facts.kinds if known.side(Subscription(kind, "")) in facts.signed_sides]
            found.append({
                "name": name, "kinds": facts.kinds, "candle_units": facts.candle_units,
                "signed_kinds": signed, "url": upstream.shown,
            })  # fmt: skip
        return {"version": __version__, "default": next(iter(self._fanout.upstreams)), "venues": found}

    async def markets(self, query: Query) -> dict[str, Any]:
        """Everything that a venue lists."""
        venue, _ = self._venue(query)
        return {"venue": venue, "markets": list((await self._listed(venue)).values())}

    async def tickers(self, query: Query) -> dict[str, Any]:
        """The present tickers of these markets, or of all."""
        venue, upstream = self._venue(query)
        listed = await self._listed(venue)
        codes = [code for code in query.get("symbols", "").split(",") if code] or list(listed)
        for code in codes:
            _check_listed(code, listed)
        found = {code: held for code in codes if (held := self._held(upstream, Subscription("ticker", code)))}
        missing = [Subscription("ticker", code) for code in codes if code not in found]
        if missing and upstream.asks:
            told = await self._askers[venue].ask(("tickers", *missing), lambda: upstream.client.present(missing))
            found |= {event.symbol: event for event in told}
        return {"venue": venue, "tickers": [found[code] for code in codes if code in found]}

    async def orderbook(self, symbol: str, query: Query) -> dict[str, Any]:
        """The present book of a market."""
        venue, upstream = self._venue(query)
        _check_listed(symbol, await self._listed(venue))
        depth = _number(query, "depth", None, 1, 5000)
        asked = Subscription("orderbook", symbol, level=_level(query))
        event = self._held(upstream, asked)
        if event is None:
            told = await self._asker(upstream).ask(asked, lambda: upstream.client.present([asked]))
            event = next((one for one in told if one.symbol == symbol), None)
        if event is None:
            raise Problem("not_found", "the exchange has no book of this market at this level")
        return {"venue": venue, "orderbook": cut(event, depth)}

    async def trades(self, symbol: str, query: Query) -> dict[str, Any]:
        """The newest trades of a market."""
        venue, upstream = self._venue(query)
        _check_listed(symbol, await self._listed(venue))
        count = _number(query, "count", 100, 1, 500) or 0
        channel = self._channel(upstream, Subscription("trade", symbol))
        held = [] if channel is None else list(channel.trades)
        if len(held) < count and upstream.asks:
            told = await self._askers[venue].ask(("trades", symbol), lambda: upstream.client.past_trades(symbol))
            known = {getattr(event, "sequential_id", None) for event in held}
            held += [event for event in told if event.sequential_id not in known]
        held.sort(key=_newest_last, reverse=True)
        return {"venue": venue, "trades": held[:count]}

    async def candles(self, symbol: str, query: Query) -> dict[str, Any]:
        """Candles of a market, newest first."""
        venue, upstream = self._venue(query)
        _check_listed(symbol, await self._listed(venue))
        units = upstream.client.venue.facts.candle_units
        unit = query.get("unit", _DEFAULT_UNIT)
        if unit not in units:
            raise Problem("not_found", f"{venue} has no such unit; it has {', '.join(units)}")
        count = _number(query, "count", 200, 1, 1000) or 0
        before = _number(query, "before", None, 0, 2**53)
        found: list[Event] = []
        for _ in range(_PAGES):
            page = await self._candles(upstream, symbol, unit, before)
            found += page
            oldest = None if not page else _window_ms(page[-1])
            if len(found) >= count or oldest is None or (before is not None and oldest >= before):
                break
            before = oldest
        return {"venue": venue, "unit": unit, "candles": found[:count]}

    async def _candles(self, upstream: Upstream, symbol: str, unit: str, before: int | None) -> list[Any]:
        key = ("candles", symbol, unit, before)
        return await self._asker(upstream).ask(key, lambda: upstream.client.past_candles(symbol, unit, before))

    def _asker(self, upstream: Upstream) -> Asker:
        """Asks the exchange. Raises Problem behind a broker."""
        if not upstream.asks:
            raise Problem("not_found", NOT_ASKED)
        return self._askers[upstream.name]

    def gaps(self, query: Query) -> dict[str, Any]:
        """Rows of the gap ledger, newest first."""
        names = [chosen(query["venue"], self._fanout.upstreams)] if "venue" in query else list(self._fanout.upstreams)
        rows = [row for name in names for row in self._fanout.upstreams[name].client.gaps()]
        symbol = query.get("symbol")
        chosen_rows = [row for row in rows if symbol in (None, row.subscription.symbol)]
        chosen_rows.sort(key=lambda row: row.from_ns, reverse=True)
        return {"gaps": chosen_rows[: _number(query, "count", 1000, 1, 10_000)]}

    def connections(self, clients: Mapping[str, int]) -> dict[str, Any]:
        """Every upstream connection, what is left of the limits, local clients."""
        connections: list[ConnectionMetrics] = []
        limits: list[dict[str, Any]] = []
        for name, upstream in self._fanout.upstreams.items():
            connections += upstream.client.connection_metrics()
            for group, windows in upstream.client.get_rate_limiter_status().items():
                for one in windows:
                    what = f"{group} {one.group}".strip()
                    limits.append({
                        "venue": name, "group": what, "left": one.left, "count": one.count, "seconds": one.seconds,
                    })  # fmt: skip
        return {"at_ns": time.time_ns(), "connections": connections, "limits": limits, "clients": clients}

    def health(self) -> tuple[bool, dict[str, Any]]:
        """Whether all is not unhealthy; how well the feed is, and how old the data of each stream."""
        found = [upstream.client.get_health_status() for upstream in self._fanout.upstreams.values()]
        order = (HealthState.UNHEALTHY, HealthState.DEGRADED, HealthState.HEALTHY)
        status = min((one.status for one in found), key=order.index)
        same = [one for one in found if one.status == status]
        last = max((one for one in found), key=lambda one: one.last_error_ns or 0)
        return status != HealthState.UNHEALTHY, {
            "status": status,
            "reasons": [reason for one in found for reason in one.reasons],
            "since_ns": min(one.since_ns for one in same),
            "idle": all(one.idle for one in found),
            "uptime_seconds": max(one.uptime_seconds for one in found),
            "total_messages_processed": sum(one.total_messages_processed for one in found),
            "connection_errors": sum(one.connection_errors for one in found),
            "last_error": last.last_error,
            "last_error_ns": last.last_error_ns,
            "streams": [row for upstream in self._fanout.upstreams.values() for row in self._ages(upstream)],
        }

    def ready(self) -> bool:
        """Whether every stream that is wanted has had data, and its connection is open."""
        for upstream in self._fanout.upstreams.values():
            if upstream.channels and not upstream.client.is_connected:
                return False
        return True

    def _ages(self, upstream: Upstream) -> list[dict[str, Any]]:
        now = self._loop.time()
        return [
            {
                "venue": upstream.name, "type": one.kind, "symbol": one.symbol, "unit": one.unit,
                "age_seconds": None if channel.heard_at is None else round(now - channel.heard_at, 3),
                "messages": channel.count,
            }
            for one, channel in upstream.channels.items()
        ]  # fmt: skip

    def _venue(self, query: Query) -> tuple[str, Upstream]:
        venue = chosen(query.get("venue"), self._fanout.upstreams)
        return venue, self._fanout.upstreams[venue]

    async def _listed(self, venue: str) -> Mapping[str, Market]:
        upstream = self._fanout.upstreams[venue]
        listed = await self._askers[venue].ask("markets", upstream.markets)
        return AnyMarket() if upstream.takes_any else {market.symbol: market for market in listed}

    def _channel(self, upstream: Upstream, subscription: Subscription) -> Channel | None:
        return upstream.channels.get(subscription) if upstream.client.is_connected else None

    def _held(self, upstream: Upstream, subscription: Subscription) -> Event | None:
        channel = self._channel(upstream, subscription)
        return None if channel is None else channel.latest


def _check_listed(symbol: str, listed: Mapping[str, Market]) -> None:
    if symbol not in listed:
        raise Problem("not_found", "there is no such market; /v1/markets lists them")


def _number(query: Query, name: str, default: int | None, low: int, high: int) -> int | None:
    text = query.get(name)
    if text is None:
        return default
    if not (text.isascii() and text.isdigit() and len(text) < 18 and low <= int(text) <= high):
        raise Problem("bad_request", f"{name} must be a whole number from {low:,} to {high:,}")
    return int(text)


def _level(query: Query) -> float:
    try:
        level = float(query.get("level", "0"))
    except ValueError:
        level = -1.0
    if not 0 <= level < 1e12:
        raise Problem("bad_request", "level must be a number, 0 or more")
    return level


def _newest_last(event: Any) -> tuple[int, int]:
    return (event.trade_timestamp or event.timestamp or 0, event.sequential_id or 0)


def _window_ms(candle: Any) -> int | None:
    """When its window began (Unix ms, UTC)."""
    text = candle.candle_date_time_utc
    if text is None:
        return None
    moment = datetime.fromisoformat(text)
    return int((moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp() * 1000)
