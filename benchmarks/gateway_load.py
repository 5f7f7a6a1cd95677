"""L4, P8, S8: what a send costs at the gateway beside a bare picows relay, and what a stopped client costs the others.

    .venv/bin/python -m benchmarks.gateway_load [CLIENTS ...] [--rounds 3] [--only l4|p8|s8] [--rate 2250]
                                                                            [--loop uvloop]      (whole: 6 minutes)

One simulated exchange whose tickers and trades are 1,000 messages a second; each server in its own process reads it
over one line and hands every frame to CLIENTS local clients, which live in another process and count. Both servers run
on asyncio's own loop, or both on uvloop, as ``tapewire serve`` does where that is installed. CPU is the
server's own (user and system), so that other load does not count; latency is from the exchange's time stamp (ms) to the
client's receipt, so a part of it is the simulator's own. Memory is what clients take beyond the first, without what is
held of the streams (it grows by the trades of each second, whoever hears them). 200 clients are about all that the bare
relay can serve at this rate: a round in which it lets them wait gives no ratio. P8: 20 clients beside one more that has
subscribed books, too, and in turn reads them or reads nothing; medians of the rounds. S8: 20 clients in turn alone and
beside 500 connections whose requests never end.
"""

from __future__ import annotations

import argparse
import asyncio
import itertools
import json
import multiprocessing
import os
import resource
import socket
import statistics
import threading
import time
from collections.abc import Callable, Coroutine
from functools import partial
from pathlib import Path
from typing import Any

import picows
import uvloop

from tapewire import Gateway, GatewayOptions, WebSocketClient
from tapewire.sim.scenario import Scenario
from tapewire.sim.server import Simulator

SECONDS, MARKETS = 5.0, 20
#: Connections of S8.
DRIPS = 500
REQUEST = [{"ticket": "load"}]
#: How long clients may take to be connected: a server that is at its end lets them wait for ever.
READY_SECONDS = 30.0


class FallsBehind(Exception):
    """A server does not let in its clients while it serves those that it has."""


def wishes(symbols: list[str]) -> list[dict[str, Any]]:
    return [*REQUEST, *({"type": kind, "codes": symbols} for kind in ("ticker", "trade"))]


def exchange(pipe: Any, rate: float) -> None:
    async def run() -> None:
        async with Simulator(Scenario(rate=rate, markets=MARKETS)) as simulator:
            pipe.send((simulator.url, list(simulator.exchange.market.symbols)))
            await asyncio.to_thread(pipe.recv)

    asyncio.run(run())


def served(main: Callable[[], Coroutine[Any, Any, None]], loop: str) -> None:
    """Run a server on the loop of this name."""
    make = asyncio.new_event_loop if loop == "asyncio" else uvloop.new_event_loop
    with asyncio.Runner(loop_factory=make) as runner:
        runner.run(main())


def cpu() -> float:
    used = resource.getrusage(resource.RUSAGE_SELF)
    return used.ru_utime + used.ru_stime


