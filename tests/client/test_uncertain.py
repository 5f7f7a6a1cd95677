"""Where the exchange's behaviour is uncertain (spec/upbit.md section 11) the client works with either side of it."""

from __future__ import annotations

import asyncio
from decimal import Decimal
from typing import Any, get_args

import msgspec
import pytest

from tapewire.client import WebSocketClient
from tapewire.config import Format, SessionOptions
from tapewire.errors import FeedError
from tapewire.model.events import CandleEvent, Event, MyOrderEvent, OrderbookEvent, TickerEvent, TradeEvent
from tapewire.model.status import Disconnected, Quarantined, Rejected
from tapewire.sim.scenario import DEMO_KEY, Scenario
from tapewire.sim.server import Simulator
from tapewire.venues.upbit.sim_switches import Switches
from tests.client.stage import Stage, play

#: The other side of every switch of the simulator.
OTHER_SIDES: dict[str, Any] = {
    "closes_after_error": False,
    "close_code": 1008,
    "replaces": False,
    "format_required": True,
    "sums_all": True,
    "lists_depth": True,
    "list_size": 10,
    "list_controls": True,
    "messages_per_address": True,
    "ping_counts": True,
    "short_time": True,
    "text_frames": True,
    "refused_status": 403,
    "scope_status": 403,
    "scope_at_handshake": True,
    "asset_warmup": 300.0,
    "fill_states": "done",
    "prevented_text": True,
}
ERROR = "error:SOMETHING_ELSE@12x1"


def test_every_switch_of_the_simulator_has_its_other_side_here() -> None:
    defaults = {field: getattr(Switches(), field) for field in Switches.__struct_fields__}
    assert OTHER_SIDES.keys() == defaults.keys()
    assert all(OTHER_SIDES[field] != default for field, default in defaults.items())


@pytest.mark.parametrize("wire", get_args(Format))
@pytest.mark.parametrize("switch", OTHER_SIDES)
def test_streams_come_go_and_survive_an_error_and_text_pings_on_either_side(switch: str, wire: Format) -> None:
    heard: list[Event] = []

    async def story(stage: Stage) -> None:
        session = SessionOptions(keep_alive="text", ping_interval=4, ping_timeout=2)
        async with stage.client(format=wire, session=session) as client:
            await client.subscribe_ticker(["KRW-BTC", "KRW-ETH"], heard.append)
            await client.subscribe_trade("KRW-BTC", heard.append)
            await client.subscribe_orderbook("KRW-BTC", heard.append, depth=5)
            candles = await client.subscribe_candle("KRW-BTC", heard.append, unit="1m")
            await stage.after(6)
            await candles.add("KRW-ETH")
            await candles.remove("KRW-BTC")
            await candles.live()
            before = len(heard)
            await stage.after(20)
            late = heard[before:]
        snapshots = [(type(event), event.symbol) for event in heard if event.stream_type == "SNAPSHOT"]
        assert sorted(snapshots, key=str) == sorted([
            (TickerEvent, "KRW-BTC"), (TickerEvent, "KRW-ETH"), (TradeEvent, "KRW-BTC"),
            (OrderbookEvent, "KRW-BTC"), (CandleEvent, "KRW-BTC"), (CandleEvent, "KRW-ETH"),
        ], key=str)  # fmt: skip
        assert {(type(event), event.symbol) for event in late} == {
            (TickerEvent, "KRW-BTC"), (TickerEvent, "KRW-ETH"), (TradeEvent, "KRW-BTC"),
            (OrderbookEvent, "KRW-BTC"), (CandleEvent, "KRW-ETH"),
        }  # fmt: skip
        assert {event.stream_type for event in late} == {"REALTIME"}
        assert {len(event.orderbook_units) for event in heard if isinstance(event, OrderbookEvent)} == {5}
        assert [event.name for event in stage.told(Rejected)] == ["SOMETHING_ELSE"]
        assert stage.told(Quarantined) == []
        assert [event.loss.cause for event in stage.told(Disconnected)] == ["stopped"]
        assert any(sent.payload == b"PING" for sent in stage.simulator.requests)

    play(story, switches={switch: OTHER_SIDES[switch]}, faults=(ERROR,))


