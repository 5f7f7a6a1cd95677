"""Real file systems for the tests of sick disks: made, mounted, made full or read-only, and given back."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

#: Bytes that are left when a disk is made full: less than a tenth of a second of these feeds.
LEFT = 8 * 1024


@contextmanager
def small_disk(place: Path, size: int) -> Iterator[Path]:
    """A file system in memory. Skips where mounting is refused."""
    place.mkdir()
    options = ("-t", "tmpfs", "-o", f"size={size}", "tapewire-chaos")
    if not _done("mount", *options, str(place)):
        pytest.skip("mounting is refused here")
    try:
        yield place
    finally:
        subprocess.run(["umount", "-l", str(place)], check=True)


def fill(disk: Path) -> Path:
    """Take all the space but a little; the file that has it."""
    ballast = disk / "ballast"
    status = subprocess.run(["df", "--output=avail", "-B1", str(disk)], capture_output=True, check=True, text=True)
    ballast.write_bytes(bytes(int(status.stdout.split()[1]) - LEFT))
    return ballast


class Ext4:
    """A file system in a file, which becomes read-only at its first error, as a server's does."""

    def __init__(self, place: Path) -> None:
        self.place, self._image = place, place.with_suffix(".img")
        place.mkdir()
        with self._image.open("wb") as image:
            image.truncate(24 * 1024 * 1024)
        if not _done("mkfs.ext4", "-q", "-F", str(self._image)):
            pytest.skip("no ext4 can be made here")

    @contextmanager
    def mounted(self) -> Iterator[Path]:
        """The folder. Skips where mounting is refused."""
        if not _done("mount", "-o", "loop,errors=remount-ro", str(self._image), str(self.place)):
            pytest.skip("mounting is refused here")
        try:
            yield self.place
        finally:
            subprocess.run(["umount", str(self.place)], check=True)

    def fail(self) -> None:
        """Let it find an error in itself. Skips where the kernel has no such door."""
        device = Path(
            subprocess.run(
                ["findmnt", "-n", "-o", "SOURCE", str(self.place)], capture_output=True, check=True, text=True
            ).stdout.strip()
        )
        door = Path("/sys/fs/ext4", device.name, "trigger_fs_error")
        if not door.exists():
            pytest.skip("this kernel makes no errors to order")
        door.write_text("1")


def _done(*command: str) -> bool:
    """Whether it could be done; False where there is no such program, too."""
    try:
        return subprocess.run(command, capture_output=True, check=False).returncode == 0
    except FileNotFoundError:
        return False
