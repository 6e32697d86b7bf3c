"""Chromium, and a gateway with fake services, for tests of the pages themselves.

tests/e2e follows the same flows through the real services.
"""

from __future__ import annotations

import asyncio
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import uvicorn
from playwright.async_api import Browser, Page
from tests.browser.dashboard_people import AtDashboard, Screen, at_dashboard
from tests.browser.journey_people import People as JourneyPeople
from tests.browser.relying_party import website
from tests.kit.dashboard_developer import Developer, developer
from tests.kit.fake_services import FakeServices, serve, settings
from tests.kit.people import People, person
from tests.kit.system import System

from common.contracts.tenants import Branding, Tenant
from gateway.build import build
from gateway.state import Gateway

BRANDING = Branding(
    support_email="help@acme.test",
    privacy_policy_url="https://acme.test/privacy",
    terms_url="https://acme.test/terms",
)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    here = Path(__file__).parent
    for item in items:
        if here in Path(item.fspath).parents:
            item.add_marker(pytest.mark.browser)


@dataclass
class Site:
    """One application in a running gateway, and a browser."""

    browser: Browser
    base: str
    world: FakeServices
    app: Tenant
    people: People

    @asynccontextmanager
    async def visit(
        self, *, signed_in: bool = False, js: bool = True, width: int = 768, **more: Any
    ) -> AsyncIterator[Look]:
        """Yields a page with a fresh profile. Fails if the console has a message."""
        context = await self.browser.new_context(
            viewport={"width": width, "height": 800},
            java_script_enabled=js,
            base_url=self.base,
            locale=more.pop("locale", "en-GB"),
            **more,
        )
        if signed_in:
            self.sign_in()
            cookies = {"aero2_session": "t_ada", "aero2_sessions": "t_bob.t_long"}
            await context.add_cookies(
                [
                    {"url": self.base, "httpOnly": True, "name": name, "value": value}
                    for name, value in cookies.items()
                ]
            )
        look = Look(await context.new_page(), self, js)
        look.listen()
        yield look
        await context.close()
        assert look.said == []

    def brand(self, **branding: str) -> None:
        """Changes the application's branding."""
        self.world.tenants = {
            host: app.model_copy(update={"branding": app.branding.model_copy(update=branding)})
            for host, app in self.world.tenants.items()
        }

    def configure(self, **changes: Any) -> None:
        """Changes the application's settings."""
        self.world.tenants = {
            host: app.model_copy(update={"settings": app.settings.model_copy(update=changes)})
            for host, app in self.world.tenants.items()
        }

    def sign_in(self) -> None:
        for token, email, name in PERSONS:
            if (self.app.app_id, token) not in self.world.sessions:
                person(self.world, self.app, token, email, name)


PERSONS = (
    ("t_ada", "ada@example.com", "Ada Lovelace"),
    ("t_bob", "bob@example.com", "Bob Noyce"),
    (
        "t_long",
        "a.very.long.address.indeed.for.somebody@subdomain.example-company.com",
        "Maximiliane von und zu Hohenlohe-Schillingsfürst",
    ),
)


@dataclass
class Look:
    """A page in the browser. `said` has the messages of the console."""

    page: Page
    site: Site
    js: bool = True

    def __post_init__(self) -> None:
        self.said: list[str] = []
        self.loaded: dict[str, int] = {}

    def listen(self) -> None:
        self.page.on("pageerror", lambda error: self.said.append(str(error)))
        self.page.on("console", lambda message: self._note(message.type, message.text))

    def _note(self, kind: str, text: str) -> None:
        # A form that is answered with 422 is a page too. Chromium calls it a failed resource.
        if kind in ("error", "warning") and "Failed to load resource" not in text:
            self.said.append(text)

    async def go(self, path: str) -> None:
        await self.page.goto(path)

    async def fill(self, **fields: str) -> None:
        for name, value in fields.items():
            await self.page.locator(f"[name={name}]:visible").first.fill(value)

    async def enter_code(self, code: str) -> None:
        """Enters a code into a form without other fields. If scripts run, the sixth digit sends it."""
        async with self.page.expect_navigation():
            await self.fill(code=code)
            if not self.js:
                await self.page.locator("main form button.primary").first.click()
        await self.page.wait_for_load_state()

    async def send(self, button: str = "main form button.primary") -> None:
        await self.page.locator(button).first.click()
        await self.page.wait_for_load_state()

    @property
    def path(self) -> str:
        return self.page.url.removeprefix(self.site.base)

    async def text(self) -> str:
        return await self.page.inner_text("main")


@pytest.fixture
async def site(chromium: Browser) -> AsyncIterator[Site]:
    listening = socket.socket()
    listening.bind(("127.0.0.1", 0))
    domain = f"localhost:{listening.getsockname()[1]}"
    world = serve(FakeServices())
    people = People(world)
    host = f"acme.{domain}"
    app = world.add("acme").model_copy(
        update={"host": host, "hosts": [host], "origin": f"http://{host}", "branding": BRANDING}
    )
    world.tenants = {host: app}
    gateway_app = build(Gateway(settings(public_url=f"http://{domain}"), world.bus))
    config = uvicorn.Config(gateway_app, log_config=None, access_log=False, lifespan="off")
    server = uvicorn.Server(config)
    serving = asyncio.create_task(server.serve(sockets=[listening]))
    yield Site(chromium, f"http://{host}", world, app, people)
    server.should_exit = True
    await serving


@pytest.fixture(scope="session")
async def studio(system: System) -> AsyncIterator[Developer]:
    """A developer at the Dashboard of the running platform, with an application. Tests share it, so each
    one finds its own things by fresh names."""
    async with developer(system, "studio") as ada:
        yield ada


@pytest.fixture(scope="session")
async def lighthouse(studio: Developer) -> Developer:
    """A second application of that developer."""
    return await studio.create_application("lighthouse")


@pytest.fixture
async def ada(
    chromium: Browser, system: System, studio: Developer, screen: Screen
) -> AsyncIterator[AtDashboard]:
    """A browser of that developer, on the screen of the test."""
    async with at_dashboard(chromium, system, studio, screen) as visitor:
        yield visitor


@pytest.fixture
async def people(chromium: Browser, system: System) -> AsyncIterator[JourneyPeople]:
    async with (
        website(system, "Shop", first_party=True) as shop,
        website(system, "Notes", first_party=False) as notes,
    ):
        yield JourneyPeople(chromium, system, shop, notes)
