"""Raw tapes behind a gateway: local programs hear them as if live, at the tape's pace or another."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from msgspec.structs import replace

from tapewire.apps.cli.running import ended_by_sigterm
from tapewire.apps.gateway.files import read_tls, read_tokens
from tapewire.apps.gateway.gateway import Gateway
from tapewire.client import WebSocketClient
from tapewire.client.replaying import Replay, recorded_streams
from tapewire.client.replaying import replay as play
from tapewire.model.subscription import Subscription

if TYPE_CHECKING:
    from tapewire.apps.gateway.settings import GatewayOptions

#: Options that are seconds of people and programs, not of the tape.
_SECONDS = ("header_seconds", "backlog_seconds", "window_seconds", "linger", "patience")


class TapedServer:
    """A gateway before tapes.

    Args:
        options: of the gateway.
        tokens: file of those who may use it.
        tls: file with certificate and key.
        greet: called when it listens.
    """

    def __init__(
        self, options: GatewayOptions, tokens: Path | None, tls: Path | None, greet: Callable[[Gateway], None]
    ) -> None:
        self._options, self._greet = options, greet
        self._tokens = None if tokens is None else read_tokens(tokens)
        self._tls = None if tls is None else read_tls(tls)

    def serve(self, folders: Sequence[Path], speed: float, seconds: float | None = None) -> None:
        """Serve tapes until they have ended, ``seconds`` (of the wall's clock) are over, or Ctrl-C.

        Args:
            folders: of the tapes.
            speed: times as fast as they were.
            seconds: None: to their end.

        Raises:
            TapeError: there is no tape.
            ConfigError: as of ``Gateway``.
        """
        streams: dict[str, list[Subscription]] = {}
        for folder in folders:
            venue, found = recorded_streams(folder)
            streams.setdefault(venue, []).extend(found)
        options = replace(self._options, **{name: getattr(self._options, name) * speed for name in _SECONDS})

        async def program(again: Replay) -> None:
            clients = [WebSocketClient("gateway", venue, keep_raw=True) for venue in streams]
            async with Gateway(clients, options, tokens=self._tokens, tls=self._tls, carried=streams) as gateway:
                self._greet(gateway)
                with contextlib.suppress(TimeoutError):
                    async with asyncio.timeout(None if seconds is None else seconds * speed):
                        await again.ended()

        with ended_by_sigterm():
            play(folders, program, speed=speed)
