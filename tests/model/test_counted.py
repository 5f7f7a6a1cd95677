"""One gap, two gaps."""

from __future__ import annotations

from tapewire.model.counted import clause_of, count_of


def test_one_is_one_and_its_verb_agrees() -> None:
    assert [count_of(number, "gap") for number in (0, 1, 2, 1_200)] == ["0 gaps", "1 gap", "2 gaps", "1,200 gaps"]
    assert [clause_of(number, "line", "waits", "wait") for number in (1, 2)] == ["1 line waits", "2 lines wait"]
