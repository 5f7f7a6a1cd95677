"""Rows of the gap ledger as whole values."""

from __future__ import annotations

from typing import Any

from tapewire.model.status import Gap, Recovered
from tapewire.session.actions import Now, Progress
from tapewire.session.ledger import Ledger
from tests.session.made_up import stream

A, B, TICKER = stream("A"), stream("B"), stream("ticker A")


def ledger() -> Ledger:
    return Ledger("made-up", "made-up-1", frozenset({"ticker"}))


def now(t: float) -> Now:
    return Now(t, round(t * 1000))


def row(at: float, **facts: Any) -> Gap:
    whole = {"venue": "made-up", "connection": "made-up-1", "at_ns": round(at * 1000), "subscription": A}
    return Gap(**{**whole, "cause": "reset", "from_ns": 1000, **facts})


def recovered(at: float, seconds: float, *streams: Any) -> Recovered:
    return Recovered(
        venue="made-up", connection="made-up-1", at_ns=round(at * 1000), subscriptions=streams, seconds=seconds
    )


def test_a_row_runs_from_the_last_message_before_to_the_first_after() -> None:
    book = ledger()
    book.lost(now(1), "reset", [A], {A: Progress(10, 77, 7000)})
    assert book.open == (row(1, state="open", last_id=77, last_timestamp=7000),)
    closed = row(
        4, state="unfilled", to_ns=4000, last_id=77, first_id=80, last_timestamp=7000, first_timestamp=8000,
    )  # fmt: skip
    assert book.data(now(4), A, Progress(1, 80, 8000)) == [closed, recovered(4, 3, A)]
    assert not book.data(now(5), A, Progress(1, 81)), "it is closed"


def test_the_same_trade_on_both_sides_is_nothing_missed_and_no_trade_at_all_is_no_proof() -> None:
    book = ledger()
    book.lost(now(1), "reset", [A, B], {A: Progress(10, 77)})
    states = [told.state for it in (A, B) for told in book.data(now(2), it, Progress(1, 77 if it == A else None))
              if isinstance(told, Gap)]  # fmt: skip
    assert states == ["nothing_missed", "unfilled"]


def test_a_kind_of_complete_state_misses_only_the_span() -> None:
    book = ledger()
    book.lost(now(1), "stale", [TICKER], {})
    assert [getattr(told, "state", "") for told in book.data(now(2), TICKER, Progress(1))] == ["full_state", ""]


def test_a_second_loss_before_data_keeps_the_start_and_each_loss_recovers_by_itself() -> None:
    book = ledger()
    book.lost(now(1), "reset", [A, B], {A: Progress(5, 50)})
    assert [type(told) for told in book.data(now(2), A, Progress(1, 51))] == [Gap]
    book.lost(now(3), "closed", [A, B], {A: Progress(2, 52)})
    rows = [(gap.subscription, gap.cause, gap.from_ns) for gap in book.open]
    assert rows == [(B, "reset", 1000), (A, "closed", 3000)]
    assert book.data(now(5), A, Progress(1, 60))[1:] == [recovered(5, 2, A)]
    assert book.data(now(6), B, Progress(1))[1:] == [recovered(6, 5, A, B)]


def test_rows_of_streams_that_nobody_wants_are_handed_out_open() -> None:
    book = ledger()
    book.lost(now(1), "reset", [A, B, TICKER], {})
    assert book.drop(now(2), [A, stream("never seen")]) == [row(2, state="open")]
    book.data(now(3), B, Progress(1))
    assert book.drop(now(4), [TICKER]) == [row(4, state="open", subscription=TICKER), recovered(4, 3, B)]
    assert book.open == ()


def test_streams_that_another_process_saw_last_are_open_from_its_end_on_and_recovered_together() -> None:
    book = ledger()
    book.resume(now(9), A, 1_000, Progress(0, 77, 7000), "restart")
    book.resume(now(9), TICKER, 2_000, Progress(), "restart")
    assert book.open[0] == row(9, cause="restart", state="open", last_id=77, last_timestamp=7000)
    (told,) = book.data(now(10), A, Progress(1, 80, 8000))
    assert isinstance(told, Gap)
    assert (told.cause, told.state, told.from_ns, told.to_ns) == ("restart", "unfilled", 1_000, 10_000)
    complete, together = book.data(now(11), TICKER, Progress(1))
    assert isinstance(complete, Gap)
    assert (complete.cause, complete.state, complete.from_ns) == ("restart", "full_state", 2_000)
    assert isinstance(together, Recovered)
    assert together.subscriptions == (A, TICKER)
    book.resume(now(12), B, 12_000, Progress(), "restart")
    later = book.data(now(13), B, Progress(1))[1]
    assert isinstance(later, Recovered)
    assert later.subscriptions == (B,)
