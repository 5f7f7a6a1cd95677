"""A line of a signed side: rare streams, a key that may be refused."""

from __future__ import annotations

import pytest
from msgspec.structs import replace

from tapewire.errors import AuthenticationFailed, ConnectFailed
from tapewire.model.line import Loss
from tapewire.model.status import Disconnected, Gap, Recovered, Rejected, Stale, Stopped, Subscribed
from tapewire.session.actions import Connect, Finish, Ping, Publish, Send
from tapewire.venues.contract import Control, side_url
from tests.session.made_up import CLOSED, URL, VENUE, Session, events, stream


def read_refusal(body: bytes) -> Control | None:
    return Control("error", *body.decode().split("|")) if b"|" in body else None


VENUE_WITH_SIDES = replace(
    VENUE,
    facts=replace(
        VENUE.facts,
        sides={"public": "", "private": "/private"},
        side_of={"order": "private"},
        signed_sides=frozenset({"private"}),
        event_kinds=frozenset({"order"}),
        kinds=("ticker", "trade", "order"),
    ),
    read_refusal=read_refusal,
)
REFUSED = Loss("refused", None, "Unauthorized", 401, None, b"nonce_used|used before")


def private(**options: object) -> Session:
    return Session(venue=VENUE_WITH_SIDES, side="private", **options)  # type: ignore[arg-type]


def orders(session: Session) -> Session:
    """Up to a confirmed stream of orders: silence for the quiet time is consent."""
    session.want("order A~")
    session.at(session.t)
    session.opened()
    session.until(session.t + 2.0)
    assert session.machine.live == {stream("order A")}
    return session


@pytest.mark.parametrize(
    ("url", "path", "whole"),
    [
        ("wss://a.test/v1", "", "wss://a.test/v1"),
        ("wss://a.test/v1", "/private", "wss://a.test/v1/private"),
        ("ws://127.0.0.1:9/", "/private", "ws://127.0.0.1:9/private"),
        ("ws://a.test/v1?x=1", "/info", "ws://a.test/v1/info?x=1"),
    ],
)
def test_a_side_has_its_own_path_behind_that_of_the_address(url: str, path: str, whole: str) -> None:
    assert side_url(url, path) == whole


def test_a_signed_side_is_dialled_at_its_own_address() -> None:
    s = private()
    assert Connect(f"{URL}/private") in s.want("order A~")
    assert s.machine.url == f"{URL}/private"


def test_a_refused_key_is_tried_once_more_with_a_new_token_and_then_final() -> None:
    s = private()
    s.want("order A~")
    first = s.failed(REFUSED)
    named = replace(REFUSED, reason="Unauthorized: nonce_used: used before")
    assert first == [s.event(Disconnected, loss=named, attempt=1, retry_in=1.0)]
    assert Connect(f"{URL}/private") in s.at(1.0)
    told = s.failed(REFUSED)
    assert [type(event) for event in events(told)] == [Disconnected, Stopped]
    finish = told[-1]
    assert isinstance(finish, Finish)
    assert isinstance(finish.error, AuthenticationFailed)
    assert str(finish.error) == "made-up refused the key: 401 Unauthorized: nonce_used: used before"
    assert (finish.error.venue, finish.error.loss, finish.error.retryable) == ("made-up", named, False)
    assert s.machine.state == "stopped"


def test_an_opened_line_gives_the_next_refused_key_its_second_try_again() -> None:
    s = private()
    s.want("order A~")
    s.failed(REFUSED)
    s.at(1.0)
    s.opened()
    s.lost()
    s.at(s.deadline)
    assert [type(event) for event in events(s.failed(REFUSED))] == [Disconnected]
    assert s.machine.state == "waiting"


@pytest.mark.parametrize(("status", "body"), [(403, b"out_of_scope|no permission"), (403, b"plain text")])
def test_a_key_without_permission_is_final_at_once(status: int, body: bytes) -> None:
    s = private()
    s.want("order A~")
    finish = s.failed(Loss("refused", None, "Forbidden", status, None, body))[-1]
    assert isinstance(finish, Finish)
    assert isinstance(finish.error, AuthenticationFailed)
    assert ("out_of_scope" in str(finish.error)) == (b"|" in body)


