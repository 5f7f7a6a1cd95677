"""OKX played by ourselves: who is let in, the talks on its three paths, REST beside them (spec/okx.md part A).

Where OKX's behaviour is unknown (spec, Uncertain) there is a switch; a client must work with either side of it.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

import msgspec

from tapewire.venues.exchange import (
    Caller,
    Conversation,
    Due,
    HttpAnswer,
    HttpCall,
    MarketView,
    Rhythm,
    SimKey,
    Terms,
)
from tapewire.venues.okx.profile import Stack
from tapewire.venues.okx.sim_auth import Doorman, Unauthorized
from tapewire.venues.okx.sim_books import Books
from tapewire.venues.okx.sim_instruments import terms
from tapewire.venues.okx.sim_ledger import Terminals, order_id, seen_order
from tapewire.venues.okx.sim_private import PrivateTalk
from tapewire.venues.okx.sim_rest import PUBLIC_CALLS, BadCall, Shown
from tapewire.venues.okx.sim_rows import UNITS, Rows
from tapewire.venues.okx.sim_signed import SIGNED_CALLS, Asked, SignedCall, read_query
from tapewire.venues.okx.sim_switches import Switches
from tapewire.venues.okx.sim_talk import Census, Talk
from tapewire.venues.trading import Order, TradingDesk

_SIDES = ("public", "business", "private")
_COUNTED = (b'"subscribe"', b'"unsubscribe"', b'"login"')
_UNITS = tuple(dict.fromkeys(UNITS.values()))
_FAILED = {"0": "", "1": "All operations failed", "2": "Bulk operation partially succeeded."}


class OkxExchange:
    """One stack.

    Args:
        stack: whose keys it knows.
        switches: see ``Switches``.
        keys: whose signatures are accepted.
    """

    ws_path = "/ws/v5"
    tells_tapes = True
    candle_units = UNITS
    is_text = True
    passphrases = True
    too_many = "60014"
    idle_timeout = 30.0  # A3
    idle_close: tuple[int, str] | None = (4004, "No data received in 30s.")
    connects: tuple[tuple[int, float], ...] = ((3, 1.0),)  # A2
    messages: tuple[tuple[int, float], ...] = ((480, 3600.0),)  # A2
    messages_per_address = False
    origin: tuple[int, float] | None = None
    rhythm = Rhythm(
        book_pause=0.1, book_spread=0.0, fast_pause=0.01, ticker_pause=0.1, quiet=60.0, depth=400, late=0.0,
        counted=True, every_window=True, units=_UNITS, closing_units=_UNITS, closing=0.05,
    )  # fmt: skip

    def __init__(self, stack: Stack, switches: Switches | None = None, keys: Iterable[SimKey] = ()) -> None:
        self.switches = switches or Switches()
        self.paths: Mapping[str, str] = {f"{self.ws_path}/{side}": side for side in _SIDES}  # A1
        self._doorman = Doorman(keys, demo=stack.demo)
        self._books = Books(summed=self.switches.checksums or self.switches.fields == "2022")
        self._said = Terminals()
        self._census = Census(self.switches.connections_most)
        self._rows: Rows | None = None

    def handshake(self, path: str, headers: Mapping[str, str], address: str = "") -> HttpAnswer | Caller:  # noqa: ARG002 - the login is a message
        """Every path is open to all; who wants more logs in (A4)."""
        side = self.paths.get(path)
        if side is None:
            return HttpAnswer(404, b"Not Found", (("Content-Type", "text/plain"),))
        return Caller(side, address=address)

    def refusal(self, status: int) -> HttpAnswer | None:  # noqa: ARG002 - none is known
        """Refusals of a handshake come from a proxy."""
        return None

    def counts(self, payload: bytes) -> bool:
        """Subscribe, unsubscribe and login are counted; orders and pings are not (A2)."""
        return any(word in payload[:256] or word in payload[-256:] for word in _COUNTED)

    def conversation(self, market: MarketView, caller: Caller, desk: TradingDesk) -> Conversation:
        """The talk on a new connection."""
        common: dict[str, Any] = {
            "switches": self.switches, "market": market, "books": self._books, "rows": self._shown(market).rows,
            "doorman": self._doorman, "census": self._census, "caller": caller,
        }  # fmt: skip
        if caller.side == "private":
            return PrivateTalk(desk=desk, said=self._said, **common)
        return Talk(**common)

    def observe(self, due: Due, market: MarketView) -> None:
        """Books are one chain of messages for everybody."""
        self._books.observe(due, market)

    def told_order(self, order: Order) -> tuple[str, str]:
        """``ordId`` and ``state`` (A7.1)."""
        return order_id(order.uuid), seen_order(order).state

    def terms(self, code: str, price: float | None) -> Terms:
        """See ``sim_instruments.terms``."""
        return terms(code, price)

    def made_up(self, number: int) -> str:
        """A spot market in dollars."""
        return f"SIM{number}-USDT"

    # -- REST ---------------------------------------------------------------------------------------------------

    def group(self, call: HttpCall) -> tuple[str, int, float]:
        """Each call has a limit of its own, that of instruments one for each type (A8)."""
        if (signed := SIGNED_CALLS.get((call.method, call.path))) is not None:
            return f"{call.method} {call.path}", signed.calls, 2.0
        known = PUBLIC_CALLS.get(call.path)
        kind = read_query(call).get("instType", "") if call.path.endswith("/instruments") else ""
        return (f"{call.path} {kind}".strip(), known.calls, known.seconds) if known else ("unknown", 20, 2.0)

    def http(self, call: HttpCall, market: MarketView, desk: TradingDesk) -> HttpAnswer:
        """Answer one call."""
        try:
            if (signed := SIGNED_CALLS.get((call.method, call.path))) is not None:
                return self._signed(call, signed, market, desk)
            public = PUBLIC_CALLS.get(call.path) if call.method == "GET" else None
            if public is None:
                return _answer([], "50404", "Invalid path or method", 404)
            return _answer(public.make(read_query(call), self._shown(market)))
        except Unauthorized as refused:
            return _answer([], refused.code, refused.message, refused.status)
        except BadCall as bad:
            return _answer([], bad.code, bad.message, bad.status)

    def _signed(self, call: HttpCall, signed: SignedCall, market: MarketView, desk: TradingDesk) -> HttpAnswer:
        key = self._doorman.admit(call, market.now_ms)
        if signed.permission not in key.permissions:
            raise Unauthorized("50120", "This API key doesn't have permission to use this function")
        data = signed.make(Asked(read_query(call), call.body, key, market, desk, self._said, self.switches))
        if call.method == "GET":
            return _answer(data)
        bad = sum(result["sCode"] != "0" for result in data)
        code = "0" if not bad else "1" if bad == len(data) else "2"
        return _answer(data, code, _FAILED[code])

    def limited(self, status: int, seconds: float | None) -> HttpAnswer:
        """50011; the wait is stated only when one is given."""
        answer = _answer([], "50011", "Too Many Requests", status)
        wait = () if seconds is None else (("Retry-After", f"{seconds:g}"),)
        return HttpAnswer(answer.status, answer.body, answer.headers + wait)

    def http_headers(self, group: tuple[str, int, float], left: int) -> tuple[tuple[str, str], ...]:  # noqa: ARG002 - it says nothing of limits
        """None."""
        return ()

    def _shown(self, market: MarketView) -> Shown:
        if self._rows is None:
            self._rows = Rows(market, self._books, self.switches)
        return Shown(market, self._rows, self._books)


def _answer(data: list[Any], code: str = "0", message: str = "", status: int = 200) -> HttpAnswer:
    body = msgspec.json.encode({"code": code, "msg": message, "data": data})
    return HttpAnswer(status, body, (("Content-Type", "application/json"),))


def exchange(stack: Stack, switches: Mapping[str, Any] | None = None, keys: Iterable[SimKey] = ()) -> OkxExchange:
    """``Venue.exchange`` of a stack: a simulated exchange with these ``Switches`` by name, and these keys.

    Raises:
        msgspec.ValidationError: a switch that does not exist or has a value of another type.
    """
    return OkxExchange(stack, msgspec.convert(dict(switches or {}), Switches), keys)
