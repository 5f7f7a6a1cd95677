"""The browser, and the page's files as they are handed out."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager
from functools import partial
from typing import Any

import pytest
from aiohttp import web
from selenium import webdriver

from tapewire.apps.dashboard.page import HEADERS, page_file
from tests.dashboard.browser import CHROMIUM, DRIVER, calculate, start
from tests.dashboard.threads import in_background

Calculate = Callable[[str, str], Any]


@pytest.fixture(scope="session")
def driver() -> Iterator[webdriver.Chrome]:
    if CHROMIUM is None or DRIVER is None:
        pytest.skip("no chromium here; on Debian: apt-get install chromium chromium-driver")
    browser = start()
    try:
        yield browser
    finally:
        browser.quit()


async def hand_out(request: web.Request) -> web.Response:
    """A file of the page, with all its headers; whatever is not of the page is not here."""
    file = page_file(request.path)
    if file is None:
        raise web.HTTPNotFound
    headers = {"Content-Type": file.content_type, "Cache-Control": file.cache_control, "ETag": file.etag, **HEADERS}
    return web.Response(body=file.body, headers=headers)


@asynccontextmanager
async def files_alone() -> AsyncIterator[str]:
    """The page's files without a gateway behind them; the address of their server."""
    app = web.Application()
    app.router.add_get("/{path:.*}", hand_out)
    runner = web.AppRunner(app)
    await runner.setup()
    try:
        site = web.TCPSite(runner, "127.0.0.1", 0)
        await site.start()
        host, port = runner.addresses[0][:2]
        yield f"http://{host}:{port}"
    finally:
        await runner.cleanup()


@pytest.fixture(scope="session")
def files() -> Iterator[str]:
    with in_background(files_alone) as address:
        yield address


@pytest.fixture
def calculated(driver: webdriver.Chrome, files: str) -> Calculate:
    """``calculated("logic/format.js", "m.count(1, 'en')")``: what a module of the page says, as JSON."""
    if not driver.current_url.startswith(f"{files}/static/icon.svg"):
        driver.get(f"{files}/static/icon.svg")  # a document of the origin without the page's own scripts
    return partial(calculate, driver)
