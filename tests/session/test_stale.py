"""The stale watch: each stream against its own rhythm."""

from __future__ import annotations

from typing import Any

from tapewire.config import SessionOptions
from tapewire.session.actions import Progress
from tapewire.session.stale import Report, Silence, Watch
from tests.session.made_up import stream

A, B = stream("A"), stream("B")


class Watched:
    """A watch that is looked through once a second while streams send at their own intervals."""

    def __init__(self, **options: Any) -> None:
        self.watch = Watch(SessionOptions(**options))
        self.watch.opened(0.0)
        self.t = 0
        self.counts = {A: 0, B: 0}

    def run(self, until: int, every: dict[Any, int]) -> list[tuple[int, Report]]:
        """Looks each second; returns those that found something."""
        found = []
        while self.t < until:
            self.t += 1
            for it, interval in every.items():
                self.counts[it] += self.t % interval == 0
            report = self.look()
            if report != Report([]):
                found.append((self.t, report))
        return found

    def look(self) -> Report:
        return self.watch.look(self.t, [A, B], {it: Progress(count) for it, count in self.counts.items()})


def test_a_stream_with_fewer_than_five_messages_is_never_stale() -> None:
    watched = Watched()
    assert watched.run(5, {A: 1}) == []  # the first sight counts nothing
    assert watched.run(10_000, {}) == []


def test_a_busy_stream_is_told_once_and_once_that_it_is_back() -> None:
    watched = Watched()
    watched.run(100, {A: 1, B: 1})
    assert watched.run(400, {B: 1}) == [(161, Report([Silence(A, 61.0, 60.0)]))]
    assert watched.run(410, {A: 1, B: 1}) == [(401, Report([Silence(A, 301.0, 60.0, over=True)]))]
    assert watched.run(430, {A: 1, B: 1}) == []


def test_a_slow_stream_is_measured_by_its_own_rhythm() -> None:
    watched = Watched()
    watched.run(100, {A: 10, B: 1})
    assert watched.run(400, {B: 1}) == [(299, Report([Silence(A, 199.0, 198.0)]))]  # 10 in 99 s


def test_when_all_are_silent_it_advises_to_ask_once_and_then_to_replace_the_line() -> None:
    watched = Watched()
    watched.run(100, {A: 1, B: 2})
    told = [Silence(A, 61.0, 60.0), Silence(B, 61.0, 60.0)]
    assert watched.run(220, {}) == [(161, Report(told, "ask", 61.0)), (220, Report([], "replace", 120.0))]


def test_a_snapshot_is_life_but_no_rhythm() -> None:
    watched = Watched()
    watched.look()
    for _ in range(10):
        watched.watch.snapshot(A)
        watched.counts[A] += 1
        watched.t += 1
        watched.look()
    assert watched.run(1_000, {}) == []
    watched.run(1_010, {A: 1})
    asked = [t for t, report in watched.run(10_000, {}) if report.advice == "ask"]
    watched.watch.snapshot(A)
    watched.counts[A] += 1
    news = watched.run(watched.t + 1, {})[0][1].news
    assert (len(asked), [silence.over for silence in news]) == (1, [True])


def test_a_line_that_brings_only_snapshots_is_replaced_ever_more_gently() -> None:
    """Half dead (requests are answered, nothing comes by itself) and a quiet night look the same from here."""
    watched = Watched()
    watched.run(100, {A: 1, B: 1})

    def snapshots() -> None:
        for it in (A, B):
            watched.watch.snapshot(it)
            watched.counts[it] += 1

    waits = []
    for _ in range(6):  # lines
        opened, advice = watched.t, ""
        while advice != "replace":
            for _, report in watched.run(watched.t + 1, {}):
                advice = report.advice
                if advice == "ask":
                    assert watched.t - opened == 61
                    snapshots()
        assert report.silent == watched.t - opened
        waits.append(watched.t - opened - 61)
        watched.watch.opened(watched.t)
        watched.counts = {A: 0, B: 0}
        snapshots()  # of the request on the new line
    assert waits == [120, 240, 480, 960, 960, 960]
    watched.run(watched.t + 5, {B: 1})
    while not (found := watched.run(watched.t + 1, {})) or found[0][1].advice != "ask":
        pass
    asked = watched.t
    snapshots()
    found = watched.run(asked + 120, {})
    assert [t - asked for t, report in found if report.advice == "replace"] == [120], "it begins anew"


def test_with_a_rhythm_slower_than_stale_reconnect_the_answer_still_gets_its_time() -> None:
    watched = Watched()
    watched.run(100, {A: 10})
    assert [(t, report.advice) for t, report in watched.run(320, {})] == [(299, "ask")] + [
        (t, "replace") for t in range(309, 321)
    ]


def test_stale_reconnect_none_only_tells() -> None:
    watched = Watched(stale_reconnect=None)
    watched.run(100, {A: 1})
    assert watched.run(1_000, {}) == [(161, Report([Silence(A, 61.0, 60.0)]))]


def test_a_new_line_keeps_the_rhythm_and_begins_the_silence_anew() -> None:
    watched = Watched()
    watched.run(100, {A: 1})
    watched.run(170, {})
    watched.watch.opened(170)
    watched.counts = {A: 0, B: 0}
    found = watched.run(290, {})
    assert [(t, report.advice) for t, report in found] == [(231, "ask"), (290, "replace")]
    assert [silence.over for _, report in watched.run(291, {A: 1}) for silence in report.news] == [True]


def test_a_process_that_was_stopped_has_not_seen_silence() -> None:
    watched = Watched()
    watched.run(100, {A: 1})
    watched.t += 600
    assert watched.look() == Report([])
    assert [t for t, _ in watched.run(800, {})] == [759]


def test_a_forgotten_stream_begins_anew_and_a_watch_switched_off_sees_nothing() -> None:
    watched = Watched()
    watched.run(100, {A: 1})
    watched.watch.forget([A, stream("never seen")])
    assert watched.run(1_000, {}) == []
    off = Watched(stale_after=None)
    off.run(100, {A: 1})
    assert (off.run(1_000, {}), off.watch.deadline) == ([], None)


def test_it_looks_once_a_second_or_finer_for_a_short_limit() -> None:
    fine = Watch(SessionOptions(stale_after=0.8))
    fine.opened(10.0)
    assert (fine.deadline, Watch(SessionOptions()).deadline) == (10.2, 1.0)


def test_streams_that_bring_only_snapshots_are_mute_whatever_lines_come() -> None:
    watch = Watch(SessionOptions())
    watch.opened(0.0)
    t = 0.0
    for t in range(21):
        watch.look(float(t), [A, B], {A: Progress(t), B: Progress(min(t, 3))})
    for t in range(21, 81):
        watch.look(float(t), [A, B], {A: Progress(20), B: Progress(3)})
    assert watch.mute() == {}, "sixty seconds are allowed"
    watch.opened(81.0)
    watch.snapshot(A)
    watch.look(82.0, [A, B], {A: Progress(1), B: Progress(0)})
    assert watch.mute() == {A: 61.0}, "a stream that never was busy is never mute"
    watch.look(83.0, [A, B], {A: Progress(2), B: Progress(0)})
    assert watch.mute() == {}
