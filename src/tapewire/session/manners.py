"""Which parts a session speaks with: for a venue whose requests replace each other, or one that answers each."""

from __future__ import annotations

from collections.abc import Callable

from tapewire.config import FeedOptions
from tapewire.errors import UsageError
from tapewire.session.acknowledged import Acknowledged
from tapewire.session.answers import Answers
from tapewire.session.asking import Asking
from tapewire.session.changing import Changing
from tapewire.session.login import Login
from tapewire.session.sending import Sending
from tapewire.session.telling import Teller
from tapewire.session.wants import Wants
from tapewire.venues.contract import Venue


class Parts:
    """The parts of one machine that asking and answers touch."""

    def __init__(  # noqa: PLR0917 - the machine's own parts
        self,
        venue: Venue,
        options: FeedOptions,
        wants: Wants,
        sending: Sending,
        teller: Teller,
        side: str,
        ticket: Callable[[], str],
    ) -> None:
        self.venue, self.options, self.ticket = venue, options, ticket
        self.wants, self.sending, self.teller = wants, sending, teller
        self.signed = side in venue.facts.signed_sides
        by_message = self.signed and venue.login is not None
        self.login = Login(wanted=by_message, patience=options.session.answer_timeout)


def manners_of(parts: Parts) -> tuple[Asking | Changing, Answers | Acknowledged]:
    """Who knows what was asked, and who hears the answers.

    Raises:
        UsageError: the venue's facts and functions do not go together.
    """
    venue, session = parts.venue, parts.options.session
    facts, changes = venue.facts, venue.changes
    if (facts.replaces, facts.acknowledges) != (changes is None, changes is not None):
        raise UsageError(f"{venue.name}: requests replace each other and are not answered, or Venue.changes says how")
    if changes is None:
        asking = Asking(session.quiet_time)
        return asking, Answers(
            venue, session, parts.wants, asking, parts.sending, parts.teller,
            parts.signed, parts.ticket, parts.options.format,
        )  # fmt: skip
    changing = Changing(changes, parts.ticket, session.answer_timeout)
    return changing, Acknowledged(
        venue, changes, session, parts.wants, changing, parts.sending, parts.teller, parts.login
    )
