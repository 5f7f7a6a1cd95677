"""A venue that answers every request: differences, answers one by one, errors by their judgement, a login."""

from __future__ import annotations

from typing import Any

import pytest

from tapewire.errors import AuthenticationFailed
from tapewire.model.line import Loss
from tapewire.model.status import Disconnected, Notice, Rejected, Stopped, Subscribed
from tapewire.model.subscription import Subscription, Wish
from tapewire.session.actions import Close, Connect, Finish, LogIn, Progress, Replace, Send
from tapewire.venues.contract import Control
from tests.session.answering import Talk
from tests.session.made_up import CLOSED, URL, events, sent, stream


def up(*texts: str, **options: Any) -> Talk:
    """Open, and everything acknowledged."""
    talk = Talk(**options)
    talk.up(*texts)
    talk.ack(*(text.rstrip("!~") for text in texts))
    return talk


def live(talk: Talk) -> list[str]:
    return sorted(map(str, talk.machine.live))


def test_what_is_wanted_is_asked_once_and_live_when_it_is_acknowledged() -> None:
    talk = Talk()
    talk.want("A", "ticker B")
    assert sent(talk.opened()) == ["#1 + A, ticker B"]
    assert talk.ack("A") == []
    assert (live(talk), talk.machine.state) == (["trade A"], "open")
    [told] = events(talk.ack("ticker B"), Subscribed)
    assert told.subscriptions == (stream("A"), stream("ticker B"))
    assert talk.ack("A", "unknown", "-A") == []


def test_only_differences_are_sent() -> None:
    talk = up("A", "B")
    assert sent(talk.want("B", "C")) == ["#2 - A", "#3 + C"]
    assert live(talk) == ["trade B"]
    talk.ack("-A", "C")
    assert live(talk) == ["trade B", "trade C"]
    assert sent(talk.want("B", "C")) == []


def test_what_is_wanted_again_while_it_is_left_waits_for_the_answer() -> None:
    talk = up("A", "B")
    talk.want("B")
    assert sent(talk.want("A", "B")) == []
    assert sent(talk.ack("-A")) == ["#3 + A"]


def test_many_streams_go_in_several_requests() -> None:
    talk = Talk()
    talk.want(*"ABCDEF")
    assert sent(talk.opened()) == ["#1 + A, B, C, D", "#2 + E, F"]


def test_streams_that_are_one_on_the_wire_are_asked_once_and_left_with_the_last() -> None:
    talk = Talk()
    deep, flat = Subscription("trade", "A"), Subscription("trade", "A", depth=5)
    wishes = {one: Wish(one) for one in (deep, flat)}
    talk.machine.want(talk.now, wishes)
    assert sent(talk.opened()) == ["#1 + A"]
    talk.ack("A")
    assert talk.machine.live == {deep, flat}
    assert sent(talk.machine.want(talk.now, {flat: wishes[flat]})) == []
    assert talk.machine.live == {flat}
    talk.machine.want(talk.now, wishes)
    assert talk.machine.live == {deep, flat}


def test_data_is_as_good_as_an_acknowledgement() -> None:
    talk = Talk().up("A")
    [told] = events(talk.data("A"), Subscribed)
    assert told.subscriptions == (stream("A"),)
    assert (talk.ack("A"), talk.until(100.0)[-1:]) != ([], [])
    assert live(talk) == ["trade A"]


def test_data_that_comes_while_a_stream_is_left_does_not_make_it_live() -> None:
    talk = up("A", "B")
    talk.machine.refetch(talk.now, [stream("A")])
    talk.data("A")
    assert live(talk) == ["trade B"]


def test_a_snapshot_that_was_all_that_was_wanted_ends_the_stream_on_the_wire() -> None:
    talk = up("A!", "B")
    assert sent(talk.data("A+")) == ["#2 - A"]


def test_a_lost_line_is_asked_everything_again() -> None:
    talk = up("A", "B")
    talk.lost(CLOSED)
    talk.until(1.0)
    assert sent(talk.opened()) == ["#2 + A, B"]


def test_streams_that_cannot_be_trusted_are_left_and_joined_again() -> None:
    talk = up("A", "B")
    assert sent(talk.machine.refetch(talk.now, [stream("A"), stream("C")])) == ["#2 - A"]
    assert live(talk) == ["trade B"]
    assert sent(talk.ack("-A")) == ["#3 + A"]
    talk.ack("A")
    assert live(talk) == ["trade A", "trade B"]


def test_somebody_new_gets_the_present_state_by_another_request_for_it() -> None:
    talk = up("A", "B")
    assert sent(talk.machine.refresh(talk.now, [stream("A")])) == ["#2 + A"]
    assert live(talk) == ["trade A", "trade B"]


@pytest.mark.parametrize("request_id", ["#1", ""])
def test_an_error_names_the_one_it_is_about(request_id: str) -> None:
    talk = Talk().up("A", "B", "C")
    [told] = events(talk.refuse("BAD", "no such market <B>", request_id), Rejected)
    assert (told.name, told.subscriptions, told.final) == ("BAD", (stream("B"),), True)
    talk.ack("A", "C")
    assert live(talk) == ["trade A", "trade C"]
    assert sent(talk.want("A", "B", "C")) == []  # it is not asked again


