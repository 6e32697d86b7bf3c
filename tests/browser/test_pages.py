"""Every hosted page in Chromium: readable, silent, light, and not too wide.

With AERO2_SHOTS=<folder> each page is stored as a picture.
"""

from __future__ import annotations

import os
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from axe_core_python.async_playwright import Axe
from playwright.async_api import Page
from tests.browser.conftest import Look, Site
from tests.kit import factor_people
from tests.kit.fake_providers import PROOF, FakeProviders
from tests.kit.people import EMAIL, LINK, ORGANIZATION, PASSWORD

from common.contracts.authorization import Authorization, RequestingDevice
from common.contracts.link_proofs import LinkProof
from common.contracts.passkeys import Passkey
from common.contracts.provider_sign_in import ProviderOutcome
from common.contracts.sessions import SessionActor
from common.ids import new_id

WIDTHS = (320, 360, 768, 1280)
HEAVIEST = 50_000
"""Bytes of a page with everything that it loads, without images."""
STILL = 0.003
"""Layout shift: a card that moves by one line costs 0.004."""
SHIFTS = """() => new Promise(done => {
  new PerformanceObserver(list => done(list.getEntries().map(one =>
      [one.value, ...one.sources.map(part => (part.node?.outerHTML ?? part.node?.data ?? "").slice(0, 99))])))
    .observe({type: "layout-shift", buffered: true});
  setTimeout(() => done([]), 150);
})"""
WEIGHT = """() => [...performance.getEntriesByType("navigation"),
  ...performance.getEntriesByType("resource")].reduce((sum, one) => sum + one.transferSize, 0)"""


def at(path: str) -> Callable[[Look], Awaitable[None]]:
    async def scene(look: Look) -> None:
        await look.go(path)

    return scene


async def wrong_address(look: Look) -> None:
    await look.go("/login")
    await look.fill(email="nobody")
    await look.send()


async def password(look: Look) -> None:
    await look.go("/login")
    await look.fill(email=EMAIL)
    await look.send()


async def wrong_password(look: Look) -> None:
    await password(look)
    await look.fill(password="x")
    await look.send()


async def locked(look: Look) -> None:
    await look.go("/login")
    await look.fill(email="locked@example.com")
    await look.send()
    await look.fill(password="x")
    await look.send()


async def code(look: Look) -> None:
    await password(look)
    await look.send("form[action='/login/code/send'] button")


async def wrong_code(look: Look) -> None:
    await code(look)
    await look.enter_code("111111")


async def two_mistakes(look: Look) -> None:
    await look.go("/signup")
    await look.fill(email="x")
    await look.page.locator("[name=name]").evaluate("field => field.removeAttribute('maxlength')")
    await look.fill(name="n" * 300)
    await look.send()


async def reset_code(look: Look) -> None:
    await look.go("/reset")
    await look.fill(email=EMAIL)
    await look.send()


async def link(look: Look) -> None:
    await look.go("/login")
    await look.go(f"/login/link?token={LINK}")


async def spent(look: Look) -> None:
    await look.go("/login")
    await look.go("/login/link?token=used")
    await look.send()


async def consent(look: Look) -> None:
    look.site.people.authorization = Authorization(
        kind="consent",
        request="r1",
        client_name="Acme Notes",
        client_uri="https://notes.acme.test",
        policy_uri="https://notes.acme.test/privacy",
        scopes=["openid", "profile", "email", "offline_access", "notes:write"],
    )
    await look.go("/oauth2/authorize?client_id=x")


def switch_devices_on(look: Look) -> None:
    tenant = look.site.world.tenants[look.site.app.host]
    settings = tenant.settings.model_copy(update={"device_authorization": True})
    look.site.world.tenants[tenant.host] = tenant.model_copy(update={"settings": settings})


async def device_code(look: Look) -> None:
    switch_devices_on(look)
    await look.go("/device")


async def device_link(look: Look) -> None:
    switch_devices_on(look)
    await look.go("/device?user_code=BCDF-GHJK")


