"""What Kafka's sink and source have of their own: addresses, topics, brokers that go one by one, what is gone."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from time import monotonic
from typing import Any, Self

import pytest

from tapewire.errors import ConfigError, SinkError
from tapewire.model.events import Event, OrderbookEvent, TradeEvent
from tapewire.sinks.brokers.kafka import KafkaSink
from tapewire.sinks.brokers.kafka_line import Cluster, topic_and_key
from tapewire.sinks.brokers.kafka_reading import Reading
from tapewire.sinks.brokers.letters import unpack
from tapewire.sinks.brokers.source import Begin, Missed, Received
from tests.sinks.brokers.kafka_cluster import KafkaCluster
from tests.sinks.brokers.stand import sent, trade

BTC, ETH = "md.upbit.kr.trade.KRW-BTC", "md.upbit.kr.trade.KRW-ETH"


@pytest.fixture
def cluster(tmp_path: Path) -> Iterator[KafkaCluster]:
    with KafkaCluster(tmp_path) as running:
        yield running


def publish(cluster: KafkaCluster, *events: Event, **options: Any) -> KafkaSink:
    return sent(KafkaSink(cluster.address, **options), *events)


class Reader:
    """A source's blocking half, and what it has read."""

    def __init__(self, cluster: KafkaCluster) -> None:
        self._reading = Reading(Cluster(cluster.address), monotonic)
        self._reading.reach(20)
        self.missed: list[Missed] = []
        self.follow, self.leave, self.latest = self._reading.follow, self._reading.leave, self._reading.latest

    def until(self, count: int) -> list[Received]:
        found: list[Received] = []
        while len(found) < count:
            came = self._reading.poll()
            self.missed += [one for one in came if isinstance(one, Missed)]
            found += [one for one in came if isinstance(one, Received)]
        return found

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._reading.close()


def numbers(messages: Sequence[Received]) -> list[tuple[str, int | None]]:
    events = [event for one in messages for event in unpack(one.headers, one.payload)]
    return [(event.symbol, event.sequential_id) for event in events if isinstance(event, TradeEvent)]


def test_topic_key_and_headers(cluster: KafkaCluster) -> None:
    from confluent_kafka import Consumer, TopicPartition  # noqa: PLC0415 - an optional extra

    book = OrderbookEvent(venue="upbit", symbol="KRW-한", level=0.1, orderbook_units=[], timestamp=1)
    publish(cluster, trade(1), book)
    consumer = Consumer({**cluster.settings(), "group.id": "test"})
    topics = {name: sorted(topic.partitions) for name, topic in consumer.list_topics(timeout=20).topics.items()}
    assert sorted(topics) == ["md.upbit.kr.orderbook-0_2E1", "md.upbit.kr.trade"]
    consumer.assign([TopicPartition(name, part, 0) for name, parts in topics.items() for part in parts])
    found = sorted(consumer.consume(2, 20), key=lambda one: one.topic() or "")
    consumer.close()
    assert [message.key() for message in found] == [b"KRW-%ED%95%9C", b"KRW-BTC"]
    headers = dict(found[1].headers() or ())
    assert (headers["tw-id"], headers["tw-schema"]) == (b"upbit|trade|KRW-BTC|1", b"1")


@pytest.mark.parametrize(
    ("subject", "place"),
    [
        (BTC, ("md.upbit.kr.trade", "KRW-BTC")),
        ("prod.md.okx.global.candle-1s.BTC-USDT", ("prod.md.okx.global.candle-1s", "BTC-USDT")),
        ("md.upbit.kr.orderbook-0%2E1.KRW-A%20B", ("md.upbit.kr.orderbook-0_2E1", "KRW-A%20B")),
    ],
)
def test_a_subject_is_a_topic_and_a_key(subject: str, place: tuple[str, str]) -> None:
    assert topic_and_key(subject) == place


@pytest.mark.parametrize(
    ("target", "options", "expected"),
    [
        ("kafka://a", {}, {"bootstrap.servers": "a:9092"}),
        ("kafka://a:1,b,[::1]:2", {}, {"bootstrap.servers": "a:1,b:9092,[::1]:2"}),
        ("kafkas://a", {"ca": "/ca.pem"}, {"security.protocol": "SSL", "ssl.ca.location": "/ca.pem"}),
        ("kafka://u:p%40x@a,b", {}, {"security.protocol": "SASL_PLAINTEXT", "sasl.mechanism": "PLAIN",
                                     "sasl.username": "u", "sasl.password": "p@x"}),
        ("kafkas://u:p@a?sasl=SCRAM-SHA-512&ca=/etc/ca.pem", {},
         {"security.protocol": "SASL_SSL", "sasl.mechanism": "SCRAM-SHA-512", "ssl.ca.location": "/etc/ca.pem"}),
    ],
)  # fmt: skip
def test_an_address_is_settings(target: str, options: Mapping[str, str], expected: Mapping[str, str]) -> None:
    cluster = Cluster(target, **options)
    settings = cluster.settings()
    assert {name: settings.get(name) for name in expected} == expected
    assert "p@x" not in cluster.shown + repr(vars(cluster))


