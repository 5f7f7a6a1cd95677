"""The machine as a table of (time, fact) → actions, whole values."""

from __future__ import annotations

import pytest
from msgspec import structs

from tapewire.errors import ConnectFailed, LineLost, UsageError
from tapewire.model.line import Loss
from tapewire.model.status import (
    Connected,
    Connecting,
    Disconnected,
    Gap,
    Limited,
    Recovered,
    Stale,
    Stopped,
    Subscribed,
)
from tapewire.session.actions import Close, Connect, Finish, Ping, Send
from tapewire.session.gate import Gate
from tapewire.venues.contract import Control, Window
from tests.session.made_up import CLOSED, CONNECTS, STOPPED, URL, VENUE, Session, events, sent, short, stream

A, B = stream("A"), stream("ticker B")


def connecting(s: Session, attempt: int = 1) -> list[object]:
    return [s.event(Connecting, url=URL, attempt=attempt), Connect(URL)]


def test_from_a_wish_to_a_confirmed_stream() -> None:
    s = Session()
    assert (s.machine.state, s.deadline) == ("idle", None)
    assert s.want("A", "ticker B~") == connecting(s)
    assert (s.machine.state, s.deadline) == ("connecting", None)
    assert s.opened() == [
        s.event(Connected, url=URL, reconnect=0, seconds=0.25),
        Send(b"#1 DEFAULT trade A+, ticker B"),
    ]
    assert (s.machine.state, s.deadline, s.machine.live) == ("open", 2.0, frozenset())
    assert s.data("A+") == []
    assert s.machine.live == {A}
    assert s.data("ticker B") == [s.event(Subscribed, subscriptions=(A, B))]
    assert s.machine.live == {A, B}


def test_silence_for_the_quiet_time_is_consent() -> None:
    s = Session().up("A", "B")
    assert s.at(1.9) == []
    assert s.at(2.0) == [s.event(Subscribed, subscriptions=(A, stream("B")))]
    assert s.data("A+") == []


def test_what_is_confirmed_by_data_is_told_with_the_next_tick_at_the_latest() -> None:
    s = Session().up("A", "B")
    s.data("A+")
    assert s.until(2.0) == [
        (1.0, at(s, 1.0).event(Subscribed, subscriptions=(A,))),
        (2.0, at(s, 2.0).event(Subscribed, subscriptions=(stream("B"),))),
    ]


def at(s: Session, t: float) -> Session:
    s.t = t
    return s


def test_an_addition_is_one_request_for_all_with_realtime_only_for_what_is_live() -> None:
    s = Session().up("A")
    s.data("A+")
    assert s.want("A", "ticker B", "C~") == [Send(b"#2 DEFAULT trade A, ticker B+, trade C")]
    assert s.want("A", "ticker B", "C~") == []
    assert s.want("A", "C~") == [Send(b"#3 DEFAULT trade A, trade C")]
    assert short(s.machine.wanted) == ["trade A", "trade C"]


def test_requests_are_written_when_the_limit_allows_them_from_the_set_of_that_moment() -> None:
    s = Session().up("A")
    for n in range(1, 5):
        assert len(s.want("A", f"B{n}")) == 1
    assert s.want("A", "X") == []
    assert s.want("A", "Y") == []
    assert s.deadline == 1.5
    assert s.at(1.0) == []
    assert s.at(1.5) == [Send(b"#6 DEFAULT trade A+, trade Y+")]


def test_a_refresh_asks_these_with_their_snapshot_and_the_others_realtime_only() -> None:
    s = Session().up("A", "B~")
    s.data("A+", "B")
    assert s.machine.refresh(s.now, [stream("B"), stream("nobody's")]) == [Send(b"#2 DEFAULT trade A, trade B+")]
    assert s.want("A", "B~", "C") == [Send(b"#3 DEFAULT trade A, trade B+, trade C+")]  # its snapshot has not come
    s.data("B+", "C+")
    assert s.machine.refresh(s.now, [stream("nobody's")]) == []
    assert s.want("A", "B~") == [Send(b"#4 DEFAULT trade A, trade B")]


