"""Scenarios from arguments and files."""

from __future__ import annotations

from decimal import Decimal
from pathlib import Path

import msgspec
import pytest

from tapewire.config import Secret
from tapewire.errors import ConfigError, UnknownName
from tapewire.model.events import MyOrderEvent
from tapewire.sim import scenario as room
from tapewire.sim.faults import parse_fault
from tapewire.sim.scenario import DEMO_KEY, Scenario, build, keys_of, listings, read_scenario, recording
from tapewire.venues.exchange import SimKey
from tapewire.venues.registry import get_venue, venue_names
from tests.sim.listed import START_MS


def codes(**options: object) -> list[str]:
    return [listing.market.symbol for listing in listings(Scenario(**options))]  # type: ignore[arg-type]


def test_the_usual_markets_have_three_quote_currencies() -> None:
    assert codes() == [
        "KRW-BTC", "KRW-ETH", "KRW-XRP", "KRW-DOGE", "KRW-SOL",
        "BTC-ETH", "BTC-XRP", "USDT-BTC", "USDT-ETH", "USDT-XRP",
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("venue", "quote"), [("upbit", "KRW"), ("upbit-sg", "SGD"), ("upbit-id", "IDR"), ("upbit-th", "THB")]
)
def test_every_region_has_its_own_currency(venue: str, quote: str) -> None:
    exchange = build(Scenario(venue=venue), START_MS)
    assert f"{quote}-BTC" in exchange.market.symbols
    assert exchange.market.listing(f"{quote}-BTC").quote == quote
    assert exchange.market.ticker(f"{quote}-BTC").venue == venue
    assert venue in venue_names()


def test_markets_by_number_are_the_known_ones_and_then_made_up() -> None:
    many = codes(markets=500)
    assert len(set(many)) == 500
    assert many[-1] == "KRW-SIM499"
    assert "KRW-LAMB" in many


def test_markets_by_code_may_be_made_up_but_not_their_currency() -> None:
    assert codes(markets=("KRW-NEW", "KRW-NEW", "BTC-ETH")) == ["KRW-NEW", "BTC-ETH"]
    for bad in ("EUR-BTC", "krw-btc", "KRWBTC"):
        with pytest.raises(ConfigError, match="a code in capitals such as KRW-BTC, quoted in KRW, USDT, BTC"):
            codes(markets=(bad,))


def test_levels_exist_for_won_markets_of_korea_only() -> None:
    table = {listing.market.symbol: listing.market.levels for listing in listings(Scenario())}
    assert table["KRW-BTC"] == (0.0, 1e4, 1e5, 1e6, 1e7, 1e8), "spec/upbit.md 3.5"
    assert table["BTC-ETH"] == (0.0,)


def test_a_rate_sets_the_pace_of_all_streams_together() -> None:
    for rate in (50.0, 2_000.0):
        market = build(Scenario(rate=rate), START_MS).market
        messages = [due for due in market.advance(20.0) if due.kind != "candle"]
        assert 0.7 < len(messages) / 20 / rate < 1.3


def test_recorded_traffic_is_the_packages_own_and_adds_its_markets() -> None:
    tape = recording()
    assert len(tape) == 449
    assert tape[0].at == 0.0
    assert 29.0 < tape[-1].at < 30.0
    exchange = build(Scenario(recorded=True), START_MS)
    assert {"KRW-BTC", "KRW-LAMB", "BTC-ITAM"} <= set(exchange.market.symbols)


def test_books_may_be_less_deep_than_the_exchanges_own() -> None:
    ladder = build(Scenario(venue="okx", depth=60), START_MS).market.ladder("BTC-USDT")
    assert (len(ladder.asks), len(ladder.bids)) == (60, 60)


@pytest.mark.parametrize(("venue", "depth", "most"), [("okx", 29, 400), ("upbit", 31, 30)])
def test_a_depth_that_the_exchange_cannot_have_is_refused(venue: str, depth: int, most: int) -> None:
    with pytest.raises(ConfigError, match=f"depth is {depth}; it must be from 30 to {most} levels"):
        build(Scenario(venue=venue, depth=depth), START_MS)


def test_faults_may_be_values() -> None:
    fault = parse_fault("drop@5")
    assert (
        build(Scenario(faults=(fault,)), START_MS).faults.deadline
        == build(Scenario(faults=("drop@5",)), START_MS).faults.deadline
    )


