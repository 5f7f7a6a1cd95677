"""H1: the machine's wanted, asked and confirmed sets against a plain model of sets.

``TAPEWIRE_EXAMPLES`` and ``TAPEWIRE_STEPS`` enlarge it for the nightly run (5,000 × 100).
"""

from __future__ import annotations

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from tapewire.model.status import Rejected
from tapewire.model.subscription import Subscription
from tapewire.session.actions import Action, Close, Connect, Send
from tests.session.exchange import worst
from tests.session.made_up import MESSAGES, STOPPED, Session, events, stream
from tests.sizes import size

STREAMS = [f"{kind}{symbol}" for kind in ("", "ticker ") for symbol in "ABCDE"]
BAD = {stream("E"), stream("ticker D")}


class Registry(RuleBasedStateMachine):
    """The model: what the user wishes, what the exchange delivers, what it will never accept."""

    def __init__(self) -> None:
        super().__init__()
        self.session = Session(ping_interval=1e9, stale_after=None)
        self.wished: set[str] = set()
        self.refused: set[Subscription] = set()
        self.served: set[Subscription] = set()  # what the exchange sends on this line
        self.asked: set[Subscription] = set()  # whatever was asked on this line
        self.errors = 0  # answers to bad requests that are on their way
        self.line = False
        self.sends: list[float] = []

    def do(self, actions: list[Action]) -> None:
        for event in events(actions, Rejected):
            self.refused |= set(event.subscriptions)
        for action in actions:
            if isinstance(action, Send):
                self.request(action.payload.decode())
            elif isinstance(action, Close):
                self.line, self.errors = False, 0
                self.do(self.session.lost(STOPPED))
            elif isinstance(action, Connect):
                self.line, self.sends = True, []
                self.served, self.asked, self.errors = set(), set(), 0
                self.do(self.session.opened())

    def request(self, text: str) -> None:
        asked = {stream(name.rstrip("+!")) for name in text.split(" ", 2)[2].split(", ")}
        self.sends.append(self.session.t)
        self.asked |= asked
        if asked & BAD:
            self.errors += 1
        else:
            self.served = asked

    @rule(names=st.sets(st.sampled_from(STREAMS)))
    def add(self, names: set[str]) -> None:
        self.change(self.wished | names)

    @rule(names=st.sets(st.sampled_from(STREAMS)))
    def remove(self, names: set[str]) -> None:
        self.change(self.wished - names)

    def change(self, names: set[str]) -> None:
        self.wished = names
        self.refused &= {stream(name) for name in names}
        self.do(self.session.want(*sorted(names)))

    @rule(seconds=st.sampled_from((0.1, 1.0, 2.5)))
    def time(self, seconds: float) -> None:
        self.answer()
        end = self.session.t + seconds
        while (due := self.session.machine.deadline) is not None and due <= end:
            self.do(self.session.at(max(due, self.session.t)))
            self.answer()
        self.session.t = end

    @rule()
    def answer(self) -> None:
        """The exchange's answers to bad requests, always within the quiet time."""
        while self.errors:
            self.errors -= 1
            self.do(self.session.error("INVALID_PARAM"))

    @precondition(lambda self: self.line)
    @rule(data=st.data())
    def partial_data(self, data: st.DataObject) -> None:
        for it in sorted(self.served):
            if data.draw(st.booleans()):
                self.do(self.session.data(f"{it.kind} {it.symbol}+"))

    @precondition(lambda self: self.line)
    @rule()
    def lose(self) -> None:
        self.line, self.errors, self.served = False, 0, set()
        self.do(self.session.lost())

    @invariant()
    def the_wanted_set_is_the_model_s(self) -> None:
        assert set(self.session.machine.wanted) == {stream(name) for name in self.wished} - self.refused

    @invariant()
    def only_the_bad_are_ever_refused(self) -> None:
        assert self.refused <= BAD

    @invariant()
    def what_is_live_was_asked_of_the_exchange(self) -> None:
        assert self.session.machine.live <= self.asked

    @invariant()
    def no_window_is_overrun(self) -> None:
        assert all(worst(self.sends, window) <= window.count for window in MESSAGES)

    def teardown(self) -> None:
        """Left alone, it always comes to: all good wishes live, all bad ones refused, and no line for no wish."""
        for _ in range(60):
            self.time(2.5)
        good = {stream(name) for name in self.wished} - BAD
        assert self.session.machine.live == good == (self.served if self.line else set())
        assert self.refused == {stream(name) for name in self.wished} & BAD
        assert (self.session.machine.state == "open") == bool(good)


TestRegistry = Registry.TestCase
TestRegistry.settings = settings(
    max_examples=size(200, 5_000),
    stateful_step_count=size(50, 100),
    deadline=None,
    suppress_health_check=list(HealthCheck),
)
