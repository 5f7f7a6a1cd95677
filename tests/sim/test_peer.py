"""The exchange with its limits, time-outs and faults, on links that only write down."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

import pytest

from tapewire.config import Credentials, Secret
from tapewire.sim import limits as limits_room
from tapewire.sim import peer as peer_room
from tapewire.sim.announcements import Crier
from tapewire.sim.desk import Desk
from tapewire.sim.faults import FaultPlan, parse_fault
from tapewire.sim.link import Unreachable
from tapewire.sim.market import SeededMarket
from tapewire.sim.peer import Exchange, Peer
from tapewire.sim.scenario import DEMO_KEY
from tapewire.venues.exchange import Caller, Due, HttpAnswer, HttpCall
from tapewire.venues.registry import get_venue
from tapewire.venues.upbit.auth import authorize
from tests.sim.draws import seeded
from tests.sim.listed import BTC, START_MS

TRADES = b'[{"ticket":"t"},{"type":"trade","codes":["KRW-BTC"]}]'


class Told:
    """A link that keeps what it was told."""

    def __init__(self) -> None:
        self.frames: list[bytes] = []
        self.pings: list[bytes] = []
        self.ends: list[Any] = []

    def send(self, payload: bytes, *, is_text: bool) -> None:
        assert not is_text
        self.frames.append(payload)

    def ping(self, payload: bytes) -> None:
        self.pings.append(payload)

    def close(self, code: int, reason: str) -> None:
        self.ends.append((code, reason))

    def abort(self, *, reset: bool) -> None:
        self.ends.append("reset" if reset else "end")

    def freeze(self) -> None:
        self.ends.append("freeze")

    def cut(self, payload: bytes) -> None:
        self.ends.append(("cut", payload))

    def messages(self) -> list[dict[str, Any]]:
        return [json.loads(frame) for frame in self.frames]


def make(*faults: str, switches: dict[str, Any] | None = None, **options: Any) -> Exchange:
    side = get_venue("upbit").exchange
    assert side is not None
    market = SeededMarket("upbit", [BTC], START_MS, seeded())
    plan = FaultPlan([parse_fault(fault) for fault in faults], seeded(2).random)
    desk, crier = Desk("upbit", market, 1, {"main": {}}), Crier("upbit", market)
    return Exchange(side(switches=switches or {}, keys=[DEMO_KEY]), market, desk, crier, plan, **options)


def connect(exchange: Exchange, now: float = 0.0) -> tuple[Peer, Told]:
    caller = exchange.dial(now, "/websocket/v1", {})
    assert isinstance(caller, Caller)
    link = Told()
    return exchange.accept(now, link, caller), link


def live(exchange: Exchange, now: float = 0.0) -> tuple[Peer, Told]:
    peer, link = connect(exchange, now)
    peer.receive(now, TRADES, is_text=True)
    return peer, link


def run(exchange: Exchange, until: float) -> None:
    while exchange.deadline <= until:
        exchange.advance(exchange.deadline)
    exchange.advance(until)


def statuses(answers: Sequence[HttpAnswer | Unreachable | Caller]) -> list[int | None]:
    return [answer.status if isinstance(answer, HttpAnswer) else None for answer in answers]


class TestLimits:
    def test_the_sixth_connect_within_a_second_is_refused_and_written_down(self) -> None:
        exchange = make()
        answers = [exchange.dial(at / 10, "/websocket/v1", {}) for at in range(7)]
        assert statuses(answers) == [None] * 5 + [429] * 2
        assert [(row.at, row.what) for row in exchange.violations] == [(0.5, "connect"), (0.6, "connect")]
        assert exchange.dial(1.01, "/websocket/v1", {}) == Caller()
        assert list(exchange.connects) == [at / 10 for at in range(7)] + [1.01]

    def test_addresses_are_counted_apart(self) -> None:
        exchange = make()
        assert statuses([exchange.dial(0.0, "/websocket/v1", {}, str(n)) for n in range(9)]) == [None] * 9

    def test_without_limits_violations_are_written_down_only(self) -> None:
        exchange = make(limits=False)
        assert statuses([exchange.dial(0.0, "/websocket/v1", {}) for _ in range(6)]) == [None] * 6
        assert len(exchange.violations) == 1
        peer, link = connect(exchange, 5.0)
        for _ in range(6):
            peer.receive(5.0, TRADES, is_text=True)
        assert [row.what for row in exchange.violations] == ["connect", "message"]
        assert link.ends == []

    def test_an_origin_header_allows_one_connect_in_ten_seconds(self) -> None:
        exchange = make(retry_after=7.0)
        headers = {"origin": "http://localhost"}
        assert exchange.dial(0.0, "/websocket/v1", headers) == Caller()
        refused = exchange.dial(9.9, "/websocket/v1", headers)
        assert isinstance(refused, HttpAnswer)
        assert (refused.status, dict(refused.headers)["Retry-After"]) == (429, "7")
        assert refused.body == b"Too many API requests."
        assert exchange.dial(10.1, "/websocket/v1", headers) == Caller()

    def test_an_address_that_does_not_stop_is_blocked_ever_longer(self) -> None:
        exchange = make(block=20.0)
        answers = [exchange.dial(0.0, "/websocket/v1", {}) for _ in range(15)]
        assert statuses(answers) == [None] * 5 + [429] * 9 + [418]
        assert b"Blocked for 20 seconds" in answers[-1].body  # type: ignore[union-attr]
        assert statuses([exchange.dial(19.0, "/websocket/v1", {})]) == [418]
        assert exchange.dial(21.0, "/websocket/v1", {}) == Caller()
        again = [exchange.dial(22.0, "/websocket/v1", {}) for _ in range(15)]
        assert b"Blocked for 40 seconds" in again[-1].body  # type: ignore[union-attr]

    def test_only_so_many_addresses_are_remembered(self, monkeypatch: pytest.MonkeyPatch) -> None:
        for room in (peer_room, limits_room):
            monkeypatch.setattr(room, "ADDRESSES", 3)
        exchange = make(block=20.0)
        for number in range(9):
            for _ in range(15):
                exchange.dial(0.0, "/websocket/v1", {}, str(number))
        assert statuses([exchange.dial(0.0, "/websocket/v1", {}, address) for address in "80"]) == [418, None]

    def test_slow_offenders_are_not_blocked(self) -> None:
        exchange = make(block=20.0)
        for second in range(0, 100, 2):
            answers = [exchange.dial(float(second), "/websocket/v1", {}) for _ in range(6)]
        assert statuses(answers)[-1] == 429

    def test_the_sixth_message_within_a_second_gets_an_error_and_the_close(self) -> None:
        exchange = make()
        peer, link = connect(exchange)
        for _ in range(6):
            peer.receive(0.5, TRADES, is_text=True)
        assert link.messages()[-1]["error"]["name"] == "TOO_MANY_REQUEST"
        assert link.ends == [(1000, "")]
        assert [(row.what, row.connection) for row in exchange.violations] == [("message", 1)]
        assert exchange.peers == {}

    def test_a_hundred_messages_a_minute_are_the_limit_too(self) -> None:
        exchange = make()
        peer, link = connect(exchange)
        for number in range(101):
            peer.receive(number * 0.5, TRADES, is_text=True)
        assert link.messages()[-1]["error"]["name"] == "TOO_MANY_REQUEST"
        assert [row.at for row in exchange.violations] == [50.0]

    def test_ping_is_no_message_unless_the_switch_says_so(self) -> None:
        for switches, frames in (({}, 9), ({"ping_counts": True}, 6)):
            exchange = make(switches={"closes_after_error": False, **switches})
            peer, link = connect(exchange)
            for _ in range(9):
                peer.receive(0.0, b"PING", is_text=True)
            alive = [message for message in link.messages() if message == {"status": "UP"}]
            assert len(alive) == min(frames, 9 if not switches else 5)

    def test_rest_calls_are_counted_by_group(self) -> None:
        exchange = make()
        answers = [exchange.http(0.0, HttpCall("/v1/ticker", "markets=KRW-BTC")) for _ in range(11)]
        assert statuses(answers) == [200] * 10 + [429]
        heads = [dict(answer.headers) for answer in answers if isinstance(answer, HttpAnswer)]
        assert heads[0]["Remaining-Req"] == "group=ticker; min=600; sec=9"
        assert heads[-1]["Remaining-Req"] == "group=ticker; min=600; sec=0"
        assert heads[0]["Limit-By-Ip"] == "Yes"
        assert statuses([exchange.http(0.0, HttpCall("/v1/market/all"))]) == [200]
        assert statuses(
            [exchange.http(0.0, HttpCall("/v1/market/all", headers={"origin": "x"})) for _ in range(2)]
        ) == [200, 429]


class TestTime:
    def test_a_silent_connection_is_broken_after_120_seconds(self) -> None:
        exchange = make()
        _, link = connect(exchange)
        run(exchange, 119.9)
        assert link.ends == []
        run(exchange, 120.0)
        assert link.ends == ["end"]
        assert link.frames == []

    def test_pings_data_and_messages_keep_it_open(self) -> None:
        exchange = make()
        pinging, quiet = connect(exchange)
        _, busy = live(exchange)
        talking, _ = connect(exchange)
        for at in (60.0, 120.0, 180.0):
            run(exchange, at)
            pinging.pinged(at)
            talking.receive(at, b"PING", is_text=True)
        assert quiet.ends == busy.ends == []
        assert len(exchange.peers) == 3

    def test_ping_is_answered_at_once_and_then_every_ten_seconds(self) -> None:
        exchange = make()
        peer, link = connect(exchange)
        peer.receive(1.0, b"PING", is_text=True)
        run(exchange, 35.0)
        assert link.frames == [b'{"status":"UP"}'] * 4

    def test_every_published_trade_is_told_once_to_everybody_who_asked(self) -> None:
        exchange = make()
        (_, one), (_, two), (_, none) = live(exchange), live(exchange), connect(exchange)
        run(exchange, 30.0)
        told = [message["sequential_id"] for message in one.messages() if message["stream_type"] == "REALTIME"]
        assert told == [trade.sequential_id for trade in exchange.market.trades_made]
        assert one.frames == two.frames
        assert none.frames == []

    def test_who_judges_hears_all_that_is_published(self) -> None:
        exchange, heard = make(), list[Due]()
        exchange.audience.append(heard.append)
        run(exchange, 30.0)
        assert [due.trade for due in heard if due.trade] == list(exchange.market.trades_made)

    def test_a_lost_connection_is_told_nothing_more(self) -> None:
        exchange = make()
        peer, link = live(exchange)
        peer.lost()
        peer.lost()
        count = len(link.frames)
        run(exchange, 10.0)
        assert len(link.frames) == count


class TestFaults:
    @pytest.mark.parametrize(
        ("fault", "end"),
        [("drop@5", (1000, "")), ("drop:1001@5", (1001, "")), ("abort@5", "reset")],
    )
    def test_the_connection_ends(self, fault: str, end: Any) -> None:
        exchange = make(fault)
        _, link = live(exchange)
        run(exchange, 6.0)
        assert link.ends == [end]
        assert exchange.peers == {}

    def test_half_a_frame(self) -> None:
        exchange = make("cut@5")
        _, link = live(exchange)
        run(exchange, 6.0)
        assert link.ends[0][0] == "cut"

    def test_half_open_is_silent_for_ever_and_hears_nothing(self) -> None:
        exchange = make("freeze@5")
        peer, link = live(exchange)
        run(exchange, 5.0)
        assert link.ends == ["freeze"]
        count = len(link.frames)
        peer.receive(6.0, TRADES, is_text=True)
        peer.receive(6.0, b"PING", is_text=True)
        peer.send(6.0, b"x")
        run(exchange, 500.0)
        assert (len(link.frames), link.ends) == (count, ["freeze"])
        _, later = live(exchange, 501.0)
        run(exchange, 510.0)
        assert len(later.frames) > 1

    def test_silence_stops_data_but_not_answers(self) -> None:
        exchange = make("silence:10@5")
        peer, link = live(exchange)
        run(exchange, 5.0)
        count = len(link.frames)
        run(exchange, 14.9)
        assert len(link.frames) == count
        peer.receive(14.9, b"PING", is_text=True)
        assert link.frames[-1] == b'{"status":"UP"}'
        run(exchange, 20.0)
        assert link.messages()[-1]["type"] == "trade"

    @pytest.mark.parametrize(
        ("fault", "frame"),
        [
            ("status@5", b'{"status":"UP"}'),
            ("unknown@5", b'{"type":"moonPhase","code":"KRW-BTC","phase":0.5}'),
            ("garbage@5", b"\x00\xff this is no JSON {"),
            ("error:NO_CODES@5", b'{"error":{"name":"NO_CODES","message":"a fault of the simulator"}}'),
        ],
    )
    def test_a_strange_frame_among_the_data(self, fault: str, frame: bytes) -> None:
        exchange = make(fault)
        _, link = live(exchange)
        run(exchange, 8.0)
        assert frame in link.frames
        assert link.frames[-1] != frame, "data go on"

    def test_trades_are_doubled(self) -> None:
        exchange = make("duplicate")
        _, link = live(exchange)
        run(exchange, 20.0)
        ids = [message["sequential_id"] for message in link.messages()[1:]]
        assert ids[::2] == ids[1::2] == [trade.sequential_id for trade in exchange.market.trades_made]

    def test_late_trades_are_out_of_order_but_none_is_lost(self) -> None:
        exchange = make("late:3@0%0.5")
        _, link = live(exchange)
        run(exchange, 60.0)
        trades = [
            trade.sequential_id for trade in exchange.market.trades_made if (trade.timestamp or 0) < START_MS + 56_000
        ]
        told = [message["sequential_id"] for message in link.messages()[1:]]
        assert told != sorted(told)
        assert set(trades) <= set(told)
        assert len(told) == len(set(told))

    def test_handshakes_are_refused_as_often_as_said(self) -> None:
        exchange = make("refuse:503:retry=3@0x2")
        answers = [exchange.dial(float(at), "/websocket/v1", {}) for at in range(3)]
        assert statuses(answers) == [503, 503, None]
        assert dict(answers[0].headers)["Retry-After"] == "3"  # type: ignore[union-attr]

    def test_rest_calls_fail_as_often_as_said(self) -> None:
        exchange = make("rest:500")
        assert statuses([exchange.http(0.0, HttpCall("/v1/market/all")) for _ in range(2)]) == [500, 200]

    @pytest.mark.parametrize(
        ("fault", "delay"), [("close-after-subscribe:1001", 0.05), ("close-after-subscribe:1001:after=2", 2.0)]
    )
    def test_every_request_is_followed_by_a_close(self, fault: str, delay: float) -> None:
        exchange = make(fault)
        for start in (0.0, 10.0):
            peer, link = live(exchange, start)
            assert link.ends == []
            run(exchange, start + delay)
            assert link.ends == [(1001, "")]
            peer.receive(start + 5, b"PING", is_text=True)
            assert b'{"status":"UP"}' not in link.frames

    def test_down_for_maintenance_nobody_listens(self) -> None:
        exchange = make("maintenance:8@5")
        _, link = live(exchange)
        run(exchange, 5.0)
        assert exchange.down
        assert link.ends == ["reset"]
        assert exchange.dial(12.9, "/websocket/v1", {}) == Unreachable()
        assert exchange.http(12.9, HttpCall("/v1/market/all")) == Unreachable()
        assert exchange.dial(13.0, "/websocket/v1", {}) == Caller()
        exchange.advance(13.0)
        assert not exchange.down

    @pytest.mark.parametrize(
        ("fault", "wait"), [("maintenance:8:status=503@5", None), ("maintenance:8:status=503:retry=4@5", "4")]
    )
    def test_maintenance_may_answer_with_a_status(self, fault: str, wait: str | None) -> None:
        exchange = make(fault)
        run(exchange, 6.0)
        assert not exchange.down
        answer = exchange.dial(6.0, "/websocket/v1", {})
        assert isinstance(answer, HttpAnswer)
        assert (answer.status, dict(answer.headers).get("Retry-After")) == (503, wait)

    def test_a_slow_network_delays_everything_in_order(self) -> None:
        exchange = make("slow:2:for=10@0", "slow:0.5:for=1@3")
        exchange.advance(0.0)
        peer, link = connect(exchange)
        peer.receive(1.0, TRADES, is_text=True)
        peer.receive(1.5, b"PING", is_text=True)
        run(exchange, 2.9)
        assert link.frames == []
        run(exchange, 3.4)
        assert link.messages()[0]["stream_type"] == "SNAPSHOT"
        run(exchange, 60.0)
        ids = [message["sequential_id"] for message in link.messages() if message.get("stream_type") == "REALTIME"]
        asked = [
            trade.sequential_id for trade in exchange.market.trades_made if (trade.timestamp or 0) >= START_MS + 1000
        ]
        assert ids == asked

    def test_an_error_on_a_slow_network_is_told_before_the_close(self) -> None:
        exchange = make()
        exchange.slow(1.0)
        peer, link = connect(exchange)
        peer.receive(0.0, b"[]", is_text=True)
        run(exchange, 0.9)
        assert (link.frames, link.ends) == ([], [])
        run(exchange, 1.0)
        assert link.messages()[0]["error"]["name"] == "WRONG_FORMAT"
        assert link.ends == [(1000, "")]

    def test_a_client_that_is_held_back_too_far_is_cut(self) -> None:
        exchange = make()
        exchange.slow(1e9)
        peer, link = connect(exchange)
        for number in range(20_001):
            peer.send(0.0, b"%d" % number)
        assert link.ends == ["reset"]
        assert link.frames == []

    @pytest.mark.parametrize(("fault", "difference"), [("book-lost", -1), ("book-repeat", 1), ("book-lost:BTC-XRP", 0)])
    def test_one_book_is_lost_or_comes_twice(self, fault: str, difference: int) -> None:
        counts = []
        for faults in ((), (f"{fault}@2x1",)):
            exchange = make(*faults)
            peer, link = connect(exchange)
            peer.receive(0.0, b'[{"ticket":"t"},{"type":"orderbook","codes":["KRW-BTC"]}]', is_text=True)
            run(exchange, 6.0)
            counts.append(len(link.frames))
        assert counts[1] - counts[0] == difference

    def test_a_fault_of_books_leaves_trades_alone(self) -> None:
        exchange = make("book-lost", "book-checksum")
        _, link = live(exchange)
        run(exchange, 6.0)
        assert len(link.frames) == 1 + len(exchange.market.trades_made)

    def test_before_an_upgrade_there_is_a_minute(self) -> None:
        exchange = make("upgrade@5", "upgrade:3:code=4006@100")
        _, link = live(exchange)
        run(exchange, 64.0)
        assert link.ends == []
        run(exchange, 66.0)
        assert link.ends == [(1001, "")]
        _, link = live(exchange, 99.0)
        run(exchange, 104.0)
        assert link.ends == [(4006, "")]

    def test_pings_that_are_answered_are_noted_and_keep_the_connection(self) -> None:
        exchange = make("ping:10@30/60")
        peer, link = connect(exchange)
        for minute in range(5):
            at = 30.0 + 60 * minute
            run(exchange, at)
            assert len(link.pings) == minute + 1
            peer.ponged(at + 9.9, link.pings[-1])
        run(exchange, 300.0)
        assert [(ping.at, ping.connection, ping.answered) for ping in exchange.pings] == [
            (30.0 + 60 * minute, 1, 39.9 + 60 * minute) for minute in range(5)
        ]
        assert (link.ends, link.frames, list(exchange.violations)) == ([], [], [])

    @pytest.mark.parametrize("pongs", [[], [b"unasked"], [b""]])
    def test_who_does_not_answer_a_ping_is_cut_and_written_down(self, pongs: list[bytes]) -> None:
        exchange = make("ping@5")
        peer, link = live(exchange)
        run(exchange, 5.0)
        for payload in pongs:
            peer.ponged(6.0, payload)
        run(exchange, 14.9)
        assert link.ends == []
        run(exchange, 15.0)
        assert link.ends == ["reset"]
        assert [(row.at, row.what, row.connection) for row in exchange.violations] == [(15.0, "pong", 1)]
        assert [ping.answered for ping in exchange.pings] == [None]

    def test_a_pong_answers_all_pings_before_it_and_none_after(self) -> None:
        exchange = make("ping:10@1/1x3")
        peer, link = live(exchange)
        run(exchange, 3.0)
        peer.ponged(4.0, link.pings[1])
        assert [ping.answered for ping in exchange.pings] == [4.0, 4.0, None]
        run(exchange, 13.0)
        assert link.ends == ["reset"]

    def test_a_ping_may_wait_without_end_but_is_no_sign_of_life_of_the_client(self) -> None:
        exchange = make("ping:inf@100")
        _, link = connect(exchange)
        run(exchange, 120.0)
        assert (link.ends, list(exchange.violations)) == (["end"], [])

    def test_a_slow_network_delays_pings_and_half_open_takes_them_away(self) -> None:
        exchange = make("slow:2@0", "ping@5/5x2", "freeze@9")
        exchange.advance(0.0)
        peer, link = live(exchange)
        run(exchange, 6.9)
        assert link.pings == []
        run(exchange, 7.0)
        assert len(link.pings) == 1
        run(exchange, 9.0)
        peer.ponged(9.5, link.pings[0])
        run(exchange, 60.0)
        assert [(ping.at, ping.answered) for ping in exchange.pings] == [(5.0, None)]
        assert link.ends == ["freeze"]

    def test_refusals_by_hand_come_first_and_in_order(self) -> None:
        exchange = make("refuse:500")
        exchange.refuse(401, (("X-Why", "key"),), b"no", 2)
        exchange.refuse(403, (), b"", 1)
        answers = [exchange.dial(float(at), "/websocket/v1", {}) for at in range(5)]
        assert statuses(answers) == [401, 401, 403, 500, None]
        assert answers[0] == HttpAnswer(401, b"no", (("X-Why", "key"),))


def test_only_the_public_address_is_served() -> None:
    exchange = make()
    paths = ("/websocket/v1", "/websocket/v1/private", "/websocket/v1/info", "/socket")
    assert statuses([exchange.dial(0.0, path, {}) for path in paths]) == [None, 401, 401, 404]


def test_what_clients_sent_is_written_down() -> None:
    exchange = make()
    peer, _ = live(exchange, 0.25)
    peer.receive(0.5, b"PING", is_text=False)
    assert [tuple(sent) for sent in exchange.requests] == [(0.25, 1, TRADES), (0.5, 1, b"PING")]


class TestSides:
    def token(self, nonce: int) -> dict[str, str]:
        own = Credentials(Secret(DEMO_KEY.access_key), DEMO_KEY.secret_key)
        return {name.lower(): value for name, value in authorize(own, str(nonce))}

    def connect(self, exchange: Exchange, side: str, nonce: int) -> Told:
        caller = exchange.dial(exchange.moment, f"/websocket/v1/{side}", self.token(nonce))
        assert caller == Caller(side, DEMO_KEY)
        link = Told()
        exchange.accept(exchange.moment, link, caller)
        return link

    def test_a_fault_of_one_side_leaves_the_others_alone(self) -> None:
        exchange = make("freeze:side=private@2", "drop:1001:side=info@3", "abort:side=public@4")
        _, public = connect(exchange)
        private, info = self.connect(exchange, "private", 1), self.connect(exchange, "info", 2)
        run(exchange, 5.0)
        assert [link.ends for link in (private, info, public)] == [["freeze"], [(1001, "")], ["reset"]]

    def test_one_side_may_refuse_first_or_always(self) -> None:
        exchange = make("refuse:401:side=private@0x1", "refuse:403:side=info@0x99")
        assert isinstance(exchange.dial(0.0, "/websocket/v1", {}), Caller)
        names = []
        for nonce, side in enumerate(("private", "info", "private")):
            answer = exchange.dial(1.0 + nonce, f"/websocket/v1/{side}", self.token(nonce))
            names.append(json.loads(answer.body)["error"]["name"] if isinstance(answer, HttpAnswer) else answer)
        assert names == ["jwt_verification", "out_of_scope", Caller("private", DEMO_KEY)]

    def test_handshakes_of_signed_sides_count_against_the_same_limit(self) -> None:
        exchange = make()
        answers = [exchange.dial(0.0, "/websocket/v1/private", self.token(nonce)) for nonce in range(6)]
        assert statuses(answers) == [None] * 5 + [429]
