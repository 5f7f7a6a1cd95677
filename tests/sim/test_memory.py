"""The simulator without sockets, on virtual time: what a client sees, hour by hour."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable, Coroutine
from typing import Any

import msgspec
import pytest

from tapewire.config import Credentials, LineOptions, Secret
from tapewire.errors import ConfigError, ConnectFailed, HttpFailed
from tapewire.model.line import Loss
from tapewire.sim.scenario import Scenario
from tapewire.sim.server import Simulator
from tapewire.testing.clock import VirtualTimeLoop, elapse, run_virtual
from tapewire.transport.contract import Line
from tapewire.venues.trading import OrderRefused
from tapewire.venues.upbit.auth import authorize

URL = "wss://api.upbit.com/websocket/v1"
TRADES = b'[{"ticket":"t"},{"type":"trade","codes":["KRW-BTC"]}]'
MARKET = ("KRW-BTC",)


class Heard:
    """A listener that keeps what it heard, with the time."""

    def __init__(self) -> None:
        self.messages: list[tuple[float, bytes]] = []
        self.pongs: list[bytes] = []
        self.losses: list[tuple[float, Loss]] = []

    def on_message(self, payload: bytes, is_text: bool, received_ns: int) -> None:
        self.messages.append((asyncio.get_running_loop().time(), payload))

    def on_pong(self, payload: bytes) -> None:
        self.pongs.append(payload)

    def on_lost(self, loss: Loss) -> None:
        self.losses.append((asyncio.get_running_loop().time(), loss))

    def ids(self) -> list[int]:
        events = [json.loads(payload) for _, payload in self.messages]
        return [event["sequential_id"] for event in events if event.get("stream_type") == "REALTIME"]


async def dial(simulator: Simulator, heard: Heard, url: str = URL) -> Line:
    loop = asyncio.get_running_loop()
    assert isinstance(loop, VirtualTimeLoop)
    line = simulator.lines()(LineOptions(), loop.wall_ns)
    await line.open(url, {}, heard)
    return line


def virtually(play: Callable[[Simulator, Heard], Coroutine[Any, Any, None]], **options: Any) -> tuple[Simulator, Heard]:
    heard, simulator = Heard(), Simulator(Scenario(markets=MARKET, **options))

    async def main() -> None:
        await play(simulator, heard)
        await simulator.stop()

    run_virtual(main())
    return simulator, heard


def test_an_hour_of_trades_arrives_whole_and_in_order() -> None:
    async def play(simulator: Simulator, heard: Heard) -> None:
        line = await dial(simulator, heard)
        line.send(TRADES)
        for _ in range(120):
            await elapse(30)
            line.ping(b"alive")

    simulator, heard = virtually(play)
    assert heard.ids() == [trade.sequential_id for trade in simulator.trades]
    assert len(heard.ids()) > 3600
    assert len(heard.pongs) == 119
    assert [at for at, _ in heard.losses] == [3600.0], "the end of the simulator"
    assert simulator.connects == [0.0]
    assert [sent.payload for sent in simulator.requests] == [TRADES]


def test_the_same_scenario_gives_the_same_bytes_at_the_same_moments() -> None:
    async def play(simulator: Simulator, heard: Heard) -> None:
        line = await dial(simulator, heard)
        line.send(TRADES)
        await elapse(300)

    faults = ("duplicate%0.1", "late:2%0.1", "slow:0.3:for=20@60")
    one, two = (virtually(play, faults=faults)[1] for _ in range(2))
    assert one.messages == two.messages


def test_speed_runs_the_exchange_faster_than_the_loop() -> None:
    async def play(simulator: Simulator, heard: Heard) -> None:
        await dial(simulator, heard)
        await elapse(13)
        assert simulator.now == pytest.approx(130)

    _, heard = virtually(play, speed=10.0)
    [(at, loss)] = heard.losses
    assert at == pytest.approx(12.0, abs=0.01), "the idle time-out of 120 s"
    assert loss.cause == "reset"


@pytest.mark.parametrize(
    ("deed", "cause", "code"),
    [
        (lambda simulator: simulator.drop(1001, "going"), "closed", 1001),
        (lambda simulator: simulator.abort(), "reset", 1006),
        (lambda simulator: simulator.cut(), "reset", 1006),
    ],
)
def test_ends_by_hand(deed: Callable[[Simulator], None], cause: str, code: int) -> None:
    async def play(simulator: Simulator, heard: Heard) -> None:
        await dial(simulator, heard)
        await simulator.reached(5.0)
        deed(simulator)
        await elapse(1)
        assert simulator.connected == 0

    _, heard = virtually(play)
    [(at, loss)] = heard.losses
    assert (loss.cause, loss.code) == (cause, code)
    assert at == pytest.approx(5.0, abs=0.01)


def test_half_open_by_hand() -> None:
    async def play(simulator: Simulator, heard: Heard) -> None:
        line = await dial(simulator, heard)
        line.send(TRADES)
        await elapse(5)
        simulator.freeze()
        simulator.inject(b"lost")
        count = len(heard.messages)
        await elapse(1)
        line.ping(b"x")
        await elapse(500)
        assert len(heard.messages) == count
        line.close(Loss("ping_timeout"), graceful=False)
        await elapse(1)
        assert simulator.connected == 0

    _, heard = virtually(play)
    assert [loss.cause for _, loss in heard.losses] == ["ping_timeout"]
    assert heard.pongs == []


def test_pings_by_hand_are_answered_by_a_line_and_noted() -> None:
    async def play(simulator: Simulator, heard: Heard) -> None:
        await dial(simulator, heard)
        await dial(simulator, heard)
        await simulator.reached(5.0)
        simulator.ping(1.0)
        await simulator.reached(20.0)
        simulator.ping()
        await simulator.reached(90.0)
        assert simulator.connected == 2

    simulator, _ = virtually(play)
    assert [(ping.connection, ping.payload) for ping in simulator.pings] == [(1, b"1"), (2, b"1"), (1, b"2"), (2, b"2")]
    assert [ping.answered for ping in simulator.pings] == [ping.at for ping in simulator.pings]
    assert simulator.violations == []


def test_silence_frames_and_delay_by_hand() -> None:
    async def play(simulator: Simulator, heard: Heard) -> None:
        line = await dial(simulator, heard)
        line.send(TRADES)
        await elapse(5)
        simulator.silence(10)
        simulator.inject(b"mine")
        count = len(heard.messages)
        await elapse(9)
        assert [payload for _, payload in heard.messages[count:]] == [b"mine"]
        await elapse(10)
        assert len(heard.messages) > count + 1
        simulator.slow(2.0)
        line.send(b"PING")
        await elapse(1.9)
        assert b'{"status":"UP"}' not in [payload for _, payload in heard.messages]
        await elapse(0.2)
        assert b'{"status":"UP"}' in [payload for _, payload in heard.messages]
        simulator.slow(0.0)
        simulator.silence()
        count = len(heard.messages)
        await elapse(9)
        assert all(payload == b'{"status":"UP"}' or at < 28.2 for at, payload in heard.messages[count:])

    virtually(play)


def test_refused_and_unreachable_dials() -> None:
    async def play(simulator: Simulator, heard: Heard) -> None:
        simulator.refuse(429, (("Retry-After", "3"),), b"slow down")
        with pytest.raises(ConnectFailed) as refused:
            await dial(simulator, heard)
        loss = refused.value.loss
        assert (loss.cause, loss.status, loss.retry_after, loss.body) == ("refused", 429, 3.0, b"slow down")
        with pytest.raises(ConnectFailed) as private:
            await dial(simulator, heard, f"{URL}/private")
        assert private.value.loss.status == 401
        simulator.maintenance(8.0)
        with pytest.raises(ConnectFailed) as away:
            await dial(simulator, heard)
        assert away.value.loss.cause == "unreachable"
        await elapse(8)
        await dial(simulator, heard)

    simulator, _ = virtually(play)
    assert len(simulator.connects) == 4


def test_rest_without_sockets() -> None:
    async def play(simulator: Simulator, heard: Heard) -> None:
        http = simulator.http()
        body = await http.get("https://api.upbit.com/v1/ticker?markets=KRW-BTC", timeout=5)
        assert json.loads(body)[0]["market"] == "KRW-BTC"
        with pytest.raises(HttpFailed) as missing:
            await http.get("https://api.upbit.com/v1/ticker?markets=KRW-X", timeout=5)
        assert (missing.value.status, missing.value.retry_after) == (404, None)
        assert b"Code not found" in missing.value.body
        await elapse(5)
        with pytest.raises(HttpFailed) as failing:
            await http.get("https://api.upbit.com/v1/market/all", timeout=5)
        assert (failing.value.status, failing.value.retry_after) == (429, 2.0)
        simulator.maintenance(1.0)
        with pytest.raises(HttpFailed, match="connection refused"):
            await http.get("https://api.upbit.com/v1/market/all", timeout=5)
        await http.close()

    virtually(play, faults=("rest:429:retry=2@5",))


def test_before_the_first_use_there_is_no_time_and_no_clock() -> None:
    simulator = Simulator()
    assert simulator.now == 0.0
    simulator.wake()
    with pytest.raises(RuntimeError):
        _ = simulator.trades


async def test_a_simulator_that_never_began_can_be_stopped() -> None:
    await Simulator().stop()


async def test_the_wall_clock_of_the_beginning_can_be_given() -> None:
    simulator = Simulator(Scenario(markets=MARKET), wall_ns=lambda: 1_786_611_600_123_456_789)
    assert simulator.exchange.market.now_ms == 1_786_611_600_123
    assert Simulator(Scenario(start_ms=1_786_611_600_000)).exchange.market.now_ms == 1_786_611_600_000
    await simulator.stop()
    await simulator.stop()


async def test_a_dial_that_was_given_up_makes_no_connection() -> None:
    class GivenUp:
        url, headers = URL, {"User-Agent": "x"}

        def accept(self) -> bool:
            return False

    simulator = Simulator(Scenario(markets=MARKET))
    simulator._connect(GivenUp())  # type: ignore[arg-type]
    assert simulator.connected == 0
    await simulator.stop()


def signed(simulator: Simulator, nonce: str = "1") -> dict[str, str]:
    key = simulator.keys[0]
    return dict(authorize(Credentials(Secret(key.access_key), key.secret_key), nonce))


async def private(simulator: Simulator, heard: Heard, side: str = "private", *types: dict[str, Any]) -> Line:
    loop = asyncio.get_running_loop()
    assert isinstance(loop, VirtualTimeLoop)
    line = simulator.lines()(LineOptions(), loop.wall_ns)
    await line.open(f"{URL}/{side}", signed(simulator, side), heard)
    line.send(json.dumps([{"ticket": "t"}, *types]).encode())
    await elapse(0.1)
    return line


def test_orders_and_announcements_by_hand_are_told_on_the_private_side() -> None:
    async def play(simulator: Simulator, heard: Heard) -> None:
        await private(simulator, heard, "private", {"type": "myOrder"}, {"type": "announcement"})
        order = simulator.place_order("KRW-BTC", "bid", price="80000000", volume="0.001", identifier="mine")
        assert simulator.cancel_order(order.uuid) is order
        assert simulator.orders() == [order]
        with pytest.raises(OrderRefused, match="no market"):
            simulator.place_order("KRW-NOPE", "bid", price="1", volume="1")
        with pytest.raises(msgspec.ValidationError, match="Invalid enum value 'buy'"):
            simulator.place_order("KRW-BTC", "buy", price="1", volume="1")  # type: ignore[arg-type]
        with pytest.raises(msgspec.ValidationError, match="unknown field `size`"):
            simulator.place_order("KRW-BTC", "bid", price="1", size="1")
        uuid = simulator.announce("Works", "maintenance")
        assert simulator.announce("Works done", "maintenance", uuid=uuid) == uuid
        await elapse(1)

    _, heard = virtually(play)
    events = [json.loads(payload) for _, payload in heard.messages]
    assert [event.get("state") or event["title"] for event in events] == ["wait", "cancel", "Works", "Works done"]
    assert events[0]["identifier"] == "mine"


def test_candles_can_be_closed_by_hand() -> None:
    async def play(simulator: Simulator, heard: Heard) -> None:
        rsi = {"type": "rsi", "params": {"period": 14}}
        wanted = {"type": "indicator", "codes": ["KRW-BTC"], "timeframe": "1d", "indicators": [rsi]}
        await private(simulator, heard, "info", wanted)
        simulator.close_candles("1d")
        with pytest.raises(ConfigError, match="timeframe is '1m'; it must be one of 5m, 15m"):
            simulator.close_candles("1m")
        await elapse(1)

    _, heard = virtually(play)
    assert [json.loads(payload)["indicator"] for _, payload in heard.messages] == ["rsi"]


def test_faults_by_hand_may_be_of_one_side() -> None:
    async def play(simulator: Simulator, heard: Heard) -> None:
        other = Heard()
        await private(simulator, heard, "private", {"type": "myOrder"})
        line = await dial(simulator, other)
        simulator.drop(1001, side="private")
        await elapse(1)
        assert [loss.code for _, loss in heard.losses] == [1001]
        assert other.losses == []
        simulator.freeze(side="info")
        line.ping(b"alive")
        await elapse(1)
        assert other.pongs == [b"alive"]
        simulator.abort(side="public")
        await elapse(1)
        assert [loss.cause for _, loss in other.losses] == ["reset"]

    virtually(play)


def test_a_seeded_customer_makes_a_private_stream_without_any_code() -> None:
    async def play(simulator: Simulator, heard: Heard) -> None:
        line = await private(simulator, heard, "private", {"type": "myOrder"}, {"type": "myAsset"})
        for _ in range(20):
            await elapse(30)
            line.ping()

    one, two = (virtually(play, customer=5.0)[1] for _ in range(2))
    assert len(one.messages) > 300
    assert one.messages == two.messages
