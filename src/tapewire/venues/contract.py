"""The questions a session may ask a venue, as one frozen value of facts and pure functions."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from math import inf
from types import MappingProxyType
from typing import Any, Literal, NamedTuple, Protocol
from urllib.parse import urlsplit

from msgspec import Struct

from tapewire.book.sequence import BookRule
from tapewire.config import Credentials, FeedOptions, Format, Numbers
from tapewire.errors import ConfigError
from tapewire.model.book import BookChange
from tapewire.model.events import Event
from tapewire.model.market import Market
from tapewire.model.subscription import Subscription, Wish
from tapewire.venues.orders import OpenOrder, OrderWords
from tapewire.venues.questions import Account, Asking, Call, History, Question, Stamp, StatePoll, Trouble

__all__ = [
    "Account",
    "Asking",
    "Call",
    "Changes",
    "Codec",
    "CodecFactory",
    "Control",
    "Facts",
    "Head",
    "History",
    "Judgement",
    "OpenOrder",
    "Operation",
    "OrderWords",
    "Quarantine",
    "Question",
    "Reading",
    "Remaining",
    "Stamp",
    "StatePoll",
    "Trouble",
    "Venue",
    "Window",
    "side_url",
]


class Window(Struct, frozen=True):
    """At most ``count`` in every sliding window of ``seconds``."""

    count: int
    seconds: float


class Remaining(Struct, frozen=True):
    """The exchange's own word on a group of REST calls: ``left`` more within the present ``seconds``."""

    group: str
    left: int
    seconds: float


class Facts(Struct, frozen=True, kw_only=True):
    """What is fixed about a venue; each number's source is named in the venue's ``profile``.

    Attributes:
        url, rest_url: the exchange's own addresses.
        sides: name of each side → path that follows ``url``'s own; ``"public"`` is one. A connection speaks to one.
        side_of: kind → its side, where that is not ``"public"``.
        signed_sides: sides that want a key: in the handshake (``Venue.authorize``) or in a message (``Venue.login``).
        passphrase: a key has a third part.
        event_kinds: kinds that are sent only when something happens: they have no snapshot, and may be silent for
            hours while all is well.
        connects, messages: limits, each kept in every sliding window for all connections to one address (connects
            that carry a key: for all of one account).
        requests: limits of requests and logins, of each connection by itself.
        rest_groups: group of REST calls → its limits (``Venue.rest_group``), of those in ``signed_groups`` by account;
            rest_calls: of a group that is not in it.
        replaces: a new request replaces all earlier ones of the connection (then the whole set is sent each time).
        acknowledges: the venue answers a good request (else silence for ``quiet_time`` is consent).
        idle_timeout: seconds without traffic after which the exchange closes.
        text_ping: the message that asks for a sign of life where PING frames cannot be sent.
        keep_alive: how signs of life are asked for where the user chose no way: by PING ``"frame"`` or by ``"text"``.
        ping_most: seconds between them that the user's option may not exceed.
        kinds: what can be subscribed; full_state_kinds: those whose every message is the complete state.
        fatal_statuses: handshake statuses that trying again cannot mend.
        marks_snapshots: messages say whether they are snapshots (``Event.stream_type``); else the first one after each
            request is taken for the stream's state, which the venue sends at once.
        retired: what is to be said of a venue that the exchange has ended, and what took its place; ``""``: it lives.
        headed: frames name their stream before their data (``Head``).
        formats: wire formats that can be asked for, the usual one first.
        undated: kinds whose time stamp is not when the message was sent, so that no latency follows from it.
    """

    url: str
    rest_url: str
    sides: Mapping[str, str] = MappingProxyType({"public": ""})
    side_of: Mapping[str, str] = MappingProxyType({})
    signed_sides: frozenset[str] = frozenset()
    passphrase: bool = False
    event_kinds: frozenset[str] = frozenset()
    connects: tuple[Window, ...]
    messages: tuple[Window, ...]
    requests: tuple[Window, ...] = ()
    rest_calls: tuple[Window, ...] = ()
    rest_groups: Mapping[str, tuple[Window, ...]] = MappingProxyType({})
    signed_groups: frozenset[str] = frozenset()
    replaces: bool
    acknowledges: bool
    idle_timeout: float
    text_ping: bytes
    keep_alive: Literal["frame", "text"] = "frame"
    ping_most: float = inf
    kinds: tuple[str, ...]
    candle_units: tuple[str, ...]
    full_state_kinds: frozenset[str]
    fatal_statuses: frozenset[int]
    marks_snapshots: bool = True
    retired: str = ""
    headed: bool = False
    formats: tuple[Format, ...] = ("DEFAULT",)
    undated: frozenset[str] = frozenset()


