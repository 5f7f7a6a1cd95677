"""One tree of errors. Losses of a line are events (``tapewire.model.status``), errors are for misuse and
for what cannot go on.

FeedError
├── ConfigError          an option has an impossible value             .option .value .allowed
│   └── CredentialsError a key is missing or cannot be one             .option .allowed
├── SubscriptionError    the exchange would refuse it or stay silent   .field .value .allowed
│   └── UnknownSymbol    a code that is not listed                     .suggestions
├── UnknownName          no such venue or sink                         .name .known
├── UsageError           called in the wrong state
├── TransportError       trying again can help
│   ├── ConnectFailed    no line could be had                          .loss
│   │   └── AuthenticationFailed  the exchange refused the key          .venue .loss
│   ├── LineLost         sending on a line that is gone                .loss
│   └── HttpFailed       a REST call failed                            .status .retry_after .body
├── VenueError
│   ├── DecodeError      a frame that is no message of the venue       .payload
│   └── Rejected         the exchange refused for good                 .name .message
├── Lagging              a mailbox with the rule "raise" is full       .subscriber .size
├── TimedOut             an answer did not come in time                .seconds
├── SinkError            writing elsewhere failed                      .target .safe
└── TapeError            a tape cannot be written or read              .target .reason
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from tapewire.model.counted import count_of
from tapewire.model.line import Loss


class FeedError(Exception):
    """Root of all errors of tapewire. ``retryable`` says whether trying again can help."""

    retryable = False


class ConfigError(FeedError, ValueError):
    """An option has an impossible value: names the option, what came, what would be right."""

    def __init__(self, option: str, value: object, allowed: str) -> None:
        super().__init__(f"{option} is {value!r}; it must be {allowed}")
        self.option, self.value, self.allowed = option, value, allowed


class CredentialsError(ConfigError):
    """A key is missing, or cannot be one. Never holds what came."""

    def __init__(self, option: str, allowed: str) -> None:
        FeedError.__init__(self, f"{option}: {allowed}")
        self.option, self.value, self.allowed = option, "***", allowed


class SubscriptionError(FeedError, ValueError):
    """A subscription that the exchange would refuse or answer with silence."""

    def __init__(self, field: str, value: object, allowed: str) -> None:
        super().__init__(f"{field} is {value!r}; it must be {allowed}")
        self.field, self.value, self.allowed = field, value, allowed


class UnknownSymbol(SubscriptionError):
    """A well-formed code that the venue does not list."""

    def __init__(self, symbol: str, venue: str, suggestions: Sequence[str] = ()) -> None:
        near = f"; did you mean {', '.join(suggestions)}?" if suggestions else ""
        super().__init__("symbol", symbol, f"a market that {venue} lists{near} (see `tapewire markets`)")
        self.suggestions = tuple(suggestions)


class UnknownName(FeedError, LookupError):
    """No venue or sink of that name is installed."""

    def __init__(self, what: str, name: str, known: Sequence[str]) -> None:
        hint = ", ".join(known) or "none; is the package installed (an editable install is enough)?"
        super().__init__(f"no {what} is called {name!r}; known: {hint}")
        self.name, self.known = name, tuple(known)


class UsageError(FeedError, RuntimeError):
    """Something was called in a state in which it cannot work."""


class TransportError(FeedError, OSError):
    """The network said no; trying again can help."""

    retryable = True


class ConnectFailed(TransportError):
    """No line could be had."""

    def __init__(self, loss: Loss) -> None:
        super().__init__(str(loss))
        self.loss = loss


class AuthenticationFailed(ConnectFailed):
    """The exchange refused the key: its status and its name for it stand in ``loss``. Trying again cannot help."""

    retryable = False

    def __init__(self, venue: str, loss: Loss) -> None:
        super().__init__(loss)
        self.args = (f"{venue} refused the key: {loss.status} {loss.reason}",)
        self.venue = venue


class LineLost(TransportError):
    """Something was sent on a line that is gone."""

    def __init__(self, loss: Loss | None = None) -> None:
        super().__init__(str(loss) if loss else "the line is not open")
        self.loss = loss


class HttpFailed(TransportError):
    """A REST call failed: no answer (status None) or an answer that is not 200.

    ``headers`` are the answer's, by their names in lower case.
    """

    def __init__(
        self,
        url: str,
        status: int | None,
        reason: str,
        retry_after: float | None = None,
        body: bytes = b"",
        *,
        headers: Mapping[str, str] | None = None,
    ) -> None:
        super().__init__(f"{url}: {f'HTTP {status} ' if status else ''}{reason}")
        self.url, self.status, self.reason = url, status, reason
        self.retry_after, self.body, self.headers = retry_after, body, headers or {}


class VenueError(FeedError):
    """Something about the exchange's own messages."""


class DecodeError(VenueError, ValueError):
    """A payload that cannot be read as a message of the venue. ``payload`` is kept whole."""

    def __init__(self, venue: str, reason: str, payload: bytes) -> None:
        excerpt = payload[:80].decode("utf-8", "replace")
        super().__init__(f"{venue}: {reason}: {excerpt!r}{'…' if len(payload) > 80 else ''}")
        self.venue, self.reason, self.payload = venue, reason, payload


class Rejected(VenueError):
    """The exchange refused for good; the subscription or session it names has ended."""

    def __init__(self, venue: str, name: str, message: str) -> None:
        super().__init__(f"{venue} refused: {name}: {message}")
        self.venue, self.name, self.message = venue, name, message


class Lagging(FeedError):
    """A mailbox whose rule is ``raise`` is full."""

    def __init__(self, subscriber: str, size: int) -> None:
        super().__init__(f"{subscriber} is {count_of(size, 'event')} behind and its mailbox is full")
        self.subscriber, self.size = subscriber, size


class TimedOut(FeedError, TimeoutError):
    """An answer did not come in time."""

    retryable = True

    def __init__(self, what: str, seconds: float) -> None:
        super().__init__(f"{what}: no answer within {seconds:g} s")
        self.seconds = seconds


class SinkError(FeedError):
    """Writing elsewhere failed; ``safe`` says what is safely there. If it is ``retryable``, the sink keeps what it was
    given, and its next ``flush`` writes it, once.
    """

    def __init__(self, target: str, reason: str, safe: str = "", *, retryable: bool = False) -> None:
        super().__init__(f"{target}: {reason}{f'; {safe}' if safe else ''}")
        self.target, self.reason, self.safe, self.retryable = target, reason, safe, retryable


class TapeError(FeedError):
    """A tape (or one of its files) cannot be written or read. What was written before stays as it is."""

    def __init__(self, target: str, reason: str) -> None:
        super().__init__(f"{target}: {reason}")
        self.target, self.reason = target, reason
