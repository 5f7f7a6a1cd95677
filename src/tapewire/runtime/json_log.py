"""Log records as JSON, one object a line: an offer for programs; tapewire itself never configures logging."""

from __future__ import annotations

import logging
from datetime import UTC, datetime
from typing import Any

import msgspec

#: What every record has; whatever else is on one is a field of its own.
_OWN = frozenset((*logging.makeLogRecord({}).__dict__, "message", "asctime", "taskName"))


class JsonFormatter(logging.Formatter):
    """``handler.setFormatter(tapewire.JsonFormatter())``: time, level, logger, message, then the record's fields.

    Records of tapewire carry ``event`` (``disconnected``, ``gap`` …), ``venue``, ``connection`` and the event's own
    fields. Values that JSON does not know are written as their text.
    """

    def format(self, record: logging.LogRecord) -> str:
        """One JSON object, without a line end."""
        said: dict[str, Any] = {
            "time": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="microseconds"),
            "level": record.levelname,
            "logger": record.name,
            "message": record.getMessage(),
        }
        said |= {name: value for name, value in record.__dict__.items() if name not in _OWN}
        if record.exc_info:
            said["exception"] = self.formatException(record.exc_info)
        if record.stack_info:
            said["stack"] = self.formatStack(record.stack_info)
        return msgspec.json.encode(said, enc_hook=str).decode()
