"""A gateway that means harm: every text it sends wants to be a program."""

from __future__ import annotations

import json
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from aiohttp import web

from tests.dashboard.conftest import hand_out

#: Whoever is executed says so: ``window.harm``.
DO = "window.harm=(window.harm||0)+1"
CORPUS = (
    f"<script>{DO}</script>",
    f"<SCRIPT SRC=data:text/javascript,{DO}></SCRIPT>",
    f"<img src=x onerror='{DO}'>",
    f"<img src=x onerror={DO}//",
    f'"><img src=x onerror={DO}>',
    f"'><svg onload={DO}>",
    f"<svg/onload={DO}>",
    f"<svg><script>{DO}</script></svg>",
    f"<svg><animate onbegin={DO} attributeName=x dur=1s>",
    f"<body onload={DO}>",
    f"<iframe srcdoc='<script>parent.{DO}</script>'>",
    f'<iframe src="javascript:{DO}">',
    f'<object data="javascript:{DO}">',
    f'<embed src="javascript:{DO}">',
    f'<a href="javascript:{DO}">x</a>',
    f"<details open ontoggle={DO}>",
    f"<input autofocus onfocus={DO}>",
    f"<select autofocus onfocus={DO}>",
    f"<video><source onerror={DO}>",
    f"<audio src=x onerror={DO}>",
    f"<marquee onstart={DO}>",
    f"<math><mtext></mtext><script>{DO}</script></math>",
    f"<style>@import 'javascript:{DO}';</style>",
    f'<link rel=stylesheet href="javascript:{DO}">',
    f'<meta http-equiv=refresh content="0;url=javascript:{DO}">',
    f'<base href="javascript:{DO}//">',
    f'<form action="javascript:{DO}"><button>x</button></form>',
    f'<button formaction="javascript:{DO}">x</button>',
    f"<template><script>{DO}</script></template>",
    f'<noscript><p title="</noscript><img src=x onerror={DO}>">',
    f'<p style="background:url(javascript:{DO})">',
    f'<table background="javascript:{DO}">',
    f"</title><script>{DO}</script>",
    f"</textarea><script>{DO}</script>",
    f"</script><script>{DO}</script>",
    f"--><script>{DO}</script>",
    f"]]><script>{DO}</script>",
    f"javascript:{DO}",
    f"JaVaScRiPt:{DO}",
    f"java\tscript:{DO}",
    f"\x01javascript:{DO}",
    f"data:text/html,<script>{DO}</script>",
    f"${{{DO}}}",
    f"{{{{constructor.constructor('{DO}')()}}}}",
    f"';{DO};//",
    f'";{DO};//',
    f"\u2028;{DO}",
    f"&lt;script&gt;{DO}&lt;/script&gt;",
    f"%3Cscript%3E{DO}%3C/script%3E",
    f"<x onclick={DO} onmouseover={DO} tabindex=1 onfocus={DO} id=x>",
    f"\u202e<script>{DO}</script>\u0000\u001b[31m",
    "__proto__",
)  # fmt: skip
NOW = int(time.time() * 1000)


def market(text: str) -> dict[str, Any]:
    return {"symbol": text, "base": text, "quote": text[:12], "name": text, "local_name": text, "warning": True}


def ticker(text: str, venue: str) -> dict[str, Any]:
    figures = {"trade_price": 7.5, "signed_change_rate": 0.1, "acc_trade_price_24h": 5.0, "timestamp": NOW}
    return {"type": "ticker", "venue": venue, "symbol": text, "received_ns": NOW * 10**6} | figures


def stream(text: str) -> dict[str, Any]:
    return {"kind": text, "symbol": text, "unit": text, "depth": None, "level": 0, "detail": text}


def news(text: str, venue: str) -> list[dict[str, Any]]:
    """Every kind of the feed's events, and one that nobody knows."""
    common = {"venue": venue, "connection": text, "at_ns": NOW * 10**6}
    streams = {"subscriptions": [stream(text)], "subscription": stream(text)}
    return [
        common | streams | one
        for one in (
            {"type": "disconnected", "loss": {"cause": text, "reason": text}, "final": False},
            {"type": "rejected", "name": text, "message": text},
            {"type": "subscribed"},
            {"type": "stale", "cause": text, "over": False},
            {"type": "lagged", "subscriber": text, "dropped": text},
            {"type": text},
            gap(text, venue),
        )
    ]


