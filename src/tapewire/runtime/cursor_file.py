"""The cursor on disk: one file that is replaced whole, and a lock that keeps a second program from it."""

from __future__ import annotations

import os
from collections.abc import Awaitable, Callable
from contextlib import suppress
from importlib.util import find_spec
from pathlib import Path
from tempfile import NamedTemporaryFile

import msgspec
from msgspec import Struct

from tapewire.errors import ConfigError
from tapewire.model.events import Asset, PositionEvent
from tapewire.session.cursor import Place
from tapewire.session.fills import FillsState
from tapewire.session.positions import CashState
from tapewire.session.reconcile import OrdersState

#: Runs what may wait for a disk, aside from the event loop.
Aside = Callable[[Callable[[], None]], Awaitable[None]]
_MODE = 0o640  # orders and balances may stand in it: nobody outside the group reads it


class AccountState(Struct, frozen=True, omit_defaults=True):
    """An account's orders, balances, positions and fills as they were told last; None: not known yet."""

    orders: OrdersState | None = None
    balances: list[Asset] | None = None
    positions: list[PositionEvent] | None = None
    cash: CashState | None = None
    fills: FillsState | None = None


class Saved(Struct, frozen=True, kw_only=True):
    """What stands in the file.

    Attributes:
        version: of this form.
        venue: whose streams.
        streams: how far each came.
        accounts: by the name that ``limits.account_of`` gives each.
    """

    version: int = 1
    venue: str
    streams: list[Place] = []
    accounts: dict[str, AccountState] = {}


_decode = msgspec.json.Decoder(Saved).decode


class CursorFile:
    """One file for one program and venue. Closed and opened again, it is as it was left, by whomever.

    Args:
        path: made when it is not there; beside it ``path.lock`` for as long as it is open.
        venue: whose streams may stand in it.
    """

    def __init__(self, path: Path, venue: str) -> None:
        self._path, self._venue = path, venue
        self._lock: int | None = None

    def open(self) -> Saved:
        """Keep others from it, and read it.

        Raises:
            ConfigError: another program has it, it cannot be written, or holds something else.
        """
        self._lock = self._locked()
        try:
            return self._read()
        except BaseException:
            self.close()
            raise

    def write(self, content: bytes) -> None:
        """Replace it; at every moment there is a whole one. Not forced to disk: it survives the process.

        Raises:
            OSError: it cannot be written; the old one is still there.
        """
        with NamedTemporaryFile(dir=self._path.parent, prefix=f".{self._path.name}.", delete=False) as made:
            try:
                Path(made.name).chmod(_MODE)
                made.write(content)
                made.flush()
                Path(made.name).replace(self._path)
            except BaseException:
                Path(made.name).unlink(missing_ok=True)
                raise

    def close(self) -> None:
        """Let others have it; a second call does nothing."""
        if self._lock is not None:
            os.close(self._lock)
            self._lock = None

    def _read(self) -> Saved:
        try:
            content = self._path.read_bytes()
        except FileNotFoundError:
            return Saved(venue=self._venue)
        except OSError as error:
            raise self._wrong(f"a file that can be read ({error.strerror})") from None
        try:
            saved = _decode(content)
        except (msgspec.MsgspecError, RecursionError) as error:
            raise self._wrong(f"a file that tapewire wrote ({error}); remove it to begin anew") from None
        if (saved.version, saved.venue) != (1, self._venue):
            raise self._wrong(
                f"a file of {self._venue}, version 1 (that one is of {saved.venue}, version {saved.version}); "
                "each venue needs one of its own"
            )
        return saved

    def _locked(self) -> int | None:
        try:
            lock = os.open(f"{self._path}.lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, _MODE)
        except OSError as error:
            raise self._wrong(f"in a directory that can be written ({error.strerror})") from None
        if find_spec("fcntl") is None:
            return lock
        import fcntl  # noqa: PLC0415 - not on Windows

        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            os.close(lock)
            raise self._wrong("one that nobody else uses now: each program, venue and set of options has one") from None
        except BaseException:
            with suppress(OSError):
                os.close(lock)
            raise
        return lock

    def _wrong(self, allowed: str) -> ConfigError:
        return ConfigError("cursor_file", str(self._path), allowed)
