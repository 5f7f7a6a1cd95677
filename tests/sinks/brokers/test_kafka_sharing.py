"""Members of Kafka's own groups: who has which market, what is handed over, and what the dead leave."""

from __future__ import annotations

import subprocess
import sys
import threading
from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from pathlib import Path
from time import monotonic
from typing import Any

import pytest

from tapewire.model.events import Event, TradeEvent
from tapewire.sinks.brokers import kafka_sharing
from tapewire.sinks.brokers.kafka import KafkaSink
from tapewire.sinks.brokers.kafka_line import Cluster
from tapewire.sinks.brokers.kafka_reading import Reading
from tapewire.sinks.brokers.kafka_sharing import Membership
from tapewire.sinks.brokers.letters import unpack
from tapewire.sinks.brokers.source import Begin, Missed, Received
from tests.sinks.brokers import stand
from tests.sinks.brokers.kafka_cluster import KafkaCluster
from tests.sinks.brokers.stand import sent

MARKETS = [f"KRW-{letter}" for letter in "ABCDEFGH"]


def subject(market: str) -> str:
    return f"md.upbit.kr.trade.{market}"


def trade(number: int, market: str = "KRW-A", *, size: int = 0) -> TradeEvent:
    return stand.trade(number, market, size=size)


@pytest.fixture(autouse=True)
def _soon(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(kafka_sharing, "SESSION", 3_000)


@pytest.fixture
def cluster(tmp_path: Path) -> Iterator[KafkaCluster]:
    with KafkaCluster(tmp_path) as running:
        yield running


@pytest.fixture
def ends() -> Iterator[ExitStack]:
    with ExitStack() as stack:
        yield stack


def publish(cluster: KafkaCluster, *events: Event, **options: Any) -> None:
    sent(KafkaSink(cluster.address, **options), *events)


class Member:
    """One of a group, what it was given in its order, what was missed; unless ``slow``, it does all at once."""

    def __init__(self, cluster: KafkaCluster, ends: ExitStack, markets: Sequence[str], *, slow: bool = False) -> None:
        where = Cluster(cluster.address)
        self._reading = Reading(where, monotonic)
        self.membership = Membership(where, "workers", self._reading.looking, self._reading.told, monotonic)
        ends.callback(self._reading.close)
        ends.callback(self.membership.close)
        self.slow = slow
        self.given: list[Received] = []
        self.missed: list[Missed] = []
        self.membership.share({subject(market): Begin() for market in markets})

    def turn(self) -> None:
        for one in self.membership.poll():
            if isinstance(one, Missed):
                self.missed.append(one)
                continue
            self.given.append(one)
            if not self.slow:
                self.membership.done([one])

    def numbers(self) -> dict[str, list[int | None]]:
        found: dict[str, list[int | None]] = {}
        for one in self.given:
            for event in unpack(one.headers, one.payload):
                assert isinstance(event, TradeEvent)
                found.setdefault(event.symbol, []).append(event.sequential_id)
        return found

    @property
    def parts(self) -> int:
        return len(self.membership._given)


def until(is_so: Any, *members: Member) -> None:
    end = monotonic() + 60
    while not is_so():
        assert monotonic() < end
        for member in members:
            member.turn()


def test_markets_are_shared_out_whole_and_in_order(
    cluster: KafkaCluster, ends: ExitStack, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(kafka_sharing, "SESSION", 15_000)  # who is late to answer is put out, and told twice
    publish(cluster, trade(0))
    one, two = (Member(cluster, ends, MARKETS) for _ in range(2))
    until(lambda: (one.parts, two.parts) == (2, 2), one, two)
    publish(cluster, *(trade(number, market) for number in range(1, 40) for market in MARKETS))
    until(lambda: len(one.given) + len(two.given) >= 39 * len(MARKETS), one, two)
    assert one.numbers() | two.numbers() == {market: [*range(1, 40)] for market in MARKETS}
    assert not one.numbers().keys() & two.numbers().keys()


def test_a_member_finishes_what_it_began_before_another_has_it(
    cluster: KafkaCluster, ends: ExitStack, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(kafka_sharing, "_HAND_OVER", 60.0)
    publish(cluster, trade(0))
    one = Member(cluster, ends, MARKETS, slow=True)
    until(lambda: one.parts == 4, one)
    publish(cluster, *(trade(number, market) for number in range(1, 9) for market in MARKETS))
    until(lambda: len(one.given) == 8 * len(MARKETS), one)
    member = one.membership
    parts, places = [*member._given], sum(given.position for given in member._given.values())
    finishing = threading.Timer(0.3, lambda: member.done(one.given))
    finishing.start()
    member._revoked(member._open(), member._open().assignment())  # as librdkafka does when another member comes
    finishing.join()
    assert one.parts == 0
    until(lambda: sum(place or 0 for place in member._known(parts).values()) == places, one)


def test_what_a_member_had_not_done_when_it_left_is_another_s(cluster: KafkaCluster, ends: ExitStack) -> None:
    publish(cluster, trade(0))
    one = Member(cluster, ends, MARKETS[:1], slow=True)
    until(lambda: one.parts == 4, one)
    publish(cluster, *map(trade, range(1, 9)))
    until(lambda: len(one.given) == 8, one)
    one.membership.done(one.given[:3])
    one.membership.close()
    two = Member(cluster, ends, MARKETS[:1])
    until(lambda: len(two.given) == 5, two)
    assert two.numbers() == {"KRW-A": [4, 5, 6, 7, 8]}


def test_a_member_that_was_killed_is_inherited_from(cluster: KafkaCluster, ends: ExitStack) -> None:
    publish(cluster, trade(0))
    program = (
        "import sys, types\n"
        "from contextlib import ExitStack\n"
        "from tapewire.sinks.brokers import kafka_sharing\n"
        "from tests.sinks.brokers.test_kafka_sharing import Member, until\n"
        "kafka_sharing.SESSION = 3_000\n"
        "member = Member(types.SimpleNamespace(address=sys.argv[1]), ExitStack(), ['KRW-A'], slow=True)\n"
        "until(lambda: member.parts == 4, member)\n"
        "print('joined', flush=True)\n"
        "until(lambda: len(member.given) == 3, member)\n"
        "print('taken', flush=True)\n"
        "until(lambda: False, member)\n"
    )
    with subprocess.Popen([sys.executable, "-c", program, cluster.address], stdout=subprocess.PIPE, text=True) as dies:
        assert dies.stdout is not None
        assert dies.stdout.readline() == "joined\n"
        publish(cluster, *map(trade, range(1, 4)))
        assert dies.stdout.readline() == "taken\n"
        dies.kill()
    lives = Member(cluster, ends, MARKETS[:1])
    until(lambda: len(lives.given) == 3, lives)
    assert lives.numbers() == {"KRW-A": [1, 2, 3]}


def test_what_nobody_here_wants_is_passed_over_and_a_topic_that_comes_later_is_heard_whole(
    cluster: KafkaCluster, ends: ExitStack
) -> None:
    one = Member(cluster, ends, MARKETS[:1])
    publish(cluster, trade(1, "KRW-B"), trade(2))
    until(lambda: sum(given.position for given in one.membership._given.values()) == 2, one)
    one.membership.close()
    two = Member(cluster, ends, MARKETS[:2])
    publish(cluster, trade(3, "KRW-B"))
    until(lambda: len(two.given) == 1, two)
    assert (one.numbers(), two.numbers()) == ({"KRW-A": [2]}, {"KRW-B": [3]})


def test_what_the_cluster_threw_away_before_anybody_was_given_it_is_told(
    cluster: KafkaCluster, ends: ExitStack
) -> None:
    """A partition of the mock keeps 5 MiB."""
    publish(cluster, trade(0))
    one = Member(cluster, ends, MARKETS[:1])
    until(lambda: one.parts == 4, one)
    one.membership.close()
    publish(cluster, *(trade(number, size=100_000) for number in range(1, 100)), compression="none")
    two = Member(cluster, ends, MARKETS[:1])
    until(lambda: two.numbers().get("KRW-A", [])[-1:] == [99], two)
    [found] = two.numbers().values()
    assert two.missed == [Missed(subject("KRW-A"))]
    assert found == [*range(100 - len(found), 100)]


def test_who_has_much_undone_is_given_no_more_until_it_is_done(
    cluster: KafkaCluster, ends: ExitStack, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tapewire.sinks.brokers.kafka_given.UNDONE", 10)
    publish(cluster, trade(0))
    one = Member(cluster, ends, MARKETS[:1], slow=True)
    until(lambda: one.parts == 4, one)
    publish(cluster, *map(trade, range(1, 31)))
    until(lambda: any(given.is_paused for given in one.membership._given.values()), one)
    publish(cluster, *map(trade, range(31, 41)))
    before = len(one.given)
    for _ in range(5):
        one.turn()
    assert len(one.given) == before < 40
    one.membership.done(one.given)
    one.slow = False
    until(lambda: len(one.given) == 40, one)
    assert one.numbers() == {"KRW-A": [*range(1, 41)]}
