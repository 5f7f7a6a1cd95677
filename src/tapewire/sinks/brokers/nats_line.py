"""The line to a NATS server: nats-py's client, which does not come back by itself, and its errors in words."""

from __future__ import annotations

import asyncio
import contextlib
import ssl
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tapewire.sinks.brokers.address import Address
from tapewire.sinks.brokers.link import Away, NotLetIn
from tapewire.sinks.brokers.trust import trusting

if TYPE_CHECKING:
    from nats.aio.client import Client

SCHEMES = ("nats", "tls")
#: Seconds for each step of closing a line.
_LET_GO = 0.5
#: Seconds after which a task is cancelled once more.
_AGAIN = 0.1
#: Words of the server that no trying again mends, in lower case.
_NOT_LET_IN = ("authorization violation", "permissions violation", "authentication", "nkey", "user credentials")


async def connect(
    address: Address, lost: asyncio.Future[str], *, credentials: str | None = None, ca: str | None = None
) -> Client:
    """A client that does not come back by itself; ``lost`` is set when its line is gone.

    Raises:
        Away, NotLetIn.
    """
    try:
        import nats  # noqa: PLC0415 - an optional extra
        from nats.aio.client import Client  # noqa: PLC0415
    except ImportError:
        raise NotLetIn("the extra nats is needed: pip install tapewire[nats]") from None
    told: list[str] = []

    async def gone() -> None:
        if not lost.done():
            lost.set_result(told[-1] if told else "the line is lost")

    async def hear(error: Exception) -> None:
        told.append(words_of(error))

    more = _trust(credentials, ca)
    client = Client()
    try:
        await client.connect(
            [str.__str__(url) for url in address.urls], allow_reconnect=False, max_reconnect_attempts=1,
            reconnect_time_wait=0, connect_timeout=5, ping_interval=5, max_outstanding_pings=2,
            error_cb=hear, disconnected_cb=gone, closed_cb=gone, **more,
        )  # fmt: skip
    except ssl.SSLCertVerificationError as error:
        await hang_up(client)
        raise NotLetIn(f"the server's certificate is not trusted: {error.verify_message}") from None
    except (OSError, nats.errors.Error, TimeoutError, ValueError) as error:
        await hang_up(client)
        words = next((one for one in (words_of(error), *told) if _is_no(one)), told[-1] if told else words_of(error))
        raise (NotLetIn if _is_no(words) else Away)(words) from None
    except BaseException:
        await hang_up(client)
        raise
    return client


def _trust(credentials: str | None, ca: str | None) -> dict[str, Any]:
    """What nats-py is told of files. Raises NotLetIn: one of them cannot be used."""
    more: dict[str, Any] = {}
    if credentials is not None:
        if find_spec("nkeys") is None:
            raise NotLetIn("a file of credentials needs nkeys: pip install nats-py[nkeys]")
        if not Path(credentials).is_file():
            raise NotLetIn(f"credentials: there is no file {credentials}")
        more["user_credentials"] = credentials
    if ca is not None:
        more["tls"] = trusting(ca)
    return more


async def hang_up(client: Client) -> None:
    """Close a client, its line too: nats-py leaves that open when it cannot write what still waits."""
    try:
        with contextlib.suppress(Exception):  # it may be broken: that is why it is closed
            async with asyncio.timeout(_LET_GO) as patience:
                await client.close()
    finally:  # whoever closes may be out of patience, and be cancelled: the line is closed all the same
        line: Any = client._transport  # noqa: SLF001 - there is no other way to it
        if line is not None:
            line.close()
            _drop_unsent(line)
    if (
        patience.expired()
    ):  # TLS was refused, and what nats-py waited for never comes; the socket is closed in the loop's next turns
        for _ in range(2):
            turn = asyncio.get_running_loop().create_future()
            asyncio.get_running_loop().call_soon(turn.set_result, None)
            await turn
    elif line is not None:
        with contextlib.suppress(Exception):  # as above
            async with asyncio.timeout(_LET_GO):
                await line.wait_closed()


def _drop_unsent(line: Any) -> None:
    """What a server that reads nothing has not taken would keep a closed line open."""
    writer = getattr(line, "_bare_io_writer", None)  # below TLS; nats-py's WebSockets have none
    if writer is not None and writer.transport.get_write_buffer_size():
        writer.transport.abort()


async def in_step(client: Client, within: float) -> None:
    """Wait until the server has done what it was asked before, and what it sent before has come.

    Not by ``client.flush``: when that is given up, and the answer comes yet, nats-py reads no more. It also sends its
    question before what still waits to be sent, and to wait for that (``force_flush``) forgets cancellations.

    Args:
        client: whose line it is.
        within: seconds.

    Raises:
        Away: it does not answer, or its line is gone.
    """
    if not client.is_connected:
        raise Away("the line is lost")
    answered: asyncio.Future[bool] = asyncio.get_running_loop().create_future()
    client._pongs.append(answered)  # noqa: SLF001 - as above
    await client._send_command(b"PING\r\n")  # noqa: SLF001 - as above
    await client._flush_pending()  # noqa: SLF001 - as above
    await asyncio.wait({answered}, timeout=within)
    if not answered.done():
        raise Away("no answer to a ping")


async def ended(task: asyncio.Task[None]) -> None:
    """Cancel a task that asks NATS, and has nothing to put away, until it ends.

    nats-py waits for answers by ``asyncio.wait_for``: that of Python 3.11 forgets that it was cancelled when the answer
    comes at the same moment.
    """
    while not task.done():
        task.cancel()
        await asyncio.wait({task}, timeout=_AGAIN)


def _is_no(words: str) -> bool:
    return any(word in words.lower() for word in _NOT_LET_IN)


def words_of(error: BaseException) -> str:
    """An error of nats-py for people."""
    return str(error).removeprefix("nats: ").strip("'") or type(error).__name__
