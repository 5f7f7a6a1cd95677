"""Options of ``record`` that say how the recording lies on the disk: fields of ``RecordOptions``."""

from __future__ import annotations

import re
from collections.abc import Callable
from functools import wraps
from typing import TYPE_CHECKING, Any

import click

if TYPE_CHECKING:
    _Numbers = click.ParamType[float]
else:
    _Numbers = click.ParamType  # older clicks have no generic one

_SIZES = {"": 1, "kb": 10**3, "mb": 10**6, "gb": 10**9, "tb": 10**12,
          "kib": 2**10, "mib": 2**20, "gib": 2**30, "tib": 2**40}  # fmt: skip
_SPANS = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0, "d": 86_400.0}


class Measured(_Numbers):
    """A number with a unit, such as ``256MB`` or ``30m``.

    Args:
        units: each in small letters, and what it is in the unit that counts.
        bare: the unit of a number without one.
        shown: two examples.
    """

    def __init__(self, name: str, units: dict[str, float], bare: str, shown: str) -> None:
        self.name, self._units, self._bare, self._shown = name, units, bare, shown

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> float:
        match = re.fullmatch(r"([0-9]+(?:\.[0-9]+)?) ?([A-Za-z]*)", str(value))
        unit = match[2].lower() or self._bare if match else ""
        if match is None or unit not in self._units or not float(match[1]):
            self.fail(f"{value!r} is none; write {self._shown}.", param, ctx)
        return float(match[1]) * self._units[unit]


_SIZE = Measured("size", dict(_SIZES), "", "256MB or 1GiB")
_SPAN = Measured("span", _SPANS, "s", "30m, 1h or 1d")
_POLICY_SPAN = Measured("span", _SPANS, "ms", "1000 (milliseconds), 2s, each or none")


class Policy(_Numbers):
    """``each``, ``none``, or how often the disk is to confirm: a number of milliseconds."""

    name = "policy"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        return value if value in ("each", "none") else _POLICY_SPAN.convert(value, param, ctx)


def record_options(command: Callable[..., None]) -> Callable[..., None]:
    """``--layout --zone --files --compress --rotate-… --keep-… --fsync``; to stand below ``feed_options``' options."""

    @wraps(command)
    def with_options(*, fsync: float | str | None, rotate_size: float | None, keep_bytes: float | None,
                     **rest: Any) -> None:  # fmt: skip
        if isinstance(fsync, str):
            rest["fsync"] = fsync
        elif fsync is not None:
            rest |= {"fsync": "interval", "fsync_every": fsync}
        rest["of_tape"] = _of_tape(rest)
        if rest["of_tape"] and rest.get("tape") is None:
            raise click.UsageError("--tape-… is for a tape, and none is kept: add --tape DIR.")
        sizes = {"rotate_size": rotate_size, "keep_bytes": keep_bytes}
        if rest.get("tape") is not None and rest.get("out") is None:
            _refuse({"fsync": fsync, **sizes, **rest})
        command(**rest, **{name: None if size is None else int(size) for name, size in sizes.items()})

    function: Callable[..., None] = with_options
    for option in reversed(_OPTIONS):
        function = option(function)
    return function


def _of_tape(given: dict[str, Any]) -> dict[str, Any]:
    """What was given of ``TapeOptions``; it is taken out."""
    found = {field: value for name, field in _OF_TAPE.items() if (value := given.pop(name)) is not None}
    if "keep_seconds" in found:
        found["keep_seconds"] *= _SPANS["d"]
    return found | {name: int(found[name]) for name in ("file_size", "keep_bytes") if name in found}


def _refuse(given: dict[str, Any]) -> None:
    """Options of files do nothing where only a tape is kept. Raises click.UsageError."""
    for name in ("layout", "zone", "files", "compress", "rotate_size", "rotate_every", "rotate_count", "keep_bytes",
                 "keep_days", "fsync"):  # fmt: skip
        if given.get(name) is not None:
            option = f"--{name.replace('_', '-')}"
            instead = f" (of a tape: --tape-{name.replace('_', '-')})" if f"tape_{name}" in _OF_TAPE else ""
            raise click.UsageError(f"{option} is for files, and --tape alone makes none: add --out{instead}.")


#: Options of a tape, and the fields of ``TapeOptions`` that they are.
_OF_TAPE = {
    "tape_fsync": "fsync", "tape_rotate_size": "file_size", "tape_rotate_every": "file_seconds",
    "tape_rotate_count": "file_records", "tape_keep_bytes": "keep_bytes", "tape_keep_days": "keep_seconds",
}  # fmt: skip

_OPTIONS = (
    click.option("--layout", type=click.Choice(["flat", "dated"]),
                 help="KRW-BTC_trade.jsonl, or upbit/trade/KRW-BTC/date=2026-11-21/09.jsonl.  [default: flat]"),
    click.option("--zone", type=click.Choice(["UTC", "KST"]), help="Of dates and hours in names.  [default: UTC]"),
    click.option("--files", type=click.Choice(["jsonl", "parquet"]),
                 help="Lines of JSON, or Parquet made of each file of lines that is over.  [default: jsonl]"),
    click.option("--compress", type=click.Choice(["none", "zstd"]), help="Lines in frames of zstd.  [default: none]"),
    click.option("--rotate-size", type=_SIZE, metavar="SIZE", help="Begin another file at this size: 256MB, 1GiB."),
    click.option("--rotate-every", type=_SPAN, metavar="SPAN",
                 help="Begin another file so often, counted from midnight: 15m, 1h, 1d."),
    click.option("--rotate-count", type=click.IntRange(1), metavar="N", help="Begin another file after N lines."),
    click.option("--keep-bytes", type=_SIZE, metavar="SIZE", help="Remove the oldest files beyond this size in all."),
    click.option("--keep-days", type=click.FloatRange(0, min_open=True), metavar="N",
                 help="Remove files that were written to for the last time N days ago."),
    click.option("--fsync", type=Policy(), metavar="POLICY",
                 help="How often the disk confirms: so many ms, each (batch before the next), none.  [default: 1000]"),
    click.option("--tape-fsync", type=click.Choice(["interval", "each", "none"]),
                 help="When the disk itself has the tape: once a second, after each write, at its leisure."
                 "  [default: interval]"),
    click.option("--tape-rotate-size", type=_SIZE, metavar="SIZE",
                 help="Begin another file of the tape at this size.  [default: 256MiB]"),
    click.option("--tape-rotate-every", type=_SPAN, metavar="SPAN",
                 help="Begin another file of the tape when one is so old.  [default: 1h]"),
    click.option("--tape-rotate-count", type=click.IntRange(1), metavar="N",
                 help="Begin another file of the tape after N records."),
    click.option("--tape-keep-bytes", type=_SIZE, metavar="SIZE",
                 help="Remove the tape's oldest files beyond this size in all."),
    click.option("--tape-keep-days", type=click.FloatRange(0, min_open=True), metavar="N",
                 help="Remove the tape's files that were ended N days ago."),
)  # fmt: skip
