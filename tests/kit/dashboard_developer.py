"""A developer with a browser at the Dashboard of a running platform: a personal team, and an application."""

from __future__ import annotations

import asyncio
import re
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from typing import Any

import httpx
from tests.kit.system import PASSWORD, Browser, System, fresh_email

TEAM = re.compile(r'<option value="([0-9a-f-]{36})"')
"""The teams to choose from, if there are several."""
SECRET_KEY = re.compile(r"sk_live_\w+")


FRESH = 600
"""Seconds after which this kit signs in again, before forms ask who it is."""


@dataclass
class Developer:
    """A developer at a browser, and one of their applications."""

    browser: Browser
    email: str
    slug: str = ""
    token: str = ""
    """A token of their forms. It belongs to the session, so it is right for each form."""

    secret_key: str = ""
    signed_in_at: float = 0.0

    async def open(self, method: str, path: str) -> httpx.Response:
        """Opens a page, or posts a form with nothing but its token."""
        if method == "GET":
            return await self.browser.http.get(path, headers={"accept": "text/html"})
        origin = {"origin": self.browser.origin, "accept": "text/html"}
        return await self.browser.http.post(path, headers=origin, data={"csrf": self.token})

    async def create_application(self, name: str) -> Developer:
        """Creates an application on the pages. Returns the developer with it, once it is active."""
        form = await self.browser.get("/dashboard/new")
        teams = TEAM.findall(form.text)
        owner = {"owner_org_id": teams[0]} if teams else {}
        page = await self.browser.submit(form, form.form("name"), name=name, **owner)
        slug = page.text.split("/dashboard/applications/")[1].split("/")[0].split('"')[0]
        await _until_active(self.browser, slug)
        token = form.form("name").fields["csrf"]
        (secret_key,) = set(SECRET_KEY.findall(page.text))
        return replace(self, slug=slug, token=token, secret_key=secret_key)

    async def stay_signed_in(self) -> None:
        """Signs in, unless the last time was a few minutes ago."""
        if time.monotonic() - self.signed_in_at > FRESH:
            self.browser.http.cookies.clear()
            await self.browser.sign_in(self.email, PASSWORD)
            self.signed_in_at = time.monotonic()


@asynccontextmanager
async def developer(
    system: System, name: str, *, has_application: bool = True, is_operator: bool = False
) -> AsyncIterator[Developer]:
    """A new developer with a personal team and an application, both made on the Dashboard's pages. An
    operator manages the platform, too."""
    operator = {"authorization": f"Bearer {system.deployment.operator_key()}"}
    email = fresh_email(name)
    async with system.http("dashboard", headers=operator) as http:
        person: dict[str, Any] = {"email": email, "password": PASSWORD, "email_verified": True}
        made = await http.post("/api/users", json=person)
        assert made.status_code == 201, made.text
        if is_operator:
            raised = await http.put(f"/api/platform/developers/{made.json()['id']}/operator")
            assert raised.status_code == 200, raised.text
    async with system.browser("dashboard") as browser:
        somebody = Developer(browser, email, signed_in_at=-FRESH)
        await somebody.stay_signed_in()
        yield await somebody.create_application(f"Shop of {name}") if has_application else somebody


async def _until_active(browser: Browser, slug: str) -> None:
    while (await browser.http.get(f"/api/applications/{slug}")).json()["state"] != "active":
        await asyncio.sleep(0.1)
