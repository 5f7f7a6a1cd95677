"""A simulated exchange behind a cable of its own: a network namespace, one end of a veth pair in it."""

from __future__ import annotations

import asyncio
import json
import os
import shutil
import subprocess
import sys
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import Any

HERE, THERE = "10.231.77.1", "10.231.77.2"
PORT = 9001


def why_not() -> str:
    """Why there can be no namespace; empty: there can."""
    if not hasattr(os, "geteuid") or os.geteuid() != 0 or shutil.which("ip") is None:
        return "needs root and ip (iproute2): network namespaces"
    name = f"tw-try-{os.getpid()}"
    tried = subprocess.run(["ip", "netns", "add", name], capture_output=True, text=True, check=False)
    if tried.returncode:
        return f"no network namespaces here: {tried.stderr.strip()}"
    subprocess.run(["ip", "netns", "del", name], check=True)
    return ""


def run(*command: str) -> None:
    subprocess.run(command, check=True, capture_output=True, text=True)


class Cable:
    """The way to the exchange."""

    def __init__(self, ours: str, namespace: str) -> None:
        self.ours, self.namespace = ours, namespace

    @property
    def url(self) -> str:
        return f"ws://{THERE}:{PORT}/websocket/v1"

    def pull(self) -> None:
        """As a cable that is pulled out: nothing is told to either end."""
        run("ip", "netns", "exec", self.namespace, "ip", "link", "set", "far", "down")

    def plug(self) -> None:
        run("ip", "netns", "exec", self.namespace, "ip", "link", "set", "far", "up")

    def lose(self, share: float) -> None:
        """Of what the exchange sends and gets so much vanishes."""
        for chain in ("INPUT", "OUTPUT"):
            rule = ("-m", "statistic", "--mode", "random", "--probability", str(share), "-j", "DROP")
            run("ip", "netns", "exec", self.namespace, "iptables-legacy", "-A", chain, *rule)

    def lose_nothing(self) -> None:
        run("ip", "netns", "exec", self.namespace, "iptables-legacy", "-F")

    def made(self, since: int) -> dict[int, int]:
        """The exchange's own record by REST: ids of its trades from this one on, and when each was made (ms)."""
        found: dict[int, int] = {}
        cursor = ""
        while since not in found:
            page = self._page(cursor)
            assert page, "it reaches back far enough"
            found |= {one["sequential_id"]: one["timestamp"] for one in page}
            cursor = f"&cursor={min(found)}"
        return {number: at for number, at in found.items() if number >= since}

    def _page(self, cursor: str) -> list[dict[str, Any]]:
        address = f"http://{THERE}:{PORT}/v1/trades/ticks?market=KRW-BTC&count=500{cursor}"
        with urllib.request.urlopen(address, timeout=10) as answer:
            return list(json.load(answer))


@contextmanager
def exchange(rate: float) -> Iterator[Cable]:
    """An exchange in a namespace of its own, and the way there."""
    number = os.getpid() % 100_000
    cable = Cable(f"tw{number}", f"tapewire-{number}")
    run("ip", "netns", "add", cable.namespace)
    try:
        far = ("ip", "netns", "exec", cable.namespace)
        run("ip", "link", "add", cable.ours, "type", "veth", "peer", "name", "far", "netns", cable.namespace)
        run("ip", "addr", "add", f"{HERE}/30", "dev", cable.ours)
        run("ip", "link", "set", cable.ours, "up")
        run(*far, "ip", "addr", "add", f"{THERE}/30", "dev", "far")
        cable.plug()
        command = [*far, sys.executable, "-m", "tapewire", "simulate", "upbit", "--host", THERE, "--port", str(PORT),
                   "--markets", "KRW-BTC", "--rate", str(rate), "--json"]  # fmt: skip
        with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
            try:
                assert process.stdout is not None
                assert process.stdout.readline(), "it prints its addresses when it listens"
                yield cable
            finally:
                process.terminate()
                process.communicate(timeout=10)
    finally:
        run("ip", "netns", "del", cable.namespace)


async def for_seconds(seconds: float) -> None:
    """An outage takes its time."""
    with suppress(TimeoutError):
        async with asyncio.timeout(seconds):
            await asyncio.Event().wait()
