"""A developer and the settings of their application: providers, clients, keys, branding, mails, domains, the
audit log, deletion. Each journey goes through the pages of the running Dashboard in Chromium."""

from __future__ import annotations

import secrets

import pytest
from tests.browser.dashboard_people import (
    DESK,
    KEYBOARD,
    SIZES,
    AtDashboard,
    screens,
)
from tests.kit.dashboard_developer import Developer
from tests.kit.deployments import Ability
from tests.kit.identity_provider import OpenIdProvider, running_server
from tests.kit.mail_servers import mail_server
from tests.kit.system import fresh_email

INSIDE = """domain => {
    const cards = [...document.querySelectorAll("section.card[id^=domain-]")];
    const card = cards.find(one => one.textContent.includes(domain));
    const table = card.querySelector("table").getBoundingClientRect();
    return table.width > 0 && table.right <= card.getBoundingClientRect().right;
}"""
"""Whether the table of a domain is inside its card. In one step, because htmx may replace the card."""

pytestmark = pytest.mark.parametrize("screen", screens(DESK, *SIZES, *KEYBOARD))


async def test_identity_providers(ada: AtDashboard) -> None:
    """The connection test names each step: it passes, and after the secret was changed at the provider
    it says that the token endpoint refuses the client."""
    ada.system.deployment.require(Ability.CALL_THIS_MACHINE)
    async with running_server() as server:
        op = OpenIdProvider(server, f"{server.base}/op").install()
        await ada.open("/providers")
        await ada.look("providers")
        await ada.press(ada.at("a.choice:has-text('from its issuer')"))
        await ada.fill(
            name=f"op-{secrets.token_hex(3)}",
            display_name="Harbour login",
            issuer=op.issuer,
            client_id=op.client_id,
            client_secret=op.secret,
        )
        await ada.press("Add provider")
        await ada.sees("Test the connection now.")
        await ada.press("Test connection")
        await ada.sees("Passed", "#test")
        assert await ada.page.locator("#test li.good").count() == 3
        await ada.sees("The provider publishes 1 signature key.", "#test")
        await ada.look("provider")
        op.secret = "another one"
        await ada.press("Test again")
        await ada.sees("Failed", "#test")
        assert await ada.page.locator("#test li.bad").count() == 1


async def test_clients_and_the_checker(ada: AtDashboard) -> None:
    """The secret of a new client is shown once. The checker accepts the URL of the client, and names the
    rule that refuses another one."""
    await ada.open("/clients/new")
    await ada.fill(name="Tide tables", redirect_uris="https://tides.example/callback")
    await ada.press("Create client")
    await ada.sees("Shown once")
    client_id, secret = await ada.page.locator(".secret code").all_inner_texts()
    await ada.press("I have stored the secret")
    await ada.sees("Tide tables", "h1")
    await ada.misses(secret)
    await ada.look("client")

    await ada.open("/clients/check")
    url = f"{ada.system.origin(ada.slug)}/oauth2/authorize?response_type=code&client_id={client_id}"
    challenge = f"&scope=openid&code_challenge={'c' * 43}&code_challenge_method=S256"
    await ada.fill(url=f"{url}&redirect_uri=https://tides.example/callback{challenge}")
    await ada.press("Check URL")
    await ada.sees("The URL is accepted")
    await ada.fill(url=f"{url}&redirect_uri=https://tides.example/other{challenge}")
    await ada.press("Check URL")
    await ada.sees("The redirect URI is not registered")
    await ada.look("checker")


async def test_an_api_key_is_shown_once(ada: AtDashboard) -> None:
    """Reload and Back show the page without the key, and make no second one. A revoked key leaves the
    list."""
    name = f"Backend {secrets.token_hex(3)}"
    await ada.open("/keys")
    await ada.press(ada.at("main .head a.primary"))
    await ada.fill(name=name)
    await ada.press("Create API key")
    await ada.sees("Shown once")
    key = await ada.page.inner_text(".secret code")
    assert key.startswith("sk_live_")
    assert key not in ada.page.url
    await ada.look("key")
    await ada.press("I have stored the key")
    await ada.sees(name)
    await ada.page.go_back()
    await ada.page.wait_for_load_state()
    await ada.misses(key)

    await ada.open("/keys")
    rows = ada.page.locator("#keys tbody tr", has_text=name)
    assert await rows.count() == 1
    await ada.look("keys")
    await ada.press(rows.get_by_text("Revoke"))
    await ada.press("Revoke key")
    await ada.sees("The key is revoked.")


