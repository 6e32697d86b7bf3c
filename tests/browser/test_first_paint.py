"""What a browser shows of a page whose HTML has not arrived completely."""

from __future__ import annotations

import asyncio
from asyncio import StreamReader, StreamWriter
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Final
from urllib.parse import urlsplit

import httpx
import pytest
from playwright.async_api import Browser, Page, Route
from tests.browser.dashboard_people import NARROW
from tests.kit.dashboard_developer import Developer

PAINTS: Final = "performance.getEntriesByType('paint').length"
STYLED: Final = "document.styleSheets.length > 0"
SHIFTS: Final = """() => new Promise(done => {
  new PerformanceObserver(list => done(list.getEntries().map(one => one.value)))
    .observe({type: "layout-shift", buffered: true});
  setTimeout(() => done([]), 200);
})"""


@asynccontextmanager
async def in_halves(html: bytes) -> AsyncIterator[tuple[str, Callable[[], None]]]:
    """Serves a page and holds its second half back. Yields its URL and a function that sends the rest."""
    middle = (html.index(b"<main") + html.index(b"</main>")) // 2
    rest = asyncio.Event()

    async def answer(reader: StreamReader, writer: StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        head = f"HTTP/1.1 200 OK\r\ncontent-type: text/html\r\ncontent-length: {len(html)}\r\n\r\n"
        writer.write(head.encode() + html[:middle])
        await writer.drain()
        await rest.wait()
        writer.write(html[middle:])
        await writer.drain()
        writer.close()

    server = await asyncio.start_server(answer, "127.0.0.1", 0)
    yield f"http://localhost:{server.sockets[0].getsockname()[1]}/", rest.set
    server.close()


async def take_files_from(page: Page, http: httpx.AsyncClient) -> None:
    """Loads styles, scripts and pictures from the platform, wherever the page itself comes from."""

    async def load(route: Route) -> None:
        file = await http.get(urlsplit(route.request.url).path)
        await route.fulfill(body=file.content, content_type=file.headers["content-type"])

    await page.route("**/static/**", load)
    await page.route("**/brand/**", load)


@pytest.mark.parametrize("path", ["/dashboard/teams", "/account/sessions"])
async def test_a_page_is_shown_at_once(chromium: Browser, studio: Developer, path: str) -> None:
    """The browser shows nothing of a page whose second half is late, and then all of it: nothing moves."""
    await studio.stay_signed_in()
    response = await studio.open("GET", path)
    assert response.status_code == 200
    context = await chromium.new_context(**NARROW.options)
    page = await context.new_page()
    await take_files_from(page, studio.browser.http)
    async with in_halves(response.content) as (url, send_the_rest):
        await page.goto(url, wait_until="commit")
        await page.wait_for_selector("main h1", state="attached")
        await page.wait_for_function(STYLED, polling=100)
        await asyncio.sleep(1)
        assert await page.evaluate(PAINTS) == 0
        send_the_rest()
        await page.wait_for_load_state()
        await page.wait_for_function(PAINTS, polling=100)
        assert await page.evaluate(SHIFTS) == []
    await context.close()
