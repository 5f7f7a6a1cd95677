"""A ``Simulator`` in a thread with a loop of its own, for tests and programs that have no loop to spare."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable, Coroutine
from copy import copy
from types import TracebackType
from typing import Any, Self, TypeVar

from tapewire.model.events import TradeEvent
from tapewire.sim.link import Pinged, Sent, Violation
from tapewire.sim.scenario import Scenario
from tapewire.sim.server import Simulator
from tapewire.venues.exchange import SimKey
from tapewire.venues.trading import Order, Side

_Result = TypeVar("_Result")
_PATIENCE = 10.0  # seconds for any answer of the thread


class BackgroundSimulator:
    """The same exchange and the same words as ``Simulator``; every call may come from any thread.

    Args:
        options: the fields of ``Scenario``.
    """

    def __init__(self, **options: Any) -> None:
        self._simulator = Simulator(Scenario(**options))
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._run, name="tapewire-simulator", daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        try:
            self._await(self._simulator.start())
        except BaseException:
            self._end()
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        try:
            self._await(self._simulator.stop())
        finally:
            self._end()

    @property
    def url(self) -> str:
        """``ws://127.0.0.1:PORT/websocket/v1``."""
        return self._simulator.url

    @property
    def urls(self) -> dict[str, str]:
        """Side → address; what is served under ``url`` itself is ``public``."""
        return self._simulator.urls

    @property
    def rest_url(self) -> str:
        """``http://127.0.0.1:PORT``."""
        return self._simulator.rest_url

    @property
    def connects(self) -> list[float]:
        """When each handshake came, seconds since the start."""
        return self._call(lambda: self._simulator.connects)

    @property
    def requests(self) -> list[Sent]:
        """Every message of every client."""
        return self._call(lambda: self._simulator.requests)

    @property
    def violations(self) -> list[Violation]:
        """Every limit broken by a client."""
        return self._call(lambda: self._simulator.violations)

    @property
    def pings(self) -> list[Pinged]:
        """Every PING frame that was sent to a client, and when its pong came."""
        return self._call(lambda: self._simulator.pings)

    @property
    def trades(self) -> list[TradeEvent]:
        """Every trade the market published."""
        return self._call(lambda: self._simulator.trades)

    @property
    def connected(self) -> int:
        """Open connections."""
        return self._call(lambda: self._simulator.connected)

    @property
    def keys(self) -> tuple[SimKey, ...]:
        """The API keys that its private and info sides accept."""
        return self._simulator.keys

    def orders(self, account: str | None = None) -> list[Order]:
        """All orders of an account, oldest first: copies of how they stand."""
        return self._call(lambda: [copy(order) for order in self._simulator.orders(account)])

    def place_order(self, symbol: str, side: Side, *, account: str | None = None, **asked: Any) -> Order:
        """Place an order as a customer would; how it stands after that. See ``Simulator.place_order``."""
        return self._call(lambda: copy(self._simulator.place_order(symbol, side, account=account, **asked)))

    def cancel_order(self, uuid: str, *, account: str | None = None) -> Order:
        """Cancel an open order."""
        return self._call(lambda: copy(self._simulator.cancel_order(uuid, account=account)))

    def announce(self, title: str, category: str = "notice", body: str | None = None, uuid: str | None = None) -> str:
        """Publish an announcement, or the change of the one called ``uuid``; its ``uuid``."""
        return self._call(lambda: self._simulator.announce(title, category, body, uuid))

    def close_candles(self, timeframe: str = "5m") -> None:
        """Tell indicators and signals of the running candles now."""
        self._call(lambda: self._simulator.close_candles(timeframe))

    def drop(self, code: int = 1000, reason: str = "", *, side: str | None = None) -> None:
        """Close every connection (``side``: of that side only) with a close frame."""
        self._call(lambda: self._simulator.drop(code, reason, side=side))

    def abort(self, *, side: str | None = None) -> None:
        """Break every connection without a close frame."""
        self._call(lambda: self._simulator.abort(side=side))

    def freeze(self, *, side: str | None = None) -> None:
        """Half-open: everything vanishes both ways."""
        self._call(lambda: self._simulator.freeze(side=side))

    def cut(self) -> None:
        """Send half a frame on every connection, then break it."""
        self._call(self._simulator.cut)

    def silence(self, seconds: float | None = None) -> None:
        """Stop the data; pings are answered."""
        self._call(lambda: self._simulator.silence(seconds))

    def ping(self, within: float = 10.0) -> None:
        """Send a PING frame on every connection; one whose pong has not come ``within`` so many seconds is cut."""
        self._call(lambda: self._simulator.ping(within))

    def inject(self, payload: bytes, *, is_text: bool = False) -> None:
        """Send one frame of your own on every connection."""
        self._call(lambda: self._simulator.inject(payload, is_text=is_text))

    def refuse(self, status: int, headers: tuple[tuple[str, str], ...] = (), body: bytes = b"", times: int = 1) -> None:
        """Answer the next handshakes with an HTTP status."""
        self._call(lambda: self._simulator.refuse(status, headers, body, times))

    def maintenance(self, seconds: float) -> None:
        """Break every connection and be unreachable for some seconds."""
        self._call(lambda: self._simulator.maintenance(seconds))

    def slow(self, seconds: float) -> None:
        """Everything sent from now on arrives that much later."""
        self._call(lambda: self._simulator.slow(seconds))

    def _call(self, deed: Callable[[], _Result]) -> _Result:
        async def within() -> _Result:
            return deed()

        return self._await(within())

    def _await(self, coroutine: Coroutine[Any, Any, _Result]) -> _Result:
        return asyncio.run_coroutine_threadsafe(coroutine, self._loop).result(_PATIENCE)

    def _run(self) -> None:
        asyncio.set_event_loop(self._loop)
        self._loop.run_forever()

    def _end(self) -> None:
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(_PATIENCE)
        self._loop.close()
