"""All pages of the Dashboard that links lead to, in Chromium on a phone in the dark, with hostile texts in
everything that they show. An operator opens them, so those of the platform are among them."""

from __future__ import annotations

import asyncio
import re
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from typing import Any, Final
from urllib.parse import urljoin, urlsplit

import pytest
from axe_core_python.base import AXE_SCRIPT
from playwright.async_api import Browser, BrowserContext, Page
from tests.browser.dashboard_people import NARROW, SIZES, Screen, screens, sign_in
from tests.browser.test_pages import picture, too_wide
from tests.kit.dashboard_developer import Developer, developer
from tests.kit.dashboard_things import LONG_ADDRESS, SENTENCES, fill, fill_platform, join_team
from tests.kit.system import System

MOST: Final = 200
"""Kinds of pages that a crawl opens. More of them fail it."""
TABS: Final = 2
"""Pages that are open at the same time."""
STILL: Final = 0.01
"""The sum of layout shifts that nobody sees."""
MAIL: Final = re.compile(r"/mail/[a-z_]+/[a-zA-Z-]+")
"""The pages of mails, one for each kind and language."""
SLUG: Final = re.compile(r"/platform/applications/[a-z0-9-]+")
"""The operator's pages of applications."""
ID: Final = re.compile(r"^[0-9a-f-]{32,36}$|^.{40,}$")
"""The part of a path that is one thing of many."""
PLATFORM: Final = "/dashboard/platform"
LIVE: Final = ("/live",)
"""Ends of paths that are streams."""
WATCH: Final = """
if (top === self) {
  self.shifts = [];
  new PerformanceObserver(list => {
    for (const one of list.getEntries()) if (!one.hadRecentInput) shifts.push([one.value,
      ...one.sources.map(part => (part.node?.outerHTML ?? part.node?.data ?? "").slice(0, 99))]);
  }).observe({type: "layout-shift", buffered: true});
}
"""
"""Collects the layout shifts of a page from its beginning."""
FRAME: Final = ["nav.rooms", "header.top", "#palette", "#toasts"]
"""Parts that all pages share. One look at them is enough."""
AXE: Final = """async exclude => {
  const options = {resultTypes: ["violations"], preload: false};
  const {violations} = await axe.run({exclude}, options);
  return violations.flatMap(one => one.nodes.map(node =>
    `${one.id}: ${node.html.slice(0, 160)} ${node.failureSummary}`));
}"""
CUT: Final = """() => {
  const parts = "button, .button, select, input, textarea, h2, h3, a, bdi, code, time, .badge, .state";
  const cut = one => {
    let {left, right} = one.getBoundingClientRect();
    for (let box = one.parentElement; left < right && box.localName !== "main"; box = box.parentElement) {
      const how = getComputedStyle(box).overflowX, edge = box.getBoundingClientRect();
      if (how === "clip") return right > edge.right + 1 || left < edge.left - 1;
      if (how === "hidden") [left, right] = [Math.max(left, edge.left), Math.min(right, edge.right)];
      else if (how !== "visible") return false;
    }
    return false;
  };
  return [...document.querySelectorAll(`main :is(${parts})`)].filter(cut)
    .map(one => `cut off: ${one.outerHTML.slice(0, 160)}`);
}"""
"""What reaches beyond the card around it, where it cannot be seen. Rows that scroll, and texts that end in
dots, are meant to be longer."""
FACTS: Final = """() => ({
  acted: self.acted !== undefined,
  markup: document.querySelectorAll(
    "main img[src=x], [hx-get='/acted'], [data-hx-post='/acted'], main b[autofocus]").length,
  headings: document.querySelectorAll("h1").length,
  shifts: self.shifts ?? [],
  title: document.title,
  links: [...document.querySelectorAll("a[href]")].map(one => one.getAttribute("href")),
})"""
"""What a page says about itself."""