def test_two_exchanges_of_one_scenario_are_equal() -> None:
    one, two = (build(Scenario(seed=7, faults=("late%0.5",)), START_MS) for _ in range(2))
    assert one.market.advance(60.0) == two.market.advance(60.0)
    assert one.faults.draw() == two.faults.draw()


@pytest.mark.parametrize(
    ("options", "says"),
    [
        ({"speed": 0}, "speed is 0; it must be more than 0"),
        ({"rate": -1.0}, "rate is -1.0; it must be more than 0"),
        ({"speed": float("inf")}, "speed is inf; it must be more than 0, and a number"),
        ({"rate": float("inf")}, "rate is inf; it must be more than 0 messages a second, and a number"),
        ({"rate": float("nan")}, "rate is nan; it must be more than 0"),
        ({"venue": "upbit-sg", "recorded": True}, "recorded is True; it must be used with the venue upbit"),
        ({"faults": ("explode",)}, "fault is 'explode'; it must be one of drop"),
        ({"customer": 0.0}, "customer is 0.0; it must be more than 0 s"),
        ({"announcements": float("inf")}, "announcements is inf; it must be more than 0 s"),
        ({"balances": {"KRW": Decimal(-1)}}, "balances is 'KRW -1'; it must be 0 or more"),
        ({"balances": {"KRW": Decimal("NaN")}}, "balances is 'KRW NaN'; it must be 0 or more"),
        ({"keys": ()}, "keys is ''; it must be one key at least"),
        ({"keys": (DEMO_KEY, DEMO_KEY)}, "no access key twice"),
    ],
)
def test_impossible_values_are_refused_at_once(options: dict[str, object], says: str) -> None:
    with pytest.raises(ConfigError) as caught:
        Scenario(**options)  # type: ignore[arg-type]
    assert says in str(caught.value)


@pytest.mark.parametrize(
    ("options", "says"),
    [
        ({"switches": {"closes": True}}, "switches is {'closes': True}"),
        ({"markets": 0}, "markets is 0; it must be from 1 to 5,000"),
        ({"markets": 5_001}, "markets is 5001; it must be from 1 to 5,000"),
        ({"markets": ()}, "markets is '0 codes'; it must be from 1 to 5,000"),
    ],
)
def test_impossible_values_are_refused_when_it_is_built(options: dict[str, object], says: str) -> None:
    with pytest.raises(ConfigError) as caught:
        build(Scenario(**options), START_MS)  # type: ignore[arg-type]
    assert says in str(caught.value)


