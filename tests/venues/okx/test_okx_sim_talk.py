"""The simulated OKX's side of the talk: requests, acknowledgements, refusals, closes."""

from __future__ import annotations

import json
from itertools import pairwise
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.venues.okx.sim_stage import Client, get, login_of, make, run

_FUZZED = make(limits=False)
_WORDS = st.sampled_from(
    ["op", "args", "id", "subscribe", "unsubscribe", "login", "order", "channel", "instId", "instType", "tickers",
     "books", "BTC-USDT", "account", "apiKey", "sign", "timestamp", "passphrase", "sim-access-key", "candle1m",
     "extraParams"]
)  # fmt: skip
_JSON = st.dictionaries(
    _WORDS,
    st.recursive(
        st.one_of(_WORDS, st.integers(), st.none(), st.text(max_size=5)),
        lambda inner: st.one_of(st.lists(inner, max_size=3), st.dictionaries(_WORDS, inner, max_size=4)),
        max_leaves=8,
    ),
)
TICKERS = {"channel": "tickers", "instId": "BTC-USDT"}
DEEP = {"channel": "books-l2-tbt", "instId": "BTC-USDT"}


def codes(answers: list[dict[str, Any]]) -> list[str]:
    return [answer.get("code", answer.get("event", "push")) for answer in answers]


class TestRequests:
    def test_every_argument_is_acknowledged_with_the_id_and_followed_by_what_is_known(self) -> None:
        trades = {"channel": "trades", "instId": "ETH-USDT"}
        answers = Client(make()).ask(TICKERS, trades, id="a1B2")
        assert codes(answers) == ["subscribe", "push", "subscribe", "push"]
        name = answers[0]["connId"]
        assert answers[0] == {"id": "a1B2", "event": "subscribe", "arg": TICKERS, "connId": name}
        assert answers[1]["arg"] == TICKERS
        assert answers[2] == {"id": "a1B2", "event": "subscribe", "arg": trades, "connId": name}

    def test_connections_have_names_of_their_own(self) -> None:
        okx = make()
        assert len({Client(okx, now=float(number)).ask(TICKERS)[0]["connId"] for number in range(5)}) == 5

    def test_what_is_held_is_acknowledged_again_and_told_once(self) -> None:
        client = Client(make())
        client.ask(TICKERS)
        assert codes(client.ask(TICKERS)) == ["subscribe", "push"]
        stamps = [one["data"][0]["ts"] for one in client.wait(10.0)]
        assert len(stamps) == len(set(stamps)) > 10

    def test_after_unsubscribing_nothing_comes(self) -> None:
        client = Client(make())
        client.ask(TICKERS)
        [answer] = client.ask(TICKERS, op="unsubscribe")
        assert answer == {"event": "unsubscribe", "arg": TICKERS, "connId": answer["connId"]}
        assert client.wait(10.0) == []
        assert codes(client.ask(TICKERS, op="unsubscribe")) == ["unsubscribe"]

    @pytest.mark.parametrize(
        ("message", "code"),
        [
            (b"hello", "60012"),
            (b"", "60012"),
            (b"[]", "60012"),
            (b"\xff\xfe", "60012"),
            (b"[" * 60_000, "60012"),
            ({"op": "subscribe"}, "60012"),
            ({"op": "subscribe", "args": []}, "60012"),
            ({"op": "subscribe", "args": {}}, "60012"),
            ({"op": "subscribe", "argss": [{"channel": "books", "instId": "BTC-USD-191227"}]}, "60012"),
            ({"op": "subscribe", "args": [TICKERS], "id": "a-b"}, "60012"),
            ({"op": "subscribe", "args": [TICKERS], "id": "a" * 33}, "60012"),
            ({"op": "subscribe", "args": ["tickers:BTC-USDT"]}, "60013"),
            ({"op": "subscribe", "args": [{"channel": 5}]}, "60013"),
            ({"op": "subscribe", "args": [{"instId": "BTC-USDT"}]}, "60027"),
            ({"op": "subscribe", "args": [{"channel": "tickers", "uly": "BTC-USD"}]}, "64000"),
            ({"op": "subscribe", "args": [{"channel": "tickers"}]}, "60018"),
            ({"op": "subscribe", "args": [{"channel": "tickers", "instId": "KRW-BTC"}]}, "60018"),
            ({"op": "subscribe", "args": [{"channel": "moons", "instId": "BTC-USDT"}]}, "60018"),
            ({"op": "subscribe", "args": [{"channel": "funding-rate", "instId": "BTC-USDT"}]}, "60018"),
            ({"op": "subscribe", "args": [{"channel": "open-interest", "instId": "BTC-USDT"}]}, "60018"),
            ({"op": "subscribe", "args": [{"channel": "instruments", "instType": "BONDS"}]}, "60018"),
            ({"op": "subscribe", "args": [{"channel": "index-tickers", "instId": "BTC-EUR"}]}, "60018"),
            ({"op": "subscribe", "args": [{"channel": "orders", "instType": "ANY"}]}, "60018"),
            ({"op": "subscribe", "args": [{"channel": "candle1m", "instId": "BTC-USDT"}]}, "60018"),
            ({"op": "subscribe", "args": [DEEP]}, "60011"),
            ({"op": "unsubscribe", "args": [{"channel": "moons"}]}, "60018"),
            ({"op": "dance", "args": [TICKERS]}, "60019"),
            ({"op": "order", "args": [{"instId": "BTC-USDT"}], "id": "1"}, "60028"),
        ],
    )
    def test_refusals_have_their_code(self, message: Any, code: str) -> None:
        client = Client(make())
        [answer] = client.say(message)
        assert (answer["event"], answer["code"]) == ("error", code)
        assert client.wire.ends == []

    def test_a_refused_channel_is_named_in_the_text_alone(self) -> None:
        [answer] = Client(make()).ask({"channel": "candle1m", "instId": "BTC-USDT"}, id="7")
        assert answer["msg"].startswith("Wrong URL or channel:candle1m,instId:BTC-USDT doesn't exist.")
        assert "arg" not in answer
        assert answer["id"] == "7"

    def test_errors_may_come_without_the_id(self) -> None:
        [answer] = Client(make(errors_echo_id=False)).ask({"channel": "moons"}, id="7")
        assert "id" not in answer

    @pytest.mark.parametrize(("together", "wanted"), [(False, ["subscribe", "push", "60018"]), (True, ["60018"])])
    def test_one_bad_argument_spoils_the_others_or_not(self, together: bool, wanted: list[str]) -> None:
        client = Client(make(all_or_nothing=together))
        assert codes(client.ask(TICKERS, {"channel": "moons"})) == wanted

    @pytest.mark.parametrize(
        ("side", "arg", "code"),
        [
            ("public", {"channel": "candle1m", "instId": "BTC-USDT"}, "64001"),
            ("business", TICKERS, "64002"),
            ("private", TICKERS, "60028"),
            ("public", {"channel": "account"}, "60028"),
        ],
    )
    def test_a_channel_of_another_path_may_have_codes_of_its_own(
        self, side: str, arg: dict[str, str], code: str
    ) -> None:
        assert codes(Client(make(moved_code="64001"), side).ask(arg)) == [code]

    def test_a_ping_is_a_word(self) -> None:
        client = Client(make())
        client.peer.receive(0.0, b"ping", is_text=True)
        assert client.wire.frames == [b"pong"]