@pytest.mark.parametrize(("closes", "code"), [(False, 1000), (True, 1000), (True, 1008), (True, 1011)])
def test_a_refusal_is_told_and_every_stream_goes_on_whether_the_exchange_hangs_up_or_not(
    closes: bool, code: int
) -> None:
    async def story(stage: Stage) -> None:
        heard: list[Event] = []
        async with stage.client() as client:
            handle = await client.subscribe_ticker(["KRW-BTC", "KRW-ETH"], heard.append)
            await handle.live()
            await stage.after(5)
            for peer in stage.simulator.exchange.everyone():
                stage.simulator.receive(peer, b"garbled on its way", is_text=False)
            await stage.after(5)
            heard.clear()
            await stage.after(10)
            assert {event.symbol for event in heard} == {"KRW-BTC", "KRW-ETH"}
            assert handle.rejected == {}
        assert [event.name for event in stage.told(Rejected)] == ["WRONG_FORMAT"]
        lost = [(event.loss.cause, event.loss.code) for event in stage.told(Disconnected)]
        assert lost[:-1] == ([("closed", code)] if closes else [])

    play(story, switches={"closes_after_error": closes, "close_code": code})


def test_trades_out_of_order_are_all_delivered_in_the_order_of_their_coming() -> None:
    """Section 11, 15: an id lower than the last one is no sign of a trade that was delivered."""

    async def story(stage: Stage) -> None:
        heard: list[TradeEvent] = []
        async with stage.client() as client:
            await (await client.subscribe_trade(["KRW-BTC", "KRW-ETH"], heard.append)).live()
            before = len(stage.simulator.trades)
            await stage.after(60)
            made = {(trade.symbol, trade.sequential_id) for trade in tuple(stage.simulator.trades)[before:]}
            await stage.after(5)
        ids = [(trade.symbol, trade.sequential_id) for trade in heard if trade.stream_type == "REALTIME"]
        assert len(made) > 100
        assert made <= set(ids)
        assert len(ids) == len(set(ids))
        of_btc = [number or 0 for symbol, number in ids if symbol == "KRW-BTC"]
        assert of_btc != sorted(of_btc)

    play(story, faults=("late:2%0.3",), rate=20.0, markets=("KRW-BTC", "KRW-ETH"))


def test_many_connections_keep_the_limits_even_if_the_exchange_counts_them_together() -> None:
    """Books of one market in different depths need a connection each, and ask in the same moment."""

    async def story(stage: Stage) -> None:
        async with stage.client() as client:
            for depth in (1, 5, 15, 30):
                for level in (0, 10_000):
                    await client.subscribe_orderbook("KRW-BTC", lambda _book: None, depth=depth, level=level)
            await stage.after(10)
            assert len(client.statistics().connections) == 8

    play(story, switches={"messages_per_address": True})


def test_pings_of_the_exchange_are_answered_and_cost_nothing() -> None:
    """Section 11, 18: nothing is said of PING frames that the exchange sends; one that does cuts who is silent."""

    async def story(stage: Stage) -> None:
        heard: list[TradeEvent] = []
        async with stage.client() as client:
            await client.subscribe_trade("KRW-BTC", heard.append)
            await stage.after(600)
            made = {trade.sequential_id for trade in stage.simulator.trades if trade.symbol == "KRW-BTC"}
            await stage.after(5)
        *answered, _under_way = stage.simulator.pings
        assert len(answered) == 120
        assert all(ping.answered == ping.at for ping in answered)
        assert len(stage.simulator.connects) == 1
        assert made <= {trade.sequential_id for trade in heard}
        assert [event.loss.cause for event in stage.told(Disconnected)] == ["stopped"]

    play(story, faults=("ping:1@5/5",))