async def test_methods_and_security(ada: AtDashboard) -> None:
    """A switch and a number are saved. A wrong number comes back with what was typed."""
    await ada.open("/settings")
    await ada.look("settings")
    form = "form[action$='/settings/passwords']"
    await ada.fill(password_min_length="3")
    await ada.press(ada.at(f"{form} button:not([type=reset])"))
    await ada.at("#password_min_length-error").wait_for()
    assert await ada.named("password_min_length").input_value() == "3"
    await ada.fill(password_min_length=str(10 + secrets.randbelow(20)))
    await ada.press(ada.at(f"{form} button:not([type=reset])"))
    await ada.sees("Saved", form)


async def test_branding(ada: AtDashboard) -> None:
    """The preview follows the colour without saving, with its contrast. Then it is saved."""
    await ada.open("/branding")
    colour = f"#{secrets.token_hex(3)}"
    before = await ada.page.inner_text("#preview p.fine >> nth=0")
    async with ada.page.expect_response("**/branding/preview"):
        await ada.fill(primary_color=colour)
        await ada.page.keyboard.press("Tab")
    await ada.page.locator(f"#preview iframe[src*='{colour[1:]}']").first.wait_for()
    assert "Contrast" in before
    await ada.look("branding")
    await ada.press("Save branding")
    await ada.sees("Saved.")
    assert await ada.named("primary_color").input_value() == colour


async def test_mail_texts(ada: AtDashboard) -> None:
    """A developer changes a mail, sees the preview of what they typed, gets a test mail, and goes back to
    the built-in text."""
    subject = f"Harbour {secrets.token_hex(3)}"
    await ada.open("/mail")
    await ada.press(ada.at("a[href$='/sign_up/en']"))
    await ada.fill(subject=subject)
    await ada.press("Save text")
    await ada.sees("Saved. New mails have this text.")
    await ada.fill(html="<p>Ahoy {{ code }}</p>")
    await ada.press("Preview")
    await ada.page.frame_locator("iframe[name=mail-preview]").get_by_text("Ahoy").wait_for()
    await ada.look("mail")
    await ada.press("Send test mail")
    await ada.sees("We sent a test mail")
    await ada.press("Use built-in text")
    await ada.sees("New mails have the built-in text again.")


async def test_the_mail_sender(ada: AtDashboard, studio: Developer) -> None:
    """A test mail goes through the developer's own server, with each step. When the server refuses the
    message, the page names that step."""
    ada.system.deployment.require(Ability.CALL_THIS_MACHINE)
    headers = {"authorization": f"Bearer {studio.secret_key}"}
    with mail_server() as smtp:
        async with ada.system.http(studio.slug, headers=headers) as http:
            sender = {"host": "127.0.0.1", "port": smtp.port, "tls": "none"}
            stored = await http.put(
                "/api/mail-sender", json=sender | {"from_address": "a@b.example"}
            )
            assert stored.status_code == 200, stored.text
        await ada.open("/mail-sender")
        await ada.fill(from_name="Harbour master", from_address="harbour@tides.example")
        await ada.press("Send test mail to me")
        await ada.sees("The test mail was sent")
        assert smtp.recipients == [studio.email]
        await ada.look("mail-sender")
        smtp.refuse = {"DATA": "554 no"}
        await ada.press("Send test mail to me")
        await ada.sees("The test failed")
        await ada.press("Delete mail server")
        await ada.sees("The mail server was deleted.")


