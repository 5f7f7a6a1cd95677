"""What was asked on this line, what of it is confirmed, and who is suspected when a request is refused."""

from __future__ import annotations

from collections.abc import Container, Iterable, Mapping
from typing import Literal

from tapewire.model.subscription import Subscription, Wish

Verdict = Literal["none", "pending", "unclear", "split", "single"]


class Asking:
    """The asked and the confirmed set of one connection; a lost line empties both.

    An exchange that refuses a request does not say for which stream. Those that were never confirmed on any
    line are the suspects: half of them is held back and asked later, until the bad one stands alone. Who is
    proven and who is held back outlives the line, because the exchange may close it after each refusal. An error
    is blamed on somebody only when one request alone can have caused it: until the trouble is over, the next
    request waits for the answer to the last.

    Attributes:
        due: a request is to be sent as soon as the limits allow.
        asked: the last request of this line, by stream; live: those of it that are confirmed.
        pending: asked and not yet confirmed on this line.
        quiet_until: when silence is consent; None while nothing waits for it.
    """

    def __init__(self, quiet_time: float) -> None:
        self._quiet_time = quiet_time
        self._proven: set[Subscription] = set()
        self._held: list[list[Subscription]] = []
        self._again: set[Subscription] = set()
        self._fresh: list[Subscription] = []
        self._unanswered: list[float] = []
        self._careful = False
        self.due = False
        self.asked: dict[Subscription, Wish] = {}
        self.live: set[Subscription] = set()
        self.pending: set[Subscription] = set()
        self.quiet_until: float | None = None

    @property
    def ready(self) -> bool:
        """A request is due and need not wait for the answer to the last one."""
        return self.due and not (self._careful and self.pending)

    def lost(self) -> None:
        """The line is gone, and with it all that was asked on it; the next line's first request is due."""
        self.asked, self.live, self.pending = {}, set(), set()
        self._again.clear()
        self._fresh.clear()
        self._unanswered.clear()
        self.quiet_until, self.due = None, True

    def forget(self, streams: Iterable[Subscription]) -> None:
        """Nobody wants these any more: whoever wishes one of them later begins anew."""
        gone = set(streams)
        self.due = self.due or not gone.isdisjoint(self.asked)
        self.live -= gone
        self._proven -= gone
        self._again -= gone
        self._held = [rest for group in self._held if (rest := [s for s in group if s not in gone])]

    def compare(self, standing: Mapping[Subscription, Wish]) -> None:
        """A request is due when the standing set is not what was asked (streams held back aside)."""
        held = self._held_back()
        chosen = {stream: wish for stream, wish in standing.items() if stream not in held}
        if chosen.keys() != self.asked.keys() or any(w.realtime != self.asked[s].realtime for s, w in chosen.items()):
            self.due = True

    def again(self, streams: Iterable[Subscription]) -> None:
        """Ask these with their snapshot in the next request, which is due."""
        self._again.update(streams)
        self.due = True

    #: What came so far cannot be trusted: asked again, its snapshot replaces it.
    anew = again

    def compare_held(
        self, held: Iterable[Subscription], standing: Mapping[Subscription, Wish]
    ) -> tuple[list[Subscription], list[Subscription]]:
        """What the exchange says that it holds, against what was asked: (missing, unexpected).

        A difference makes a request due, unless one is under way anyway. A stream of all markets stands for each.
        Depths are not compared, for the exchange may not name them, nor is what is asked for its snapshot alone.
        """
        settled, keys = not (self.due or self.pending), {_key(stream) for stream in held}
        lasting = [stream for stream, wish in self.asked.items() if wish.realtime]
        missing = [stream for stream in lasting if keys.isdisjoint((_key(stream), _key(stream, of_all=True)))]
        known = {_key(stream) for stream in (*self.asked, *standing)}
        unexpected = [stream for stream in held if _key(stream) not in known]
        if settled and (missing or unexpected):
            self.live.difference_update(missing)
            self.due = True
        return missing, unexpected

    def request(self, t: float, standing: Mapping[Subscription, Wish]) -> list[Wish]:
        """The whole set as it is to be asked now: what is live realtime-only, the rest as wished."""
        held = self._held_back()
        chosen = {stream: wish for stream, wish in standing.items() if stream not in held}
        if self._held and self._proven.issuperset(chosen):
            chosen.update((stream, standing[stream]) for stream in self._held.pop(0))
        self.asked, self.due = chosen, False
        self._unanswered = [*self._recent(t), t]
        self.live.intersection_update(chosen)
        self.pending = chosen.keys() - self.live
        self.quiet_until = t + self._quiet_time if self.pending or self._again else None
        return [self._wording(wish) for wish in chosen.values()]

    def _wording(self, wish: Wish) -> Wish:
        if wish.subscription in self._again:
            return Wish(wish.subscription, snapshot=True, realtime=wish.realtime)
        if wish.realtime and wish.subscription in self.live:
            return Wish(wish.subscription, snapshot=False, realtime=True)
        return wish

    def data(self, stream: Subscription) -> None:
        """A message of this stream came."""
        self._again.discard(stream)
        if stream not in self.live:
            self._confirm(stream)

    def served(self, stream: Subscription) -> None:
        """A snapshot was all that was asked of this stream, and it is here."""
        self.asked.pop(stream, None)
        self.live.discard(stream)

    def quiet(self, t: float) -> None:
        """Confirm everything asked when the quiet time is over."""
        if self.quiet_until is None or t < self.quiet_until:
            return
        self.quiet_until = None
        self._again.clear()
        for stream in [stream for stream in self.asked if stream in self.pending]:
            self._confirm(stream)

    def take_fresh(self) -> tuple[Subscription, ...]:
        """The streams confirmed since the last call."""
        fresh = tuple(self._fresh)
        self._fresh.clear()
        return fresh

    def refused(self, t: float, standing: Container[Subscription]) -> tuple[Verdict, Subscription | None]:
        """The exchange answered with an error. Who is to blame?

        ``single`` names the one; ``split``: one of several, the request for half of them is due; ``unclear``:
        several requests can be meant, or one that named a stream which nobody wants any more; ``pending``: only
        streams that were fine before wait for an answer; ``none``: nothing does.
        """
        suspects = [stream for stream in self.asked if stream in self.pending and stream not in self._proven]
        if not suspects:
            return "pending" if self.pending else "none", None
        self._careful = True
        if len(self._recent(t)) > 1 or any(stream not in standing for stream in suspects):
            return "unclear", None
        self._unanswered.clear()
        if len(suspects) == 1:
            return "single", suspects[0]
        self._held.insert(0, suspects[(len(suspects) + 1) // 2 :])
        return "split", None

    def _recent(self, t: float) -> list[float]:
        return [sent for sent in self._unanswered if sent > t - self._quiet_time]

    def withdraw(self) -> None:
        """The last request does not count: only what is live is asked, the rest is due again."""
        self.asked = {stream: wish for stream, wish in self.asked.items() if stream in self.live}
        self.pending, self.quiet_until, self.due = set(), None, True

    def only_data_counts(self) -> None:
        """Silence is no consent for the last request."""
        self.quiet_until, self._careful = None, False

    def _confirm(self, stream: Subscription) -> None:
        self.pending.discard(stream)
        self.live.add(stream)
        self._proven.add(stream)
        self._fresh.append(stream)
        if not self.pending:
            self.due = self.due or bool(self._held)
            self._careful = self._careful and bool(self._held)
            if len(self._unanswered) == 1:
                self._unanswered.clear()
            if not self._again:
                self.quiet_until = None

    def _held_back(self) -> set[Subscription]:
        return {stream for group in self._held for stream in group}


def _key(stream: Subscription, *, of_all: bool = False) -> tuple[object, ...]:
    return stream.kind, stream.unit, "" if of_all else stream.symbol, stream.level, stream.detail