def test_a_venue_must_exist_and_have_an_exchange_and_markets(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(UnknownName):
        build(Scenario(venue="nowhere"), START_MS)
    with pytest.raises(ConfigError, match="one with simulated markets"):
        listings(Scenario(venue="nowhere"))
    without = msgspec.structs.replace(get_venue("upbit"), exchange=None)
    monkeypatch.setattr(room, "get_venue", lambda _: without)
    with pytest.raises(ConfigError, match="one that can be simulated"):
        build(Scenario(), START_MS)


def test_a_file_says_the_same_as_arguments(tmp_path: Path) -> None:
    path = tmp_path / "bad-day.toml"
    path.write_text(
        'seed = 7\nmarkets = ["KRW-BTC"]\nspeed = 2\nfaults = ["drop:1001@5", "duplicate%0.05"]\n'
        "[switches]\ncloses_after_error = false\n",
        encoding="utf-8",
    )
    assert read_scenario(path) == Scenario(
        seed=7, markets=("KRW-BTC",), speed=2.0, faults=("drop:1001@5", "duplicate%0.05"),
        switches={"closes_after_error": False},
    )  # fmt: skip


@pytest.mark.parametrize(
    ("content", "says"),
    [
        ("seed = ", "a readable TOML file"),
        ("sed = 1", "scenario is 'sed'; it must be one of venue, seed"),
        ('seed = "one"', "Expected `int`, got `str` - at `$.seed`"),
        ('faults = ["explode"]', "one of drop, abort"),
        ('[[faults]]\nname = "explode"', "one of drop, abort"),
        ('[[faults]]\nname = "drop"\nat = "soon"', "Expected `float`, got `str`"),
        ('[[keys]]\naccess_key = "a"\nsecret_key = ""', "a text that is not empty"),
        ('[[keys]]\naccess_key = "a"\nsecret_key = "s"\npermissions = ["withdraw"]', "Invalid enum value 'withdraw'"),
        ('[[keys]]\naccess_key = "a"\nsecret_key = "s"\nsince = 1', "Object contains unknown field `since`"),
        ("start_ms = 2026-01-01", "Expected `int | null`, got `date`"),
    ],
)
def test_a_bad_file_gets_an_error_that_says_where(tmp_path: Path, content: str, says: str) -> None:
    path = tmp_path / "scenario.toml"
    path.write_text(content)
    with pytest.raises(ConfigError) as caught:
        read_scenario(path)
    assert says in str(caught.value)


def test_keys_and_balances_from_a_file(tmp_path: Path) -> None:
    path = tmp_path / "mine.toml"
    path.write_text(
        'customer = 2.5\n[balances]\nKRW = "1000000.5"\nBTC = 1\n'
        '[[keys]]\naccess_key = "a"\nsecret_key = "canary"\npermissions = ["view_orders"]\nips = ["10.0.0.7"]\n'
        '[[keys]]\naccess_key = "b"\nsecret_key = "canary"\nexpired = true\naccount = "second"\n'
    )
    scenario = read_scenario(path)
    first = SimKey(
        access_key="a", secret_key=Secret("canary"), permissions=frozenset({"view_orders"}), ips=("10.0.0.7",)
    )
    assert scenario.keys == (first, SimKey(access_key="b", secret_key=Secret("canary"), expired=True, account="second"))
    assert "canary" not in repr(scenario)
    desk = build(scenario, START_MS).desk
    for account in ("main", "second"):
        assert [(one.currency, one.free) for one in desk.balances(account)] == [
            ("KRW", Decimal("1000000.5")), ("BTC", Decimal(1)),
        ]  # fmt: skip


def test_without_balances_there_is_ample_of_everything() -> None:
    scenario = Scenario()
    balances = {one.currency: one.free for one in build(scenario, START_MS).desk.balances("main")}
    assert balances.keys() == {"KRW", "BTC", "USDT", "ETH", "XRP", "DOGE", "SOL"}
    assert min(balances.values()) >= 10
    assert keys_of(scenario) == (DEMO_KEY,)
    assert DEMO_KEY.secret_key.reveal() == "sim-secret-key-0123456789-0123456789-01"


def test_a_customer_and_announcements_by_seed_leave_the_market_its_own_draws() -> None:
    exchange = build(Scenario(customer=5.0, announcements=100.0), START_MS)
    dues = exchange.market.advance(600.0)
    kinds = {due.kind for due in dues}
    assert {"myOrder", "myAsset", "announcement"} <= kinds
    again = build(Scenario(customer=5.0, announcements=100.0), START_MS).market.advance(600.0)
    assert dues == again
    other = build(Scenario(seed=2, customer=5.0), START_MS).market.advance(600.0)
    assert [due.event for due in dues if due.kind == "myOrder"] != [due.event for due in other if due.kind == "myOrder"]
    states = {due.event.state for due in dues if isinstance(due.event, MyOrderEvent)}
    assert states == {"wait", "trade", "done", "cancel"}


@pytest.mark.parametrize("venue", ["upbit", "upbit-sg", "upbit-id", "upbit-th"])
def test_a_customer_lives_on_whatever_he_has(venue: str) -> None:
    for balances in ({}, {"KRW": Decimal(20_000)}, {"BTC": Decimal("0.01")}):
        exchange = build(Scenario(venue=venue, customer=2.0, balances=balances), START_MS)
        exchange.market.advance(300.0)
        orders = exchange.desk.orders("main")
        assert all(order.state == "wait" or order.locked == 0 for order in orders)
        assert len([order for order in orders if order.state == "wait"]) <= 5
        assert orders or balances


def test_announcements_by_hand_can_be_changed_if_they_exist() -> None:
    crier = build(Scenario(), START_MS).crier
    assert crier.announce("new", "notice") == "562593104"
    assert crier.announce("newer", "notice", uuid="562593104") == "562593104"
    with pytest.raises(LookupError, match="nothing was announced as 7"):
        crier.announce("newest", "notice", uuid="7")


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"nothing\.toml"):
        read_scenario(tmp_path / "nothing.toml")
