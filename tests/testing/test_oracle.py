"""Every trade is accounted for: delivered, told as missing, or lost in silence."""

from __future__ import annotations

from typing import Any

import pytest
from msgspec.structs import replace

from tapewire.model.events import TradeEvent
from tapewire.model.status import Gap, GapState
from tapewire.model.subscription import Subscription
from tapewire.testing.oracle import account


def trade(number: int, at: int = 0, symbol: str = "KRW-BTC", *, recovered: bool = False) -> TradeEvent:
    return TradeEvent(venue="upbit", symbol=symbol, sequential_id=number, timestamp=at, recovered=recovered)


def gap(state: GapState, symbol: str = "KRW-BTC", kind: str = "trade", from_ns: int = 1, **known: Any) -> Gap:
    return Gap(
        venue="upbit", connection="upbit-1", at_ns=2, subscription=Subscription(kind, symbol), cause="closed",
        state=state, from_ns=from_ns, **known,
    )  # fmt: skip


def ids(trades: tuple[TradeEvent, ...]) -> list[int | None]:
    return [one.sequential_id for one in trades]


def test_a_trade_is_lost_in_silence_when_neither_delivered_nor_inside_a_gap() -> None:
    made = [trade(number, at=number * 100) for number in range(10)]
    delivered = [made[1], made[2], made[5], made[6], made[9]]
    told = gap("unfilled", last_timestamp=200, first_timestamp=500)
    found = account(made, delivered, [told])
    assert ids(found.lost) == [3, 4, 7, 8], "0 was made before we subscribed"
    assert ids(found.undetected) == [7, 8]
    assert account(made, delivered, [told, gap("open", from_ns=2, last_timestamp=600)]).undetected == ()


@pytest.mark.parametrize(
    "told_gap",
    [
        gap("nothing_missed", last_timestamp=0, first_timestamp=999),
        gap("filled", last_timestamp=0, first_timestamp=999),
        gap("unfilled", symbol="KRW-ETH", last_timestamp=0, first_timestamp=999),
        gap("full_state", kind="ticker"),
    ],
)
def test_a_gap_of_another_stream_or_one_that_claims_no_loss_excuses_nothing(told_gap: Gap) -> None:
    made = [trade(1, at=100), trade(2, at=200)]
    assert ids(account(made, made[:1], [told_gap]).undetected) == [2]


def test_a_row_that_is_told_again_counts_as_it_was_told_last() -> None:
    made = [trade(1, at=100), trade(2, at=200)]
    bounds: dict[str, Any] = {"last_timestamp": 100, "first_timestamp": 300}
    assert account(made, made[:1], [gap("filling", **bounds)]).undetected == ()
    assert ids(account(made, made[:1], [gap("filling", **bounds), gap("filled", **bounds)]).undetected) == [2]


def test_ids_repeat_across_markets_and_each_market_begins_by_itself() -> None:
    made = [trade(1), trade(1, symbol="KRW-ETH"), trade(2), trade(2, symbol="KRW-ETH")]
    found = account(made, [made[0], made[2], made[3]], [])
    assert (found.made, found.live, found.doubled, found.lost) == (3, 3, (), ())


def test_live_recovered_and_lost_ones_are_all_that_were_made() -> None:
    made = [trade(number) for number in range(6)]
    delivered = [made[0], made[3], trade(1, recovered=True), made[5], made[3], trade(1, recovered=True)]
    found = account(made, delivered, [])
    assert (found.made, found.live, found.recovered, ids(found.lost)) == (6, 3, 1, [2, 4])
    assert found.doubled == (("KRW-BTC", 3), ("KRW-BTC", 1))


def test_who_was_shown_an_older_trade_first_was_there_from_the_start() -> None:
    made = [trade(1), trade(2)]
    assert ids(account(made, [trade(-7), made[1]], []).undetected) == [1]
    assert account(made, [], []).made == 0


def test_a_rule_that_drops_ids_lower_than_the_last_is_found_out() -> None:
    """Recorded ids go backwards (spec/upbit.md section 8): such a rule loses trades, and the account shows which."""
    made = [trade(number, at=at) for at, number in enumerate([10, 12, 11, 13, 9, 14])]
    highest, kept = 0, []
    for one in made:
        if (one.sequential_id or 0) > highest:
            highest = one.sequential_id or 0
            kept.append(one)
    assert ids(account(made, kept, []).undetected) == [11, 9]
    assert account(made, made, []).undetected == ()


def test_where_ids_count_matches_a_trade_is_delivered_with_its_last_match_however_they_came() -> None:
    made = [trade(10), trade(13), trade(14), trade(18), trade(19)]
    together, singly = replace(trade(13), count=3), [trade(number, recovered=True) for number in (15, 16, 17, 18)]
    found = account(made, [made[0], together, made[2], *singly, made[4]], [], counted=True)
    assert (found.live, found.recovered, found.lost, found.doubled) == (4, 1, (), ())
    doubled = account(made, [made[0], together, trade(11, recovered=True), made[2], *singly, made[4]], [], counted=True)
    assert doubled.doubled == (("KRW-BTC", 11),)
    holed = account(made, [made[0], together, made[2], *singly[1:], made[4]], [], counted=True)
    assert ids(holed.lost) == [18], "one of its matches never came"
    assert account(made, [made[1], *made[2:]], [], counted=True).lost == (made[3],), "the first may have begun before"
