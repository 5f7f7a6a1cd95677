"""A made-up venue that answers every request, whose words a person can read."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from msgspec.structs import replace

from tapewire.model.subscription import Subscription
from tapewire.session.actions import Action
from tapewire.venues.contract import Changes, Control, Judgement, Operation, Venue, Window
from tests.session.made_up import VENUE, Session

#: Names in one request.
MOST = 4
JUDGEMENTS: dict[str, Judgement] = {
    "BAD": "drop", "BUSY": "retry", "EXPIRED": "login", "WRONG_KEY": "fatal", "UPGRADE": "move", "COUNT": "tell",
    "FULL": "drop",
}  # fmt: skip


def name(subscription: Subscription) -> str:
    """``A`` is the trades of A, ``ticker A`` its ticker, whatever the depth."""
    return subscription.symbol if subscription.kind == "trade" else f"{subscription.kind} {subscription.symbol}"


def encode(operation: Operation, names: Sequence[str], ticket: str) -> bytes:
    """``#1 + A, ticker B`` or ``#2 - A``."""
    return f"{ticket} {'+' if operation == 'subscribe' else '-'} {', '.join(names)}".encode()


def concerns(control: Control, names: Sequence[str]) -> list[str]:
    """Those that the text speaks of as ``<A>``."""
    return [one for one in names if f"<{one}>" in control.message]


def judge(control: Control) -> Judgement:
    return JUDGEMENTS.get(control.name, "blame")


def login(*_: Any) -> bytes:
    raise AssertionError("a session never makes a login by itself")


ANSWERING = replace(
    VENUE,
    facts=replace(
        VENUE.facts, replaces=False, acknowledges=True, messages=(), requests=(Window(20, 60.0),), keep_alive="text",
        ping_most=20.0, sides={"public": "", "private": "/private"}, side_of={"order": "private"},
        signed_sides=frozenset({"private"}), event_kinds=frozenset({"order"}), kinds=("ticker", "trade", "order"),
    ),
    changes=Changes(name=name, encode=encode, request_id=str, most=MOST, concerns=concerns), judge=judge, login=login,
)  # fmt: skip


class Talk(Session):
    """A session with it; answers in short form."""

    def __init__(self, *, venue: Venue = ANSWERING, **options: Any) -> None:
        super().__init__(venue=venue, **{"stale_after": None, **options})

    def ack(self, *names: str, kind: str = "subscribed") -> list[Action]:
        """One acknowledgement for each; ``-A`` is that of leaving."""
        actions: list[Action] = []
        for one in names:
            said = Control("unsubscribed" if one.startswith("-") else kind, stream=one.removeprefix("-"))
            actions += self.machine.control(self.now, said)
        return actions

    def refuse(self, code: str, message: str = "no", request: str = "") -> list[Action]:
        return self.machine.control(self.now, Control("error", code, message, request=request))

    def tell(self, kind: str, code: str = "") -> list[Action]:
        return self.machine.control(self.now, Control(kind, code))
