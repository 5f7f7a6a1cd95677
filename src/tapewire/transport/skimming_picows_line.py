"""The default line of a feed whose frames may go unread to those who hear them: to who records them as they are."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from picows import WSFrame, WSTransport

from tapewire.transport.contract import LineListener
from tapewire.transport.dispatch import Dispatch
from tapewire.transport.picows_line import CONTROL_MAX, PicowsLine


class SkimmingPicowsLine(PicowsLine):
    """A ``PicowsLine`` that looks how a frame begins before it decodes it. That would cost all others some percent."""

    __slots__ = ("_taken", "_unread")

    _unread: Mapping[bytes, Any]
    _taken: Callable[[bytes, int], bool]

    def _take_dispatch(self, listener: LineListener) -> None:
        super()._take_dispatch(listener)
        dispatch = getattr(listener, "dispatch", None)
        if isinstance(dispatch, Dispatch):
            self._unread, self._taken = dispatch.unread, dispatch.taken()

    def on_ws_frame(self, transport: WSTransport, frame: WSFrame) -> None:
        """As ``PicowsLine.on_ws_frame``."""
        if not self._stamped:
            self._stamped = True
            self._received_ns = self._wall_ns()
            self._loop.call_soon(self._turn_over)
        if self._plain and frame.fin and not (frame.rsv1 or frame.rsv2 or frame.rsv3):
            payload = frame.get_payload_as_bytes()
            if len(payload) > CONTROL_MAX:
                if self._unread and self._taken(payload, self._received_ns):
                    return
                try:  # as Dispatch.on_message
                    event = self._decode(payload)
                    public, streams = self._tables[type(event)]
                    stream = streams[event.symbol]
                except Exception:  # whatever is not plain data of a settled stream
                    stream = None
                if stream is not None:
                    event.__class__ = public
                    event.received_ns = self._received_ns
                    stream.last = event.timestamp
                    stream.count += 1
                    try:
                        stream.deliver(event)
                    except Exception as error:  # a user's callback may raise anything; the feed goes on
                        self._failed(stream.deliver, error)
                    return
        self._other(transport, frame)
