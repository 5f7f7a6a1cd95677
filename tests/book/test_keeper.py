"""One book from snapshot to hole and back: what it answers, and what it hands out."""

from __future__ import annotations

from decimal import Decimal

import pytest

from tapewire.book.keeper import KEPT_ASIDE, Answer, Keeper
from tapewire.book.sequence import BookRule, SnapshotsOnly, Unnumbered
from tapewire.model.book import BookChange, BookLevel, DepthOrderbookEvent
from tests.book.made_up import RULE, change, short, snapshot


def kept(*changes: BookChange, rule: BookRule = RULE) -> tuple[Keeper, list[Answer]]:
    keeper = Keeper(rule, "float")
    return keeper, [keeper.apply(one) for one in changes]


def sides(keeper: Keeper, depth: int | None = None) -> tuple[str, str]:
    event = keeper.event(depth)
    return short(event.asks), short(event.bids)


def test_a_book_and_its_changes() -> None:
    keeper, said = kept(snapshot(10), change("101:0 103:3", "100:5", link=(10, 12)), change(link=(12, 12)))
    assert said == ["applied", "applied", "ignored"]
    assert sides(keeper) == ("102:2 103:3", "100:5 99:2")
    assert sides(keeper, 1) == ("102:2", "100:5")
    assert sides(keeper, 500) == sides(keeper)


def test_the_whole_event() -> None:
    exact = Keeper(RULE, "decimal")
    exact.apply(snapshot(10, "101.10:1", "100:2"))
    assert exact.event() == DepthOrderbookEvent(
        venue="made-up",
        symbol="BTC-USDT",
        stream_type="SNAPSHOT",
        timestamp=10,
        asks=[BookLevel(Decimal("101.10"), Decimal(1), 0, 1)],  # type: ignore[arg-type]
        bids=[BookLevel(Decimal(100), Decimal(2), 0, 1)],  # type: ignore[arg-type]
        channel="books",
        sequence=10,
    )
    last = change(link=(10, 11))
    last.received_ns, last.raw = 5, b"as it came"
    exact.apply(last)
    event = exact.event(1)
    assert (event.stream_type, event.sequence, event.received_ns, event.raw) == ("REALTIME", 11, 5, b"as it came")


def test_numbers_may_begin_anew_with_a_snapshot() -> None:
    later = snapshot(3, "7:1", "6:1")
    later.timestamp = 11
    assert kept(snapshot(10), later, change("7:2", link=(3, 4)))[1] == ["applied"] * 3


def test_unknown_levels_are_deleted_in_peace_and_a_second_snapshot_is_taken() -> None:
    keeper, said = kept(snapshot(10), change("500:0", "1:0", link=(10, 11)), snapshot(20, "7:1", "6:1"))
    assert said == ["applied", "applied", "applied"]
    assert sides(keeper) == ("7:1", "6:1")


@pytest.mark.parametrize(
    ("bad", "cause"),
    [
        (change("101:9", link=(12, 13)), "sequence"),
        (change("101:9", link=(10, 11), checksum=1), "checksum"),
        (change(link=(10, 11), checksum=1), "checksum"),  # nothing changed, and yet the book is another
        (change("101:-1", link=(10, 11)), "unreadable"),
        (snapshot(12, checksum=1), "checksum"),
        (snapshot(12, "101:-1"), "unreadable"),
    ],
)
def test_what_spoils_a_book(bad: BookChange, cause: Answer) -> None:
    """P3: from the very message on, the book is served no more; only a snapshot helps."""
    keeper, said = kept(snapshot(10), bad, change(link=(10, 11)))
    assert said == ["applied", cause, "waiting"]
    assert not keeper.good
    with pytest.raises(ValueError, match="wait for its snapshot"):
        keeper.event()
    assert keeper.apply(snapshot(20, "7:1", "6:1")) == "applied"
    assert sides(keeper) == ("7:1", "6:1")


def test_checksums_are_of_the_text_as_it_came() -> None:
    good = snapshot(None, "3366.8:9 3368:8", "3366.1:7 3366:6", checksum=-1881014294)
    assert kept(good)[1] == ["applied"]
    assert kept(snapshot(None, "3366.8:9 3368:8", "3366.1:7 3366.0:6", checksum=-1881014294))[1] == ["checksum"]


