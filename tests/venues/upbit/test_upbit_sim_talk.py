"""Upbit's side of the talk: what it reads, refuses, sends and keeps silent about."""

from __future__ import annotations

import json
from random import Random
from typing import Any

import msgspec
import pytest

from tapewire.sim.market import SeededMarket
from tapewire.venues.exchange import Answer, Caller, Conversation, Due
from tapewire.venues.upbit.profile import KR
from tapewire.venues.upbit.sim import UpbitExchange, exchange
from tapewire.venues.upbit.sim_requests import Refused, parse, public_type
from tests.sim.listed import BTC, START_MS, XRP


def market() -> SeededMarket:
    return SeededMarket("upbit", [BTC, XRP], START_MS, Random(1))


def talk(seeded: SeededMarket | None = None, **switches: Any) -> Conversation:
    return exchange(KR, switches).conversation(seeded or market(), Caller())


def request(*parts: dict[str, Any], ticket: str = "t") -> bytes:
    return json.dumps([{"ticket": ticket}, *parts]).encode()


def ask(conversation: Conversation, *parts: dict[str, Any]) -> Answer:
    return conversation.receive(0.0, request(*parts), is_text=True)


def loaded(answer: Answer) -> list[Any]:
    return [json.loads(payload) for payload in answer.payloads]


ALL = (
    {"type": "ticker", "codes": ["KRW-BTC"]},
    {"type": "trade", "codes": ["KRW-BTC", "BTC-XRP"]},
    {"type": "orderbook", "codes": ["KRW-BTC.5"], "level": 10_000},
    {"type": "candle.1m", "codes": ["BTC-XRP"]},
)


class TestRefusals:
    @pytest.mark.parametrize(
        ("payload", "name"),
        [
            (b"hello", "WRONG_FORMAT"),
            (b"", "WRONG_FORMAT"),
            (b"{}", "WRONG_FORMAT"),
            (b"[]", "WRONG_FORMAT"),
            (b"[1]", "WRONG_FORMAT"),
            (b'["ticket"]', "WRONG_FORMAT"),
            (b"[" * 100_000, "WRONG_FORMAT"),
            (b'[{"\xff":1}]', "WRONG_FORMAT"),
            (b'[{"type":"trade","codes":["KRW-BTC"]}]', "NO_TICKET"),
            (b'[{"ticket":5},{"type":"trade","codes":["KRW-BTC"]}]', "NO_TICKET"),
            (b'[{"ticket":""},{"type":"trade","codes":["KRW-BTC"]}]', "NO_TICKET"),
            (b'[{"ticket":"t"}]', "NO_TYPE"),
            (b'[{"ticket":"t"},{"format":"SIMPLE"}]', "NO_TYPE"),
            (b'[{"ticket":"t"},{"codes":["KRW-BTC"]}]', "NO_TYPE"),
            (b'[{"ticket":"t"},{"type":7,"codes":["KRW-BTC"]}]', "WRONG_FORMAT"),
            (b'[{"ticket":"t"},{"type":"trade"}]', "NO_CODES"),
            (b'[{"ticket":"t"},{"type":"trade","codes":null}]', "NO_CODES"),
            (b'[{"ticket":"t"},{"type":"trade","codes":[]}]', "INVALID_PARAM"),
            (b'[{"ticket":"t"},{"type":"trade","codes":"KRW-BTC"}]', "WRONG_FORMAT"),
            (b'[{"ticket":"t"},{"type":"trade","codes":[1]}]', "WRONG_FORMAT"),
            (b'[{"ticket":"t"},{"type":"moon","codes":["KRW-BTC"]}]', "INVALID_PARAM"),
            (b'[{"ticket":"t"},{"type":"candle.7m","codes":["KRW-BTC"]}]', "INVALID_PARAM"),
            (b'[{"ticket":"t"},{"type":"candle.1d","codes":["KRW-BTC"]}]', "INVALID_PARAM"),
            (b'[{"ticket":"t"},{"type":"myOrder"}]', "INVALID_AUTH"),
            (b'[{"ticket":"t"},{"type":"indicator","codes":["KRW-BTC"]}]', "INVALID_AUTH"),
            (b'[{"ticket":"t"},{"type":"trade","codes":["KRW-BTC"]},{"format":"XML"}]', "INVALID_PARAM"),
            (b'[{"ticket":"t"},{"type":"trade","codes":["KRW-BTC"],"is_only_snapshot":"yes"}]', "WRONG_FORMAT"),
            (b'[{"ticket":"t"},{"type":"orderbook","codes":["KRW-BTC"],"level":"deep"}]', "WRONG_FORMAT"),
            (b'[{"ticket":"t"},{"type":"orderbook","codes":["KRW-BTC"],"level":true}]', "WRONG_FORMAT"),
            (b'[{"ticket":"t"},{"method":"UNSUBSCRIBE"}]', "INVALID_PARAM"),
        ],
    )
    def test_a_bad_request_gets_the_exchanges_word_and_the_close(self, payload: bytes, name: str) -> None:
        answer = talk().receive(0.0, payload, is_text=True)
        [error] = loaded(answer)
        assert error["error"]["name"] == name
        assert error["error"]["message"]
        assert answer.close == (1000, "")
        assert not answer.subscribed

    def test_a_refused_request_changes_nothing(self) -> None:
        seeded = market()
        conversation = talk(seeded, closes_after_error=False)
        ask(conversation, ALL[1])
        answer = ask(conversation, {"type": "ticker", "codes": ["KRW-BTC"]}, {"type": "moon", "codes": ["KRW-BTC"]})
        assert answer.close is None
        assert conversation.realtime(Due("ticker", "KRW-BTC"), {}) == []
        assert len(conversation.realtime(Due("trade", "KRW-BTC", seeded.last_trade("KRW-BTC")), {})) == 1

    def test_the_format_may_be_required(self) -> None:
        assert loaded(ask(talk(format_required=True), ALL[0]))[0]["error"]["name"] == "INVALID_PARAM"
        assert ask(talk(format_required=True), ALL[0], {"format": "SIMPLE"}).subscribed

    def test_the_close_code_is_a_switch(self) -> None:
        assert talk(close_code=1008).receive(0.0, b"[]", is_text=True).close == (1008, "")

    def test_an_error_without_a_message_says_its_name(self) -> None:
        assert loaded(talk().error("TOO_MANY_REQUEST")) == [
            {"error": {"name": "TOO_MANY_REQUEST", "message": "TOO_MANY_REQUEST"}}
        ]

    def test_an_unknown_switch_is_refused(self) -> None:
        with pytest.raises(msgspec.ValidationError, match="closes"):
            exchange(KR, {"closes": True})

    def test_the_parser_itself_raises_with_name_and_message(self) -> None:
        with pytest.raises(Refused) as caught:
            parse(b"[]", public_type)
        assert (caught.value.name, caught.value.message) == ("WRONG_FORMAT", "Format 이 맞지 않습니다.")


