"""A load like that of ``tapewire bench`` that never says the same twice: times and trade ids go on from round to round.

What is recorded of it is converted whole: trades that come again under their ids would be left out. Runs as a process
of its own (``python -m benchmarks.fresh_load MARKETS MESSAGES SEED RATE``; RATE: messages a second, 0: as fast as they
are read): prints its port and the mean size of a message, and ends when its standard input does.
"""

from __future__ import annotations

import asyncio
import itertools
import re
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import NamedTuple

import picows

from tapewire.apps.cli.bench_load import LoadSource, market_codes, messages, pieces, snapshots

_NUMBERS = re.compile(rb'"(?:timestamp|trade_timestamp|sequential_id)":(\d+)')
_MESSAGES = 20_000


class Piece(NamedTuple):
    """Frames of one round, and where in them stand the numbers that grow: begin, end, value."""

    frames: bytes
    numbers: tuple[tuple[int, int, int], ...]


def numbered(frames: bytes) -> Piece:
    """Where the numbers are that grow."""
    return Piece(frames, tuple((*found.span(1), int(found[1])) for found in _NUMBERS.finditer(frames)))


def rounds(load: Sequence[Piece], step: int) -> Iterator[bytes]:
    """The pieces again and again, each round's numbers by ``step`` higher than those of the one before."""
    for number in itertools.count():
        more = number * step
        for frames, numbers in load:
            made = bytearray(frames)
            for begin, end, value in numbers:
                made[begin:end] = b"%d" % (value + more)
            yield bytes(made)


@contextmanager
def fresh_load(markets: int, seed: int, rate: int = 0) -> Iterator[tuple[int, int]]:
    """A process that serves the load: its port and the mean size of its messages, in bytes."""
    command = [sys.executable, "-m", "benchmarks.fresh_load", *map(str, (markets, _MESSAGES, seed, rate))]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        try:
            assert process.stdout is not None  # asked for above
            port, size = process.stdout.readline().split()
            yield int(port), int(size)
        finally:
            process.kill()


def main() -> None:
    """The process: port and mean size on the first line of standard output, end with standard input."""
    markets, count, seed, rate = (int(argument) for argument in sys.argv[1:5])
    codes = market_codes(markets)
    made = messages(codes, count, seed)
    first, load = pieces(snapshots(codes, seed)), [numbered(piece) for piece in pieces(made)]

    pause = len(made) / len(load) / rate if rate else 0.0

    async def program() -> None:
        server = await picows.ws_create_server(lambda _: LoadSource(first, rounds(load, count), pause), "127.0.0.1", 0)
        print(server.sockets[0].getsockname()[1], sum(map(len, made)) // len(made), flush=True)
        await asyncio.to_thread(sys.stdin.read)
        server.close()

    asyncio.run(program())


if __name__ == "__main__":
    main()