def gap(text: str, venue: str) -> dict[str, Any]:
    times = {"from_ns": NOW * 10**6, "to_ns": NOW * 10**6 + 1, "recovered": 1}
    said = {"cause": text, "state": text, "subscription": stream(text)}
    return {"type": "gap", "venue": venue, "connection": text, "at_ns": NOW * 10**6} | times | said


def announcement(text: str, venue: str) -> dict[str, Any]:
    said = {"uuid": text, "title": text, "category": text, "url": text, "listed_at": text, "body": text}
    return {"type": "announcement", "venue": venue, "symbol": ""} | said


def connection(text: str, venue: str) -> dict[str, Any]:
    said = {"name": text, "venue": venue, "side": text, "url": text, "state": text, "last_error": text}
    figures = {"uptime_seconds": 1, "messages_per_second": 1, "subscriptions": 1, "reconnects": 0, "open_gaps": 0}
    return said | figures | {"latency_ms": None, "messages_received": 1, "last_error_ns": None}


class HostileGateway:
    """The gateway's doors, each with the whole corpus. ``venue`` is a harmful name, too."""

    def __init__(self) -> None:
        self.venue = CORPUS[2]

    async def venues(self, _: web.Request) -> web.Response:
        units = {"candle_units": ["1m", *CORPUS]}
        kinds = {"kinds": ["ticker", "trade", "orderbook", "candle", "announcement"]}
        return web.json_response({"version": CORPUS[0], "venues": [{"name": self.venue} | kinds | units]})

    async def markets(self, _: web.Request) -> web.Response:
        return web.json_response({"venue": self.venue, "markets": [market(text) for text in CORPUS]})

    async def gaps(self, _: web.Request) -> web.Response:
        return web.json_response({"gaps": [gap(text, self.venue) for text in CORPUS]})

    async def refused(self, _: web.Request) -> web.Response:
        return web.json_response({"error": {"name": CORPUS[0], "message": CORPUS[2]}}, status=502)

    async def connections(self, _: web.Request) -> web.Response:
        limits = [{"venue": text, "group": text, "left": 1, "count": 2, "seconds": 1} for text in CORPUS]
        connections = [connection(text, self.venue) for text in CORPUS]
        clients = {"open": 1, "most": 1}
        return web.json_response(
            {"at_ns": NOW * 10**6, "connections": connections, "limits": limits, "clients": clients}
        )

    async def health(self, _: web.Request) -> web.Response:
        reasons = [{"status": "degraded", "connection": text, "text": text} for text in CORPUS]
        streams = [{"venue": text, "type": text, "symbol": text, "unit": text, "age_seconds": 1} for text in CORPUS]
        return web.json_response({"status": CORPUS[0], "reasons": reasons, "streams": streams})

    async def stream(self, request: web.Request) -> web.WebSocketResponse:
        socket = web.WebSocketResponse()
        await socket.prepare(request)
        for text in CORPUS:
            for event in (ticker(text, self.venue), announcement(text, self.venue)):
                await socket.send_str(json.dumps({"cursor": text, "event": event}))
            for one in news(text, self.venue):
                await socket.send_str(json.dumps({"news": one}))
        async for _ in socket:
            await socket.send_str(json.dumps({"error": {"name": CORPUS[0], "message": CORPUS[0]}}))
        return socket


@asynccontextmanager
async def hostile() -> AsyncIterator[str]:
    """Its address."""
    gateway = HostileGateway()
    app = web.Application()
    doors = {
        "/v1/stream": gateway.stream, "/v1/venues": gateway.venues, "/v1/markets": gateway.markets,
        "/v1/gaps": gateway.gaps, "/v1/connections": gateway.connections, "/health": gateway.health,
        "/v1/candles/{symbol:.*}": gateway.refused, "/v1/trades/{symbol:.*}": gateway.refused,
        "/{path:.*}": hand_out,
    }  # fmt: skip
    for path, door in doors.items():
        app.router.add_get(path, door)
    runner = web.AppRunner(app, shutdown_timeout=1.0)
    await runner.setup()
    try:
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        host, port = runner.addresses[0][:2]
        yield f"http://{host}:{port}"
    finally:
        await runner.cleanup()