class Control(Struct, frozen=True):
    """A frame that is the exchange's own word to the client, not data.

    ``kind``: ``"alive"`` (an answer to a text ping), ``"error"`` (with ``name``, the exchange's code or word, and
    ``message``), ``"subscriptions"`` (the answer of LIST_SUBSCRIPTIONS in ``details``), ``"subscribed"`` and
    ``"unsubscribed"`` (an acknowledgement), ``"login"`` (the key was taken), ``"notice"`` (any other, with ``name``).

    Attributes:
        name, message, details: the exchange's words.
        stream: the wire's name (``Changes.name``) of the stream it is about, ``""``: it names none.
        request: the id of the request it answers, ``""``: it names none.
    """

    kind: str
    name: str = ""
    message: str = ""
    details: Any = None
    stream: str = ""
    request: str = ""


#: What is to follow from the exchange's word: ``blame`` (find whose request it is about), ``drop`` (what it is about
#: is refused for good), ``retry`` (it passes), ``login`` (open the line anew, with a new login), ``fatal`` (no new line
#: can mend it), ``move`` (the exchange will close this line soon), ``tell`` (nothing).
Judgement = Literal["blame", "drop", "retry", "login", "fatal", "move", "tell"]


class Quarantine(Struct, frozen=True):
    """A frame, or an element of a list frame, that cannot be read: kept raw with the reason."""

    reason: str
    payload: bytes


class Head(Struct, frozen=True):
    """How the short road knows the frames of one stream, at a venue whose frames name it before their data.

    Attributes:
        text: the frame's bytes before its first ``[``, which begins the data: no other stream's frames begin so.
        decode: frame → an object whose list ``data`` has events of a wire class of ``public``, without symbols; raises
            on anything else.
        public: their public class.
    """

    text: bytes
    decode: Callable[[bytes], Any]
    public: type[Event]


class Reading(Struct, frozen=True):
    """Everything that one frame said.

    Attributes:
        stream: the wire's name (``Changes.name``) of the stream that the events belong to, ``""``: they say it.
        head: the short road for further frames of the stream, None: they have none.
    """

    events: tuple[Event, ...] = ()
    controls: tuple[Control, ...] = ()
    quarantined: tuple[Quarantine, ...] = ()
    stream: str = ""
    head: Head | None = None


class Skim(NamedTuple):
    """How a frame says whose it is without being read, where all who hear that stream take the frame itself.

    A frame's *head* is what stands before its first comma from byte ``begin`` on.

    Attributes:
        kinds: whose frames may stay unread.
        head: of an event that has its frame in ``raw`` → the frame's head, if each frame with that head is one event of
            that stream; None otherwise.
        timestamp: of a frame that was not read → ``timestamp`` of its event, None: it has none, or cannot be read.
    """

    kinds: frozenset[str]
    begin: int
    head: Callable[[Event], bytes | None]
    timestamp: Callable[[bytes], int | None]


class Codec(Protocol):
    """Reads the frames of one connection. Made once a connection by ``Venue.codec``.

    The short road of the driver calls ``decode``; when that raises, or the result's class is not in
    ``classes``, it calls ``read`` with the same bytes. Where frames name their stream (``Facts.headed``), it goes by
    ``Reading.head`` instead.
    """

    #: frame → one instance of a wire class (a subclass of the public event class); raises on anything else.
    decode: Callable[[bytes], Any]
    #: wire class → (public event class, kind, candle unit or None); the driver sets ``event.__class__`` to the public
    classes: Mapping[type, tuple[type[Event], str, str | None]]
    #: None: every frame is read.
    skim: Skim | None

    def read(self, payload: bytes, received_ns: int = 0) -> Reading:
        """Any frame, whatever its form: complete and never raising. Events are of the public classes."""
        ...


