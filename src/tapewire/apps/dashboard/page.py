"""Hands out the static page, which knows only the gateway's JSON."""

from __future__ import annotations

import hashlib
from functools import cache
from importlib.resources import files
from importlib.resources.abc import Traversable
from types import MappingProxyType

from msgspec import Struct

#: What a browser may do with the page: its own files, its own gateway, and nothing else. With Trusted Types no text can
#: become markup or script, whoever wrote it.
CONTENT_SECURITY_POLICY = (
    "default-src 'none'; "
    "script-src 'self'; "
    "style-src 'self'; "
    "img-src 'self'; "
    "connect-src 'self'; "
    "manifest-src 'self'; "
    "base-uri 'none'; "
    "form-action 'none'; "
    "frame-ancestors 'none'; "
    "require-trusted-types-for 'script'; "
    "trusted-types 'none'"
)
#: Headers of each answer that holds a file of the page.
HEADERS = MappingProxyType(
    {
        "Content-Security-Policy": CONTENT_SECURITY_POLICY,
        "Cross-Origin-Opener-Policy": "same-origin",
        "Cross-Origin-Resource-Policy": "same-origin",
        "Permissions-Policy": "camera=(), geolocation=(), microphone=(), payment=(), usb=()",
        "Referrer-Policy": "no-referrer",
        "X-Content-Type-Options": "nosniff",
        "X-Frame-Options": "DENY",
    }
)
_TYPES = {
    "html": "text/html; charset=utf-8",
    "css": "text/css; charset=utf-8",
    "js": "text/javascript; charset=utf-8",
    "mjs": "text/javascript; charset=utf-8",
    "svg": "image/svg+xml",
    "webmanifest": "application/manifest+json",
    "": "text/plain; charset=utf-8",
}
#: Other people's files have their version in the path: they never change. Ours are asked for again, by their ETag.
_FOREVER = "public, max-age=31536000, immutable"
_ASK_AGAIN = "no-cache"
_NOT_SERVED = {"toml"}


class PageFile(Struct, frozen=True):
    """One file of the page, as it goes over HTTP.

    Attributes:
        body: its bytes.
        content_type: for ``Content-Type``.
        etag: for ``ETag``, quotes included; the same as long as the bytes are.
        cache_control: for ``Cache-Control``.
    """

    body: bytes
    content_type: str
    etag: str
    cache_control: str


def page_file(path: str) -> PageFile | None:
    """The file that a browser asks for.

    Args:
        path: of the request, without its query: ``/``, ``/static/js/app.js``.

    Returns:
        None: the page has no such file; whatever the path says, nothing outside the page's folder is read.
    """
    return _all().get(path)


def page_paths() -> tuple[str, ...]:
    """Every path that ``page_file`` knows, in order; ``/`` is the first."""
    return tuple(sorted(_all()))


@cache
def _all() -> dict[str, PageFile]:
    """All files are few and small: read once, then no path can lead astray."""
    found = dict(_below(files("tapewire.apps.dashboard") / "static", "/static"))
    found["/"] = found.pop("/static/index.html")
    return found


def _below(folder: Traversable, prefix: str) -> list[tuple[str, PageFile]]:
    found: list[tuple[str, PageFile]] = []
    for entry in folder.iterdir():
        path = f"{prefix}/{entry.name}"
        if entry.is_dir():
            found += _below(entry, path)
        elif _ending(path) not in _NOT_SERVED:
            found.append((path, _read(path, entry.read_bytes())))
    return found


def _ending(path: str) -> str:
    return path.rpartition("/")[2].rpartition(".")[2] if "." in path.rpartition("/")[2] else ""


def _read(path: str, body: bytes) -> PageFile:
    etag = f'"{hashlib.sha256(body).hexdigest()[:32]}"'
    caching = _FOREVER if path.startswith("/static/vendor/") else _ASK_AGAIN
    return PageFile(body, _TYPES[_ending(path)], etag, caching)
