"""The simulated OKEX v3: its talk, what it sends beside what was recorded, its books, its REST."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
from collections import Counter
from decimal import Decimal
from typing import Any

import msgspec
import pytest

from tapewire.book.keeper import Keeper
from tapewire.config import Credentials, Secret
from tapewire.errors import ConfigError
from tapewire.model.book import BookChange
from tapewire.model.subscription import Subscription
from tapewire.sim.peer import Exchange, Peer
from tapewire.sim.scenario import DEMO_KEY, Scenario, build
from tapewire.venues.contract import Stamp
from tapewire.venues.exchange import Caller, HttpAnswer, HttpCall
from tapewire.venues.okex_v3 import OKEX_V3
from tapewire.venues.okex_v3.auth import login
from tapewire.venues.okex_v3.inflate import inflate
from tapewire.venues.okex_v3.sim_frames import levels as sim_levels
from tapewire.venues.okex_v3.sim_switches import Switches
from tapewire.venues.trading import NewOrder
from tests.venues.okex_v3.wire import DATA, EXAMPLES, expected, recorded, singles

START_MS = 1557993600000  # 16 May 2019, 08:00 UTC
MARKETS = (
    "BTC-USDT", "BTC-USD-190517", "BTC-USD-SWAP", "BTC-USDT-SWAP", "BTC-USD-190628-8000-C", "ETH-USDT",
)  # fmt: skip


class Wire:
    """The client's end of a connection: what came, and how it ended."""

    def __init__(self) -> None:
        self.raw: list[bytes] = []
        self.end: tuple[int, str] | None = None

    def send(self, payload: bytes, *, is_text: bool) -> None:
        assert not is_text  # B1: binary frames
        self.raw.append(payload)

    def ping(self, payload: bytes) -> None:
        raise AssertionError(payload)

    def pong(self, payload: bytes) -> None:
        raise AssertionError(payload)

    def freeze(self) -> None:
        raise AssertionError

    def cut(self, payload: bytes) -> None:
        raise AssertionError(payload)

    def close(self, code: int, reason: str) -> None:
        self.end = code, reason

    def abort(self, *, reset: bool) -> None:
        self.end = 0, "reset" if reset else "cut"


class Talk:
    """One connection to a simulated exchange, its time moved by hand."""

    def __init__(self, **scenario: Any) -> None:
        self.exchange: Exchange = build(Scenario(venue="okex3", markets=MARKETS, **scenario), START_MS)
        self.wire = Wire()
        caller = self.exchange.dial(0.0, "/ws/v3", {}, "here")
        assert isinstance(caller, Caller)
        self.peer: Peer = self.exchange.accept(0.0, self.wire, caller)
        self.now = 0.0

    def ask(self, *arguments: str, op: str = "subscribe") -> list[Any]:
        return self.say(json.dumps({"op": op, "args": arguments}).encode())

    def say(self, payload: bytes) -> list[Any]:
        """What is answered at once."""
        before = len(self.wire.raw)
        self.peer.receive(self.now, payload, is_text=True)
        return [_said(frame) for frame in self.wire.raw[before:]]

    def wait(self, seconds: float) -> list[Any]:
        """What comes meanwhile."""
        before, until = len(self.wire.raw), self.now + seconds
        while (deadline := self.exchange.deadline) <= until:
            self.exchange.advance(deadline)
        self.now = until
        self.exchange.advance(until)
        return [_said(frame) for frame in self.wire.raw[before:]]

    def get(self, path: str, query: str = "", method: str = "GET") -> tuple[int, Any]:
        answer = self.exchange.http(self.now, HttpCall(path, query, method=method))
        assert isinstance(answer, HttpAnswer)
        return answer.status, json.loads(answer.body)


def _said(frame: bytes) -> Any:
    text = inflate(frame)
    return json.loads(text) if text[:1] == b"{" else text.decode()


def form(value: Any) -> Any:
    """Keys in their order, types of values; of a list its first element's."""
    if isinstance(value, dict):
        return {name: form(one) for name, one in value.items()}
    return [form(value[0])] if isinstance(value, list) and value else type(value).__name__