class TestDeepBooks:
    def test_they_want_a_login_and_a_fee_tier(self) -> None:
        for vip, code in ((True, "subscribe"), (False, "64003")):
            client = Client(make(vip=vip))
            client.say(login_of(client))
            assert codes(client.ask(DEEP))[0] == code

    @pytest.mark.parametrize("other", ["books50-l2-tbt", "books"])
    def test_they_do_not_go_with_others_of_the_same_market(self, other: str) -> None:
        rival = {"channel": other, "instId": "BTC-USDT"}
        for first, second in ((DEEP, rival), (rival, DEEP)):
            client = Client(make())
            client.say(login_of(client))
            client.ask(first)
            assert codes(client.ask(second)) == ["64004"]
            assert codes(client.ask(second | {"instId": "ETH-USDT"}))[0] == "subscribe"
            client.ask(first, op="unsubscribe")
            assert codes(client.ask(second))[0] == "subscribe"


class TestLimits:
    def test_who_says_nothing_for_30_seconds_is_closed(self) -> None:
        client = Client(make())
        assert client.wait(29.9) == []
        assert client.wire.ends == []
        client.wait(30.0)
        assert client.wire.ends == [(4004, "No data received in 30s.")]

    def test_pings_and_pushes_keep_it_open(self) -> None:
        okx = make()
        pinging, listening = Client(okx), Client(okx)
        listening.ask(TICKERS)
        pinging.stay(200.0)
        assert pinging.wire.ends == listening.wire.ends == []

    def test_480_requests_an_hour_are_let_through(self) -> None:
        client = Client(make())
        for _ in range(480):
            client.ask(TICKERS)
        assert codes(client.ask(TICKERS)) == ["60014"]
        client.peer.receive(0.0, b"ping", is_text=True)
        assert client.wire.frames[-1] == b"pong"
        assert [one.what for one in client.okx.violations] == ["message"]

    def test_the_fourth_connect_within_a_second_is_refused(self) -> None:
        okx = make()
        answers = [okx.dial(0.1 * number, "/ws/v5/public", {}, "10.0.0.1") for number in range(4)]
        assert [getattr(answer, "status", None) for answer in answers] == [None, None, None, 429]
        assert json.loads(answers[3].body)["code"] == "50011"  # type: ignore[union-attr]

    def test_only_its_own_paths_are_served(self) -> None:
        for path in ("/ws/v5", "/ws/v5/public-sbe", "/websocket/v1"):
            assert getattr(make().dial(0.0, path, {}), "status", None) == 404

    def test_a_request_is_at_most_64_kb(self) -> None:
        client = Client(make())
        client.say(b'{"op":"subscribe","args":[' + b" " * 65_536)
        assert client.wire.ends == [(1009, "Max frame length of 65536 has been exceeded.")]

    def test_all_arguments_together_are_at_most_64_kb(self) -> None:
        client = Client(make(), "business")
        for batch in range(8):
            args = [
                {"channel": "trades-all", "instId": "BTC-USDT", "n": f"{batch}-{one}{'-' * 40}"} for one in range(95)
            ]
            client.ask(*args)
        assert client.wire.ends == [(4009, "too many arguments")]

    def test_rest_is_limited_by_call_and_type(self) -> None:
        okx = make()
        path = "/api/v5/public/instruments?instType="
        kinds = ["SPOT"] * 20 + ["SWAP", "SPOT"]
        assert [get(okx, path + kind)["code"] for kind in kinds] == ["0"] * 21 + ["50011"]
        assert get(okx, path + "SPOT", now=2.1)["code"] == "0"


