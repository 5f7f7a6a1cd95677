"""A Kafka cluster in memory, whose brokers go down and come back (docs/brokers/kafka.md: what it does not show)."""

from __future__ import annotations

import gc
import signal
import subprocess
import sys
from contextlib import closing
from pathlib import Path
from typing import Any, Self

from tapewire.sinks.brokers.kafka_looking import headers_of, received
from tests.sinks.brokers import mock_kafka
from tests.sinks.brokers.servers import PASSWORD, USER, Stored


class KafkaCluster:
    """Three brokers in one process, which lives from the first ``start`` to ``empty`` or the end of ``with``: their
    messages are in its memory alone, so ``kill`` has the brokers refuse everybody, and does not end it.
    """

    program = "confluent-kafka's mock cluster"

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._process: subprocess.Popen[str] | None = None
        self._places: list[str] = []

    @classmethod
    def is_there(cls) -> bool:
        return True

    @property
    def address(self) -> str:
        return f"kafka://{USER}:{PASSWORD}@{','.join(self._places)}"

    @property
    def refused_address(self) -> str:
        return f"kafka://{USER}:Wrong{PASSWORD}@{','.join(self._places)}"

    @property
    def secret(self) -> str:
        return PASSWORD

    @property
    def port(self) -> int:
        return int(self._places[0].rpartition(":")[2])

    def start(self) -> None:
        if self._process is None:
            self._process = subprocess.Popen(
                [sys.executable, mock_kafka.__file__, USER, PASSWORD],
                stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True,
            )  # fmt: skip
            assert self._process.stdout is not None
            self._places = self._process.stdout.readline().strip().split(",")
        else:
            self.tell("up")

    def kill(self) -> None:
        self.tell("down")

    def tell(self, words: str) -> None:
        """``down 2``: the second broker goes."""
        process = self._process
        if process is not None:
            assert process.stdin is not None
            assert process.stdout is not None
            process.stdin.write(f"{words}\n")
            process.stdin.flush()
            assert process.stdout.readline() == "done\n"

    def pause(self) -> None:
        assert self._process is not None
        self._process.send_signal(signal.SIGSTOP)

    def resume(self) -> None:
        assert self._process is not None
        self._process.send_signal(signal.SIGCONT)

    def empty(self) -> None:
        process, self._process = self._process, None
        if process is not None:
            process.kill()
            process.communicate()

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.empty()
        gc.collect()  # what a client left is told here and not in another test

    def settings(self) -> dict[str, Any]:
        return {
            "bootstrap.servers": ",".join(self._places), "security.protocol": "SASL_PLAINTEXT", "log_level": 0,
            "sasl.mechanism": "PLAIN", "sasl.username": USER, "sasl.password": PASSWORD,
        }  # fmt: skip

    def stored(self) -> list[Stored]:
        from confluent_kafka import Consumer, TopicPartition  # noqa: PLC0415 - an optional extra

        consumer = Consumer({**self.settings(), "group.id": "test", "enable.auto.commit": False})
        found: list[Stored] = []
        with closing(consumer):
            topics = consumer.list_topics(timeout=20).topics
            parts = [TopicPartition(name, part, 0) for name, topic in topics.items() for part in topic.partitions]
            count = sum(consumer.get_watermark_offsets(part, timeout=20)[1] for part in parts)
            consumer.assign(parts)
            while len(found) < count:
                for message in consumer.consume(count - len(found), 1):
                    assert message.error() is None
                    found.append((headers_of(message), received("", message).payload))
        return found
