"""All pages of the Dashboard that links lead to, in Chromium on a phone in the dark, with hostile names in
everything that they show."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from typing import Any, Final
from urllib.parse import urljoin, urlsplit

import pytest
from playwright.async_api import Browser, BrowserContext, Page
from tests.browser.test_pages import picture, too_wide, violations
from tests.kit.dashboard_developer import Developer, developer
from tests.kit.system import System, fresh_email

HOSTILE: Final = (
    '<img src=x onerror="window.acted=1" hx-get="/acted" hx-trigger="load">"\'{{7*7}} x'
)
"""A name that must stay text."""
OTHER_WAY: Final = "עדה <b>Lovelace</b> (1815)"
"""A name in a script that runs from right to left."""
MOST: Final = 120
"""Pages of one crawl."""
MAIL: Final = re.compile(r"/mail/[a-z_]+/[a-zA-Z-]+")
"""The pages of mails, one for each kind and language."""
LIVE: Final = ("/live",)
"""Ends of paths that are streams."""


@dataclass
class Crawl:
    """The pages of one application, from link to link. `faults` says what was wrong, and where."""

    page: Page
    origin: str
    home: str
    seen: set[str] = field(default_factory=set)
    faults: list[str] = field(default_factory=list)

    def listen(self) -> None:
        self.page.on("pageerror", lambda error: self.note(f"script: {error}"))
        self.page.on(
            "console",
            lambda line: self.note(f"console: {line.text}") if line.type == "error" else None,
        )
        self.page.on(
            "request", lambda one: self.note(f"request: {one.url}") if "/acted" in one.url else None
        )

    def note(self, fault: str) -> None:
        self.faults.append(f"{urlsplit(self.page.url).path}: {fault}")

    async def all(self) -> None:
        """Opens each page of the application once."""
        waiting = ["/dashboard", "/dashboard/new", "/dashboard/search?q=img", self.home]
        while waiting and len(self.seen) < MOST:
            path = waiting.pop(0)
            kind = self._kind(path)
            if kind in self.seen:
                continue
            self.seen.add(kind)
            waiting += await self._open(path)

    def _kind(self, path: str) -> str:
        """Returns the path without what makes one thing another: a page of each kind is enough."""
        bare = MAIL.sub("/mail/{}", urlsplit(path).path)
        return "/".join("{}" if len(part) > 25 else part for part in bare.split("/"))

    async def _open(self, path: str) -> list[str]:
        response = await self.page.goto(self.origin + path)
        assert response
        if response.status != 200:
            self.note(f"status {response.status}")
            return []
        await self._check()
        links: list[str] = await self.page.eval_on_selector_all(
            "a[href]", "all => all.map(one => one.getAttribute('href'))"
        )
        urls = {urljoin(self.page.url, link) for link in links}
        paths = {url.removeprefix(self.origin) for url in urls if url.startswith(self.origin)}
        return sorted(path for path in paths if self._is_ours(path))

    def _is_ours(self, path: str) -> bool:
        ours = path == self.home or path.startswith((f"{self.home}/", f"{self.home}?"))
        return ours and not urlsplit(path).path.endswith(LIVE)

    async def _check(self) -> None:
        for fault in await violations(self.page) + await too_wide(self.page):
            self.note(fault)
        if await self.page.evaluate("window.acted") is not None:
            self.note("a name was run")
        if await self.page.locator("main img[src=x], main [hx-get='/acted']").count():
            self.note("a name became markup")
        headings = await self.page.locator("h1").count()
        if headings != 1:
            self.note(f"{headings} headings of the first level")
        await picture(
            self.page, "dashboard" + self._kind(urlsplit(self.page.url).path).replace("/", "-")
        )


async def fill(system: System, developer: Developer) -> None:
    """Creates one of everything, each with a hostile name."""
    headers = {"authorization": f"Bearer {developer.secret_key}"}
    async with system.http(developer.slug, headers=headers) as http:
        profile = {"name": HOSTILE, "nickname": OTHER_WAY}
        ada = {"email": fresh_email("crawl"), "email_verified": True, "profile": profile}
        things: dict[str, dict[str, Any]] = {
            "users": ada,
            "roles": {"id": "hostile", "name": HOSTILE, "description": HOSTILE, "permissions": []},
            "organizations": {"name": OTHER_WAY},
            "clients": {"name": HOSTILE, "redirect_uris": ["https://shop.example/cb"]},
        }
        for noun, fields in things.items():
            answer = await http.post(f"/api/{noun}", json=fields)
            assert answer.status_code == 201, (noun, answer.text)


async def sign_in(context: BrowserContext, developer: Developer) -> None:
    """Gives the browser the developer's cookies."""
    await context.add_cookies(
        [
            {"url": developer.browser.origin, "name": cookie.name, "value": cookie.value or ""}
            for cookie in developer.browser.http.cookies.jar
        ]
    )


@pytest.fixture
async def crawl(chromium: Browser, system: System) -> AsyncIterator[Crawl]:
    async with AsyncExitStack() as stack:
        ada = await stack.enter_async_context(developer(system, "crawler"))
        await fill(system, ada)
        context = await chromium.new_context(
            viewport={"width": 360, "height": 800}, color_scheme="dark"
        )
        await sign_in(context, ada)
        home = f"/dashboard/applications/{ada.slug}"
        crawl = Crawl(await context.new_page(), ada.browser.origin, home)
        crawl.listen()
        yield crawl
        await context.close()


@pytest.mark.timeout(600)
async def test_every_page_on_a_phone(crawl: Crawl) -> None:
    """No page is too wide, breaks a rule of axe, speaks to the console, or takes a name for markup."""
    await crawl.all()

    assert crawl.faults == [], "\n".join(crawl.faults)
    assert len(crawl.seen) >= 5