class TestFaults:
    """The scenarios that Upbit has, too."""

    @pytest.mark.parametrize(
        ("fault", "end"),
        [("drop:4006@5", (4006, "")), ("abort@5", "abort"), ("cut@5", "cut"), ("freeze@5", "freeze")],
    )
    def test_connections_end(self, fault: str, end: Any) -> None:
        client = Client(make(fault))
        client.ask(TICKERS)
        client.wait(6.0)
        assert client.wire.ends == [end]

    def test_one_path_alone(self) -> None:
        okx = make("drop:side=business@5")
        public, business = Client(okx), Client(okx, "business")
        run(okx, 6.0)
        assert (public.wire.ends, business.wire.ends) == ([], [(1000, "")])

    def test_silence_and_strange_frames(self) -> None:
        client = Client(make("silence:10@2", "garbage@5", "unknown@6"))
        client.ask(TICKERS)
        run(client.okx, 2.0)
        before = len(client.wire.frames)
        run(client.okx, 11.9)
        strange = client.wire.frames[before:]
        assert len(strange) == 2
        assert b"no JSON" in strange[0]
        run(client.okx, 15.0)
        assert len(client.wire.frames) > before + 2

    def test_trades_twice_and_late(self) -> None:
        client = Client(make("duplicate%0.5", "late:2%0.2"))
        client.ask({"channel": "trades", "instId": "BTC-USDT"})
        client.stay(60.0)
        ids = [int(one["data"][0]["tradeId"]) for one in client.pushes()]
        assert len(set(ids)) < len(ids)
        assert ids != sorted(ids)

    def test_maintenance_and_refusals(self) -> None:
        okx = make("maintenance:5:status=503@5", "refuse:403@20", "rest:500@20x1")
        client = Client(okx)
        client.ask(TICKERS)
        run(okx, 6.0)
        assert client.wire.ends == ["abort"]
        assert getattr(okx.dial(6.0, "/ws/v5/public", {}), "status", None) == 503
        assert Client(okx, now=11.0).ask(TICKERS)[0]["event"] == "subscribe"
        run(okx, 20.0)
        assert getattr(okx.dial(20.0, "/ws/v5/public", {}), "status", None) == 403

    @given(st.one_of(st.binary(max_size=300), _JSON.map(lambda value: json.dumps(value).encode())))
    @settings(max_examples=200, deadline=None)
    def test_whatever_a_client_says_is_answered(self, payload: bytes) -> None:
        for side in ("public", "private"):
            client = Client(_FUZZED, side, now=_FUZZED.moment)
            client.peer.receive(_FUZZED.moment, payload, is_text=True)
            assert client.wire.frames or client.wire.ends
            client.peer.close(1000)


