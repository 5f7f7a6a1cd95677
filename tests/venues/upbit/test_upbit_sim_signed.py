"""Upbit's side of the talk on its private and info sides: what it grants, refuses, tells and keeps silent about."""

from __future__ import annotations

import json
from decimal import Decimal
from itertools import pairwise
from typing import Any

import pytest

from tapewire.model.events import AnnouncementEvent, CandleEvent, MyAssetEvent, MyOrderEvent
from tapewire.sim.announcements import Crier
from tapewire.sim.desk import Desk
from tapewire.sim.market import SeededMarket
from tapewire.venues.exchange import Answer, Caller, Conversation, Due, SimKey
from tapewire.venues.trading import NewOrder
from tapewire.venues.upbit.codec import UpbitCodec
from tapewire.venues.upbit.profile import KR
from tapewire.venues.upbit.sim import exchange
from tapewire.venues.upbit.sim_indicators import Series, values_of
from tests.sim.draws import seeded
from tests.sim.listed import BTC, START_MS, XRP

KEY = SimKey(access_key="a", secret_key="s")  # type: ignore[arg-type]  # text is wrapped
BLIND = SimKey(access_key="b", secret_key="s", permissions=frozenset())  # type: ignore[arg-type]
OTHER = SimKey(access_key="c", secret_key="s", account="other")  # type: ignore[arg-type]
MACD = {"type": "macd", "params": {"fast": 12, "slow": 26, "signal_period": 9}}
RSI = {"type": "rsi", "params": {"period": 14}}
BANDS = {"type": "bollinger_bands", "params": {"period": 20, "multiplier": 2.0}}
SPIKE = {
    "type": "volume", "params": {"period": 10}, "trigger": "volume_spike", "event_params": {"multiplier": 2.0},
}  # fmt: skip


class Scene:
    """A market with a desk, and one conversation on a side of it."""

    def __init__(self, side: str = "private", key: SimKey = KEY, **switches: Any) -> None:
        self.market = SeededMarket("upbit", [BTC, XRP], START_MS, seeded())
        money = {"KRW": Decimal(10_000_000), "BTC": Decimal(1)}
        self.desk = Desk("upbit", self.market, 1, {"main": money, "other": money})
        self.crier = Crier("upbit", self.market)
        self.upbit = exchange(KR, switches, [KEY, BLIND, OTHER])
        self.talk = self.converse(Caller(side, key))
        self.now = 0.0

    def converse(self, caller: Caller) -> Conversation:
        return self.upbit.conversation(self.market, caller)

    def ask(self, *parts: dict[str, Any], now: float = 0.0) -> Answer:
        return self.talk.receive(now, json.dumps([{"ticket": "t"}, *parts]).encode(), is_text=True)

    def refusal(self, *parts: dict[str, Any]) -> tuple[str, bool]:
        """Name of the error, and whether a close follows."""
        answer = self.ask(*parts)
        [payload] = answer.payloads
        return json.loads(payload)["error"]["name"], answer.close is not None

    def granted(self, *parts: dict[str, Any], now: float = 0.0) -> None:
        assert self.ask(*parts, now=now) == Answer(subscribed=True)

    def listed(self, form: str = "DEFAULT") -> Any:
        [payload] = self.ask({"method": "LIST_SUBSCRIPTIONS"}, {"format": form}).payloads
        return json.loads(payload)["result" if form == "DEFAULT" else "rslt"]

    def until(self, moment: float) -> list[bytes]:
        frames = []
        while self.market.deadline <= moment:
            for due in self.market.advance(self.market.deadline):
                frames += self.talk.realtime(due, {})
        return frames

    def buy(self, account: str = "main", amount: int = 100_000) -> list[bytes]:
        self.desk.place(account, NewOrder(symbol="KRW-BTC", side="bid", ord_type="price", price=Decimal(amount)))
        return self.until(0.0)

    def sell(self) -> list[bytes]:
        volume = Decimal("0.001")
        self.desk.place("main", NewOrder(symbol="KRW-BTC", side="ask", ord_type="market", volume=volume))
        return self.until(0.0)


