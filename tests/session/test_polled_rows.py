"""The gap ledger while a stream is polled: the hole closes as REST fills it, and begins anew where that ended."""

from __future__ import annotations

from msgspec.structs import replace

from tapewire.model.line import Loss
from tapewire.model.status import Gap, Recovered
from tapewire.model.subscription import Subscription
from tapewire.session.actions import Now, Progress
from tapewire.session.cover import Cover
from tapewire.session.ledger import Answer, Ledger

STREAM = Subscription("trade", "KRW-BTC")
EPOCH = 1_786_611_600
LAST = Progress(5, 10, (EPOCH - 1) * 1000)


def now(t: float) -> Now:
    return Now(t, int((EPOCH + t) * 1e9))


def at(number: int, t: float) -> Progress:
    return Progress(0, number, int((EPOCH + t) * 1000))


def ledger() -> Ledger:
    return Ledger("upbit", "upbit-1", frozenset({"ticker"}))


ANSWER = Answer(before=LAST, last=at(20, 30), count=10)


def test_the_row_of_the_loss_is_filled_by_the_first_answer_and_another_begins() -> None:
    rows = ledger()
    rows.lost(now(0), "reset", [STREAM], {STREAM: LAST})
    [row] = rows.polled(now(30), STREAM, "refused", ANSWER)
    assert row == Gap(
        venue="upbit", connection="upbit-1", at_ns=now(30).ns, subscription=STREAM, cause="reset", state="filled",
        from_ns=now(0).ns, to_ns=now(30).ns, last_id=10, first_id=20,
        last_timestamp=LAST.last_timestamp, first_timestamp=at(20, 30).last_timestamp, recovered=10, polled=True,
    )  # fmt: skip
    [left] = rows.open
    assert (left.from_ns, left.last_id, left.state) == (now(30).ns, 20, "open")
    assert rows.polled(now(31), STREAM, "refused", Answer(before=at(20, 30), last=at(21, 31), count=1)) == []
    rows.lost(now(32), "refused", [STREAM], {STREAM: LAST})
    [closed, recovered] = rows.data(now(40), STREAM, at(30, 39))
    assert isinstance(closed, Gap)
    assert (closed.from_ns, closed.last_id, closed.first_id, closed.state) == (now(31).ns, 21, 30, "unfilled")
    assert isinstance(recovered, Recovered)
    assert recovered.seconds == 40.0, "since the loss"
    assert rows.open == ()


def test_what_rest_could_not_fill_is_told_whenever_it_happens() -> None:
    rows = ledger()
    rows.lost(now(0), "reset", [STREAM], {STREAM: LAST})
    reached = (EPOCH + 10) * 1000
    [row] = rows.polled(now(30), STREAM, "refused", replace(ANSWER, complete=False, reached_ms=reached))
    assert (row.state, row.first_id, row.first_timestamp) == ("unfilled", None, reached)
    [again] = rows.polled(now(60), STREAM, "refused", replace(ANSWER, complete=False))
    assert (again.state, again.first_id, again.from_ns) == ("unfilled", 20, now(30).ns)


def test_a_stream_that_never_had_a_line_has_a_row_from_its_first_answer_on() -> None:
    rows = ledger()
    assert rows.polled(now(10), STREAM, "refused", Answer(before=Progress(), last=at(1, 9), count=0)) == []
    [row] = rows.open
    assert (row.cause, row.from_ns, row.last_id) == ("refused", now(10).ns, 1)
    [closed, _] = rows.data(now(20), STREAM, at(5, 19))
    assert isinstance(closed, Gap)
    assert (closed.last_id, closed.first_id) == (1, 5)


def test_what_a_silent_line_did_not_bring_is_a_row_of_its_own() -> None:
    rows = ledger()
    [row] = rows.polled(now(70), STREAM, "stale", ANSWER)
    assert (row.cause, row.state, row.from_ns) == ("stale", "filled", (EPOCH - 1) * 10**9)
    quiet = ledger()
    assert quiet.polled(now(70), STREAM, "stale", replace(ANSWER, count=0)) == [], "nothing happened in that market"


def test_a_stream_that_is_given_up_leaves_its_open_row() -> None:
    rows = ledger()
    rows.polled(now(10), STREAM, "refused", ANSWER)
    [row] = rows.drop(now(11), [STREAM])
    assert isinstance(row, Gap)
    assert (row.state, row.from_ns) == ("open", now(10).ns)
    assert rows.open == ()


def test_a_group_of_lines_has_the_same_rows() -> None:
    cover = Cover("upbit", "upbit-1+upbit-2", frozenset(), 1.0, lambda *_: False)
    cover.confirmed(0, [STREAM])
    cover.lost(now(0), 0, Loss("reset"), {STREAM: LAST})
    [row] = cover.polled(now(30), STREAM, "refused", ANSWER)
    assert (row.state, row.polled, row.last_id) == ("filled", True, 10)
    assert cover.concerns(1, STREAM)
    [closed, _] = cover.data(now(40), 1, STREAM, at(30, 39), at(20, 30), known=False)
    assert isinstance(closed, Gap)
    assert (closed.last_id, closed.first_id) == (20, 30)
