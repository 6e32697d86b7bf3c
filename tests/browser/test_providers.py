"""Users sign in through providers that are no application of the deployment, in Chromium."""

from __future__ import annotations

import secrets
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlencode

import asyncpg
import pytest
from playwright.async_api import Browser
from tests.browser.journey_people import PHONE, People
from tests.browser.relying_party import website
from tests.browser.test_ways_in import DESK
from tests.e2e.test_provider_sign_in import SECRET, stock_provider
from tests.kit.deployments import Ability
from tests.kit.identity_provider import HttpCall, OpenIdProvider, running_server
from tests.kit.system import PASSWORD, System, fresh_email

SCREENS = pytest.mark.parametrize(
    "screen", [DESK, pytest.param(PHONE, marks=pytest.mark.long)], ids=["desk", "phone"]
)


@pytest.fixture
async def people(chromium: Browser, system: System) -> AsyncIterator[People]:
    async with website(system, "Shop", first_party=True) as shop:
        yield People(chromium, system, shop, shop)


@asynccontextmanager
async def provider(system: System, name: str, **settings: Any) -> AsyncIterator[None]:
    """Creates a provider of the demo application, and removes it at the end."""
    async with system.backend() as api:
        created = await api.post("/api/idps", json={"name": name, **settings})
        assert created.status_code == 201, created.text
        yield
        await api.delete(f"/api/idps/{created.json()['id']}")


@pytest.mark.node
@pytest.mark.timeout(600)
@SCREENS
async def test_a_provider_that_nobody_here_wrote(people: People, screen: dict[str, Any]) -> None:
    """Its issuer and a client are all that the application knows. A person signs in on its own pages
    and is signed in at the website that they came from."""
    system, name = people.system, f"stock-{secrets.token_hex(4)}"
    system.deployment.require(Ability.CALL_THIS_MACHINE)
    login = f"grace{secrets.token_hex(4)}"
    with stock_provider(f"{system.origin('demo')}/rp/callback/{name}") as issuer:
        settings = {"display_name": f"Provider {name}", "issuer": issuer, "client_id": "aero2"}
        async with (
            provider(system, name, **settings, client_secret=SECRET, trusts_email=True),
            people.person(**screen) as grace,
        ):
            await grace.go(people.shop.login)
            await grace.click(f"text=Continue with Provider {name}")
            assert grace.page.url.startswith(issuer)
            await grace.fill(login=login, password="any")
            await grace.click("button[type=submit]")
            await grace.click("button[type=submit]:text-is('Continue')")
            await grace.sees(f"Signed in as {login}@provider.example")


def agrees(op: OpenIdProvider, email: str) -> None:
    """Lets the provider's authorization endpoint sign this user in without a page."""

    def authorize(call: HttpCall) -> bytes:
        code = op.authorize(f"{op.issuer}/authorize?{urlencode(call.query)}")
        back = urlencode({"code": code, "state": call.query["state"]})
        head = f"HTTP/1.1 302 Found\r\nLocation: {call.query['redirect_uri']}?{back}\r\n"
        return f"{head}Content-Length: 0\r\nConnection: close\r\n\r\n".encode()

    op.subject = f"subject of {email}"
    op.claims = {"email": email, "email_verified": True, "groups": ["staff"]}
    op.server.routes[f"{op.place}/authorize"] = authorize


@dataclass
class Company:
    """An organization of the demo application with a verified domain and a role of its own."""

    id: str
    domain: str
    role: str


async def company(system: System) -> Company:
    unique = secrets.token_hex(4)
    domain = f"{unique}.example"
    async with system.backend() as api:
        role = await api.post("/api/organization-roles", json={"name": f"clerk-{unique}"})
        assert role.status_code == 201, role.text
        new = {"name": f"Company {unique}"}
        admin = (await api.post("/api/users", json={"email": fresh_email("boss")})).json()
        org = await api.post("/api/organizations", json=new | {"admin_user_id": admin["id"]})
        assert org.status_code == 201, org.text
        path = f"/api/organizations/{org.json()['id']}"
        added = await api.post(f"{path}/domains", json={"domain": domain})
        assert added.status_code == 201, added.text
    # No DNS server of this test answers for the domain, so its proof is written down.
    database = await asyncpg.connect(system.deployment.owner_dsn())
    try:
        proven = await database.execute(
            "UPDATE organization_domains SET verified_at = now(), checked_at = now() WHERE id = $1",
            added.json()["id"],
        )
        assert proven == "UPDATE 1"
    finally:
        await database.close()
    return Company(org.json()["id"], domain, role.json()["id"])


@SCREENS
async def test_single_sign_on_of_an_organization(people: People, screen: dict[str, Any]) -> None:
    """A user's address leads to the provider of their organization. They come back as a member with the
    role that the provider's groups give. With `sso_required`, the password of another member is refused,
    and the page leads to the provider."""
    system = people.system
    system.deployment.require(Ability.CALL_THIS_MACHINE)
    org = await company(system)
    ada, eve, name = f"ada@{org.domain}", fresh_email("eve"), f"sso-{secrets.token_hex(4)}"
    async with running_server() as server:
        op = OpenIdProvider(server, f"{server.base}/op").install()
        agrees(op, ada)
        rule = {"claim": "groups", "value": "staff", "role_id": org.role}
        settings: dict[str, Any] = {"display_name": "Company", "issuer": op.issuer}
        settings |= {"client_id": op.client_id, "client_secret": op.secret, "trusts_email": True}
        settings |= {"org_id": org.id, "role_mapping": [rule]}
        async with (
            provider(system, name, **settings),
            system.backend() as api,
        ):
            async with people.person(**screen) as person:
                await person.go(people.shop.login)
                assert not await person.page.get_by_text("Continue with Company").count()
                await person.enter(email=ada)
                await person.sees(f"Signed in as {ada}")
            members = (await api.get(f"/api/organizations/{org.id}/members")).json()["members"]
            assert {one["email"]: one["role"] for one in members}[ada] == org.role

            async with people.person(**screen) as person:
                await person.sign_up(people.shop, eve)
            (user,) = (await api.get("/api/users", params={"search": eve})).json()["users"]
            joined = {"user_id": user["id"], "role": "member"}
            answer = await api.post(f"/api/organizations/{org.id}/members", json=joined)
            assert answer.status_code == 201, answer.text
            required = {"sso_required": True}
            answer = await api.patch(f"/api/organizations/{org.id}", json=required)
            assert answer.status_code == 200, answer.text
            async with people.person(**screen) as person:
                await person.sign_in(people.shop, eve, PASSWORD)
                await person.sees("requires you to sign in with Company")
                await person.page.wait_for_selector("text=Continue with Company")
                await person.go("/account")
                assert "/login" in person.page.url