async def test_domains(ada: AtDashboard) -> None:
    """A domain shows the records to set, with their state, inside the card on every screen. A check replaces
    the card in place and says what is missing."""
    domain = f"login.{secrets.token_hex(4)}.example"
    await ada.open("/domains")
    await ada.fill(domain=domain)
    await ada.press("Add domain")
    await ada.sees("The domain is added.")
    card = ada.page.locator("section.card[id^=domain-]", has_text=domain)
    await ada.press(card.get_by_text("Check records"))
    await card.get_by_text("Not found").first.wait_for()
    await card.get_by_text("Checked").wait_for()
    assert await ada.page.evaluate("document.activeElement.id.startsWith('check-')")
    assert await ada.page.evaluate(INSIDE, domain)
    await ada.look("domains")
    await ada.press(card.get_by_text("Remove"))
    await ada.press("Remove domain")
    await ada.sees("The domain is removed.")


async def test_the_audit_log(ada: AtDashboard, studio: Developer) -> None:
    """A new event appears in the open log. A filter stands in the address, the page of an event says
    what changed, Back comes to the filtered list, and the export has the event."""
    await ada.open("/audit")
    await ada.sees("Live", "#live-state")
    headers = {"authorization": f"Bearer {studio.secret_key}"}
    email = fresh_email("audited")
    async with ada.system.http(studio.slug, headers=headers) as http:
        created = await http.post("/api/users", json={"email": email, "profile": {"name": email}})
        assert created.status_code == 201, created.text
    await ada.sees(email, "#live-events")
    await ada.look("audit")

    await ada.press(ada.at("#add-filter"))
    await ada.choose("type", "User created")
    await ada.press("Show events")
    await ada.page.wait_for_url("**/audit?type=user_created*")
    await ada.press(ada.at("#events tbody tr a.cover"))
    await ada.sees("Who, when and where")
    await ada.look("event")
    await ada.page.go_back()
    await ada.page.wait_for_url("**/audit?type=user_created*")
    await ada.at("#events tbody tr").wait_for()
    async with ada.page.expect_download() as downloading:
        await ada.press("Export as CSV")
    assert email in (await (await downloading.value).path()).read_text()


async def test_the_danger_zone(ada: AtDashboard, studio: Developer) -> None:
    """An application is deleted after its name was typed. Its host answers no longer."""
    owner = await studio.create_application("Sinking ship")
    ada.slug = owner.slug
    await ada.open("/danger")
    await ada.fill(confirm=owner.slug)
    await ada.look("danger")
    await ada.press("Delete application")
    await ada.page.wait_for_url(f"{ada.origin}/dashboard*")
    assert (await owner.browser.http.get(ada.home)).status_code == 404
    async with ada.system.http(owner.slug) as http:
        assert (await http.get("/login")).status_code == 404


async def test_the_account(ada: AtDashboard) -> None:
    """The account menu leads to the hosted account pages."""
    await ada.open()
    await ada.press(ada.at("[popovertarget=account]"))
    await ada.press(ada.at("#account a[href='/account']"))
    await ada.fill(name="Ada of the Harbour")
    await ada.press(ada.at("main form button.primary"))
    await ada.sees("Ada of the Harbour")


async def test_the_palette(ada: AtDashboard) -> None:
    """Ctrl-K opens it. The first result is exposed as the active one, arrows move on, Enter goes."""
    await ada.open()
    await ada.page.keyboard.press("Control+k")
    await ada.page.keyboard.type("key")
    field = ada.page.locator("#palette-query")
    first = ada.page.locator("#palette-results [role=option]").first
    await first.filter(has_text="API keys").wait_for()
    active = await field.get_attribute("aria-activedescendant")
    assert active
    assert await ada.page.locator(f"#{active}[role=option]").count() == 1
    await ada.page.keyboard.press("ArrowDown")
    assert await field.get_attribute("aria-activedescendant")
    assert await ada.page.evaluate("document.activeElement.id") == "palette-query"
    await ada.look("palette")
    await ada.page.keyboard.press("ArrowUp")
    await ada.page.keyboard.press("Enter")
    await ada.page.wait_for_url(f"**{ada.home}/keys")
    await ada.page.keyboard.press("Control+k")
    await ada.page.keyboard.press("Escape")
    assert await field.is_hidden()
