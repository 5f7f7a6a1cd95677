"""What an error of the exchange leads to: the bad one out, the others live, no circle."""

from __future__ import annotations

from random import Random

import pytest

from tapewire.config import FeedOptions, SessionOptions
from tapewire.model.status import Rejected, Subscribed
from tapewire.session.actions import Close, Send
from tapewire.session.gate import Gate
from tapewire.session.limits import MESSAGE_LEEWAY
from tapewire.session.machine import Machine
from tests.session.exchange import Exchange, worst
from tests.session.made_up import CONNECTS, MESSAGES, STOPPED, VENUE, Session, events, sent, stream, wishes

SYMBOLS = [f"S{n:03}" for n in range(100)]


def against(exchange: Exchange, **options: object) -> Machine:
    feed = FeedOptions(session=SessionOptions(jitter=False, **options))  # type: ignore[arg-type]
    tickets = iter(range(10**9))
    exchange.machine = Machine(
        VENUE,
        "made-up-1",
        feed,
        Gate(CONNECTS),
        Gate(MESSAGES, MESSAGE_LEEWAY),
        exchange.chance.random,
        lambda: f"#{next(tickets)}",
    )
    return exchange.machine


@pytest.mark.parametrize("hangs_up", [False, True])
@pytest.mark.parametrize("bad", [["S000"], ["S099"], ["S013", "S014", "S077"]])
def test_bad_symbols_are_found_by_halves_and_do_not_block_the_others(bad: list[str], hangs_up: bool) -> None:
    exchange = Exchange(Random(1), bad=bad)
    exchange.hangs_up = hangs_up
    machine = against(exchange, max_retries=3)
    exchange.do(machine.want(exchange.now, wishes(*SYMBOLS)))
    exchange.run(200.0)
    rejected = [event for event in exchange.events() if isinstance(event, Rejected) and event.final]
    assert sorted(it.symbol for event in rejected for it in event.subscriptions) == bad
    assert all(len(event.subscriptions) == 1 for event in rejected)
    assert sorted(it.symbol for it in machine.live) == [symbol for symbol in SYMBOLS if symbol not in bad]
    assert len(exchange.requests) < 60
    for times in exchange.messages.values():
        assert all(worst(times, window) <= window.count for window in MESSAGES)
    assert exchange.lines == (1 if not hangs_up else exchange.lines)
    assert (machine.state, machine.attempt < 2) == ("open", True)


def test_a_single_suspect_is_rejected_for_good_and_leaves_the_set() -> None:
    s = Session().up("A")
    s.data("A+")
    s.want("A", "BAD")
    assert s.error("WRONG_FORMAT", "text") == [
        s.event(Rejected, name="WRONG_FORMAT", message="text", subscriptions=(stream("BAD"),), final=True),
        Send(b"#3 DEFAULT trade A"),
    ]
    assert s.want("A", "BAD") == []
    assert s.want("A") == []
    assert s.want("A", "BAD") == [Send(b"#4 DEFAULT trade A, trade BAD+")]


def test_the_halves_of_one_refused_request_step_by_step() -> None:
    s = Session().up("A", "B", "C", "BAD")
    assert s.error("NO_CODES") == [
        s.event(Rejected, name="NO_CODES", message="no"), Send(b"#2 DEFAULT trade A+, trade B+"),
    ]  # fmt: skip
    assert s.data("A+") == []
    assert s.data("B+") == [
        s.event(Subscribed, subscriptions=(stream("A"), stream("B"))),
        Send(b"#3 DEFAULT trade A, trade B, trade C+, trade BAD+"),
    ]
    assert sent(s.error("NO_CODES")) == ["#4 DEFAULT trade A, trade B, trade C+"]
    assert sent(s.at(2.0)) == ["#5 DEFAULT trade A, trade B, trade C, trade BAD+"]
    assert s.machine.live == {stream("A"), stream("B"), stream("C")}
    final = s.error("NO_CODES")
    assert [event.subscriptions for event in events(final, Rejected)] == [(stream("BAD"),)]
    assert sent(final) == ["#6 DEFAULT trade A, trade B, trade C"]


def test_suspects_survive_the_line_and_leave_with_the_wish() -> None:
    s = Session().up("A", "B", "C", "D")
    s.error("INVALID_PARAM")
    s.lost()
    s.at(1.0)
    assert sent(s.opened()) == ["#3 DEFAULT trade A+, trade B+"]
    assert s.want("A", "B", "D", "E") == []  # one request at a time until the trouble is over
    assert sent([action for _, action in s.until(5.0)]) == [
        "#4 DEFAULT trade A, trade B, trade E+",
        "#5 DEFAULT trade A, trade B, trade E, trade D+",
    ]


