"""What an exchange that stays silent over good requests answers to others: an error's culprit, a list that differs."""

from __future__ import annotations

from collections.abc import Callable

from msgspec import Struct
from msgspec.structs import replace

from tapewire.config import Format, SessionOptions
from tapewire.model import status
from tapewire.model.line import Loss
from tapewire.session.actions import Action, Now
from tapewire.session.asking import Asking
from tapewire.session.sending import Sending
from tapewire.session.telling import Teller
from tapewire.session.wants import Wants
from tapewire.venues.contract import Control, Venue

#: Errors that pass by themselves, as letters only (spec/upbit.md 5.1: three ways of writing are known).
TRANSIENT = frozenset({"TOOMANYREQUEST", "TOOMANYREQUESTS", "IMATEAPOT"})


class Heard(Struct, frozen=True):
    """What follows from the exchange's word, or from its silence.

    Attributes:
        actions: what is told.
        ours: a line that ends now ends because of a request of ours.
        cut: the line is to be ended with this loss.
        moving: the exchange is about to close the line.
    """

    actions: list[Action] = []
    ours: bool = False
    cut: Loss | None = None
    moving: bool = False


class Answers:
    """The parts of one machine that an answer touches."""

    def __init__(  # noqa: PLR0917 - the machine's own parts
        self,
        venue: Venue,
        options: SessionOptions,
        wants: Wants,
        asking: Asking,
        sending: Sending,
        teller: Teller,
        signed: bool,  # noqa: FBT001 - a fact of the side
        ticket: Callable[[], str],
        form: Format,
    ) -> None:
        self._venue, self._options, self._signed = venue, options, signed
        self._ticket, self._form = ticket, form
        self._wants, self._asking, self._sending, self._teller = wants, asking, sending, teller

    def payloads(self, now: Now) -> list[bytes]:
        """The request that is due, in as many messages as the venue wants."""
        wishes = self._asking.request(now.t, self._wants.standing)
        return self._venue.encode(wishes, self._ticket(), self._form)

    def quiet(self, now: Now) -> Heard:
        """Silence for so long is consent."""
        self._asking.quiet(now.t)
        return Heard()

    def heard(self, now: Now, control: Control) -> Heard:
        """The exchange's word, of whatever kind."""
        if control.kind == "subscriptions":
            return Heard(self._listed(now, control))
        return Heard(*self._error(now, control)) if control.kind == "error" else Heard()

    def _error(self, now: Now, control: Control) -> tuple[list[Action], bool]:
        word = "".join(letter for letter in control.name.upper() if letter.isalpha())
        if word == "INVALIDAUTH" and not self._signed:  # nothing of a public line needs a key: not the wishes' fault
            self._asking.only_data_counts()
            return [self._teller.rejected(now, control)], False
        if word in TRANSIENT:
            self._hold(now)
            return [self._teller.rejected(now, control)], False
        verdict, culprit = self._asking.refused(now.t, self._wants.standing)
        ours = verdict in ("split", "single")
        if verdict == "pending":
            self._hold(now)
        elif verdict == "unclear":
            self._hold(now, self._options.quiet_time)
        elif ours:
            self._withdraw()
        if culprit is None:
            return [self._teller.rejected(now, control)], ours
        self._wants.refuse(culprit)
        return [self._teller.rejected(now, control, culprit)], ours

    def _listed(self, now: Now, control: Control) -> list[Action]:
        """The answer to an inquiry: told, and compared with what was asked."""
        if self._venue.read_list is None:
            return []
        held = self._venue.read_list(control.details)
        missing, unexpected = self._asking.compare_held(held, self._wants.standing)
        facts = {"subscriptions": tuple(held), "missing": tuple(missing), "unexpected": tuple(unexpected)}
        return [self._teller.say(now, status.Listed, **facts)]

    def _hold(self, now: Now, seconds: float | None = None) -> None:
        """Ask what is not confirmed again after so many seconds; None: when every window is surely empty."""
        self._sending.hold(now.t, seconds)
        self._withdraw()

    def _withdraw(self) -> None:
        self._sending.clear()
        self._asking.withdraw()


def in_their_words(venue: Venue, loss: Loss) -> Loss:
    """The loss with the exchange's name for it, from the refused handshake's body."""
    said = venue.read_refusal(loss.body) if venue.read_refusal is not None and loss.body else None
    return loss if said is None else replace(loss, reason=f"{loss.reason}: {said.name}: {said.message}")