class TestSubscriptions:
    def test_one_snapshot_a_code_and_then_realtime(self) -> None:
        seeded = market()
        conversation = talk(seeded)
        first = loaded(ask(conversation, *ALL))
        assert [(frame["type"], frame["code"], frame["stream_type"]) for frame in first] == [
            ("ticker", "KRW-BTC", "SNAPSHOT"), ("trade", "KRW-BTC", "SNAPSHOT"), ("trade", "BTC-XRP", "SNAPSHOT"),
            ("orderbook", "KRW-BTC", "SNAPSHOT"), ("candle.1m", "BTC-XRP", "SNAPSHOT"),
        ]  # fmt: skip
        assert (len(first[3]["orderbook_units"]), first[3]["level"]) == (5, 10_000)
        dues = [
            Due("ticker", "KRW-BTC"),
            Due("candle", "BTC-XRP"),
            Due("candle", "KRW-BTC"),
            Due("orderbook", "BTC-XRP"),
        ]
        then = [json.loads(frame) for due in dues for frame in conversation.realtime(due, {})]
        assert [(frame["type"], frame["stream_type"]) for frame in then] == [
            ("ticker", "REALTIME"), ("candle.1m", "REALTIME"),
        ]  # fmt: skip

    def test_a_request_replaces_the_one_before_unless_the_switch_says_it_adds(self) -> None:
        for replaces, streams in ((True, 1), (False, 2)):
            conversation = talk(replaces=replaces)
            ask(conversation, {"type": "ticker", "codes": ["KRW-BTC"]})
            ask(conversation, {"type": "ticker", "codes": ["BTC-XRP"]})
            frames = [conversation.realtime(Due("ticker", code), {}) for code in ("KRW-BTC", "BTC-XRP")]
            assert sum(map(len, frames)) == streams

    @pytest.mark.parametrize(
        ("flags", "snapshots", "realtime"),
        [
            ({}, 1, 1),
            ({"is_only_snapshot": True}, 1, 0),
            ({"isOnlySnapshot": True}, 1, 0),
            ({"is_only_realtime": True}, 0, 1),
            ({"isOnlyRealtime": "true"}, 0, 1),
            ({"is_only_snapshot": False, "is_only_realtime": "false"}, 1, 1),
            ({"is_only_snapshot": True, "is_only_realtime": True}, 1, 0),
        ],
    )
    def test_either_part_can_be_asked_alone(self, flags: dict[str, Any], snapshots: int, realtime: int) -> None:
        conversation = talk()
        assert len(ask(conversation, {"type": "ticker", "codes": ["KRW-BTC"], **flags}).payloads) == snapshots
        assert len(conversation.realtime(Due("ticker", "KRW-BTC"), {})) == realtime

    @pytest.mark.parametrize(
        "part",
        [
            {"type": "ticker", "codes": ["krw-btc", "KRW-NOPE", ""]},
            {"type": "orderbook", "codes": ["BTC-XRP"], "level": 10_000},
            {"type": "orderbook", "codes": ["KRW-BTC"], "level": 7},
        ],
    )
    def test_unknown_codes_and_levels_are_met_with_silence(self, part: dict[str, Any]) -> None:
        answer = ask(talk(), part)
        assert (answer.payloads, answer.close, answer.subscribed) == ((), None, True)

    @pytest.mark.parametrize(
        ("suffix", "depth"),
        [("", 30), (".1", 1), (".5", 5), (".15", 15), (".30", 30), (".7", 30), (".x", 30), (".", 30), (".²", 30)],
    )
    def test_depth_by_suffix_and_thirty_for_all_others(self, suffix: str, depth: int) -> None:
        [book] = loaded(ask(talk(), {"type": "orderbook", "codes": [f"KRW-BTC{suffix}"]}))
        assert book["code"] == "KRW-BTC"
        assert len(book["orderbook_units"]) == depth
        assert book["total_ask_size"] == pytest.approx(sum(unit["ask_size"] for unit in book["orderbook_units"]))

    def test_totals_may_be_over_all_levels(self) -> None:
        part = {"type": "orderbook", "codes": ["KRW-BTC.1"], "level": "0"}
        [few], [all_] = loaded(ask(talk(), part)), loaded(ask(talk(sums_all=True), part))
        assert all_["total_bid_size"] > few["total_bid_size"]

    def test_a_suffix_on_other_types_is_ignored(self) -> None:
        [ticker] = loaded(ask(talk(), {"type": "ticker", "codes": ["KRW-BTC.5"]}))
        assert ticker["code"] == "KRW-BTC"

    def test_one_market_in_two_depths_gives_two_frames_and_twice_the_same_gives_one(self) -> None:
        conversation = talk()
        ask(
            conversation,
            {"type": "orderbook", "codes": ["KRW-BTC.1", "KRW-BTC.5"]},
            {"type": "orderbook", "codes": ["KRW-BTC.5"], "is_only_realtime": True},
        )
        frames = [json.loads(frame) for frame in conversation.realtime(Due("orderbook", "KRW-BTC"), {})]
        assert [len(frame["orderbook_units"]) for frame in frames] == [1, 5]

    def test_equal_frames_are_encoded_once_for_all(self) -> None:
        seeded, cache = market(), dict[object, bytes]()
        one, two = talk(seeded), talk(seeded)
        ask(one, ALL[0])
        ask(two, ALL[0])
        [a], [b] = (side.realtime(Due("ticker", "KRW-BTC"), cache) for side in (one, two))
        assert a is b

    def test_the_objects_may_come_in_any_order(self) -> None:
        payload = b'[{"format":"SIMPLE"},{"type":"ticker","codes":["KRW-BTC"]},{"ticket":"x"}]'
        assert json.loads(talk().receive(0.0, payload, is_text=False).payloads[0])["ty"] == "ticker"


