"""How often an alert may speak: limits, recoveries, what is held back, bundles; a clock moved by hand."""

from __future__ import annotations

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tapewire.hub import notices
from tapewire.hub.notices import Bundle, Limiter, Notice, Sign, merged, span


def limiter(every: float = 60.0, *, recovery: bool = True) -> Limiter:
    return Limiter("down", "critical", every, recovery=recovery)


def due(one: Limiter | Bundle) -> float | None:
    return one.deadline


def on(t: float, subject: str = "a") -> Sign:
    return Sign("on", subject, f"{subject} is down", t)


def off(subject: str = "a") -> Sign:
    return Sign("off", subject, f"{subject} is back")


def once(text: str, subject: str = "a") -> Sign:
    return Sign("once", subject, text)


def notice(subject: str, **facts: object) -> Notice:
    fixed: dict[str, object] = {"rule": "gap", "severity": "warning", "text": f"gap in {subject}", "at_ns": 5}
    return Notice(**(fixed | {"subjects": (subject,)} | facts))  # type: ignore[arg-type]


def test_a_condition_is_told_once_and_so_is_its_end() -> None:
    limit = limiter()
    assert limit.take(on(7.0), 10.0, 100) == Notice(
        rule="down", severity="critical", text="a is down", subjects=("a",), at_ns=100
    )
    assert limit.take(on(7.0), 11.0, 101) is None
    assert limit.take(off(), 19.0, 102) == Notice(
        rule="down", severity="critical", text="a is back", subjects=("a",), at_ns=102, over=True, seconds=12.0
    )
    assert limit.take(off(), 20.0, 103) is None
    assert limit.take(off("unknown"), 20.0, 103) is None
    assert (limit.told, limit.suppressed) == (2, 0)


def test_without_recovery_the_end_is_not_told() -> None:
    limit = limiter(recovery=False)
    assert limit.take(on(0.0), 0.0, 0) is not None
    assert limit.take(off(), 5.0, 0) is None
    assert limit.take(on(6.0), 6.0, 0) is None
    assert limit.take(off(), 7.0, 0) is None
    assert limit.tick(60.0, 0) == []
    assert (limit.deadline, limit.suppressed) == (None, 1)


def test_what_still_lasts_when_the_limit_ends_is_told_then() -> None:
    limit = limiter()
    limit.take(on(0.0), 0.0, 0)
    limit.take(off(), 5.0, 0)
    assert limit.take(on(10.0), 10.0, 0) is None
    assert due(limit) == 60.0
    assert limit.tick(59.9, 0) == []
    [told] = limit.tick(60.0, 9)
    assert (told.text, told.over, told.held_back, told.at_ns) == ("a is down", False, 0, 9)
    assert due(limit) is None
    back = limit.take(off(), 70.0, 0)
    assert back is not None
    assert back.seconds == 60.0


def test_flapping_is_summed_up_when_the_limit_ends() -> None:
    limit = limiter()
    limit.take(on(0.0), 0.0, 0)
    limit.take(off(), 1.0, 0)
    for t in (10.0, 20.0, 30.0):
        assert limit.take(on(t), t, 0) is None
        assert limit.take(off(), t + 4.0, 0) is None
    [told] = limit.tick(60.0, 0)
    assert (told.over, told.seconds, told.held_back) == (True, 4.0, 2)
    assert told.line == "[over] down: a is back (2 more held back since the last notice)"
    assert limit.suppressed == 2
    assert limit.tick(120.0, 0) == []
    assert limit.deadline is None, "the subject is forgotten"


def test_moments_within_the_limit_are_counted_and_the_last_is_told_at_its_end() -> None:
    limit = limiter(every=10.0)
    assert [limit.take(once(f"n{n}"), float(n), n) is not None for n in range(4)] == [True, False, False, False]
    [told] = limit.tick(10.0, 0)
    assert (told.text, told.held_back, told.over, told.seconds) == ("n3", 2, False, None)
    assert limit.take(once("n4"), 20.0, 0) is not None
    assert [limit.take(once(f"b{n}", "b"), 20.0, 0) is not None for n in range(2)] == [True, False]


