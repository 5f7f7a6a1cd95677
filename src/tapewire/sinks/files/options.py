"""How a recording lies on the disk: layout, rotation, retention, compression, safety (frozen; reads no file)."""

from __future__ import annotations

from typing import Literal

from msgspec import Struct

from tapewire.errors import ConfigError

_CHOICES = {
    "layout": ("flat", "dated"),
    "zone": ("UTC", "KST"),
    "files": ("jsonl", "parquet"),
    "numbers": ("float", "decimal"),
    "compress": ("none", "zstd"),
    "fsync": ("interval", "each", "none"),
}
_LIMITS = ("rotate_size", "rotate_every", "rotate_count", "keep_bytes", "keep_days", "fsync_every")
_HOUR, _DAY = 3600, 86_400


class RecordOptions(Struct, frozen=True, kw_only=True):
    """How a recording lies on the disk.

    Attributes:
        layout: ``"flat"``: all files in one folder, ``KRW-BTC_trade.jsonl``; ``"dated"``: one for each hour, in
            ``upbit/trade/KRW-BTC/date=2026-11-21/09.jsonl``.
        zone: ``"UTC"`` or ``"KST"``: of dates and hours in names, and of the midnight at which ``rotate_every`` counts
            anew.
        files: ``"jsonl"``: lines of JSON; ``"parquet"``: each file of lines becomes a Parquet file when it is over.
        numbers: ``"float"`` or ``"decimal"`` (exact): of prices and sizes in Parquet files.
        compress: ``"none"`` or ``"zstd"``: lines go into frames, one a flush.
        rotate_size: bytes on the disk after which a file is over; None: no such limit.
        rotate_every: seconds after which a file is over, counted from midnight; None: no such limit.
        rotate_count: lines after which a file is over; None: no such limit.
        keep_bytes: bytes: the oldest files go when all together are larger; None: they stay.
        keep_days: days after which a file that is over goes; None: they stay.
        fsync: ``"interval"``: the disk has everything that is older than ``fsync_every`` seconds; ``"each"``: what was
            written before more is taken; ``"none"``: whenever the system likes (it survives our death, not the
            machine's).
        fsync_every: seconds from what came to the flush that makes it safe; frames of zstd end then.
    """

    layout: Literal["flat", "dated"] = "flat"
    zone: Literal["UTC", "KST"] = "UTC"
    files: Literal["jsonl", "parquet"] = "jsonl"
    numbers: Literal["float", "decimal"] = "float"
    compress: Literal["none", "zstd"] = "none"
    rotate_size: int | None = None
    rotate_every: float | None = None
    rotate_count: int | None = None
    keep_bytes: int | None = None
    keep_days: float | None = None
    fsync: Literal["interval", "each", "none"] = "interval"
    fsync_every: float = 1.0

    def __post_init__(self) -> None:
        for option, choices in _CHOICES.items():
            if (value := getattr(self, option)) not in choices:
                raise ConfigError(option, value, " or ".join(f'"{choice}"' for choice in choices))
        for option in _LIMITS:
            value = getattr(self, option)
            if value is not None and (isinstance(value, bool) or not 0 < value < float("inf")):
                raise ConfigError(option, value, "more than 0")
        every = self.rotate_every
        if every is not None and (every < 1 or (every > _DAY and every % _DAY)):
            raise ConfigError("rotate_every", every, "1 second or more, and whole days if it is more than one")
        if self.layout == "dated" and (every or 0) > _HOUR:
            raise ConfigError("rotate_every", every, "3600 or less in the dated layout, whose files are hours")