def rss() -> int:
    return int(Path("/proc/self/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")


async def measured(pipe: Any) -> None:
    """Say CPU seconds and memory whenever asked, until told to end."""
    while await asyncio.to_thread(pipe.recv):
        pipe.send((cpu(), rss()))


def bare(pipe: Any, url: str, symbols: list[str], loop: str) -> None:
    clients: set[Any] = set()

    class Local(picows.WSListener):
        def on_ws_connected(self, transport: Any) -> None:
            clients.add(transport)

        def on_ws_disconnected(self, transport: Any) -> None:
            clients.discard(transport)

    class Upstream(picows.WSListener):
        def on_ws_connected(self, transport: Any) -> None:
            transport.send(picows.WSMsgType.TEXT, json.dumps(wishes(symbols)).encode())

        def on_ws_frame(self, _transport: Any, frame: Any) -> None:
            payload = frame.get_payload_as_bytes()
            for one in clients:
                one.send(picows.WSMsgType.BINARY, payload)

    async def run() -> None:
        server = await picows.ws_create_server(lambda _: Local(), "127.0.0.1", 0)
        port = server.sockets[0].getsockname()[1]
        await picows.ws_connect(Upstream, url)
        pipe.send(f"ws://127.0.0.1:{port}/")
        await measured(pipe)

    served(run, loop)


def gateway(pipe: Any, url: str, _symbols: list[str], loop: str) -> None:
    async def run() -> None:
        client = WebSocketClient("load", url=url, keep_raw=True)
        async with Gateway(client, GatewayOptions(port=0)) as server:
            pipe.send(server.url.replace("http", "ws", 1) + "/websocket/v1")
            await measured(pipe)

    served(run, loop)


def reader_of_books(url: str, symbols: list[str], *, stopped: bool) -> socket.socket:
    """Subscribes everything, and reads it or has stopped."""
    host, port = url.split("/")[2].split(":")
    one = socket.socket()
    one.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    one.connect((host, int(port)))
    asked = json.dumps([*wishes(symbols), {"type": "orderbook", "codes": symbols}]).encode()
    key = "dGhlIHNhbXBsZSBub25jZQ=="
    one.sendall(
        f"GET /websocket/v1 HTTP/1.1\r\nHost: {host}:{port}\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
        f"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: {key}\r\n\r\n".encode()
        + b"\x81\xfe" + len(asked).to_bytes(2, "big") + bytes(4) + asked
    )  # fmt: skip
    if not stopped:
        threading.Thread(target=_drain, args=(one,), daemon=True).start()
    return one


def _drain(one: socket.socket) -> None:
    while one.recv(1 << 16):
        pass


def clients(pipe: Any, url: str, symbols: list[str], count: int, *, beside: str = "") -> None:
    heard, late = [0], list[float]()

    class Local(picows.WSListener):
        def __init__(self, *, sampled: bool) -> None:
            self.sampled = sampled

        def on_ws_connected(self, transport: Any) -> None:
            transport.send(picows.WSMsgType.TEXT, json.dumps(wishes(symbols)).encode())

        def on_ws_frame(self, _transport: Any, frame: Any) -> None:
            heard[0] += 1
            if self.sampled and heard[0] % 7 == 0:
                text = frame.get_payload_as_bytes()
                at = text.find(b'"timestamp":')
                if at > 0 and b'"REALTIME"' in text:
                    late.append(time.time() * 1000 - int(text[at + 12 : at + 25]))

    async def run() -> None:
        for number in range(count):
            await picows.ws_connect(
                lambda number=number: Local(sampled=number < 3), url, websocket_handshake_timeout=60.0
            )
        held = reader_of_books(url, symbols, stopped=beside == "stopped") if beside else None
        pipe.send("ready")
        while await asyncio.to_thread(pipe.recv):
            pipe.send((heard[0], list(late)))
            late.clear()
        if held is not None:
            held.close()

    asyncio.run(run())


def measure(
    name: str, server: Any, url: str, symbols: list[str], count: int, *, beside: str = "", dripped: bool = False
) -> dict[str, float]:
    ours, theirs = multiprocessing.Pipe()
    serving = multiprocessing.Process(target=server, args=(theirs, url, symbols), daemon=True)
    serving.start()
    address = ours.recv()
    near, far = multiprocessing.Pipe()
    listening = multiprocessing.Process(
        target=clients, args=(far, address, symbols, count), daemon=True, kwargs={"beside": beside}
    )

    def ask(pipe: Any) -> Any:
        pipe.send(True)
        return pipe.recv()

    empty, emptied = _with_one(address, symbols, partial(ask, ours)), time.monotonic()
    listening.start()
    if not near.poll(READY_SECONDS):
        _end(listening, serving, ours, near)
        raise FallsBehind(f"{name} lets in no {count} clients within {READY_SECONDS:.0f} s")
    near.recv()
    time.sleep(2.0)
    drops, ends = multiprocessing.Pipe()
    dripping = multiprocessing.Process(target=drip, args=(ends, address), daemon=True)
    if dripped:
        dripping.start()
    (before, full), (heard, _), began = ask(ours), ask(near), time.monotonic()
    time.sleep(SECONDS)
    (after, memory), (more, late), took = ask(ours), ask(near), time.monotonic() - began
    held = (memory - full) / took * (began - emptied)
    sends, late = more - heard, sorted(late) or [0.0]
    found = {
        "sends_per_second": sends / took, "cpu_us_per_send": (after - before) / sends * 1e6,
        "cpu_percent": (after - before) / took * 100, "p50_ms": late[len(late) // 2],
        "p99_ms": late[int(len(late) * 0.99)], "kb_per_client": (full - empty - held) / count / 1000,
    }  # fmt: skip
    if dripped:
        found["longest_drip_s"] = max(drops.recv())
        dripping.join()
    _end(listening, serving, ours, near)
    print(
        f"{name:8} {count:4} clients  " + "  ".join(f"{key} {value:10.2f}" for key, value in found.items()), flush=True
    )
    return found


def _with_one(address: str, symbols: list[str], ask: Callable[[], tuple[float, int]]) -> int:
    """Bytes of a server that has served one client: with what it holds of the streams, whoever wants them."""
    near, far = multiprocessing.Pipe()
    first = multiprocessing.Process(target=clients, args=(far, address, symbols, 1), daemon=True)
    first.start()
    near.recv()
    time.sleep(1.0)
    first.terminate()
    first.join()
    return ask()[1]


def _end(listening: Any, serving: Any, *pipes: Any) -> None:
    for pipe in pipes:
        pipe.send(False)
    for process in (listening, serving):
        process.terminate()
        process.join()


def compare(url: str, symbols: list[str], count: int, rounds: int, loop: str) -> None:
    """L4: the gateway beside the bare relay, in the rounds in which that one keeps up."""
    ratios = []
    for _ in range(rounds):
        plain = None
        try:
            plain = measure("picows", partial(bare, loop=loop), url, symbols, count)
        except FallsBehind as why:
            print(f"  {why}", flush=True)
        own = measure("gateway", partial(gateway, loop=loop), url, symbols, count)
        if plain is not None:
            ratios.append(own["cpu_us_per_send"] / plain["cpu_us_per_send"])
    if ratios:
        ratio, least, most = statistics.median(ratios), min(ratios), max(ratios)
        print(
            f"  L4, {count} clients: CPU per send {ratio:.2f} times bare picows ({least:.2f} to {most:.2f})", flush=True
        )
    print(flush=True)


def stop_one(url: str, symbols: list[str], rounds: int, loop: str) -> None:
    """P8: the others beside a client that reads, and beside one that has stopped."""
    found: dict[str, list[dict[str, float]]] = {"reading": [], "stopped": []}
    for _ in range(rounds):
        for beside, rows in found.items():
            rows.append(measure(beside, partial(gateway, loop=loop), url, symbols, 20, beside=beside))
    for figure in ("p50_ms", "p99_ms", "cpu_percent"):
        well, ill = (statistics.median(row[figure] for row in found[which]) for which in ("reading", "stopped"))
        print(f"  P8, 20 clients and one stopped: {figure} {well:.2f} -> {ill:.2f} ({ill / well - 1:+.1%})", flush=True)


def drip(pipe: Any, url: str) -> None:
    """500 connections that send a byte of a request's head now and then; says how long each was let, and how many."""
    host, port = url.split("/")[2].split(":")

    async def one() -> float:
        reader, writer = await asyncio.open_connection(host, int(port))
        began, ended = time.monotonic(), asyncio.create_task(reader.read())
        head = itertools.chain(b"GET / HTTP/1.1\r\nX-Slow: ", itertools.repeat(ord("x")))
        while not ended.done():
            writer.write(bytes([next(head)]))
            await asyncio.wait({ended}, timeout=0.5)
        writer.close()
        ended.exception()
        return time.monotonic() - began

    async def run() -> None:
        pipe.send(await asyncio.gather(*(one() for _ in range(DRIPS))))

    asyncio.run(run())


def resist(url: str, symbols: list[str], rounds: int, loop: str) -> None:
    """S8: 20 clients beside nobody, and beside 500 connections that drip."""
    found: dict[str, list[dict[str, float]]] = {"alone": [], "dripped": []}
    for _ in range(rounds):
        for beside, rows in found.items():
            rows.append(measure(beside, partial(gateway, loop=loop), url, symbols, 20, dripped=beside == "dripped"))
    well, ill = (statistics.median(row["p99_ms"] for row in found[which]) for which in ("alone", "dripped"))
    longest = max(row["longest_drip_s"] for row in found["dripped"])
    print(f"  S8, 20 clients and {DRIPS} that drip: p99_ms {well:.2f} -> {ill:.2f} ({ill / well:.2f} times), "
          f"the last was cut after {longest:.2f} s", flush=True)  # fmt: skip


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("clients", nargs="*", type=int, default=[1, 50, 200])
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--only", choices=("l4", "p8", "s8"), help="one of its parts")
    parser.add_argument("--rate", type=float, default=2250.0, help="of the exchange; a half are tickers and trades")
    parser.add_argument("--loop", choices=("asyncio", "uvloop"), default="asyncio", help="of both servers")
    asked = parser.parse_args()
    multiprocessing.set_start_method("spawn")
    ours, theirs = multiprocessing.Pipe()
    market = multiprocessing.Process(target=exchange, args=(theirs, asked.rate), daemon=True)
    market.start()
    url, symbols = ours.recv()
    try:
        for count in asked.clients if asked.only in (None, "l4") else ():
            compare(url, symbols, count, asked.rounds, asked.loop)
        if asked.only in (None, "p8"):
            stop_one(url, symbols, asked.rounds, asked.loop)
        if asked.only in (None, "s8"):
            resist(url, symbols, asked.rounds, asked.loop)
    finally:
        ours.send(False)
        market.terminate()
        market.join()


if __name__ == "__main__":
    main()
