"""A callback that raised, as an event."""

from __future__ import annotations

import pytest

from tapewire.runtime.observe import callback_failed


def test_a_failed_callback_carries_the_whole_traceback() -> None:
    with pytest.raises(ZeroDivisionError) as caught:
        _ = 1 // 0
    told = callback_failed("upbit", "upbit-1", 7, "me:trade", caught.value)
    assert (told.subscriber, told.error, told.at_ns) == (
        "me:trade",
        "ZeroDivisionError('integer division or modulo by zero')",
        7,
    )
    assert told.traceback.startswith("Traceback (most recent call last):\n")
    assert told.traceback.endswith("ZeroDivisionError: integer division or modulo by zero\n")
