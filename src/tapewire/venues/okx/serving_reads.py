"""OKX's signed REST reads at a gateway: which there are, and whose signature is good (spec/okx.md A8)."""

from __future__ import annotations

import msgspec

from tapewire.venues.exchange import HttpAnswer, HttpCall, SimKey
from tapewire.venues.okx.serving_private import with_phrase
from tapewire.venues.okx.sim_auth import Doorman, Unauthorized
from tapewire.venues.serving import Keys

PRIVATE_READS = frozenset({
    "/api/v5/trade/orders-pending", "/api/v5/trade/orders-history", "/api/v5/trade/orders-history-archive",
    "/api/v5/trade/order", "/api/v5/trade/fills", "/api/v5/trade/fills-history", "/api/v5/account/balance",
    "/api/v5/account/positions",
})  # fmt: skip


def admit_call(call: HttpCall, keys: Keys) -> HttpAnswer | None:
    """Why a read is refused; None: it is not."""
    name = call.headers.get("ok-access-key", "")
    if keys.is_open and name:
        return None
    key = keys.find(name)
    phrase = call.headers.get("ok-access-passphrase")
    known = [] if key is None else [with_phrase(key, {"passphrase": phrase})]
    demo = call.headers.get("x-simulated-trading") == "1"  # whether it is one says the gateway's own key
    try:
        _demand(Doorman(known, demo=demo).admit(call, keys.now_ms))
    except Unauthorized as refused:
        if name and refused.code != "50120":
            keys.failed()
        body = msgspec.json.encode({"code": refused.code, "msg": refused.message, "data": []})
        return HttpAnswer(refused.status, body, (("Content-Type", "application/json"),))
    return None


def _demand(key: SimKey) -> None:
    if not key.permissions:
        raise Unauthorized("50120", "This API key doesn't have permission to use this function")