async def device(look: Look) -> None:
    await device_link(look)
    look.site.people.authorization = Authorization(
        kind="device",
        request="r1",
        client_name="Acme command line",
        client_uri="https://cli.acme.test",
        scopes=["openid", "email", "offline_access"],
        device=RequestingDevice(
            user_code="BCDF-GHJK", ip_address="2001:db8::7:1", created_at=datetime.now(UTC)
        ),
    )
    await look.send()


async def device_done(look: Look) -> None:
    await device(look)
    look.site.people.authorization = Authorization(
        kind="device_approved", client_name="Acme command line"
    )
    await look.send("button[value=allow]")


async def refused(look: Look) -> None:
    look.site.people.authorization = Authorization(
        kind="error", error="invalid_request", error_description="redirect_uri is not registered"
    )
    await look.go("/oauth2/authorize?client_id=x")


async def new_address(look: Look) -> None:
    await look.go("/account/email")
    await look.fill(email="new@example.com")
    await look.send()


async def second_factor(look: Look) -> None:
    look.site.people.challenge = factor_people.challenge()
    await password(look)
    await look.fill(password=PASSWORD)
    await look.send()


async def wrong_factor_code(look: Look) -> None:
    await second_factor(look)
    await look.fill(code="111111")
    await look.send()


async def recovery_code(look: Look) -> None:
    await second_factor(look)
    await look.page.click("text=Use a recovery code instead")


async def mfa_setup(look: Look) -> None:
    look.site.people.challenge = factor_people.challenge("mfa_setup_required")
    await password(look)
    await look.fill(password=PASSWORD)
    await look.send()


async def mfa_setup_done(look: Look) -> None:
    await mfa_setup(look)
    await look.enter_code(factor_people.TOTP_CODE)


async def second_factor_over(look: Look) -> None:
    await second_factor(look)
    look.site.people.challenge = None
    await look.go("/login/second-factor")


async def two_step(look: Look) -> None:
    look.site.configure(mfa_policy="optional")
    await look.go("/account/two-step")


async def authenticator_app(look: Look) -> None:
    await two_step(look)
    await look.page.click("text=Set up an authenticator app")


async def two_step_on(look: Look) -> None:
    look.site.people.has_totp = True
    await two_step(look)


async def new_recovery_codes(look: Look) -> None:
    await two_step_on(look)
    await look.send("button[value=codes]")


async def remembered_devices(look: Look) -> None:
    look.site.people.has_totp = True
    await look.go("/account/devices")


async def passkey_sign_up(look: Look) -> None:
    look.site.configure(passkey_sign_up=True)
    await look.go("/signup")
    await look.fill(email="new@example.com")
    await look.send("text=Sign up with a passkey instead")


async def passkeys(look: Look) -> None:
    now = datetime.now(UTC)
    facts = {"credential_id": "AAAA", "rp_id": "acme.localhost", "created_at": now}
    look.site.people.passkeys.entries += [
        Passkey(id=new_id(), name="Phone", authenticator="iCloud Keychain", backed_up=True,
                last_used_at=now, **facts),
        Passkey(id=new_id(), name="Passkey", authenticator="Passkey", backed_up=False, **facts),
    ]  # fmt: skip
    await look.go("/account/passkeys?done=passkey")


async def sign_in_with_providers(look: Look) -> None:
    FakeProviders(look.site.world, look.site.app)
    await look.go("/login")


async def sign_in_by_organization(look: Look) -> None:
    look.site.configure(auth_methods=["oauth", "passkey"])
    look.site.world.with_organization_providers.add(look.site.app.app_id)
    await sign_in_with_providers(look)


async def provider_failed(look: Look) -> None:
    providers = FakeProviders(look.site.world, look.site.app)
    providers.outcome = ProviderOutcome(
        kind="failed", failure="other_invitation", idp="acme", provider="Acme"
    )
    await look.go("/rp/callback/acme?code=c&state=s1")


async def invitation_with_providers(look: Look) -> None:
    FakeProviders(look.site.world, look.site.app)
    await look.go(f"/invitation?token={LINK}")