def test_data_of_one_that_was_held_back_proves_it() -> None:
    s = Session().up("A", "B")
    s.error("INVALID_PARAM")
    s.data("B")
    assert sent(s.data("A+")) == ["#3 DEFAULT trade A, trade B"]


def test_when_all_are_refused_the_line_is_closed() -> None:
    s = Session().up("BAD")
    assert s.error("INVALID_PARAM")[1:] == [Close(STOPPED)]
    s.lost(STOPPED)
    assert s.machine.state == "idle"
    assert s.want("BAD") == []


@pytest.mark.parametrize("name", ["TOO_MANY_REQUEST", "TOO_MANY_REQUESTS", "Too Many Requests", "I'm a teapot"])
def test_too_many_requests_passes_by_itself_and_is_asked_again_after_all_windows(name: str) -> None:
    s = Session(stale_after=None, ping_interval=1000).up("A")
    s.data("A+")
    s.want("A", "B")
    s.t = 1.0
    assert s.error(name) == [s.event(Rejected, name=name, message="no")]
    s.t = 2.0
    assert s.want("A", "B", "C") == []
    assert [t for t, action in s.until(70.0) if isinstance(action, Send)] == [61.001]
    assert s.machine.live == {stream("A"), stream("B"), stream("C")}


def test_the_wait_after_too_many_requests_holds_across_lines() -> None:
    s = Session(stale_after=None).up("A")
    s.error("TOO_MANY_REQUEST")
    s.lost()
    s.at(1.0)
    assert sent(s.opened()) == []
    assert s.deadline == 31.0
    assert [
        t for t, action in s.until(65.0, lambda _: s.machine.pong(s.now, b"tapewire-1")) if isinstance(action, Send)
    ] == [60.001]


def test_an_error_while_nothing_waits_for_an_answer_changes_nothing() -> None:
    s = Session().up("A")
    s.data("A+")
    assert s.error("WRONG_FORMAT") == [s.event(Rejected, name="WRONG_FORMAT", message="no")]
    assert s.seen("state", "live") == ["open", {stream("A")}]
    assert [action for _, action in s.until(29.0)] == []


def test_an_error_about_streams_that_were_fine_before_is_asked_again_later() -> None:
    s = Session(ping_interval=1000).up("A")
    s.data("A+")
    s.lost()
    s.at(1.0)
    s.opened()
    assert s.error("SOMETHING_NEW") == [s.event(Rejected, name="SOMETHING_NEW", message="no")]
    assert [(t, type(action)) for t, action in s.until(62.0)] == [(61.001, Send)]


def test_invalid_auth_on_a_public_line_is_told_and_silence_is_then_no_consent() -> None:
    s = Session(ping_interval=1000).up("A", "B")
    assert s.error("INVALID_AUTH") == [s.event(Rejected, name="INVALID_AUTH", message="no")]
    assert s.until(100.0) == []
    assert s.machine.live == frozenset()
    s.data("A+")
    assert s.machine.live == {stream("A")}


def test_an_error_that_several_requests_can_mean_is_blamed_on_nobody_yet() -> None:
    s = Session(stale_after=None).up("A")
    s.want("A", "BAD")
    s.want("A", "BAD", "C")
    s.t = 0.1
    assert s.error("NO_TYPE") == s.error("NO_TYPE") == [s.event(Rejected, name="NO_TYPE", message="no")]
    assert sent([action for _, action in s.until(2.2)]) == ["#4 DEFAULT trade A+, trade BAD+, trade C+"]
    assert sent(s.error("NO_TYPE")) == ["#5 DEFAULT trade A+, trade BAD+"]
    assert sent(s.error("NO_TYPE")) == ["#6 DEFAULT trade A+"]


def test_an_error_about_a_stream_that_nobody_wants_any_more_is_blamed_on_nobody() -> None:
    s = Session(stale_after=None).up("BAD", "B", "C")
    assert sent(s.error("NO_TYPE")) == ["#2 DEFAULT trade BAD+, trade B+"]
    assert s.want("B", "C") == []
    assert s.error("NO_TYPE") == [s.event(Rejected, name="NO_TYPE", message="no")]
    assert sent([action for _, action in s.until(5.0)]) == ["#3 DEFAULT trade B+", "#4 DEFAULT trade B, trade C+"]


def test_a_stream_that_left_and_came_back_must_prove_itself_again() -> None:
    s = Session().up("A", "B")
    s.data("A+", "B+")
    assert len(s.want("A")) == 1
    s.t = 5.0
    assert sent(s.want("A", "B")) == ["#3 DEFAULT trade A, trade B+"]
    assert [event.final for event in events(s.error("INVALID_PARAM"), Rejected)] == [True]
