"""The pages a user reads, and the fenced blocks in them."""

from __future__ import annotations

import re
import runpy
from functools import cache
from pathlib import Path
from typing import Any, NamedTuple

ROOT = Path(__file__).parents[2]
PAGES = (ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md")))

_FENCE = re.compile(r"^```(\w+)\n(.*?)^```$", re.MULTILINE | re.DOTALL)


class Block(NamedTuple):
    """One fenced block."""

    page: str
    line: int
    language: str
    text: str

    def __str__(self) -> str:
        return f"{self.page}:{self.line}"


def blocks(language: str) -> list[Block]:
    """Every block of that language, page by page."""
    found = []
    for path in PAGES:
        text = path.read_text("utf-8")
        for match in _FENCE.finditer(text):
            if match[1] == language:
                line = text.count("\n", 0, match.start()) + 2
                found.append(Block(str(path.relative_to(ROOT)), line, language, match[2]))
    return found


@cache
def generator() -> dict[str, Any]:
    """The names of scripts/docs.py."""
    return runpy.run_path(str(ROOT / "scripts/docs.py"))