def test_after_an_error_the_others_of_its_request_are_asked_again_if_nothing_is_heard_of_them() -> None:
    talk = Talk().up("A", "B", "C")
    talk.refuse("BAD", "<B>", "#1")
    talk.ack("A")
    assert [(t, text) for t, action in talk.until(9.0) for text in sent([action])] == [(3.0, "#2 + C")]


def test_an_error_that_names_nobody_is_asked_about_in_halves() -> None:
    talk = Talk().up("A", "B", "C", "D")
    assert sent(talk.refuse("BAD", request="#1")) == ["#2 + A, B", "#3 + C, D"]
    talk.ack("A", "B")
    assert sent(talk.refuse("BAD", request="#3")) == ["#4 + C", "#5 + D"]
    [told] = events(talk.refuse("BAD", request="#5"), Rejected)
    assert told.subscriptions == (stream("D"),)
    talk.ack("C")
    assert live(talk) == ["trade A", "trade B", "trade C"]


def test_an_error_that_could_be_about_any_request_blames_nobody() -> None:
    talk = Talk().up(*"ABCDEF")
    [told] = events(talk.refuse("BAD"), Rejected)
    assert (told.subscriptions, told.final) == ((), False)
    talk.ack(*"ABCDEF")
    assert len(talk.machine.live) == 6


def test_a_subscription_can_be_ended_after_it_was_acknowledged() -> None:
    talk = up("A", "B")
    [told] = events(talk.refuse("BAD", "too many connections with <A>"), Rejected)
    assert told.subscriptions == (stream("A"),)
    assert live(talk) == ["trade B"]


def test_a_refusal_that_passes_is_tried_again_later_each_time() -> None:
    talk = Talk().up("A", "B")
    log = []
    for request in ("#1", "#2", "#3"):
        talk.refuse("BUSY", request=request)
        log += [(t, text) for t, action in talk.until(talk.t + 5.0) for text in sent([action]) if "#" in text]
    assert log == [(1.001, "#2 + A, B"), (7.0, "#3 + A, B"), (14.0, "#4 + A, B")]
    assert events(talk.ack("A", "B"), Subscribed)


def test_a_busy_exchange_is_left_alone_for_a_moment_whatever_it_meant() -> None:
    talk = up("A")
    talk.refuse("BUSY")
    assert sent(talk.want("A", "B")) == []
    assert [text for _, action in talk.until(2.0) for text in sent([action])] == ["#2 + B"]


def test_a_request_without_an_answer_is_told_and_sent_again() -> None:
    talk = Talk(ping_interval=1000.0).up("A", "B")
    talk.ack("A")
    log = talk.until(12.0)
    [told] = [event for _, action in log for event in events([action], Rejected)]
    assert told.message == "no answer within 10 s to the request for B"
    assert (told.name, told.final) == ("no_answer", False)
    assert [(t, text) for t, action in log for text in sent([action]) if "#" in text] == [(11.0, "#2 + B")]


def test_a_line_on_which_nothing_is_answered_is_replaced() -> None:
    talk = Talk().up("A")
    log = talk.until(60.0, lambda action: talk.tell("alive") if action == Send(b"PING", request=False) else [])
    assert log[-1][1] == Close(Loss("stale", 1006, "3 requests in a row were not answered"), graceful=False)
    assert [t for t, action in log for text in sent([action]) if "#" in text] == [11.0, 23.0]


def test_leaving_without_an_answer_counts_as_left() -> None:
    talk = up("A", "B")
    talk.want("B")
    talk.until(10.0, lambda _: talk.tell("alive"))
    assert sent(talk.want("A", "B")) == ["#3 + A"]


def test_requests_are_limited_on_each_line_by_itself_and_text_pings_are_not() -> None:
    talk = Talk(ping_interval=2.0, pending_window_max=0.0)
    talk.want("A")
    talk.opened()
    for number in range(25):
        talk.want(f"A{number}")
        talk.ack("-A", *(f"-A{other}" for other in range(25)))
    assert talk.deadline == 2.0
    log = talk.until(59.0, lambda _: talk.tell("alive"))
    assert {text for _, action in log for text in sent([action])} == {"PING"}
    talk.lost(CLOSED)
    talk.until(talk.t + 1.0)
    assert len(sent(talk.opened())) == 1


def test_signs_of_life_are_asked_for_as_often_as_the_exchange_wants() -> None:
    talk = up("A", ping_interval=30.0)
    assert [(t, text) for t, action in talk.until(25.0) for text in sent([action])] == [(20.0, "PING")]


def test_what_nobody_wants_any_more_is_not_asked_again_later() -> None:
    talk = Talk().up("A", "B")
    talk.refuse("BUSY", request="#1")
    talk.want("B")
    assert [text for _, action in talk.until(5.0) for text in sent([action])] == ["#2 + B"]


