"""All limits of one address, each keyed as the exchange counts it: by address, by account, by group of REST calls."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence

from tapewire.session.gate import Gate
from tapewire.venues.contract import Facts, Window

#: Seconds that a dial or a REST call may be on its way while nothing is heard of it. Each is answered, or fails, and
#: counts from then on; this is for one that was cut off before.
ANSWERED_WITHIN = 10.0
#: Seconds that a message on an open line may be held up: TCP sends what was lost again after 0.2 s or a little more.
#: Nothing tells of its arrival. It costs the burst of a second, and less than 1 % of what a minute allows.
MESSAGE_LEEWAY = 0.5

#: Makes a gate of its name, its windows and its leeway.
MakeGate = Callable[[str, Sequence[Window], float], Gate]


_ACCOUNT = re.compile(r"-[0-9a-f]{16}")


def is_of_account(name: str) -> bool:
    """Whether the gate of this name counts what an account does (its name as ``runtime.limits.account_of`` has it)."""
    return _ACCOUNT.fullmatch(name[-17:]) is not None


def plain_gate(_name: str, windows: Sequence[Window], leeway: float) -> Gate:
    """A gate for one thread of one process."""
    return Gate(windows, leeway)


def open_gate(_name: str, _windows: Sequence[Window], leeway: float) -> Gate:
    """A gate that lets everything through."""
    return Gate((), leeway)


class Limits:
    """The gates of one address of a venue, made when they are first asked for.

    Attributes:
        messages: what is sent, over all connections to the address: whether the exchange counts by connection or by
            address is uncertain (spec/upbit.md 11.13), so both hold.
        free: nobody counts: what is asked is answered by a tape.
    """

    def __init__(self, facts: Facts, make: MakeGate = plain_gate, *, free: bool = False) -> None:
        make = open_gate if free else make
        self._facts, self._make, self.free = facts, make, free
        self._gates: dict[tuple[str, str, str], Gate] = {}
        self.messages = make("messages", facts.messages, MESSAGE_LEEWAY)
        self.connects()
        for group in facts.rest_groups:
            if group not in facts.signed_groups:
                self.rest(group)

    def connects(self, account: str = "") -> Gate:
        """Dials: by address, and those with a key by account (spec/upbit.md 7.1)."""
        return self._gate("connects", "", account, self._facts.connects)

    def rest(self, group: str, account: str = "") -> Gate:
        """REST calls of a group, by address, and those with a key by account (spec/upbit.md 7.2)."""
        return self._gate("rest", group, account, self._facts.rest_groups.get(group, self._facts.rest_calls))

    def block_rest(self, until: float, account: str = "") -> None:
        """No REST call of this address, nor of this account, before ``until``: whom it blocks is not told."""
        for (kind, _, whose), gate in tuple(self._gates.items()):
            if kind == "rest" and whose in ("", account):
                gate.close(until)

    def rest_gates(self) -> Iterator[tuple[str, Gate]]:
        """(group, gate) of those in use, accounts among them."""
        return ((group, gate) for (kind, group, _), gate in tuple(self._gates.items()) if kind == "rest")

    def account_connects(self) -> Iterator[Gate]:
        """The gates of dials with a key, one for each account in use."""
        return (gate for (kind, _, whose), gate in tuple(self._gates.items()) if kind == "connects" and whose)

    def _gate(self, kind: str, group: str, account: str, windows: Sequence[Window]) -> Gate:
        key = (kind, group, account)
        if key not in self._gates:
            name = "-".join(part for part in key if part)
            self._gates.setdefault(key, self._make(name, windows, ANSWERED_WITHIN))
        return self._gates[key]