def test_a_wish_that_grows_is_asked_again() -> None:
    s = Session().up("A~", "B!")
    s.data("A")
    assert s.want("A", "B!") == [Send(b"#2 DEFAULT trade A+, trade B!")]
    assert s.want("A", "B") == [Send(b"#3 DEFAULT trade A+, trade B+")]


def test_a_snapshot_is_had_once() -> None:
    s = Session().up("A", "B!", "C!")
    assert s.data("A+", "B+") == []
    assert short(s.machine.wanted) == ["trade A", "trade C"]
    assert s.want("A", "B!", "C!", "D") == [Send(b"#2 DEFAULT trade A, trade C!, trade D+")]
    s.lost()
    s.at(1.0)
    assert sent(s.opened()) == ["#3 DEFAULT trade A+, trade C!, trade D+"]
    s.data("C+")
    assert s.machine.refresh(s.now, [stream("B")]) == [Send(b"#4 DEFAULT trade A+, trade B!, trade D+")]


def test_when_all_snapshots_are_had_the_line_is_closed_and_a_new_one_is_had_for_a_refresh() -> None:
    s = Session().up("A!")
    assert s.data("A+") == [s.event(Subscribed, subscriptions=(A,)), Close(STOPPED)]
    assert s.lost(STOPPED) == [s.event(Disconnected, loss=STOPPED, attempt=0, retry_in=None)]
    assert (s.machine.state, s.machine.gaps) == ("idle", ())
    assert s.machine.refresh(s.now, [A]) == connecting(s, 2)


def test_a_snapshot_wish_taken_by_a_realtime_message_waits_on() -> None:
    s = Session().up("A!")
    s.data("A")
    assert short(s.machine.wanted) == ["trade A"]


def test_nobody_wants_anything_any_more() -> None:
    s = Session().up("A")
    s.data("A+")
    assert s.want() == [Close(STOPPED)]
    assert s.want("B") == []
    assert s.deadline is None
    assert (s.error("WRONG_FORMAT"), s.at(500.0), s.data("B")) == ([], [], [])
    assert s.lost(STOPPED) == [
        s.event(Disconnected, loss=STOPPED, attempt=0, retry_in=None), *connecting(s),
    ]  # fmt: skip
    assert sent(s.opened()) == ["#2 DEFAULT trade B+"]


def test_the_wish_goes_away_while_waiting_or_dialling() -> None:
    s = Session()
    s.want("A")
    assert s.want() == [Close(STOPPED)]
    assert s.opened() == [Close(STOPPED)]
    assert events(s.lost(STOPPED), Disconnected)[0].final is False
    s.want("A")
    s.failed(Loss("unreachable"))
    assert s.machine.retry_at == 1.0
    assert s.want() == []
    assert s.seen("state", "retry_at") == ["idle", None]
    assert s.want("A") == []
    assert s.deadline == 1.0
    assert s.at(1.0) == connecting(s, 3)
    s.want()
    assert events(s.failed(STOPPED), Disconnected)[0].retry_in is None
    s.want("A")
    s.want()
    assert s.lost(STOPPED) == [s.event(Disconnected, loss=STOPPED, attempt=1, retry_in=None)]


