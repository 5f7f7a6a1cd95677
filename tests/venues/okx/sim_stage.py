"""A simulated OKX for tests, its connections links that only write down."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
from collections.abc import Mapping
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

from tapewire.sim.announcements import Crier
from tapewire.sim.desk import Desk
from tapewire.sim.faults import FaultPlan, parse_fault
from tapewire.sim.market import SeededMarket
from tapewire.sim.peer import Exchange, Peer
from tapewire.sim.scenario import DEMO_KEY, Scenario, listings
from tapewire.venues.exchange import Caller, HttpAnswer, HttpCall, SimKey
from tapewire.venues.okx.profile import GLOBAL
from tapewire.venues.okx.sim import exchange
from tests.sim.draws import seeded
from tests.sim.listed import START_MS

MARKETS = ("BTC-USDT", "ETH-USDT", "BTC-USDT-SWAP", "BTC-USD-SWAP", "BTC-USDT-261225", "BTC-USD-261225-90000-C")
RICH = {"USDT": Decimal(1_000_000), "BTC": Decimal(10), "ETH": Decimal(100)}


class Wire:
    """A link that keeps what it was told."""

    def __init__(self) -> None:
        self.frames: list[bytes] = []
        self.ends: list[Any] = []

    def send(self, payload: bytes, *, is_text: bool) -> None:
        assert is_text
        self.frames.append(payload)

    def ping(self, payload: bytes) -> None:
        raise AssertionError("nobody asked for one")

    def close(self, code: int, reason: str) -> None:
        self.ends.append((code, reason))

    def abort(self, *, reset: bool) -> None:
        self.ends.append("abort")

    def freeze(self) -> None:
        self.ends.append("freeze")

    def cut(self, payload: bytes) -> None:
        self.ends.append("cut")


class Client:
    """Somebody connected to one path."""

    def __init__(self, okx: Exchange, side: str = "public", now: float = 0.0, address: str = "") -> None:
        self.okx, self.wire, self.now = okx, Wire(), now
        caller = okx.dial(now, f"/ws/v5/{side}", {}, address)
        assert isinstance(caller, Caller)
        self.peer: Peer = okx.accept(now, self.wire, caller)

    def say(self, message: object) -> list[dict[str, Any]]:
        """Send something; what it brings at once."""
        before = len(self.wire.frames)
        payload = message if isinstance(message, bytes) else json.dumps(message).encode()
        self.peer.receive(self.now, payload, is_text=True)
        return [json.loads(frame) for frame in self.wire.frames[before:]]

    def ask(self, *args: object, op: str = "subscribe", **more: Any) -> list[dict[str, Any]]:
        return self.say({"op": op, "args": [*args], **more})

    def stay(self, until: float) -> None:
        """Let time pass and send a ping every 20 seconds."""
        while self.now < until:
            self.peer.receive(self.now, b"ping", is_text=True)
            self.wait(min(until, self.now + 20.0))

    def pushes(self) -> list[dict[str, Any]]:
        """All data that came so far."""
        return [message for message in map(json.loads, self.told()) if "data" in message]

    def told(self) -> list[bytes]:
        """All frames but pongs."""
        return [frame for frame in self.wire.frames if frame != b"pong"]

    def wait(self, until: float) -> list[dict[str, Any]]:
        """Let time pass; what came meanwhile."""
        before = len(self.wire.frames)
        run(self.okx, until)
        self.now = until
        return [json.loads(frame) for frame in self.wire.frames[before:] if frame != b"pong"]


def make(
    *faults: str, markets: tuple[str, ...] = MARKETS, keys: tuple[SimKey, ...] = (DEMO_KEY,), limits: bool = True,
    **switches: Any,
) -> Exchange:  # fmt: skip
    """A whole exchange at its beginning."""
    side = exchange(GLOBAL, switches, keys)
    rows = listings(Scenario(venue="okx", markets=markets), side=side)
    market = SeededMarket("okx", rows, START_MS, seeded(), rhythm=side.rhythm)
    plan = FaultPlan([parse_fault(fault) for fault in faults], seeded(2).random)
    desk = Desk("okx", market, 1, {key.account: RICH for key in keys})
    return Exchange(side, market, desk, Crier("okx", market), plan, limits=limits)


def run(okx: Exchange, until: float) -> None:
    """Move the exchange on, deadline by deadline."""
    while (deadline := okx.deadline) <= until:
        okx.advance(deadline)
    okx.advance(until)


def get(okx: Exchange, path: str, now: float = 0.0, **headers: str) -> Any:
    """One public REST call; the body."""
    path, _, query = path.partition("?")
    answer = okx.http(now, HttpCall(path, query, headers))
    assert isinstance(answer, HttpAnswer)
    return json.loads(answer.body)


def sign(secret: str, text: str) -> str:
    return base64.b64encode(hmac.new(secret.encode(), text.encode(), hashlib.sha256).digest()).decode()


def login_of(client: Client, key: SimKey = DEMO_KEY, **changes: Any) -> dict[str, Any]:
    """A login, signed now unless a time is given."""
    stamp = changes.pop("timestamp", str(START_MS // 1000 + int(client.now)))
    said = {
        "apiKey": key.access_key, "passphrase": "sim-passphrase", "timestamp": stamp,
        "sign": sign(key.secret_key.reveal(), f"{stamp}GET/users/self/verify"),
    }  # fmt: skip
    return {"op": "login", "args": [said | changes]}


def signed(
    okx: Exchange, path: str, body: object = None, *, key: SimKey = DEMO_KEY, now: float = 0.0, address: str = "",
    headers: Mapping[str, str] | None = None,
) -> tuple[int, dict[str, Any]]:  # fmt: skip
    """A signed REST call: status and body of the answer. With a body it is a POST; ``headers`` replace its own."""
    method, payload = ("GET", "") if body is None else ("POST", json.dumps(body))
    stamp = datetime.fromtimestamp(START_MS / 1000 + now, UTC).isoformat("T", "milliseconds").replace("+00:00", "Z")
    own = {
        "ok-access-key": key.access_key, "ok-access-passphrase": "sim-passphrase", "ok-access-timestamp": stamp,
        "ok-access-sign": sign(key.secret_key.reveal(), f"{stamp}{method}{path}{payload}"),
    }  # fmt: skip
    place, _, query = path.partition("?")
    call = HttpCall(place, query, own | dict(headers or {}), address, method, payload.encode())
    answer = okx.http(now, call)
    assert isinstance(answer, HttpAnswer)
    return answer.status, json.loads(answer.body)