ORDERS, ASSETS, NEWS = {"type": "myOrder"}, {"type": "myAsset"}, {"type": "announcement"}


def indicators(*those: dict[str, Any], kind: str = "indicator", **other: Any) -> dict[str, Any]:
    return {"type": kind, "codes": ["KRW-BTC"], "timeframe": "5m", "indicators": list(those)} | other


class TestRefusals:
    @pytest.mark.parametrize(
        ("asked", "name"),
        [
            ({"type": "ticker", "codes": ["KRW-BTC"]}, "INVALID_PARAM"),
            (indicators(RSI), "INVALID_PARAM"),
            ({"type": "moon"}, "INVALID_PARAM"),
            ({"codes": ["KRW-BTC"]}, "NO_TYPE"),
            ({"type": 7}, "WRONG_FORMAT"),
            ({"type": "myOrder", "codes": "KRW-BTC"}, "WRONG_FORMAT"),
            ({"type": "myAsset", "codes": ["KRW-BTC"]}, "WRONG_FORMAT"),
            ({"type": "myAsset", "codes": []}, "WRONG_FORMAT"),
            ({"type": "announcement", "categories": ["weather"]}, "INVALID_PARAM"),
            ({"type": "announcement", "categories": "trade"}, "WRONG_FORMAT"),
            ({"type": "announcement", "include_body": "yes"}, "WRONG_FORMAT"),
        ],
    )
    def test_private(self, asked: dict[str, Any], name: str) -> None:
        assert Scene().refusal(asked) == (name, True)
        assert Scene(closes_after_error=False).refusal(asked) == (name, False)

    @pytest.mark.parametrize(
        ("asked", "name"),
        [
            ({"type": "trade", "codes": ["KRW-BTC"]}, "INVALID_PARAM"),
            (ORDERS, "INVALID_PARAM"),
            (indicators(RSI, codes=None), "NO_CODES"),
            (indicators(RSI, codes=[]), "INVALID_PARAM"),
            (indicators(RSI, timeframe="1m"), "INVALID_PARAM"),
            (indicators(RSI, timeframe=None), "INVALID_PARAM"),
            (indicators(), "INVALID_PARAM"),
            (indicators(indicators={}), "WRONG_FORMAT"),
            (indicators(indicators=["rsi"]), "WRONG_FORMAT"),
            (indicators({"type": "rsi", "params": {"period": 15}}), "INVALID_PARAM"),
            (indicators({"type": "rsi", "params": {"period": "14"}}), "INVALID_PARAM"),
            (indicators({"type": "rsi"}), "INVALID_PARAM"),
            (indicators({"type": "moon", "params": {}}), "INVALID_PARAM"),
            (indicators(RSI, kind="indicator_signal"), "INVALID_PARAM"),
            (indicators({**RSI, "trigger": "golden_cross"}, kind="indicator_signal"), "INVALID_PARAM"),
            (indicators({**SPIKE, "event_params": {"multiplier": 4}}, kind="indicator_signal"), "INVALID_PARAM"),
            (indicators(RSI, MACD, codes=[f"KRW-A{n}" for n in range(51)]), "TOO_MANY_REQUEST"),
        ],
    )
    def test_info_always_closes(self, asked: dict[str, Any], name: str) -> None:
        assert Scene("info", closes_after_error=False).refusal(asked) == (name, True)

    def test_the_whole_request_is_refused_and_the_earlier_one_stays(self) -> None:
        scene = Scene(closes_after_error=False)
        scene.granted(ASSETS)
        assert scene.refusal(ORDERS, {"type": "moon"}, {"format": "SIMPLE"})[0] == "INVALID_PARAM"
        assert scene.listed() == [{"type": "myAsset"}]

    def test_a_hundred_combinations_are_allowed(self) -> None:
        scene = Scene("info")
        scene.granted(indicators(RSI, MACD, codes=[f"KRW-A{n}" for n in range(50)]))
        more = [indicators(said, codes=[f"KRW-A{n}" for n in range(count)]) for said, count in ((RSI, 60), (MACD, 41))]
        assert scene.refusal(*more) == ("TOO_MANY_REQUEST", True)

    @pytest.mark.parametrize("asked", [ORDERS, ASSETS])
    def test_a_key_without_the_permission_hears_so_when_it_asks(self, asked: dict[str, Any]) -> None:
        scene = Scene(key=BLIND, closes_after_error=False)
        scene.granted(NEWS)
        assert scene.refusal(asked, {"format": "SIMPLE"}) == ("out_of_scope", False)
        assert scene.listed() == [NEWS]


