"""Upbit played by ourselves: who is let in, the talks on its three sides, REST beside it (spec/upbit.md 1 to 9).

Where Upbit's behaviour is unknown (spec section 11) there is a switch; a client must work with either side of it.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from types import MappingProxyType
from typing import Any

import msgspec

from tapewire.errors import ConfigError
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
from tapewire.venues.trading import Order, TradingDesk
from tapewire.venues.upbit.profile import Region, facts
from tapewire.venues.upbit.sim_auth import Doorman, Unauthorized, demand
from tapewire.venues.upbit.sim_orders import answer_signed, is_signed
from tapewire.venues.upbit.sim_rest import answer as rest_answer
from tapewire.venues.upbit.sim_rest import group_of
from tapewire.venues.upbit.sim_signed import InfoTalk, PrivateTalk, WarmUp
from tapewire.venues.upbit.sim_switches import Switches
from tapewire.venues.upbit.sim_talk import PublicTalk


class UpbitExchange:
    """One region.

    Args:
        region: whose hosts, quotes and levels it has.
        switches: see ``Switches``.
        keys: whose tokens are accepted.
    """

    ws_path = "/websocket/v1"
    tells_tapes = True
    candle_units: Mapping[str, str] = MappingProxyType({})
    too_many = "TOO_MANY_REQUEST"
    origin: tuple[int, float] | None = (1, 10.0)  # section 7.1
    idle_close: tuple[int, str] | None = None
    rhythm = Rhythm()
    passphrases = False

    def __init__(self, region: Region, switches: Switches | None = None, keys: Iterable[SimKey] = ()) -> None:
        known = facts(region)
        self.region, self.switches = region, switches or Switches()
        self.is_text = self.switches.text_frames
        self.idle_timeout = known.idle_timeout
        self.connects = tuple((window.count, window.seconds) for window in known.connects)
        self.messages = tuple((window.count, window.seconds) for window in known.messages)
        self.messages_per_address = self.switches.messages_per_address
        self.paths = {f"{self.ws_path}{suffix}": side for side, suffix in known.sides.items()}  # section 1
        self._doorman, self._warm_up = Doorman(keys), WarmUp(self.switches.asset_warmup)

    def handshake(self, path: str, headers: Mapping[str, str], address: str = "") -> HttpAnswer | Caller:
        """The public side is open to all; the others look at the token (sections 2 and 5.2)."""
        side = self.paths.get(path)
        if side is None:
            return _json(404, _error(404, "Not Found"))
        if side == "public":
            return Caller()
        try:
            key = self._doorman.admit(headers, address)
            if side == "private" and self.switches.scope_at_handshake:
                demand(key, "view_orders", "view_accounts")
        except Unauthorized as error:
            return unauthorized(error, self.switches)
        return Caller(side, key)

    def refusal(self, status: int) -> HttpAnswer | None:
        """401 and 403 have a name of section 5.2; all else is a proxy's plain text."""
        name = {401: "jwt_verification", 403: "out_of_scope"}.get(status)
        return None if name is None else _json(status, _error(name, Unauthorized(name).message))

    def counts(self, payload: bytes) -> bool:
        """Whether a message counts against the limits."""
        return self.switches.ping_counts or payload != b"PING"

    def observe(self, due: Due, market: MarketView) -> None:
        """Nothing is kept of what was published."""

    def told_order(self, order: Order) -> tuple[str, str]:
        """``uuid`` and ``state`` (section 4.5)."""
        return order.uuid, order.state

    def terms(self, code: str, price: float | None) -> Terms:  # noqa: ARG002 - the price tells the tick elsewhere
        """Codes are quote and base (section 3.3); markets of the local currency can be grouped in Korea."""
        quote, _, base = code.partition("-")
        if not base or code != code.upper() or quote not in self.region.quotes:
            quotes = ", ".join(self.region.quotes)
            raise ConfigError(
                "markets", code, f"a code in capitals such as {self.region.quotes[0]}-BTC, quoted in {quotes}"
            )
        return Terms(base=base, quote=quote, grouped=self.region.levels and quote == self.region.quotes[0])

    def made_up(self, number: int) -> str:
        """A code in the local currency."""
        return f"{self.region.quotes[0]}-SIM{number}"

    def conversation(
        self,
        market: MarketView,
        caller: Caller,
        desk: TradingDesk | None = None,  # noqa: ARG002 - what it does is published
    ) -> Conversation:
        """The talk on a new connection."""
        if caller.side == "private" and caller.key is not None:
            return PrivateTalk(self.switches, market, caller.key, self._warm_up)
        if caller.side == "info":
            return InfoTalk(self.switches, market, self.region)
        return PublicTalk(self.switches, market, market.lacks)

    def group(self, call: HttpCall) -> tuple[str, int, float]:
        """Name and size of the limit that a call counts against (section 7.2)."""
        return group_of(call, korea=self.region.levels)

    def http(self, call: HttpCall, market: MarketView, desk: TradingDesk) -> HttpAnswer:
        """Answer one call (spec 9): orders and balances to who is known, quotations to all."""
        if not is_signed(call):
            status, body = rest_answer(call, market, self.region)
        else:
            status, body = answer_signed(call, self._doorman, market, desk, scope_status=self.switches.scope_status)
        return _json(status, body)

    def limited(self, status: int, seconds: float | None) -> HttpAnswer:
        """429 or 418; the wait is stated only when one is given (``Retry-After`` is not documented)."""
        headers = (("Content-Type", "text/plain"),)
        wait = () if seconds is None else (("Retry-After", f"{seconds:g}"),)
        text = "Too many API requests." if status == 429 else f"I'm a teapot. Blocked for {seconds or 0:g} seconds."
        return HttpAnswer(status, text.encode(), headers + wait)

    def http_headers(self, group: tuple[str, int, float], left: int) -> tuple[tuple[str, str], ...]:
        """Headers of section 7.2."""
        name, count, _ = group
        remaining = ("Remaining-Req", f"group={name}; min={count * 60}; sec={left}")
        return (remaining,) if name in ("default", "order") else (remaining, ("Limit-By-Ip", "Yes"))


def unauthorized(error: Unauthorized, switches: Switches) -> HttpAnswer:
    """The answer to a handshake whose token is not accepted."""
    status = switches.scope_status if error.name == "out_of_scope" else switches.refused_status
    return _json(status, _error(error.name, error.message))


def _error(name: str | int, message: str) -> dict[str, Any]:
    return {"error": {"name": name, "message": message}}


def _json(status: int, body: object) -> HttpAnswer:
    return HttpAnswer(status, msgspec.json.encode(body), (("Content-Type", "application/json; charset=utf-8"),))


def exchange(region: Region, switches: Mapping[str, Any] | None = None, keys: Iterable[SimKey] = ()) -> UpbitExchange:
    """``Venue.exchange`` of a region: a simulated exchange with these ``Switches`` by name, and these keys.

    Raises:
        msgspec.ValidationError: a switch that does not exist or has a value of another type.
    """
    return UpbitExchange(region, msgspec.convert(dict(switches or {}), Switches), keys)
