"""What an alert says, and how often it may: one notice per subject and time, what was held back counted (pure)."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Literal, NamedTuple

from msgspec import Struct
from msgspec.structs import replace

Severity = Literal["info", "warning", "critical"]
#: From the mildest on.
SEVERITIES: tuple[Severity, ...] = ("info", "warning", "critical")

#: Subjects that one rule remembers at most; signs of further ones are counted as held back.
MOST_SUBJECTS = 10_000
#: Subjects that a notice for several carries by name, and those that its text names after the first.
CARRIED, NAMED = 50, 5


class Notice(Struct, frozen=True, kw_only=True):
    """One alert, ready to be told.

    Attributes:
        rule: name of the rule.
        severity: ``info``, ``warning`` or ``critical``.
        text: one sentence for people.
        subjects: what it is about (connections, streams, markets), 50 at most; ``others`` counts those beyond.
        at_ns: nanoseconds UTC.
        over: what was told before has ended.
        seconds: how long it lasted, when it is over.
        held_back: earlier notices of these subjects that the rate limit kept back since the last one told.
    """

    rule: str
    severity: Severity
    text: str
    subjects: tuple[str, ...]
    at_ns: int
    over: bool = False
    seconds: float | None = None
    held_back: int = 0
    others: int = 0

    @property
    def line(self) -> str:
        """The notice in one line: severity (or ``over``), rule, text and what was held back."""
        state = "over" if self.over else self.severity
        more = f" ({self.held_back:,} more held back since the last notice)" if self.held_back else ""
        return f"[{state}] {self.rule}: {self.text}{more}"


class Sign(NamedTuple):
    """What a rule saw of a subject: ``once``, a condition that goes ``on`` (since when, monotonic seconds) or ``off``,
    or its ``end`` for good, which is always told.
    """

    state: Literal["once", "on", "off", "end"]
    subject: str
    text: str
    since: float = 0.0


class _Subject:
    __slots__ = ("held", "is_on", "lasted", "since", "text", "told", "told_at")

    def __init__(self) -> None:
        self.text = ""
        self.told_at = float("-inf")  # when the last notice of it went out
        self.held = 0  # since then
        self.is_on = self.told = False  # the condition; whether this time of it was told
        self.since = 0.0
        self.lasted: float | None = None  # seconds of the condition that is over


class Limiter:
    """Makes notices from one rule's signs: at most one per subject within ``every`` seconds, and the recovery of each
    that was told. What was held back is told in one notice when that time is over, so that a condition which
    lasts is never kept secret.
    """

    def __init__(self, name: str, severity: Severity, every: float, *, recovery: bool) -> None:
        self.name, self.suppressed, self.told = name, 0, 0
        self._severity, self._every, self._recovery = severity, every, recovery
        self._subjects: dict[str, _Subject] = {}

    @property
    def deadline(self) -> float | None:
        """When something held back is due, or something old can be forgotten."""
        return min(
            (one.told_at + self._every for one in self._subjects.values() if one.held or not one.is_on), default=None
        )

    def take(self, sign: Sign, t: float, ns: int) -> Notice | None:
        """The notice that this sign makes now, if any."""
        subject = self._subjects.get(sign.subject)
        if sign.state == "end":
            self._subjects.pop(sign.subject, None)
            held = subject.held if subject else 0
            return self._notice(sign.subject, sign.text, ns, over=False, seconds=None, held=held)
        if sign.state == "off":
            return self._off(sign, subject, t, ns) if subject is not None and subject.is_on else None
        if subject is None and len(self._subjects) >= MOST_SUBJECTS:
            self.suppressed += 1
            return None
        return self._on(sign, self._subjects.setdefault(sign.subject, _Subject()), t, ns)

    def tick(self, t: float, ns: int) -> list[Notice]:
        """What was held back and is due now."""
        notices = []
        for name, subject in tuple(self._subjects.items()):
            if t < subject.told_at + self._every:
                continue
            if subject.held and (self._recovery or subject.is_on or subject.lasted is None):
                subject.held -= 1  # the one that is told now
                self.suppressed -= 1
                notices.append(self._tell(name, subject, t, ns))
            elif not subject.is_on:
                del self._subjects[name]
        return notices

    def _tell(self, name: str, subject: _Subject, t: float, ns: int) -> Notice:
        over = not subject.is_on and subject.lasted is not None
        held, subject.held = subject.held, 0
        subject.told_at, subject.told = t, subject.is_on
        return self._notice(name, subject.text, ns, over=over, seconds=subject.lasted if over else None, held=held)

    def _on(self, sign: Sign, subject: _Subject, t: float, ns: int) -> Notice | None:
        subject.text = sign.text
        if sign.state == "on":
            if subject.is_on:
                return None
            subject.is_on, subject.since = True, sign.since
        if t - subject.told_at < self._every:
            subject.held += 1
            self.suppressed += 1
            return None
        return self._tell(sign.subject, subject, t, ns)

    def _off(self, sign: Sign, subject: _Subject, t: float, ns: int) -> Notice | None:
        subject.is_on, subject.text, subject.lasted = False, sign.text, t - subject.since
        told, subject.told = subject.told, False
        if not told or not self._recovery:
            return None
        return self._notice(sign.subject, sign.text, ns, over=True, seconds=subject.lasted, held=0)

    def _notice(self, name: str, text: str, ns: int, *, over: bool, seconds: float | None, held: int) -> Notice:
        self.told += 1
        return Notice(
            rule=self.name,
            severity=self._severity,
            text=text,
            subjects=(name,),
            at_ns=ns,
            over=over,
            seconds=seconds,
            held_back=held,
        )


class Bundle:
    """Lets the first notice pass and gathers those that follow within ``gather`` seconds into one: a lost line with
    two hundred streams shall not ring two hundred times.
    """

    def __init__(self, gather: float) -> None:
        self._gather = gather
        self._waiting: list[Notice] = []
        self.deadline: float | None = None

    def add(self, notices: Iterable[Notice], t: float) -> list[Notice]:
        """Those that pass now: one at most, all when nothing is gathered."""
        if not self._gather:
            return list(notices)
        passed = []
        for notice in notices:
            if self.deadline is None:
                self.deadline = t + self._gather
                passed.append(notice)
            else:
                self._waiting.append(notice)
                if len(self._waiting) >= MOST_SUBJECTS:
                    self._waiting = self.flush()
        return passed

    def tick(self, t: float) -> list[Notice]:
        """What was gathered until its time: one notice, or none."""
        if self.deadline is None or t < self.deadline:
            return []
        self.deadline = t + self._gather if self._waiting else None
        return self.flush()

    def flush(self) -> list[Notice]:
        """What was gathered so far."""
        waiting, self._waiting = self._waiting, []
        return [merged(waiting)] if waiting else []


def merged(notices: Sequence[Notice]) -> Notice:
    """One notice for several of one rule and state: the first one's words, the others by their subjects."""
    if len(notices) == 1:
        return notices[0]
    first, last = notices[0], notices[-1]
    all_subjects = [subject for notice in notices for subject in notice.subjects]
    subjects = tuple(dict.fromkeys(all_subjects))
    repeated = len(all_subjects) - len(subjects)
    likewise, beyond = subjects[1 : NAMED + 1], len(subjects) - 1 - NAMED
    names = f"; likewise {', '.join(likewise)}" if likewise else ""
    return replace(
        first,
        text=f"{first.text}{names}{f' and {beyond:,} others' if beyond > 0 else ''}",
        subjects=subjects[:CARRIED],
        others=max(0, len(subjects) - CARRIED) + sum(notice.others for notice in notices),
        at_ns=last.at_ns,
        seconds=max((notice.seconds for notice in notices if notice.seconds is not None), default=None),
        held_back=sum(notice.held_back for notice in notices) + repeated,
    )


def span(seconds: float) -> str:
    """``0.4 s``, ``12 s``, ``3 min 20 s``, ``2 h 5 min``."""
    if seconds < 10:
        return f"{round(seconds, 1):g} s"
    whole = round(seconds)
    if whole < 60:
        return f"{whole} s"
    if whole < 3600:
        return f"{whole // 60} min{f' {whole % 60} s' if whole % 60 else ''}"
    return f"{whole // 3600} h{f' {whole % 3600 // 60} min' if whole % 3600 // 60 else ''}"
