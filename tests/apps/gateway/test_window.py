"""What is kept for clients that come back."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from tapewire.apps.gateway.window import REPEATED, Window


@given(
    st.lists(st.tuples(st.sampled_from("abc"), st.floats(0, 3)), max_size=80),
    st.integers(0, 90),
    st.sets(st.sampled_from("abc")),
)
def test_what_came_after_a_cursor_is_whole_or_unknown(
    messages: list[tuple[str, float]], asked: int, streams: set[str]
) -> None:
    window, at, kept = Window("w", seconds=10.0), 0.0, list[tuple[int, float, str]]()
    for stream, pause in messages:
        at += pause
        kept.append((window.add(at, stream, "event", stream.encode()), at, stream))
    place = window.place(window.cursor(asked))
    assert place == (asked if asked <= len(messages) else None)
    if place is None:
        return
    found = window.since(place, streams, [0])
    gone = [number for number, when, _ in kept if when < at - 10.0]
    if gone and place < gone[-1]:
        assert found is None
    else:
        assert found is not None
        assert [(one.number, one.stream) for one in found] == [
            (number, stream) for number, _, stream in kept if number > place and stream in streams
        ]


def test_a_stream_that_was_not_carried_then_is_not_known() -> None:
    window = Window("w")
    window.add(0.0, "a", "event", b"1")
    begun = window.number
    window.add(0.0, "b", "event", b"2")
    assert window.since(0, {"a", "b"}, [0, begun]) is None
    assert len(window.since(1, {"a", "b"}, [0, begun]) or ()) == 1


def test_cursors_of_others_and_none_at_all() -> None:
    window = Window("w")
    window.add(0.0, "a", "event", b"1")
    for cursor in ("v-1", "w-2", "w", "", "w--1", "w-1x", "w-" + "9" * 30, "-1", "w-²"):
        assert window.place(cursor) is None
    assert window.place(window.cursor()) == 1


def test_it_stays_within_its_bytes_and_what_is_sent_again_within_its_own() -> None:
    window = Window("w", size=100_000)
    for number in range(1000):
        window.add(float(number) / 1000, "a", "event", b"." * 1000)
    assert window.since(0, {"a"}, []) is None
    assert len(window.since(950, {"a"}, []) or ()) == 50
    large = Window("w", size=10 * REPEATED)
    for _ in range(9):
        large.add(0.0, "a", "event", b"." * (REPEATED // 8))
    assert large.since(0, {"a"}, []) is None
    assert len(large.since(1, {"a"}, []) or ()) == 8
    assert large.since(0, {"b"}, []) == []


def test_one_message_larger_than_all_is_let_go() -> None:
    window = Window("w", size=100)
    assert window.add(0.0, "a", "event", b"." * 1000) == 1
    assert window.since(1, {"a"}, []) == []
    assert window.since(0, {"a"}, []) is None