def test_a_lost_line_comes_back_with_every_stream_and_its_gap_is_told() -> None:
    s = Session().up("A", "ticker B")
    s.data("A+", last_id=7, timestamp=70)
    s.data("ticker B+", timestamp=71)
    s.t = 10.0
    assert s.lost() == [s.event(Disconnected, loss=CLOSED, attempt=1, retry_in=1.0)]
    assert s.seen("state", "live", "last_loss", "attempt") == ["waiting", set(), CLOSED, 1]
    rows = [
        s.event(Gap, subscription=it, cause="closed", state="open", from_ns=s.now.ns, last_id=i, last_timestamp=t).event
        for it, i, t in ((A, 7, 70), (B, None, 71))
    ]
    assert list(s.machine.gaps) == rows
    since = s.now.ns
    assert s.at(11.0) == connecting(s, 2)
    assert s.opened() == [
        s.event(Connected, url=URL, reconnect=1, seconds=0.25),
        Send(b"#2 DEFAULT trade A+, ticker B+"),
    ]
    s.t = 12.0
    closed = {"cause": "closed", "from_ns": since, "to_ns": s.now.ns}
    assert s.data("A+", last_id=7, timestamp=70) == [
        s.event(Gap, subscription=A, state="nothing_missed", last_id=7, first_id=7, last_timestamp=70,
                first_timestamp=70, **closed)
    ]  # fmt: skip
    assert s.data("ticker B+", timestamp=99) == [
        s.event(Gap, subscription=B, state="full_state", last_timestamp=71, first_timestamp=99, **closed),
        s.event(Recovered, subscriptions=(A, B), seconds=2.0),
        s.event(Subscribed, subscriptions=(A, B)),
    ]
    assert (s.machine.gaps, s.machine.reconnects) == ((), 1)


def test_streams_without_a_word_and_snapshot_wishes_have_no_gap() -> None:
    s = Session().up("A", "B", "C!")
    s.data("B", "C")
    s.lost()
    assert [gap.subscription.symbol for gap in s.machine.gaps] == ["B"]


def test_a_gap_of_a_stream_that_nobody_wants_any_more_is_told_open() -> None:
    s = Session().up("A", "B")
    s.data("A+", "B+")
    s.lost()
    (row,) = s.want("B")
    assert row == s.event(Gap, subscription=A, cause="closed", state="open", from_ns=s.now.ns)
    assert [gap.subscription.symbol for gap in s.machine.gaps] == ["B"]


def test_a_confirmation_that_was_not_told_is_told_before_the_loss() -> None:
    s = Session().up("A", "B")
    s.data("A+")
    assert [type(event) for event in events(s.lost())] == [Subscribed, Disconnected]


def test_stop_closes_and_finishes_with_the_line() -> None:
    s = Session().up("A")
    assert s.stop() == [Close(STOPPED)]
    assert s.stop() == []
    assert s.lost(STOPPED) == [
        s.event(Disconnected, loss=STOPPED, attempt=0, retry_in=None, final=True),
        s.event(Stopped, reason="stopped"),
        Finish(None),
    ]
    assert (s.machine.state, s.deadline) == ("stopped", None)
    late = (s.stop(), s.want("B"), s.machine.refresh(s.now, [A]), s.opened(), s.failed(CLOSED), s.lost(), s.at(99.0))
    assert late == ([],) * 7


def test_stop_without_a_line_finishes_at_once_and_tells_open_gaps() -> None:
    s = Session()
    assert s.stop() == [s.event(Stopped, reason="stopped"), Finish(None)]
    s = Session().up("A")
    s.data("A+", last_id=3)
    s.lost()
    gap = s.machine.gaps[0]
    s.t = 0.5
    assert s.stop() == [
        s.event(Gap, subscription=A, cause="closed", state="open", from_ns=gap.from_ns, last_id=3),
        s.event(Stopped, reason="stopped"),
        Finish(None),
    ]


def test_stop_while_dialling() -> None:
    s = Session()
    s.want("A")
    assert s.stop() == [Close(STOPPED)]
    assert s.failed(STOPPED)[-1] == Finish(None)


def test_a_refused_key_ends_the_session_with_the_reason() -> None:
    for status in (401, 403):
        s, loss = Session(), Loss("refused", status=status, reason="Forbidden")
        s.want("A")
        *told, last = s.failed(loss)
        assert told == [
            s.event(Disconnected, loss=loss, attempt=0, retry_in=None, final=True),
            s.event(Stopped, reason=str(loss), error=True),
        ]
        assert isinstance(last, Finish)
        assert isinstance(last.error, ConnectFailed)
        assert last.error.loss == loss


