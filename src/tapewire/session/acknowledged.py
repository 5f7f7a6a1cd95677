"""What an exchange that answers every request says, and what follows: acknowledgements, errors by their judgement."""

from __future__ import annotations

from tapewire.config import SessionOptions
from tapewire.model.line import Loss
from tapewire.session.actions import Now
from tapewire.session.answers import Heard
from tapewire.session.changing import DEAF, Changing, Request
from tapewire.session.login import Login
from tapewire.session.sending import Sending
from tapewire.session.telling import Teller
from tapewire.session.wants import Wants
from tapewire.venues.contract import Changes, Control, Venue

#: As a handshake that refuses a key: one more try, then the end (``session.dialling``).
KEY_REFUSED = 401
#: Seconds for which nothing is asked after a request that came too soon.
TOO_SOON = 1.0


class Acknowledged:
    """The parts of one machine that an answer touches, where every request has one."""

    def __init__(  # noqa: PLR0917 - the machine's own parts
        self,
        venue: Venue,
        changes: Changes,
        options: SessionOptions,
        wants: Wants,
        asking: Changing,
        sending: Sending,
        teller: Teller,
        login: Login,
    ) -> None:
        self._venue, self._changes, self._options, self._login = venue, changes, options, login
        self._wants, self._asking, self._sending, self._teller = wants, asking, sending, teller

    def heard(self, now: Now, control: Control) -> Heard:
        """The exchange's word, of whatever kind."""
        match control.kind:
            case "subscribed":
                self._asking.acknowledged("subscribe", control.stream)
            case "unsubscribed":
                self._asking.acknowledged("unsubscribe", control.stream)
            case "login":
                self._login.accepted()
            case "error":
                return self._error(now, control)
            case "notice":
                return self._notice(now, control)
        return Heard()

    def payloads(self, now: Now) -> list[bytes]:
        """The next request; there is one."""
        return [self._asking.payload(now.t)]

    def quiet(self, now: Now) -> Heard:
        """Answers that are overdue."""
        if self._login.overdue(now.t):
            return Heard(cut=Loss("refused", None, f"no answer to the login within {self._options.answer_timeout:g} s"))
        names = self._asking.quiet(now.t)
        if not names:
            return Heard()
        text = f"no answer within {self._options.answer_timeout:g} s to the request for {', '.join(names[:3])}"
        told = self._teller.rejected(now, Control("error", "no_answer", text + (" …" if names[3:] else "")))
        deaf = self._asking.unheard >= DEAF
        return Heard([told], cut=Loss("stale", 1006, f"{DEAF} requests in a row were not answered") if deaf else None)

    def _notice(self, now: Now, control: Control) -> Heard:
        judgement = self._judge(control)
        if judgement == "drop":
            return self._drop(now, control)
        moving = judgement == "move"
        return Heard([self._teller.noticed(now, control, moving=moving)], moving=moving)

    def _judge(self, control: Control) -> str:
        return "tell" if self._venue.judge is None else self._venue.judge(control)

    def _error(self, now: Now, control: Control) -> Heard:
        judgement = self._judge(control)
        if judgement in ("drop", "blame") and not self._login.done:
            judgement = "login"  # nothing but the login was sent
        told = self._teller.rejected(now, control)
        words = f"{control.name} {control.message}".strip()
        match judgement:
            case "fatal":
                return Heard([told], cut=Loss("refused", None, words, KEY_REFUSED))
            case "login":
                return Heard([told], cut=Loss("refused", None, words))
            case "retry":
                self._retry(now, control)
                return Heard([told])
            case "drop" | "blame":
                return self._drop(now, control)
        return Heard([told])

    def _retry(self, now: Now, control: Control) -> None:
        self._sending.hold(now.t, TOO_SOON)
        request = self._asking.request_of(control.request)
        if request is not None:
            self._asking.put_off(request, now.t)

    def _drop(self, now: Now, control: Control) -> Heard:
        """Whom is it about? Those that it names, or who stood alone in the request; else halves of it will tell."""
        request = self._asking.request_of(control.request)
        names = self._asking.names if request is None else request.names
        culprits = [control.stream] if control.stream in names else self._changes.concerns(control, names)
        if not culprits and request is not None and len(request.names) == 1:
            culprits = list(request.names)
        if culprits:
            return self._refuse(now, control, culprits, request)
        if request is not None:
            self._asking.halve(request)
        return Heard([self._teller.rejected(now, control)], ours=request is not None)

    def _refuse(self, now: Now, control: Control, culprits: list[str], request: Request | None) -> Heard:
        streams = sorted({stream for name in culprits for stream in self._asking.refuse(name)}, key=str)
        for stream in streams:
            self._wants.refuse(stream)
        if request is not None:
            self._asking.hasten(request, now.t + self._options.quiet_time)
        return Heard([self._teller.rejected(now, control, *streams)], ours=True)
