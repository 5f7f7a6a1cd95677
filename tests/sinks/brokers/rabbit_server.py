"""A RabbitMQ server with streams on free ports of this host, with a folder and a port mapper of its own."""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
from collections import defaultdict
from contextlib import suppress
from pathlib import Path

import aio_pika
from aio_pika.abc import AbstractIncomingMessage

from tests.ports import free_port
from tests.sinks.brokers.servers import PASSWORD, USER, Server, Stored

#: Debian's wrapper in /usr/sbin runs it as another user, in a folder of the system.
_PROGRAM = "/usr/lib/rabbitmq/bin/rabbitmq-server"


#: Bytes of a message at most.
LARGEST = 4_000_000


class RabbitServer(Server):
    """It starts slowly: one serves many tests, each with a ``prefix`` of its own.

    Args:
        folder: for all it writes.
        keeps_streams: its first stream is made, and written down, when it starts. A lone server of 3.10 that is killed
            within the 3 s before it writes down who coordinates its streams has none that can be written to, ever.
    """

    program, scheme = _PROGRAM, "amqp"

    def __init__(self, folder: Path, *, keeps_streams: bool = False) -> None:
        super().__init__(folder)
        self._makes_stream = keeps_streams
        self.stream_port, self._distribution, self._mapper_port = free_port(), free_port(), free_port()
        self._mapper: subprocess.Popen[bytes] | None = None
        self.queue = "md"
        self._kept: dict[str, list[AbstractIncomingMessage]] = defaultdict(list)

    @classmethod
    def is_there(cls) -> bool:
        return Path(_PROGRAM).exists()

    @property
    def running(self) -> bool:
        return self._process is not None

    @property
    def stream_address(self) -> str:
        return f"rabbitmq-stream://{USER}:{PASSWORD}@127.0.0.1:{self.stream_port}"

    def command(self) -> list[str]:
        (self.folder / "enabled").write_text("[rabbitmq_stream].\n")
        (self.folder / "rabbit.conf").write_text(
            f"listeners.tcp.1 = 127.0.0.1:{self.port}\nstream.listeners.tcp.1 = 127.0.0.1:{self.stream_port}\n"
            f"stream.advertised_host = 127.0.0.1\nstream.advertised_port = {self.stream_port}\n"
            f"default_user = {USER}\ndefault_pass = {PASSWORD}\nlog.console = true\nlog.console.level = warning\n"
            f"max_message_size = {LARGEST}\n"
        )
        return [_PROGRAM]

    def environment(self) -> dict[str, str]:
        folder = str(self.folder)
        return {
            **os.environ, "HOME": folder, "RABBITMQ_NODENAME": f"tapewire-{self.port}@localhost",
            "RABBITMQ_NODE_PORT": str(self.port), "RABBITMQ_DIST_PORT": str(self._distribution),
            "RABBITMQ_MNESIA_BASE": f"{folder}/mnesia", "RABBITMQ_LOG_BASE": f"{folder}/logs", "RABBITMQ_LOGS": "-",
            "RABBITMQ_ENABLED_PLUGINS_FILE": f"{folder}/enabled", "RABBITMQ_CONFIG_FILE": f"{folder}/rabbit",
            "RABBITMQ_SERVER_ADDITIONAL_ERL_ARGS":
                "-kernel inet_dist_use_interface {127,0,0,1} -start_epmd false +sbwt none",
            "RABBITMQ_ALLOW_INPUT": "true",  # then the server takes the place of the script that starts it
            "ERL_EPMD_PORT": str(self._mapper_port), "ERL_EPMD_ADDRESS": "127.0.0.1",
        }  # fmt: skip

    def start(self) -> None:
        """Returns at once when it runs already."""
        if self.running:
            return
        self.folder.mkdir(exist_ok=True)
        if self._mapper is None:
            port = str(self._mapper_port)
            self._mapper = subprocess.Popen(["epmd", "-port", port, "-address", "127.0.0.1"], env=self.environment())
        with (self.folder / "log").open("ab") as log:
            self._process = subprocess.Popen(
                self.command(), stdin=subprocess.PIPE, stdout=log, stderr=log, env=self.environment(),
                start_new_session=True,
            )  # fmt: skip
        self._until_it_answers(1_200)
        if self._makes_stream:
            asyncio.run(self._make_stream())
            self.wait_until(self._has_written_its_coordinator)
            self._makes_stream = False

    async def _make_stream(self) -> None:
        async with await aio_pika.connect(self.address) as connection:
            await (await connection.channel()).declare_queue(
                "first", durable=True, arguments={"x-queue-type": "stream"}
            )

    def _has_written_its_coordinator(self) -> bool:
        return any(
            b"rabbit_stream_coordinator" in names.read_bytes()
            for names in self.folder.glob("mnesia/*/coordination/*/names.dets")
        )

    def kill(self) -> None:
        process, self._process = self._process, None
        if process is not None:
            with suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
            process.communicate()

    def end(self) -> None:
        """It and its port mapper."""
        self.kill()
        mapper, self._mapper = self._mapper, None
        if mapper is not None:
            mapper.kill()
            mapper.wait(20)

    def __exit__(self, *_: object) -> None:
        self.end()
        super().__exit__()

    def stored(self) -> list[Stored]:
        """What the queue ``self.queue`` got so far."""
        return [({name: str(value) for name, value in one.headers.items()}, one.body) for one in self.messages()]

    def messages(self) -> list[AbstractIncomingMessage]:
        """As ``stored``, whole. They are taken and kept here: what is put back is not in its order any more."""
        kept = self._kept[self.queue]
        kept += asyncio.run(self._take())
        return kept

    async def _take(self) -> list[AbstractIncomingMessage]:
        found: list[AbstractIncomingMessage] = []
        async with await aio_pika.connect(self.address) as connection:
            queue = await (await connection.channel()).get_queue(self.queue)
            while (message := await queue.get(no_ack=True, fail=False, timeout=20)) is not None:
                found.append(message)
        return found
