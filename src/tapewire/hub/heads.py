"""The hot table of a venue whose frames name their stream: how a frame begins → where its events go (pure)."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from tapewire.model.events import Event
from tapewire.venues.contract import Head

#: Decoder of the frame, public class of its events, their symbol, and what hears them (``last``, ``count``,
#: ``deliver``).
Road = tuple[Callable[[bytes], Any], type[Event], str, Any]


class Heads:
    """Who hears is a stream, or the book that is kept of several; each has one road at most."""

    def __init__(self) -> None:
        self._roads: dict[bytes, Road] = {}
        self._texts: dict[Any, bytes] = {}

    @property
    def table(self) -> Mapping[bytes, Road]:
        """For the short road: it looks in here at every frame."""
        return self._roads

    def __contains__(self, hearer: object) -> bool:
        return hearer in self._texts

    def open(self, hearer: Any, symbol: str, head: Head) -> None:
        """Frames that begin so go to ``hearer`` from now on."""
        self.close(hearer)
        self._texts[hearer] = head.text
        self._roads[head.text] = (head.decode, head.public, symbol, hearer)

    def close(self, hearer: Any) -> None:
        """They take the careful road again."""
        text = self._texts.pop(hearer, None)
        if text is not None and self._roads[text][3] is hearer:  # not so where another took it over
            del self._roads[text]
