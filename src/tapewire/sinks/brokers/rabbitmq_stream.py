"""The sink for RabbitMQ's own stream protocol: batches, and a publishing id by which the server drops doubles."""

from __future__ import annotations

import asyncio
import contextlib
import os
from collections import defaultdict
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any
from urllib.parse import unquote, urlsplit

from msgspec import Struct

from tapewire.errors import ConfigError
from tapewire.sinks.brokers.address import Address
from tapewire.sinks.brokers.amqp_message import encode
from tapewire.sinks.brokers.letters import Message
from tapewire.sinks.brokers.link import Away, NotLetIn, Refused, Unconfirmed, Verdict
from tapewire.sinks.brokers.options import BrokerOptions, read_options
from tapewire.sinks.brokers.rabbitmq_queues import stream_of
from tapewire.sinks.brokers.sink import BrokerSink
from tapewire.sinks.brokers.trust import trusting

if TYPE_CHECKING:
    from rstream import ConfirmationStatus, Producer, RawMessage

    from tapewire.sinks.brokers.rstream_pool import Pool

SCHEMES = ("rabbitmq-stream", "rabbitmq-streams")
_PORT, _PORT_TLS = 5552, 5551
#: Bytes of a frame at most, and of what stands in it beside messages, and beside each.
_FRAME, _HEAD, _EACH = 1024 * 1024, 64, 12
_NO_STREAM = "a queue of another type has its name, or it does not take max_age, max_bytes or segment as they are"


class StreamOptions(Struct, frozen=True, kw_only=True):
    """The streams, when they have to be made; what is there stays as it is.

    Attributes:
        max_age: seconds for which messages are kept; 0: for ever.
        max_bytes: bytes of each stream at most, then its oldest go; None: all.
        segment: bytes of one file of a stream: they go file by file.
        publisher: by this name the server knows which messages it has; no two sinks may use one at a time. None: one
            that nobody else has.
    """

    max_age: float = 86400.0
    max_bytes: int | None = None
    segment: int = 100_000_000
    publisher: str | None = None

    def __post_init__(self) -> None:
        for option in ("max_bytes", "segment"):
            value = getattr(self, option)
            if value is not None and not value >= 1:
                raise ConfigError(option, value, "1 or more")
        if not self.max_age >= 0:
            raise ConfigError("max_age", self.max_age, "0 or more")
        if self.publisher is not None and not 0 < len(self.publisher.encode()) < 256:
            raise ConfigError("publisher", self.publisher, "a name of 1 to 255 bytes, or None")

    def arguments(self) -> dict[str, str]:
        """Of a stream that is made."""
        found = {"stream-max-segment-size-bytes": str(self.segment)}
        if self.max_bytes is not None:
            found["max-length-bytes"] = str(self.max_bytes)
        return found | ({"max-age": f"{round(self.max_age)}s"} if self.max_age else {})


class RabbitStreamSink(BrokerSink):
    """Writes to the streams ``md.upbit.kr.trade`` and the like, which readers of ``amqp://`` hear.

    Args:
        target: ``rabbitmq-stream://user:password@host:5552/vhost``, ``rabbitmq-streams://…`` (TLS).
        ca: file with the certificates to trust, in place of the system's (TLS).
        options: fields of ``StreamOptions`` and ``BrokerOptions``.
    """

    def __init__(self, target: str, *, ca: str | None = None, **options: Any) -> None:
        streams, common = read_options(StreamOptions, options)
        address = Address(target, SCHEMES)
        if len(address.urls) > 1:
            raise ConfigError("address", address.shown, "one server: it names the others of its cluster")
        super().__init__(lambda: RabbitStreamLink(address, streams, common, ca), address.shown, common)


