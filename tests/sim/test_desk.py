"""The trading desk: each kind of order, self-match prevention, and one consistent story whatever customers do."""

from __future__ import annotations

from collections.abc import Iterable
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tapewire.model.events import MyAssetEvent, MyOrderEvent
from tapewire.sim import desk as desk_room
from tapewire.sim.book import UNIT
from tapewire.sim.desk import FEE_RATE, Desk
from tapewire.sim.market import SeededMarket
from tapewire.venues.exchange import Due
from tapewire.venues.trading import Balance, NewOrder, Order, OrderRefused
from tests.sim.draws import seeded
from tests.sim.listed import BTC, START_MS, listing

ETH = listing("BTC-ETH", 0.02861, 0.5, 1.0)
CODE = "KRW-BTC"
BEGIN = {"KRW": Decimal(50_000_000), "BTC": Decimal(2), "ETH": Decimal(20)}


class Floor:
    """A market with a desk, and everything that was told to customers."""

    def __init__(self, seed: int = 1, listings: Iterable[Any] = (BTC,), **balances: Decimal) -> None:
        self.market = SeededMarket("upbit", list(listings), START_MS, seeded(seed))
        self.begin = balances or BEGIN
        self.desk = Desk("upbit", self.market, seed, {"main": self.begin, "other": self.begin})
        self.told: list[Due] = []
        self.public: list[Due] = []
        self.now = 0.0

    def wait(self, seconds: float) -> None:
        self.now += seconds
        for due in self.market.advance(self.now):
            (self.told if due.account else self.public).append(due)

    def place(self, side: Any = "bid", account: str = "main", **asked: Any) -> Order:
        numbers = {name: Decimal(value) if name in ("price", "volume") else value for name, value in asked.items()}
        order = self.desk.place(account, NewOrder(**({"symbol": CODE, "side": side} | numbers)))
        self.wait(0.0)
        return order

    def cancel(self, order: Order) -> None:
        self.desk.cancel(order.account, order.uuid)
        self.wait(0.0)

    def of(self, order: Order) -> list[MyOrderEvent]:
        events = [due.event for due in self.told]
        return [event for event in events if isinstance(event, MyOrderEvent) and event.uuid == order.uuid]

    def states(self, order: Order) -> list[str]:
        return [event.state for event in self.of(order)]

    def balance(self, currency: str, account: str = "main") -> Balance:
        return next(one for one in self.desk.balances(account) if one.currency == currency)

    @property
    def best(self) -> tuple[Decimal, Decimal]:
        """Best bid and best ask."""
        pit = self.market.pits[CODE]
        return pit.tick.decimal(pit.best(ask=False)[0]), pit.tick.decimal(pit.best(ask=True)[0])


def check(floor: Floor) -> None:
    """One story: the events of each account alone give its orders and balances."""
    for account in ("main", "other"):
        told = [due for due in floor.told if due.account == account]
        _check_orders([due.event for due in told if isinstance(due.event, MyOrderEvent)])
        _check_balances(floor, account, told)
    stamps = [due.event.timestamp or 0 for due in floor.told if due.event is not None]
    assert stamps == sorted(stamps)
    ids = [due.event.asset_uuid for due in floor.told if isinstance(due.event, MyAssetEvent)]
    assert len(ids) == len(set(ids))


def _check_orders(events: list[MyOrderEvent]) -> None:
    stories: dict[str, list[MyOrderEvent]] = {}
    for event in events:
        stories.setdefault(event.uuid, []).append(event)
    for story in stories.values():
        words = [event.state for event in story]
        assert words[0] == "wait"
        assert set(words[1:-1]) <= {"trade", "prevented"}
        assert words[-1] in {"wait", "trade", "prevented", "done", "cancel"}
        fills = [event for event in story if event.state == "trade"]
        assert len({fill.trade_uuid for fill in fills}) == len(fills)
        for number, event in enumerate(story):
            _check_sums(story[0], event, [fill for fill in story[: number + 1] if fill.state == "trade"])
        if words[-1] == "done":
            assert words[-2] == "trade"
            assert story[-1].remaining_volume in (None, 0)
        if words[-1] in ("done", "cancel"):
            assert story[-1].locked == 0


