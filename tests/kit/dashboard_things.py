"""One of everything in an application, with a hostile text in each field that takes one."""

from __future__ import annotations

import re
from typing import Any, Final

import httpx
from tests.kit.dashboard_developer import Developer
from tests.kit.nats_server import until
from tests.kit.system import PASSWORD, Browser, System, fresh_email

MARKUP: Final = (
    '<img src=x onerror="acted=1" hx-get="/acted" hx-trigger=\'load\'>"\'{{7*7}}${7*7}</script>'
)
"""A name that must stay text. If it is markup, it sets `acted`, or htmx requests `/acted`."""
DATA_MARKUP: Final = '"><b data-hx-post="/acted" data-hx-trigger="load" autofocus>x</b>'
"""The same with the other prefix of htmx, and out of an attribute."""
OTHER_WAY: Final = "עדה <b>Lovelace</b> (1815)"
"""A name in a script that runs from right to left."""
LONG: Final = "W" * 100
"""A name of one word."""
TURNED: Final = "invoice\u202egpj.exe"
"""A text with the character that turns the direction of what follows. Names cannot have it."""
SENTENCES: Final = f"{MARKUP} {LONG}{LONG} {OTHER_WAY}"
"""A long text without a link."""
LONG_URL: Final = f"https://{'w' * 60}.example/{'w' * 200}?a='onerror=acted=1'&b={{{{7*7}}}}"
LONG_ADDRESS: Final = f"{'w' * 64}@{'w' * 60}.{'w' * 60}.example"
METADATA: Final = {MARKUP: DATA_MARKUP, TURNED: [TURNED, LONG * 3], "</textarea>": OTHER_WAY}
TEAM_PAGE: Final = re.compile(r"/dashboard/teams/[0-9a-f-]{36}")
LINK: Final = re.compile(r"https?://\S+\?token=\S+")
AGENT: Final = f"Mozilla/5.0 {MARKUP} {LONG}".encode()


async def _create(http: httpx.AsyncClient, path: str, **fields: Any) -> dict[str, Any]:
    answer = await http.post(path, json=fields)
    assert answer.status_code in (200, 201), (path, answer.text)
    created: dict[str, Any] = answer.json()
    return created


async def _put(http: httpx.AsyncClient, method: str, path: str, **fields: Any) -> None:
    answer = await http.request(method, path, json=fields)
    assert answer.status_code == 200, (path, answer.text)


async def _people(http: httpx.AsyncClient) -> str:
    """Creates users, a role of each kind, a permission and invitations. Returns the id of a user."""
    permission = f"{'w' * 48}:{'w' * 48}"
    await _create(http, "/api/permissions", name=permission, description=SENTENCES)
    role = {"name": MARKUP, "description": SENTENCES, "permissions": [permission]}
    await _create(http, "/api/roles", id="hostile", **role)
    await _create(http, "/api/roles", id=f"w{'w' * 60}", name=LONG)
    await _create(http, "/api/organization-roles", id="hostile", **role)
    profile = {"name": MARKUP, "given_name": DATA_MARKUP, "family_name": LONG * 2}
    profile |= {"nickname": OTHER_WAY, "preferred_username": MARKUP, "picture": LONG_URL}
    metadata = dict.fromkeys(("public_metadata", "private_metadata", "user_metadata"), METADATA)
    ada = await _create(
        http,
        "/api/users",
        email=fresh_email("hostile"),
        email_verified=True,
        password=PASSWORD,
        profile=profile,
        **metadata,
    )
    await _create(http, "/api/users", email=LONG_ADDRESS, profile={"name": OTHER_WAY})
    await _create(http, f"/api/users/{ada['id']}/roles", role_id="hostile")
    invited = {"profile": {"name": MARKUP}, "role_ids": ["hostile"]}
    await _create(http, "/api/users/invitations", email=f"invited-{LONG_ADDRESS[8:]}", **invited)
    return str(ada["id"])


async def _organization(http: httpx.AsyncClient, user_id: str) -> str:
    """Creates organizations with a member, an invitation and a domain. Returns the id of one."""
    long = await _create(http, "/api/organizations", name=LONG, slug="w" * 63)
    organization = await _create(
        http,
        "/api/organizations",
        name=MARKUP,
        logo_url=LONG_URL,
        public_metadata=METADATA,
        private_metadata=METADATA,
    )
    for number, id in enumerate((long["id"], organization["id"])):
        home = f"/api/organizations/{id}"
        await _create(http, f"{home}/members", user_id=user_id, role="hostile")
        await _create(http, f"{home}/invitations", email=LONG_ADDRESS, role="hostile")
        domain = f"{'w' * 60}.{'w' * 59}{number}.example"
        await _create(http, f"{home}/domains", domain=domain, role="hostile")
    return str(organization["id"])


