"""The exchange's limits, kept by all processes of a host together: the grants of each gate stand in a locked file."""

from __future__ import annotations

import os
import re
import struct
import tempfile
import threading
import zlib
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from functools import cache
from hashlib import sha256
from importlib.util import find_spec
from pathlib import Path
from urllib.parse import quote

import msgspec
import psutil
from msgspec import Struct

from tapewire.errors import ConfigError
from tapewire.runtime.limits import SharedGate
from tapewire.runtime.observe import log_fields, logger
from tapewire.session.gate import Gate, Grant
from tapewire.session.limits import MakeGate
from tapewire.venues.contract import Window

#: Seconds until a file that another process holds is asked for again.
BUSY_WAIT = 0.002
#: Seconds that a file may be held, which takes some 50 µs: after that its holder was stopped (SIGSTOP, a debugger).
PATIENCE = 5.0
_HEAD = struct.Struct("!II")  # length and checksum of what follows
_MOST = 1 << 20  # bytes of a file


class Busy(Exception):
    """Another process holds the file."""


class Unusable(Busy):
    """The file cannot be opened or written; it is in the log."""


class _State(Struct, array_like=True):
    """What stands in a file. Times are the host's monotonic seconds, the same in all its processes."""

    boot: str
    closed_until: float
    grants: list[Grant]


_encode = msgspec.msgpack.Encoder().encode
_decode = msgspec.msgpack.Decoder(_State).decode


class HostGate(SharedGate):
    """A gate for all processes that name the same file.

    The lock is the kernel's (``flock``): it ends with the process that holds it, however that ends. What a process does
    under it never waits. A file that cannot be had is as a limit that is used up: ask again soon.

    Args:
        path: of the file; made when it is not there.
        windows, leeway: as of ``Gate``.
    """

    def __init__(self, path: Path, windows: Sequence[Window], leeway: float) -> None:
        super().__init__(windows, leeway, self._held)
        self._path, self._mutex = path, threading.RLock()
        self._refused_until = float("-inf")
        self._stuck_since: float | None = None
        self._inside = self._complained = False

    def next_at(self, t: float) -> float:
        try:
            return super().next_at(t)
        except Busy:
            return t + BUSY_WAIT

    def ask_at(self, t: float) -> float:
        try:
            return super().ask_at(t)
        except Busy:
            return t + BUSY_WAIT

    def take(self, t: float) -> bool:
        try:
            return super().take(t)
        except Unusable:
            return False
        except Busy:
            self._wait_for_holder(t)
            return False

    def arrived(self, sent: float, t: float) -> None:
        with suppress(Busy):  # then it is taken to have been on its way for as long as one can be
            super().arrived(sent, t)

    def told(self, sent: float, t: float, left: int, seconds: float) -> None:
        with suppress(Busy):  # the next answer says it again
            super().told(sent, t, left, seconds)

    def close(self, until: float) -> None:
        self._refused_until = max(self._refused_until, until)
        with suppress(Busy):  # then the next one who holds it writes it
            super().close(until)

    def spent(self, t: float, at_least: float = 0.0) -> float:
        with suppress(Busy):
            return super().spent(t, at_least)
        return Gate.spent(self, t, at_least)  # as it was last seen

    def left(self, t: float) -> list[tuple[Window, int]]:
        with suppress(Busy):
            return super().left(t)
        return Gate.left(self, t)  # as it was last seen

    @contextmanager
    def _held(self, t: float) -> Iterator[None]:
        with self._mutex:
            if self._inside:
                yield
                return
            file = self._locked()
            try:
                before = self._load(file, t)
                self._inside = True
                yield
                self._store(file, before)
            finally:
                self._inside = False
                os.close(file)

    def _locked(self) -> int:
        import fcntl  # noqa: PLC0415 - not on Windows

        file, got = self._opened(), False
        try:
            with suppress(BlockingIOError):
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
                got = self._is_ours(file)
        finally:
            if not got:
                os.close(file)
        if not got:
            raise Busy
        self._stuck_since, self._complained = None, False
        return file

    def _opened(self) -> int:
        try:
            return os.open(self._path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, 0o660)
        except OSError as error:
            raise self._unusable(error) from error

    def _is_ours(self, file: int) -> bool:
        """Whether the open file is still the one that everybody opens by its name."""
        try:
            return os.path.samestat(os.fstat(file), self._path.stat())
        except FileNotFoundError:  # somebody tidied up
            return False
        except OSError as error:
            raise self._unusable(error) from error

    def _load(self, file: int, t: float) -> bytes:
        content = os.pread(file, _MOST, 0)
        state = _read(content)
        if state is None and content:  # a process was killed while it wrote: what was granted lately is not known
            state = _State(_boot(), t + self.longest, [])
        elif state is None or state.boot != _boot():  # new, or the host was started anew and its clock with it
            state = _State(_boot(), float("-inf"), [])
        self._grants, self._closed_until = state.grants, max(state.closed_until, self._refused_until)
        return content

    def _store(self, file: int, before: bytes) -> None:
        after = _written(_State(_boot(), self._closed_until, self._grants))
        if after == before:
            return
        try:
            os.pwrite(file, after, 0)
        except OSError as error:
            raise self._unusable(error) from error
        if not self._is_ours(file):  # this process stood still for so long that others gave it up
            raise Busy

    def _wait_for_holder(self, t: float) -> None:
        """Another process holds the file. One that does so for long was stopped in the middle: go on without it."""
        self._stuck_since = t if self._stuck_since is None else self._stuck_since
        if t - self._stuck_since >= PATIENCE:
            self._stuck_since = None
            try:
                _replace(self._path)
            except OSError as error:
                self._unusable(error)
                return
            logger.warning(
                "%s was held for %.0f s: the process that holds it was stopped; the others go on without it",
                self._path, PATIENCE, extra=log_fields("limits_taken_over", ""),
            )  # fmt: skip

    def _unusable(self, error: OSError) -> Unusable:
        if not self._complained:
            self._complained = True
            logger.error(
                "limits of this host cannot be kept, so nothing is sent: %s: %s", self._path, error.strerror,
                extra=log_fields("limits_unusable", ""),
            )  # fmt: skip
        return Unusable(str(error))