def _check_sums(first: MyOrderEvent, event: MyOrderEvent, fills: list[MyOrderEvent]) -> None:
    def total(name: str) -> Decimal:
        return sum((getattr(fill, name) for fill in fills), Decimal(0))

    funds = sum(((fill.price or 0) * (fill.volume or 0) for fill in fills), Decimal(0))
    assert event.executed_volume == total("volume")
    assert event.executed_funds == funds
    assert event.paid_fee == total("trade_fee") == funds * FEE_RATE
    assert event.trades_count == len(fills)
    assert event.prevented_volume is not None
    assert event.locked is not None
    assert event.locked >= 0
    if first.volume is not None:
        assert event.remaining_volume is not None
        assert event.remaining_volume >= 0
        assert event.remaining_volume + event.executed_volume + event.prevented_volume == first.volume
    if event.ask_bid == "BID":
        assert event.remaining_fee is not None
        assert event.paid_fee + event.remaining_fee == event.reserved_fee
    else:
        assert event.reserved_fee == event.remaining_fee == 0


def _check_balances(floor: Floor, account: str, told: list[Due]) -> None:
    """Free and locked together move by what is traded and by nothing else; neither is ever below 0."""
    owned, known = dict(floor.begin), {currency: (amount, Decimal(0)) for currency, amount in floor.begin.items()}
    for due in told:
        event = due.event
        if isinstance(event, MyOrderEvent) and event.state == "trade":
            quote, _, base = event.symbol.partition("-")
            sign = 1 if event.ask_bid == "BID" else -1
            price, volume, fee = event.price or Decimal(0), event.volume or Decimal(0), event.trade_fee or Decimal(0)
            owned[base] += sign * volume
            owned[quote] -= sign * price * volume + fee
        elif isinstance(event, MyAssetEvent):
            for asset in event.assets:
                assert asset.balance >= 0
                assert asset.locked >= 0
                assert asset.balance + asset.locked == owned[asset.currency]
                known[asset.currency] = asset.balance, asset.locked
    for balance in floor.desk.balances(account):
        assert (balance.free, balance.locked) == known[balance.currency]
    locked = {currency: Decimal(0) for currency in known}
    for order in floor.desk.orders(account):
        quote, _, base = order.asked.symbol.partition("-")
        locked[quote if order.asked.side == "bid" else base] += order.locked
    assert locked == {currency: held for currency, (_, held) in known.items()}


