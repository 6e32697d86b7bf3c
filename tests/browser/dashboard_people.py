"""A developer at the Dashboard in Chromium: with a mouse or with the keyboard alone, on a screen of any size."""

from __future__ import annotations

import asyncio
import os
import re
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final, Literal

import pytest
from playwright.async_api import Browser, BrowserContext, Locator, Page, TimeoutError
from tests.browser.journey_people import LINK, note_complaints
from tests.kit.dashboard_developer import Developer
from tests.kit.nats_server import PATIENCE
from tests.kit.system import System

MOST_TABS: Final = 400
"""Presses of Tab after which a control counts as out of reach."""


@dataclass(frozen=True)
class Screen:
    """The size and the colours of a screen, and how the developer works."""

    width: int = 1280
    scheme: Literal["light", "dark"] = "light"
    keyboard: bool = False

    @property
    def options(self) -> dict[str, Any]:
        """The options of a browser context."""
        height = 800 if self.width < 1000 else 900
        return {"viewport": {"width": self.width, "height": height}, "color_scheme": self.scheme}

    def __str__(self) -> str:
        return f"{self.width}-{self.scheme}{'-keyboard' if self.keyboard else ''}"


DESK: Final = Screen()
PHONE: Final = Screen(390, "light")
NARROW: Final = Screen(360, "dark")
SIZES: Final = [Screen(w, s) for w in (360, 768, 1280) for s in ("light", "dark")]
KEYBOARD: Final = [Screen(width, keyboard=True) for width in (360, 1280)]


def screens(every_day: Screen, *others: Screen) -> list[Any]:
    """Returns parameters of tests: one for every day, the others for `make test-browsers`."""
    rest = [screen for screen in others if screen != every_day]
    return [
        pytest.param(every_day, id=str(every_day)),
        *(pytest.param(screen, id=str(screen), marks=pytest.mark.long) for screen in rest),
    ]


