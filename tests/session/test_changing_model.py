"""H1 for a venue that answers every request: whatever it answers, and when, both sides end with what is wanted.

``TAPEWIRE_EXAMPLES`` and ``TAPEWIRE_STEPS`` enlarge it for the nightly run (5,000 × 100).
"""

from __future__ import annotations

from collections import deque

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from tapewire.model.status import Rejected
from tapewire.model.subscription import Subscription
from tapewire.session.actions import Action, Close, Connect, Send
from tapewire.venues.contract import Control
from tests.session.answering import MOST, Talk, name
from tests.session.made_up import CLOSED, STOPPED, events, stream
from tests.sizes import size

STREAMS = [f"{kind}{symbol}" for kind in ("", "ticker ") for symbol in "ABCDE"]
#: What the exchange will never serve, and what it serves only one request in two.
BAD = {"E", "ticker D"}
#: Requests on one line in a minute (``answering.ANSWERING``).
LIMIT = 20


class Exchange(RuleBasedStateMachine):
    """The model: what the user wishes, what the exchange serves, which of its answers are on their way."""

    def __init__(self) -> None:
        super().__init__()
        self.talk = Talk(ping_interval=15.0, pending_window_max=0.0)
        self.wished: set[str] = set()
        self.refused: set[Subscription] = set()
        self.served: set[str] = set()
        self.answers: deque[Control] = deque()
        self.line = False
        self.sends: list[float] = []
        self.deaf = self.spoils = self.mumbles = False

    def do(self, actions: list[Action]) -> None:
        for event in events(actions, Rejected):
            assert {name(one) for one in event.subscriptions} <= BAD, "a good stream was refused"
            self.refused |= set(event.subscriptions)
        for action in actions:
            if isinstance(action, Send):
                self.hear(action.payload.decode())
            elif isinstance(action, Close):
                self.cut()
                self.do(self.talk.lost(STOPPED))
            elif isinstance(action, Connect):
                self.line, self.sends = True, []
                self.do(self.talk.opened())

    def cut(self) -> None:
        self.line, self.served = False, set()
        self.answers.clear()

    def hear(self, text: str) -> None:
        if text == "PING":
            self.answers.append(Control("alive"))
            return
        ticket, sign, rest = text.split(" ", 2)
        names = rest.split(", ")
        assert len(names) <= MOST
        self.sends.append(self.talk.t)
        if self.deaf:
            return
        bad = [one for one in names if one in BAD]
        good = [] if bad and self.spoils else [one for one in names if one not in BAD]
        if sign == "-":
            self.served -= set(names)
            self.answers.extend(Control("unsubscribed", stream=one) for one in names)
            return
        self.served |= set(good)
        self.answers.extend(Control("subscribed", stream=one) for one in good)
        for one in bad[: 1 if self.spoils else None]:
            said = "no" if self.mumbles else f"no <{one}>"
            self.answers.append(Control("error", "BAD", said, request=ticket))

    @rule(names=st.sets(st.sampled_from(STREAMS)))
    def add(self, names: set[str]) -> None:
        self.change(self.wished | names)

    @rule(names=st.sets(st.sampled_from(STREAMS)))
    def remove(self, names: set[str]) -> None:
        self.change(self.wished - names)

    def change(self, names: set[str]) -> None:
        self.wished = names
        self.refused &= {stream(one) for one in names}
        self.do(self.talk.want(*sorted(names)))

    @rule(spoils=st.booleans(), mumbles=st.booleans())
    def mood(self, spoils: bool, mumbles: bool) -> None:
        """Whether one bad argument spoils its request, and whether an error says whose fault it is."""
        self.spoils, self.mumbles = spoils, mumbles

    @rule(number=st.integers(1, 5))
    def answer(self, number: int) -> None:
        for _ in range(min(number, len(self.answers))):
            if self.answers:
                self.do(self.talk.machine.control(self.talk.now, self.answers.popleft()))

    @precondition(lambda self: self.line)
    @rule()
    def lose(self) -> None:
        self.cut()
        self.do(self.talk.lost(CLOSED))

    @precondition(lambda self: self.line and self.wished)
    @rule(which=st.sampled_from(STREAMS))
    def refetch(self, which: str) -> None:
        self.do(self.talk.machine.refetch(self.talk.now, [stream(which)]))

    @rule(seconds=st.sampled_from((0.1, 3.0, 12.0)), deaf=st.booleans())
    def time(self, seconds: float, deaf: bool) -> None:
        """``deaf``: what is asked meanwhile is never answered, nor done."""
        self.deaf = deaf
        self.pass_time(seconds)
        self.deaf = False

    def pass_time(self, seconds: float) -> None:
        end = self.talk.t + seconds
        while (due := self.talk.machine.deadline) is not None and due <= end:
            self.do(self.talk.at(max(due, self.talk.t)))
        self.talk.t = max(end, self.talk.t)

    @invariant()
    def the_limit_is_kept_on_each_line(self) -> None:
        for at in self.sends:
            assert sum(at - 60.0 < other <= at for other in self.sends) <= LIMIT

    @invariant()
    def nothing_is_live_that_is_not_wanted(self) -> None:
        assert self.talk.machine.live <= {stream(one) for one in self.wished}

    def teardown(self) -> None:
        """Left alone, and answered, both sides come to what is wanted, but for what was refused."""
        for _ in range(80):
            self.answer(1_000)
            self.pass_time(5.0)
        good = {stream(one) for one in self.wished} - {stream(one) for one in BAD}
        assert self.talk.machine.live == good
        assert self.served == {name(one) for one in good}
        assert self.refused == {stream(one) for one in self.wished} & {stream(one) for one in BAD}


TestExchange = Exchange.TestCase
TestExchange.settings = settings(
    max_examples=size(60, 5_000),
    stateful_step_count=size(40, 100),
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.filter_too_much],
)
