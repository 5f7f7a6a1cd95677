"""What every market event has."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone
from typing import Literal

from msgspec import Struct

#: Korea Standard Time; it has no daylight saving.
KST = timezone(timedelta(hours=9), "KST")

StreamType = Literal["SNAPSHOT", "REALTIME"]


class Event(Struct, gc=False, kw_only=True, tag_field="type"):
    """What every market event has. Never changed after it was handed on."""

    venue: str
    symbol: str
    stream_type: str | None = None
    timestamp: int | None = None
    received_ns: int = 0
    raw: bytes | None = None
    recovered: bool = False
    polled: bool = False

    @property
    def kind(self) -> str:
        """Its kind, as ``Subscription.kind`` has it (``"ticker"``, ``"trade"``)."""
        return str(self.__struct_config__.tag)

    @property
    def utc(self) -> datetime | None:
        """The venue's ``timestamp`` as an aware UTC datetime, None when the venue sent none."""
        return None if self.timestamp is None else _from_ms(self.timestamp, UTC)

    @property
    def kst(self) -> datetime | None:
        """The venue's ``timestamp`` as an aware datetime in Korea Standard Time (UTC+9)."""
        return None if self.timestamp is None else _from_ms(self.timestamp, KST)


def _from_ms(milliseconds: int, zone: timezone) -> datetime:
    return datetime.fromtimestamp(milliseconds / 1000, zone)