NAMES = (
    "spot/ticker:BTC-USDT", "swap/ticker:BTC-USD-SWAP", "option/ticker:BTC-USD-190628-8000-C",
    "spot/trade:BTC-USDT", "swap/trade:BTC-USD-SWAP", "futures/trade:BTC-USD-190517",
    "option/trade:BTC-USD-190628-8000-C", "spot/depth_l2_tbt:BTC-USDT", "swap/depth_l2_tbt:BTC-USD-SWAP",
    "option/depth_l2_tbt:BTC-USD-190628-8000-C", "swap/depth5:BTC-USDT-SWAP", "spot/candle60s:BTC-USDT",
    "swap/candle14400s:BTC-USD-SWAP", "swap/funding_rate:BTC-USD-SWAP", "swap/mark_price:BTC-USD-SWAP",
    "futures/price_range:BTC-USD-190517", "index/ticker:BTC-USD", "index/candle604800s:BTC-USD",
)  # fmt: skip


def test_frames_have_the_keys_and_types_of_the_captures() -> None:
    captured: dict[tuple[str, str | None], set[str]] = {}
    for frame in [*recorded(), *singles(), *EXAMPLES]:
        said = json.loads(frame)
        if "table" in said and said["data"][0].get("asks", True) and said["data"][0].get("bids", True):
            captured.setdefault((said["table"], said.get("action")), set()).add(json.dumps(form(said)))
    talk = Talk(limits=False)
    said = [one for one in [*talk.ask(*NAMES), *talk.wait(8)] if "table" in one]
    compared: Counter[str] = Counter()
    for one in said:
        row = one["data"][0]
        key = (one["table"], one.get("action"))
        if key in captured and row.get("asks", True) and row.get("bids", True):
            # in mid 2021 and later; the first two elements of a level are what is compared of one of 2019
            assert json.dumps(form(one)) in captured[key], one["table"]
            compared[one["table"]] += 1
    assert compared.keys() == {name.partition(":")[0] for name in NAMES}


def test_every_frame_is_read_as_it_was_sent() -> None:
    talk = Talk(limits=False)
    said = [one for one in [*talk.ask(*NAMES), *talk.wait(8)] if "table" in one]
    codec = OKEX_V3.codec("DEFAULT", "float", False)
    frames = [frame for frame in talk.wire.raw if codec.read(frame).events]
    assert len(frames) == len(said) > 300
    for frame in frames:
        assert codec.read(frame).events == (expected(inflate(frame)),)


@pytest.mark.parametrize("levels", ["four", "three", "count"])
def test_books_fit_their_changes_whoever_joins_when(levels: str) -> None:
    talk = Talk(limits=False, switches={"levels": levels})
    talk.ask("spot/depth:BTC-USDT", "futures/depth_l2_tbt:BTC-USD-190517")
    talk.wait(3.05)
    talk.ask("spot/depth_l2_tbt:BTC-USDT", "futures/depth:BTC-USD-190517")
    talk.ask("spot/depth:BTC-USDT", "spot/depth:BTC-USDT")  # a second snapshot of a held book
    talk.wait(6)
    codec, answers = OKEX_V3.codec("DEFAULT", "float", False), Counter[str]()
    books: dict[tuple[str, str], Keeper] = {}
    for frame in talk.wire.raw:
        for event in codec.read(frame).events:
            assert isinstance(event, BookChange)
            rule = OKEX_V3.book(Subscription("orderbook", event.symbol)) if OKEX_V3.book else None
            assert rule is not None
            answers[books.setdefault((event.channel, event.symbol), Keeper(rule, "float")).apply(event)] += 1
    assert (answers.keys() <= {"applied", "ignored"}, len(books)) == (True, 4)
    assert answers["applied"] > 150


def test_a_quiet_book_is_told_again_without_levels() -> None:
    talk = Talk(limits=False, rate=0.05)
    told = talk.ask("spot/depth:ETH-USDT")[1:]
    for _ in range(20):
        told += talk.wait(20)
        talk.say(b"ping")
    rows = [one["data"][0] for one in told]
    quiet = [place for place, row in enumerate(rows) if not row["asks"] and not row["bids"]]
    assert len(quiet) > 1
    assert all(rows[place]["checksum"] == rows[place - 1]["checksum"] for place in quiet)