def test_after_max_retries_it_gives_up_loudly() -> None:
    s = Session(max_retries=2)
    s.want("A")
    for t in (1.0, 3.0):
        s.failed(Loss("unreachable"))
        s.at(t)
    s.opened()
    *told, last = s.lost(CLOSED)
    assert [event.final for event in events(told, Disconnected)] == [True]
    assert isinstance(last, Finish)
    assert isinstance(last.error, LineLost)


def test_ping_and_pong() -> None:
    s = Session(stale_after=None).up("A")
    s.data("A")
    assert s.deadline == 30.0
    assert s.at(30.0) == [Ping(b"tapewire-1")]
    s.machine.pong(s.now, b"tapewire-1")
    assert s.deadline == 60.0
    s.at(60.0)
    s.machine.pong(s.now, b"tapewire-1")
    assert s.deadline == 70.0
    loss = Loss("ping_timeout", 1006, "no pong within 10 s")
    assert s.at(70.0) == [Close(loss, graceful=False)]
    assert s.deadline is None
    assert events(s.lost(loss), Disconnected)[0].loss == loss
    assert s.machine.gaps[0].cause == "ping_timeout"


def test_a_line_that_is_held_is_not_called_dead_and_asked_at_once_when_it_is_read_again() -> None:
    """The pong may lie there unread, and all data with it (the ``block`` rule of a full mailbox)."""
    s = Session().up("A")
    for s.t in range(10):
        s.data("A")
        s.at(float(s.t))
    assert s.until(30.0) == [(30.0, Ping(b"tapewire-1"))]
    s.t = 31.0
    assert s.machine.hold(s.now, holding=True) == []
    held = s.deadline
    assert held is None
    assert s.at(500.0) == []
    s.machine.hold(s.now, holding=False)
    let_go = s.deadline
    assert let_go is not None
    assert let_go <= 500.0
    assert s.at(500.0) == [Ping(b"tapewire-2")]
    s.machine.pong(s.now, b"tapewire-1")
    assert s.until(511.0) == [(510.0, Close(Loss("ping_timeout", 1006, "no pong within 10 s"), graceful=False))]


def test_the_text_ping_is_a_message_like_any_other() -> None:
    s = Session(keep_alive="text", stale_after=None).up("A")
    s.machine.pong(s.now, b"")
    s.until(29.9)
    s.t = 30.0
    for n in range(5):
        assert len(s.want("A", f"B{n}")) == 1
    assert s.at(30.0) == []
    assert s.deadline == 31.5
    assert s.at(31.5) == [Send(b"PING", request=False)]
    assert s.deadline == 32.0
    s.at(32.0)
    assert s.deadline == 41.5
    assert s.machine.control(s.now, Control("alive")) == []
    assert s.deadline == 61.5


def test_a_late_tick_sends_one_ping_and_other_news_change_nothing() -> None:
    s = Session(stale_after=None).up("A")
    s.data("A")
    assert s.machine.control(s.now, Control("alive")) == []
    assert s.machine.control(s.now, Control("subscriptions")) == []
    assert s.at(600.0) == [Ping(b"tapewire-1")]
    assert s.deadline == 610.0


def test_silence_of_all_once_busy_streams_is_asked_about_once_and_then_costs_the_line() -> None:
    s = Session(ping_interval=10_000).up("A", "B", "C!")
    s.data("A+", "B")
    for second in range(1, 101):
        s.data("A")
        s.at(float(second))
    log = s.until(300)
    stale = Loss("stale", 1006, "no data for 120 s although the line is alive")
    assert log == [
        (161.0, at(s, 161.0).event(Stale, subscription=A, silent=61.0, limit=60.0)),
        (161.0, Send(b"#2 DEFAULT trade A+, trade B+, trade C!")),
        (220.0, Close(stale, graceful=False)),
    ]
    s.t = 300.0
    assert events(s.lost(stale), Disconnected)[0].retry_in == 1.0


