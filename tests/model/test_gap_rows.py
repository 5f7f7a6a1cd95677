"""The gap ledger as it is read afterwards."""

from __future__ import annotations

from msgspec.structs import replace

from tapewire.model.gap_rows import GapRows
from tapewire.model.line import Loss
from tapewire.model.status import Disconnected, Gap
from tapewire.model.subscription import Subscription

ROW = Gap(
    venue="upbit", connection="upbit-1", at_ns=9, subscription=Subscription("trade", "KRW-BTC"), cause="reset",
    state="filling", from_ns=5,
)  # fmt: skip


def test_a_row_that_is_told_again_is_kept_as_it_was_told_last() -> None:
    rows = GapRows()
    filled = replace(ROW, state="filled", recovered=3)
    for event in (ROW, Disconnected(venue="upbit", connection="upbit-1", at_ns=1, loss=Loss("reset"), attempt=1,
                                    retry_in=1.0), filled):  # fmt: skip
        rows.hear(event)
    assert rows.with_open() == (filled,)


def test_rows_of_other_connections_streams_and_times_are_others_in_the_order_of_their_beginnings() -> None:
    rows = GapRows()
    others = (
        replace(ROW, connection="upbit-2", from_ns=8),
        replace(ROW, subscription=Subscription("trade", "KRW-ETH"), from_ns=7),
        replace(ROW, from_ns=6),
    )
    for row in (*others, ROW):
        rows.hear(row)
    still_open = replace(ROW, state="open", from_ns=1)
    assert rows.with_open([still_open]) == (still_open, ROW, *reversed(others))


def test_of_too_many_rows_the_oldest_are_let_go() -> None:
    rows = GapRows(most=2)
    for start in (1, 2, 3):
        rows.hear(replace(ROW, from_ns=start))
    assert [row.from_ns for row in rows.with_open()] == [2, 3]
