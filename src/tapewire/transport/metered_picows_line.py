"""The default line, with a count of what it carried."""

from __future__ import annotations

from picows import WSTransport

from tapewire.transport.picows_line import PicowsLine
from tapewire.transport.traffic import Socket, Traffic, traffic_of


class MeteredPicowsLine(PicowsLine):
    """A ``PicowsLine`` that can say what it carried; its way of a message is the same."""

    __slots__ = ("_carried", "_socket")

    _carried: Traffic | None
    _socket: Socket | None

    def on_ws_connected(self, transport: WSTransport) -> None:
        """The handshake is done (picows)."""
        self._carried = None
        self._socket = transport.underlying_transport.get_extra_info("socket")
        super().on_ws_connected(transport)

    def on_ws_disconnected(self, transport: WSTransport) -> None:
        """The connection is gone (picows); its socket is closed after this."""
        self._carried = traffic_of(self._socket)
        self._socket = None
        super().on_ws_disconnected(transport)

    def traffic(self) -> Traffic | None:
        """Bytes so far, also after the end; None where the system does not say. Call it when ``open`` has returned."""
        return traffic_of(self._socket) or self._carried