async def _signing_in(http: httpx.AsyncClient, org_id: str) -> None:
    """Creates clients, an API with a scope, and identity providers."""
    client = {"redirect_uris": [LONG_URL.split("?")[0]]}
    await _create(http, "/api/clients", name=MARKUP, **client)
    await _create(http, "/api/clients", name=LONG, type="spa", **client)
    await _create(http, "/api/resources", name=MARKUP, identifier=LONG_URL.split("?")[0])
    await _create(http, "/api/scopes", name=f"{'w' * 90}:read", description=SENTENCES[:300])
    provider = {"display_name": MARKUP, "issuer": "https://op.example", "client_id": MARKUP * 3}
    await _create(http, "/api/idps", name="hostile", client_secret="secret", **provider)
    provider |= {"display_name": OTHER_WAY, "client_id": LONG * 3}
    await _create(
        http, "/api/idps", name="w" * 40, client_secret="secret", org_id=org_id, **provider
    )


async def _building(system: System, developer: Developer, http: httpx.AsyncClient) -> None:
    """Creates an API key and a domain, and sets texts of pages and mails, a mail server and a name."""
    texts = {"sign_in_text": MARKUP[:100]}
    await _put(http, "PUT", "/api/settings", page_texts={"en": texts})
    plain = MARKUP.replace("{{7*7}}", "{{ code }}")  # a template may name variables alone
    template = {"subject": plain, "text": f"{plain} {LONG} {OTHER_WAY}", "html": plain}
    await _put(http, "PUT", "/api/mail-templates/sign_up/en", **template)
    sender = {"host": f"{'w' * 60}.example", "from_address": LONG_ADDRESS}
    sender |= {"from_name": MARKUP, "user": MARKUP, "password": "secret", "tls": "tls"}
    await _put(http, "PUT", "/api/mail-sender", **sender)
    operator = {"authorization": f"Bearer {system.deployment.operator_key()}"}
    home = f"/api/applications/{developer.slug}"
    async with system.http("dashboard", headers=operator) as dashboard:
        await _create(dashboard, f"{home}/domains", domain=f"{developer.slug}.{'w' * 60}.example")
        await _put(dashboard, "PATCH", home, name=MARKUP, terms_url=LONG_URL.split("?")[0])


async def _visit(system: System, developer: Developer, http: httpx.AsyncClient, id: str) -> None:
    """Signs the user in, with a browser that has a hostile name."""
    email = (await http.get(f"/api/users/{id}")).json()["email"]
    async with system.http(developer.slug, headers={"user-agent": AGENT}) as visitor:
        browser = Browser(system, system.origin(developer.slug), visitor)
        await browser.sign_in(email, "wrong")
        await browser.sign_in(email, PASSWORD)


async def fill(system: System, developer: Developer) -> None:
    """Creates everything in the developer's application, and a team with an invitation."""
    headers = {"authorization": f"Bearer {developer.secret_key}"}
    async with system.http(developer.slug, headers=headers) as http:
        user_id = await _people(http)
        org_id = await _organization(http, user_id)
        await _signing_in(http, org_id)
        await _visit(system, developer, http, user_id)
        await _building(system, developer, http)
    browser = developer.browser
    page = await browser.get(f"/dashboard/applications/{developer.slug}/keys/new")
    await browser.submit(page, page.form("key_type"), name=MARKUP, key_type="secret")
    page = await browser.get("/dashboard/teams")
    page = await browser.submit(page, page.form("name"), name=MARKUP)
    page = await browser.get(f"{page.url.partition('?')[0]}/invitations")
    await browser.submit(page, page.form("email"), email=LONG_ADDRESS, role="member")


async def join_team(system: System, owner: Developer, colleague: Developer) -> None:
    """Makes a developer with a long name a member of the owner's first team, by an invitation."""
    origin = {"origin": colleague.browser.origin}
    name = {"given_name": OTHER_WAY, "family_name": LONG}
    named = await colleague.browser.http.put("/api/users/me", json=name, headers=origin)
    assert named.status_code == 200, named.text
    page = await owner.browser.get("/dashboard/teams")
    team = TEAM_PAGE.search(page.text)
    assert team, page.text
    page = await owner.browser.get(f"{team[0]}/invitations")
    await owner.browser.submit(page, page.form("email"), email=colleague.email, role="member")
    await until(lambda: system.mails(colleague.email))
    mails = await system.mails(colleague.email)
    link = LINK.search(mails[0]["text"])
    assert link, mails
    page = await colleague.browser.get(link[0])
    await colleague.browser.submit(page, page.forms[0])


async def fill_platform(system: System, operator: Developer) -> list[str]:
    """Gives the operator a hostile name, and opens a support view with a hostile reason. Returns the paths
    of the view, and of one that is not open."""
    browser, home = operator.browser, f"/api/applications/{operator.slug}"
    name = {"name": MARKUP, "given_name": DATA_MARKUP, "family_name": OTHER_WAY}
    changed = await browser.http.put("/api/users/me", json=name, headers={"origin": browser.origin})
    assert changed.status_code == 200, changed.text
    app_id = (await browser.http.get(home)).json()["id"]
    headers = {"authorization": f"Bearer {operator.secret_key}"}
    async with system.http(operator.slug, headers=headers) as http:
        users = (await http.get("/api/users", params={"limit": 100})).json()["users"]
    hostile = next(user for user in users if user["name"] == MARKUP)
    other = next(user for user in users if user["name"] == OTHER_WAY)
    paths = [f"/dashboard/platform/users/{app_id}/{one['id']}" for one in (hostile, other)]
    page = await browser.get(paths[0])
    await browser.submit(page, page.form("reason"), reason=SENTENCES[:300])
    return paths