@dataclass
class AtDashboard:
    """A developer who looks at a page of the application `slug`. `complaints` are what the console said,
    and `typed` the names of the fields that were filled in."""

    page: Page
    system: System
    slug: str = ""
    screen: Screen = DESK
    complaints: list[str] = field(default_factory=list)
    typed: list[str] = field(default_factory=list)

    @property
    def home(self) -> str:
        """The path of the application's pages."""
        return f"/dashboard/applications/{self.slug}"

    @property
    def origin(self) -> str:
        return self.system.origin("dashboard")

    @property
    def path(self) -> str:
        """The path and the query of the page that is shown."""
        return self.page.url.removeprefix(self.origin)

    def listen(self) -> None:
        """Notes every error and warning of the console."""
        note_complaints(self.page, self.complaints)

    async def tab(self) -> AtDashboard:
        """Opens a second tab of the same browser."""
        page = await self.page.context.new_page()
        other = AtDashboard(page, self.system, self.slug, self.screen, self.complaints)
        other.listen()
        return other

    async def open(self, room: str = "") -> None:
        """Opens a page of the application."""
        await self.go(self.home + room)

    async def go(self, path: str) -> None:
        """Opens a page of the Dashboard."""
        await self.page.goto(self.origin + path)

    def at(self, what: str) -> Locator:
        """Returns the first element that can be seen."""
        return self.page.locator(what).locator("visible=true").first

    def named(self, name: str, within: str = "main") -> Locator:
        """Returns the field with this name."""
        return self.at(f"{within} [name='{name}']")

    def button(self, text: str, within: str = "main") -> Locator:
        """Returns the button, or the link that looks like one, that has this text."""
        exact = re.compile(rf"^\s*{re.escape(text)}\s*$")
        return (
            self.page.locator(f"{within} button, {within} a")
            .filter(has_text=exact)
            .locator("visible=true")
            .first
        )

    async def press(self, what: Locator | str) -> None:
        """Presses a button, by its text, or follows a link."""
        target = self.button(what) if isinstance(what, str) else what
        if self.screen.keyboard:
            await self._reach(target)
            await self.page.keyboard.press("Enter")
        else:
            await target.click()

    async def fill(self, *, within: str = "main", **fields: str) -> None:
        """Fills in fields by their names."""
        self.typed += fields
        for name, value in fields.items():
            target = self.named(name, within)
            if self.screen.keyboard:
                await self._reach(target)
                await self.page.keyboard.press("Control+a")
                await self.page.keyboard.insert_text(value)
            else:
                await target.fill(value)

    async def choose(self, name: str, label: str) -> None:
        """Chooses an option of a list."""
        target = self.named(name)
        if self.screen.keyboard:
            await self._reach(target)
            await self.page.keyboard.type(label)
        else:
            await target.select_option(label=label)

    async def tick(self, what: Locator | str) -> None:
        """Changes a checkbox or a switch, by its name."""
        target = self.named(what) if isinstance(what, str) else what
        if self.screen.keyboard:
            await self._reach(target)
            await self.page.keyboard.press("Space")
        else:
            await target.click()

    async def _reach(self, target: Locator) -> None:
        """Moves the focus to a control, as Tab does, and checks that the control can be seen."""
        await target.wait_for()
        for _ in range(MOST_TABS):
            if await target.evaluate("one => one === document.activeElement"):
                shown = await target.evaluate(IN_SIGHT)
                assert shown, f"{self.path}: focus is out of sight on {await target.inner_text()}"
                return
            await self.page.keyboard.press("Tab")
        raise AssertionError(f"{self.path}: Tab does not reach {target}")

    async def sees(self, text: str, within: str = "body") -> None:
        """Waits for a text that can be seen."""
        found = self.page.locator(within).get_by_text(text).locator("visible=true").first
        try:
            await found.wait_for()
        except TimeoutError:
            shown = await self.page.inner_text("body")
            raise AssertionError(f"{self.path} shows no {text!r} but: {shown[:3000]}") from None

    async def mailed_link(self, email: str) -> str:
        """Returns the link in the newest mail to an address, as soon as there is one."""
        ends = time.monotonic() + PATIENCE
        while time.monotonic() < ends:
            for mail in await self.system.mails(email):
                if link := LINK.search(mail["text"]):
                    return link[0]
            await asyncio.sleep(0.05)
        raise AssertionError(f"no mail with a link to {email}")

    async def misses(self, text: str) -> None:
        """Checks that a text is nowhere in the document."""
        assert text not in await self.page.content()

    async def look(self, name: str) -> None:
        """Keeps a picture of the page in the folder AERO2_SHOTS, if there is one."""
        if folder := os.environ.get("AERO2_SHOTS"):
            Path(folder).mkdir(parents=True, exist_ok=True)
            await self.page.screenshot(path=f"{folder}/{name}-{self.screen}.png", full_page=True)


IN_SIGHT: Final = """one => {
  const box = one.getBoundingClientRect();
  const x = Math.min(Math.max(box.left + box.width / 2, 0), innerWidth - 1);
  const y = Math.min(Math.max(box.top + box.height / 2, 0), innerHeight - 1);
  const top = document.elementFromPoint(x, y);
  return !top || one === top || one.contains(top) || top.contains(one) || !!top.closest("label")?.contains(one);
}"""
"""Whether the middle of a control is not covered (WCAG 2.4.11)."""


async def sign_in(context: BrowserContext, developer: Developer) -> None:
    """Gives the browser the developer's cookies."""
    await developer.stay_signed_in()
    await context.add_cookies(
        [
            {"url": developer.browser.origin, "name": cookie.name, "value": cookie.value or ""}
            for cookie in developer.browser.http.cookies.jar
        ]
    )


@asynccontextmanager
async def browsing(
    chromium: Browser, system: System, screen: Screen = DESK, **more: Any
) -> AsyncIterator[AtDashboard]:
    """Somebody with a browser who is not signed in. Fails at the end if the console said anything."""
    context = await chromium.new_context(**{"locale": "en-GB", **screen.options, **more})
    context.set_default_timeout(15_000)
    visitor = AtDashboard(await context.new_page(), system, screen=screen)
    visitor.listen()
    yield visitor
    await context.close()
    assert visitor.complaints == []


@asynccontextmanager
async def at_dashboard(
    chromium: Browser, system: System, developer: Developer, screen: Screen = DESK, **more: Any
) -> AsyncIterator[AtDashboard]:
    """A developer with a browser who is signed in."""
    async with browsing(chromium, system, screen, **more) as visitor:
        visitor.slug = developer.slug
        await sign_in(visitor.page.context, developer)
        yield visitor
