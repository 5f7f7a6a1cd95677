"""Loggers for other people's WebSocket libraries that never print what may hold a secret."""

from __future__ import annotations

import logging
from collections.abc import Callable
from typing import Any


class CappedLogger(logging.LoggerAdapter[logging.Logger]):
    """Passes nothing below ``floor``, whatever the application's own levels say.

    picows writes the upgrade request with all headers at level 9, websockets at DEBUG (both measured); errors of
    their parsers are told as the loss of the line, so here they are only DEBUG.

    Args:
        name: logger the records go to.
        floor: lowest level that passes.
        on_error: called when the library reports an error.
    """

    def __init__(self, name: str, floor: int, on_error: Callable[[], object] | None = None) -> None:
        super().__init__(logging.getLogger(name), {})
        self._floor = floor
        self._on_error = on_error

    def isEnabledFor(self, level: int) -> bool:  # noqa: N802 - the name in logging
        """Whether a record of this level passes."""
        return level >= self._floor and self.logger.isEnabledFor(level)

    def log(self, level: int, msg: object, *args: object, **kwargs: Any) -> None:
        """Write one record, an error as DEBUG."""
        if level >= logging.ERROR:
            level = logging.DEBUG
            if self._on_error is not None:
                self._on_error()
        super().log(level, msg, *args, **kwargs)
