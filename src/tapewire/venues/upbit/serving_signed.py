"""Upbit's private and info sides spoken by a gateway: over streams that its own key may hear (spec 4.5 to 4.9)."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Collection, Hashable, Iterable
from typing import Any

from tapewire.config import Format
from tapewire.model.events import AnnouncementEvent, Event
from tapewire.model.subscription import Subscription, Wish, as_detail
from tapewire.venues.exchange import Due, Quotes
from tapewire.venues.serving import HeldStreams
from tapewire.venues.upbit.sim_choices import Choice, check_combinations, info_type, private_type
from tapewire.venues.upbit.sim_requests import Refused, parse
from tapewire.venues.upbit.sim_signed import encode_signed, listed_choice
from tapewire.venues.upbit.sim_switches import Switches
from tapewire.venues.upbit.sim_talk import Talk


class SignedVisitor(Talk[Choice]):
    """The talk with one local program that showed a key."""

    def __init__(self, switches: Switches, quotes: Quotes, held: HeldStreams, raw_format: Format) -> None:
        super().__init__(switches, quotes)
        self._held, self._raw_format = held, raw_format
        #: Stream → whether it is told whole: announcements may be wanted without their text.
        self._streams: dict[Subscription, bool] = {}

    @abstractmethod
    def _streams_of(self, choice: Choice) -> Iterable[Subscription]:
        """What a type object asks for."""

    def wishes(self, payload: bytes) -> list[Wish]:
        """See ``Visitor.wishes``."""
        if payload == b"PING":
            return []
        try:
            request = parse(payload, self._read)
        except Refused:
            return []
        return [Wish(stream, snapshot=False) for choice in request.types for stream in self._known(choice)]

    def holds(self) -> Collection[Subscription]:
        """See ``Visitor.holds``."""
        return self._streams.keys()

    def forget(self, stream: Subscription) -> None:
        """See ``Visitor.forget``."""
        self._streams.pop(stream, None)
        self._types = [one for one in self._types if any(known in self._streams for known in self._known(one))]

    def shape(self, stream: Subscription) -> Hashable:
        """See ``Visitor.shape``."""
        return self.format, self._streams.get(stream), Subscription(stream.kind, "") in self._streams

    def hands_on(self, stream: Subscription) -> bool:  # noqa: ARG002 - an announcement's text may be left out
        """See ``Visitor.hands_on``."""
        return False

    def tell(self, stream: Subscription, event: Event, cache: dict[object, bytes]) -> list[bytes]:
        """See ``Visitor.tell``."""
        with_text = self._streams.get(stream)
        if with_text is None or (stream.symbol and Subscription(stream.kind, "") in self._streams):
            return []  # of one market and of all: each is told once
        key = (self.format, with_text)
        frame = cache.get(key)
        if frame is None:
            frame = cache[key] = self._frame(event, with_text=with_text)
        return [frame]

    def realtime(self, due: Due, cache: dict[object, bytes]) -> list[bytes]:  # noqa: ARG002
        """Nothing is made up here."""
        return []

    def _subscribe(self, now: float, wanted: tuple[Choice, ...]) -> list[bytes]:  # noqa: ARG002 - sides differ
        self._types = list(wanted)
        self._streams = {}
        for choice in wanted:
            whole = choice.type != "announcement" or choice.include_body
            self._streams |= dict.fromkeys(self._known(choice), whole)
        return []

    def _known(self, choice: Choice) -> list[Subscription]:
        """Its streams, but those of markets that there are not: the exchange is silent about them (3.8)."""
        listed = self._held.markets
        return [one for one in self._streams_of(choice) if not one.symbol or one.symbol in listed]

    def _entry(self, asked: Choice) -> dict[str, Any]:
        return listed_choice(asked, short=self.format.startswith("SIMPLE"))

    def _frame(self, event: Event, *, with_text: bool) -> bytes:
        as_came = with_text and not (event.recovered or event.polled) and self.format == self._raw_format
        if as_came and event.raw is not None:
            return event.raw
        left_out = () if with_text or not isinstance(event, AnnouncementEvent) else ("body",)
        return encode_signed(event, self.format, without=left_out)


class PrivateVisitor(SignedVisitor):
    """Orders, balances, announcements."""

    def _read(self, part: dict[str, Any]) -> Choice:
        return private_type(part)

    def _streams_of(self, choice: Choice) -> Iterable[Subscription]:
        if choice.type != "announcement":
            return [Subscription(choice.type, code) for code in choice.codes or ("",)]
        said: dict[str, Any] = {"categories": sorted(choice.categories)} if choice.categories else {}
        if choice.include_body:
            said["include_body"] = True
        return [Subscription("announcement", "", detail=as_detail(said) if said else "")]


class InfoVisitor(SignedVisitor):
    """Indicators and their signals."""

    def __init__(self, switches: Switches, quotes: Quotes, held: HeldStreams, raw_format: Format) -> None:
        super().__init__(switches, quotes, held, raw_format)
        self._closes_after_error = True  # documented for these types (section 5.1)

    def _read(self, part: dict[str, Any]) -> Choice:
        return info_type(part)

    def _subscribe(self, now: float, wanted: tuple[Choice, ...]) -> list[bytes]:
        check_combinations(wanted)
        return super()._subscribe(now, wanted)

    def _streams_of(self, choice: Choice) -> Iterable[Subscription]:
        details = [
            as_detail({name: value for name, value in said.items() if name != "event_params" or value})
            for said in choice.indicators
        ]
        return [
            Subscription(choice.type, code, unit=choice.timeframe, detail=detail)
            for code in choice.codes
            for detail in details
        ]