class TestPrivate:
    @pytest.mark.parametrize("form", ["DEFAULT", "SIMPLE", "JSON_LIST", "SIMPLE_LIST"])
    def test_an_order_and_its_balances_are_read_by_our_codec(self, form: Any) -> None:
        scene = Scene()
        scene.granted(ORDERS, ASSETS, {"format": form})
        frames = scene.sell()
        codec = UpbitCodec(KR, form, "float", False)
        told = [event for frame in frames for event in codec.read(frame).events]
        assert [type(event) for event in told] == [MyOrderEvent, MyAssetEvent] * 2 + [MyOrderEvent]
        orders = [event for event in told if isinstance(event, MyOrderEvent)]
        assert [order.state for order in orders] == ["wait", "trade", "done"]
        [order] = scene.desk.orders("main")
        assert (orders[1].price, orders[1].volume) == (order.fills[0].price, order.fills[0].volume)
        assert orders[-1].executed_funds == order.executed_funds
        assert {event.stream_type for event in told} == {"REALTIME"}

    def test_numbers_are_plain_and_nulls_are_sent(self) -> None:
        scene = Scene()
        scene.granted(ORDERS)
        frame = json.loads(scene.buy()[0], parse_float=str, parse_int=str)
        assert frame == {
            "type": "myOrder", "code": "KRW-BTC", "uuid": scene.desk.orders("main")[0].uuid, "ask_bid": "BID",
            "order_type": "price", "state": "wait", "trade_uuid": None, "price": "100000", "avg_price": None,
            "volume": None, "remaining_volume": None, "executed_volume": "0", "trades_count": "0", "reserved_fee": "50",
            "remaining_fee": "50", "paid_fee": "0", "locked": "100050", "executed_funds": "0", "time_in_force": None,
            "trade_fee": None, "is_maker": None, "identifier": None, "smp_type": None, "prevented_volume": "0",
            "prevented_locked": "0", "trade_timestamp": None, "order_timestamp": str(START_MS),
            "timestamp": str(START_MS), "stream_type": "REALTIME",
        }  # fmt: skip

    def test_only_what_was_asked_of_only_this_account(self) -> None:
        scene = Scene()
        scene.granted({"type": "myOrder", "codes": ["BTC-XRP"]})
        assert scene.buy() == []
        scene.granted({"type": "myOrder", "codes": ["BTC-XRP", "KRW-BTC"]})
        assert len(scene.sell()) == 3
        assert scene.buy("other") == []
        scene.granted({"type": "myOrder", "codes": []})
        assert len(scene.sell()) == 3
        scene.granted(NEWS)
        assert scene.buy() == []

    def test_two_connections_share_what_is_encoded(self) -> None:
        scene = Scene()
        scene.granted(ORDERS)
        scene.desk.place("main", NewOrder(symbol="KRW-BTC", side="bid", ord_type="price", price=Decimal(9_000)))
        due = next(due for due in scene.market.advance(0.0) if due.kind == "myOrder")
        cache: dict[object, bytes] = {}
        [first], [second] = scene.talk.realtime(due, cache), scene.talk.realtime(due, cache)
        assert first is second

    def test_the_first_use_of_balances_may_be_silent_until_the_next_connection(self) -> None:
        scene = Scene(asset_warmup=300.0)
        scene.granted(ASSETS, ORDERS)
        assert len(scene.buy()) == 3
        scene.talk = scene.converse(Caller("private", KEY))
        scene.granted(ASSETS, now=299.0)
        assert scene.buy() == []
        scene.granted(ASSETS, now=300.0)
        assert len(scene.buy()) == 3
        scene.talk = scene.converse(Caller("private", OTHER))
        scene.granted(ASSETS, now=300.0)
        assert scene.buy("other") == []

    @pytest.mark.parametrize(
        ("switch", "states"), [("both", ["trade", "done"]), ("trade", ["trade"]), ("done", ["done"])]
    )
    def test_a_whole_fill_may_be_told_in_one_word(self, switch: str, states: list[str]) -> None:
        scene = Scene(fill_states=switch)
        scene.granted(ORDERS)
        assert [json.loads(frame)["state"] for frame in scene.sell()] == ["wait", *states]

    def test_prevented_amounts_may_be_text(self) -> None:
        scene = Scene(prevented_text=True)
        scene.granted(ORDERS)
        frame = json.loads(scene.buy()[0])
        assert (frame["prevented_volume"], frame["prevented_locked"]) == ("0", "0")

    def test_requests_replace_or_add(self) -> None:
        for replaces, listed in ((True, [NEWS]), (False, [ORDERS, NEWS])):
            scene = Scene(replaces=replaces)
            scene.granted(ORDERS)
            scene.granted(NEWS)
            assert scene.listed() == listed

    def test_what_is_held_is_listed(self) -> None:
        scene = Scene()
        news = {"type": "announcement", "categories": ["trade"], "include_body": True}
        scene.granted({"type": "myOrder", "codes": ["KRW-BTC"]}, ASSETS, news)
        assert scene.listed() == [{"type": "myOrder", "codes": ["KRW-BTC"]}, ASSETS, news]
        assert scene.listed("SIMPLE") == [
            {"ty": "myOrder", "cds": ["KRW-BTC"]}, {"ty": "myAsset"},
            {"ty": "announcement", "cat": ["trade"], "ib": True},
        ]  # fmt: skip

    def test_pings_are_answered(self) -> None:
        assert Scene().talk.receive(0.0, b"PING", is_text=True) == Answer((b'{"status":"UP"}',))