def test_one_connection_limit_for_all_machines_of_a_process() -> None:
    gate = Gate(CONNECTS, 10.0)
    sessions = [Session(gate=gate) for _ in range(7)]
    assert [len(s.want("A")) for s in sessions] == [2, 2, 2, 2, 2, 0, 0]
    for late, session in enumerate(sessions[:3]):
        session.t = 0.25 * late
        session.opened()  # two more are dialling still
    assert [s.deadline for s in sessions[5:]] == [1.0, 1.0]
    assert [len(s.at(1.0)) for s in sessions[5:]] == [0, 0]
    assert [s.deadline for s in sessions[5:]] == [1.001, 1.001]
    assert [len(s.at(1.001)) for s in sessions[5:]] == [2, 0]
    assert (sessions[6].deadline, sessions[6].machine.retry_at) == (1.021, 1.021)
    for session in sessions[3:5]:
        session.t = 1.1
        session.opened()
    assert sessions[6].at(1.2) == []
    assert (sessions[6].deadline, sessions[6].machine.retry_at) == (1.251, 1.251)
    assert len(sessions[6].at(1.251)) == 2


def test_dials_without_an_answer_hold_the_others_back_until_they_have_surely_arrived_or_failed() -> None:
    gate = Gate(CONNECTS, 10.0)
    sessions = [Session(gate=gate) for _ in range(6)]
    assert [len(s.want("A")) for s in sessions] == [2, 2, 2, 2, 2, 0]
    last = sessions[5]
    assert last.deadline == 1.0
    assert last.at(1.0) == []
    assert last.deadline == 1.02
    sessions[2].t = 4.0
    sessions[2].failed(Loss("unreachable"))
    assert last.at(5.0) == []
    assert last.deadline == 5.001
    assert len(last.at(5.001)) == 2


def test_after_429_and_418_all_that_dial_under_the_same_limit_wait_and_it_is_told() -> None:
    gate = Gate(CONNECTS)
    refused, other = Session(gate=gate), Session(gate=gate)
    refused.want("A")
    told = events(refused.failed(Loss("refused", status=418, retry_after=40.0)), Limited)
    assert [(one.group, one.status, one.seconds) for one in told] == [("websocket-connect", 418, 40.0)]
    assert other.want("A") == []
    assert other.deadline == 40.0
    assert len(other.at(40.0)) == 2
    assert events(other.failed(Loss("refused", status=503)), Limited) == []


def test_another_address_and_a_venue_of_several_messages_without_limits() -> None:
    facts = structs.replace(VENUE.facts, messages=())
    two = structs.replace(VENUE, facts=facts, encode=lambda wishes, ticket, form: [b"login", b"ask"])
    s = Session(venue=two, url="ws://127.0.0.1:9001/v1")
    assert s.want("A")[-1] == Connect("ws://127.0.0.1:9001/v1")
    assert s.opened()[1:] == [Send(b"login"), Send(b"ask")]
    s.error("TOO_MANY_REQUEST")
    assert s.deadline == 0.001
    tight = structs.replace(two, facts=structs.replace(facts, messages=(Window(1, 1.0),)))
    s = Session(venue=tight)
    s.want("A")
    assert s.opened()[1:] == [Send(b"login")]
    assert s.deadline == 1.5
    assert s.at(1.5) == [Send(b"ask")]


def test_a_snapshot_that_does_not_come_within_the_quiet_time_is_not_asked_for_again() -> None:
    s = Session().up("A", "B")
    s.data("A+")
    s.machine.refresh(s.now, [A])
    s.data("B")
    assert s.deadline == 1.0
    s.until(2.5)
    assert s.want("A", "B", "C") == [Send(b"#3 DEFAULT trade A, trade B, trade C+")]


@pytest.mark.parametrize("manner", [{"replaces": False}, {"acknowledges": True}])
def test_a_venue_with_other_manners_is_refused_when_the_session_is_made(manner: dict[str, bool]) -> None:
    venue = structs.replace(VENUE, facts=structs.replace(VENUE.facts, **manner))
    with pytest.raises(UsageError, match="made-up: requests replace each other and are not answered"):
        Session(venue=venue)
