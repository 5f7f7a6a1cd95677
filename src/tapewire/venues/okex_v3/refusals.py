"""What OKEX v3's error codes mean, and what follows from each (spec/okx.md B2)."""

from __future__ import annotations

from typing import Final, NamedTuple

from tapewire.venues.contract import Control, Judgement


class Refusal(NamedTuple):
    """What the exchange means by a code, and what follows from it."""

    meaning: str
    judgement: Judgement


#: All codes of section B2. 30039 to 30043 are of WebSocket, the others of REST's list as well.
REFUSALS: Final = {
    30000: Refusal("invalid URL path", "fatal"),
    30001: Refusal("key blank", "fatal"),
    30002: Refusal("sign blank", "fatal"),
    30003: Refusal("timestamp blank", "fatal"),
    30004: Refusal("passphrase blank", "fatal"),
    30005: Refusal("invalid timestamp", "fatal"),
    30006: Refusal("invalid key", "fatal"),
    30008: Refusal("timestamp expired", "login"),
    30009: Refusal("system error", "retry"),
    30010: Refusal("validation failed", "blame"),
    30011: Refusal("invalid IP", "fatal"),
    30012: Refusal("invalid authorization", "fatal"),
    30013: Refusal("invalid sign", "fatal"),
    30014: Refusal("too frequent", "retry"),
    30015: Refusal("passphrase wrong", "fatal"),
    30016: Refusal("v1 key used", "fatal"),
    30026: Refusal("endpoint rate limit exceeded", "retry"),
    30027: Refusal("login failure", "fatal"),
    30028: Refusal("unauthorized", "fatal"),
    30029: Refusal("account suspended", "fatal"),
    30030: Refusal("request failed", "retry"),
    30031: Refusal("token unknown", "drop"),
    30032: Refusal("pair unknown", "drop"),
    30033: Refusal("exchange domain unknown", "fatal"),
    30034: Refusal("exchange id unknown", "fatal"),
    30035: Refusal("trading not supported", "drop"),
    30036: Refusal("no data", "drop"),
    30037: Refusal("endpoint offline", "retry"),
    30038: Refusal("user unknown", "fatal"),
    30039: Refusal("unrecognized request", "blame"),
    30040: Refusal("channel does not exist", "drop"),
    30041: Refusal("login required", "drop"),
    30042: Refusal("already logged in", "tell"),
    30043: Refusal("internal system error", "retry"),
}


def judge(control: Control) -> Judgement:
    """What follows from an error; of an unknown code its request is to blame."""
    code = int(control.name) if control.name.isdecimal() else 0
    return REFUSALS[code].judgement if code in REFUSALS else "blame"