class TestAnnouncements:
    def heard(self, asked: dict[str, Any], form: str = "DEFAULT", side: str = "private") -> list[dict[str, Any]]:
        scene = Scene(side, key=BLIND)
        scene.granted(asked, {"format": form})
        uuid = scene.crier.announce("Listing", "trade", "**text**")
        scene.crier.announce("Listing soon", "trade", None, uuid)
        scene.crier.announce("Works", "maintenance")
        return [json.loads(frame) for frame in scene.until(0.0)]

    def test_in_full(self) -> None:
        first, second, third = self.heard({**NEWS, "include_body": True})
        assert first == {
            "type": "announcement", "event_type": "CREATED", "uuid": "562593104", "title": "Listing",
            "category": "trade", "url": "https://www.upbit.com/service_center/notice?id=562593104&view=share",
            "first_listed_at": "2026-08-13T18:00:00+09:00", "listed_at": "2026-08-13T18:00:00+09:00",
            "body": "**text**", "timestamp": START_MS, "stream_type": "REALTIME",
        }  # fmt: skip
        assert (second["event_type"], second["uuid"], second["body"]) == ("UPDATED", "562593104", None)
        assert third["uuid"] == "562593105"

    def test_by_category_and_without_the_text(self) -> None:
        heard = self.heard({**NEWS, "categories": ["maintenance", "event"]}, "SIMPLE")
        assert [(one["tt"], "bd" in one) for one in heard] == [("Works", False)]

    def test_our_codec_reads_them(self) -> None:
        scene = Scene()
        scene.granted(NEWS)
        scene.crier.announce("Listing", "trade", "text")
        [event] = UpbitCodec(KR, "DEFAULT", "float", False).read(scene.until(0.0)[0]).events
        assert isinstance(event, AnnouncementEvent)
        assert (event.title, event.body) == ("Listing", None)

    def test_the_info_side_has_none(self) -> None:
        assert Scene("info").refusal(NEWS) == ("INVALID_PARAM", True)
        scene = Scene("info")
        scene.granted(indicators(RSI))
        scene.crier.announce("Works", "maintenance")
        assert scene.until(0.0) == []