@pytest.mark.parametrize(
    ("target", "options", "words"),
    [
        ("kafka://h", {"partitions": 0}, "partitions is 0; it must be 1 or more"),
        ("kafka://h", {"replicas": -1}, "replicas is -1; it must be 1 or more"),
        ("kafka://h", {"max_age": -1}, "max_age is -1.0; it must be 0 or more"),
        ("kafka://h", {"compression": "zip"}, "compression is 'zip'; it must be none or gzip"),
        ("kafka://h", {"sasl": "GSSAPI"}, "sasl is 'GSSAPI'; it must be PLAIN or"),
        ("kafka://u:secret@h?acks=1", {}, r"address is '…\?acks=…'; it must be …\?sasl=…&ca=… at most"),
        ("kafka://", {}, "address is 'kafka://'; it must be an address such as kafka://host"),
    ],
)
def test_what_cannot_be_is_refused(target: str, options: dict[str, Any], words: str) -> None:
    with pytest.raises(ConfigError, match=words) as refused:
        KafkaSink(target, **options)
    assert "secret" not in str(refused.value)


def test_a_broker_of_three_that_goes_costs_nothing(cluster: KafkaCluster) -> None:
    sink = KafkaSink(cluster.address)
    sink.open()
    sink.write([trade(0)])
    sink.flush()  # a topic is made by the controller alone, broker 1: while it is away that would be a loss of the line
    for broker in (1, 2, 3):
        cluster.tell(f"down {broker}")
        sink.write([trade(broker)])
        cluster.tell(f"up {broker}")
        sink.flush()
    sink.close()
    assert (sink.figures.confirmed, sink.figures.losses) == (4, 0)
    found = [event for headers, payload in cluster.stored() for event in unpack(headers, payload)]
    assert found == [trade(0), trade(1), trade(2), trade(3)]


def stored_numbers(cluster: KafkaCluster) -> list[int | None]:
    found = [event for headers, payload in cluster.stored() for event in unpack(headers, payload)]
    return [event.sequential_id for event in found if isinstance(event, TradeEvent)]


@pytest.mark.parametrize("requests", [1, 3])
def test_nothing_of_a_symbol_is_stored_behind_what_was_not(cluster: KafkaCluster, requests: int) -> None:
    """29: we may not write to the topic; for that moment."""
    sink = KafkaSink(cluster.address, window=50)
    sink.open()
    sink.write([trade(0)])
    sink.flush()
    cluster.tell(f"refuse 29 {requests}")
    sink.write([trade(number) for number in range(1, 400)])
    while sink.figures.confirmed < 400:
        sink.flush()
    sink.close()
    assert list(dict.fromkeys(stored_numbers(cluster))) == [*range(400)]
    assert sink.figures.losses >= 1  # another producer was made


def test_what_is_packed_with_a_message_that_is_refused_keeps_its_place(cluster: KafkaCluster) -> None:
    sink = KafkaSink(cluster.address, batch=3, batch_bytes=20_000_000)
    sink.open()
    sink.write([trade(number, size=17_000_000 if number == 4 else 0) for number in range(12)])
    while sink.figures.confirmed < 11:
        sink.flush()
    sink.close()
    assert stored_numbers(cluster) == [number for number in range(12) if number != 4]
    assert sink.figures.refused == 1


def test_one_consumer_reads_for_all_and_nobody_hears_anything_twice(cluster: KafkaCluster) -> None:
    publish(cluster, *(trade(number, symbol) for number in range(3) for symbol in ("KRW-BTC", "KRW-ETH", "KRW-XRP")))
    with Reader(cluster) as reader:
        assert reader.follow({BTC: Begin()}) == frozenset()
        assert numbers(reader.until(3)) == [("KRW-BTC", number) for number in range(3)]
        assert reader.follow({ETH: Begin()}) == frozenset()
        assert numbers(reader.until(3)) == [("KRW-ETH", number) for number in range(3)]
        publish(cluster, trade(3), trade(3, "KRW-ETH"))
        assert sorted(numbers(reader.until(2))) == [("KRW-BTC", 3), ("KRW-ETH", 3)]
        reader.leave([BTC])
        publish(cluster, trade(4), trade(4, "KRW-ETH"))
        assert numbers(reader.until(1)) == [("KRW-ETH", 4)]


