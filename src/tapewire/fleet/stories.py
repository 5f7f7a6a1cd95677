"""Where the accounts of a fleet stand: a value each in a key-value bucket of NATS, and a stream of its own."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from tapewire.client.accounts import Story, read_story, write_story
from tapewire.errors import DecodeError
from tapewire.fleet.reading import asked, messages_since
from tapewire.model.events import Event
from tapewire.sinks.brokers.letters import unpack

if TYPE_CHECKING:
    from nats.js import JetStreamContext
    from nats.js.kv import KeyValue


class Stories:
    """Reads and writes one account's.

    Args:
        js: gives JetStream; raises Away when there is no line.
        bucket: of the stories, made when it is absent. replicas: servers that keep it.
        account: its name.
        stream, prefix: where its events are.
    """

    def __init__(
        self, js: Callable[[], JetStreamContext], *, bucket: str, replicas: int, account: str, stream: str, prefix: str
    ) -> None:
        self._js, self._bucket, self._replicas, self._key = js, bucket, replicas, account
        self._stream, self._pattern = stream, f"{prefix}.>"

    async def read(self) -> Story | None:
        """What was written last; None: nothing yet. Raises Away, DecodeError."""
        return await asked(self._read())

    async def begin(self, story: Story) -> bool:
        """Write the first one; False: somebody was quicker. Raises Away."""
        return await asked(self._create(write_story(story)))

    async def write(self, story: Story) -> None:
        """Write it in the place of the last one. Raises Away."""
        await asked(self._put(write_story(story)))

    async def told_since(self, since_ns: int) -> list[Event]:
        """The account's events that were stored since then (ns UTC), in their order. Raises Away."""
        return await asked(self._told_since(since_ns))

    async def _kv(self) -> KeyValue:
        from nats.js.errors import BucketNotFoundError  # noqa: PLC0415 - an optional extra

        try:
            return await self._js().key_value(self._bucket)
        except BucketNotFoundError:
            return await self._js().create_key_value(
                bucket=self._bucket, history=1, replicas=self._replicas,
                description="collectors of tapewire; what was told of each account",
            )  # fmt: skip

    async def _read(self) -> Story | None:
        from nats.js.errors import KeyNotFoundError  # noqa: PLC0415 - an optional extra

        try:
            entry = await (await self._kv()).get(self._key)
        except KeyNotFoundError:
            return None
        return read_story(entry.value or b"")

    async def _create(self, value: bytes) -> bool:
        from nats.js.errors import KeyWrongLastSequenceError  # noqa: PLC0415 - an optional extra

        try:
            await (await self._kv()).create(self._key, value)
        except KeyWrongLastSequenceError:
            return False
        return True

    async def _put(self, value: bytes) -> None:
        await (await self._kv()).put(self._key, value)

    async def _told_since(self, since_ns: int) -> list[Event]:
        from nats.js.errors import NotFoundError  # noqa: PLC0415 - an optional extra

        try:
            stored = await messages_since(self._js(), self._stream, self._pattern, since_ns, headers_only=False)
        except NotFoundError:  # no stream yet
            return []
        found: list[Event] = []
        for message in stored:
            try:
                items = unpack(message.headers or {}, message.data)
            except DecodeError:  # somebody else's, or of a newer program
                continue
            found += [item for item in items if isinstance(item, Event)]
        return found
