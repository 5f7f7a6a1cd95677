"""What the live page costs a browser: 300 markets, 5,000 events a second, in headless chromium.

    .venv/bin/python -m benchmarks.live_page [--rate 5000] [--markets 300] [--seconds 15]

Prints for each view: events taken a second, frames, long tasks (above 50 ms), and what share of one core the page's
thread worked, by kind. CPU time comes from the browser itself (``Performance.getMetrics``): other load of the machine
makes frames fewer, not the work more.
"""

from __future__ import annotations

import argparse
import time
from functools import partial

from tests.dashboard.browser import resize, start
from tests.dashboard.stage import Person
from tests.dashboard.threads import in_background

from benchmarks.loud import loud

WATCH = """
  window.seen = { frames: [], long: [] };
  new PerformanceObserver((list) => list.getEntries().forEach((e) => window.seen.long.push(e.duration)))
    .observe({ type: 'longtask' });
  const frame = (at) => { window.seen.frames.push(at); requestAnimationFrame(frame); };
  requestAnimationFrame(frame);
"""
TIMES = ("TaskDuration", "ScriptDuration", "LayoutDuration", "RecalcStyleDuration")


def measure(person: Person, view: str, seconds: float) -> str:
    driver = person.driver
    driver.execute_cdp_cmd("Performance.enable", {"timeDomain": "threadTicks"})
    counter = driver.execute_cdp_cmd("Page.addScriptToEvaluateOnNewDocument", {"source": COUNT})
    person.go(view)
    driver.execute_cdp_cmd("Page.removeScriptToEvaluateOnNewDocument", counter)
    person.reads("#pill", "Live")
    driver.execute_script(WATCH)
    before, began, heard = figures(person), time.monotonic(), driver.execute_script("return window.heard")
    time.sleep(seconds)
    spent = time.monotonic() - began
    work = {name: (figures(person)[name] - before[name]) / spent for name in TIMES}
    heard = (driver.execute_script("return window.heard") - heard) / spent
    seen = driver.execute_script("return window.seen")
    rows = len(person.all(".list-space .row"))
    gaps = sorted(b - a for a, b in zip(seen["frames"], seen["frames"][1:], strict=False))
    heap = figures(person)["JSHeapUsedSize"] / 1e6
    parts = ", ".join(f"{name.removesuffix('Duration').lower()} {work[name]:.0%}" for name in TIMES[1:])
    return "  ".join(
        (
            f"{view:20} {heard:7,.0f} events/s",
            f"{len(gaps) / spent:4.0f} frames/s, p99 {gaps[int(len(gaps) * 0.99)]:.0f} ms",
            f"long tasks {len(seen['long'])}, longest {max(seen['long'], default=0):.0f} ms",
            f"thread {work['TaskDuration']:.0%} of a core ({parts})",
            f"{work['TaskDuration'] / heard * 1e6:.0f} us an event",
            f"rows {rows}  heap {heap:.0f} MB",
        )
    )


#: Counts what the page's own WebSocket brings.
COUNT = """
  window.heard = 0;
  const Plain = WebSocket;
  window.WebSocket = class extends Plain {
    constructor(...how) { super(...how); this.addEventListener('message', () => { window.heard += 1; }); }
  };
"""


def figures(person: Person) -> dict[str, float]:
    metrics = person.driver.execute_cdp_cmd("Performance.getMetrics", {})["metrics"]
    return {one["name"]: one["value"] for one in metrics}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rate", type=float, default=5_000)
    parser.add_argument("--markets", type=int, default=300)
    parser.add_argument("--seconds", type=float, default=15)
    asked = parser.parse_args()
    with in_background(partial(loud, asked.markets, asked.rate)) as address:
        driver = start()
        try:
            resize(driver, 1280, 800)
            for view in ("markets", "market/upbit/KRW-BTC", "health"):
                print(measure(Person(driver, address), view, asked.seconds), flush=True)
        finally:
            driver.quit()


if __name__ == "__main__":
    main()
