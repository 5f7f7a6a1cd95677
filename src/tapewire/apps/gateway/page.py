"""The live page's files over HTTP."""

from __future__ import annotations

from aiohttp import web

from tapewire.apps.dashboard.page import HEADERS, page_file
from tapewire.apps.gateway.problems import Problem


async def page(request: web.Request) -> web.StreamResponse:
    """``/`` and ``/static/…``; what the browser has already is not sent again."""
    file = page_file(request.path)
    if file is None:
        raise Problem("not_found")
    headers = {**HEADERS, "ETag": file.etag, "Cache-Control": file.cache_control}
    if request.headers.get("If-None-Match") == file.etag:
        return web.Response(status=304, headers=headers)
    return web.Response(body=file.body, headers={**headers, "Content-Type": file.content_type})
