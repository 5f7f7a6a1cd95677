"""The one table of every setting: where it stands, its name, default, unit and one sentence."""

from __future__ import annotations

import inspect
import re
from collections.abc import Mapping
from typing import Any

import msgspec
from msgspec import Struct

from tapewire.apps.settings import TABLES, Settings
from tapewire.config import FeedOptions, LineOptions, MailboxOptions, SessionOptions, TapeOptions
from tapewire.sinks.files.options import RecordOptions

#: Words with which a sentence says its number's unit, and the unit.
_UNITS = {
    "seconds": "s",
    "bytes": "bytes",
    "frames": "frames",
    "control frames": "frames/s",
    "events": "events",
    "lines": "lines",
    "days": "d",
    "tries": "tries",
    "connections": "lines",
    "times": "×",
    "messages a second": "1/s",
    "messages a minute": "1/min",
}
_NAMED = re.compile(r"^([a-z_]+(?:, [a-z_]+)*): (.*)")


class Setting(Struct, frozen=True):
    """One row.

    Attributes:
        place: table of the settings file, ``""`` for its top: ``session`` and so on.
        name: of the option, everywhere.
        default: without profile, file, environment and command line.
        unit: of a number, ``""`` where it has none.
        words: one sentence.
    """

    place: str
    name: str
    default: Any
    unit: str
    words: str

    @property
    def key(self) -> str:
        """``session.ping_interval``, as the settings file has it."""
        return f"{self.place}.{self.name}" if self.place else self.name


def all_settings() -> list[Setting]:
    """Every setting, from the docstrings of the option classes; in the order of the settings file."""
    rows = [row for row in rows_of(Settings) if row.name not in TABLES]
    for place, made in (
        ("feed", FeedOptions),
        ("line", LineOptions),
        ("session", SessionOptions),
        ("mailbox", MailboxOptions),
        ("record", RecordOptions),
        ("tape", TapeOptions),
    ):
        rows += [row for row in rows_of(made, place) if row.name in TABLES[place]]
    return rows


def rows_of(made: type[Struct], place: str = "") -> list[Setting]:
    """One row a field of an option class."""
    words = attributes(made)
    return [
        Setting(place, field.name, _default(field), unit_of(words.get(field.name, "")), words.get(field.name, ""))
        for field in msgspec.structs.fields(made)
    ]


def value_of(settings: Settings, row: Setting) -> Any:
    """What a setting is now."""
    return getattr(getattr(settings, row.place) if row.place else settings, row.name)


def unit_of(words: str) -> str:
    """The unit that a sentence begins with (``seconds between …``)."""
    return next((unit for word, unit in _UNITS.items() if re.match(rf"{word}\b(?! a )", words)), "")


def attributes(made: type) -> Mapping[str, str]:
    """The ``Attributes:`` of a class docstring, name → sentence; names that share a sentence get it each."""
    section = re.split(r"Attributes:\n", inspect.cleandoc(made.__doc__ or ""), maxsplit=1)[-1]  # 3.13 dedents by itself
    found: dict[str, str] = {}
    for entry in re.split(r"\n(?= {4}[a-z])", "\n" + section):
        text = " ".join(entry.split())
        match = _NAMED.match(text)
        if match:
            found |= dict.fromkeys(match[1].split(", "), match[2])
            # "name: what; other: what" in one entry
            parts = (part.partition(": ") for part in re.split(r"; (?=[a-z_]+: )", text)[1:])
            found |= {name: rest for name, _, rest in parts}
    return found


def _default(field: msgspec.structs.FieldInfo) -> Any:
    return field.default if field.default is not msgspec.NODEFAULT else field.default_factory()