def test_a_snapshot_that_one_of_two_wanted_leaves_the_stream_to_the_other() -> None:
    one, other = Subscription("trade", "A"), Subscription("trade", "A", depth=5)
    talk = Talk()
    talk.machine.want(talk.now, {one: Wish(one, realtime=False), other: Wish(other)})
    talk.opened()
    talk.ack("A")
    assert sent(talk.machine.first_data(talk.now, one, Progress(1), True)) == []
    assert talk.machine.live == {other}


def test_only_what_is_on_the_line_can_be_begun_anew() -> None:
    talk = up("A")
    talk.want("A", "B")
    talk.refuse("BUSY", request="#2")
    assert talk.machine.refetch(talk.now, [stream("B")]) == []
    idle = Talk()
    idle.want("A")
    assert idle.machine.refetch(idle.now, [stream("A")]) == []
    idle.stop()
    assert idle.machine.refetch(idle.now, [stream("A")]) == []


def test_an_answer_that_is_about_nothing_is_told_and_changes_nothing() -> None:
    talk = up("A")
    assert events(talk.refuse("COUNT"), Rejected)
    assert live(talk) == ["trade A"]


def test_a_login_waits_for_its_turn() -> None:
    talk = private(messages_per_second=1, backoff_base=0.1)
    talk.opened()
    talk.lost(CLOSED)
    talk.until(0.1)
    assert LogIn() not in talk.opened()
    assert [(round(t, 3), action) for t, action in talk.until(2.0)] == [(1.001, LogIn())]


# what the exchange lets know


def test_a_notice_is_told_and_one_of_the_line_s_end_is_followed() -> None:
    talk = up("A")
    told = talk.tell("notice", "COUNT")
    assert told == [talk.event(Notice, name="COUNT", message="")]
    assert talk.tell("notice", "UPGRADE") == [talk.event(Notice, name="UPGRADE", message="", moving=True), Replace()]


def test_a_notice_may_end_a_stream() -> None:
    talk = up("A", "B")
    told = talk.machine.control(talk.now, Control("notice", "FULL", "too many connections have <A>"))
    [rejected] = events(told, Rejected)
    assert (rejected.subscriptions, rejected.final) == ((stream("A"),), True)


# login


def private(**options: Any) -> Talk:
    talk = Talk(side="private", **options)
    talk.want("order A~")
    return talk


def test_nothing_is_asked_before_the_login_is_answered() -> None:
    talk = private()
    assert [type(action).__name__ for action in talk.opened()] == ["Publish", "LogIn"]
    assert talk.want("order A~", "order B~") == []
    assert sent(talk.tell("login")) == ["#1 + order A, order B"]
    [told] = events(talk.ack("order A", "order B"), Subscribed)
    assert told.subscriptions == (stream("order A"), stream("order B"))


def test_each_line_has_its_own_login() -> None:
    talk = private()
    talk.opened()
    talk.tell("login")
    talk.lost(CLOSED)
    talk.until(1.0)
    assert LogIn() in talk.opened()


def test_a_login_without_an_answer_costs_the_line() -> None:
    talk = private()
    talk.opened()
    [cut] = [action for _, action in talk.until(10.0) if isinstance(action, Close)]
    assert cut == Close(Loss("refused", None, "no answer to the login within 10 s"), graceful=False)


@pytest.mark.parametrize("code", ["EXPIRED", "BAD", "NEVER_HEARD"])
def test_a_login_that_fails_is_tried_on_a_new_line(code: str) -> None:
    talk = private()
    talk.opened()
    loss = Loss("refused", None, f"{code} no")
    told = talk.refuse(code)
    assert [type(action).__name__ for action in told] == ["Publish", "Close"]
    assert told[1] == Close(loss, graceful=False)
    [lost] = events(talk.lost(loss), Disconnected)
    assert lost.retry_in == 1.0
    assert Connect(f"{URL}/private") in [action for _, action in talk.until(1.0)]
    assert LogIn() in talk.opened()


def test_a_busy_exchange_at_the_login_is_waited_for() -> None:
    talk = private()
    talk.opened()
    assert not [action for action in talk.refuse("BUSY") if isinstance(action, Close)]


def test_a_key_that_is_refused_twice_ends_it() -> None:
    talk = private()
    talk.opened()
    loss = Loss("refused", None, "WRONG_KEY no", 401)
    assert talk.refuse("WRONG_KEY")[-1] == Close(loss, graceful=False)
    talk.lost(loss)
    talk.until(1.0)
    talk.opened()
    talk.refuse("WRONG_KEY")
    end = talk.lost(loss)
    assert events(end, Stopped)
    [finish] = [action for action in end if isinstance(action, Finish)]
    assert isinstance(finish.error, AuthenticationFailed)


def test_a_key_that_was_taken_in_between_has_another_try() -> None:
    talk = private()
    for _ in range(3):
        talk.opened()
        talk.tell("login")
        loss = Loss("refused", None, "WRONG_KEY no", 401)
        talk.refuse("WRONG_KEY")
        assert not events(talk.lost(loss), Stopped)
        talk.until(talk.t + 60.0)