class RabbitStreamLink:
    """One producer with a publisher for each stream. What was stored before a loss, though nobody said so, is known
    afterwards by its publishing id, and is not sent again; what the server was just about to store may be there twice.
    """

    in_order = False

    def __init__(self, address: Address, streams: StreamOptions, options: BrokerOptions, ca: str | None) -> None:
        self._address, self._streams, self._options, self._ca = address, streams, options, ca
        self._name = streams.publisher or f"tapewire-{os.getpid()}-{os.urandom(6).hex()}"
        self._producer: Producer | None = None
        self._pool: Pool | None = None
        self._lines: dict[str, _Line] = {}
        self._sent: dict[str, dict[str, int]] = defaultdict(dict)
        """Publishing id of each message that is not confirmed, by stream and message."""

    async def connect(self) -> None:
        """Connect; streams are made when something is written to them."""
        try:
            from rstream import Producer, exceptions  # noqa: PLC0415 - an optional extra
            from rstream.recovery import BackOffRecoveryStrategy  # noqa: PLC0415

            from tapewire.sinks.brokers.rstream_pool import Pool  # noqa: PLC0415
        except ImportError:
            raise NotLetIn("the extra rabbitmq is needed: pip install tapewire[rabbitmq]") from None
        self._lost: asyncio.Future[str] = asyncio.get_running_loop().create_future()
        self._lines = {}
        url = urlsplit(str.__str__(self._address.urls[0]))
        safe = url.scheme == SCHEMES[1]
        producer = Producer(
            url.hostname or "", url.port or (_PORT_TLS if safe else _PORT), vhost=unquote(url.path[1:]) or "/",
            username=unquote(url.username or "guest"), password=unquote(url.password or "guest"), max_retries=1,
            ssl_context=trusting(self._ca) if safe else None, frame_max=_FRAME,
            on_close_handler=self._closed, recovery_strategy=BackOffRecoveryStrategy(enable=False), heartbeat=5,
        )  # fmt: skip
        producer._pool = self._pool = Pool.in_place_of(producer._pool)  # noqa: SLF001 - its clients need mending
        self._producer = producer
        try:
            await producer.start()
        except (exceptions.AuthenticationFailure, exceptions.VirtualHostAccessFailure, exceptions.SASLError) as error:
            raise NotLetIn(_words(error)) from None
        except (exceptions.ServerError, exceptions.ClientError, OSError, TimeoutError) as error:
            raise Away(_words(error)) from None

    async def send(self, group: Sequence[Message]) -> Sequence[Verdict]:
        """Write all, each stream's in batches, and wait until each was confirmed."""
        from rstream import exceptions  # noqa: PLC0415 - an optional extra

        verdicts: list[Verdict] = [Unconfirmed("no answer")] * len(group)
        streams: dict[str, list[int]] = defaultdict(list)
        for position, message in enumerate(group):
            streams[stream_of(message.subject)].append(position)
        try:
            for stream in streams.keys() - self._lines.keys():
                self._lines[stream] = await self._line(stream)
            await asyncio.gather(
                *(self._write(stream, group, positions, verdicts) for stream, positions in streams.items())
            )
        except (exceptions.ServerError, exceptions.ClientError, OSError, TimeoutError) as error:
            raise Away(_words(error)) from None
        for stream, positions in streams.items():
            for position in positions:
                if verdicts[position] is None:  # whoever did not wait for it asks again
                    self._sent[stream].pop(group[position].id, None)
        return verdicts

    async def close(self) -> None:
        """Cut the line."""
        pool, self._producer, self._pool = self._pool, None, None
        if pool is not None:
            await pool.hang_up()

    async def _line(self, stream: str) -> _Line:
        """A stream that is first written to on this line: made if absent, and asked what it has of us."""
        from rstream import exceptions  # noqa: PLC0415 - an optional extra

        producer = self._open()
        with contextlib.suppress(exceptions.PreconditionFailed):  # it is there with other arguments, or nothing made it
            await producer.create_stream(stream, arguments=self._streams.arguments(), exists_ok=True)
        try:
            publisher: Any = await producer._get_or_create_publisher(stream, self._name)  # noqa: SLF001 - it asks
        except exceptions.StreamDoesNotExist:
            raise Away(f"the server makes no stream {stream}: {_NO_STREAM}") from None
        return _Line(int(publisher.sequence.next()) - 1, self._sent[stream])

    async def _write(
        self, stream: str, group: Sequence[Message], positions: Sequence[int], verdicts: list[Verdict]
    ) -> None:
        line = self._lines[stream]
        new: list[tuple[int, RawMessage]] = []
        for position in sorted(positions, key=lambda one: line.sent.get(group[one].id, line.newest + 1)):
            message = group[position]
            wire = encode(message.subject, message.id, message.headers, message.payload)
            number = line.number(message.id)
            if number is None:
                verdicts[position] = None
            elif len(wire) > _FRAME - _HEAD - _EACH:
                del line.sent[message.id]
                verdicts[position] = Refused(f"{len(wire):,} bytes are more than a frame of RabbitMQ's streams takes")
            else:
                new.append((position, _raw(wire, number)))
        for batch in _batches(new):
            await self._publish(stream, batch, verdicts)

    async def _publish(self, stream: str, batch: Sequence[tuple[int, RawMessage]], verdicts: list[Verdict]) -> None:
        waiting = {message.publishing_id: position for position, message in batch}
        answered = asyncio.get_running_loop().create_future()

        def hear(status: ConfirmationStatus) -> None:
            position = waiting.pop(status.message_id, None)
            if position is not None:
                words = f"the stream takes no more at present: {status.response_code}"
                verdicts[position] = None if status.is_confirmed else Unconfirmed(words)
            if not waiting and not answered.done():
                answered.set_result(None)

        messages = [message for _, message in batch]
        await self._open().send_batch(stream, messages, publisher_name=self._name, on_publish_confirm=hear)
        await asyncio.wait({answered, self._lost}, return_when=asyncio.FIRST_COMPLETED)
        self._open()

    def _closed(self, closed: Any) -> None:
        if not self._lost.done():
            self._lost.set_result(str(closed.reason or "the line is lost"))

    def _open(self) -> Producer:
        if self._producer is None or self._lost.done():
            raise Away(self._lost.result() if self._lost.done() else "the line is lost")
        return self._producer


