"""The port of the gateway: who is let in, which door leads where, and what every answer has in common."""

from __future__ import annotations

import asyncio
import logging
import socket
import ssl
from collections.abc import Awaitable, Callable, Collection, Mapping
from datetime import UTC, datetime
from typing import Any

import aiofastnet
from aiohttp import web

from tapewire.apps.gateway.acceptor import Acceptor
from tapewire.apps.gateway.access import COOKIE, Access, Scope, is_loopback
from tapewire.apps.gateway.frames import body_of
from tapewire.apps.gateway.problems import OTHER_SCOPE, Problem
from tapewire.apps.gateway.settings import GatewayOptions
from tapewire.apps.gateway.turnstile import Turnstile
from tapewire.client.local import file_limit

_log = logging.getLogger(__name__)

Door = Callable[[web.Request], Awaitable[web.StreamResponse]]

#: On every answer; those of the page say more (``dashboard.page``). A browser takes nothing else for a document.
HEADERS: Mapping[str, str] = {
    "Content-Security-Policy": "default-src 'none'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Cache-Control": "no-store",
    "Server": "tapewire",
}
_SCOPE_OF: Mapping[str, Scope] = {"/metrics": "admin"}
#: What the token of a request allows.
SCOPES_KEY = web.RequestKey("scopes", frozenset)
_KEEP_ALIVE = 15.0
#: Connections that are no client's, as a multiple of all clients: with more than these, the newest are cut at once.
_FRESH = 4
#: Open files that are kept for the gateway itself: at least so many, and a quarter of what the system allows.
_OWN_FILES, _OWN_PART = 32, 4
#: Seconds that a WebSocket waits for its turn: less than clients wait for an answer.
_MOST_WAIT = 8.0
_LARGEST_BODY = 64 * 1024


