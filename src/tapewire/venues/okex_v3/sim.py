"""OKEX v3 played by ourselves: who is let in, the talk, REST beside it (spec/okx.md part B).

Where its behaviour is unknown or changed there is a switch; a client must work with either side of it.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from math import floor, log10
from typing import Any

import msgspec

from tapewire.errors import ConfigError
from tapewire.venues.exchange import Caller, Due, HttpAnswer, HttpCall, MarketView, Rhythm, SimKey, Terms
from tapewire.venues.okex_v3.profile import FACTS, PATH
from tapewire.venues.okex_v3.sim_auth import Keys
from tapewire.venues.okex_v3.sim_rest import answer
from tapewire.venues.okex_v3.sim_streams import CANDLES, Books, Streams
from tapewire.venues.okex_v3.sim_switches import Switches
from tapewire.venues.okex_v3.sim_talk import Talk
from tapewire.venues.okex_v3.symbols import EXAMPLES, split
from tapewire.venues.trading import Order, TradingDesk

_CONTRACT = 100_000_000  # one contract, in 1e-8


class OkexExchange:
    """The exchange as it was.

    Args:
        switches: see ``Switches``.
        keys: whose logins are accepted.
    """

    ws_path = PATH
    tells_tapes = False
    candle_units = CANDLES
    paths: Mapping[str, str] = {PATH: "public"}
    is_text = False
    passphrases = True
    too_many = "30026"
    idle_timeout = FACTS.idle_timeout
    idle_close: tuple[int, str] | None = None  # B1 says that it closes, not how
    messages = ((240, 3600.0),)  # B1: subscribe requests of a connection
    messages_per_address = False
    origin: tuple[int, float] | None = None
    rhythm = Rhythm(
        book_pause=0.1, book_spread=0.0, fast_pause=0.01, ticker_pause=0.1, quiet=60.0, depth=400, late=0.0,
        counted=True, every_window=True, units=tuple(dict.fromkeys((*CANDLES.values(), "1d"))), closing_units=(),
    )  # fmt: skip

    def __init__(self, switches: Switches | None = None, keys: Iterable[SimKey] = ()) -> None:
        self.switches = switches or Switches()
        self.connects = ((self.switches.connects, 1.0),)
        self._keys, self._books = Keys(keys), Books(self.switches.depth)

    def handshake(self, path: str, headers: Mapping[str, str], address: str = "") -> HttpAnswer | Caller:  # noqa: ARG002
        """One address for all (B1); who somebody is, he says later."""
        return Caller() if path == PATH else _json(404, {"code": 30000, "message": "Invalid URL path"})

    def counts(self, payload: bytes) -> bool:
        """Subscribe requests do (B1)."""
        return b'"subscribe"' in payload

    def conversation(
        self,
        market: MarketView,
        caller: Caller,  # noqa: ARG002 - all are alike
        desk: TradingDesk | None = None,  # noqa: ARG002 - what it does is not told here
    ) -> Talk:
        """The talk on a new connection."""
        return Talk(self.switches, Streams(self.switches, market, self._books), self._keys)

    def observe(self, due: Due, market: MarketView) -> None:
        """The books that anybody asked for move on."""
        self._books.observe(due, market)

    def told_order(self, order: Order) -> tuple[str, str]:
        """As the desk has them: what customers do is not told here."""
        return order.uuid, order.state

    def terms(self, code: str, price: float | None) -> Terms:
        """What an instrument id says: coins or contracts, and a tick of five digits of the price."""
        parts = split(code)
        if parts is None:
            raise ConfigError("markets", code, f"an instrument id such as {', '.join(EXAMPLES)}")
        tick = None if price is None else (1, floor(log10(price)) - 4)
        spot = parts.market == "spot"
        return Terms(base=parts.base, quote=parts.quote, tick=tick, lot=1 if spot else _CONTRACT, spot=spot)

    def made_up(self, number: int) -> str:
        """A spot market of a coin that nobody knows."""
        return f"SIM{number}-USDT"

    def group(self, call: HttpCall) -> tuple[str, int, float]:  # noqa: ARG002 - all calls are alike
        """The limit that a REST call counts against."""
        return "public", FACTS.rest_calls[0].count, FACTS.rest_calls[0].seconds

    def http(self, call: HttpCall, market: MarketView, desk: TradingDesk | None = None) -> HttpAnswer:  # noqa: ARG002
        """Answer one REST call."""
        return _json(*answer(call, market, self.switches))

    def refusal(self, status: int) -> HttpAnswer | None:  # noqa: ARG002 - none is known
        """It has no words of its own for a refused handshake."""
        return None

    def limited(self, status: int, seconds: float | None) -> HttpAnswer:
        """Over the limits."""
        wait = () if seconds is None else (("Retry-After", f"{seconds:g}"),)
        return _json(status, {"code": 30014, "message": "request too frequent"}, wait)

    def http_headers(self, group: tuple[str, int, float], left: int) -> tuple[tuple[str, str], ...]:  # noqa: ARG002
        """It tells nothing of what is left."""
        return ()


def _json(status: int, body: object, headers: tuple[tuple[str, str], ...] = ()) -> HttpAnswer:
    return HttpAnswer(
        status, msgspec.json.encode(body), (("Content-Type", "application/json; charset=utf-8"), *headers)
    )


def exchange(switches: Mapping[str, Any] | None = None, keys: Iterable[SimKey] = ()) -> OkexExchange:
    """``Venue.exchange``: a simulated exchange with these ``Switches`` by name, and these keys.

    Raises:
        msgspec.ValidationError: a switch that does not exist or has a value of another type.
    """
    return OkexExchange(msgspec.convert(dict(switches or {}), Switches), keys)
