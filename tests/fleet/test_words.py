"""What members tell each other: whole there and back; impossible plans and names are told."""

from __future__ import annotations

from typing import Any

import pytest
from msgspec.structs import replace

from tapewire.errors import ConfigError, DecodeError
from tapewire.fleet.shares import Member
from tapewire.fleet.words import Counts, FleetOptions, Plan, Seat, State, disagreement, encode, read

PLAN = Plan(venue="upbit", markets=("KRW-*", "BTC-ETH"), types="trade,orderbook")
STATE = State(
    name="a", plan=PLAN, host="h", since_ns=7, asked=2, carries=("KRW-BTC", "KRW-ETH"), leaving=True,
    counts=Counts(first=5, second=6, lag_ms=1.5),
)  # fmt: skip


def test_a_value_is_read_as_it_was_written() -> None:
    assert read(encode(STATE)) == STATE
    assert STATE.member == Member("a", frozenset({"KRW-BTC", "KRW-ETH"}), leaving=True)


@pytest.mark.parametrize(
    "value", [b"", b"{}", b"nonsense", b'{"name":"a","plan":{"venue":"u","markets":[],"types":""}}']
)
def test_what_is_no_value_is_told(value: bytes) -> None:
    with pytest.raises(DecodeError, match="no collector's state"):
        read(value)


MAIN = Seat(mark="0123", types=("myOrder",), live=True)


def test_an_account_has_those_as_carriers_that_hold_its_key() -> None:
    state = replace(STATE, accounts={"main": MAIN, "other": replace(MAIN, live=False)})
    assert read(encode(state)) == state
    assert state.holder("main") == Member("a", frozenset({"main"}), leaving=True)
    assert state.holder("other") == Member("a", leaving=True)
    assert state.holder("nobody") is None


def test_who_means_another_account_by_a_name_is_told() -> None:
    others = [replace(STATE, accounts={"main": MAIN})]
    assert disagreement(PLAN, others, {"main": replace(MAIN, live=False), "mine": MAIN}) == ""
    key, types = replace(MAIN, mark="4567"), replace(MAIN, types=("myOrder", "myAsset"))
    assert disagreement(PLAN, others, {"main": key}) == "a has another key for the account main"
    told = "a carries myOrder of the account main, not myOrder,myAsset"
    assert disagreement(PLAN, others, {"main": types}) == told


def test_patterns_choose_symbols() -> None:
    listed = ["BTC-ETH", "BTC-XRP", "KRW-BTC", "KRW-ADA", "krw-low"]
    assert PLAN.symbols(listed) == ["BTC-ETH", "KRW-ADA", "KRW-BTC"]
    with pytest.raises(ConfigError, match=r"markets.*KRW-\*,BTC-ETH.*upbit"):
        PLAN.symbols(["USDT-BTC"])


def test_another_plan_is_told_by_its_first_difference() -> None:
    same = State(name="b", plan=PLAN)
    other = State(name="c", plan=Plan(venue="upbit", markets=("KRW-*",), types="trade,orderbook"))
    assert disagreement(PLAN, [same]) == ""
    assert disagreement(PLAN, [same, other]) == "c has markets KRW-*, not KRW-*,BTC-ETH"
    copies = State(name="d", plan=Plan(venue="upbit", markets=PLAN.markets, types="trade,orderbook", copies=3))
    assert disagreement(PLAN, [copies]) == "d has copies 3, not 2"


@pytest.mark.parametrize(
    ("wrong", "words"),
    [
        ({"fleet": "a.b"}, "fleet"), ({"fleet": ""}, "fleet"), ({"name": "a b"}, "name"), ({"name": "x" * 101}, "name"),
        ({"lease": 0.5}, "lease"), ({"lease": float("nan")}, "lease"), ({"handover": -1.0}, "handover"),
        ({"replicas": 9}, "replicas"),
    ],
)  # fmt: skip
def test_impossible_options_are_told(wrong: dict[str, Any], words: str) -> None:
    with pytest.raises(ConfigError, match=words):
        FleetOptions(**{"fleet": "upbit", "name": "a"} | wrong)


@pytest.mark.parametrize("wrong", [{"markets": ()}, {"markets": ("",)}, {"copies": 0}, {"copies": 6}])
def test_impossible_plans_are_told(wrong: dict[str, Any]) -> None:
    with pytest.raises(ConfigError, match=next(iter(wrong))):
        Plan(**{"venue": "upbit", "markets": ("KRW-*",), "types": "trade"} | wrong)


def test_the_bucket_has_the_name_of_the_fleet() -> None:
    assert FleetOptions(fleet="upbit", name="a").bucket == "tapewire-upbit"
    assert FleetOptions(fleet="upbit", name="a").stories == "tapewire_accounts-upbit"