class _Line:
    """The publishing ids of one stream on one line. The server drops a message whose id is not larger than the last: so
    a message has the id again that it had on the line before, unless a larger one was sent since.

    Args:
        stored: the largest that the stream has of us. sent: of each message that is not confirmed; kept up to date.
    """

    def __init__(self, stored: int, sent: dict[str, int]) -> None:
        self.stored = self._last = stored
        self.newest = max(stored, *sent.values()) if sent else stored
        self.sent = sent

    def number(self, message: str) -> int | None:
        """The id to send it with; None: the stream has it. To be asked in the order of sending."""
        number = self.sent.get(message, 0)
        if 0 < number <= self.stored:
            del self.sent[message]
            return None
        if number <= self._last:
            self.newest = number = self.newest + 1
        self._last = self.sent[message] = number
        return number


def _raw(wire: bytes, number: int) -> RawMessage:
    from rstream import RawMessage  # noqa: PLC0415 - an optional extra

    return RawMessage(wire, number)


def _batches(wires: Sequence[tuple[int, RawMessage]]) -> Iterator[list[tuple[int, RawMessage]]]:
    """As many as one frame takes, in their order."""
    batch: list[tuple[int, RawMessage]] = []
    size = _HEAD
    for one in wires:
        if batch and size + _EACH + len(one[1].data) > _FRAME:
            yield batch
            batch, size = [], _HEAD
        batch.append(one)
        size += _EACH + len(one[1].data)
    if batch:
        yield batch


def _words(error: BaseException) -> str:
    return str(error) or type(error).__name__