class TestNews:
    def test_a_notice_comes_a_minute_before_the_end(self) -> None:
        client = Client(make("upgrade@5"))
        client.ask(TICKERS)
        [notice] = [one for one in client.wait(6.0) if "event" in one]
        assert (notice["event"], notice["code"]) == ("notice", "64008")
        client.wait(64.9)
        assert client.wire.ends == []
        client.wait(65.1)
        assert client.wire.ends == [(1001, "")]

    def test_errors_and_signs_of_life_by_fault(self) -> None:
        client = Client(make("error:64007@1", "error@2", "status@3"))
        run(client.okx, 4.0)
        assert [json.loads(frame).get("code") for frame in client.wire.frames[:2]] == ["64007", "60012"]
        assert client.wire.frames[2] == b"pong"

    def test_one_account_may_have_a_private_channel_on_so_many_connections(self) -> None:
        okx = make(connections_most=2, limits=False)
        clients = [Client(okx, "private") for _ in range(3)]
        events = []
        for client in clients:
            client.say(login_of(client))
            answers = client.ask({"channel": "orders", "instType": "ANY"}, {"channel": "orders", "instType": "SPOT"})
            events.append([(one["event"], one.get("connCount")) for one in answers])
        for number, event in ((1, "channel-conn-count"), (2, "channel-conn-count"), (3, "channel-conn-count-error")):
            assert events[number - 1] == [("subscribe", None), (event, str(number))] * 2
        clients[0].peer.close(1000)
        answers = clients[2].ask({"channel": "orders", "instType": "ANY"})
        assert answers[1]["event"] == "channel-conn-count"


class TestChannels:
    def test_candles_are_told_to_their_end(self) -> None:
        client = Client(make(), "business")
        client.ask({"channel": "candle1s", "instId": "BTC-USDT"}, {"channel": "candle1Dutc", "instId": "BTC-USDT"})
        rows = [one["data"][0] for one in client.wait(5.2) if one["arg"]["channel"] == "candle1s"]
        final = [row for row in rows if row[8] == "1"]
        assert [int(row[0]) % 60_000 // 1000 for row in final] == [0, 1, 2, 3, 4]
        assert {len(row) for row in rows} == {9}

    def test_listings_are_told_at_once_by_a_switch_only(self) -> None:
        arg = {"channel": "instruments", "instType": "SPOT"}
        assert codes(Client(make()).ask(arg)) == ["subscribe"]
        [_, push] = Client(make(lists_instruments=True)).ask(arg)
        assert [row["instId"] for row in push["data"]] == ["BTC-USDT", "ETH-USDT"]

    def test_what_is_told_by_time_is_told_when_it_changed(self) -> None:
        client = Client(make())
        args = [{"channel": name, "instId": "BTC-USDT-SWAP"} for name in ("mark-price", "open-interest", "price-limit")]
        client.ask(
            *args,
            {"channel": "index-tickers", "instId": "BTC-USDT"},
            {"channel": "funding-rate", "instId": "BTC-USDT-SWAP"},
        )
        told: dict[str, list[Any]] = {}
        for one in client.wait(130.0):
            told.setdefault(one["arg"]["channel"], []).append(one["data"][0])
        assert set(told) == {"mark-price", "open-interest", "price-limit", "index-tickers", "funding-rate"}
        prices = [row["markPx"] for row in told["mark-price"]]
        assert all(one != other for one, other in pairwise(prices))
        assert all(float(row["sellLmt"]) < float(row["buyLmt"]) for row in told["price-limit"])

    def test_liquidations_are_of_the_type_that_was_asked(self) -> None:
        client = Client(make())
        client.ask({"channel": "liquidation-orders", "instType": "SWAP"})
        client.ask({"channel": "liquidation-orders", "instType": "SPOT"})
        client.stay(120.0)
        told = client.pushes()
        assert {one["arg"]["instType"] for one in told} == {"SWAP"}
        row = told[0]["data"][0]
        assert row["instId"].endswith("-SWAP")
        assert {"bkPx", "side", "sz", "posSide", "ts", "bkLoss", "ccy"} == set(row["details"][0])

    def test_the_latest_maintenance_is_told(self) -> None:
        [_, push] = Client(make()).ask({"channel": "status"})
        assert push["data"][0]["state"] == "completed"

    def test_trades_are_aggregated_on_one_channel_and_single_on_the_other(self) -> None:
        okx = make()
        public, business = Client(okx), Client(okx, "business")
        public.ask({"channel": "trades", "instId": "BTC-USDT"})
        business.ask({"channel": "trades-all", "instId": "BTC-USDT"})
        run(okx, 60.0)
        together = [json.loads(frame)["data"][0] for frame in public.wire.frames[1:]]
        single = [json.loads(frame)["data"][0] for frame in business.wire.frames[1:]]
        for older, newer in pairwise(together):
            assert int(newer["tradeId"]) - int(newer["count"]) == int(older["tradeId"]), "spec/okx.md A6.2"
        ids = [int(row["tradeId"]) for row in single[1:]]
        assert ids == list(range(ids[0], ids[0] + len(ids)))
        assert len(single) > len(together) > 100
        assert round(sum(float(row["sz"]) for row in single[1:]), 8) == round(
            sum(float(row["sz"]) for row in together[1:]), 8
        )
