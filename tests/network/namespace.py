"""A simulated exchange behind a cable of its own: a network namespace, one end of a veth pair in it."""

from __future__ import annotations

import asyncio
import ipaddress
import json
import os
import shutil
import subprocess
import sys
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import Any

PORT = 9001
NETWORKS = 1 << 14  # of four addresses each, in 10.231.0.0/16


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

    def __init__(self, number: int) -> None:
        """Addresses of its own, so that neither a second run nor what a killed one left behind is in the way."""
        self.ours, self.namespace = f"tw{number}", f"tapewire-{number}"
        network = ipaddress.ip_address("10.231.0.0") + number % NETWORKS * 4
        self.here, self.there = str(network + 1), str(network + 2)

    @property
    def url(self) -> str:
        return f"ws://{self.there}:{PORT}/websocket/v1"

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
        address = f"http://{self.there}:{PORT}/v1/trades/ticks?market=KRW-BTC&count=500{cursor}"
        with urllib.request.urlopen(address, timeout=10) as answer:
            return list(json.load(answer))


@contextmanager
def laid() -> Iterator[Cable]:
    """A namespace of its own, and the way there."""
    cable = Cable(os.getpid())
    run("ip", "netns", "add", cable.namespace)
    try:
        far = ("ip", "netns", "exec", cable.namespace)
        run("ip", "link", "add", cable.ours, "type", "veth", "peer", "name", "far", "netns", cable.namespace)
        run("ip", "addr", "add", f"{cable.here}/30", "dev", cable.ours)
        run("ip", "link", "set", cable.ours, "up")
        run(*far, "ip", "addr", "add", f"{cable.there}/30", "dev", "far")
        cable.plug()
        yield cable
    finally:
        run("ip", "netns", "del", cable.namespace)


@contextmanager
def exchange(rate: float) -> Iterator[Cable]:
    """An exchange in a namespace of its own, and the way there."""
    with laid() as cable:
        far = ("ip", "netns", "exec", cable.namespace)
        command = [*far, sys.executable, "-m", "tapewire", "simulate", "upbit", "--markets", "KRW-BTC",
                   "--host", cable.there, "--port", str(PORT), "--rate", str(rate), "--json"]  # fmt: skip
        with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
            try:
                assert process.stdout is not None
                assert process.stdout.readline(), "it prints its addresses when it listens"
                yield cable
            finally:
                process.terminate()
                process.communicate(timeout=10)


async def for_seconds(seconds: float) -> None:
    """An outage takes its time."""
    with suppress(TimeoutError):
        async with asyncio.timeout(seconds):
            await asyncio.Event().wait()
