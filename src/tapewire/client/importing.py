"""Makes a tape of a connection that somebody else has captured: its frames, their times, what was asked."""

from __future__ import annotations

import base64
import binascii
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from msgspec import MsgspecError, Struct, json

from tapewire.config import TapeOptions
from tapewire.errors import ConfigError
from tapewire.model.counted import count_of
from tapewire.model.line import Handshake, Loss
from tapewire.model.status import Connected, FeedEvent, Stopped, Subscribed
from tapewire.model.subscription import Subscription
from tapewire.tape.format import Dialled, Header, Kind, Record, runs_of
from tapewire.tape.writer import TapeWriter
from tapewire.venues.contract import Venue, side_url
from tapewire.venues.registry import get_venue

#: What stands beside NAME.jsonl: the time of receipt of each line (Unix seconds), what the client sent.
TIMES, SENT = ".recv_ts.txt", ".sent.jsonl"
#: Endings of captures, and whether their lines are base64 of the frame's bytes.
CAPTURES = {".jsonl": False, ".rawdeflate.b64.txt": True}
_BLOCK = 2_000
_CONNECTION = 1


class Imported(Struct, frozen=True):
    """What came of a capture: frames, and the streams that were asked for.

    ``keyed``: those that want a key. Their frames are on the tape, but no client hears them without it.
    """

    frames: int
    streams: tuple[Subscription, ...]
    keyed: tuple[Subscription, ...] = ()


def import_capture(capture: Path, folder: Path, venue: str) -> Imported:
    """Make a tape in ``folder`` of one connection's capture.

    Args:
        capture: ``NAME.jsonl``, one frame a line, or ``NAME.rawdeflate.b64.txt``, each as base64 of its bytes. Beside
            it stand ``NAME.recv_ts.txt``, the time of receipt of each line in Unix seconds, and ``NAME.sent.jsonl``,
            the requests of the client.
        folder: of the tape; it is appended to.
        venue: whose connection it was.

    Raises:
        ConfigError: a file is missing, or is not as it should be; names which.
        TapeError: the tape cannot be written.
    """
    exchange = get_venue(venue)
    name, is_base64 = _named(capture)
    frames = [_frame(capture, number, line, is_base64) for number, line in enumerate(_lines(capture), 1)]
    times = _times(capture.with_name(name + TIMES), len(frames))
    requests = list(_lines(capture.with_name(name + SENT)))
    asked = tuple(dict.fromkeys(stream for request in requests for stream in _asked(exchange, request)))
    streams = tuple(stream for stream in asked if exchange.side(stream) not in exchange.facts.signed_sides)
    if not frames or not streams:
        raise ConfigError(
            "CAPTURE", str(capture), "one with frames, whose client asked for streams that are known here"
        )
    facts = exchange.facts
    header = Header(venue, 0, 0, facts.url, facts.rest_url)
    writer = TapeWriter(TapeOptions(folder=str(folder)), header, lambda: times[0])
    writer.open()
    try:
        for block in _blocks(_records(exchange, frames, times, requests, streams)):
            writer.write(runs_of(block))
    finally:
        writer.close()
    return Imported(len(frames), streams, tuple(stream for stream in asked if stream not in streams))


def _records(
    exchange: Venue, frames: list[bytes], times: list[int], requests: list[bytes], streams: tuple[Subscription, ...]
) -> Iterator[Record]:
    """As a recorder would have kept them."""
    begin, end, name = times[0], times[-1], f"{exchange.name}-1"
    url = side_url(exchange.facts.url, exchange.facts.sides[exchange.side(streams[0])])
    common: dict[str, Any] = {"venue": exchange.name, "connection": name}
    yield _said(Kind.DIALLED, begin, Dialled(url, name))
    yield _said(Kind.OPENED, begin, Handshake(url))
    yield _told(begin, Connected(**common, at_ns=begin, url=url, reconnect=0))
    yield from (Record(Kind.SENT_TEXT, _CONNECTION, begin, request) for request in requests)
    yield _told(begin, Subscribed(**common, at_ns=begin, subscriptions=streams))
    for frame, at_ns in zip(frames, times, strict=True):
        yield Record(_kind(frame), _CONNECTION, at_ns, frame)
    yield _said(Kind.LOST, end, Loss("stopped"))
    yield _told(end, Stopped(**common, at_ns=end, reason="the capture has ended"))


def _said(kind: Kind, at_ns: int, said: Struct) -> Record:
    return Record(kind, _CONNECTION, at_ns, json.encode(said))


def _told(at_ns: int, event: FeedEvent) -> Record:
    return Record(Kind.FEED, 0, at_ns, json.encode(event))


def _kind(frame: bytes) -> Kind:
    try:
        frame.decode()
    except UnicodeDecodeError:
        return Kind.RECEIVED_BINARY
    return Kind.RECEIVED_TEXT


def _blocks(records: Iterator[Record]) -> Iterator[list[Record]]:
    block: list[Record] = []
    for record in records:
        block.append(record)
        if len(block) == _BLOCK:
            yield block
            block = []
    if block:
        yield block


def _named(capture: Path) -> tuple[str, bool]:
    for ending, is_base64 in CAPTURES.items():
        if capture.name.endswith(ending) and not capture.name.endswith(SENT):
            return capture.name.removesuffix(ending), is_base64
    raise ConfigError("CAPTURE", str(capture), f"a file that ends with {' or '.join(CAPTURES)}")


def _lines(path: Path) -> Iterator[bytes]:
    try:
        yield from (line for line in path.read_bytes().splitlines() if line)
    except FileNotFoundError as error:
        raise ConfigError(
            "CAPTURE", str(path), "a file that is there (NAME.jsonl has NAME.sent.jsonl beside it)"
        ) from error


def _frame(capture: Path, number: int, line: bytes, is_base64: bool) -> bytes:  # noqa: FBT001 - one of two forms
    try:
        return base64.b64decode(line, validate=True) if is_base64 else line
    except binascii.Error as error:
        raise ConfigError("CAPTURE", f"{capture}, line {number}", f"base64 ({error})") from error


def _times(path: Path, count: int) -> list[int]:
    """Ns UTC of each line, never earlier than the line before."""
    texts = list(_lines(path))
    if len(texts) != count:
        raise ConfigError(
            "CAPTURE",
            f"{path} with {count_of(len(texts), 'line')}",
            f"one with a time for each of {count_of(count, 'frame')}",
        )
    times: list[int] = []
    for number, text in enumerate(texts, 1):
        try:
            at_ns = round(float(text) * 1e6) * 1000
        except ValueError as error:
            raise ConfigError("CAPTURE", f"{path}, line {number}", "a time in Unix seconds") from error
        times.append(max(at_ns, times[-1]) if times else at_ns)
    return times


def _asked(exchange: Venue, request: bytes) -> list[Subscription]:
    try:
        return [] if exchange.asked is None else exchange.asked(request)
    except MsgspecError as error:
        raise ConfigError("CAPTURE", repr(request[:60]), f"a request of {exchange.name} ({error})") from error