@pytest.mark.parametrize("fault", ["book-checksum", "book-lost"])
def test_a_fault_of_a_book_is_seen_by_the_checksum(fault: str) -> None:
    talk = Talk(limits=False, faults=(f"{fault}@3x1",))
    talk.ask("spot/depth:BTC-USDT")
    talk.wait(6)
    codec, rule = OKEX_V3.codec("DEFAULT", "float", False), OKEX_V3.book
    assert rule is not None
    known = rule(Subscription("orderbook", "BTC-USDT"))
    assert known is not None
    keeper = Keeper(known, "float")
    events = [event for frame in talk.wire.raw for event in codec.read(frame).events]
    answers = [keeper.apply(event) for event in events if isinstance(event, BookChange)]
    assert answers.count("checksum") == 1
    assert 20 < answers.index("checksum") < 40
    assert set(answers[: answers.index("checksum")]) == {"applied"}


ORDER = "spot/order:BTC-USDT"


@pytest.mark.parametrize(
    ("argument", "error"),
    [
        ("spot/tickerinvalid:NEO-USDT", (30040, "Channel spot/tickerinvalid:NEO-USDT doesn't exist")),
        ("futures/trade:BTC-USD-190510", (30040, "Channel futures/trade:BTC-USD-190510 doesn't exist")),
        ("spot/trade:BTC-USD-SWAP", (30040, "Channel spot/trade:BTC-USD-SWAP doesn't exist")),
        ("index/ticker:NEO-USD", (30040, "Channel index/ticker:NEO-USD doesn't exist")),
        ("nonsense", (30040, "Channel nonsense doesn't exist")),
        (ORDER, (30041, f"User not logged in / User must be logged in: {ORDER}")),
    ],
)
def test_what_does_not_exist_is_refused_and_the_rest_granted(argument: str, error: tuple[int, str]) -> None:
    talk = Talk()
    said = talk.ask("spot/trade:BTC-USDT", argument, "spot/ticker:BTC-USDT")
    code, message = error
    assert said[:3] == [
        {"event": "subscribe", "channel": "spot/trade:BTC-USDT"},
        {"event": "error", "message": message, "errorCode": code},
        {"event": "subscribe", "channel": "spot/ticker:BTC-USDT"},
    ]
    assert [one["table"] for one in said[3:]] == ["spot/trade", "spot/ticker"]
    assert talk.ask(argument, op="unsubscribe") == [said[1]]


@pytest.mark.parametrize(
    "payload",
    [b"hello", b"[]", b"{}", b'{"op":"subscribe"}', b'{"op":"subscribe","args":[]}', b'{"op":"trade","args":[1]}',
     b'{"op":"subscribe","args":[5]}', b'{"op":"login","args":["a","b"]}',
     b'{"op":"login","args":[1,2,3,4]}', b"\xff{"],
)  # fmt: skip
def test_what_is_no_request(payload: bytes) -> None:
    assert Talk().say(payload) == [{"event": "error", "message": "unrecognized request", "errorCode": 30039}]


def test_what_was_unsubscribed_is_sent_no_more() -> None:
    talk = Talk()
    talk.ask("spot/depth:BTC-USDT", "swap/mark_price:BTC-USD-SWAP")
    assert talk.wait(2)
    names = ("spot/depth:BTC-USDT", "swap/mark_price:BTC-USD-SWAP")
    assert talk.ask(*names, op="unsubscribe") == [{"event": "unsubscribe", "channel": name} for name in names]
    assert talk.wait(2) == []


def test_signs_of_life_and_their_lack() -> None:
    talk = Talk()
    assert talk.say(b"ping") == ["pong"]
    talk.wait(29.9)
    assert talk.wire.end is None
    talk.wait(0.2)
    assert talk.wire.end == (0, "cut")


def test_a_connection_may_ask_240_times_an_hour_and_ping_as_it_likes() -> None:
    talk = Talk()
    for _ in range(240):
        assert talk.ask("spot/trade:BTC-USDT")[0]["event"] == "subscribe"
        talk.say(b"ping")
    assert talk.ask("spot/trade:BTC-USDT") == [{"event": "error", "message": "30026", "errorCode": 30026}]
    assert talk.say(b"ping") == ["pong"]


