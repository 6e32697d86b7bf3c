"""People with browsers who go from websites of another origin through the running platform."""

from __future__ import annotations

import asyncio
import re
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

from playwright.async_api import Browser, Page, TimeoutError
from tests.browser.relying_party import Website
from tests.kit.system import PASSWORD, System

PRIMARY = "main form button.primary"
LINK = re.compile(r"https?://\S+\?token=\S+")
CODE = re.compile(r"\b(\d{3}) (\d{3})\b")
PHONE: dict[str, Any] = {"viewport": {"width": 390, "height": 844}, "color_scheme": "dark"}


def note_complaints(page: Page, complaints: list[str]) -> None:
    """Adds every error and warning of the page's console to the list."""

    def note(kind: str, text: str) -> None:
        # A form that is answered with 422 is a page too. Chromium calls it a failed resource.
        if kind in ("error", "warning") and "Failed to load resource" not in text:
            complaints.append(text)

    page.on("pageerror", lambda error: complaints.append(str(error)))
    page.on("console", lambda message: note(message.type, message.text))


@dataclass
class Person:
    """A user with a browser, in one of its tabs."""

    page: Page
    system: System
    complaints: list[str] = field(default_factory=list)
    js: bool = True

    async def tab(self) -> Person:
        page = await self.page.context.new_page()
        other = Person(page, self.system, self.complaints, self.js)
        other.listen()
        return other

    def listen(self) -> None:
        note_complaints(self.page, self.complaints)

    async def go(self, url: str) -> None:
        base = self.system.origin("demo") if url.startswith("/") else ""
        await self.page.goto(base + url)

    async def fill(self, **fields: str) -> None:
        for name, value in fields.items():
            await self.page.locator(f"[name={name}]:visible").first.fill(value)

    async def click(self, what: str) -> None:
        await self.page.locator(what).first.click()
        await self.page.wait_for_load_state()

    async def double_click(self, what: str = PRIMARY) -> None:
        await self.page.locator(what).first.dblclick()
        await self.page.wait_for_load_state()

    async def enter(self, **fields: str) -> None:
        """Fills fields and presses the button. If scripts run, a code alone is sent by its sixth
        digit, except after an error."""
        wrong = await self.page.locator("#code[aria-invalid]").count()
        async with self.page.expect_navigation():
            await self.fill(**fields)
            if not self.js or wrong or set(fields) != {"code"}:
                await self.click(PRIMARY)

    async def sees(self, text: str) -> None:
        """Waits for a text."""
        try:
            await self.page.get_by_text(text).first.wait_for()
        except TimeoutError:
            shown = await self.page.inner_text("body")
            raise AssertionError(f"{self.page.url} shows no {text!r} but: {shown}") from None

    async def language(self, name: str) -> None:
        await self.click(f"footer >> text={name}")

    async def sign_up(self, site: Website, email: str, password: str = PASSWORD) -> None:
        await self.go(site.login)
        if not await self.page.locator("text=Create an account").count():
            await self.click("text=Use another account")
        await self.click("text=Create an account")
        mails = await self.count(email)
        await self.enter(email=email, name="Ada Lovelace", password=password)
        await self.enter(code=await self.code(email, mails + 1))
        await self.sees(f"Signed in as {email}")

    async def sign_in(self, site: Website, email: str, password: str = PASSWORD) -> None:
        await self.go(site.login)
        await self.enter(email=email)
        await self.enter(password=password)

    async def count(self, email: str) -> int:
        return len(await self.system.mails(email))

    async def mail(self, email: str, number: int) -> str:
        """Returns the text of the `number`th mail to an address, counted from the first."""
        ends = time.monotonic() + 15
        while time.monotonic() < ends:
            mails = await self.system.mails(email)
            if len(mails) >= number:
                return str(mails[-number]["text"])
            await asyncio.sleep(0.05)
        raise AssertionError(f"no mail number {number} to {email}")

    async def code(self, email: str, number: int) -> str:
        found = CODE.search(await self.mail(email, number))
        assert found
        return found[1] + found[2]

    async def link(self, email: str, number: int) -> str:
        found = LINK.search(await self.mail(email, number))
        assert found
        return found[0]


@dataclass
class People:
    chromium: Browser
    system: System
    shop: Website
    """A first-party client, without consent."""
    notes: Website
    """A third-party client, with consent."""

    @asynccontextmanager
    async def person(self, *, js: bool = True, **more: Any) -> AsyncIterator[Person]:
        context = await self.chromium.new_context(
            java_script_enabled=js, **{"locale": "en-GB", **more}
        )
        context.set_default_timeout(15_000)
        somebody = Person(await context.new_page(), self.system, js=js)
        somebody.listen()
        yield somebody
        await context.close()
        assert somebody.complaints == []
