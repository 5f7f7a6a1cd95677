"""What all broker sinks have in common: their options, and the figures they give."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, TypeVar

import msgspec
from msgspec import Struct

from tapewire.errors import ConfigError
from tapewire.sinks.brokers.letters import ORDER_IDS, OrderIds, check_form
from tapewire.sinks.brokers.runs import Form
from tapewire.sinks.brokers.subjects import check_prefix

Own = TypeVar("Own", bound=Struct)


class BrokerOptions(Struct, frozen=True, kw_only=True):
    """What all broker sinks have in common.

    Attributes:
        form: payload: ``"event"`` (our event as JSON), ``"venue"`` (the exchange's own JSON, with ``keep_raw``) or
            ``"msgpack"`` (our event as MessagePack).
        batch: events of one broker message at most; 1: the message is the event, else always a list.
        batch_bytes: payload of one message at most, unless one event is more.
        prefix: of every subject.
        order_ids: what an account's order events are known by at the broker: ``"whole"``, all that the venue said;
            ``"mark"``, the order and what only one event of it can be, so that what REST told afterwards has the id of
            what another collector heard live.
        window: messages that may be unconfirmed at once.
        memory: bytes of events that wait in memory at most; more go to the spool, or have the feed's mailbox fill.
        spool: folder for what waits while the broker is away; None: it waits in memory.
        spool_size: bytes of that folder at most.
        connect_timeout: seconds to connect.
        confirm_timeout: seconds until the broker has confirmed; then the line is given up, and they are sent again.
        close_timeout: seconds at the end for what is not confirmed; then it stays in the spool.
    """

    form: Form = "event"
    batch: int = 1
    batch_bytes: int = 256 * 1024
    prefix: str = "md"
    order_ids: OrderIds = "whole"
    window: int = 512
    memory: int = 64 * 1024 * 1024
    spool: str | None = None
    spool_size: int = 1024 * 1024 * 1024
    connect_timeout: float = 10.0
    confirm_timeout: float = 10.0
    close_timeout: float = 0.8

    def __post_init__(self) -> None:
        check_form(self.form, self.batch)
        check_prefix(self.prefix)
        if self.order_ids not in ORDER_IDS:
            raise ConfigError("order_ids", self.order_ids, " or ".join(f'"{one}"' for one in ORDER_IDS))
        for option in ("batch_bytes", "window", "memory", "spool_size"):
            if isinstance(getattr(self, option), bool) or not getattr(self, option) >= 1:
                raise ConfigError(option, getattr(self, option), "1 or more")
        for option in ("connect_timeout", "confirm_timeout", "close_timeout"):
            if not getattr(self, option) > 0:
                raise ConfigError(option, getattr(self, option), "more than 0")
        if self.spool == "":
            raise ConfigError("spool", "", "the name of a folder, or None")


class Figures(Struct):
    """What a broker sink did so far: plain numbers, to be read from any thread.

    Attributes:
        confirmed, messages, size: events, messages and bytes of payload that the broker has.
        known: events of them that it had before, as it says itself (NATS): another collector was quicker, or the
            first confirmation was lost.
        refused: events that it never will have (set aside in the spool's folder, and logged).
        again: messages that were sent once more; losses: of the line; away: why there is none, ``""``: there is one.
        waiting: events in memory that are not confirmed; spooled: bytes that wait on disk.
    """

    confirmed: int = 0
    messages: int = 0
    size: int = 0
    known: int = 0
    refused: int = 0
    again: int = 0
    losses: int = 0
    away: str = ""
    waiting: int = 0
    spooled: int = 0


def read_options(own: type[Own], given: Mapping[str, Any]) -> tuple[Own, BrokerOptions]:
    """A sink's options, by name: its own, and those that all have in common.

    Raises:
        ConfigError: there is none of that name, or its value is impossible.
    """
    parts: tuple[dict[str, Any], dict[str, Any]] = ({}, {})
    fields = {field.name: (part, field.type) for part, struct in ((parts[0], own), (parts[1], BrokerOptions))
              for field in msgspec.structs.fields(struct)}  # fmt: skip
    for name, value in given.items():
        if name not in fields:
            raise ConfigError(name, value, f"one of these options: {', '.join(sorted(fields))}")
        part, kind = fields[name]
        try:
            part[name] = msgspec.convert(value, kind)
        except msgspec.ValidationError as error:
            raise ConfigError(name, value, f"of its type ({str(error)[:1].lower()}{str(error)[1:]})") from None
    return own(**parts[0]), BrokerOptions(**parts[1])