async def link_proof(look: Look) -> None:
    providers = FakeProviders(look.site.world, look.site.app)
    providers.link_proof = LinkProof(
        kind="account", idp="acme", provider="Acme", email=EMAIL, destination="/account"
    )
    providers.outcome = ProviderOutcome(kind="account_needed", link_proof=PROOF)
    await look.go("/login")
    await look.go("/rp/callback/acme?code=c&state=s1")


async def connections(look: Look) -> None:
    FakeProviders(look.site.world, look.site.app)
    await look.go("/account/connections")


async def confirm_every_way(look: Look) -> None:
    FakeProviders(look.site.world, look.site.app)
    look.site.people.has_password = False
    await second_factors_of_session(look, "passkey")
    await look.go("/login/confirm")


async def confirm_code(look: Look) -> None:
    look.site.people.has_password = False
    await look.go("/login/confirm")
    await look.send("form[action='/login/confirm/send'] button")


async def second_factors_of_session(look: Look, *factors: str) -> None:
    sessions = look.site.world.sessions
    key = (look.site.app.app_id, "t_ada")
    sessions[key] = sessions[key].model_copy(update={"second_factors": list(factors)})


async def step_up(look: Look) -> None:
    await second_factors_of_session(look, "totp", "passkey", "recovery_code")
    await look.go("/login/step-up")


async def step_up_by_passkey(look: Look) -> None:
    await second_factors_of_session(look, "passkey", "recovery_code")
    await look.go("/login/step-up")


async def step_up_setup(look: Look) -> None:
    look.site.configure(mfa_policy="optional")
    await look.go("/login/step-up/setup")


async def second_factor_by_passkey(look: Look) -> None:
    waiting = factor_people.challenge().model_copy(update={"factors": ["passkey"]})
    look.site.people.challenge = waiting
    await password(look)
    await look.fill(password=PASSWORD)
    await look.send()


async def impersonated(look: Look) -> None:
    sessions = look.site.world.sessions
    key = (look.site.app.app_id, "t_ada")
    actor = SessionActor(kind="user", id=new_id(), session_id=new_id())
    sessions[key] = sessions[key].model_copy(update={"actor": actor})
    await look.go("/account")


async def guest(look: Look) -> None:
    sessions = look.site.world.sessions
    key = (look.site.app.app_id, "t_ada")
    changes = {"guest": True, "email": None, "name": None}
    sessions[key] = sessions[key].model_copy(update=changes)
    await look.go("/account")


SCENES: dict[str, Callable[[Look], Awaitable[None]]] = {
    "sign_in": at("/login"),
    "sign_in_wrong": wrong_address,
    "sign_in_providers": sign_in_with_providers,
    "sign_in_organization": sign_in_by_organization,
    "provider_failed": provider_failed,
    "invitation_providers": invitation_with_providers,
    "link_proof": link_proof,
    "second_factor_passkey": second_factor_by_passkey,
    "password": password,
    "password_wrong": wrong_password,
    "password_locked": locked,
    "code": code,
    "code_wrong": wrong_code,
    "second_factor": second_factor,
    "second_factor_wrong": wrong_factor_code,
    "second_factor_recovery": recovery_code,
    "second_factor_over": second_factor_over,
    "mfa_setup": mfa_setup,
    "mfa_setup_done": mfa_setup_done,
    "link": link,
    "link_elsewhere": at(f"/login/link?token={LINK}"),
    "link_spent": spent,
    "sign_up": at("/signup"),
    "sign_up_wrong": two_mistakes,
    "sign_up_passkey": passkey_sign_up,
    "reset": at("/reset"),
    "reset_code": reset_code,
    "reset_link": at(f"/reset?token={LINK}"),
    "invitation": at(f"/invitation?token={LINK}"),
    "welcome": at(f"/welcome?token={LINK}"),
    "verify_email": at(f"/verify-email?token={LINK}"),
    "signed_out": at("/logout/done"),
    "not_found": at("/nothing-here"),
    "refused": refused,
}
OWN: dict[str, Callable[[Look], Awaitable[None]]] = {
    "account": at("/account?done=profile"),
    "address": at("/account/email"),
    "address_code": new_address,
    "change_password": at("/account/password"),
    "sessions": at("/account/sessions"),
    "data": at("/account/data"),
    "apps": at("/account/apps"),
    "organizations": at("/account/organizations"),
    "members": at(f"/account/organization?org_id={ORGANIZATION}"),
    "accounts": at("/accounts"),
    "logout": at("/logout"),
    "consent": consent,
    "device_code": device_code,
    "device_link": device_link,
    "device": device,
    "device_done": device_done,
    "organization": at(f"/accept-org-invite?token={LINK}"),
    "confirm": at("/login/confirm"),
    "confirm_ways": confirm_every_way,
    "confirm_code": confirm_code,
    "step_up": step_up,
    "step_up_passkey": step_up_by_passkey,
    "step_up_setup": step_up_setup,
    "connections": connections,
    "impersonated": impersonated,
    "guest": guest,
    "two_step": two_step,
    "two_step_on": two_step_on,
    "authenticator_app": authenticator_app,
    "recovery_codes": new_recovery_codes,
    "remembered_devices": remembered_devices,
    "passkeys": passkeys,
    "no_passkeys": at("/account/passkeys"),
    "passkey_offer": at("/login/passkey-offer"),
}
ALL = {**SCENES, **OWN}