def test_one_connect_a_second_from_one_address() -> None:
    talk = Talk()
    refused = talk.exchange.dial(0.5, "/ws/v3", {}, "here")
    assert isinstance(refused, HttpAnswer)
    assert (refused.status, json.loads(refused.body)["code"]) == (429, 30014)
    assert isinstance(talk.exchange.dial(1.6, "/ws/v3", {}, "here"), Caller)
    missing = talk.exchange.dial(3.0, "/ws/v5/public", {}, "elsewhere")
    assert isinstance(missing, HttpAnswer)
    assert missing.status == 404
    stated = talk.exchange.venue.limited(429, 3.0)
    assert ("Retry-After", "3") in stated.headers
    assert talk.exchange.venue.refusal(401) is None


def test_a_request_that_is_too_long_ends_the_connection() -> None:
    talk = Talk(switches={"request_max": 4096})
    assert talk.ask(*(f"spot/trade:A{number}-USDT" for number in range(300))) == []
    assert talk.wire.end == (1009, "Max frame length of 4096 has been exceeded.")


def test_text_instead_of_deflated_frames() -> None:
    talk = Talk(switches={"deflates": False})
    talk.ask("spot/trade:BTC-USDT")
    assert talk.wire.raw[0] == b'{"event":"subscribe","channel":"spot/trade:BTC-USDT"}'
    talk.say(b"ping")
    assert talk.wire.raw[-1] == b"pong"


def test_an_error_of_the_faults_and_what_it_has_no_word_for() -> None:
    talk = Talk(faults=("error:30043@1", "upgrade:5@2"))
    assert talk.wait(1.5) == [{"event": "error", "message": "a fault of the simulator", "errorCode": 30043}]
    assert talk.wait(6) == []
    assert talk.wire.end == (1001, "")
    assert talk.peer.talk.error("WRONG").payloads


# login


