"""Joins the concrete transports: which line and which HTTP a set of options means."""

from __future__ import annotations

from collections.abc import Callable

from tapewire.config import FeedOptions, LineOptions
from tapewire.transport.contract import Http, Line, LineFactory
from tapewire.transport.http import AiohttpHttp


def real_ports(options: FeedOptions, wall_ns: Callable[[], int]) -> tuple[LineFactory, Http]:
    """Line factory and HTTP over real sockets."""
    line = options.line
    http = AiohttpHttp(wall_ns, proxy=line.proxy, ssl_context=line.ssl_context, local_address=line.local_address)
    return _line_factory(options), http


def _line_factory(options: FeedOptions) -> LineFactory:
    if options.transport == "websockets":
        return _websockets_line
    return _picows_line


def _picows_line(options: LineOptions, wall_ns: Callable[[], int]) -> Line:
    from tapewire.transport.metered_picows_line import MeteredPicowsLine  # noqa: PLC0415 - heavy, loaded when used

    return MeteredPicowsLine(options, wall_ns)


def _websockets_line(options: LineOptions, wall_ns: Callable[[], int]) -> Line:
    from tapewire.transport.websockets_line import WebsocketsLine  # noqa: PLC0415 - an optional extra

    return WebsocketsLine(options, wall_ns)
