"""The default lines of a feed that is recorded: each message of the short road is kept before it is delivered."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from picows import WSFrame, WSMsgType, WSTransport

from tapewire.transport.contract import Growing, Keeper, LineListener
from tapewire.transport.dispatch import Dispatch, HeadDispatch
from tapewire.transport.picows_line import CONTROL_MAX, PicowsLine

_TEXT = WSMsgType.TEXT
#: Messages of one run: a busy socket is read for long in one turn of the loop, and a processor's cache holds so many.
RUN_MOST = 200


class _Keeping(PicowsLine):
    """What both have: a run for each socket read, which ends with the loop's turn at the latest.

    Messages of the careful road are kept by the listener. To keep one costs the feed's thread 0.2 µs, most of it for
    asking whether it is text.
    """

    __slots__ = ("_begin", "_keep", "_kind", "_run", "_runs")

    _runs: Growing
    _begin: Callable[[bool, int], list[bytes]]
    _keep: Callable[[bytes], None]
    _kind: WSMsgType
    _run: list[bytes] | None

    def _take_keeper(self, keeper: Keeper) -> None:
        self._runs, self._begin = keeper
        self._run = None
        self._has_dispatch = True

    def _begin_run(self, kind: WSMsgType) -> None:
        self._kind, self._run = kind, self._begin(kind is _TEXT, self._received_ns)
        self._keep = self._run.append

    def _turn_over(self) -> None:
        self._stamped, self._run = False, None
        self._runs.end()


class KeepingPicowsLine(_Keeping):
    """A ``PicowsLine`` for a listener with a ``keeper``."""

    __slots__ = ()

    def _take_dispatch(self, listener: LineListener) -> None:
        dispatch, keeper = getattr(listener, "dispatch", None), getattr(listener, "keeper", None)
        if isinstance(dispatch, Dispatch) and isinstance(keeper, Keeper):
            self._decode, self._tables, _, self._failed, *_ = dispatch
            self._take_keeper(keeper)

    def on_ws_frame(self, transport: WSTransport, frame: WSFrame) -> None:
        """As ``PicowsLine.on_ws_frame``."""
        if not self._stamped:
            self._stamped = True
            self._received_ns = self._wall_ns()
            self._loop.call_soon(self._turn_over)
        if self._plain and frame.fin and not (frame.rsv1 or frame.rsv2 or frame.rsv3):
            payload = frame.get_payload_as_bytes()
            if len(payload) > CONTROL_MAX:
                decode = self._decode
                try:  # as Dispatch.on_message
                    event = decode(payload)
                    public, streams = self._tables[type(event)]
                    stream = streams[event.symbol]
                except Exception:  # whatever is not plain data of a settled stream
                    stream = None
                if stream is not None:
                    kind = frame.msg_type
                    run = self._run
                    if run is None or run is not self._runs.growing or kind is not self._kind or len(run) > RUN_MOST:
                        self._begin_run(kind)
                    keep = self._keep
                    keep(payload)
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


class KeepingHeadedPicowsLine(_Keeping):
    """A ``HeadedPicowsLine`` for a listener with a ``keeper``."""

    __slots__ = ("_heads",)

    _heads: Mapping[bytes, tuple[Callable[[bytes], Any], type, str, Any]]

    def _take_dispatch(self, listener: LineListener) -> None:
        dispatch, keeper = getattr(listener, "dispatch", None), getattr(listener, "keeper", None)
        if isinstance(dispatch, HeadDispatch) and isinstance(keeper, Keeper):
            self._heads, _, self._failed = dispatch
            self._take_keeper(keeper)

    def on_ws_frame(self, transport: WSTransport, frame: WSFrame) -> None:
        """As ``HeadedPicowsLine.on_ws_frame``."""
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
                    kind = frame.msg_type
                    run = self._run
                    if run is None or run is not self._runs.growing or kind is not self._kind or len(run) > RUN_MOST:
                        self._begin_run(kind)
                    keep = self._keep
                    keep(payload)
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