class TestForms:
    @pytest.mark.parametrize("form", ["DEFAULT", "SIMPLE", "JSON_LIST", "SIMPLE_LIST"])
    def test_all_four_formats(self, form: str) -> None:
        conversation = talk()
        frames = loaded(ask(conversation, *ALL, {"format": form}))
        frames += [json.loads(frame) for frame in conversation.realtime(Due("ticker", "KRW-BTC"), {})]
        for frame in frames:
            assert isinstance(frame, list) == form.endswith("_LIST")
            [one] = frame if isinstance(frame, list) else [frame]
            assert ("ty" in one) == form.startswith("SIMPLE")

    def test_a_list_frame_may_hold_several_snapshots(self) -> None:
        frames = loaded(ask(talk(list_size=3), *ALL, {"format": "JSON_LIST"}))
        assert [len(frame) for frame in frames] == [3, 2]
        assert len(ask(talk(list_size=3), *ALL).payloads) == 5

    def test_what_is_subscribed_can_be_asked(self) -> None:
        conversation = talk()
        ask(conversation, *ALL, {"type": "trade", "codes": ["KRW-BTC"], "is_only_snapshot": True})
        assert loaded(ask(conversation, {"method": "LIST_SUBSCRIPTIONS"})) == [
            {
                "method": "LIST_SUBSCRIPTIONS",
                "result": [
                    {"type": "ticker", "codes": ["KRW-BTC"]},
                    {"type": "trade", "codes": ["KRW-BTC", "BTC-XRP"]},
                    {"type": "orderbook", "codes": ["KRW-BTC"], "level": 10_000},
                    {"type": "candle.1m", "codes": ["BTC-XRP"]},
                ],
                "ticket": "t",
            }
        ]

    def test_asking_changes_the_format_of_the_streams_too(self) -> None:
        conversation = talk(lists_depth=True)
        ask(conversation, ALL[2])
        assert loaded(ask(conversation, {"method": "LIST_SUBSCRIPTIONS"}, {"format": "SIMPLE"})) == [
            {
                "mthd": "LIST_SUBSCRIPTIONS",
                "rslt": [{"ty": "orderbook", "cds": ["KRW-BTC.5"], "lv": 10_000}],
                "tckt": "t",
            }
        ]
        [frame] = conversation.realtime(Due("orderbook", "KRW-BTC"), {})
        assert json.loads(frame)["ty"] == "orderbook"

    def test_a_level_with_a_fraction_stays_one(self) -> None:
        conversation = talk()
        ask(conversation, {"type": "orderbook", "codes": ["KRW-BTC"], "level": 0.5})
        assert loaded(ask(conversation, {"method": "LIST_SUBSCRIPTIONS"}))[0]["result"][0]["level"] == 0.5

    def test_control_frames_are_objects_or_by_switch_arrays_in_list_formats(self) -> None:
        for switch, status in ((False, {"status": "UP"}), (True, [{"status": "UP"}])):
            conversation = talk(list_controls=switch)
            ask(conversation, ALL[0], {"format": "SIMPLE_LIST"})
            assert json.loads(conversation.status()) == status
            assert isinstance(loaded(conversation.error("X", "y"))[0], list) == switch

    def test_ping_brings_a_sign_of_life_every_ten_seconds(self) -> None:
        conversation = talk()
        assert conversation.advance(100.0) == []
        assert conversation.receive(3.0, b"PING", is_text=True) == Answer((b'{"status":"UP"}',))
        assert conversation.deadline == 13.0
        assert conversation.advance(12.9) == []
        assert conversation.advance(33.0) == [b'{"status":"UP"}'] * 3

    def test_seconds_that_are_zero_may_be_left_out(self) -> None:
        class Even(SeededMarket):
            def last_trade(self, symbol: str) -> Any:
                return msgspec.structs.replace(super().last_trade(symbol), trade_time=times[symbol])

        times = {"KRW-BTC": "18:17:00", "BTC-XRP": "18:17:05"}
        seeded = Even("upbit", [BTC, XRP], START_MS, Random(1))
        for form, key in (("DEFAULT", "trade_time"), ("SIMPLE", "ttm")):
            frames = loaded(ask(talk(seeded, short_time=True), *ALL[:2], {"format": form}))
            assert [frame[key] for frame in frames[1:]] == ["18:17", "18:17:05"]
            assert len(frames[0][key]) == 6, "a ticker's time has no colons"


def test_text_frames_by_switch() -> None:
    assert UpbitExchange(KR).is_text is False
    assert exchange(KR, {"text_frames": True}).is_text is True
