"""A made-up venue whose requests a person can read, and short ways to write facts and what is expected."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Self

from tapewire.config import FeedOptions, SessionOptions
from tapewire.model import status
from tapewire.model.line import Handshake, Loss
from tapewire.model.subscription import Subscription, Wish
from tapewire.session.actions import Action, Now, Progress, Publish, Send
from tapewire.session.gate import Gate
from tapewire.session.limits import MESSAGE_LEEWAY
from tapewire.session.machine import Machine
from tapewire.venues.contract import Control, Facts, Venue, Window

URL = "wss://exchange.test/v1"
CONNECTS = (Window(5, 1.0),)
MESSAGES = (Window(5, 1.0), Window(100, 60.0))
WALL = 1_700_000_000 * 10**9
CLOSED = Loss("closed", 1000, "bye")
STOPPED = Loss("stopped")


def encode(wishes: Sequence[Wish], ticket: str, form: str) -> list[bytes]:
    """``#1 DEFAULT trade A+, ticker B``: ``+`` with snapshot, ``!`` snapshot only, nothing: realtime only."""
    marks = {(True, True): "+", (True, False): "!", (False, True): ""}
    streams = (f"{wish.subscription}{marks[wish.snapshot, wish.realtime]}" for wish in wishes)
    return [f"{ticket} {form} {', '.join(streams)}".encode()]


def _never(*_: Any) -> Any:
    raise AssertionError("a session does not ask the venue for this")


VENUE = Venue(
    name="made-up",
    facts=Facts(
        url=URL, rest_url="https://exchange.test", connects=CONNECTS, messages=MESSAGES, replaces=True,
        acknowledges=False, idle_timeout=120.0, text_ping=b"PING", kinds=("ticker", "trade"), candle_units=(),
        full_state_kinds=frozenset({"ticker"}), fatal_statuses=frozenset({401, 403}),
    ),
    check=_never, same_line=_never, encode=encode, encode_list=_never, codec=_never, position=_never,
    markets_request="", read_markets=_never,
)  # fmt: skip


def stream(text: str) -> Subscription:
    """``"A"`` is the trades of A, ``"ticker A"`` its ticker."""
    kind, _, symbol = text.rpartition(" ")
    return Subscription(kind or "trade", symbol)


def wishes(*texts: str) -> dict[Subscription, Wish]:
    """``"A"`` wishes both, ``"A!"`` the snapshot only, ``"A~"`` realtime only."""
    made = [Wish(stream(text.rstrip("!~")), snapshot="~" not in text, realtime="!" not in text) for text in texts]
    return {wish.subscription: wish for wish in made}


class Session:
    """A machine on a hand-moved clock. Each fact returns only the actions that it caused, in short form."""

    def __init__(
        self, *, random: Callable[[], float] = lambda: 1.0, venue: Venue = VENUE, url: str | None = None,
        gate: Gate | None = None, messages: Gate | None = None, side: str = "public", **options: Any,
    ) -> None:  # fmt: skip
        self.t = 0.0
        self.progress: dict[Subscription, Progress] = {}
        self._tickets = 0
        session = SessionOptions(**{"jitter": False, "pending_window": 0.0, **options})
        self.machine = Machine(
            venue, "made-up-1", FeedOptions(url=url, session=session), gate or Gate(venue.facts.connects),
            messages or Gate(venue.facts.messages, MESSAGE_LEEWAY), random, self._ticket, side,
        )  # fmt: skip

    def _ticket(self) -> str:
        self._tickets += 1
        return f"#{self._tickets}"

    @property
    def now(self) -> Now:
        return Now(self.t, WALL + round(self.t * 1e9))

    @property
    def deadline(self) -> Any:
        """Rounded to a microsecond."""
        return self.machine.deadline if self.machine.deadline is None else round(self.machine.deadline, 6)

    def seen(self, *names: str) -> list[Any]:
        """These properties of the machine, as a person would ask for them one after the other."""
        return [getattr(self.machine, name) for name in names]

    def want(self, *texts: str) -> list[Action]:
        return self.machine.want(self.now, wishes(*texts))

    def opened(self) -> list[Action]:
        self.progress = {}
        return self.machine.opened(self.now, Handshake(URL, None, 0.25))

    def failed(self, loss: Loss) -> list[Action]:
        return self.machine.failed(self.now, loss)

    def lost(self, loss: Loss = CLOSED) -> list[Action]:
        return self.machine.lost(self.now, loss, self.progress)

    def error(self, name: str, message: str = "no") -> list[Action]:
        return self.machine.control(self.now, Control("error", name, message))

    def data(
        self, *texts: str, last_id: int | None = None, timestamp: int | None = None, count: int = 1
    ) -> list[Action]:
        """Messages of each stream, ``"A+"`` being a snapshot; the fact follows for the first of a line only."""
        actions: list[Action] = []
        for text in texts:
            it = stream(text.rstrip("+"))
            before = self.progress.get(it, Progress())
            self.progress[it] = progress = Progress(before.count + count, last_id, timestamp)
            if not before.count or "+" in text:
                actions += self.machine.first_data(self.now, it, progress, "+" in text)
        return actions

    def at(self, t: float) -> list[Action]:
        """Jump to ``t`` and tick once."""
        self.t = t
        return self.machine.tick(self.now, self.progress)

    def until(self, t: float, answer: Callable[[Action], list[Action]] | None = None) -> list[tuple[float, Action]]:
        """Tick at every deadline up to ``t``; returns what happened when."""
        log: list[tuple[float, Action]] = []
        while (due := self.machine.deadline) is not None and due <= t:
            for action in self.at(max(due, self.t)):
                log.append((self.t, action))
                log += [(self.t, then) for then in (answer(action) if answer else [])]
        self.t = t
        return log

    def stop(self) -> list[Action]:
        return self.machine.stop(self.now)

    def up(self, *texts: str) -> Self:
        """Open, everything asked; time 0."""
        self.want(*texts)
        self.opened()
        return self

    def event(self, kind: Callable[..., status.FeedEvent], **facts: Any) -> Publish:
        """The event as it is expected now."""
        return Publish(kind(venue="made-up", connection="made-up-1", at_ns=self.now.ns, **facts))


def sent(actions: Sequence[Action]) -> list[str]:
    """The requests among the actions, as text."""
    return [action.payload.decode() for action in actions if isinstance(action, Send)]


def events(actions: Sequence[Action], kind: type[status.FeedEvent] = status.FeedEvent) -> list[Any]:
    """The published events of that kind."""
    return [action.event for action in actions if isinstance(action, Publish) and isinstance(action.event, kind)]


def short(wanted: Mapping[Subscription, Wish]) -> list[str]:
    return [str(subscription) for subscription in wanted]
