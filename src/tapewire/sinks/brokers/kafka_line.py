"""The line to a Kafka cluster: settings of confluent-kafka from an address, topics and keys, its errors in words."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import lru_cache, partial
from typing import TYPE_CHECKING, Any, Literal, TypeVar, get_args
from urllib.parse import parse_qsl, unquote, urlsplit

from tapewire.errors import ConfigError
from tapewire.sinks.brokers.address import Address
from tapewire.sinks.brokers.link import Away, NotLetIn
from tapewire.sinks.brokers.trust import trusting

if TYPE_CHECKING:
    from confluent_kafka import Consumer, KafkaError, Producer

T = TypeVar("T")
SCHEMES = ("kafka", "kafkas")
Sasl = Literal["PLAIN", "SCRAM-SHA-256", "SCRAM-SHA-512"]
_PORT = 9092
#: Seconds of one call that blocks: so late is it seen that nobody waits for it any more.
SLICE = 0.1
#: Milliseconds between attempts to reach a broker, and until an unanswered request is given up.
_RECONNECT, _RECONNECT_MOST, _UNANSWERED = 50, 500, 10_000


class Cluster:
    """Where a cluster is, and how to log in.

    Args:
        target: ``kafka://user:password@a:9092,b:9092?sasl=SCRAM-SHA-512&ca=/etc/ca.pem``; ``kafkas://``: with TLS.
        sasl: how the password is shown to the broker. ca: file with the certificates to trust.

    Raises:
        ConfigError: it is no such address.
    """

    def __init__(self, target: str, sasl: str | None = None, ca: str | None = None) -> None:
        text, _, query = str.partition(target, "?")
        self._address = Address(text, SCHEMES)
        self.shown = self._address.shown
        given = dict(parse_qsl(query, keep_blank_values=True))
        self._sasl, self.ca = sasl or given.pop("sasl", "PLAIN"), ca or given.pop("ca", None)
        if given:
            raise ConfigError("address", f"…?{'&'.join(f'{name}=…' for name in given)}", "…?sasl=…&ca=… at most")
        if self._sasl not in get_args(Sasl):
            raise ConfigError("sasl", self._sasl, " or ".join(get_args(Sasl)))

    def settings(self) -> dict[str, Any]:
        """What librdkafka is told; holds the password."""
        urls = [urlsplit(str.__str__(url)) for url in self._address.urls]
        first, safe = urls[0], urls[0].scheme == "kafkas"
        found: dict[str, Any] = {
            "bootstrap.servers": ",".join(f"{_host(url.hostname)}:{url.port or _PORT}" for url in urls),
            "client.id": "tapewire", "log_level": 0, "socket.timeout.ms": _UNANSWERED,
            "reconnect.backoff.ms": _RECONNECT, "reconnect.backoff.max.ms": _RECONNECT_MOST,
            "enable.metrics.push": False,
        }  # fmt: skip
        if first.username:
            found |= {
                "security.protocol": "SASL_SSL" if safe else "SASL_PLAINTEXT", "sasl.mechanism": self._sasl,
                "sasl.username": unquote(first.username), "sasl.password": unquote(first.password or ""),
            }  # fmt: skip
        elif safe:
            found["security.protocol"] = "SSL"
        if self.ca is not None:
            found["ssl.ca.location"] = self.ca
        return found


class Told:
    """What librdkafka said of its connections by itself; called on whatever thread polls it."""

    def __init__(self) -> None:
        self._refused = self.last = ""
        self.troubled = self._none_left = False

    def hear(self, error: KafkaError) -> None:
        """An ``error_cb``: a broker of several that is lost is no loss yet."""
        self.troubled = True
        if error.name() == "_ALL_BROKERS_DOWN":
            self._none_left = True
            return
        self.last = words_of(error)
        if error.name() in _NOT_LET_IN:
            self._refused = self.last

    def reach(self, client: Producer | Consumer, seconds: float, going: Callable[[], bool]) -> None:
        """Ask the cluster for its brokers; blocks.

        Raises:
            Away, NotLetIn.
        """
        from confluent_kafka import KafkaException  # noqa: PLC0415 - an optional extra

        self._refused, self._none_left = "", False
        for _ in range(max(1, round(seconds / SLICE))):
            try:
                client.list_topics(timeout=SLICE)
            except KafkaException as error:
                client.poll(0)
                if self._refused:
                    raise NotLetIn(self._refused) from None
                last = error
                if self._none_left or not going():
                    break
            else:
                self.troubled = False
                return
        raise Away(self.last or words_of(last.args[0]))


#: Errors that no trying again mends.
_NOT_LET_IN = (
    "_AUTHENTICATION", "SASL_AUTHENTICATION_FAILED", "CLUSTER_AUTHORIZATION_FAILED", "UNSUPPORTED_SASL_MECHANISM",
    "_SSL",
)  # fmt: skip


def check_usable(cluster: Cluster) -> None:
    """Raises NotLetIn: the extra is missing, or the file of certificates cannot be used."""
    try:
        import confluent_kafka  # noqa: F401, PLC0415 - an optional extra
    except ImportError:
        raise NotLetIn("the extra kafka is needed: pip install tapewire[kafka]") from None
    if cluster.ca is not None:
        trusting(cluster.ca)


@lru_cache(maxsize=16_384)
def topic_and_key(subject: str) -> tuple[str, str]:
    """``md.upbit.kr.trade`` and ``KRW-BTC``. A topic's name may hold no ``%``: an ``_`` stands there."""
    topic, _, key = subject.rpartition(".")
    return topic.replace("%", "_"), key


def words_of(error: KafkaError) -> str:
    """An error of librdkafka for people: no name of a thread, no ``Local:``."""
    return error.str().removeprefix("Broker: ").removeprefix("Local: ")


class Calls:
    """Blocking calls of one client, one after the other on a thread of their own."""

    def __init__(self) -> None:
        self._thread = ThreadPoolExecutor(1, "tapewire kafka")

    def begin(self, work: Callable[[], T]) -> asyncio.Future[T]:
        """Have it done behind what is being done."""
        return asyncio.get_running_loop().run_in_executor(self._thread, work)

    async def end(self, *clients: Any) -> None:
        """Let go of them behind all else, one after the other; never raises."""
        try:
            for client in clients:
                await self.begin(partial(_close, client))
        finally:
            self._thread.shutdown(wait=False)


def _close(client: Any) -> None:
    with contextlib.suppress(Exception):  # it is broken: that is why it is closed
        client.close()


def _host(name: str | None) -> str:
    return f"[{name}]" if name and ":" in name else str(name)