def signed(**parts: Any) -> bytes:
    """A login, signed by hand."""
    moment = parts.get("moment", str(START_MS // 1000))
    secret = parts.get("secret", DEMO_KEY.secret_key.reveal())
    digest = hmac.new(secret.encode(), f"{moment}GET/users/self/verify".encode(), hashlib.sha256).digest()
    signature = parts.get("signature", base64.b64encode(digest).decode())
    name, passphrase = parts.get("name", DEMO_KEY.access_key), parts.get("passphrase", "sim-passphrase")
    return json.dumps({"op": "login", "args": [name, passphrase, moment, signature]}).encode()


@pytest.mark.parametrize(
    ("parts", "code"),
    [
        ({"name": ""}, 30001), ({"signature": ""}, 30002), ({"moment": ""}, 30003), ({"passphrase": ""}, 30004),
        ({"moment": "now"}, 30005), ({"moment": "nan"}, 30008), ({"name": "nobody"}, 30006),
        ({"moment": str(START_MS // 1000 - 31)}, 30008), ({"moment": str(START_MS // 1000 + 31)}, 30008),
        ({"secret": "wrong"}, 30013), ({"passphrase": "wrong"}, 30015),
    ],
)  # fmt: skip
def test_a_login_that_is_wrong_is_told_so(parts: dict[str, Any], code: int) -> None:
    talk = Talk()
    [refusal] = talk.say(signed(**parts))
    assert (refusal["event"], refusal["errorCode"]) == ("error", code)
    assert talk.ask(ORDER)[0]["errorCode"] == 30041


def test_who_logged_in_may_ask_for_what_is_his() -> None:
    talk = Talk()
    assert talk.say(signed(moment=f"{START_MS / 1000 - 20:.3f}")) == [{"event": "login", "success": True}]
    assert talk.say(signed())[0]["errorCode"] == 30042
    assert talk.ask(ORDER) == [{"event": "subscribe", "channel": ORDER}]
    assert talk.ask(ORDER, op="unsubscribe") == [{"event": "unsubscribe", "channel": ORDER}]


@pytest.mark.parametrize("text", [False, True])
def test_the_clients_own_login_is_taken(text: bool) -> None:
    talk = Talk(switches={"text_success": text})
    key = Credentials(Secret(DEMO_KEY.access_key), DEMO_KEY.secret_key, Secret("sim-passphrase"))
    talk.say(login(key, Stamp("", START_MS)))
    [control] = OKEX_V3.codec("DEFAULT", "float", False).read(talk.wire.raw[0]).controls
    assert control.kind == "login"


# REST


def test_the_list_of_spot_markets_has_the_form_of_the_recorded_one() -> None:
    status, listed = Talk().get("/api/spot/v3/instruments")
    recorded_list = json.loads((DATA / "v3_spot_instruments_cryptofeed-2021-04-17.json").read_bytes())
    assert (status, form(listed)) == (200, form(recorded_list))
    markets = OKEX_V3.read_markets(json.dumps(listed).encode())
    assert [market.symbol for market in markets] == ["BTC-USDT", "ETH-USDT"]


def test_instruments_of_the_other_markets() -> None:
    talk = Talk()
    _, futures = talk.get("/api/futures/v3/instruments")
    assert [(row["instrument_id"], row["contract_val"]) for row in futures] == [("BTC-USD-190517", "100")]
    _, swaps = talk.get("/api/swap/v3/instruments")
    assert [(row["instrument_id"], row["contract_val"], row["is_inverse"]) for row in swaps] == [
        ("BTC-USD-SWAP", "100", "true"), ("BTC-USDT-SWAP", "0.01", "false"),
    ]  # fmt: skip
    assert talk.get("/api/general/v3/time")[1] == {"iso": "2019-05-16T08:00:00.000Z", "epoch": "1557993600.000"}


def test_trades_of_the_past_join_those_of_the_stream() -> None:
    talk = Talk(limits=False)
    talk.ask("futures/trade:BTC-USD-190517")
    told = [row for one in talk.wait(30) for row in one["data"]]
    _, page = talk.get("/api/futures/v3/instruments/BTC-USD-190517/trades", "limit=20")
    assert [row["trade_id"] for row in page] == [row["trade_id"] for row in reversed(told)][:20]
    assert page[0] == {name: value for name, value in told[-1].items() if name != "instrument_id"}
    _, older = talk.get("/api/futures/v3/instruments/BTC-USD-190517/trades", f"limit=5&after={page[-1]['trade_id']}")
    assert [int(row["trade_id"]) for row in older] == [int(page[-1]["trade_id"]) - step for step in range(1, 6)]
    _, spot = talk.get("/api/spot/v3/instruments/BTC-USDT/trades")
    assert (len(spot), spot[0]["time"]) == (100, spot[0]["timestamp"])


def test_candles_and_books_and_tickers_by_rest() -> None:
    talk = Talk(limits=False)
    talk.wait(70)
    path = "/api/swap/v3/instruments/BTC-USD-SWAP"
    _, candles = talk.get(f"{path}/candles", "granularity=60")
    assert (len(candles), len(candles[0]), candles[0][0]) == (200, 7, "2019-05-16T08:01:00.000Z")
    _, some = talk.get(f"{path}/candles", "start=2019-05-16T07:50:00.000Z&end=2019-05-16T07:55:00.000Z")
    assert [row[0][14:16] for row in some] == ["55", "54", "53", "52", "51", "50"]
    _, daily = talk.get(f"{path}/candles", "granularity=86400")
    assert daily[0][0] == "2019-05-15T16:00:00.000Z"
    _, book = talk.get(f"{path}/book", "size=3")
    assert (len(book["asks"]), len(book["bids"]), len(book["asks"][0])) == (3, 3, 4)
    assert float(book["asks"][0][0]) > float(book["bids"][0][0])
    _, ticker = talk.get(f"{path}/ticker")
    _, tickers = talk.get("/api/swap/v3/instruments/ticker")
    assert tickers[0] == ticker
    assert (ticker["instrument_id"], ticker["best_ask"]) == ("BTC-USD-SWAP", book["asks"][0][0])


@pytest.mark.parametrize(
    ("path", "query", "refusal"),
    [
        ("/api/spot/v3/instruments/NEO-USDT/trades", "", (400, 30032)),
        ("/api/spot/v3/instruments/BTC-USD-SWAP/trades", "", (400, 30032)),
        ("/api/spot/v3/instruments/BTC-USDT/trades", "limit=101", (400, 30024)),
        ("/api/spot/v3/instruments/BTC-USDT/trades", "limit=x", (400, 30024)),
        ("/api/spot/v3/instruments/BTC-USDT/candles", "granularity=61", (400, 30025)),
        ("/api/spot/v3/instruments/BTC-USDT/candles", "start=yesterday", (400, 30025)),
        ("/api/spot/v3/instruments/BTC-USDT/orders", "", (404, 30000)),
        ("/api/moon/v3/instruments", "", (404, 30000)),
        ("/", "", (404, 30000)),
    ],
)
def test_what_rest_refuses(path: str, query: str, refusal: tuple[int, int]) -> None:
    status, body = Talk().get(path, query)
    assert (status, body["code"], body["error_code"]) == (*refusal, str(refusal[1]))
    assert Talk().get(path, query, method="POST")[0] == 405


def test_rest_has_its_limit() -> None:
    talk = Talk()
    answers = [talk.get("/api/general/v3/time")[0] for _ in range(21)]
    assert answers == [200] * 20 + [429]


# what may be listed


def test_markets_that_can_be_listed() -> None:
    assert OKEX_V3.exchange is not None
    side = OKEX_V3.exchange()
    assert side.terms("BTC-USD-SWAP", 7869.3).tick == (1, -1)
    assert side.terms("LTC-BTC", 0.01212).tick == (1, -6)
    assert (side.terms("BTC-USD-190517", None).spot, side.terms("BTC-USDT", None).spot) == (False, True)
    assert side.made_up(7) == "SIM7-USDT"
    with pytest.raises(ConfigError, match="an instrument id such as BTC-USDT, BTC-USD-190517"):
        side.terms("KRWBTC", 1.0)
    with pytest.raises(msgspec.ValidationError, match="moon"):
        OKEX_V3.exchange(switches={"moon": 1})


def test_the_usual_markets_and_one_more() -> None:
    exchange = build(Scenario(venue="okex3", markets=14), START_MS)
    assert len(exchange.market.symbols) == 14
    assert list(exchange.market.symbols)[-1] == "SIM13-USDT"


def test_all_connections_hear_the_same() -> None:
    talk, other = Talk(limits=False), Wire()
    caller = talk.exchange.dial(0.0, "/ws/v3", {}, "there")
    assert isinstance(caller, Caller)
    peer = talk.exchange.accept(0.0, other, caller)
    request = json.dumps({"op": "subscribe", "args": ["spot/depth:BTC-USDT", "spot/trade:BTC-USDT"]}).encode()
    talk.say(request)
    peer.receive(0.0, request, is_text=True)
    talk.wait(5)
    assert talk.wire.raw == other.raw
    assert len(other.raw) > 30


@pytest.mark.parametrize(
    ("levels", "spot", "futures"),
    [("four", ["0", "3"], ["0", "3"]), ("three", ["3"], ["0", "3"]), ("count", [3], [0, 3])],
)
def test_how_levels_ended_over_the_years(levels: Any, spot: list[Any], futures: list[Any]) -> None:
    for symbol, tail in (("BTC-USDT", spot), ("BTC-USD-190517", futures)):
        assert sim_levels(symbol, [("7870.1", "23.5")], Switches(levels=levels)) == [["7870.1", "23.5", *tail]]
        [[_, _, *gone]] = sim_levels(symbol, [("7870.1", "0")], Switches(levels=levels))
        assert gone == [0 if isinstance(one, int) else "0" for one in tail]


def test_an_order_is_known_by_the_desks_own_words() -> None:
    talk = Talk()
    order = talk.exchange.desk.place(
        "main", NewOrder(symbol="BTC-USDT", side="bid", price=Decimal(1), volume=Decimal(1))
    )
    assert talk.exchange.venue.told_order(order) == (order.uuid, order.state)
