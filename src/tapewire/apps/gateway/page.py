"""The live page's files, as they stand in the package."""

from __future__ import annotations

import hashlib
import mimetypes
from importlib.resources import files

from aiohttp import web

from tapewire.apps.gateway.problems import Problem

#: Kinds of files that are served.
_KINDS = {".html", ".css", ".js", ".mjs", ".json", ".svg", ".png", ".ico", ".woff2", ".txt", ".map"}


class Page:
    """Reads every file once; a path that leads to none of them is not found, whatever it looks like."""

    def __init__(self) -> None:
        self._known = dict(_walk("dashboard/static"))

    async def index(self, request: web.Request) -> web.StreamResponse:
        """``/``."""
        return self._answer(request, "index.html")

    async def file(self, request: web.Request) -> web.StreamResponse:
        """``/static/…``."""
        return self._answer(request, request.match_info["path"])

    def _answer(self, request: web.Request, name: str) -> web.Response:
        found = self._known.get(name)
        if found is None:
            raise Problem("not_found")
        body, kind, tag = found
        headers = {"ETag": tag, "Cache-Control": "no-cache"}
        if request.headers.get("If-None-Match") == tag:
            return web.Response(status=304, headers=headers)
        return web.Response(body=body, content_type=kind, charset=_charset(kind), headers=headers)


def _charset(kind: str) -> str | None:
    return "utf-8" if kind.startswith("text/") or kind in ("application/json", "image/svg+xml") else None


def _walk(folder: str) -> list[tuple[str, tuple[bytes, str, str]]]:
    """Every file below a folder of this package: its path there → bytes, kind, tag."""
    root = files("tapewire.apps") / folder
    found: list[tuple[str, tuple[bytes, str, str]]] = []
    waiting = [("", root)] if root.is_dir() else []
    while waiting:
        prefix, place = waiting.pop()
        for one in place.iterdir():
            name = f"{prefix}{one.name}"
            if one.is_dir():
                waiting.append((f"{name}/", one))
            elif any(name.endswith(kind) for kind in _KINDS):
                body = one.read_bytes()
                kind = "text/javascript" if name.endswith((".js", ".mjs")) else mimetypes.guess_type(name)[0]
                found.append(
                    (name, (body, kind or "application/octet-stream", f'"{hashlib.sha256(body).hexdigest()[:32]}"'))
                )
    return found