class Port:
    """Listens, and lets in.

    Args:
        options: of the gateway.
        access: who may use it.
        tls: for ``https`` and ``wss``; None: neither.
        doors: path → what answers ``GET`` there.
        keyed: paths where no token is shown, but an exchange's key, which their door looks at.
    """

    def __init__(
        self,
        options: GatewayOptions,
        access: Access,
        tls: ssl.SSLContext | None,
        doors: Mapping[str, Door],
        keyed: Collection[str] = (),
    ) -> None:
        self._options, self._access, self._tls, self._keyed = options, access, tls, frozenset(keyed)
        app = web.Application(middlewares=[self._guard], client_max_size=_LARGEST_BODY)
        for path, door in doors.items():
            app.router.add_route("*", path, door)
        app.on_response_prepare.append(_dress)
        self._runner = web.AppRunner(
            app, access_log=None, handle_signals=False, shutdown_timeout=1.0, keepalive_timeout=_KEEP_ALIVE,
            lingering_time=1.0, max_field_size=8190, max_line_size=8190,
        )  # fmt: skip
        self._acceptor: Acceptor | None = None
        self._room = 0  # connections
        self._turnstile = Turnstile(options.connects, _MOST_WAIT)
        self._fresh: set[Any] = set()  # connections that have asked for nothing yet
        self._port = 0
        self.open = self.most = self.refused = 0
        self._by_address: dict[str, int] = {}

    async def listen(self) -> int:
        """Listen; the port that was got. Raises OSError."""
        await self._runner.setup()
        try:
            listeners = await self._bind(asyncio.get_running_loop())
        except BaseException:
            await self._runner.cleanup()
            raise
        self._room = self._connections_allowed()
        self._acceptor = Acceptor(listeners, self._is_full, self._connect)
        self._port = int(listeners[0].getsockname()[1])
        return self._port

    async def _bind(self, loop: asyncio.AbstractEventLoop) -> list[socket.socket]:
        """What listens, on every address of the host."""
        host, port, most = self._options.host, self._options.port, self._options.most_clients
        bound = await aiofastnet.create_server(loop, asyncio.Protocol, host, port, start_serving=False)
        listeners = [one.dup() for one in bound.sockets]
        bound.close()
        for one in listeners:
            one.setblocking(False)
            one.listen(most)
        return listeners

    def _connections_allowed(self) -> int:
        most, allowed = self._options.most_clients, file_limit().allowed
        if allowed is None:
            return most * (1 + _FRESH)
        room = max(1, allowed - max(_OWN_FILES, allowed // _OWN_PART))
        if room < most:
            _log.warning(
                "gateway: %d open files allow %d connections, not %d clients: raise them (ulimit -n %d)",
                allowed, room, most, 2 * (most + _OWN_FILES),
            )  # fmt: skip
        return min(room, most * (1 + _FRESH))

    def _is_full(self, arriving: int) -> bool:
        full = len(self._served().connections) + arriving >= self._room
        self.refused += full
        return full

    async def _connect(self, newcomer: socket.socket) -> None:
        """Over the transports of the exchange's lines: what they write costs less, and their code is at hand already.

        Not with TLS: there aiofastnet 1.2 reports a broken handshake as something that no handler can log.
        """
        loop = asyncio.get_running_loop()
        if self._tls is None:
            await aiofastnet.connect_accepted_socket(loop, self._protocol, newcomer)
            return
        patience = self._options.header_seconds
        await loop.connect_accepted_socket(self._protocol, newcomer, ssl=self._tls, ssl_handshake_timeout=patience)

    async def close(self) -> None:
        """Listen no more, and end what is open."""
        if self._acceptor is not None:
            await self._acceptor.close()
        await self._runner.cleanup()

    def _served(self) -> web.Server:
        server = self._runner.server
        assert server is not None  # noqa: S101 - setup() has run
        return server

    def _protocol(self) -> asyncio.Protocol:
        """Of a connection: one whose first request is not complete in time is cut."""
        protocol: Any = self._served()()
        self._fresh.add(protocol)
        asyncio.get_running_loop().call_later(self._options.header_seconds, self._expire, protocol)
        return protocol  # type: ignore[no-any-return]

    def _expire(self, protocol: Any) -> None:
        if protocol in self._fresh:
            self._fresh.discard(protocol)
            if protocol.transport is not None:
                protocol.transport.abort()

    @web.middleware
    async def _guard(self, request: web.Request, handler: Door) -> web.StreamResponse:
        """Every request goes by here; what is refused is told in constant words."""
        self._fresh.discard(request.protocol)
        try:
            self._check(request)
            with _Place(self, request.remote or ""):
                if "Upgrade" in request.headers:
                    await self._turn()
                return await handler(request)
        except Problem as problem:
            return refusal(problem)
        except web.HTTPException as error:
            return refusal(Problem("not_found" if error.status == 404 else "bad_request"))
        except Exception:
            _log.exception("the gateway failed to answer %s", request.path)
            return refusal(Problem("internal"))

    def _check(self, request: web.Request) -> None:
        headers = {name.lower(): value for name, value in request.headers.items()}
        host = headers.get("host", "")
        self._access.check_host(host, self._port)
        self._access.check_origin(headers.get("origin"), host)
        if request.method not in ("GET", "HEAD"):
            raise Problem("method_not_allowed")
        if request.path == "/" or request.path.startswith("/static/"):
            return
        now, wall = asyncio.get_running_loop().time(), datetime.now(UTC)
        if request.path in self._keyed:
            self._access.check_block(request.remote or "", now)
            return
        scopes = self._access.scopes(headers, request.cookies.get(COOKIE), request.remote or "", now, wall)
        if _SCOPE_OF.get(request.path, "market") not in scopes:
            raise Problem("unauthorized", OTHER_SCOPE)
        request[SCOPES_KEY] = scopes

    async def _turn(self) -> None:
        """Wait until one more may come in. Raises Problem when that is too long."""
        wait = self._turnstile.enter(asyncio.get_running_loop().time())
        if wait is None:
            raise Problem("unavailable", retry_after=_MOST_WAIT)
        if wait:
            await asyncio.sleep(wait)

    def enter(self, address: str) -> None:
        """One more request or connection is open. Raises Problem when that is one too many."""
        here = self._by_address.get(address, 0)
        crowded = here >= self._options.per_address and not is_loopback(address)
        if self.open >= self._options.most_clients or crowded:
            self.refused += 1
            raise Problem("unavailable", retry_after=1.0)
        self.open += 1
        self.most = max(self.most, self.open)
        self._by_address[address] = here + 1

    def leave(self, address: str) -> None:
        """One less is."""
        self.open -= 1
        self._by_address[address] -= 1
        if not self._by_address[address]:
            del self._by_address[address]


class _Place:
    """One open request."""

    def __init__(self, port: Port, address: str) -> None:
        self._port, self._address = port, address

    def __enter__(self) -> None:
        self._port.enter(self._address)

    def __exit__(self, *_: object) -> None:
        self._port.leave(self._address)


def refusal(problem: Problem) -> web.Response:
    """A problem as an answer."""
    headers = {} if problem.retry_after is None else {"Retry-After": str(max(1, round(problem.retry_after)))}
    if problem.status == 405:
        headers["Allow"] = "GET, HEAD"
    if problem.status == 401:
        headers["WWW-Authenticate"] = "Bearer"
    return web.Response(status=problem.status, body=problem.body, content_type="application/json", headers=headers)


def answer(value: Any, status: int = 200) -> web.Response:
    """A plain value as an answer."""
    return web.Response(status=status, body=body_of(value), content_type="application/json")


async def _dress(_request: web.Request, response: web.StreamResponse) -> None:
    for name, value in HEADERS.items():
        if name == "Server":  # aiohttp has put its own there
            response.headers[name] = value
        else:
            response.headers.setdefault(name, value)