class TestIndicators:
    @pytest.mark.parametrize("form", ["DEFAULT", "SIMPLE", "JSON_LIST", "SIMPLE_LIST"])
    def test_each_is_told_once_when_a_candle_closes(self, form: Any) -> None:
        scene = Scene("info")
        others = indicators(RSI, codes=["BTC-XRP", "KRW-NOPE"])
        scene.granted(indicators(RSI, MACD, BANDS, RSI), others, {"format": form})
        assert scene.until(301.0) == []
        frames = scene.until(302.0)
        events = [event for frame in frames for event in UpbitCodec(KR, form, "float", False).read(frame).events]
        assert [(event.symbol, event.indicator) for event in events] == [  # type: ignore[attr-defined]
            ("KRW-BTC", "rsi"), ("KRW-BTC", "macd"), ("KRW-BTC", "bollinger_bands"),
        ]  # fmt: skip
        end = START_MS + 300_000
        candles: list[CandleEvent] = scene.market.candles("KRW-BTC", "5m", end, 420)[::-1]
        series = Series(
            [candle.trade_price or 0 for candle in candles], [candle.candle_acc_trade_volume or 0 for candle in candles]
        )
        for event, said in zip(events, (RSI, MACD, BANDS), strict=True):
            assert event.value == values_of(str(said["type"]), said["params"], series)  # type: ignore[attr-defined, arg-type]
            assert event.params == said["params"]  # type: ignore[attr-defined]
            assert event.candle_date_time_utc == "2026-08-13T09:00:00"  # type: ignore[attr-defined]
            assert event.timestamp == end + 1_100

    def test_time_frames_are_kept_apart(self) -> None:
        scene = Scene("info")
        scene.granted(indicators(RSI, timeframe="15m"))
        assert scene.until(898.0) == []
        assert len(scene.until(902.0)) == 1

    def test_names_of_the_simple_form(self) -> None:
        scene = Scene("info")
        scene.granted(indicators(MACD), {"format": "SIMPLE"})
        [frame] = scene.until(302.0)
        told = json.loads(frame)
        assert told.keys() == {"ty", "cd", "tf", "ind", "p", "cdttmu", "v", "tms", "st"}
        assert (told["p"], told["v"].keys()) == ({"f": 12, "s": 26, "sgp": 9}, {"macd", "macds", "hist"})

    def test_a_signal_is_told_when_its_condition_becomes_true_and_not_again(self) -> None:
        scene = Scene("info")
        cross = [
            {"type": "moving_average", "params": {"type": "SMA", "period": 5}, "trigger": f"price_cross_{way}"}
            for way in ("above", "below")
        ]
        scene.granted(indicators(*cross, kind="indicator_signal"), indicators(cross[0] | {}, kind="indicator_signal"))
        frames = [json.loads(frame) for frame in scene.until(5_000.0)]
        ways = [frame["trigger"] for frame in frames]
        assert len(ways) > 2
        assert all(before != after for before, after in pairwise(ways))
        assert frames[0]["event_params"] == {}
        assert frames[0]["type"] == "indicator_signal"

    def test_what_is_held_is_listed(self) -> None:
        scene = Scene("info")
        wanted = [indicators(RSI, BANDS), indicators(SPIKE, kind="indicator_signal")]
        scene.granted(*wanted)
        assert scene.listed() == wanted
        short = scene.listed("SIMPLE")
        assert short[1] == {
            "ty": "indicator_signal", "cds": ["KRW-BTC"], "tf": "5m",
            "ind": [{"ty": "volume", "p": {"p": 10}, "tr": "volume_spike", "ep": {"mul": 2.0}}],
        }  # fmt: skip

    def test_requests_replace_or_add(self) -> None:
        for replaces, count in ((True, 1), (False, 2)):
            scene = Scene("info", replaces=replaces)
            scene.granted(indicators(RSI))
            scene.granted(indicators(MACD))
            assert len(scene.listed()) == count

    def test_a_candle_without_a_trade_closes_in_silence(self) -> None:
        scene = Scene("info")
        scene.granted(indicators(RSI))
        bars = scene.market.pits["KRW-BTC"].bars["5m"]
        assert bars.traded_until(START_MS // 1000 + 300) is False
        assert scene.talk.realtime(Due("close", "BTC-XRP", unit="5m", ms=START_MS), {}) == []