class TestKinds:
    def test_a_limit_order_waits_until_the_market_comes_to_it(self) -> None:
        floor = Floor()
        bid, _ = floor.best
        order = floor.place(price=bid, volume="0.02")
        assert floor.states(order) == ["wait"]
        assert floor.balance("KRW").locked == bid * Decimal("0.02") * (1 + FEE_RATE)
        floor.wait(120)
        assert floor.states(order)[-1] == "done"
        assert {event.is_maker for event in floor.of(order) if event.state == "trade"} == {True}
        check(floor)

    def test_every_fill_is_a_trade_of_the_public_stream(self) -> None:
        floor = Floor()
        bid, ask = floor.best
        floor.place(price=bid, volume="0.05")
        floor.place("ask", price=ask, volume="0.05")
        floor.place(ord_type="price", price=20_000_000)
        floor.wait(120)
        fills = [event for due in floor.told if isinstance(event := due.event, MyOrderEvent) and event.state == "trade"]
        traded = [(t.trade_price, t.trade_volume, t.trade_timestamp) for due in floor.public if (t := due.trade)]
        assert len(fills) > 5
        told = [(float(fill.price or 0), float(fill.volume or 0), fill.trade_timestamp) for fill in fills]
        assert [fill for fill in told if fill not in traded] == []
        check(floor)

    def test_a_market_buy_spends_its_amount_and_gives_the_rest_back(self) -> None:
        floor = Floor(KRW=BEGIN["KRW"])
        order = floor.place(ord_type="price", price=1_000_000)
        assert floor.states(order)[0] == "wait"
        assert floor.states(order)[-1] == "cancel"
        assert 999_000 < order.executed_funds < 1_000_000
        assert order.remaining_volume is None
        assert floor.balance("KRW").free == BEGIN["KRW"] - order.executed_funds * (1 + FEE_RATE)
        mean = order.executed_funds / order.executed_volume
        assert floor.balance("BTC").avg_buy_price == pytest.approx(mean, abs=Decimal("1e-7"))

    def test_a_market_sell_ends_done_and_pays_its_fee_from_what_it_earns(self) -> None:
        floor = Floor()
        order = floor.place("ask", ord_type="market", volume="1.5")
        assert floor.states(order) == ["wait", *["trade"] * len(order.fills), "done"]
        assert len(order.fills) > 1
        assert floor.balance("KRW").free == BEGIN["KRW"] + order.executed_funds * (1 - FEE_RATE)
        check(floor)

    def test_best_takes_the_best_price_and_no_other(self) -> None:
        floor = Floor()
        bid, ask = floor.best
        bought = floor.place(ord_type="best", price=40_000_000, time_in_force="ioc")
        assert {fill.price for fill in bought.fills} == {ask}
        sold = floor.place("ask", ord_type="best", volume="1.5", time_in_force="ioc")
        assert {fill.price for fill in sold.fills} == {bid}
        assert floor.states(sold)[-1] == "cancel"
        check(floor)

    def test_a_bid_above_the_market_pays_the_markets_price(self) -> None:
        floor = Floor()
        _, ask = floor.best
        order = floor.place(price=ask + 100_000, volume="0.0001")
        assert [fill.price for fill in order.fills] == [ask]
        assert order.remaining_fee == Decimal(100_000) * Decimal("0.0001") * FEE_RATE
        assert floor.balance("KRW").locked == 0
        check(floor)

    @pytest.mark.parametrize(("volume", "ends"), [("0.0001", "done"), ("1.9", "cancel")])
    def test_fill_or_kill(self, volume: str, ends: str) -> None:
        floor = Floor()
        _, ask = floor.best
        order = floor.place("ask", price=floor.best[0], volume=volume, time_in_force="fok")
        assert floor.states(order)[-1] == ends
        assert len(order.fills) == (ends == "done")
        spent = floor.place(ord_type="best", price=40_000_000 if ends == "cancel" else 6_000, time_in_force="fok")
        assert bool(spent.fills) == (ends == "done")
        assert ask > 0
        check(floor)

    def test_immediate_or_cancel_leaves_nothing_waiting(self) -> None:
        floor = Floor()
        _, ask = floor.best
        order = floor.place(price=ask, volume="0.5", time_in_force="ioc")
        assert order.fills
        assert floor.states(order)[-1] == "cancel"
        check(floor)

    def test_post_only_never_takes(self) -> None:
        floor = Floor()
        bid, ask = floor.best
        assert floor.states(floor.place(price=ask, volume="0.001", time_in_force="post_only")) == ["wait", "cancel"]
        assert floor.states(floor.place(price=bid, volume="0.001", time_in_force="post_only")) == ["wait"]
        check(floor)

    def test_two_customers_meet(self) -> None:
        floor = Floor()
        bid, ask = floor.best
        between = ask - 1_000 if ask - 1_000 > bid else ask
        seller = floor.place("ask", "other", price=between, volume="0.001")
        buyer = floor.place(price=ask, volume="0.0005")
        assert [fill.uuid for fill in buyer.fills] == [fill.uuid for fill in seller.fills]
        assert (buyer.fills[0].is_maker, seller.fills[0].is_maker) == (False, True)
        assert seller.remaining_volume == Decimal("0.0005")
        check(floor)

    def test_earlier_orders_of_a_price_are_met_first(self) -> None:
        floor = Floor()
        bid, _ = floor.best
        first, second = (floor.place(price=bid, volume="0.0002") for _ in range(2))
        floor.place("ask", "other", price=bid, volume="0.0003")
        assert (first.state, second.remaining_volume) == ("done", Decimal("0.0001"))

    def test_a_cancelled_order_gives_everything_back(self) -> None:
        floor = Floor()
        order = floor.place(price=floor.best[0], volume="0.1")
        floor.cancel(order)
        assert floor.states(order)[-1] == "cancel"
        assert floor.balance("KRW") == Balance("KRW", BEGIN["KRW"])
        with pytest.raises(OrderRefused, match="no open order"):
            floor.desk.cancel("main", order.uuid)
        check(floor)

    def test_nobody_cancels_the_order_of_another(self) -> None:
        floor = Floor()
        order = floor.place(price=floor.best[0], volume="0.1")
        with pytest.raises(OrderRefused, match="no open order"):
            floor.desk.cancel("other", order.uuid)

    def test_a_waiting_order_stands_in_the_public_book(self) -> None:
        floor = Floor()
        bid, ask = floor.best
        before = {unit.ask_price: unit.ask_size for unit in floor.market.orderbook(CODE).orderbook_units}
        floor.place("ask", price=ask, volume="0.7")
        book = floor.market.orderbook(CODE)
        assert book.orderbook_units[0].ask_price == float(ask)
        assert book.orderbook_units[0].ask_size == pytest.approx(before[float(ask)] + 0.7)
        assert floor.public[-1] == Due("orderbook", CODE) or floor.market.deadline < 1
        grouped = floor.market.orderbook(CODE, 100_000.0)
        assert grouped.orderbook_units[0].ask_size >= 0.7
        assert bid < ask


