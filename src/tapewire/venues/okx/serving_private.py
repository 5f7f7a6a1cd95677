"""OKX's private path spoken by a gateway: its login, and what the gateway's own key may hear (spec/okx.md A4, A7)."""

from __future__ import annotations

from collections.abc import Hashable
from typing import Any

import msgspec
from msgspec.structs import replace

from tapewire.config import Secret
from tapewire.model.events import Event
from tapewire.model.subscription import Subscription
from tapewire.venues.exchange import Answer, SimKey
from tapewire.venues.okx import history
from tapewire.venues.okx.serving_copies import STATES, raw_of
from tapewire.venues.okx.serving_talk import SWITCHES, OkxVisitor
from tapewire.venues.okx.sim_auth import Doorman
from tapewire.venues.okx.sim_instruments import instrument
from tapewire.venues.okx.sim_requests import Refused, Request, Wish
from tapewire.venues.serving import HeldStreams, Keys

#: What trades: no token of a gateway does.
_TRADES = frozenset({
    "order", "batch-orders", "cancel-order", "batch-cancel-orders", "amend-order", "batch-amend-orders", "mass-cancel",
})  # fmt: skip


class PrivateVisitor(OkxVisitor):
    """The talk with one local program that logs in with a token of the gateway."""

    def __init__(self, held: HeldStreams, name: str, keys: Keys) -> None:
        super().__init__(held, "private", name)
        self._keys = keys
        self._is_known = False

    def shape(self, stream: Subscription) -> Hashable:  # noqa: ARG002 - each hears under its own words
        """See ``Visitor.shape``."""
        return None

    def hands_on(self, stream: Subscription) -> bool:  # noqa: ARG002 - as ``shape``
        """See ``Visitor.hands_on``."""
        return False

    def tell(self, stream: Subscription, event: Event, cache: dict[object, bytes]) -> list[bytes]:  # noqa: ARG002
        """See ``Visitor.tell``: of a stream each argument hears what it asked for, under its own words."""
        frame = raw_of(event)
        if frame is None:
            frame = history.frame(event)
        elif self._last.get(stream) is frame:
            return []
        self._last[stream] = frame
        said = msgspec.json.decode(frame)
        wishes = [wish for wish, held in self._wishes.values() if held == stream]
        return [told for wish in wishes if (told := _addressed(said, wish)) is not None]

    def _may_hear(self) -> bool:
        return self._is_known

    def _obey(self, request: Request) -> Answer:
        if request.op == "login":
            return self._login(request)
        if request.op in _TRADES:
            raise Refused("50120" if self._is_known else "60011")
        return super()._obey(request)

    def _login(self, request: Request) -> Answer:
        if self._is_known:
            raise Refused("60031")
        try:
            self._check(request.args)
        except Refused as refused:
            close = (4001, "Login failed") if SWITCHES.login_closes else None
            return Answer((self._error(refused, request),), close)
        self._is_known = True
        return Answer((self._control(request, event="login", code="0", msg=""),))

    def _check(self, args: list[Any]) -> None:
        """Raises ``Refused`` for what is no key of this gateway."""
        said = args[0] if len(args) == 1 and isinstance(args[0], dict) else {}
        name = said.get("apiKey")
        if self._keys.is_open and isinstance(name, str) and name:
            return
        key = self._keys.find(name) if isinstance(name, str) else None
        try:
            Doorman([with_phrase(key, said)] if key is not None else []).login(
                args, self._keys.now_ms, self._keys.address
            )
        except Refused:
            self._keys.failed()
            raise
        if key is not None and not key.permissions:
            raise Refused("50120")

    def _first(self, wish: Wish, stream: Subscription) -> list[bytes]:
        if stream.kind not in STATES:
            return super()._first(wish, stream)
        copy = self._held.book(stream)
        told = None if copy is None else _addressed(msgspec.json.decode(copy.snapshot()), wish)
        return [] if told is None else [told]


def with_phrase(key: SimKey, said: dict[str, Any]) -> SimKey:
    """A token needs no passphrase, but programs send one."""
    given = said.get("passphrase")
    if key.passphrase is not None or not isinstance(given, str):
        return key
    return replace(key, passphrase=Secret(given))


def _addressed(said: dict[str, Any], wish: Wish) -> bytes | None:
    """A frame as the wish would have had it: its own argument, and the rows that it asked for; None: there are none."""
    rows: list[dict[str, Any]] = [row for row in said["data"] if _is_meant(row, wish)]
    currency = wish.sent.get("ccy")
    if currency:
        rows = [row | {"details": [one for one in row["details"] if one["ccy"] == currency]} for row in rows]
        rows = [row for row in rows if row["details"]]
    if said["data"] and not rows:
        return None
    uid = said["arg"].get("uid")
    argument = wish.sent | ({"uid": uid} if uid else {})
    return msgspec.json.encode({**said, "arg": argument, "data": rows})


def _is_meant(row: dict[str, Any], wish: Wish) -> bool:
    if wish.type not in ("", "ANY", row.get("instType", wish.type)):
        return False
    if wish.symbol not in ("", row.get("instId", wish.symbol)):
        return False
    return not wish.family or instrument(row["instId"]).family == wish.family