Operation = Literal["subscribe", "unsubscribe"]


class Changes(Struct, frozen=True, kw_only=True):
    """How a venue is asked whose requests add to, or take from, what a connection has, and are acknowledged.

    Attributes:
        name: a stream's name on the wire; streams of one name are one there.
        encode: operation, names, a ticket that is unique per request → payload.
        request_id: the ticket as answers repeat it (``Control.request``).
        most: names in one request.
        concerns: an error without id, or about a part of its request → which of these names it is about; none: it
            does not say.
    """

    name: Callable[[Subscription], str]
    encode: Callable[[Operation, Sequence[str], str], bytes]
    request_id: Callable[[str], str]
    most: int
    concerns: Callable[[Control, Sequence[str]], list[str]]


class Venue(Struct, frozen=True, kw_only=True):
    """One exchange (and region) as a value. Found by entry point, see ``registry``.

    Attributes:
        name: as users write it (``upbit``, ``upbit-sg``).
        check: raises ``SubscriptionError`` for what the exchange would refuse or answer with silence; with the
            venue's markets (may be None: not asked) also ``UnknownSymbol`` and unsupported levels.
        same_line: whether two subscriptions may share a connection (False: their frames could not be told apart).
        encode: the whole wanted set as wishes → payloads to send, in order. ``ticket`` is unique per request.
        changes: how it is asked where requests do not replace each other; None: they do.
        side_by: the side of a stream where its kind alone does not say it; None: ``Facts.side_of`` does.
        judge: what follows from an error or a notice; None: every error is to be blamed on a request.
        encode_list: the payload that asks what the connection is subscribed to. read_list: ``Control.details`` of
            its answer → the streams that the exchange holds (None where the venue cannot be asked).
        asked: a request's payload → the market streams that it asks for, as far as they are known; None: nobody can
            tell. Raises msgspec.MsgspecError: it is no request.
        fits: whether these streams together are within the exchange's limits of one connection; None: always.
        read_refusal: body of a refused handshake or REST call → the exchange's name and text of it; None: it has none.
        authorize: credentials and a stamp → the handshake's headers; None: no side wants them. Raises CredentialsError
            for a key that cannot be one.
        login: the same → the message that has to be answered before anything else is sent on a signed side.
        time_request: REST path that tells the exchange's time; read_time: its body → Unix ms (UTC). Raises DecodeError.
            None: signatures hold no time.
        codec: reader for a connection of that format; ``keep_raw`` puts the frame's bytes into ``event.raw``.
        position: (trade id or None, venue timestamp in ms or None) of an event, for the gap ledger.
        markets_request: REST path of the list of markets; read_markets: its body → markets.
        more_markets: further paths, whose answers are read alike.
        levels_request, read_levels: the same for the supported order-book levels (None: the venue has none).
        rest_group: REST path → the group whose limit it counts against; None: all calls are one group.
        read_remaining: headers of a REST answer (names in lower case) → what the exchange says is left; None: nothing.
        read_trouble: body of an answer of status 200 → the error that it tells; None: such an answer is always good.
        read_block: body of a 418 → seconds that it states, None: it states none.
        book: the rule by which a stream's changes make books (``BookChange``); None, or no rule: it sends whole books.
        book_request: stream → REST path of a whole book, for one that has a hole and does not come anew by itself;
            read_book: symbol, its body → the book, that names no predecessor. Raises DecodeError.
        history: what a stream missed, by REST; None: nothing can be asked.
        polls: kind whose every message is the complete state → how it is asked by REST, where no stream can be had.
            (Trades and candles are asked as by ``history``.)
        account: orders and balances, by REST; None: they cannot be asked.
        exchange: makes the pure simulated exchange of this venue (see ``tapewire.sim.peer``); Any, because the
            product does not know the simulator.
        serving: format of ``Event.raw`` → the exchange's own side of the talk for a gateway (``venues.serving``); None:
            a gateway serves it through its own doors alone.
    """

    name: str
    facts: Facts
    check: Callable[[Subscription, Mapping[str, Market] | None], None]
    same_line: Callable[[Subscription, Subscription], bool]
    encode: Callable[[Sequence[Wish], str, Format], list[bytes]]
    changes: Changes | None = None
    side_by: Callable[[Subscription], str] | None = None
    judge: Callable[[Control], Judgement] | None = None
    encode_list: Callable[[str, Format], bytes] | None = None
    read_list: Callable[[Any], list[Subscription]] | None = None
    asked: Callable[[bytes], list[Subscription]] | None = None
    fits: Callable[[Sequence[Subscription]], bool] | None = None
    read_refusal: Callable[[bytes], Control | None] | None = None
    authorize: Callable[[Credentials, Stamp], tuple[tuple[str, str], ...]] | None = None
    login: Callable[[Credentials, Stamp], bytes] | None = None
    time_request: str | None = None
    read_time: Callable[[bytes], int] | None = None
    codec: Callable[..., Codec]  # (format: Format, numbers: Numbers, keep_raw: bool) -> Codec
    position: Callable[[Event], tuple[int | None, int | None]]
    markets_request: str
    read_markets: Callable[[bytes], list[Market]]
    more_markets: tuple[str, ...] = ()
    levels_request: Callable[[Sequence[str]], str] | None = None
    read_levels: Callable[[bytes], dict[str, tuple[float, ...]]] | None = None
    rest_group: Callable[[str], str] | None = None
    read_remaining: Callable[[Mapping[str, str]], Remaining | None] | None = None
    read_trouble: Callable[[bytes], Trouble | None] | None = None
    read_block: Callable[[bytes], float | None] | None = None
    book: Callable[[Subscription], BookRule | None] | None = None
    book_request: Callable[[Subscription], str] | None = None
    read_book: Callable[[str, bytes], BookChange] | None = None
    history: History | None = None
    polls: Mapping[str, StatePoll] = MappingProxyType({})
    account: Account | None = None
    exchange: Callable[..., Any] | None = None
    serving: Callable[..., Any] | None = None

    @property
    def wire_name(self) -> Callable[[Subscription], str] | None:
        """A stream's name as its frames say it (``Reading.stream``); None: they do not."""
        return self.changes.name if self.facts.headed and self.changes is not None else None

    @property
    def counts_trades(self) -> bool:
        """Whether a trade of its streams may stand for several, which REST tells singly."""
        return self.history is not None and self.history.ids_ascend

    def rule(self, subscription: Subscription) -> BookRule | None:
        """The rule by which its changes make a book; None: it sends no changes."""
        return None if self.book is None else self.book(subscription)

    def keeps(self, subscription: Subscription) -> bool:
        """Whether its changes make a book here."""
        return self.rule(subscription) is not None

    def address(self, url: str | None) -> str:
        """The WebSocket address: ``url`` if it is given, else the venue's own.

        Raises:
            ConfigError: the exchange has ended this venue, so that there is none of its own.
        """
        if url is None and self.facts.retired:
            raise ConfigError("url", None, f"the address of a simulator or of a served recording: {self.facts.retired}")
        return url or self.facts.url

    def permit(self, options: FeedOptions) -> None:
        """Refuse what this venue has not.

        Raises:
            ConfigError: a wire format that it does not know, or an address that already ends with the path of a side.
        """
        formats = self.facts.formats
        if options.format not in formats:
            right = " or ".join(f'"{one}"' for one in formats)
            raise ConfigError("format", options.format, f"{right} with the venue {self.name}")
        for url in options.urls or (options.url,):
            self._check_path(url or "")

    def _check_path(self, url: str) -> None:
        path = urlsplit(url).path.rstrip("/")
        for side in filter(None, self.facts.sides.values()):
            if path.endswith(side):
                right = f"an address that ends before {side}: {self.name} has a path for each side, which is added"
                raise ConfigError("url", url, right)

    def side(self, subscription: Subscription) -> str:
        """The side that a stream comes from."""
        if self.side_by is not None:
            return self.side_by(subscription)
        return self.facts.side_of.get(subscription.kind, "public")


CodecFactory = Callable[[Format, Numbers, bool], Codec]


def side_url(url: str, path: str) -> str:
    """The address of a side (``Facts.sides``): its path follows that of ``url``, before any query."""
    if not path:
        return url
    base, mark, query = url.partition("?")
    return f"{base.rstrip('/')}{path}{mark}{query}"
