"""The default line, with a count of what it carried."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping

from tapewire.config import LineOptions
from tapewire.model.line import Handshake, Loss
from tapewire.transport.contract import LineListener
from tapewire.transport.dispatch import HeadDispatch
from tapewire.transport.headed_picows_line import HeadedPicowsLine
from tapewire.transport.keeping_picows_line import KeepingHeadedPicowsLine, KeepingPicowsLine
from tapewire.transport.picows_line import PicowsLine
from tapewire.transport.traffic import Socket, Traffic, traffic_of
from tapewire.transport.turning_picows_line import TurningHeadedPicowsLine, TurningPicowsLine
from tapewire.transport.turns import heard_in


class MeteredPicowsLine:
    """A ``PicowsLine`` that can say what it carried.

    It stands beside the way of a message, not in it: a subclass would have cost each message some percent (measured).
    """

    __slots__ = ("_carried", "_line", "_options", "_socket", "_wall_ns")

    def __init__(self, options: LineOptions, wall_ns: Callable[[], int]) -> None:
        self._options, self._wall_ns = options, wall_ns
        self._line = PicowsLine(options, wall_ns)
        self._socket: Socket | None = None
        self._carried: Traffic | None = None

    async def open(self, url: str, headers: Mapping[str, str], listener: LineListener) -> Handshake:
        """See ``Line.open``."""
        self._line = _line(listener, self._options, self._wall_ns)
        handshake = await self._line.open(url, headers, listener)
        transport = self._line._transport  # noqa: SLF001 - nobody else needs it
        if transport is not None:
            self._socket = transport.underlying_transport.get_extra_info("socket")
        return handshake

    def send(self, payload: bytes, *, is_text: bool = True) -> None:
        """See ``Line.send``."""
        self._line.send(payload, is_text=is_text)

    def ping(self, payload: bytes = b"") -> None:
        """See ``Line.ping``."""
        self._line.ping(payload)

    def hold(self, holding: bool) -> None:  # noqa: FBT001 - as ``Line.hold``
        """See ``Line.hold``."""
        self._line.hold(holding)

    def close(self, loss: Loss, *, graceful: bool = True) -> None:
        """See ``Line.close``."""
        self._line.close(loss, graceful=graceful)

    def traffic(self) -> Traffic | None:
        """Bytes so far, after the end as of the last question, which ``on_lost`` may ask; None: nobody knows."""
        self._carried = traffic_of(self._socket) or self._carried
        return self._carried


def _line(listener: LineListener, options: LineOptions, wall_ns: Callable[[], int]) -> PicowsLine:
    """The line whose short road is that of the listener."""
    headed = isinstance(getattr(listener, "dispatch", None), HeadDispatch)
    if getattr(listener, "keeper", None) is not None:
        return (KeepingHeadedPicowsLine if headed else KeepingPicowsLine)(options, wall_ns)
    turns = heard_in(asyncio.get_running_loop())
    if turns is None:
        return (HeadedPicowsLine if headed else PicowsLine)(options, wall_ns)
    line = (TurningHeadedPicowsLine if headed else TurningPicowsLine)(options, wall_ns)
    line.turns = turns
    return line
