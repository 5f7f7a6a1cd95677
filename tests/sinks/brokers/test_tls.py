"""Brokers behind TLS: who is trusted, who is let in, and what is said when somebody is not."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from tapewire import WebSocketClient
from tapewire.errors import FeedError, SinkError
from tapewire.model.events import TradeEvent
from tapewire.model.status import Disconnected, FeedEvent
from tapewire.sinks.brokers.address import Address
from tapewire.sinks.brokers.link import NotLetIn
from tapewire.sinks.brokers.nats import NatsSink
from tapewire.sinks.brokers.redis import RedisSink
from tapewire.sinks.brokers.redis_line import SCHEMES, RedisLine
from tapewire.sinks.brokers.sink import BrokerSink
from tests.sinks.brokers.servers import PASSWORD, USER, NatsServer, RedisServer
from tests.transport.certificates import Authority

TOKEN = "CanaryToken0123456789"


class TlsNats(NatsServer):
    scheme = "tls"
    certificate = "good"
    authorization = f"user: {USER}, password: {PASSWORD}"

    def command(self) -> list[str]:
        command = super().command()
        config, keys = self.folder / "nats.conf", self.folder.parent
        config.write_text(
            f"listen: 127.0.0.1:{self.port}\njetstream {{ store_dir: {str(self.folder / 'store')!r} }}\n"
            f"authorization {{ {self.authorization} }}\n"
            f"tls {{ cert_file: {keys / self.certificate!s}.pem, key_file: {keys / self.certificate!s}.key }}\n"
        )
        return command


class TlsRedis(RedisServer):
    scheme = "rediss"
    certificate = "good"

    def command(self) -> list[str]:
        keys = self.folder.parent
        return [
            *super().command(), "--port", "0", "--tls-port", str(self.port), "--tls-auth-clients", "no",
            "--tls-cert-file", f"{keys / self.certificate}.pem", "--tls-key-file", f"{keys / self.certificate}.key",
            "--tls-ca-cert-file", str(keys / "ca.pem"),
            "--user", "reader", "on", f">{PASSWORD}", "~md.upbit.kr.trade.*", "+@read", "+@connection", "+@admin",
        ]  # fmt: skip


KINDS: dict[str, tuple[type[TlsNats | TlsRedis], Callable[..., BrokerSink]]] = {
    "nats": (TlsNats, NatsSink),
    "redis": (TlsRedis, RedisSink),
}


class Stand:
    def __init__(self, server: TlsNats | TlsRedis, make: Callable[..., BrokerSink], keys: Path) -> None:
        self.server, self.make, self.keys = server, make, keys

    @property
    def ca(self) -> str:
        return str(self.keys / "ca.pem")

    def refusal(self, address: str = "", **options: Any) -> str:
        """What ``open`` says."""
        sink = self.make(address or self.server.address, **options)
        with pytest.raises(SinkError) as refused:
            sink.open()
        said = str(refused.value)
        assert PASSWORD not in said + repr(refused.value) + repr(sink)
        assert TOKEN not in said + repr(refused.value) + repr(sink)
        return said


@pytest.fixture(params=KINDS)
def stand(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Stand]:
    kind, make = KINDS[request.param]
    if not kind.is_there():
        pytest.skip(f"{kind.program} is not installed: make servers")
    authority = Authority(tmp_path)
    authority.server("good")
    authority.server("old", days="0")
    with kind(tmp_path / "server") as server:
        yield Stand(server, make, tmp_path)


def trade(number: int) -> TradeEvent:
    return TradeEvent(venue="upbit", symbol="KRW-BTC", sequential_id=number, trade_price=1.0, timestamp=number)


def written(sink: BrokerSink, *numbers: int) -> None:
    with closing(sink):
        sink.open()
        sink.write([trade(number) for number in numbers])
        sink.flush()
        assert sum(row.events for row in sink.written()) == len(numbers)


async def test_who_trusts_the_authority_writes_and_reads(stand: Stand) -> None:
    written(stand.make(stand.server.address, ca=stand.ca), 1, 2, 3)
    async with WebSocketClient("reader", url=f"{stand.server.address}?ca={stand.ca}") as client:
        [newest] = await client.trade_snapshot("KRW-BTC", timeout=40)
    assert newest.sequential_id == 3


@pytest.mark.parametrize("stand", ["redis"], indirect=True)
async def test_a_line_is_cut_at_once_though_the_server_hangs(stand: Stand) -> None:
    line = RedisLine(Address(stand.server.address, SCHEMES), stand.ca, 20.0)
    await line.connect()
    asking = asyncio.create_task(line.ask([("PING",)]))
    stand.server.pause()
    try:
        asking.cancel()
        await asyncio.wait({asking})
        await line.close()
    finally:
        stand.server.resume()


def test_no_log_shows_the_password(stand: Stand, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.DEBUG):
        written(stand.make(stand.server.address, ca=stand.ca), 1)
        stand.refusal(stand.server.address.replace(PASSWORD, f"Wrong{PASSWORD}"), ca=stand.ca)
    assert PASSWORD not in caplog.text


def test_who_does_not_trust_it_says_so(stand: Stand) -> None:
    assert "certificate" in stand.refusal()


def test_a_certificate_that_is_over_is_told(stand: Stand) -> None:
    stand.server.kill()
    stand.server.certificate = "old"
    stand.server.start()
    assert "expired" in stand.refusal(ca=stand.ca)


def test_a_wrong_password_is_told(stand: Stand) -> None:
    said = stand.refusal(stand.server.refused_address, ca=stand.ca).lower()
    assert "authorization violation" in said or "username-password" in said


@pytest.mark.parametrize("stand", ["redis"], indirect=True)
def test_a_refused_login_leaves_no_line_open(stand: Stand) -> None:
    async def knock() -> None:
        line = RedisLine(Address(stand.server.refused_address, SCHEMES), stand.ca, 20.0)
        with pytest.raises(NotLetIn):
            await line.connect()

    for _ in range(20):  # what is left open is told at the end (``Server.__exit__``)
        asyncio.run(knock())


def test_a_file_that_is_not_there_is_told(stand: Stand) -> None:
    assert "nowhere.pem" in stand.refusal(ca=str(stand.keys / "nowhere.pem"))


async def test_a_reader_that_does_not_trust_it_ends_with_the_reason(stand: Stand) -> None:
    told: list[FeedEvent] = []
    client = WebSocketClient("reader", url=stand.server.address, max_retries=1, backoff_base=0.01)
    client.subscribe_feed(told.append)
    handle = await client.subscribe_trade("KRW-BTC", lambda _event: None)
    with pytest.raises(FeedError, match="certificate"):
        await handle.live(timeout=40)
    await client.cleanup()
    assert PASSWORD not in repr(told)
    assert any(isinstance(event, Disconnected) for event in told)


@pytest.mark.parametrize("stand", ["nats"], indirect=True)
def test_a_token_stands_in_the_place_of_the_user(stand: Stand) -> None:
    assert isinstance(stand.server, TlsNats)
    stand.server.kill()
    stand.server.authorization = f"token: {TOKEN}"
    stand.server.start()
    place = f"127.0.0.1:{stand.server.port}"
    written(stand.make(f"tls://{TOKEN}@{place}", ca=stand.ca), 1)
    assert "authorization violation" in stand.refusal(f"tls://Wrong{TOKEN}@{place}", ca=stand.ca).lower()


@pytest.mark.parametrize("stand", ["nats"], indirect=True)
def test_a_file_of_credentials_that_cannot_be_used_is_told(stand: Stand) -> None:
    said = stand.refusal(ca=stand.ca, credentials=str(stand.keys / "nowhere.creds"))
    assert "nkeys" in said or "nowhere.creds" in said


@pytest.mark.parametrize("stand", ["redis"], indirect=True)
def test_who_may_only_read_writes_nothing_and_is_told(stand: Stand) -> None:
    sink = stand.make(f"rediss://reader:{PASSWORD}@127.0.0.1:{stand.server.port}", ca=stand.ca, close_timeout=0.5)
    sink.open()
    sink.write([trade(1)])
    sink.flush()
    assert "permission" in sink.figures.away.lower()
    with pytest.raises(SinkError, match="1 events were not confirmed"):
        sink.close()