class TestMatchingItself:
    @pytest.mark.parametrize(
        ("smp", "taker", "maker", "left"),
        [
            ("reduce", ["wait", "prevented", "cancel"], ["wait", "prevented"], "0.0003"),
            ("cancel_maker", ["wait", "trade", "done"], ["wait", "prevented", "cancel"], "0"),
            ("cancel_taker", ["wait", "prevented", "cancel"], ["wait"], "0.0005"),
        ],
    )
    def test_orders_of_one_account_give_way(self, smp: Any, taker: list[str], maker: list[str], left: str) -> None:
        floor = Floor()
        bid, _ = floor.best
        waiting = floor.place(price=bid, volume="0.0005")
        order = floor.place("ask", price=bid, volume="0.0002", smp_type=smp)
        assert floor.states(order) == taker
        assert floor.states(waiting) == maker
        assert waiting.remaining_volume == Decimal(left)
        prevented = next(one for one in (order, waiting) if one.prevented_volume)
        amount = prevented.prevented_volume * (bid if prevented is waiting else 1)
        assert prevented.prevented_locked == amount
        check(floor)

    @pytest.mark.parametrize("smp", ["reduce", "cancel_maker", "cancel_taker"])
    def test_a_market_buy_gives_way_too(self, smp: Any) -> None:
        floor = Floor()
        _, ask = floor.best
        waiting = floor.place("ask", price=ask, volume="0.001")
        order = floor.place(ord_type="price", price=500_000, smp_type=smp)
        assert "prevented" in floor.states(waiting if smp == "cancel_maker" else order)
        assert order.fills == [] if smp == "cancel_taker" else order.fills
        check(floor)

    def test_without_a_type_an_account_trades_with_itself(self) -> None:
        floor = Floor()
        bid, _ = floor.best
        waiting = floor.place(price=bid, volume="0.0005")
        order = floor.place("ask", price=bid, volume="0.0005")
        assert (order.state, waiting.state) == ("done", "done")
        check(floor)


