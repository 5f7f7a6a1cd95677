"""Runs trials of ``tapewire prove`` in several processes at once, and hands the results on in order."""

from __future__ import annotations

import logging
import os
import signal
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import Future, ProcessPoolExecutor, wait
from concurrent.futures.process import BrokenProcessPool
from multiprocessing import get_context
from typing import Any

from rich.console import Console
from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn, TimeRemainingColumn

from tapewire.apps.cli.running import ended_by_sigterm
from tapewire.errors import FeedError
from tapewire.testing.proof import Proof, prove

#: Seconds between two looks at how far the trials are.
_LOOK = 0.2
#: What a process of ours knows: the share done of each trial, and whether all shall stop.
_shared: dict[str, Any] = {}


class _Stopped(Exception):
    """The trial was given up."""


def run_trials(
    seeds: Sequence[int], hours: float, jobs: int | None, begun: Callable[[], None], options: Mapping[str, Any]
) -> Iterator[Proof]:
    """One trial for each seed; results in the order of the seeds.

    Args:
        seeds: of the trials.
        hours: how long each is, on the exchange's clock.
        jobs: processes at most; None: one for each processor.
        begun: called when the trials are under way.
        options: of the client.

    Raises:
        FeedError: a process died.
    """
    jobs = min(jobs or os.cpu_count() or 1, len(seeds))
    context = get_context("spawn")
    shares, stop = context.Array("d", len(seeds)), context.Event()
    with ended_by_sigterm(), _progress() as progress:
        task = progress.add_task(f"{len(seeds)} x {hours:g} h", total=len(seeds))
        pool = ProcessPoolExecutor(jobs, context, _begin, (shares, stop))
        try:
            trials = [pool.submit(_trial, number, seed, hours, options) for number, seed in enumerate(seeds)]
            begun()
            for trial in trials:
                while not _done(trial):
                    progress.update(task, completed=sum(shares[:]))
                yield trial.result()
        except BrokenProcessPool as error:
            raise FeedError("a process of the trials died; with less memory to spare, try --jobs 1") from error
        finally:
            stop.set()
            pool.shutdown(cancel_futures=True)


def _done(trial: Future[Proof]) -> bool:
    return bool(wait([trial], timeout=_LOOK).done)


def _begin(shares: Any, stop: Any) -> None:
    """Make a process ready: Ctrl-C is its parent's business."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    logging.getLogger("tapewire").setLevel(logging.CRITICAL + 1)  # hundreds of faults, each told in the log
    _shared.update(shares=shares, stop=stop)


def _trial(number: int, seed: int, hours: float, options: Mapping[str, Any]) -> Proof:
    def progress(share: float) -> None:
        _shared["shares"][number] = share
        if _shared["stop"].is_set():
            raise _Stopped

    return prove(seed, hours, progress, **options)


def _progress() -> Progress:
    columns = TextColumn("{task.description}"), BarColumn(), TaskProgressColumn(), TimeRemainingColumn()
    console = Console(stderr=True)
    return Progress(*columns, console=console, transient=True, disable=not console.is_terminal)
