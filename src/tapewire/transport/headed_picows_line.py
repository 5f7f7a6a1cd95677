"""The default line for venues whose frames name their stream: the short road goes by how a frame begins."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from picows import WSFrame, WSTransport

from tapewire.transport.contract import LineListener
from tapewire.transport.dispatch import HeadDispatch
from tapewire.transport.picows_line import CONTROL_MAX, PicowsLine


class HeadedPicowsLine(PicowsLine):
    """A ``PicowsLine`` with the short road of a ``HeadDispatch``."""

    __slots__ = ("_heads",)

    _heads: Mapping[bytes, tuple[Callable[[bytes], Any], type, str, Any]]

    def _take_dispatch(self, listener: LineListener) -> None:
        dispatch = getattr(listener, "dispatch", None)
        if isinstance(dispatch, HeadDispatch) and getattr(listener, "keeper", None) is None:
            self._heads, _, self._failed = dispatch
            self._has_dispatch = True

    def on_ws_frame(self, transport: WSTransport, frame: WSFrame) -> None:
        """As ``PicowsLine.on_ws_frame``."""
        if not self._stamped:
            self._stamped = True
            self._received_ns = self._wall_ns()
            self._loop.call_soon(self._turn_over)
        if self._plain and frame.fin and not (frame.rsv1 or frame.rsv2 or frame.rsv3):
            payload = frame.get_payload_as_bytes()
            if len(payload) > CONTROL_MAX:
                try:  # as HeadDispatch.on_message
                    decode, public, symbol, stream = self._heads[payload.partition(b"[")[0]]
                    [event] = decode(payload).data
                except Exception:  # whatever is not plain data of a settled stream
                    stream = None
                if stream is not None:
                    event.__class__ = public
                    event.symbol = symbol
                    event.received_ns = self._received_ns
                    stream.last = event.timestamp
                    stream.count += 1
                    deliver = stream.deliver
                    try:
                        deliver(event)
                    except Exception as error:  # a user's callback may raise anything; the feed goes on
                        self._failed(stream.deliver, error)
                    return
        self._other(transport, frame)
