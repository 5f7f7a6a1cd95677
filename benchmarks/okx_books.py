"""CPU per message of OKX's order books from recorded frames to the subscriber, in this process.

    .venv/bin/python -m benchmarks.okx_books

Rows of each recording: a plain typed msgspec loop that only decodes (levels as numbers) · this library's decoder (as
texts, which a checksum is made of) · the short road with the book kept and an ``OrderbookEvent`` of ten levels handed
to a callback that reads the best ask, snapshots included · the same with the checksums that OKX sent until June 2026.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import msgspec
from msgspec import Struct

from benchmarks.books import best_of
from tapewire.hub.books import Books
from tapewire.hub.calls import Callback
from tapewire.hub.listening import Listener, Stream
from tapewire.hub.router import Router
from tapewire.model.book import BookChange, BookLevel, DepthOrderbookEvent
from tapewire.model.subscription import Subscription
from tapewire.transport.dispatch import HeadDispatch
from tapewire.venues.okx import GLOBAL
from tapewire.venues.okx.channels import channel_of, wire_name
from tapewire.venues.okx.codec import OkxCodec

DATA = Path(__file__).parent.parent / "tests/data/okx5"
RECORDINGS = {"books": "all_cryptofeed-2022-05-13", "books-l2-tbt": "all_cryptofeed-2022-02-27"}
_RUNS = 7


class PlainBook(Struct, gc=False, rename="camel"):
    asks: list[BookLevel]
    bids: list[BookLevel]
    ts: int
    checksum: int | None = None
    seq_id: int | None = None
    prev_seq_id: int | None = None


class PlainPush(Struct, gc=False):
    arg: dict[str, str]
    action: str
    data: list[PlainBook]


class Road:
    """Stands in for a driver: nothing is fetched, a spoilt book ends the run."""

    def __init__(self, router: Router) -> None:
        self._router = router

    def cold(self, stream: Stream, event: DepthOrderbookEvent) -> None:
        self._router.deliver_to(stream, event, failed)

    def spoilt(self, streams: tuple[Stream, ...], answer: str) -> None:
        raise SystemExit(f"{[str(one.subscription) for one in streams]}: {answer}")

    def waits(self, streams: tuple[Stream, ...]) -> None:
        """The recordings begin with a snapshot."""

    def callback_failed(self, callback: Callback, error: BaseException) -> None:
        failed(callback, error)


def failed(who: object, error: BaseException) -> None:
    raise AssertionError(f"{who} failed") from error


def whole_road(channel: str, frames: list[bytes], hear: Callable[[Any], None]) -> Callable[[], None]:
    codec = OkxCodec("okx", "DEFAULT", "float", keep_raw=False)
    detail = "" if channel == "books" else f'{{"channel":"{channel}"}}'

    def work() -> None:
        router = Router(codec.classes, failed, wire_name=wire_name, is_kept=GLOBAL.keeps)
        books = Books(router, GLOBAL.rule, "float", Road(router))
        for symbol in {frame_symbol(frame) for frame in frames}:
            wanted = Subscription("orderbook", symbol, depth=10, detail=detail)
            assert channel_of(wanted) == channel
            router.add(wanted, Listener("bench", hear, "realtime_only"))

        def careful(payload: bytes, received_ns: int) -> None:
            reading = codec.read(payload, received_ns)
            for event in reading.events:
                assert isinstance(event, BookChange)
                books.take(event, reading.stream, reading.head)

        take = HeadDispatch(router.heads.table, careful, failed).on_message()
        for frame in frames:
            take(frame, True, 1)

    return work


def best_ask(event: Any) -> None:
    assert event.asks[0].price > 0


def frame_symbol(frame: bytes) -> str:
    return str(msgspec.json.decode(frame)["arg"]["instId"])


def each(decode: Callable[[bytes], Any], frames: list[bytes]) -> Callable[[], None]:
    def work() -> None:
        for frame in frames:
            decode(frame)

    return work


def main() -> None:
    codec = OkxCodec("okx", "DEFAULT", "float", keep_raw=False)
    plain = msgspec.json.Decoder(PlainPush, strict=False).decode
    print(f"{'µs a message':>16}  {'plain':>7}  {'decoder':>7}  {'kept':>7}  {'sums':>7}   messages · bytes each")
    for channel, name in RECORDINGS.items():
        lines = (DATA / f"{name}.jsonl").read_bytes().splitlines()
        frames = [line for line in lines if b'"action"' in line]
        head = next(found for found in (codec.read(frame).head for frame in frames) if found is not None)
        kept = whole_road(channel, frames, best_ask)
        today = whole_road(channel, [re.sub(rb'"checksum":-?[0-9]+', b'"checksum":0', one) for one in frames], best_ask)
        works = (each(plain, frames), each(head.decode, frames), today, kept)
        figures = [best_of(_RUNS, work) / len(frames) * 1e6 for work in works]
        size = sum(map(len, frames)) / len(frames)
        print(f"{channel:>16}  " + "  ".join(f"{figure:7.2f}" for figure in figures) + f"   {len(frames)} · {size:.0f}")


if __name__ == "__main__":
    main()