def test_the_newest_is_found_however_far_back_it_is(cluster: KafkaCluster) -> None:
    publish(cluster, trade(7, "KRW-ETH"), *map(trade, range(1_500)), partitions=1, batch=1)
    with Reader(cluster) as reader:
        newest = reader.latest([BTC, ETH, "md.upbit.kr.trade.KRW-NONE", "md.upbit.kr.ticker.KRW-BTC"])
    assert sorted(numbers(newest)) == [("KRW-BTC", 1_499), ("KRW-ETH", 7)]


def test_what_comes_into_a_topic_that_was_not_there_is_heard_from_its_first_message(cluster: KafkaCluster) -> None:
    with Reader(cluster) as reader:
        assert reader.follow({BTC: Begin()}) == frozenset()
        publish(cluster, trade(1), trade(2))
        assert numbers(reader.until(2)) == [("KRW-BTC", 1), ("KRW-BTC", 2)]


def test_history_begins_at_a_time_or_a_number(cluster: KafkaCluster) -> None:
    publish(cluster, *map(trade, range(5)))
    with Reader(cluster) as reader:
        reader.follow({BTC: Begin(sequence=3)})
        newest = reader.until(2)
        assert numbers(newest) == [("KRW-BTC", 3), ("KRW-BTC", 4)]
        reader.leave([BTC])
        reader.follow({BTC: Begin(since_ns=1)})
        assert len(numbers(reader.until(5))) == 5
        reader.leave([BTC])
        reader.follow({BTC: Begin(since_ns=2_000_000_000 * 10**9)})  # in the year 2033
        publish(cluster, trade(5))
        reader.leave([BTC])
        reader.follow({BTC: Begin(after=newest[-1].position)})
        assert numbers(reader.until(1)) == [("KRW-BTC", 5)]


def test_what_the_cluster_threw_away_is_told(cluster: KafkaCluster) -> None:
    """A partition of the mock keeps 5 MiB."""
    publish(cluster, trade(0))
    with Reader(cluster) as reader:
        [first] = reader.latest([BTC])
        publish(cluster, *(trade(number, size=100_000) for number in range(1, 100)), compression="none")
        assert reader.follow({BTC: Begin(after=first.position)}) == {BTC}
        oldest = numbers(reader.until(1))[0][1]
    assert oldest is not None
    assert oldest > 1


def test_what_was_thrown_away_before_it_was_read_is_told_on_a_living_line(cluster: KafkaCluster) -> None:
    publish(cluster, trade(0), trade(0, "KRW-ETH"), partitions=1)
    with Reader(cluster) as reader:
        reader.follow({BTC: Begin(), ETH: Begin()})
        assert sorted(numbers(reader.until(2))) == [("KRW-BTC", 0), ("KRW-ETH", 0)]
        for start in range(1, 400, 50):  # more than the reader takes in advance
            publish(cluster, *(trade(number, size=100_000) for number in range(start, start + 50)), compression="none")
        found = [number or 0 for _, number in numbers(reader.until(20))]
        while found[-1] != 400:
            found += [number or 0 for _, number in numbers(reader.until(1))]
    assert found == sorted(found)
    assert len(found) < 400
    assert Missed(BTC) in reader.missed


@pytest.mark.parametrize("scheme", ["kafka", "kafkas"])
def test_a_file_of_certificates_that_is_not_there_is_told(cluster: KafkaCluster, scheme: str) -> None:
    address = cluster.address.replace("kafka:", f"{scheme}:")
    sink = KafkaSink(address, ca="/nowhere.pem")
    with pytest.raises(SinkError, match=r"ca: /nowhere\.pem holds no certificates to trust: No such file") as refused:
        sink.open()
    assert cluster.secret not in str(refused.value)


def test_a_file_that_holds_no_certificates_is_told(cluster: KafkaCluster, tmp_path: Path) -> None:
    file = tmp_path / "ca.pem"
    file.write_text("no certificate")
    with pytest.raises(SinkError, match=r"ca: .*ca\.pem holds no certificates to trust") as refused:
        KafkaSink(cluster.address.replace("kafka:", "kafkas:"), ca=str(file)).open()
    assert cluster.secret not in str(refused.value)