@dataclass
class Crawl:
    """The pages of one application, from link to link. `faults` says what was wrong, and where."""

    context: BrowserContext
    origin: str
    home: str
    screen: Screen
    waiting: list[str] = field(default_factory=list)
    seen: set[str] = field(default_factory=set)
    faults: list[str] = field(default_factory=list)
    alike: set[str] = field(default_factory=set)
    """Pages of one kind with different texts. They are too many for axe."""

    busy: int = 0

    async def tab(self) -> Page:
        """Returns a new tab whose console and requests are watched."""
        page = await self.context.new_page()

        def note(fault: str) -> None:
            self.faults.append(f"{urlsplit(page.url).path}: {fault}")

        page.on("pageerror", lambda error: note(f"script: {error}"))
        page.on(
            "console",
            lambda line: note(f"console: {line.text}") if line.type == "error" else None,
        )
        page.on("request", lambda one: note(f"request: {one.url}") if "/acted" in one.url else None)
        return page

    async def all(self, *more: str) -> None:
        """Opens each kind of page once, and each of `more`, which are of one kind."""
        start = ["/dashboard", "/dashboard/new", "/dashboard/search?q=img", "/dashboard/teams"]
        self._add([*start, self.home, PLATFORM])
        self.alike.update(more)
        self.waiting += more
        await asyncio.gather(*(self._work() for _ in range(TABS)))

    def _add(self, paths: list[str]) -> None:
        for path in paths:
            if (kind := self._kind(path)) not in self.seen:
                self.seen.add(kind)
                self.waiting.append(path)

    async def _work(self) -> None:
        page = await self.tab()
        opened = 0
        while self.waiting or self.busy:
            if not self.waiting:
                await asyncio.sleep(0.02)
                continue
            path = self.waiting.pop(0)
            self.busy += 1
            try:
                self._add(await self._open(page, path))
            finally:
                self.busy -= 1
            opened += 1
            assert opened <= MOST, f"{len(self.waiting)} pages are left, like {path}"

    def _kind(self, path: str) -> str:
        """Returns the path without what makes one thing another: a page of each kind is enough. The names
        of query parameters make kinds, and their values do not."""
        parts = urlsplit(path)
        bare = SLUG.sub("/platform/applications/{}", MAIL.sub("/mail/{}", parts.path))
        names = sorted({name.partition("=")[0] for name in parts.query.split("&") if name})
        kind = "/".join("{}" if ID.match(part) else part for part in bare.split("/"))
        return f"{kind}?{'&'.join(names)}" if names else kind

    async def _open(self, page: Page, path: str) -> list[str]:
        """Opens and checks a page. Returns the links on it."""
        response = await page.goto(self.origin + path)
        assert response
        if response.status != 200:
            self.faults.append(f"{path}: status {response.status}")
            return []
        return await self.look(page, path)

    async def look(self, page: Page, path: str) -> list[str]:
        """Checks the page that is shown. Returns the links on it."""
        place = urlsplit(page.url).path
        wrong = await too_wide(page) + await page.evaluate(CUT)
        if path not in self.alike:
            wrong += await page.evaluate(AXE, [] if path == self.home else FRAME)
        facts: dict[str, Any] = await page.evaluate(FACTS)
        if path not in self.alike:  # at the end, because a picture of a long page moves its parts
            await picture(page, f"{self._kind(path).replace('/', '-')}-{self.screen}"[1:])
        self.faults += [f"{place}: {fault}" for fault in [*wrong, *self._wrong(facts)]]
        urls = {urljoin(page.url, link) for link in facts["links"]}
        paths = {url.removeprefix(self.origin) for url in urls if url.startswith(self.origin)}
        return sorted(path for path in paths if self._is_ours(path))

    def _wrong(self, facts: dict[str, Any]) -> list[str]:
        wrong = []
        if facts["acted"]:
            wrong.append("a text was run")
        if facts["markup"]:
            wrong.append("a text became markup")
        if facts["headings"] != 1:
            wrong.append(f"{facts['headings']} headings of the first level")
        if sum(value for value, *_ in facts["shifts"]) > STILL:
            wrong.append(f"it moves: {facts['shifts']}")
        if not facts["title"].strip():
            wrong.append("no title")
        return wrong

    def _is_ours(self, path: str) -> bool:
        bare = urlsplit(path).path
        homes = (f"{self.home}/", "/dashboard/teams", f"{PLATFORM}/")
        ours = bare == self.home or bare.startswith(homes)
        return ours and not bare.endswith(LIVE) and "ui_locales" not in path


async def events(system: System, developer: Developer) -> list[str]:
    """Returns the path of one audit event of each type."""
    headers = {"authorization": f"Bearer {developer.secret_key}"}
    async with system.http(developer.slug, headers=headers) as http:
        listed = await http.get("/api/audit", params={"limit": 100})
        assert listed.status_code == 200, listed.text
    each = {event["event_type"]: event["id"] for event in listed.json()["audit_logs"]}
    return [f"/dashboard/applications/{developer.slug}/audit/{id}" for id in each.values()]


@pytest.fixture(scope="module")
async def crawler(system: System) -> AsyncIterator[Developer]:
    async with (
        developer(system, "crawler", is_operator=True) as ada,
        developer(system, "colleague", has_application=False) as colleague,
    ):
        await fill(system, ada)
        await join_team(system, ada, colleague)
        yield ada


@pytest.fixture(scope="module")
async def support_views(system: System, crawler: Developer) -> list[str]:
    """The paths of a support view, and of the question for its reason."""
    return await fill_platform(system, crawler)


async def find_user(crawl: Crawl) -> None:
    """Checks the answers of the search for a user, which have no address of their own."""
    page = await crawl.tab()
    for email in (LONG_ADDRESS, "nobody@tides.example"):
        await page.goto(f"{crawl.origin}{PLATFORM}/users")
        await page.fill("[name=reason]", SENTENCES[:300])
        await page.fill("[name=email]", email)
        await page.click("main form button.primary")
        await page.locator("#located").wait_for()
        await crawl.look(page, f"{PLATFORM}/users/located/{email}")


@pytest.mark.timeout(600)
@pytest.mark.parametrize("screen", screens(NARROW, *SIZES))
@pytest.mark.parametrize("locale", ["en-GB", pytest.param("de-DE", marks=pytest.mark.long)])
async def test_every_page(
    chromium: Browser,
    system: System,
    crawler: Developer,
    support_views: list[str],
    screen: Screen,
    locale: str,
) -> None:
    """No page is too wide, moves, breaks a rule of axe, speaks to the console, or takes a text for
    markup."""
    async with AsyncExitStack() as stack:
        context = await chromium.new_context(locale=locale, **screen.options)
        stack.push_async_callback(context.close)
        await context.add_init_script(WATCH + AXE_SCRIPT)
        await sign_in(context, crawler)
        home = f"/dashboard/applications/{crawler.slug}"
        crawl = Crawl(context, crawler.browser.origin, home, screen)
        crawl.waiting += support_views
        await crawl.all(*await events(system, crawler))
        await find_user(crawl)

        assert crawl.faults == [], "\n".join(crawl.faults)
        assert len(crawl.seen) >= 75
