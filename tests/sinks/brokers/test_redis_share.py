"""What a member of a group says to Redis, and what it finds missing."""

from __future__ import annotations

from tapewire.sinks.brokers.redis_holes import Id, Stock
from tapewire.sinks.brokers.redis_share import UNDONE, Share


def at(number: int) -> Id:
    return number, 0


def stock(added: int | None, last: int, first: int | None, length: int) -> Stock:
    return Stock(added, at(last), None if first is None else at(first), length)


def joined() -> Share:
    share = Share("workers", "me")
    assert share.join("s", "$") == ("XGROUP", "CREATE", "s", "workers", "$", "MKSTREAM")
    return share


def test_what_is_taken_is_kept_alive_until_it_is_done() -> None:
    share = joined()
    assert share.subjects == ("s",)
    assert share.read(9, 200) == (
        "XREADGROUP", "GROUP", "workers", "me", "COUNT", 9, "BLOCK", 200, "STREAMS", "s", ">",
    )  # fmt: skip
    share.take("s", ["1-0", "2-0", "3-0"])
    assert share.done("s", ["1-0"]) == ("XACK", "s", "workers", "1-0")
    share.release("s", ["3-0", "9-0"])
    assert [*share.alive()] == [("XCLAIM", "s", "workers", "me", 0, "2-0", "JUSTID")]
    assert share.inherit("s", 9)[:4] == ("XAUTOCLAIM", "s", "workers", "me")
    share.join("t", "$")
    assert [*share.alive()] == [("XCLAIM", "s", "workers", "me", 0, "2-0", "JUSTID")]
    share.leave("s")
    share.take("s", ["4-0"])
    assert [*share.alive()] == []


def test_who_has_much_undone_asks_for_no_more() -> None:
    share = joined()
    share.join("t", "$")
    share.take("s", [f"{number}-0" for number in range(UNDONE)])
    assert share.read(9, 200) == ("XREADGROUP", "GROUP", "workers", "me", "COUNT", 9, "BLOCK", 200, "STREAMS", "t", ">")
    share.leave("t")
    assert share.read(9, 200) is None


def test_what_was_cut_off_before_anybody_had_it_is_missing_once() -> None:
    share = joined()
    assert not share.misses("s", stock(3, 3, 1, 3), at(3), 3)
    assert not share.misses("s", stock(9, 9, 2, 8), at(3), 3)
    assert share.misses("s", stock(9, 9, 8, 2), at(3), 3)
    assert not share.misses("s", stock(9, 9, 8, 2), at(9), 5)
    assert share.misses("s", stock(12, 12, None, 0), at(9), 5)


def test_a_group_that_has_heard_all_of_a_short_stream_misses_nothing() -> None:
    share = joined()
    for number in range(4, 40):
        assert not share.misses("s", stock(number, number, number, 1), at(number), number)


def test_what_was_cut_off_while_no_member_was_there_is_missing() -> None:
    assert joined().misses("s", stock(9, 9, 8, 2), at(3), 3)
    assert not joined().misses("s", stock(9, 9, 8, 2), at(9), 5)


def test_where_the_server_does_not_count_what_may_be_missing_is_told_once() -> None:
    share = joined()
    assert share.misses("s", stock(9, 9, None, 0), at(3), None)
    assert not share.misses("s", stock(9, 9, None, 0), at(3), None)
    assert share.misses("s", stock(None, 20, 15, 4), at(3), 3)
    assert not share.misses("s", stock(None, 20, 15, 4), at(20), 3)
    assert not share.misses("s", stock(None, 20, 15, 4), at(0), 0)