@pytest.mark.parametrize("transport", ["picows", "websockets"])
async def test_pings_of_the_exchange_are_answered_over_sockets(transport: Any) -> None:
    enough = asyncio.Event()

    def look(_trade: Event) -> None:
        if len([ping for ping in simulator.pings if ping.answered is not None]) >= 10:
            enough.set()

    scenario = Scenario(markets=("KRW-BTC",), rate=200, faults=("ping@0.05/0.05",))
    async with Simulator(scenario) as simulator, asyncio.timeout(30):
        async with WebSocketClient("me", url=simulator.url, rest_url=simulator.rest_url, transport=transport) as client:
            await client.subscribe_trade("KRW-BTC", look)
            await enough.wait()
        assert len(simulator.connects) == 1
        assert simulator.violations == []


class TestPrivateSide:
    """Sections 4.6, 5.2 and 11, 1 and 12: an account's own streams, told in whatever way."""

    KEY = {"access_key": DEMO_KEY.access_key, "secret_key": DEMO_KEY.secret_key.reveal()}

    @pytest.mark.parametrize(
        ("switches", "states"),
        [
            ({}, ["wait", "trade", "done"]),
            ({"fill_states": "trade"}, ["wait", "trade"]),
            ({"fill_states": "done"}, ["wait", "done"]),
            ({"prevented_text": True}, ["wait", "trade", "done"]),
            ({"scope_at_handshake": True}, ["wait", "trade", "done"]),
            ({"list_controls": True, "lists_depth": True}, ["wait", "trade", "done"]),
        ],
    )
    @pytest.mark.parametrize("wire", get_args(Format))
    def test_an_order_is_seen_through(self, switches: dict[str, Any], states: list[str], wire: Format) -> None:
        async def story(stage: Stage) -> None:
            heard: list[MyOrderEvent] = []
            async with stage.client(format=wire, **self.KEY) as client:
                await (await client.subscribe_my_order(heard.append)).live()
                order = stage.simulator.place_order("KRW-BTC", "ask", ord_type="market", volume="0.0001")
                await stage.after(5)
            assert [event.state for event in heard] == states
            assert {event.uuid for event in heard} == {order.uuid}
            assert (heard[-1].executed_volume, heard[-1].prevented_volume) == (Decimal("0.0001"), Decimal(0))
            assert stage.told(Quarantined) == []

        play(story, switches=switches)

    @pytest.mark.parametrize("status", [401, 403])
    def test_a_key_that_is_not_accepted_is_final_whatever_the_status(self, status: int) -> None:
        async def story(stage: Stage) -> None:
            async with stage.client(access_key="nobody", secret_key="s" * 40) as client:
                handle = await client.subscribe_my_order(lambda _order: None)
                with pytest.raises(FeedError, match="invalid_access_key"):
                    await handle.live()
                await stage.after(300)
            assert len(stage.simulator.connects) <= 2, "one more try with a new token at the most"
            assert stage.told(Disconnected)[0].loss.status == status

        play(story, switches={"refused_status": status})

    @pytest.mark.parametrize(
        "switches", [{}, {"scope_at_handshake": True}, {"scope_at_handshake": True, "scope_status": 403}]
    )
    def test_a_missing_permission_is_named_wherever_it_is_found(self, switches: dict[str, Any]) -> None:
        blind = msgspec.structs.replace(DEMO_KEY, permissions=frozenset())

        async def story(stage: Stage) -> None:
            async with stage.client(**self.KEY) as client:
                handle = await client.subscribe_my_asset(lambda _event: None)
                with pytest.raises(FeedError, match="out_of_scope"):
                    await handle.live()

        play(story, switches=switches, keys=(blind,))

    def test_balances_that_are_silent_at_first_are_no_trouble(self) -> None:
        async def story(stage: Stage) -> None:
            heard: list[Event] = []
            async with stage.client(**self.KEY) as client:
                await (await client.subscribe_my_asset(heard.append)).live()
                await stage.after(310)
                stage.simulator.place_order("KRW-BTC", "bid", ord_type="price", price="10000")
                await stage.after(5)
                assert heard == []
                stage.simulator.drop(1001)
                await stage.after(30)
                stage.simulator.place_order("KRW-BTC", "bid", ord_type="price", price="10000")
                await stage.after(5)
                assert heard != []
            assert [event.loss.cause for event in stage.told(Disconnected)] == ["closed", "stopped"]

        play(story, switches={"asset_warmup": 300.0})
