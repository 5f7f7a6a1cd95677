"""What stands behind RabbitMQ's exchange: queues and streams, their kinds and bounds (pure)."""

from __future__ import annotations

from typing import Any, Literal

from msgspec import Struct

from tapewire.errors import ConfigError

_QUEUES = ("quorum", "classic", "stream", "none")
#: Bytes of a name or a routing key at most: AMQP counts them in one byte.
NAME_MOST = 255


class QueueOptions(Struct, frozen=True, kw_only=True):
    """What stands behind the exchange, when it has to be made; what is there stays as it is.

    Attributes:
        exchange: name of the topic exchange; None: the prefix.
        queue: ``"quorum"`` or ``"classic"``: one queue of everything, for programs that share the work; ``"stream"``: a
            stream for each kind (``md.upbit.kr.trade``), which any number of readers read each for itself, also
            backwards; ``"none"``: who wants something binds a queue, and what nobody wants is gone.
        max_len: messages of a queue at most, then its oldest go; None: all. Not of streams.
        max_age: seconds for which messages are kept; 0: for ever.
        max_bytes: bytes of each queue or stream at most, then its oldest go; None: all.
        segment: bytes of one file of a stream: they go file by file.
    """

    exchange: str | None = None
    queue: Literal["quorum", "classic", "stream", "none"] = "quorum"
    max_len: int | None = 1_000_000
    max_age: float = 86400.0
    max_bytes: int | None = None
    segment: int = 100_000_000

    def __post_init__(self) -> None:
        if self.queue not in _QUEUES:
            raise ConfigError("queue", self.queue, " or ".join(f'"{word}"' for word in _QUEUES))
        for option in ("max_len", "max_bytes", "segment"):
            value = getattr(self, option)
            if value is not None and not value >= 1:
                raise ConfigError(option, value, "1 or more" if option == "segment" else "1 or more, or None for all")
        if not self.max_age >= 0:
            raise ConfigError("max_age", self.max_age, "0 or more")
        if self.exchange == "" or len((self.exchange or "").encode()) > NAME_MOST:
            raise ConfigError("exchange", self.exchange, f"a name of 1 to {NAME_MOST} bytes, or None for the prefix")

    def arguments(self) -> dict[str, Any]:
        """Of ``queue.declare``."""
        found: dict[str, Any] = {"x-queue-type": self.queue}
        if self.max_bytes is not None:
            found["x-max-length-bytes"] = self.max_bytes
        if self.queue == "stream":
            found["x-stream-max-segment-size-bytes"] = self.segment
            return found | ({"x-max-age": f"{round(self.max_age)}s"} if self.max_age else {})
        if self.max_len is not None:
            found["x-max-length"] = self.max_len
        return found | ({"x-message-ttl": round(self.max_age * 1000)} if self.max_age else {})


def plain_name(text: str) -> str:
    """A name that every client takes: ``aiormq`` refuses ``%`` in a queue's."""
    return text.replace("%", "@")


def stream_of(subject: str) -> str:
    """The stream that a message of this subject goes to: its kind's."""
    return plain_name(subject.rpartition(".")[0])
