"""A developer with a browser at the Dashboard of a running platform: a personal team, and an application."""

from __future__ import annotations

import asyncio
import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

import httpx
from tests.kit.system import PASSWORD, Browser, System, fresh_email

SECRET_KEY = re.compile(r"sk_live_\w+")


@dataclass
class Developer:
    """A developer at a browser, and their application."""

    browser: Browser
    slug: str
    token: str
    """A token of their forms. It belongs to the session, so it is right for each form."""

    secret_key: str

    async def open(self, method: str, path: str) -> httpx.Response:
        """Opens a page, or posts a form with nothing but its token."""
        if method == "GET":
            return await self.browser.http.get(path, headers={"accept": "text/html"})
        origin = {"origin": self.browser.origin, "accept": "text/html"}
        return await self.browser.http.post(path, headers=origin, data={"csrf": self.token})


@asynccontextmanager
async def developer(system: System, name: str) -> AsyncIterator[Developer]:
    """A new developer with a personal team and an application, both made on the Dashboard's pages."""
    operator = {"authorization": f"Bearer {system.deployment.operator_key()}"}
    email = fresh_email(name)
    async with system.http("dashboard", headers=operator) as http:
        person: dict[str, Any] = {"email": email, "password": PASSWORD, "email_verified": True}
        made = await http.post("/api/users", json=person)
        assert made.status_code == 201, made.text
    async with system.browser("dashboard") as browser:
        await browser.sign_in(email, PASSWORD)
        form = await browser.get("/dashboard/new")
        page = await browser.submit(form, form.form("name"), name=f"Shop of {name}")
        slug = page.text.split("/dashboard/applications/")[1].split("/")[0].split('"')[0]
        await _until_active(browser, slug)
        token = form.form("name").fields["csrf"]
        (secret_key,) = set(SECRET_KEY.findall(page.text))
        yield Developer(browser, slug, token, secret_key)


async def _until_active(browser: Browser, slug: str) -> None:
    while (await browser.http.get(f"/api/applications/{slug}")).json()["state"] != "active":
        await asyncio.sleep(0.1)
