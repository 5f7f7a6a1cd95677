"""The default lines of a loop where somebody sends on what comes: they say when a socket read is over (``turns``)."""

from __future__ import annotations

from picows import WSFrame, WSTransport

from tapewire.transport.headed_picows_line import HeadedPicowsLine
from tapewire.transport.picows_line import PicowsLine
from tapewire.transport.turns import Turns


class _Turning(PicowsLine):
    """Ends each read itself: another turn of the loop for that would cost more than a message does."""

    __slots__ = ()

    turns: Turns

    def on_ws_frame(self, transport: WSTransport, frame: WSFrame) -> None:
        """As ``PicowsLine.on_ws_frame``."""
        if not self._stamped:
            self._stamped = self.turns.reading = True
            self._received_ns = self._wall_ns()
        try:
            super().on_ws_frame(transport, frame)
        finally:
            if frame.last_in_buffer:
                self._over()

    def on_ws_disconnected(self, transport: WSTransport) -> None:
        """As ``PicowsLine.on_ws_disconnected``; a read that broke off is over, too."""
        if self._stamped:
            self._over()
        super().on_ws_disconnected(transport)

    def _over(self) -> None:
        self._stamped = False
        self.turns.end()


class TurningPicowsLine(_Turning):
    """A ``PicowsLine`` that does."""

    __slots__ = ("turns",)


class TurningHeadedPicowsLine(_Turning, HeadedPicowsLine):
    """A ``HeadedPicowsLine`` that does."""

    __slots__ = ("turns",)
