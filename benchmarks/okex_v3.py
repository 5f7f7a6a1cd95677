"""CPU per message of OKEX v3's deflated frames, in this process: what inflating costs, and what all of it does.

    .venv/bin/python -m benchmarks.okex_v3

Rows: what was recorded of trades and tickers, and of books that come as changes. Columns: inflating alone · inflating
and ``json.loads``, as scripts of 2019 did · inflating and a plain typed msgspec loop · this library's decoder, which
inflates too · the short road to a callback that reads a price, books kept and their checksums verified.
"""

from __future__ import annotations

import json
import zlib
from base64 import b64decode
from collections.abc import Callable
from pathlib import Path
from typing import Any

import msgspec
from msgspec import Struct

from benchmarks.books import best_of
from benchmarks.okx_books import Road, each, failed
from tapewire.hub.books import Books
from tapewire.hub.listening import Listener
from tapewire.hub.router import Router
from tapewire.model.book import BookChange, DepthOrderbookEvent
from tapewire.model.subscription import Subscription
from tapewire.transport.dispatch import Dispatch
from tapewire.venues.okex_v3 import OKEX_V3

DATA = Path(__file__).parent.parent / "tests/data/okex3/all_cryptofeed-2021-04-17-c1.rawdeflate.b64.txt"
_RUNS, _LEAST = 7, 2_000


class Row(Struct, gc=False):
    instrument_id: str
    timestamp: str
    price: float | None = None
    size: float | None = None
    qty: float | None = None
    side: str | None = None
    trade_id: str | None = None
    last: float | None = None
    best_bid: float | None = None
    best_ask: float | None = None
    asks: list[tuple[float, float, float, float]] | None = None
    bids: list[tuple[float, float, float, float]] | None = None
    checksum: int | None = None


class Frame(Struct, gc=False):
    table: str
    data: list[Row]
    action: str | None = None


def inflated(payload: bytes) -> bytes:
    return zlib.decompress(payload, -zlib.MAX_WBITS)


def loaded(payload: bytes) -> Any:
    return json.loads(inflated(payload))


def typed() -> Callable[[bytes], Any]:
    decode = msgspec.json.Decoder(Frame, strict=False).decode
    return lambda payload: decode(inflated(payload))


def hear(event: Any) -> None:
    price = event.asks[0].price if type(event) is DepthOrderbookEvent else event.trade_price
    assert price > 0


def whole_road(frames: list[bytes]) -> Callable[[], None]:
    codec = OKEX_V3.codec("DEFAULT", "float", False)
    wanted = {stream_of(event) for frame in frames for event in codec.read(frame).events}

    def work() -> None:
        router = Router(codec.classes, failed, drop_doubles=False, is_kept=OKEX_V3.keeps)
        books = Books(router, OKEX_V3.rule, "float", Road(router))
        for stream in wanted:
            router.add(stream, Listener("bench", hear, "realtime_only"))

        def careful(payload: bytes, received_ns: int) -> None:
            for event in codec.read(payload, received_ns).events:
                if isinstance(event, BookChange):
                    books.take(event, "", None)
                else:
                    router.deliver(event, failed)

        take = Dispatch(codec.decode, router.tables, careful, failed).on_message()
        for frame in frames:
            take(frame, False, 1)

    return work


def stream_of(event: Any) -> Subscription:
    kept = isinstance(event, BookChange)
    detail = f'{{"channel":"{event.channel}"}}' if kept else ""
    return Subscription("orderbook" if kept else event.kind, event.symbol, depth=10 if kept else None, detail=detail)


def main() -> None:
    codec = OKEX_V3.codec("DEFAULT", "float", False)
    frames = [b64decode(line) for line in DATA.read_bytes().splitlines()]
    data = {frame: inflated(frame) for frame in frames if b'"table"' in inflated(frame)}
    kinds = {
        "trade, ticker": [frame for frame, text in data.items() if b'"action"' not in text],
        "depth_l2_tbt": [frame for frame, text in data.items() if b'"action"' in text],
    }
    names = ("inflate", "loads", "typed", "decoder", "road")
    print(f"{'µs a message':>16}  " + "  ".join(f"{name:>7}" for name in names) + "   messages · bytes · inflated")
    for kind, found in kinds.items():
        many = found * (1 if kind == "depth_l2_tbt" else _LEAST // len(found))
        works = (*(each(one, many) for one in (inflated, loaded, typed(), codec.decode)), whole_road(many))
        figures = [best_of(_RUNS, work) / len(many) * 1e6 for work in works]
        sizes = (sum(map(len, many)) / len(many), sum(len(data[frame]) for frame in many) / len(many))
        print(
            f"{kind:>16}  " + "  ".join(f"{figure:7.2f}" for figure in figures)
            + f"   {len(many)} · {sizes[0]:.0f} · {sizes[1]:.0f}"
        )  # fmt: skip


if __name__ == "__main__":
    main()