async def too_wide(page: Page) -> list[str]:
    """Returns the elements that reach beyond the window."""
    found: list[str] = await page.evaluate(
        """() => document.documentElement.scrollWidth <= innerWidth ? []
          : [...document.querySelectorAll("body *")]
              .filter(one => one.getBoundingClientRect().right > innerWidth + 1)
              .map(one => one.outerHTML.slice(0, 120))"""
    )
    return found


async def violations(page: Page, *rules: str) -> list[str]:
    """Returns what axe finds, by these rules or by all. It does not know the token `webauthn` (HTML,
    section 4.10.18.7.1)."""
    result: dict[str, Any] = await Axe().run(page, options={"runOnly": [*rules]} if rules else None)
    return [
        f"{one['id']}: {node['html'][:160]} {node['failureSummary']}"
        for one in result["violations"]
        for node in one["nodes"]
        if not (one["id"] == "autocomplete-valid" and "username webauthn" in node["html"])
    ]


async def picture(page: Page, name: str) -> None:
    if folder := os.environ.get("AERO2_SHOTS"):
        Path(folder).mkdir(parents=True, exist_ok=True)
        await page.screenshot(path=f"{folder}/{name}.png", full_page=True)


EVERY_DAY = {
    *("sign_in", "sign_in_wrong", "sign_in_providers", "password_wrong", "code", "second_factor"),
    *("mfa_setup", "link", "sign_up", "reset_code", "invitation", "refused", "account", "sessions"),
    *(
        "apps",
        "members",
        "accounts",
        "consent",
        "confirm_ways",
        "step_up",
        "connections",
        "two_step_on",
    ),
    *("recovery_codes", "passkeys", "impersonated", "device"),
}
"""One page of each kind. All of them are looked at by `make test-browsers`."""


@pytest.mark.parametrize(
    "name",
    [name if name in EVERY_DAY else pytest.param(name, marks=pytest.mark.long) for name in ALL],
)
async def test_a_page(site: Site, name: str) -> None:
    """In every width and both schemes: axe finds nothing (WCAG 2.2 AA and best practices), nothing
    is too wide or moves after loading, the console is silent, and the page is light."""
    async with site.visit(signed_in=name in OWN) as look:
        await ALL[name](look)

        assert sum(value for value, *_ in await look.page.evaluate(SHIFTS)) < STILL
        assert 0 < await look.page.evaluate(WEIGHT) < HEAVIEST
        for width in WIDTHS:
            await look.page.set_viewport_size({"width": width, "height": 800})
            await picture(look.page, f"{name}-{width}-light")
            assert await too_wide(look.page) == []
        assert await violations(look.page) == []
        await look.page.emulate_media(color_scheme="dark")  # it changes colours, and nothing else
        await picture(look.page, f"{name}-{WIDTHS[-1]}-dark")
        assert await violations(look.page, "color-contrast") == []
        await _mirrored(look, name)


