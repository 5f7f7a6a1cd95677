"""The default lines of a loop where somebody sends on what comes: they say when a socket read is over (``turns``)."""

from __future__ import annotations

from picows import WSFrame, WSTransport

from tapewire.transport.headed_picows_line import HeadedPicowsLine
from tapewire.transport.picows_line import CONTROL_MAX, PicowsLine
from tapewire.transport.turns import Turns


class _Turning(PicowsLine):
    """Ends each read itself: another turn of the loop for that would cost more than a message does."""

    __slots__ = ()

    turns: Turns

    def on_ws_disconnected(self, transport: WSTransport) -> None:
        """As ``PicowsLine.on_ws_disconnected``; a read that broke off is over, too."""
        if self._stamped:
            self._stamped = self.turns.reading = False
            self.turns.end()
        super().on_ws_disconnected(transport)


class TurningPicowsLine(_Turning):
    """A ``PicowsLine`` that does. Its lines once more: a call around them is 2 µs of a message that comes alone."""

    __slots__ = ("turns",)

    def on_ws_frame(self, transport: WSTransport, frame: WSFrame) -> None:
        """As ``PicowsLine.on_ws_frame``."""
        if not self._stamped:
            self._stamped = self.turns.reading = True
            self._received_ns = self._wall_ns()
        try:
            if self._plain and frame.fin and not (frame.rsv1 or frame.rsv2 or frame.rsv3):
                payload = frame.get_payload_as_bytes()
                if len(payload) > CONTROL_MAX:
                    decode = self._decode  # CPython 3.11 calls what a slot holds faster once it is read
                    try:  # as Dispatch.on_message
                        event = decode(payload)
                        public, streams = self._tables[type(event)]
                        stream = streams[event.symbol]
                    except Exception:  # whatever is not plain data of a settled stream
                        stream = None
                    if stream is not None:
                        event.__class__ = public
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
        finally:
            if frame.last_in_buffer:
                self._stamped = self.turns.reading = False
                self.turns.end()


class TurningHeadedPicowsLine(_Turning, HeadedPicowsLine):
    """A ``HeadedPicowsLine`` that does; likewise."""

    __slots__ = ("turns",)

    def on_ws_frame(self, transport: WSTransport, frame: WSFrame) -> None:
        """As ``PicowsLine.on_ws_frame``."""
        if not self._stamped:
            self._stamped = self.turns.reading = True
            self._received_ns = self._wall_ns()
        try:
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
        finally:
            if frame.last_in_buffer:
                self._stamped = self.turns.reading = False
                self.turns.end()
