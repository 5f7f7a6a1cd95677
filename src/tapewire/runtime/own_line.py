"""The one line that a driver has at a time: dialled, written to, held, closed."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from contextlib import suppress
from typing import Protocol

from tapewire.errors import ConnectFailed, FeedError, LineLost
from tapewire.model.line import Handshake, Loss
from tapewire.runtime.ear import Ear
from tapewire.transport.contract import Line
from tapewire.transport.dispatch import Dispatch, HeadDispatch

_CUT = Loss("stopped")


class Owner(Protocol):
    """Whose line it is (``runtime.driver.Driver``); each is told exactly once for each dial or line."""

    def line_opened(self, line: Line, handshake: Handshake) -> None: ...

    def dial_failed(self, loss: Loss) -> None: ...

    def line_impossible(self, error: FeedError) -> None:
        """No line can be made with these options: the end, told as one that a machine decided."""

    def line_at_fault(self, error: Exception) -> None:
        """It failed as no line may: it must not look like dialling for ever."""

    def line_lost(self, loss: Loss) -> None: ...

    def pong(self, payload: bytes) -> None: ...


class OwnLine:
    """Dials on request and keeps what came of it.

    Args:
        name: of the connection.
        make: a fresh line for each dial.
        signature: the headers that show the key, made anew for each dial and never kept.
        dispatch: the short road of its messages.
        owner: is told what becomes of it.
    """

    def __init__(
        self,
        name: str,
        make: Callable[[], Line],
        signature: Callable[[], Awaitable[Mapping[str, str]]],
        dispatch: Dispatch | HeadDispatch,
        owner: Owner,
    ) -> None:
        self._name, self._make, self._signature = name, make, signature
        self._dispatch, self._owner = dispatch, owner
        self._line: Line | None = None
        self._dialling: asyncio.Task[None] | None = None
        self._holding = False

    @property
    def is_open(self) -> bool:
        """Whether there is a line now."""
        return self._line is not None

    def dial(self, url: str) -> None:
        """Begin a dial."""
        self._dialling = asyncio.create_task(self._dial(url), name=f"dial {self._name}")

    def send(self, payload: bytes) -> bool:
        """Send one message. False: there is no line; its loss is told, or was."""
        with suppress(LineLost):  # line_lost says so
            if self._line:
                self._line.send(payload)
                return True
        return False

    def ping(self, payload: bytes) -> bool:
        """As ``send``, a PING frame."""
        with suppress(LineLost):  # line_lost says so
            if self._line:
                self._line.ping(payload)
                return True
        return False

    def hold(self, *, holding: bool) -> None:
        """Stop reading, or go on; the next line too."""
        self._holding = holding
        if self._line:
            self._line.hold(holding)

    def close(self, loss: Loss, *, graceful: bool) -> None:
        """End the line with this loss, or the dial."""
        if self._line:
            self._line.close(loss, graceful=graceful)
        elif self._dialling:
            self._give_up_dial()
            self._owner.dial_failed(loss)

    def cut(self) -> None:
        """End whatever there is, without a word."""
        self._give_up_dial()
        if self._line:
            self._line.close(_CUT, graceful=False)

    def _give_up_dial(self) -> None:
        dialling, self._dialling = self._dialling, None
        if dialling:
            dialling.cancel()

    async def _dial(self, url: str) -> None:
        ear = Ear(self._dispatch, self._owner.pong, self._lost)
        try:
            line = self._make()
            handshake = await line.open(url, await self._signature(), ear)
        except ConnectFailed as failure:
            self._dialling = None
            self._owner.dial_failed(failure.loss)
            return
        except asyncio.CancelledError:
            if self._dialling is asyncio.current_task():  # not by us: somebody cancels whatever task he finds
                self._dialling = None
                self._owner.dial_failed(Loss("unreachable", None, "the dial was cancelled"))
            raise
        except FeedError as error:
            self._dialling = None
            self._owner.line_impossible(error)
            return
        except Exception as error:
            self._dialling = None
            self._owner.line_at_fault(error)
            return
        self._dialling, self._line = None, line
        if self._holding:
            line.hold(True)
        self._owner.line_opened(line, handshake)
        ear.opened()

    def _lost(self, loss: Loss) -> None:
        self._line = None
        self._owner.line_lost(loss)