async def _mirrored(look: Look, name: str) -> None:
    """Checks that the mirrored page loses nothing at either side (logical properties)."""
    await look.page.set_viewport_size({"width": 360, "height": 800})
    await look.page.evaluate("document.documentElement.dir = 'rtl'")
    await picture(look.page, f"{name}-360-rtl")
    lost = await look.page.evaluate(
        """() => [...document.querySelectorAll("main *:not(.hidden, .hidden *)")]
          .filter(one => one.getBoundingClientRect().left < -1).map(one => one.outerHTML)"""
    )
    mark = await look.page.locator(".who > :first-child").bounding_box()

    assert await too_wide(look.page) == []
    assert lost == []
    assert mark
    assert mark["x"] > 180


@pytest.mark.parametrize("name", ["sign_in", "password", "sessions", "device"])
async def test_a_page_in_german(site: Site, name: str) -> None:
    """Longer words fit, down to 320 pixels."""
    async with site.visit(signed_in=name in OWN, width=320, locale="de-DE") as look:
        await ALL[name](look)
        await picture(look.page, f"{name}-320-de")

        assert await look.page.get_attribute("html", "lang") == "de"
        assert await too_wide(look.page) == []


async def test_quiet_motion(site: Site) -> None:
    """Nothing moves if the user asks for less motion."""
    async with site.visit(reduced_motion="reduce") as look:
        await look.go("/login")

        button = look.page.locator("button.primary")
        assert await button.evaluate("one => getComputedStyle(one).transitionProperty") == "none"


@pytest.mark.parametrize("name", ["password", "sessions", "accounts", "consent", "device"])
async def test_targets_are_large_enough(site: Site, name: str) -> None:
    """24 by 24 CSS pixels for all that is not a link in a sentence (WCAG 2.5.8)."""
    async with site.visit(signed_in=name in OWN, width=360) as look:
        await ALL[name](look)

        small = await look.page.evaluate(
            """() => [...document.querySelectorAll("button, input:not([type=hidden]), nav a")]
              .filter(one => !one.closest(".hidden") && one.offsetParent)
              .map(one => [one.outerHTML.slice(0, 80), one.getBoundingClientRect()])
              .filter(([_, box]) => box.height < 24 || box.width < 24).map(([html]) => html)"""
        )
        assert small == []


async def test_only_ours_is_loaded(site: Site) -> None:
    """No page loads anything from another host."""
    asked: list[str] = []
    async with site.visit(signed_in=True) as look:
        look.page.on("request", lambda request: asked.append(request.url))
        for name in ("sign_in", "sign_up", "account", "sessions"):
            await ALL[name](look)

    assert asked
    assert [url for url in asked if not url.startswith(site.base + "/")] == []


LOGO = b'<svg xmlns="http://www.w3.org/2000/svg" width="60" height="20"><rect width="60" height="20"/></svg>'


async def test_a_logo_that_does_not_load(site: Site) -> None:
    """The letter is shown if the logo does not load, and is covered by any logo that does, without
    a script."""
    for loads, name in ((True, "logo.svg"), (False, "gone.svg")):
        site.brand(logo_url=f"{site.base}/{name}")
        async with site.visit(js=False) as look:
            await look.page.route(
                f"**/{name}",
                lambda route, loads=loads: (
                    route.fulfill(body=LOGO, content_type="image/svg+xml")
                    if loads
                    else route.abort()
                ),
            )
            await look.go("/login")
            await picture(look.page, name)
            box, mark = [
                await look.page.locator(part).bounding_box() for part in (".logo", ".mark")
            ]

            assert box
            assert mark
            assert (mark["y"] >= box["y"] + box["height"]) == loads
            assert (box["width"], box["height"]) == (120 if loads else 40, 40)


async def test_zoomed_twice(site: Site) -> None:
    """At 200 % on a small laptop the form still stands in one column (WCAG 1.4.4, 1.4.10)."""
    async with site.visit(width=640, device_scale_factor=2) as look:
        await look.go("/login")
        await look.page.evaluate("document.documentElement.style.fontSize = '32px'")

        assert await too_wide(look.page) == []
        assert PASSWORD not in await look.page.content()
