"""Changes that come close together are one request; the window grows as the message budget is spent."""

from __future__ import annotations

from msgspec.structs import replace

from tapewire.config import SessionOptions
from tapewire.model.status import Listed
from tapewire.model.subscription import Subscription
from tapewire.session.actions import Send
from tapewire.session.gate import Gate
from tapewire.session.sending import Sending
from tapewire.venues.contract import Control, Facts, Window
from tests.session.made_up import VENUE, Session, events, sent, stream

MINUTE = Window(100, 60.0)


def facts(*messages: Window) -> Facts:
    return replace(VENUE.facts, messages=messages)


def window_after(spent: int, **options: float) -> float:
    """Seconds for which a change waits when so many of 100 messages a minute are used."""
    gate = Gate([MINUTE], 0.0)
    sending = Sending(SessionOptions(**options), gate, facts(MINUTE))  # type: ignore[arg-type]
    for _ in range(spent):
        gate.book(0.0)
    sending.changed(1.0)
    return round(sending.request_at - 1.0, 3)


def test_the_window_is_short_while_half_of_the_budget_is_left_and_grows_from_there() -> None:
    assert [window_after(spent) for spent in (0, 50, 60, 75, 99)] == [0.1, 0.1, 3.08, 7.55, 14.702]


def test_a_spent_budget_is_what_makes_a_request_wait_then() -> None:
    assert window_after(100) == 59.0


def test_the_window_can_be_set_and_switched_off() -> None:
    assert window_after(0, pending_window=0.0) == 0.0
    assert window_after(75, pending_window=1.0, pending_window_max=1.0) == 1.0


def test_without_a_long_window_nothing_grows() -> None:
    sending = Sending(SessionOptions(), Gate([Window(5, 1.0)], 0.0), facts(Window(5, 1.0)))
    for _ in range(4):
        assert sending.begin_other(0.0)
    sending.changed(0.0)
    assert sending.request_at == 0.1


def live_at_10() -> Session:
    """A is live since the merge window of the first request, 0.1 s, was over."""
    s = Session(pending_window=0.1, stale_after=None).up("A")
    assert sent(s.at(0.1)) == ["#1 DEFAULT trade A+"]
    s.data("A+")
    s.t = 10.0
    return s


def test_changes_within_the_window_are_one_request_and_it_is_not_prolonged() -> None:
    s = live_at_10()
    assert sent(s.want("A", "B")) == []
    assert s.deadline == 10.1
    s.t = 10.08
    assert sent(s.want("A", "B", "C")) == []
    assert s.deadline == 10.1
    assert sent(s.at(10.1)) == ["#2 DEFAULT trade A, trade B+, trade C+"]


def test_a_change_that_is_taken_back_within_the_window_leaves_the_same_request() -> None:
    s = live_at_10()
    s.want("A", "B")
    s.want("A")
    assert sent(s.at(10.1)) == ["#2 DEFAULT trade A"]


def test_a_line_that_came_back_is_asked_at_once() -> None:
    s = Session(pending_window=0.1)
    s.want("A")
    assert sent(s.opened()) == []
    assert sent(s.at(0.1)) == ["#1 DEFAULT trade A+"]
    s.data("A+")
    s.t = 5.0
    s.lost()
    s.at(s.deadline)
    assert sent(s.opened()) == ["#2 DEFAULT trade A+"]


def test_a_new_listener_waits_for_others_too() -> None:
    s = live_at_10()
    assert s.machine.refresh(s.now, [stream("A")]) == []
    assert sent(s.at(10.1)) == ["#2 DEFAULT trade A+"]


def test_what_is_left_of_each_window_can_be_asked() -> None:
    above = Gate([MINUTE], 0.0)
    gate = Gate([Window(5, 1.0)], 0.0, above)
    for t in (0.0, 0.5, 30.0):
        gate.book(t)
    assert gate.left(30.2) == [(MINUTE, 97), (Window(5, 1.0), 4)]
    assert (gate.spent(30.2), gate.spent(30.2, 15.0), Gate([]).spent(0.0)) == (0.2, 0.03, 0.0)


def listing(held: list[Subscription]) -> Session:
    """A line with A and B live, whose exchange says that it holds ``held``."""
    venue = replace(VENUE, encode_list=lambda ticket, form: f"{ticket} {form} LIST".encode(), read_list=lambda _: held)
    s = Session(venue=venue).up("A", "B")
    s.data("A+", "B+")
    s.t = 10.0
    assert s.machine.inquire(s.now) == [Send(b"#2 DEFAULT LIST", request=False)]
    return s


def answer(s: Session) -> tuple[list[Listed], list[str]]:
    actions = s.machine.control(s.now, Control("subscriptions", details={}))
    return [event for event in events(actions) if isinstance(event, Listed)], sent(actions)


def test_what_the_exchange_holds_is_told_and_agrees() -> None:
    held = [stream("A"), stream("B")]
    s = listing(held)
    assert answer(s) == ([s.event(Listed, subscriptions=tuple(held)).event], [])


def test_a_difference_is_told_and_mended_by_one_request() -> None:
    s = listing([stream("A"), stream("X")])
    told, requests = answer(s)
    assert [(event.missing, event.unexpected) for event in told] == [((stream("B"),), (stream("X"),))]
    assert requests == ["#3 DEFAULT trade A, trade B+"]


def test_an_answer_that_a_newer_request_has_overtaken_mends_nothing() -> None:
    s = listing([stream("A"), stream("B")])
    assert sent(s.want("A", "B", "C")) == ["#3 DEFAULT trade A, trade B, trade C+"]
    told, requests = answer(s)
    assert [event.missing for event in told] == [(stream("C"),)]
    assert requests == []


def test_a_snapshot_alone_is_no_lasting_stream() -> None:
    s = listing([stream("A"), stream("B")])
    s.want("A", "B", "C!")
    assert [(event.missing, event.unexpected) for event in answer(s)[0]] == [((), ())]


def test_the_question_waits_for_the_limits_and_for_a_line() -> None:
    venue = replace(VENUE, encode_list=lambda ticket, form: f"{ticket} LIST".encode(), read_list=lambda _: [])
    s = Session(venue=venue, stale_after=None)
    s.want("A")
    assert s.machine.inquire(s.now) == []
    assert sent(s.opened()) == ["#1 DEFAULT trade A+", "#2 LIST"]
    s.data("A+")
    s.t = 5.0
    for n in range(5):
        s.want("A", f"B{n}")
    assert s.machine.inquire(s.now) == []
    assert s.deadline == 6.5  # a second after the first of five, and the leeway
    assert sent(s.at(6.5)) == ["#8 LIST"]


def test_an_answer_that_nobody_can_read_is_left_alone() -> None:
    s = Session().up("A")
    assert s.machine.control(s.now, Control("subscriptions", details={})) == []


def test_a_stream_of_all_markets_stands_for_that_of_each() -> None:
    """A request for the orders of every market names none: what is held is one stream."""
    s = listing([stream("A"), stream("trade ")])
    assert [(event.missing, event.unexpected) for event in answer(s)[0]] == [((), (stream("trade "),))]