def test_a_checksum_of_0_says_nothing() -> None:
    assert kept(snapshot(10, checksum=0), change("105:1", link=(10, 11), checksum=0))[1] == ["applied", "applied"]
    assert kept(snapshot(None, "", "", checksum=0))[1] == ["applied"]


def test_the_same_message_again_changes_nothing() -> None:
    _, said = kept(snapshot(10), change("101:9", link=(10, 11)), change("101:9", link=(10, 11)))
    assert said == ["applied", "applied", "ignored"]


def test_a_late_snapshot_is_caught_up_with() -> None:
    """Changes that came before the snapshot: those in it are dropped, those after it applied."""
    keeper, said = kept(
        change("101:5", link=(8, 10)), change("102:7", link=(10, 15)), change("103:8", link=(15, 16)), snapshot(10)
    )
    assert said == ["waiting", "waiting", "waiting", "applied"]
    assert sides(keeper)[0] == "101:1 102:7 103:8"
    assert keeper.apply(change(link=(16, 17))) == "ignored"


@pytest.mark.parametrize("late", [(change(link=(12, 15)),), (change(link=(10, 15)), change(link=(16, 17)))])
def test_a_snapshot_older_than_the_changes_is_no_good(late: tuple[BookChange, ...]) -> None:
    keeper, said = kept(*late, snapshot(10))
    assert said[-1] == "sequence"
    assert not keeper.good


def test_a_snapshot_older_than_a_good_book_is_dropped() -> None:
    """It was asked for, did not come, and the book was had from elsewhere meanwhile."""
    keeper, said = kept(snapshot(10), change("101:5", link=(10, 15)), snapshot(12), change("101:6", link=(15, 16)))
    assert said == ["applied", "applied", "ignored", "applied"]
    assert sides(keeper)[0] == "101:6 102:2"


def test_after_a_hole_a_snapshot_from_elsewhere_helps_too() -> None:
    """REST names no predecessor: what came since the hole is joined to it (spec/okx.md A6.4 "Recovery")."""
    keeper, _ = kept(snapshot(10), change("101:5", link=(12, 14)), change("103:5", link=(14, 16)))
    assert keeper.apply(change("101:3 102:3", "100:3", link=(None, 13), action="snapshot")) == "applied"
    assert sides(keeper) == ("101:5 102:3 103:5", "100:3")


def test_what_waits_is_bounded() -> None:
    keeper, _ = kept(*(change(link=(number, number + 1)) for number in range(10, 10 + KEPT_ASIDE + 1)))
    assert keeper.apply(snapshot(10)) == "sequence"  # its successor is forgotten


def test_books_without_numbers() -> None:
    rule = BookRule(continuity=Unnumbered, levels=400, checksum=RULE.checksum)
    keeper, said = kept(change("1:1"), snapshot(None), change("101:9"), rule=rule)
    assert said == ["waiting", "applied", "applied"]
    assert sides(keeper)[0] == "101:9 102:2"


def test_books_that_are_whole_each_time() -> None:
    rule = BookRule(continuity=SnapshotsOnly, levels=5)
    assert kept(snapshot(10, checksum=5), change("101:9", link=(10, 11)), rule=rule)[1] == ["applied", "sequence"]


def test_levels_out_of_the_exchanges_sight_are_not_handed_out() -> None:
    """Beyond its depth the exchange deletes nothing: what lies there is old, and does not pile up."""
    rule = BookRule(continuity=Unnumbered, levels=2)
    keeper, _ = kept(
        snapshot(None, "3:1 4:1", "2:1 1:1"), change("5:1 6:1 7:1"), change("3:0 4:0 5:0", "2:0"), rule=rule
    )
    assert sides(keeper) == ("6:1", "1:1")  # 7 was the fifth


def test_a_book_given_up_waits_for_its_snapshot() -> None:
    keeper, _ = kept(snapshot(10))
    keeper.spoil()
    assert keeper.apply(change(link=(10, 11))) == "waiting"
    assert not keeper.good
