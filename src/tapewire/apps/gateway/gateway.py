"""The gateway as programs run it: clients in, one port out."""

from __future__ import annotations

import asyncio
import os
import ssl
from collections.abc import Iterable, Mapping, Sequence
from functools import partial
from types import TracebackType
from typing import Any, Self

from aiohttp import web

from tapewire.apps.gateway.access import Access, Token, is_loopback
from tapewire.apps.gateway.answers import Answers
from tapewire.apps.gateway.asker import Asker
from tapewire.apps.gateway.doors import Doors
from tapewire.apps.gateway.fanout import Fanout
from tapewire.apps.gateway.openapi import document
from tapewire.apps.gateway.outlet import Pump
from tapewire.apps.gateway.page import page
from tapewire.apps.gateway.problems import Problem
from tapewire.apps.gateway.server import Door, Port, answer
from tapewire.apps.gateway.settings import GatewayOptions
from tapewire.apps.gateway.upstream import Upstream
from tapewire.apps.gateway.visiting import Hall
from tapewire.apps.gateway.window import Window
from tapewire.client import WebSocketClient
from tapewire.errors import ConfigError, FeedError, UsageError
from tapewire.model.subscription import Subscription


class Gateway:
    """Serves what its clients hear to many local programs. ``async with``, or ``await start()`` and ``await stop()``.

    Args:
        clients: one for each venue, the first is the one that is meant where none is named; closed by ``stop``.
        options: where it listens, and its limits.
        tokens: who may use it; None: everybody, on an address of this machine alone.
        tls: certificate and key, needed on any other address.
        carried: venue → streams that are held from the beginning to the end, whoever wants them: those of a tape.

    Attributes:
        url: ``http://127.0.0.1:8765``, once it listens.

    Raises:
        ConfigError: an address of a network without tokens or without TLS; two clients of one venue.
    """

    def __init__(
        self,
        clients: WebSocketClient | Iterable[WebSocketClient],
        options: GatewayOptions | None = None,
        *,
        tokens: Sequence[Token] | None = None,
        tls: ssl.SSLContext | None = None,
        carried: Mapping[str, Iterable[Subscription]] | None = None,
    ) -> None:
        self._carried = dict(carried or {})
        self.options = options or GatewayOptions()
        given = [clients] if isinstance(clients, WebSocketClient) else list(clients)
        self._clients = {client.venue.name: client for client in given}
        if not given or len(self._clients) < len(given):
            raise ConfigError("clients", [client.venue.name for client in given], "one or more, each of another venue")
        check_exposure(self.options.host, has_tokens=bool(tokens), has_tls=tls is not None)
        self._tokens, self._tls = tokens, tls
        self.url = ""
        self._port: Port | None = None

    async def __aenter__(self) -> Self:
        await self.start()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.stop()

    async def start(self) -> None:
        """Listen.

        Raises:
            FeedError: the port is taken, or the address is not this machine's.
            UsageError: it listens already.
        """
        if self._port is not None:
            raise UsageError("this gateway listens already")
        options = self.options
        self._upstreams = {
            name: Upstream(client, options.linger, self._carried.get(name, ()))
            for name, client in self._clients.items()
        }
        self._pump = Pump()
        window = Window(os.urandom(4).hex(), seconds=options.window_seconds, size=options.window_bytes)
        self._fanout = Fanout(self._pump, window, self._upstreams, options.window_seconds)
        self._askers = {name: Asker() for name in self._clients}
        self._answers = Answers(self._fanout, self._askers)
        self._doors = Doors(self._fanout, options)
        access = Access(self._tokens, (options.host, *options.names), options.origins, secure=self._tls is not None)
        self._halls = [hall for name in self._clients if (hall := self._hall(name, access)) is not None]
        for name, client in self._clients.items():
            client.subscribe_feed(partial(self._fanout.tell, name))
            self._upstreams[name].carry()
        keyed = {path for hall in self._halls for path in hall.keyed}
        self._port = Port(options, access, self._tls, self._paths(), keyed)
        try:
            port = await self._port.listen()
        except OSError as error:
            self._port = None
            raise FeedError(f"gateway: cannot listen on {options.host}:{options.port}: {error.strerror}") from None
        shown = f"[{options.host}]" if ":" in options.host else options.host
        self.url = f"http{'s' if self._tls else ''}://{shown}:{port}"

    async def stop(self) -> None:
        """Say goodbye to local clients, close the port and the upstream lines. A second call does nothing."""
        port, self._port = self._port, None
        if port is None:
            return
        self._doors.close()
        for hall in self._halls:
            hall.close()
        await asyncio.sleep(0)  # the goodbyes go out
        await port.close()
        self._pump.close()
        self._fanout.close()
        for asker in self._askers.values():
            asker.close()
        for upstream in self._upstreams.values():
            upstream.forget()
        await asyncio.gather(*(client.cleanup() for client in self._clients.values()))

    @property
    def venues(self) -> tuple[str, ...]:
        """Names of what is served, the one that is meant where none is named first."""
        return tuple(self._clients)

    @property
    def figures(self) -> dict[str, int]:
        """Of local clients: open now, most at a time, cut for being slow, refused; messages sent and conflated."""
        port, pump = self._port, self._pump
        outlets = [member.outlet for member in self._doors.members]
        outlets += [visit.outlet for hall in self._halls for visit in hall.visits]
        return {
            "open": len(outlets), "most": port.most if port else 0, "cut": pump.cut,
            "refused": port.refused if port else 0, "sent": pump.sent,
            "conflated": pump.conflated + sum(outlet.conflated for outlet in outlets),
        }  # fmt: skip

    def _paths(self) -> dict[str, Door]:
        answers = self._answers
        return {
            "/": page,
            "/static/{path:.+}": page,
            "/v1/stream": self._doors.stream,
            "/v1/events": self._doors.events,
            "/v1/venues": self._plain(lambda _: answers.venues()),
            "/v1/markets": self._asked(lambda request: answers.markets(request.query)),
            "/v1/tickers": self._asked(lambda request: answers.tickers(request.query)),
            "/v1/orderbook/{symbol}": self._asked(
                lambda request: answers.orderbook(request.match_info["symbol"], request.query)
            ),
            "/v1/trades/{symbol}": self._asked(
                lambda request: answers.trades(request.match_info["symbol"], request.query)
            ),
            "/v1/candles/{symbol}": self._asked(
                lambda request: answers.candles(request.match_info["symbol"], request.query)
            ),
            "/v1/gaps": self._plain(lambda request: answers.gaps(request.query)),
            "/v1/connections": self._plain(lambda _: answers.connections(self.figures)),
            "/openapi.json": _document,
            "/health": self._health,
            "/ready": self._ready,
            "/metrics": self._metrics,
            "/{path:.*}": self._exchanges,
        }

    def _hall(self, name: str, access: Access) -> Hall | None:
        """A venue's own doors, if it has a side of the talk that can be served."""
        client = self._clients[name]
        if client.venue.serving is None:
            return None
        serving = client.venue.serving(client.options.format)
        return Hall(self._upstreams[name], serving, self._askers[name], self._pump, self.options, access)

    async def _exchanges(self, request: web.Request) -> web.StreamResponse:
        """A path of an exchange's own: of the first venue that has it."""
        for hall in self._halls:
            if hall.serving.forwards(request.path) or request.path in hall.serving.private_reads:
                return await hall.read(request)
        for hall in self._halls:
            if request.path in hall.serving.paths:
                return await hall.door(request)
        raise Problem("not_found")

    @staticmethod
    def _plain(read: Any) -> Door:
        async def door(request: web.Request) -> web.StreamResponse:
            return answer(read(request))

        return door

    def _asked(self, ask: Any) -> Door:
        async def door(request: web.Request) -> web.StreamResponse:
            for hall in self._halls:
                if hall.serving.forwards(request.path):  # /v1/trades/ticks is Upbit's, and no market
                    return await hall.read(request)
            return answer(await ask(request))

        return door

    async def _health(self, _request: web.Request) -> web.StreamResponse:
        well, facts = self._answers.health()
        return answer(facts, 200 if well else 503)

    async def _ready(self, _request: web.Request) -> web.StreamResponse:
        ready = self._answers.ready()
        return answer({"ready": ready}, 200 if ready else 503)

    async def _metrics(self, request: web.Request) -> web.StreamResponse:
        from prometheus_client import CollectorRegistry  # noqa: PLC0415 - heavy, loaded when used
        from prometheus_client.exposition import choose_encoder  # noqa: PLC0415

        registry = CollectorRegistry()
        registry.register(next(iter(self._clients.values())).metrics_collector())
        encode, content_type = choose_encoder(request.headers.get("Accept", ""))
        return web.Response(body=encode(registry), headers={"Content-Type": content_type})


async def _document(_request: web.Request) -> web.StreamResponse:
    return web.Response(body=document(), content_type="application/json")


def check_exposure(host: str, *, has_tokens: bool, has_tls: bool) -> None:
    """Raises ConfigError for an address that others reach, without tokens or without TLS."""
    if is_loopback(host):
        return
    if not has_tokens:
        raise ConfigError("listen", host, "an address of this machine (127.0.0.1), or used with a tokens file")
    if not has_tls:
        raise ConfigError("listen", host, "an address of this machine (127.0.0.1), or used with a certificate")
