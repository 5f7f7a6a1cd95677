"""Chaos in a fleet: collectors and servers of a NATS cluster die at random; what is stored is the exchange's truth."""

from __future__ import annotations

import random
import signal
import threading
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from itertools import count
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from tapewire.errors import SinkError
from tapewire.fleet.words import State
from tapewire.sinks.brokers.nats import NatsSink
from tests.chaos.exchange import Exchange
from tests.chaos.relay import Relay
from tests.fleet.fleets import Collecting, Fleet, carried, judge, trades, wait_for
from tests.network.namespace import laid, why_not
from tests.sinks.brokers.servers import NatsCluster, NatsServer
from tests.sizes import NIGHTLY, figure, size

MARKETS = tuple(f"KRW-M{number}" for number in range(6))
RATE, ROUNDS, SEEDS = size(60, 600), size(3, 12), size(1, 3)

pytestmark = pytest.mark.skipif(not NatsServer.is_there(), reason="make servers")


class Arena:
    """Three collectors, three servers of NATS, an exchange: each a process of its own."""

    def __init__(self, fleet: Fleet, cluster: NatsCluster, draw: random.Random) -> None:
        self.fleet, self.cluster, self._draw = fleet, cluster, draw
        self._names = (f"c{number}" for number in count(1))
        self.members: list[Collecting] = []
        self.deeds: Counter[str] = Counter()

    def join(self) -> Collecting:
        made = self.fleet.start(next(self._names))
        self.members.append(made)
        return made

    def settle(self) -> None:
        """Wait until every symbol is carried by two of those who live."""
        names = {member.name for member in self.members}

        def whole(states: dict[str, State]) -> bool:
            held = {symbol: who & names for symbol, who in carried(states).items()}
            return set(states) == names and Counter(map(len, held.values())) == {2: len(MARKETS)}

        self.fleet.until(whole)

    def leave(self, how: signal.Signals) -> None:
        self.members.pop(self._draw.randrange(len(self.members))).end(how)

    def one_dies(self) -> None:
        self.leave(signal.SIGKILL)
        self.join()

    def two_die_at_once(self) -> None:
        """Symbols that nobody carries any more are among theirs."""
        self.leave(signal.SIGKILL)
        self.leave(signal.SIGKILL)
        self.join()
        self.join()

    def one_is_stopped(self) -> None:
        self.leave(signal.SIGTERM)
        self.join()

    def one_hangs(self) -> None:
        hung = self._draw.choice(self.members)
        hung.send(signal.SIGSTOP)
        self.fleet.until(lambda states: hung.name not in states)
        hung.send(signal.SIGCONT)

    def a_server_dies(self) -> None:
        dead = self._draw.choice(self.cluster.servers)
        dead.kill()
        threading.Event().wait(self._draw.uniform(0.5, 3.0))
        dead.start()

    def the_leader_dies(self) -> None:
        dead = self.cluster.leader()
        dead.kill()
        threading.Event().wait(self._draw.uniform(0.5, 3.0))
        dead.start()

    def play(self, deeds: list[Callable[[], None]]) -> None:
        for deed in deeds:
            deed()
            self.deeds[deed.__name__] += 1
            self.settle()


@contextmanager
def arena(folder: Path, exchange: Exchange, draw: random.Random) -> Iterator[Arena]:
    with ExitStack() as stack:
        cluster = stack.enter_context(NatsCluster(folder))
        make_stream(cluster)
        words = ["--markets", "KRW-*", "--types", "trade", "--lease", "3", "--set", "replicas=3"]
        fleet = stack.enter_context(Fleet(cluster.address, exchange.url, folder, *words))
        yield Arena(fleet, cluster, draw)


def make_stream(cluster: NatsCluster) -> None:
    """A cluster that has just been started needs a moment until it has a leader."""

    def opened() -> bool:
        sink = NatsSink(cluster.address, replicas=3)
        try:
            sink.open()
        except SinkError:
            return False
        finally:
            sink.close()
        return True

    wait_for(opened)


def made(exchange: Exchange) -> dict[str, list[int]]:
    found: dict[str, list[int]] = {}
    for trade in exchange.trades:
        assert trade.sequential_id is not None
        found.setdefault(trade.symbol, []).append(trade.sequential_id)
    return found


@pytest.mark.timeout(size(170, 1_700))
@pytest.mark.parametrize("seed", range(SEEDS))
def test_collectors_and_servers_die_and_nothing_is_lost_doubled_or_out_of_order(seed: int, tmp_path: Path) -> None:
    draw = random.Random(seed)
    with Exchange(markets=MARKETS, rate=float(RATE)) as exchange:
        with arena(tmp_path, exchange, draw) as field:
            for _ in range(3):
                field.join()
            field.settle()
            wait_for(lambda: set(trades(field.cluster.stored())) == set(MARKETS))
            others = [field.one_hangs, field.one_dies, field.one_is_stopped, field.a_server_dies]
            field.play([field.two_die_at_once, field.the_leader_dies, *draw.choices(others, k=ROUNDS - 2)])
            for member in field.members:
                member.end(signal.SIGTERM)
            stored = trades(field.cluster.stored())
            told = dict(field.deeds)
        number = judge(made(exchange), stored)
    recovered = sum(row.recovered for rows in stored.values() for row in rows)
    figure(f"fleet, seed {seed}: {number} trades at the broker, {recovered} of them by REST; 0 lost, 0 doubled; {told}")
    assert recovered


@pytest.mark.timeout(300)
@pytest.mark.skipif(not NIGHTLY, reason="make chaos")
@pytest.mark.skipif(bool(why := why_not()), reason=why)
def test_a_cable_is_pulled_and_the_others_carry_on(tmp_path: Path) -> None:
    draw = random.Random(1)
    with Exchange(markets=MARKETS, rate=200.0) as exchange, laid() as cable:
        with arena(tmp_path, exchange, draw) as field, ExitStack() as relays:
            outside = field.cluster.address
            for port in {server.port for server in field.cluster.servers} | {port_of(exchange.url)}:
                relays.enter_context(Relay(cable.here, port))
            words = ["--fleet", outside.replace("127.0.0.1", cable.here),
                     "--url", exchange.url.replace("127.0.0.1", cable.here)]  # fmt: skip
            field.join()
            field.join()
            far = field.fleet.start("far", *words, before=("ip", "netns", "exec", cable.namespace))
            field.members.append(far)
            field.settle()
            for _ in range(3):
                cable.pull()
                far.until("cut off from the fleet")
                field.fleet.until(lambda states: set(states) == {"c1", "c2"} and all_of_two(states))
                threading.Event().wait(draw.uniform(0.0, 5.0))
                cable.plug()
                far.until("back in the fleet")
                field.settle()
                far.forget()
            for member in field.members:
                assert member.end(signal.SIGTERM) == 0, (member.name, member.notes, field.fleet.complaints())
            stored = trades(field.cluster.stored())
        number = judge(made(exchange), stored)
    figure(f"fleet, cable pulled 3 times: {number} trades at the broker; 0 lost, 0 doubled, in order")


def all_of_two(states: dict[str, State]) -> bool:
    return Counter(map(len, carried(states).values())) == {2: len(MARKETS)}


def port_of(url: str) -> int:
    port = urlsplit(url).port
    assert port is not None
    return port