def test_a_public_side_that_answers_401_is_no_matter_of_a_key() -> None:
    s = Session(venue=VENUE_WITH_SIDES)
    s.want("A")
    finish = s.failed(REFUSED)[-1]
    assert isinstance(finish, Finish)
    assert type(finish.error) is ConnectFailed


def test_silence_of_a_rare_stream_is_never_stale_and_pongs_alone_make_the_line_stable() -> None:
    s = orders(private())
    for _ in range(20):
        for action in [action for _, action in s.until(s.t + 31.0)]:
            if isinstance(action, Ping):
                s.machine.pong(s.now, action.payload)
            assert not (isinstance(action, Publish) and isinstance(action.event, Stale))
    assert s.t > 600
    assert s.machine.state == "open"
    for expected in (1.0, 1.0):
        lost = s.lost()
        assert [e.retry_in for e in events(lost) if isinstance(e, Disconnected)] == [expected]
        s.at(s.deadline)
        s.opened()
        for _, action in s.until(s.t + 35.0):
            if isinstance(action, Ping):
                s.machine.pong(s.now, action.payload)


def test_the_text_sign_of_life_makes_a_rare_line_stable_too() -> None:
    s = orders(private(keep_alive="text"))
    s.until(s.t + 31.0)
    s.machine.control(s.now, Control("alive"))
    assert [e.retry_in for e in events(s.lost()) if isinstance(e, Disconnected)] == [1.0]


def test_a_rare_line_without_any_sign_of_life_is_not_stable() -> None:
    s = orders(private(ping_interval=100.0))
    s.until(s.t + 60.0)
    s.lost()
    s.at(s.deadline)
    s.opened()
    s.until(s.t + 60.0)
    assert [e.retry_in for e in events(s.lost()) if isinstance(e, Disconnected)] == [2.0]


def test_the_gap_of_a_rare_stream_ends_when_the_stream_is_confirmed_again() -> None:
    s = orders(private())
    s.lost(CLOSED)
    s.at(s.deadline)
    s.opened()
    assert len(s.machine.gaps) == 1
    told = [action.event for _, action in s.until(s.t + 2.0) if isinstance(action, Publish)]
    assert [type(event) for event in told] == [Subscribed, Gap, Recovered]
    gap = told[1]
    assert isinstance(gap, Gap)
    assert (gap.state, gap.subscription, gap.to_ns is not None) == ("unfilled", stream("order A"), True)
    assert not s.machine.gaps


def test_a_refused_key_in_a_frame_ends_the_stream_it_was_about() -> None:
    s = private()
    s.want("order A~")
    s.opened()
    told = events(s.error("INVALID_AUTH", "no scope"))
    assert [(type(event), event.final) for event in told if isinstance(event, Rejected)] == [(Rejected, True)]


def test_requests_of_rare_streams_never_ask_for_a_snapshot() -> None:
    s = private()
    s.want("order A~")
    assert [action for action in s.opened() if isinstance(action, Send)] == [Send(b"#1 DEFAULT order A")]


UNREACHABLE = Loss("unreachable", None, "connection refused")


def waits(session: Session, losses: int, *, opens: bool) -> list[float | None]:
    """The waits after so many losses in a row: of lines that open and end at once, or of dials that fail."""
    session.want("A")
    session.opened()
    found = [event.retry_in for event in events(session.lost()) if isinstance(event, Disconnected)]
    for _ in range(losses - 1):
        session.at(session.deadline)
        if opens:
            session.opened()
        told = session.lost() if opens else session.failed(UNREACHABLE)
        found += [event.retry_in for event in events(told) if isinstance(event, Disconnected)]
    return found


def test_an_exchange_that_is_away_is_waited_for_no_longer_than_it_was_away_so_far() -> None:
    """The longest chance could draw; P4: back within T of an outage of T."""
    assert waits(Session(jitter=True), 6, opens=False) == [1.0, 1.0, 2.0, 4.0, 8.0, 16.0]
    assert waits(Session(jitter=True, random=lambda: 0.5), 5, opens=False) == [0.5, 0.5, 0.5, 0.75, 1.125]


def test_an_exchange_that_ends_every_line_is_left_alone_for_longer_and_longer() -> None:
    assert waits(Session(jitter=True), 6, opens=True) == [1.0, 2.0, 4.0, 8.0, 16.0, 30.0]
    assert waits(Session(jitter=True, random=lambda: 0.5), 5, opens=True) == [0.5, 1.0, 2.0, 4.0, 8.0]
