"""RabbitMQ behind TLS, by AMQP and by its stream protocol: who is trusted, who is let in, and what is said else."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from tapewire import WebSocketClient
from tapewire.errors import FeedError, SinkError
from tapewire.model.events import TradeEvent
from tapewire.sinks.brokers.rabbitmq import RabbitSink
from tapewire.sinks.brokers.rabbitmq_stream import RabbitStreamSink
from tapewire.sinks.brokers.sink import BrokerSink
from tests.ports import free_port
from tests.sinks.brokers.rabbit_server import RabbitServer
from tests.sinks.brokers.servers import PASSWORD, USER
from tests.transport.certificates import Authority

pytestmark = [pytest.mark.slow, pytest.mark.timeout(400)]


class TlsRabbit(RabbitServer):
    """Beside the open ports it has two with TLS, whose certificate the authority in the folder above has signed."""

    def __init__(self, folder: Path) -> None:
        super().__init__(folder)
        self.tls_port, self.stream_tls_port = free_port(), free_port()

    def command(self) -> list[str]:
        command, keys = super().command(), self.folder.parent
        with (self.folder / "rabbit.conf").open("a") as config:
            config.write(
                f"listeners.ssl.1 = 127.0.0.1:{self.tls_port}\n"
                f"stream.listeners.ssl.1 = 127.0.0.1:{self.stream_tls_port}\n"
                f"stream.advertised_tls_host = 127.0.0.1\nstream.advertised_tls_port = {self.stream_tls_port}\n"
                f"ssl_options.cacertfile = {keys}/ca.pem\nssl_options.certfile = {keys}/good.pem\n"
                f"ssl_options.keyfile = {keys}/good.key\nssl_options.verify = verify_none\n"
            )
        return command

    def at(self, scheme: str, password: str = PASSWORD) -> str:
        port = self.tls_port if scheme == "amqps" else self.stream_tls_port
        return f"{scheme}://{USER}:{password}@127.0.0.1:{port}"


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[TlsRabbit]:
    if not TlsRabbit.is_there():
        pytest.skip("make servers")
    keys = tmp_path_factory.mktemp("rabbit")
    Authority(keys).server("good")
    with TlsRabbit(keys / "server") as running:
        yield running


SINKS: dict[str, Callable[..., BrokerSink]] = {"amqps": RabbitSink, "rabbitmq-streams": RabbitStreamSink}


def ca(server: TlsRabbit) -> str:
    return str(server.folder.parent / "ca.pem")


def trade(number: int) -> TradeEvent:
    return TradeEvent(venue="upbit", symbol="KRW-BTC", sequential_id=number, trade_price=1.0, timestamp=number)


def written(sink: BrokerSink, *numbers: int) -> None:
    with closing(sink):
        sink.open()
        sink.write([trade(number) for number in numbers])
        sink.flush()
        assert sum(row.events for row in sink.written()) == len(numbers)


def refusal(sink: BrokerSink) -> str:
    """What ``open`` says."""
    with pytest.raises(SinkError) as refused:
        sink.open()
    said = str(refused.value)
    assert PASSWORD not in said + repr(refused.value) + repr(sink)
    return said


@pytest.mark.parametrize(("scheme", "options"), [("amqps", {"queue": "stream"}), ("rabbitmq-streams", {})])
async def test_who_trusts_the_authority_writes_and_reads(
    server: TlsRabbit, scheme: str, options: dict[str, Any]
) -> None:
    prefix = scheme.partition("-")[0]
    written(SINKS[scheme](server.at(scheme), ca=ca(server), prefix=prefix, **options), 1, 2, 3)
    address = f"{server.at('amqps')}?ca={ca(server)}&prefix={prefix}"
    async with WebSocketClient("reader", url=address) as client:
        [newest] = await client.trade_snapshot("KRW-BTC", timeout=60)
    assert newest.sequential_id == 3


@pytest.mark.parametrize("scheme", SINKS)
def test_who_does_not_trust_it_says_so(server: TlsRabbit, scheme: str) -> None:
    assert "certificate" in refusal(SINKS[scheme](server.at(scheme))).lower()


@pytest.mark.parametrize("scheme", SINKS)
def test_a_wrong_password_is_told(server: TlsRabbit, scheme: str) -> None:
    said = refusal(SINKS[scheme](server.at(scheme, f"Wrong{PASSWORD}"), ca=ca(server))).lower()
    assert {"amqps": "access_refused", "rabbitmq-streams": "authenticationfailure"}[scheme] in said


@pytest.mark.parametrize("scheme", SINKS)
def test_no_log_shows_the_password(server: TlsRabbit, scheme: str, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.DEBUG):
        written(SINKS[scheme](server.at(scheme), ca=ca(server), prefix="logged"), 1)
        refusal(SINKS[scheme](server.at(scheme, f"Wrong{PASSWORD}"), ca=ca(server)))
    assert caplog.records, "their libraries log at DEBUG"
    assert PASSWORD not in caplog.text


@pytest.mark.parametrize("scheme", SINKS)
def test_a_file_that_is_not_there_is_told(server: TlsRabbit, scheme: str) -> None:
    assert "nowhere.pem" in refusal(SINKS[scheme](server.at(scheme), ca="/nowhere.pem"))


async def test_a_reader_that_does_not_trust_it_ends_with_the_reason(server: TlsRabbit) -> None:
    client = WebSocketClient("reader", url=server.at("amqps"), max_retries=1, backoff_base=0.01)
    handle = await client.subscribe_trade("KRW-BTC", lambda _event: None)
    with pytest.raises(FeedError, match=r"(?i)certificate"):
        await handle.live(timeout=60)
    await client.cleanup()
