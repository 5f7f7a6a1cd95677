"""How many files and sockets the tests' own process may open."""

from __future__ import annotations

import os
import resource
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def files_allowed(count: int) -> Iterator[None]:
    """So many meanwhile, and as many as before afterwards."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (count, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


def first_unused_file() -> int:
    """With so many allowed, none can be opened any more."""
    unused = os.dup(0)
    os.close(unused)
    return unused