class TestRefusals:
    @pytest.mark.parametrize(
        ("asked", "fault", "words"),
        [
            ({"symbol": "KRW-NOPE", "price": 1, "volume": 1}, "market", "no market KRW-NOPE"),
            ({"price": 89_886_001, "volume": 1}, "price", "no multiple of 1000"),
            ({"price": 0, "volume": 1}, "price", "more than 0"),
            ({"price": "NaN", "volume": 1}, "price", "more than 0"),
            ({"volume": 1}, "price", "price is missing"),
            ({"price": 89_886_000}, "volume", "volume is missing"),
            ({"price": 89_886_000, "volume": "0.000000001"}, "volume", "eight decimals"),
            ({"price": 89_886_000, "volume": "1e13"}, "volume", "at most 1e12"),
            ({"price": 89_886_000, "volume": "0.00001"}, "minimum", "less than 5000 KRW"),
            ({"price": 89_886_000, "volume": 5}, "funds", "KRW needed"),
            ({"side": "ask", "price": 89_886_000, "volume": 5}, "funds", "BTC needed"),
            ({"ord_type": "price", "price": 4_999}, "minimum", "less than"),
            ({"ord_type": "price", "price": 5_000, "volume": 1}, "volume", "does not go with"),
            ({"ord_type": "market", "volume": 1}, "type", "no bid of type market"),
            ({"side": "ask", "ord_type": "price", "price": 5_000}, "type", "no ask of type price"),
            ({"ord_type": "best", "price": 5_000}, "type", "time_in_force None does not go with best"),
            (
                {"side": "ask", "ord_type": "market", "volume": 1, "time_in_force": "ioc"},
                "type",
                "does not go with market",
            ),
            ({"price": 1_000, "volume": 9, "time_in_force": "post_only", "smp_type": "reduce"}, "type", "post_only"),
        ],
    )
    def test_what_the_exchange_refuses(self, asked: dict[str, Any], fault: str, words: str) -> None:
        floor = Floor()
        with pytest.raises(OrderRefused, match=words) as refused:
            floor.place(**asked)
        assert refused.value.fault == fault
        assert floor.told == []
        assert floor.desk.orders("main") == []

    def test_an_identifier_is_used_once(self) -> None:
        floor = Floor()
        bid, _ = floor.best
        floor.place(price=bid, volume="0.001", identifier="a")
        floor.place(price=bid, volume="0.001", identifier="a", account="other")
        with pytest.raises(OrderRefused, match="identifier a was used"):
            floor.place(price=bid, volume="0.001", identifier="a")

    def test_a_currency_never_held_cannot_be_sold(self) -> None:
        floor = Floor(KRW=Decimal(1_000_000))
        with pytest.raises(OrderRefused, match="0 are free"):
            floor.place("ask", ord_type="market", volume="1")

    def test_old_orders_are_forgotten_and_open_ones_are_not(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(desk_room, "_ORDERS", 2)
        floor = Floor()
        first, second = (floor.place(price=floor.best[0], volume="0.001") for _ in range(2))
        with pytest.raises(OrderRefused, match="2 open orders, no more"):
            floor.place(price=floor.best[0], volume="0.001")
        floor.cancel(first)
        third = floor.place(price=floor.best[0], volume="0.001")
        assert floor.desk.orders("main") == [second, third]

    def test_a_monstrous_order_is_cancelled_after_a_thousand_steps(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(desk_room, "_STEPS", 5)
        floor = Floor()
        order = floor.place(price=floor.best[1] + 50_000_000, volume="0.3")
        assert (len(order.fills), order.state) == (5, "cancel")
        check(floor)


def test_the_markets_own_quotes_trade_with_orders_that_they_reach() -> None:
    floor = Floor()
    pit = floor.market.pits[CODE]
    bid, ask = pit.book.bids[0], pit.book.asks[0]
    sold = floor.place("ask", price=pit.tick.decimal(ask), volume="0.001")
    bought = floor.place(price=pit.tick.decimal(bid), volume="0.001")
    pit.book.bids.insert(0, ask)
    pit.book.bid_sizes.insert(0, UNIT)
    trades = pit.uncross(floor.market.now_ms)
    assert [(trade.price, trade.size, trade.buy) for trade in trades] == [(ask, 100_000, True)]
    assert trades[0].maker is not None
    assert trades[0].maker.uuid == sold.uuid
    assert bought.state == "wait"


def test_the_same_seed_and_the_same_orders_tell_the_same() -> None:
    def story(seed: int) -> list[Due]:
        floor = Floor(seed)
        floor.place(price=floor.best[0], volume="0.05")
        floor.wait(60)
        return floor.told

    assert story(3) == story(3)
    assert story(3) != story(4)


_VOLUMES = st.sampled_from(["0.0001", "0.00012345", "0.02", "0.3"])
_DEEDS = st.one_of(
    st.tuples(
        st.just("limit"), st.sampled_from(["bid", "ask"]), st.sampled_from(["main", "other"]), st.integers(-8, 8),
        _VOLUMES, st.sampled_from([None, "ioc", "fok", "post_only"]),
        st.sampled_from([None, "reduce", "cancel_maker", "cancel_taker"]),
    ),
    st.tuples(
        st.just("market"), st.sampled_from(["bid", "ask"]), st.sampled_from(["main", "other"]), st.just(0), _VOLUMES,
        st.sampled_from([None, "best"]), st.sampled_from([None, "reduce", "cancel_maker", "cancel_taker"]),
    ),
    st.tuples(st.just("cancel"), st.integers(0, 20)),
    st.tuples(st.just("wait"), st.sampled_from([0.1, 1.0, 20.0])),
)  # fmt: skip


def _do(floor: Floor, code: str, deed: tuple[Any, ...]) -> None:
    pit = floor.market.pits[code]
    match deed:
        case ("wait", seconds):
            floor.wait(seconds)
        case ("cancel", number):
            known = [*floor.desk.orders("main"), *floor.desk.orders("other")]
            waiting = [order for order in known if order.state == "wait"]
            for order in waiting[number : number + 1]:
                floor.cancel(order)
        case ("limit", side, account, away, volume, in_force, smp):
            price = pit.tick.decimal(pit.book.asks[0] + away)
            smp = None if in_force == "post_only" else smp
            floor.place(side, account, symbol=code, price=price, volume=volume, time_in_force=in_force, smp_type=smp)
        case ("market", side, account, _, volume, best, smp):
            amount = Decimal(volume) * pit.tick.decimal(pit.book.asks[0])
            number = {"price": amount} if side == "bid" else {"volume": volume}
            kind = {"ord_type": "best", "time_in_force": "ioc"} if best else {}
            kind = kind or {"ord_type": "price" if side == "bid" else "market"}
            floor.place(side, account, symbol=code, smp_type=smp, **number, **kind)


@pytest.mark.parametrize("code", [CODE, "BTC-ETH"])
@settings(max_examples=60, deadline=None)
@given(seed=st.integers(1, 5), deeds=st.lists(_DEEDS, max_size=25))
def test_whatever_customers_do_the_events_tell_one_story(code: str, seed: int, deeds: list[tuple[Any, ...]]) -> None:
    floor = Floor(seed, [BTC if code == CODE else ETH])
    for deed in deeds:
        try:
            _do(floor, code, deed)
        except OrderRefused as refused:
            assert refused.fault in {"funds", "minimum"}  # nothing else is wrong with these  # noqa: PT017
        check(floor)
    for account in ("main", "other"):
        for order in floor.desk.orders(account):
            if order.state == "wait":
                floor.cancel(order)
    check(floor)


def test_an_order_is_changed_within_what_is_open_and_was_not_executed() -> None:
    floor = Floor()
    bid, _ = floor.best
    order = floor.place(price=str(bid - 5_000_000), volume="0.1")
    with pytest.raises(OrderRefused, match="no open order of that id"):
        floor.desk.amend("other", order.uuid, volume=Decimal(1))
    before = floor.balance("KRW")
    floor.desk.amend("main", order.uuid, price=bid - 4_000_000)
    floor.wait(0.0)
    assert floor.states(order) == ["wait", "wait"]
    assert floor.balance("KRW").locked > 0
    check(floor)
    floor.cancel(order)
    assert floor.balance("KRW").free == before.free + before.locked


def test_no_order_is_made_smaller_than_what_was_executed() -> None:
    floor = Floor()
    _, ask = floor.best
    size = floor.market.pits[CODE].ladder.ask_sizes[0]
    volume = Decimal(size).scaleb(-8)
    order = floor.place(price=str(ask), volume=str(volume * 2))
    assert order.state == "wait"
    with pytest.raises(OrderRefused, match="no more than that"):
        floor.desk.amend("main", order.uuid, volume=order.executed_volume)
    floor.desk.amend("main", order.uuid, volume=order.executed_volume + volume / 2)
    floor.wait(0.0)
    assert order.remaining_volume == volume / 2
