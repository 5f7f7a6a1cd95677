"""Real brokers on free ports of this host, in folders of their own, to be killed and paused at will."""

from __future__ import annotations

import asyncio
import gc
import shutil
import signal
import socket
import subprocess
import threading
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager, closing
from functools import partial
from pathlib import Path
from typing import Any, Self

from tapewire.sinks.brokers.nats_line import hang_up
from tests.ports import free_port

USER, PASSWORD = "collector", "CanaryPassword0123456789"
#: What was stored: headers, payload.
Stored = tuple[Mapping[str, str], bytes]


class Server:
    """One process of a broker; ``with`` ends it."""

    program: str
    scheme: str

    def __init__(self, folder: Path) -> None:
        self.folder, self.port = folder, free_port()
        self._process: subprocess.Popen[bytes] | None = None

    @classmethod
    def is_there(cls) -> bool:
        return shutil.which(cls.program) is not None

    @property
    def address(self) -> str:
        return f"{self.scheme}://{USER}:{PASSWORD}@127.0.0.1:{self.port}"

    @property
    def refused_address(self) -> str:
        return f"{self.scheme}://{USER}:Wrong{PASSWORD}@127.0.0.1:{self.port}"

    @property
    def secret(self) -> str:
        return PASSWORD

    def command(self) -> list[str]:
        raise NotImplementedError

    def stored(self) -> list[Stored]:
        raise NotImplementedError

    def empty(self) -> None:
        shutil.rmtree(self.folder, ignore_errors=True)

    def start(self) -> None:
        self.folder.mkdir(exist_ok=True)
        log = (self.folder / "log").open("ab")
        with log:
            self._process = subprocess.Popen(self.command(), stdout=log, stderr=log)
        self._until_it_answers(400)

    def _until_it_answers(self, tries: int) -> None:
        self.wait_until(self._answers, tries)

    def wait_until(self, is_so: Callable[[], bool], tries: int = 400) -> None:
        """Asks again each 0.05 s while it runs."""
        assert self._process is not None
        patience = threading.Event()
        for _ in range(tries):
            if is_so():
                return
            assert self._process.poll() is None, (self.folder / "log").read_text()
            patience.wait(0.05)
        raise AssertionError(f"{self.program} does not start: {(self.folder / 'log').read_text()}")

    def kill(self) -> None:
        if self._process is not None:
            self._process.kill()
            self._process.wait(20)
            self._process = None

    def pause(self) -> None:
        assert self._process is not None
        self._process.send_signal(signal.SIGSTOP)

    def resume(self) -> None:
        assert self._process is not None
        self._process.send_signal(signal.SIGCONT)

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.kill()
        gc.collect()  # what a client left is told here and not in another test

    def _answers(self) -> bool:
        try:
            with closing(socket.create_connection(("127.0.0.1", self.port), 1)):
                return True
        except OSError:
            return False


@asynccontextmanager
async def nats_client(*addresses: str) -> AsyncIterator[Any]:
    """A client that does not come back by itself, and whose line is closed at the end whatever became of it."""
    import nats  # noqa: PLC0415 - an optional extra

    client = await nats.connect(list(addresses), allow_reconnect=False)
    try:
        yield client
    finally:
        await hang_up(client)


async def _answered(ask: Callable[[], Awaitable[Any]], about: str) -> Any:
    """An answer of NATS. A server that has just come back may lose a question without an answer."""
    import nats  # noqa: PLC0415 - an optional extra

    for _ in range(5):
        try:
            return await ask()
        except nats.errors.TimeoutError:
            continue
    raise AssertionError(f"nobody answers: {about}")


class NatsServer(Server):
    program, scheme = "nats-server", "nats"

    def command(self) -> list[str]:
        config = self.folder / "nats.conf"
        config.write_text(
            f"listen: 127.0.0.1:{self.port}\njetstream {{ store_dir: {str(self.folder / 'store')!r} }}\n"
            f"authorization {{ user: {USER}, password: {PASSWORD} }}\n"
        )
        return [self.program, "-c", str(config)]

    def stored(self, stream: str = "md") -> list[Stored]:
        return asyncio.run(self._stored(stream))

    async def _stored(self, stream: str) -> list[Stored]:
        async with nats_client(self.address) as client:
            js = client.jetstream(timeout=10)
            count = (await _answered(partial(js.stream_info, stream), stream)).state.messages
            found: list[Stored] = []
            begin = partial(js.subscribe, ">", ordered_consumer=True, stream=stream)
            fetched = await _answered(begin, f"a reader of {stream}") if count else None
            while fetched is not None and len(found) < count:
                message = await fetched.next_msg(20)
                found.append((message.headers or {}, message.data))
            return found


class RedisServer(Server):
    program, scheme = "redis-server", "redis"

    def command(self) -> list[str]:
        return [
            self.program, "--port", str(self.port), "--bind", "127.0.0.1", "--dir", str(self.folder), "--save", "",
            "--appendonly", "yes", "--appendfsync", "always", "--user", "default", "off",
            "--user", USER, "on", f">{PASSWORD}", "~*", "&*", "+@all",
        ]  # fmt: skip

    def stored(self) -> list[Stored]:
        import redis  # noqa: PLC0415 - an optional extra

        with closing(redis.Redis.from_url(self.address)) as client:
            found: list[Stored] = []
            for name in sorted(client.scan_iter("md.*", _type="stream")):
                rows: Any = client.xrange(name)
                for _, fields in rows:
                    payload = fields.pop(b"payload")
                    found.append(({key.decode(): value.decode() for key, value in fields.items()}, payload))
            return found


class NatsCluster:
    """Three servers that keep a stream together."""

    def __init__(self, folder: Path) -> None:
        routes = [free_port() for _ in range(3)]
        self.servers = [_Node(folder / f"n{number}", number, routes) for number in range(3)]

    @property
    def address(self) -> str:
        places = ",".join(f"{USER}:{PASSWORD}@127.0.0.1:{server.port}" for server in self.servers)
        return f"nats://{places}"

    def __enter__(self) -> Self:
        for server in self.servers:
            server.start()
        return self

    def __exit__(self, *_: object) -> None:
        for server in self.servers:
            server.kill()
        gc.collect()

    def stored(self) -> list[Stored]:
        return self.servers[0].stored()

    def leader(self, stream: str = "md") -> NatsServer:
        """The one that orders what is stored."""
        return next(one for one in self.servers if one.name == asyncio.run(self._leader(stream)))

    async def _leader(self, stream: str) -> str:
        async with nats_client(*(server.address for server in self.servers)) as client:
            js = client.jetstream(timeout=10)
            found = await _answered(partial(js.stream_info, stream), stream)
            assert found.cluster is not None
            return str(found.cluster.leader)


class _Node(NatsServer):
    def __init__(self, folder: Path, number: int, routes: list[int]) -> None:
        super().__init__(folder)
        self.name, self._routes, self._number = f"n{number}", routes, number

    def command(self) -> list[str]:
        config, store = self.folder / "nats.conf", str(self.folder / "store")
        others = [f"nats://127.0.0.1:{port}" for port in self._routes if port != self._routes[self._number]]
        config.write_text(
            f"listen: 127.0.0.1:{self.port}\nserver_name: {self.name}\njetstream {{ store_dir: {store!r} }}\n"
            f"authorization {{ user: {USER}, password: {PASSWORD} }}\n"
            f"cluster {{ name: c, listen: 127.0.0.1:{self._routes[self._number]}, routes: {others} }}\n"
        )
        return [self.program, "-c", str(config)]