def test_an_end_is_told_within_the_limit_too_and_forgets_the_subject() -> None:
    limit = limiter()
    limit.take(on(0.0), 0.0, 0)
    limit.take(off(), 1.0, 0)
    limit.take(on(2.0), 2.0, 0)
    end = limit.take(Sign("end", "a", "a gave up"), 3.0, 0)
    assert end is not None
    assert (end.text, end.over, end.held_back) == ("a gave up", False, 1)
    assert limit.deadline is None
    assert limit.take(Sign("end", "b", "b gave up"), 3.0, 0) is not None


def test_the_number_of_subjects_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(notices, "MOST_SUBJECTS", 2)
    limit = limiter()
    told = [limit.take(once("x", subject), 0.0, 0) for subject in "abcd"]
    assert [one is not None for one in told] == [True, True, False, False]
    assert limit.suppressed == 2


@given(st.lists(st.tuples(st.floats(0.1, 30.0), st.sampled_from(["on", "off", "once", "tick"])), max_size=60))
def test_never_more_than_one_beginning_within_the_limit(steps: list[tuple[float, str]]) -> None:
    limit, t, begun = limiter(every=20.0), 0.0, []
    for wait, what in steps:
        t += wait
        told = limit.tick(t, 0)
        if what != "tick":
            one = limit.take(off() if what == "off" else on(t) if what == "on" else once("x", "a"), t, 0)
            told += [one] if one else []
        begun += [t for one in told if not one.over]
    assert all(later - earlier >= 20.0 - 1e-9 for earlier, later in pairwise(begun))


def test_a_bundle_lets_the_first_pass_and_gathers_the_rest() -> None:
    bundle = Bundle(1.0)
    assert bundle.add([notice("a"), notice("b")], 0.0) == [notice("a")]
    assert bundle.add([notice("c")], 0.5) == []
    assert bundle.tick(0.9) == []
    [told] = bundle.tick(1.0)
    assert (told.text, told.subjects) == ("gap in b; likewise c", ("b", "c"))
    assert due(bundle) == 2.0, "what follows is gathered too"
    assert bundle.tick(2.0) == []
    assert due(bundle) is None
    assert bundle.tick(3.0) == []


def test_a_bundle_of_no_time_gathers_nothing() -> None:
    assert Bundle(0.0).add([notice("a"), notice("b")], 0.0) == [notice("a"), notice("b")]


def test_a_bundle_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(notices, "MOST_SUBJECTS", 3)
    bundle = Bundle(1.0)
    bundle.add([notice(str(n)) for n in range(10)], 0.0)
    [told] = bundle.flush()
    assert told.subjects == tuple("123456789")
    assert bundle.flush() == []


def test_many_notices_become_one_with_names_and_counts() -> None:
    one = merged([notice(f"s{n}", held_back=1, seconds=float(n), at_ns=n) for n in range(60)])
    assert one.text == "gap in s0; likewise s1, s2, s3, s4, s5 and 54 others"
    assert (len(one.subjects), one.others, one.held_back, one.seconds, one.at_ns) == (50, 10, 60, 59.0, 59)
    assert merged([notice("a"), notice("a")]).held_back == 1, "the same subject twice"
    assert merged([notice("a"), notice("a")]).text == "gap in a"
    assert merged([notice("a")]) == notice("a")


def test_the_line_of_a_notice() -> None:
    assert notice("a").line == "[warning] gap: gap in a"


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (0.0, "0 s"), (0.42, "0.4 s"), (9.0, "9 s"), (12.4, "12 s"), (60, "1 min"), (200, "3 min 20 s"),
        (3600, "1 h"), (7500, "2 h 5 min"),
    ],
)  # fmt: skip
def test_spans_of_time_in_words(seconds: float, text: str) -> None:
    assert span(seconds) == text
