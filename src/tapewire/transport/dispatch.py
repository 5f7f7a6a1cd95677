"""The short road in parts: what a listener does with a message, so that a line may do it itself and spare a call."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Any, NamedTuple

from tapewire.model.frame_run import COMMA, END_BRACE, LINE_END, RETURN


class Dispatch(NamedTuple):
    """Four steps from a message's bytes to its subscribers (ARCHITECTURE.md, "Two roads").

    Attributes:
        decode: bytes → an event of a class in ``tables``; raises on anything else.
        tables: the event's class → (its public class, its symbol → the stream: ``last``, ``count``, ``deliver``).
        careful: the other road, for whatever is not plain data of a settled stream.
        failed: told of a ``deliver`` that raised.
        unread: what stands in a frame before its first comma from byte ``begin`` on → the stream (``count``,
            ``unread``, ``take``), where its frames are taken unread. Only ``PicowsLine`` looks there: others read all.
    """

    decode: Callable[[bytes], Any]
    tables: Mapping[type, tuple[type, Mapping[str, Any]]]
    careful: Callable[[bytes, int], None]
    failed: Callable[[Callable[[Any], object], Exception], None]
    unread: Mapping[bytes, Any] = MappingProxyType({})
    begin: int = 0

    def on_message(self) -> Callable[[bytes, bool, int], None]:
        """The four steps as one function, for ``LineListener.on_message``.

        ``PicowsLine.on_ws_frame`` has the same lines a second time: one call less is 2.4 % of all that a message
        costs (docs/benchmarks.md). A test holds the two against each other.
        """
        decode, tables, careful, failed, *_ = self

        def on_message(payload: bytes, is_text: bool, received_ns: int) -> None:  # noqa: ARG001, FBT001
            try:
                event = decode(payload)
                public, streams = tables[type(event)]
                stream = streams[event.symbol]
            except Exception:  # whatever is not plain data of a settled stream
                stream = None
            if stream is None:  # not inside the except: what a callback raises there would drag our miss along
                careful(payload, received_ns)
                return
            event.__class__ = public
            event.received_ns = received_ns
            stream.last = event.timestamp
            stream.count += 1
            deliver = stream.deliver
            try:
                deliver(event)
            except Exception as error:  # a user's callback may raise anything; the feed goes on
                failed(stream.deliver, error)

        return on_message

    def taken(self) -> Callable[[bytes, int], bool]:
        """What hands a message on as it is, if it is for somebody who takes frames without reading them.

        It is called with the message and when it came (ns UTC), and says whether that is all there is to do.
        """
        unread, begin, failed = self.unread, self.begin, self.failed

        def taken(payload: bytes, received_ns: int) -> bool:
            stream = unread.get(payload[: payload.find(COMMA, begin)])
            # how it begins is known: one line of ASCII that ends as an object does
            if stream is None or payload[-1] != END_BRACE or not payload.isascii():
                return False
            if LINE_END in payload or RETURN in payload:
                return False
            stream.unread = payload
            stream.count += 1
            try:
                stream.take(payload, received_ns)
            except Exception as error:  # as of a ``deliver``
                failed(stream.deliver, error)
            return True

        return taken


class HeadDispatch(NamedTuple):
    """The same for a venue whose frames name their stream before their data.

    Attributes:
        heads: a frame's bytes before its first ``[`` → (decoder of the frame, public class, symbol, the stream). The
            decoder gives an object whose ``data`` are wire events without symbols; frames with several events take the
            careful road.
        careful, failed: as ``Dispatch`` has them.
    """

    heads: Mapping[bytes, tuple[Callable[[bytes], Any], type, str, Any]]
    careful: Callable[[bytes, int], None]
    failed: Callable[[Callable[[Any], object], Exception], None]

    def on_message(self) -> Callable[[bytes, bool, int], None]:
        """As ``Dispatch.on_message``. ``HeadedPicowsLine.on_ws_frame`` has the same lines a second time."""
        heads, careful, failed = self

        def on_message(payload: bytes, is_text: bool, received_ns: int) -> None:  # noqa: ARG001, FBT001
            try:
                decode, public, symbol, stream = heads[payload.partition(b"[")[0]]
                [event] = decode(payload).data
            except Exception:  # whatever is not plain data of a settled stream
                stream = None
            if stream is None:
                careful(payload, received_ns)
                return
            event.__class__ = public
            event.symbol = symbol
            event.received_ns = received_ns
            stream.last = event.timestamp
            stream.count += 1
            deliver = stream.deliver
            try:
                deliver(event)
            except Exception as error:  # a user's callback may raise anything; the feed goes on
                failed(stream.deliver, error)

        return on_message
