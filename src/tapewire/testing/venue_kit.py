"""``check_venue``: the list that every venue must pass, whether it lives in this package or in one of its own."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

from msgspec import Struct

from tapewire.config import Format
from tapewire.errors import ConfigError
from tapewire.model.subscription import Subscription
from tapewire.sim.pit import Listing
from tapewire.testing import venue_frames, venue_peer, venue_talk
from tapewire.testing.venue_talk import Written
from tapewire.venues.contract import Venue


class VenueCase(Struct, frozen=True, kw_only=True):
    """What the author of a venue knows of it.

    Attributes:
        venue: the value itself.
        captures: frames as they came, in the order in which they came.
        streams: two or more of the captures' kinds that may share a public line and that the simulated exchange has.
        written: what is sent, step by step.
        refusal: the frame by which the exchange refuses the first of ``streams``.
        unread: how many captures are not meant to be read; each must say why.
        markets: what the simulated exchange lists; None: the usual.
        format: of the frames.
        switches: the simulated exchange's, where captures are of other times.
        listings: what it lists where the package knows no markets of this venue; then ``markets`` is nothing.
        other_times: fields that only the captures, or only the simulated exchange, has: ``ticker.last_qty``.
    """

    venue: Venue
    captures: Sequence[bytes]
    streams: Sequence[Subscription]
    written: Written
    refusal: bytes
    unread: int = 0
    markets: tuple[str, ...] | None = None
    format: Format = "DEFAULT"
    switches: Mapping[str, Any] = {}
    listings: Sequence[Listing] = ()
    other_times: frozenset[str] = frozenset()

    def __post_init__(self) -> None:
        if len(self.streams) < 2:
            raise ConfigError("streams", self.streams, "two or more, so that one can be added and taken away")
        if not self.captures:
            raise ConfigError(
                "captures", "nothing", "recorded frames: what is not held against the exchange is guessed"
            )


#: What is asked, in this order: the name of each question says what must be true.
QUESTIONS: Mapping[str, Callable[[VenueCase], None]] = {
    question.__name__: question
    for question in (
        venue_talk.facts_hang_together,
        venue_talk.wrong_wishes_are_refused,
        venue_frames.every_capture_is_read_or_refused_by_name,
        venue_frames.every_event_is_complete_and_exact,
        venue_frames.the_same_bytes_give_the_same_events,
        venue_frames.both_roads_give_the_same_events,
        venue_frames.frames_that_begin_alike_are_of_one_stream,
        venue_frames.cut_garbled_and_doubled_frames_raise_nothing,
        venue_frames.holes_are_seen,
        venue_talk.requests_are_as_written,
        venue_talk.a_refusal_reaches_the_user,
        venue_peer.the_peers_frames_have_the_shape_of_the_captures,
        venue_peer.what_the_market_makes_comes_back_equal,
    )
}


def check_venue(venue: Venue, captures: Iterable[bytes], **known: Any) -> tuple[str, ...]:
    """Ask every question of the list; for one test each, go through ``QUESTIONS`` with a ``VenueCase``.

    Args:
        venue: the value itself.
        captures: frames as they came.
        **known: the other fields of ``VenueCase``.

    Returns:
        the names of the questions, all of them answered well.

    Raises:
        AssertionError: names each question that was not, and what was found.
        ConfigError: nothing was captured, or fewer than two streams are given.
    """
    case = VenueCase(venue=venue, captures=tuple(captures), **known)
    wrong = []
    for name, question in QUESTIONS.items():
        try:
            question(case)
        except Exception as error:  # a venue that raises has not passed
            kind = "" if isinstance(error, AssertionError) else f"{type(error).__name__}: "
            wrong.append(f"{name.replace('_', ' ')}: {kind}{error}")
    if wrong:
        raise AssertionError(f"{venue.name}: " + "; ".join(wrong))
    return tuple(QUESTIONS)