def host_gates(directory: str | None, place: Sequence[str]) -> MakeGate:
    """Makes the gates of one address for all processes of the host.

    Args:
        directory: where their files are; None: one of this user's own in the system's directory for temporary files.
        place: what the limits belong to; files of another place have other names.

    Raises:
        ConfigError: the directory cannot be used.
    """
    folder = _folder(directory)
    title = re.sub(r"[^A-Za-z0-9.]+", "_", "-".join(place))[:60]
    mark = sha256("\n".join(place).encode()).hexdigest()[:8]

    def make(name: str, windows: Sequence[Window], leeway: float) -> Gate:
        return HostGate(folder / f"{title}-{mark}-{quote(name, safe='')}", windows, leeway)  # OKX's are paths

    return make


def _folder(directory: str | None) -> Path:
    if find_spec("fcntl") is None:
        raise ConfigError("limits", "host", '"process": this system has no file locks (fcntl)')
    own = Path(tempfile.gettempdir()) / f"tapewire-limits-{os.getuid()}"
    folder = own if directory is None else Path(directory)
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=folder):
            pass
    except OSError as error:
        raise ConfigError("limits_dir", str(folder), f"a directory that can be written ({error.strerror})") from None
    if directory is None and (folder.is_symlink() or folder.stat().st_uid != os.getuid()):
        raise ConfigError("limits_dir", str(folder), "a directory of this user's own; name another")
    return folder


def _replace(path: Path) -> None:
    """Put a copy in the place of a file that is held for good; of several who want to, one does."""
    import fcntl  # noqa: PLC0415 - not on Windows

    folder = os.open(path.parent, os.O_RDONLY | os.O_CLOEXEC)
    try:
        with suppress(BlockingIOError):
            fcntl.flock(folder, fcntl.LOCK_EX | fcntl.LOCK_NB)
            with tempfile.NamedTemporaryFile(dir=path.parent, prefix=path.name, delete=False) as copy:
                copy.write(path.read_bytes())
            Path(copy.name).replace(path)
    finally:
        os.close(folder)


def _written(state: _State) -> bytes:
    body = _encode(state)
    return _HEAD.pack(len(body), zlib.crc32(body)) + body


def _read(content: bytes) -> _State | None:
    """What stands there; None: nothing, or half of it."""
    if len(content) < _HEAD.size:
        return None
    length, check = _HEAD.unpack_from(content)
    body = content[_HEAD.size : _HEAD.size + length]
    if len(body) != length or zlib.crc32(body) != check:
        return None
    return _decode(body)


@cache
def _boot() -> str:
    """Names this start of the host."""
    with suppress(OSError):
        return Path("/proc/sys/kernel/random/boot_id").read_text("ascii").strip()
    return str(round(psutil.boot_time() / 60))
