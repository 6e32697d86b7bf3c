"""Hosted pages over HTTP, with fake services: what each shows and does."""

from __future__ import annotations

import html
import re
from typing import Any
from urllib.parse import quote

import httpx
import pytest
from tests.kit.fake_services import FakeServices
from tests.kit.people import (
    CODE,
    EMAIL,
    LINK,
    MATE,
    ORGANIZATION,
    PASSWORD,
    People,
    person,
)

from common.contracts.app_settings import AppSettings
from common.contracts.authorization import (
    Authorization,
    AuthorizationState,
    Authorize,
    GetAuthorizationState,
)
from common.contracts.email_codes import SignInWithLink
from common.contracts.invitations import AcceptInvitation
from common.contracts.logout import LoggedOut
from common.contracts.me import VerifyEmail
from common.contracts.members import LastAdmin
from common.contracts.oauth_errors import SignInOver
from common.contracts.organizations import TeamOwnsApplications
from common.contracts.owner import ClaimOwner
from common.contracts.passwords import ResetPassword, SignInWithPassword
from common.contracts.protection import Protection
from common.contracts.sessions import SignedInSession
from common.contracts.tenants import Branding, Tenant
from common.ids import new_id
from gateway.app import GatewayApp
from gateway.pages.route_sets import ROUTE_SETS
from gateway.pages.template_engine import TEMPLATES

TOKEN = re.compile(r'name="csrf" value="([^"]+)"')
LANGUAGE_LINK = re.compile(r'href="([^"]+)" hreflang="de"')


def change_settings(world: FakeServices, tenant: Tenant, **settings: Any) -> None:
    """Changes the settings of the application, before anything is cached."""
    changed = tenant.model_copy(update={"settings": AppSettings(**settings)})
    world.tenants[tenant.host] = changed


async def post(
    http: httpx.AsyncClient, path: str, page: str | None = None, **fields: str
) -> httpx.Response:
    """Sends a form like a browser, with the token of its page."""
    shown = await http.get(page or path)
    found = TOKEN.search(shown.text)
    assert found, f"{page or path} has no form: {shown.status_code} {shown.headers}"
    return await http.post(path, data={"csrf": found[1], **fields})


async def signed_in(http: httpx.AsyncClient, world: FakeServices, app: Tenant, **more: Any) -> None:
    person(world, app, "t_ada", **more)
    http.cookies.set("aero2_session", "t_ada", domain="demo.localhost")


# Signing in


async def test_password(http: httpx.AsyncClient, people: People) -> None:
    """The user enters the address, then the password. Each POST is answered by 303."""
    first = await post(http, "/login", email=EMAIL)
    second = await post(http, "/login/password", email=EMAIL, password=PASSWORD)

    assert (first.status_code, first.headers["location"]) == (303, "/login/password")
    assert (second.status_code, second.headers["location"]) == (303, "/account")
    assert "HttpOnly" in second.headers["set-cookie"]
    assert (await http.get("/account")).status_code == 200


@pytest.mark.parametrize("pending", [{}, {"request": "ar_pending"}])
async def test_a_password_form_posted_twice_is_one_attempt(
    http: httpx.AsyncClient, people: People, pending: dict[str, str]
) -> None:
    """Both posts carry the same key. A form that is shown again carries another key, unless the
    same request is pending."""
    await post(http, "/login", email=EMAIL)
    for _ in range(2):
        shown = TOKEN.search((await http.get("/login/password")).text)
        assert shown
        for _ in range(2):
            form = {"csrf": shown[1], "email": EMAIL, "password": "wrong wrong", **pending}
            await http.post("/login/password", data=form)

    calls = [call for call in people.world.bus.calls if isinstance(call, SignInWithPassword)]
    keys = [call.idempotency_key for call in calls]
    assert len(keys) == 4
    assert None not in keys
    assert keys[0] == keys[1]
    assert keys[2] == keys[3]
    assert (keys[0] == keys[2] == "ar_pending") == bool(pending)


async def test_the_address_is_typed_once(http: httpx.AsyncClient, people: People) -> None:
    """Password, reset and sign-up pages keep the address."""
    await post(http, "/login", email=EMAIL)

    for path in ("/login", "/login/password", "/reset", "/signup"):
        assert f'value="{EMAIL}"' in (await http.get(path)).text


async def test_a_wrong_password(http: httpx.AsyncClient, people: People) -> None:
    """The error is beside the field. The form keeps the address, but never the password."""
    await post(http, "/login", email=EMAIL)

    answer = await post(http, "/login/password", email=EMAIL, password="hunter2!")

    assert answer.status_code == 422
    assert 'aria-invalid="true"' in answer.text
    assert 'id="password-error"' in answer.text
    assert "hunter2!" not in answer.text
    assert "<title>Error:" in answer.text


@pytest.mark.parametrize("email", [EMAIL, "nobody@example.com"])
async def test_nothing_tells_whether_an_account_exists(
    http: httpx.AsyncClient, people: People, email: str
) -> None:
    """A known and an unknown address see the same pages and the same error."""
    seen = []
    for address in (email, "other@example.com"):
        http.cookies.clear()
        steps = [
            await post(http, "/login", email=address),
            await post(http, "/login/password", email=address, password="wrong wrong"),
            await post(http, "/login/code/send", "/login/password", email=address),
            await http.get("/login/code"),
            await post(http, "/reset", email=address),
            await http.get("/reset/code"),
            await post(http, "/signup", email=address, name="A", password=PASSWORD),
            await http.get("/login/code"),
        ]
        seen.append([(step.status_code, _without(address, step.text)) for step in steps])

    assert seen[0] == seen[1]


def _without(address: str, text: str) -> str:
    """Returns a page without the parts that differ for each browser and second."""
    for written in (address, quote(address)):
        text = text.replace(written, "<address>")
    return re.sub(r'data-(ends|resend)="\d+"|in \d+ minutes?', "", TOKEN.sub("", text))


async def test_code(http: httpx.AsyncClient, people: People) -> None:
    """A mailed code signs in. Spaces and dashes of a pasted code are ignored."""
    await post(http, "/login", email=EMAIL)
    sent = await post(http, "/login/code/send", "/login/password", email=EMAIL)

    wrong = await post(http, "/login/code", code="000000")
    right = await post(http, "/login/code", code=f" {CODE[:3]} - {CODE[3:]} ")

    assert sent.headers["location"] == "/login/code"
    assert (wrong.status_code, 'id="code-error"' in wrong.text) == (422, True)
    assert (right.status_code, right.headers["location"]) == (303, "/account")


async def test_code_first(
    http: httpx.AsyncClient, people: People, world: FakeServices, app: Tenant
) -> None:
    """If the application prefers codes, the address alone sends one."""
    change_settings(world, app, auth_methods=["email_code", "password"])

    answer = await post(http, "/login", email=EMAIL)

    assert answer.headers["location"] == "/login/code"


async def test_code_field(http: httpx.AsyncClient, people: People) -> None:
    """Phones show digits and fill the code in. The page says how long it is valid."""
    await post(http, "/login", email=EMAIL)
    await post(http, "/login/code/send", "/login/password", email=EMAIL)

    page = (await http.get("/login/code")).text

    assert 'inputmode="numeric"' in page
    assert 'autocomplete="one-time-code"' in page
    assert re.search(r'data-ends="(59\d|600)"', page)
    assert re.search(r'data-resend="(29|30)"', page)


async def test_links_need_a_click(http: httpx.AsyncClient, people: People) -> None:
    """Opening a mailed link does not use it, because mail scanners open links too."""
    await http.get("/login")
    for path in ("/login/link", "/verify-email", "/reset", "/invitation", "/welcome"):
        page = await http.get(path, params={"token": LINK})
        assert (page.status_code, "<form" in page.text) == (200, True)

    asked = {type(call) for call in people.world.bus.calls}
    assert asked.isdisjoint(
        {SignInWithLink, VerifyEmail, ResetPassword} | {AcceptInvitation, ClaimOwner}
    )


async def test_link(http: httpx.AsyncClient, people: People) -> None:
    """A click signs in. A used link and another browser have errors of their own."""
    where = f"/login/link?token={LINK}"
    await http.get("/login")

    other = await post(http, "/login/link", where, token="other-browser")
    used = await post(http, "/login/link", where, token="used")
    good = await post(http, "/login/link", where, token=LINK)

    assert (other.status_code, used.status_code, good.status_code) == (403, 410, 303)


async def test_sign_up(http: httpx.AsyncClient, people: People) -> None:
    """A weak password is refused beside the field. Then a code confirms the address."""
    weak = await post(http, "/signup", email="new@example.com", password="short")
    good = await post(http, "/signup", email="new@example.com", name="N", password=PASSWORD)

    assert (weak.status_code, "at least 8 characters" in weak.text) == (422, True)
    assert "The password is easy to guess" in weak.text
    assert good.headers["location"] == "/login/code"
    assert "Create account" in (await http.get("/login/code")).text


async def test_sign_up_by_invitation_only(
    http: httpx.AsyncClient, people: People, world: FakeServices, app: Tenant
) -> None:
    """The page says that an invitation is needed, and has no form."""
    change_settings(world, app, signup_mode="invite_only")

    page = (await http.get("/signup")).text

    assert ("You need an invitation" in page, 'name="email"' in page) == (True, False)


async def test_a_code_is_kept_beside_a_weak_password(
    http: httpx.AsyncClient, people: People
) -> None:
    """The form keeps a right code after a weak password. It never shows a wrong code or a password."""
    await post(http, "/reset", email=EMAIL)
    weak = await post(http, "/reset/code", code=CODE, password="short")
    wrong = await post(http, "/reset/code", code="999999", password=PASSWORD)

    assert f'value="{CODE}"' in weak.text
    assert "short" not in re.sub(r"<p class=.*?</p>", "", weak.text)
    assert "999999" not in wrong.text
    assert PASSWORD not in wrong.text


async def test_reset(http: httpx.AsyncClient, people: People) -> None:
    """A reset works by code or by link. A weak password does not use it up."""
    await post(http, "/reset", email=EMAIL)
    weak = await post(http, "/reset/code", code=CODE, password="short")
    by_code = await post(http, "/reset/code", code=CODE, password=PASSWORD)
    by_link = await post(http, "/reset/code", f"/reset?token={LINK}", token=LINK, password=PASSWORD)

    assert (weak.status_code, by_code.status_code, by_link.status_code) == (422, 303, 303)
    assert re.search(rf'<input id="code" [^>]*value="{CODE}"', weak.text)


async def test_a_reset_link_of_another_browser(http: httpx.AsyncClient, people: People) -> None:
    """The page says so in both languages, and offers a new link for this browser."""
    where = f"/reset?token={LINK}"
    refused = await post(http, "/reset/code", where, token="other-browser", password=PASSWORD)

    assert (refused.status_code, "This is a different browser" in refused.text) == (403, True)
    assert 'href="/reset"' in refused.text
    assert LANGUAGE_LINK.search(refused.text)


async def test_a_password_that_was_ended(http: httpx.AsyncClient, people: People) -> None:
    """The page says why a new password is needed, and keeps the address and the pending request."""
    people.must_reset = True
    await post(http, "/login", "/login?request=r1", email=EMAIL, request="r1")
    page = "/login/password?request=r1"

    refused = await post(http, "/login/password", page, password=PASSWORD, request="r1")
    reset = await http.get(refused.headers["location"])

    assert (refused.status_code, reset.status_code) == (303, 200)
    assert "You need to choose a new password" in reset.text
    assert f'value="{EMAIL}"' in reset.text
    assert 'name="request" value="r1"' in reset.text


async def test_owner_link(http: httpx.AsyncClient, people: People) -> None:
    """The first operator creates an account. A used link says so."""
    where = f"/welcome?token={LINK}"
    dead = await http.get("/welcome?token=used")

    done = await post(http, "/welcome", where, token=LINK, email="op@example.com", password="")

    assert (dead.status_code, done.status_code) == (410, 303)
    assert done.headers["location"] == "/dashboard"


async def test_invitation(http: httpx.AsyncClient, people: People) -> None:
    """The form shows the invited address, which cannot be changed."""
    where = f"/invitation?token={LINK}"
    page = (await http.get(where)).text

    weak = await post(http, "/invitation", where, token=LINK, password="short")
    done = await post(http, "/invitation", where, token=LINK, password=PASSWORD)

    assert re.search(rf'value="{EMAIL}"[^>]* readonly', page)
    assert (weak.status_code, done.status_code) == (422, 303)


async def test_invitation_into_an_organization(
    http: httpx.AsyncClient, people: People, world: FakeServices, app: Tenant
) -> None:
    """The page asks the user to sign in first, and says if the address is another one."""
    where = f"/accept-org-invite?token={LINK}"
    stranger = (await http.get(where)).text
    await signed_in(http, world, app)

    own = (await http.get(where)).text
    other = await post(http, "/accept-org-invite", where, token=LINK)

    assert ("ll join as" in own, "re signed in as" in own) == (True, False)
    assert "return_to=%2Faccept-org-invite%3Ftoken%3D" in stranger
    assert (other.status_code, "a different address" in other.text) == (403, True)


@pytest.mark.parametrize("path", ["//evil.example", "https:evil.example", "/\\evil.example"])
async def test_signing_in_leads_nowhere_else(
    http: httpx.AsyncClient, people: People, path: str
) -> None:
    """return_to stays on this host."""
    await post(http, "/login", email=EMAIL)

    answer = await post(http, "/login/password", email=EMAIL, password=PASSWORD, return_to=path)

    assert answer.headers["location"] == "/account"


async def test_a_pending_request_is_carried(http: httpx.AsyncClient, people: People) -> None:
    """The pending request goes from the authorization endpoint through every page and back."""
    people.authorization = Authorization(
        kind="sign_in", request="r1", client_name="Notes", login_hint=EMAIL, ui_locales="de"
    )
    start = await http.get("/oauth2/authorize?client_id=x")
    page = await http.get(start.headers["location"])
    first = await post(http, "/login", start.headers["location"], email=EMAIL, request="r1")
    last = await post(
        http, "/login/password", first.headers["location"], password=PASSWORD, request="r1"
    )

    assert start.headers["location"] == "/login?request=r1&email=ada%40example.com"
    assert ("weiter zu Notes" in page.text, f'value="{EMAIL}"' in page.text) == (True, True)
    assert first.headers["location"] == "/login/password?request=r1"
    assert last.headers["location"] == "/oauth2/authorize/resume?request=r1"


async def test_a_sign_up_is_sent_again(http: httpx.AsyncClient, people: People) -> None:
    """The code page of a sign-up has a button that sends the same sign-up again."""
    await post(http, "/signup", email=EMAIL, password=PASSWORD, request="r1")
    again = await post(http, "/signup/code/send", "/login/code?request=r1", request="r1")

    assert 'action="/signup/code/send"' in (await http.get("/login/code?request=r1")).text
    assert (again.status_code, again.headers["location"]) == (303, "/login/code?request=r1")


async def test_a_finished_sign_up_is_not_sent_again(
    http: httpx.AsyncClient, people: People
) -> None:
    """The page says so, and shows the sign-up form with the address."""
    await post(http, "/signup", email=EMAIL, password=PASSWORD)
    people.signing_up = False
    refused = await post(http, "/signup/code/send", "/login/code")

    assert refused.status_code == 422
    assert "This sign-up is finished or has expired" in refused.text
    assert ('action="/signup"' in refused.text, f'value="{EMAIL}"' in refused.text) == (True, True)


async def test_a_link_goes_on_with_the_pending_request(
    http: httpx.AsyncClient, people: People
) -> None:
    """The link continues the request that was pending when the mail was sent. It cannot name
    another destination."""
    await post(http, "/login", email=EMAIL, request="r1")
    await post(http, "/login/code/send", "/login/password", email=EMAIL, request="r1")
    where = f"/login/link?token={LINK}&return_to=/elsewhere"

    done = await post(http, "/login/link", where, token=LINK)

    assert done.headers["location"] == "/oauth2/authorize/resume?request=r1"


async def test_a_name_keeps_its_direction_to_itself(
    http: httpx.AsyncClient, people: People
) -> None:
    """An Arabic or Hebrew name does not reorder the words around it."""
    page = await http.get("/login")

    assert page.text.count("<bdi>Demo</bdi>") == 2  # beside the mark, in the footer


@pytest.mark.parametrize("path", ["/login", "/login/password", "/signup", "/accounts"])
async def test_a_dead_request_is_noticed_before_anything_is_typed(
    http: httpx.AsyncClient, people: People, path: str
) -> None:
    """The page says that the request has ended, and links to the application if it has a web
    address."""
    await post(http, "/login", email=EMAIL)
    for link, way in (("https://notes.example/login?iss=x", True), ("javascript:x", False)):
        people.authorization_state = AuthorizationState(
            pending=False, client_name="Notes", client_link=link
        )
        page = await http.get(f"{path}?request=r1")

        assert (page.status_code, "This sign-in has ended" in page.text) == (400, True)
        assert (f'href="{link}"' in page.text, "Continue to Notes" in page.text) == (way, way)
        assert 'name="email"' not in page.text


async def test_a_request_that_waited_a_moment_ago_is_not_asked_about(
    http: httpx.AsyncClient, people: People, world: FakeServices
) -> None:
    """The pages of one sign-in ask the oidc service once at most. After the request has continued, a page
    that the browser goes back to asks again."""

    def looks() -> list[str]:
        return [one.request for one in world.bus.calls if isinstance(one, GetAuthorizationState)]

    people.authorization = Authorization(kind="sign_in", request="r1", client_name="Notes")
    await http.get("/oauth2/authorize?client_id=x")
    await http.get("/login?request=r1")
    await post(http, "/login", email=EMAIL, request="r1")
    await http.get("/login/password?request=r1")
    assert looks() == []
    for _ in range(2):
        assert (await http.get("/login?request=r2")).status_code == 200
    assert looks() == ["r2"]

    people.authorization = Authorization(kind="redirect", location="https://rp.example/cb")
    await http.get("/oauth2/authorize/resume?request=r1")
    people.authorization_state = AuthorizationState(pending=False)
    for _ in range(2):
        page = await http.get("/login?request=r1")
        assert (page.status_code, "This sign-in has ended" in page.text) == (400, True)
    assert looks() == ["r2", "r1", "r1"]


async def test_a_request_that_ends_meanwhile_leads_to_the_application(
    http: httpx.AsyncClient, people: People
) -> None:
    people.authorization = Authorization(kind="error", error="sign_in_over")
    people.authorization_state = AuthorizationState(
        pending=False, client_name="Notes", client_link="https://notes.example/"
    )

    page = await http.get("/oauth2/authorize/resume?request=r1")

    assert (page.status_code, 'href="https://notes.example/"' in page.text) == (400, True)


async def test_the_name_of_a_client_is_not_taken_from_the_address(
    http: httpx.AsyncClient, people: People
) -> None:
    """The client's name is shown only for the request that it belongs to."""
    people.authorization = Authorization(kind="sign_in", request="r1", client_name="Notes")
    await http.get("/oauth2/authorize?client_id=x")

    assert "Notes" not in (await http.get("/login?request=r2&client=Bank")).text


async def test_authorize_by_post_brings_the_cookies_along(
    http: httpx.AsyncClient, people: People
) -> None:
    """A browser sends no cookies with another site's POST (SameSite=Lax), so the gateway redirects
    to itself."""
    answer = await http.post("/oauth2/authorize", data={"client_id": "x", "state": "a b"})

    assert answer.status_code == 303
    assert answer.headers["location"] == "/oauth2/authorize?client_id=x&state=a+b"


async def test_authorize_by_post_is_kept_small(http: httpx.AsyncClient, people: People) -> None:
    """A POST may not be larger than an address, since it is stored until the user has signed in."""
    for size, status in ((20_000, 303), (40_000, 413)):
        people.authorization = Authorization(kind="redirect", location="https://rp.example/cb")
        data = {"client_id": "x", "state": "s" * size}
        assert (await http.post("/oauth2/authorize", data=data)).status_code == status


async def test_a_long_authorize_by_post_comes_back_for_the_cookies(
    http: httpx.AsyncClient, people: People, world: FakeServices, app: Tenant
) -> None:
    """A request that is too long for an address is stored, and the session is looked up after the
    redirect."""
    await signed_in(http, world, app)
    people.authorization = Authorization(kind="resume", request="r1")
    data = {"client_id": "x", "prompt": "none", "state": "s" * 7_000}
    answer = await http.post(
        "/oauth2/authorize", data=data, headers={"origin": "https://rp.example"}
    )

    (asked,) = [one for one in world.bus.calls if isinstance(one, Authorize)]
    assert (asked.unseen, asked.session) == (True, None)
    assert dict(asked.params) == data
    assert answer.headers["location"] == "/oauth2/authorize/resume?request=r1"


async def test_a_sign_in_that_is_over(http: httpx.AsyncClient, people: People) -> None:
    """If a sign-in took too long, the page does not say that the application has to be fixed."""
    people.authorization = Authorization(kind="error", error=SignInOver.code)
    page = await http.get("/oauth2/authorize/resume?request=r1")

    assert page.status_code == 400
    assert "This sign-in has ended" in page.text
    assert "mend" not in page.text


@pytest.mark.parametrize(
    ("host", "heading", "back"),
    [
        ("agent.example", "Give agent.example access?", "You'll be redirected to"),
        ("localhost", "Give an app on your device access?", "sent back to the app on this device"),
        ("cursor:", "Give an app on your device access?", "sent back to the app on this device"),
    ],
)
async def test_consent_to_a_client_that_nobody_has_verified(
    http: httpx.AsyncClient,
    people: People,
    world: FakeServices,
    app: Tenant,
    host: str,
    heading: str,
    back: str,
) -> None:
    """The page leads with the host. The name that the client gave itself is only quoted, and no picture of it is
    loaded."""
    people.authorization = Authorization(
        kind="consent",
        request="r1",
        client_name=host,
        claimed_name="Bank (bank.com)",
        redirects_to=host,
        scopes=["openid"],
    )
    await signed_in(http, world, app)
    page = html.unescape((await http.get("/oauth2/authorize?client_id=c")).text)

    assert heading in re.sub("[\u2066-\u2069]", "", page)
    assert back in page
    assert page.count("Bank (bank.com)") == 1
    assert "It calls itself" in page.partition("Bank (bank.com)")[0]
    assert "Not verified" in page
    assert "Bank" not in page.partition("</h1>")[0]


async def test_consent(
    http: httpx.AsyncClient, people: People, world: FakeServices, app: Tenant
) -> None:
    """The page says who asks for what. Both buttons work."""
    await signed_in(http, world, app)
    people.authorization = Authorization(
        kind="consent",
        request="r1",
        client_name="<b>Notes</b>",
        scopes=["openid", "email", "notes:write"],
        policy_uri="javascript:alert(1)",
    )
    page = await http.get("/oauth2/authorize?client_id=x")
    people.authorization = Authorization(kind="redirect", location="https://rp.example/cb")
    token = TOKEN.search(page.text)
    assert token

    done = await http.post(
        "/oauth2/authorize/resume", data={"csrf": token[1], "request": "r1", "consent": "deny"}
    )

    assert "&lt;b&gt;Notes&lt;/b&gt;" in page.text
    assert "<b>Notes" not in page.text
    assert "javascript:" not in page.text
    assert "See your e-mail address" in page.text
    assert (done.status_code, done.headers["location"]) == (303, "https://rp.example/cb")


async def test_form_post(http: httpx.AsyncClient, people: People) -> None:
    """The page has a form with a visible button, and a script submits it."""
    people.authorization = Authorization(
        kind="form_post",
        location="https://rp.example/cb",
        fields=[("code", "c1"), ("state", '"><script>')],
    )
    answer = await http.get("/oauth2/authorize?client_id=x")

    assert 'action="https://rp.example/cb"' in answer.text
    assert 'name="code" value="c1"' in answer.text
    assert '"><script>' not in answer.text
    assert "form-action" not in answer.headers["content-security-policy"]


async def test_an_authorization_error_is_told_and_not_sent(
    http: httpx.AsyncClient, people: People
) -> None:
    """If the redirect URI is wrong, the error is shown and not sent there."""
    answer = await http.get("/oauth2/authorize?redirect_uri=https://evil.example")

    assert (answer.status_code, "invalid_request" in answer.text) == (400, True)
    assert "location" not in answer.headers


# Settings of the application for visitors


async def test_captcha(
    http: httpx.AsyncClient, people: People, world: FakeServices, app: Tenant
) -> None:
    """Only these pages may load the widget's script and frame, from its origin only. The answer
    goes to the service."""
    captcha = {"verify_url": "https://captcha.example/verify", "site_key": "k1"}
    change_settings(world, app, captcha=captcha)
    people.protection = Protection(
        captcha_site_key="k1", captcha_script_url="https://captcha.example/api.js"
    )
    page = await http.get("/signup")
    other = await http.get("/logout/done")

    robot = await post(http, "/signup", email=EMAIL)
    person = await post(http, "/signup", email=EMAIL, **{"cf-turnstile-response": "human"})

    policy = page.headers["content-security-policy"]
    assert "script-src 'self' https://captcha.example;" in policy
    assert "frame-src https://captcha.example" in policy
    assert "captcha.example" not in other.headers["content-security-policy"] + other.text
    assert ('data-sitekey="k1"' in page.text, "<noscript>" in page.text) == (True, True)
    assert (robot.status_code, person.status_code) == (422, 303)


async def test_proof_of_work(
    http: httpx.AsyncClient, people: People, world: FakeServices, app: Tenant
) -> None:
    """Every form that sends a mail has the challenge. Without an answer no mail is sent."""
    change_settings(world, app, proof_of_work_bits=8, auth_methods=["email_code"])
    people.protection = Protection(proof_challenge="1.abc.mac", proof_bits=8)

    for path in ("/login", "/signup", "/reset"):
        assert 'data-proof="1.abc.mac" data-bits="8"' in (await http.get(path)).text
    robot = await post(http, "/login", email=EMAIL)

    assert (robot.status_code, "human and try again" in robot.text) == (422, True)


async def test_a_link_in_a_browser_that_never_asked(
    http: httpx.AsyncClient, people: People
) -> None:
    """The page says where the link works, and the link is not used up."""
    page = await http.get(f"/login/link?token={LINK}")

    assert ("This is a different browser" in page.text, 'href="/login"' in page.text) == (
        True,
        True,
    )
    assert not any(isinstance(call, SignInWithLink) for call in people.world.bus.calls)


async def test_the_link_of_a_sign_up_says_so(http: httpx.AsyncClient, people: People) -> None:
    """The page says that the link creates an account."""
    await post(http, "/signup", email="new@example.com", password=PASSWORD)

    page = (await http.get(f"/login/link?token={LINK}")).text

    assert "<h1>Create your account</h1>" in page


async def test_without_cookies(http: httpx.AsyncClient, people: People) -> None:
    """A form without any cookie has an error of its own, because reloading would not help. The page
    leads back to the form with its pending request, in each language."""
    token = TOKEN.search((await http.get("/login")).text)
    assert token
    http.cookies.clear()

    form = {"email": EMAIL, "csrf": token[1], "request": "pending"}
    page = await http.post("/login", data=form, headers={"accept": "text/html"})

    assert (page.status_code, "Cookies are off" in page.text) == (403, True)
    assert 'href="/login?request=pending"' in page.text
    assert 'href="/login?request=pending&amp;ui_locales=de"' in page.text


async def test_the_password_page_leads_to_a_new_account(
    http: httpx.AsyncClient, people: People
) -> None:
    """The password page always links to sign-up, so the link tells nothing about the address."""
    await post(http, "/login", email=EMAIL)
    opened = (await http.get("/login/password?request=r1")).text

    assert 'href="/signup?email=ada%40example.com&amp;request=r1"' in opened


WAY_ON = re.compile(r'<form |<a class="button[^"]*" href="/|<p class="below"><a ')


@pytest.mark.parametrize("path", ["/nothing-here", "/oauth2/authorize?redirect_uri=x"])
async def test_an_error_leads_a_stranger_to_signing_in(
    http: httpx.AsyncClient, people: People, path: str
) -> None:
    """An error page links to sign-in, if the visitor has no session."""
    page = (await http.get(path, headers={"accept": "text/html"})).text

    assert 'class="button" href="/login"' in page


# Staying signed in


async def test_the_cookie_ends_with_the_browser_unless_one_chose_to_stay(
    http: httpx.AsyncClient, people: People
) -> None:
    """The box on the sign-in page is not checked at first, and applies to every method."""
    page = (await http.get("/login")).text
    asked = []
    for chosen in ({}, {"remember": "1"}):
        await post(http, "/login", "/login?add=1", email=EMAIL, **chosen)
        await post(http, "/login/password", email=EMAIL, password=PASSWORD)
        await post(http, "/login", "/login?add=1", email=EMAIL, **chosen)
        await post(http, "/login/code/send", "/login/password", email=EMAIL)
        await post(http, "/login/code", code=CODE)
        await post(http, "/login", "/login?add=1", email=EMAIL, **chosen)
        await post(http, "/login/link", f"/login/link?token={LINK}", token=LINK)
        asked += [one.remember for one in people.world.bus.calls if hasattr(one, "remember")]
        people.world.bus.calls.clear()

    assert re.search(r'<input type="checkbox" name="remember" value="1">', page)
    assert asked == [False] * 3 + [True] * 3


@pytest.mark.parametrize("remembered", [True, False])
async def test_how_long_the_cookie_stays(
    http: httpx.AsyncClient, people: People, remembered: bool
) -> None:
    """A cookie without Max-Age ends with the browser (RFC 6265 section 5.3)."""
    begin = people.begin

    def begin_remembered(*args: Any) -> SignedInSession:
        made = begin(*args)
        session = made.full().model_copy(update={"remembered": remembered})
        return made.model_copy(update={"session": session})

    people.begin = begin_remembered  # type: ignore[assignment,method-assign]
    await post(http, "/login", email=EMAIL)
    done = await post(http, "/login/password", email=EMAIL, password=PASSWORD)

    cookie = next(one for one in done.headers.get_list("set-cookie") if "aero2_session=" in one)
    assert ("Max-Age=" in cookie) == remembered


async def test_the_dashboard_offers_no_staying(
    http: httpx.AsyncClient, world: FakeServices
) -> None:
    """The Dashboard does not offer to stay signed in."""
    world.add("dashboard")
    People(world)

    page = await http.get("http://dashboard.localhost:8080/login")

    assert (page.status_code, "remember" in page.text) == (200, False)


# Forged forms


@pytest.mark.parametrize("path", ["/login", "/login/password", "/login/code", "/signup", "/logout"])
async def test_a_form_without_our_token(http: httpx.AsyncClient, people: People, path: str) -> None:
    """A form without the token is refused, at sign-in too (login CSRF)."""
    await http.get("/login")

    answers = [
        await http.post(path, data={"email": EMAIL}),
        await http.post(path, data={"email": EMAIL, "csrf": "x" * 43}),
    ]

    assert [answer.status_code for answer in answers] == [403, 403]


async def test_a_form_from_another_origin(http: httpx.AsyncClient, people: People) -> None:
    """A form from another origin is refused, even with a token."""
    token = TOKEN.search((await http.get("/login")).text)
    assert token

    answer = await http.post(
        "/login",
        data={"email": EMAIL, "csrf": token[1]},
        headers={"origin": "https://evil.example", "accept": "text/html"},
    )

    assert answer.status_code == 403


async def test_anothers_token(http: httpx.AsyncClient, people: People) -> None:
    """The form token of another browser is refused."""
    token = TOKEN.search((await http.get("/login")).text)
    assert token
    http.cookies.clear()
    await http.get("/login")

    answer = await http.post("/login", data={"email": EMAIL, "csrf": token[1]})

    assert answer.status_code == 403


# The account


@pytest.mark.parametrize(
    "path", ["/account", "/account/password", "/account/sessions", "/account/data"]
)
async def test_the_account_is_for_its_owner(
    http: httpx.AsyncClient, people: People, path: str
) -> None:
    """A visitor without a session signs in and comes back to the account."""
    answer = await http.get(path)

    assert answer.status_code == 303
    assert answer.headers["location"] == f"/login?return_to={path.replace('/', '%2F')}"


async def test_profile(
    http: httpx.AsyncClient, people: People, world: FakeServices, app: Tenant
) -> None:
    """A change is saved and confirmed, and the page is in the chosen language."""
    await signed_in(http, world, app)

    saved = await post(http, "/account", name="Ada King", locale="de")
    page = await http.get(saved.headers["location"])

    assert saved.headers["location"] == "/account?done=profile"
    assert ("Ada King" in page.text, "Profile saved." in page.text) == (True, True)


async def test_no_notice_but_ours(
    http: httpx.AsyncClient, people: People, world: FakeServices, app: Tenant
) -> None:
    """The address of a page cannot add a text to it."""
    await signed_in(http, world, app)

    assert "Call%20us" not in (await http.get("/account?done=Call%20us")).text
    assert "Call us" not in (await http.get("/account?done=Call%20us")).text


async def test_password_change(
    http: httpx.AsyncClient, people: People, world: FakeServices, app: Tenant
) -> None:
    """The form asks for the current password first. Afterwards the cookie is a new one."""
    await signed_in(http, world, app)

    wrong = await post(http, "/account/password", current="nope nope", password=PASSWORD)
    right = await post(http, "/account/password", current=PASSWORD, password=PASSWORD + "2")

    assert (wrong.status_code, 'id="current-error"' in wrong.text) == (422, True)
    assert right.headers["location"] == "/account/password?done=password"
    assert "aero2_session=tok" in right.headers["set-cookie"]


async def test_address_change_needs_a_fresh_proof(
    http: httpx.AsyncClient, people: People, world: FakeServices, app: Tenant
) -> None:
    """The page asks for the password, comes back, and mails a code to the new address."""
    await signed_in(http, world, app)
    people.fresh = False
    stale = await post(http, "/account/email", email="new@example.com")
    proved = await post(
        http,
        "/login/confirm",
        stale.headers["location"],
        password=PASSWORD,
        return_to="/account/email",
    )
    mailed = await post(http, "/account/email", email="new@example.com")
    done = await post(http, "/account/email/code", code=CODE)

    assert stale.headers["location"] == "/login/confirm?return_to=%2Faccount%2Femail"
    assert proved.headers["location"] == "/account/email"
    assert mailed.headers["location"] == "/account/email/code"
    assert done.headers["location"] == "/account?done=address"


async def test_the_code_to_a_new_address_can_be_sent_again(
    http: httpx.AsyncClient, people: People, world: FakeServices, app: Tenant
) -> None:
    """The code page has a button that sends the form with the new address again."""
    await signed_in(http, world, app)
    await post(http, "/account/email", email="new@example.com")
    page = await http.get("/account/email/code")

    assert '<form method="post" action="/account/email">' in page.text
    assert '<input type="hidden" name="email" value="new@example.com">' in page.text


async def test_sessions(
    http: httpx.AsyncClient, people: People, world: FakeServices, app: Tenant
) -> None:
    """The page lists devices in words. Every session except this one can be ended."""
    await signed_in(http, world, app)
    page = (await http.get("/account/sessions")).text
    ids = re.findall(r'name="session_id" value="([^"]+)"', page)

    ended = await post(http, "/account/sessions", session_id=ids[0])
    others = await post(http, "/account/sessions/others", "/account/sessions")

    assert ("Firefox on Linux" in page, "Safari on iPhone" in page, len(ids)) == (True, True, 2)
    assert ("3 hours ago" in page, "3 days ago" in page) == (True, True)
    assert (ended.headers["location"], people.revoked) == (
        "/account/sessions?done=revoked",
        [ids[0]],
    )
    assert others.headers["location"] == "/account/sessions?done=others"


async def test_export(
    http: httpx.AsyncClient, people: People, world: FakeServices, app: Tenant
) -> None:
    """The export is a download of one JSON file."""
    await signed_in(http, world, app)

    answer = await post(http, "/account/export", "/account/data")

    assert answer.headers["content-disposition"] == 'attachment; filename="demo-account.json"'
    assert answer.json()["user"]["email"] == EMAIL


async def test_delete(
    http: httpx.AsyncClient, people: People, world: FakeServices, app: Tenant
) -> None:
    """The account is deleted after the address and the right password were entered. Then the user
    is signed out."""
    await signed_in(http, world, app)
    where = "/account/data"

    untyped = await post(http, "/account/delete", where, confirm="yes", password=PASSWORD)
    wrong = await post(http, "/account/delete", where, confirm=EMAIL, password="x")
    gone = await post(http, "/account/delete", where, confirm=EMAIL, password=PASSWORD)

    assert (untyped.status_code, wrong.status_code, gone.status_code) == (422, 422, 200)
    assert "has been deleted" in gone.text
    assert (await http.get("/account")).status_code == 303


async def test_an_account_that_others_need(
    http: httpx.AsyncClient, people: People, world: FakeServices, app: Tenant
) -> None:
    """The last admin reads which organization needs them, and stays signed in."""
    await signed_in(http, world, app)
    named = [{"id": new_id(), "name": "Acme & Co"}]
    said = []
    for problem in (LastAdmin, TeamOwnsApplications):
        people.needed = problem("Acme", organizations=named)
        where = "/account/data"
        kept = await post(http, "/account/delete", where, confirm=EMAIL, password=PASSWORD)
        said.append((kept.status_code, kept.text))

    assert [status for status, _ in said] == [422, 422]
    assert "only admin of Acme &amp; Co. Make" in said[0][1]
    assert "Acme &amp; Co owns applications" in said[1][1]
    assert (await http.get("/account")).status_code == 200


# Several accounts, signing out


async def test_several_accounts(
    http: httpx.AsyncClient, people: People, world: FakeServices, app: Tenant
) -> None:
    """A second account joins the first, and the user can switch. Signing out of one leaves the
    other signed in but not active: the user chooses."""
    await signed_in(http, world, app, email="bob@example.com", name="Bob")
    await post(http, "/login", "/login?add=1", email=EMAIL)
    await post(http, "/login/password", email=EMAIL, password=PASSWORD)
    page = (await http.get("/accounts")).text
    bob = next(one for (_, token), one in world.sessions.items() if token == "t_ada")

    switched = await post(http, "/accounts", session=bob.id)
    active = (await http.get("/accounts")).text
    left = await post(http, "/logout", confirm="1")
    told = (await http.get(left.headers["location"])).text

    assert ("bob@example.com" in page, EMAIL in page) == (True, True)
    assert switched.headers["location"] == "/account"
    assert active.index("active") < active.index(EMAIL)
    assert "Other accounts in this browser are still signed in" in told
    assert people.revoked == ["t_ada"]
    for path in ("/account", "/login"):
        assert (await http.get(path)).headers["location"].startswith("/accounts"), path
    assert EMAIL in (await http.get("/accounts")).text


async def test_signing_in_again_ends_the_session_before(
    http: httpx.AsyncClient, people: People, world: FakeServices, app: Tenant
) -> None:
    """The former cookie is invalid after a new sign-in."""
    before = person(world, app, "t_before")
    http.cookies.set("aero2_session", "t_before", domain="demo.localhost")
    again = people.begin

    def as_the_same(*args: Any) -> SignedInSession:
        made = again(*args)
        session = made.full().model_copy(update={"user_id": before.user_id})
        return made.model_copy(update={"session": session})

    people.begin = as_the_same  # type: ignore[assignment,method-assign]
    await post(http, "/login", "/login?add=1", email=EMAIL)
    await post(http, "/login/password", email=EMAIL, password=PASSWORD)

    assert people.revoked == ["t_before"]


async def test_logout_asks_first(
    http: httpx.AsyncClient, people: People, world: FakeServices, app: Tenant
) -> None:
    """GET changes nothing. POST signs out, on request of all accounts."""
    await signed_in(http, world, app)
    asked = await http.get("/logout")
    still = await http.get("/account")

    left = await post(http, "/logout", all="1")

    assert (asked.status_code, still.status_code, left.status_code) == (200, 200, 303)
    assert (await http.get("/account")).status_code == 303


async def test_logout_by_a_relying_party(
    http: httpx.AsyncClient, people: People, world: FakeServices, app: Tenant
) -> None:
    """The page asks, the user confirms, and the session ends."""
    await signed_in(http, world, app)
    people.ended = LoggedOut(kind="confirm", request="r1", client_name="Notes")

    page = await http.get("/oauth2/logout?client_id=x")
    done = await post(http, "/oauth2/logout", "/oauth2/logout", request="r1")

    assert "Notes wants to sign you out" in page.text
    assert ("Signed out" in done.text, people.revoked) == (True, ["t_ada"])


async def test_logout_goes_back_after_the_frames(
    http: httpx.AsyncClient, people: People, world: FakeServices, app: Tenant
) -> None:
    """The page frames front-channel URIs from their origins only, and then redirects."""
    await signed_in(http, world, app)
    session = world.sessions[app.app_id, "t_ada"]
    people.ended = LoggedOut(
        kind="redirect",
        session_id=session.id,
        location="https://rp.example/bye?state=x",
        frontchannel=["https://rp.example/out?sid=1"],
    )

    answer = await http.get("/oauth2/logout?id_token_hint=x")

    assert "frame-src https://rp.example" in answer.headers["content-security-policy"]
    assert 'src="https://rp.example/out?sid=1"' in answer.text
    assert 'href="https://rp.example/bye?state=x"' in answer.text
    assert people.revoked == ["t_ada"]


# Every page


ORGANIZATION_PAGE = f"/account/organization?org_id={ORGANIZATION}"
PAGES = [
    "/login",
    "/signup",
    "/reset",
    f"/reset?token={LINK}",
    f"/login/link?token={LINK}",
    f"/verify-email?token={LINK}",
    f"/invitation?token={LINK}",
    f"/welcome?token={LINK}",
    f"/accept-org-invite?token={LINK}",
    "/logout/done",
    "/nothing-here",
]
OWN = ["/account", "/account/email", "/account/password", "/account/sessions", "/account/data"]
OWN += ["/account/apps", "/account/organizations", ORGANIZATION_PAGE]
OWN += ["/accounts", "/logout"]


@pytest.mark.parametrize("path", [*PAGES, *OWN])
async def test_every_page(
    http: httpx.AsyncClient, people: People, world: FakeServices, app: Tenant, path: str
) -> None:
    """No page has inline scripts or styles, can be framed, is stored, or sends a referrer. Every
    form is plain and has the token."""
    if path in OWN:
        await signed_in(http, world, app)
    answer = await http.get(path, headers={"accept": "text/html"})
    page, policy = answer.text, answer.headers["content-security-policy"]

    assert answer.headers["content-type"] == "text/html; charset=utf-8"
    assert "unsafe" not in policy
    assert "default-src 'none'" in policy
    assert "frame-ancestors 'none'" in policy
    assert ("form-action 'self'" in policy) == (path.startswith("/account") and path != "/accounts")
    assert answer.headers["referrer-policy"] == "no-referrer"
    assert answer.headers["cache-control"] == "no-store"
    assert not re.search(r"<style|\sstyle=|\son\w+=|javascript:", page)
    assert all("src=" in tag for tag in re.findall(r"<script[^>]*>", page))
    for form in re.findall(r"<form.*?</form>", page, re.DOTALL):
        assert (form.count('name="csrf"'), 'method="post"' in form) == (1, True)
    assert len(re.findall(r"<h1", page)) == 1
    assert WAY_ON.search(page), "a dead end"
    assert answer.headers["content-language"] == "en"
    assert 'lang="en" dir="ltr"' in page


REFUSED: list[tuple[str, str, dict[str, str]]] = [
    ("/login", "/login?request=r1", {"request": "r1", "email": "nope"}),
    ("/login", "/login?return_to=/a%26b", {"return_to": "/a&b", "email": "nope"}),
    ("/login/password", "/login/password?request=r1", {"request": "r1", "password": "x"}),
    ("/login/code/send", "/login/password?request=r1", {"request": "r1", "email": "nope"}),
    ("/login/code", "/login/code?request=r1", {"request": "r1", "code": "000000"}),
    ("/login/link", f"/login/link?token={LINK}", {"token": "other-browser"}),
    ("/login/confirm", "/login/confirm?return_to=/account", {"return_to": "/account"}),
    ("/signup", "/signup?request=r1", {"request": "r1", "email": EMAIL, "password": "short"}),
    ("/signup/code/send", "/login/code?request=r1", {"request": "r1"}),
    ("/invitation", f"/invitation?token={LINK}", {"token": LINK, "password": "short"}),
    ("/welcome", f"/welcome?token={LINK}", {"token": LINK, "email": "nope"}),
    ("/reset", "/reset?request=r1", {"request": "r1", "email": "nope"}),
    ("/reset/code", f"/reset?token={LINK}", {"token": LINK, "password": "short"}),
    ("/reset/code", "/reset/code?request=r1", {"request": "r1", "code": CODE, "password": "short"}),
    ("/accept-org-invite", f"/accept-org-invite?token={LINK}", {"token": LINK}),
    ("/account", "/account", {"name": "n" * 300}),
    ("/account/email", "/account/email", {"email": "nope"}),
    ("/account/email/code", "/account/email/code", {"code": "000000"}),
    ("/account/password", "/account/password", {"current": "x", "password": "y"}),
    ("/account/delete", "/account/data", {"confirm": "no"}),
    ("/account/apps", "/account/apps", {"client_id": "unknown"}),
    ("/account/organizations", "/account/organizations", {"org_id": new_id()}),
    *(
        (f"/account/organization/{act}", ORGANIZATION_PAGE, {"org_id": ORGANIZATION, **fields})
        for act, fields in (
            ("role", {"user_id": MATE, "role": ""}),
            ("remove", {"user_id": new_id()}),
            ("invite", {"email": "nope"}),
            ("resend", {"invitation_id": new_id()}),
            ("revoke", {"invitation_id": new_id()}),
        )
    ),
]
"""A form, its page, and an input that is refused there."""
NEVER_REFUSED = {
    "/login/step-up",
    "/login/step-up/setup",
    "/account/export",
    "/account/passkeys",
    "/impersonation",
    "/impersonation/end",
    "/signup/passkey",
    "/account/sessions",
    "/account/sessions/others",
    "/account/apps/devices",
    "/account/organization/leave",
    "/accounts",
    "/logout",
    "/verify-email",
}
ELSEWHERE = {
    "/account/connections",
    "/account/devices",
    "/account/two-step",
    "/account/two-step/app",
    "/login/confirm/code",
    "/login/confirm/provider",
    "/login/confirm/send",
    "/login/connect",
    "/login/connect/code",
    "/login/connect/send",
    "/login/second-factor",
    "/login/second-factor/cancel",
    "/mfa-setup",
    "/rp/callback/{idp}",
}
"""Forms that `test_provider_pages`, `test_confirm_pages` and the tests of second factors have tests for."""


@pytest.mark.parametrize(("path", "where", "fields"), REFUSED, ids=[one[1] for one in REFUSED])
async def test_another_language_after_an_error_keeps_the_way(
    http: httpx.AsyncClient,
    people: People,
    world: FakeServices,
    app: Tenant,
    path: str,
    where: str,
    fields: dict[str, str],
) -> None:
    """The link to another language keeps the request, the destination and the token."""
    if path.startswith("/acc"):
        await signed_in(http, world, app)
    if path == "/login/confirm":
        await signed_in(http, world, app)
    await post(http, "/login", "/login?add=1", email=EMAIL)
    await post(http, "/login/code/send", "/login/password", email=EMAIL)

    refused = await post(http, path, where, **fields)
    link = LANGUAGE_LINK.search(refused.text)
    assert link
    german = await http.get(html.unescape(link[1]))

    assert (refused.status_code in (403, 422), german.status_code) == (True, 200)
    assert german.headers["content-language"] == "de"
    if path not in ("/login/link", "/accept-org-invite"):  # A refusal ends these flows.
        assert _carried(refused.text) == _carried(german.text)


@pytest.mark.parametrize(
    ("path", "where", "token"),
    [
        ("/login/link", f"/login/link?token={LINK}", "used"),
        ("/verify-email", f"/verify-email?token={LINK}", "used"),
        ("/reset/code", f"/reset?token={LINK}", "used"),
        ("/invitation", f"/invitation?token={LINK}", "used"),
        ("/welcome", f"/welcome?token={LINK}", "used"),
        ("/impersonation", f"/impersonation?token={LINK}", "used"),
    ],
)
async def test_a_spent_link_in_another_language(
    http: httpx.AsyncClient, people: People, path: str, where: str, token: str
) -> None:
    """The page says in that language that the link is used, or offers a new one. It never shows the
    button again."""
    await http.get("/login")
    spent = await post(http, path, where, token=token, password=PASSWORD, email=EMAIL)
    link = LANGUAGE_LINK.search(spent.text)
    assert link
    german = await http.get(html.unescape(link[1]))

    assert spent.status_code == 410
    assert ("Dieser Link funktioniert nicht mehr" in german.text) == (path != "/reset/code")
    assert german.status_code == (200 if path == "/reset/code" else 410)


def test_every_form_is_among_them() -> None:
    """A new form has to be added to the refused ones, or listed as one that is never refused."""
    forms = {
        route.path for routes in ROUTE_SETS for route in routes.routes if route.method == "POST"
    }

    assert forms == {path for path, _, _ in REFUSED} | NEVER_REFUSED | ELSEWHERE


def _carried(page: str) -> set[tuple[str, str]]:
    hidden = set(re.findall(r'type="hidden" name="([^"]+)" value="([^"]*)"', page))
    return {(name, value) for name, value in hidden if name not in ("csrf", "email")}


@pytest.mark.parametrize("host", ["%2fevil.example", "%5cevil.example", "%2F%2Fevil.example"])
async def test_an_error_page_links_nowhere_else(
    http: httpx.AsyncClient, people: People, host: str
) -> None:
    """The path is written as it came, without decoding. Otherwise `/%2f` would become `//` and name
    another host."""
    for url in (f"/{host}/x", f"//{host}/x"):
        target = httpx.URL("http://demo.localhost:8080").copy_with(raw_path=url.encode())
        page = await http.get(target, headers={"accept": "text/html"})
        assert page.status_code == 404
        for link in re.findall(r'href="([^"]*)"', page.text):
            assert not re.match(r"[/\\\\]{2}|/%2f|/%5c", link, re.IGNORECASE)


async def test_another_language_of_a_request_with_repeated_parameters(
    http: httpx.AsyncClient, people: People, world: FakeServices, app: Tenant
) -> None:
    """No value of a repeated parameter is lost (RFC 8707 repeats `resource`)."""
    await signed_in(http, world, app)
    people.authorization = Authorization(kind="consent", request="r1", client_name="Notes")
    page = await http.get("/oauth2/authorize?resource=urn:a&resource=urn:b&ui_locales=en")

    link = LANGUAGE_LINK.search(page.text)

    assert link
    assert html.unescape(link[1]) == (
        "/oauth2/authorize?resource=urn%3Aa&resource=urn%3Ab&ui_locales=de"
    )


@pytest.mark.parametrize("path", [*PAGES, *OWN])
async def test_every_page_in_german(
    http: httpx.AsyncClient, people: People, world: FakeServices, app: Tenant, path: str
) -> None:
    """If the address asks for German, the page and the next one are in German."""
    if path in OWN:
        await signed_in(http, world, app)
    joint = "&" if "?" in path else "?"
    headers = {"accept": "text/html"}
    asked = await http.get(f"{path}{joint}ui_locales=de-AT%20en", headers=headers)
    after = await http.get(path, headers=headers)

    assert 'lang="de"' in asked.text
    assert 'lang="de"' in after.text
    assert "About this page" not in asked.text


@pytest.mark.parametrize(
    ("cookie", "user", "accept", "app_default", "expected"),
    [
        (None, None, None, "de", "de"),
        (None, None, "en", "de", "en"),
        (None, "de", "en", "en", "de"),
        ("en", "de", "de", "de", "en"),
    ],
)
async def test_whose_language_counts(
    http: httpx.AsyncClient,
    people: People,
    world: FakeServices,
    app: Tenant,
    cookie: str | None,
    user: str | None,
    accept: str | None,
    app_default: str,
    expected: str,
) -> None:
    """The chosen language comes first, then the user's, the browser's and the application's."""
    change_settings(world, app, default_locale=app_default)
    await signed_in(http, world, app, locale=user)
    if cookie:
        http.cookies.set("aero2_locale", cookie, domain="demo.localhost")

    page = await http.get("/account", headers={"accept-language": accept} if accept else {})

    assert f'lang="{expected}"' in page.text


async def test_branding_is_harmless(
    http: httpx.AsyncClient, people: People, world: FakeServices, app: Tenant
) -> None:
    """Texts and numbers of a developer are never HTML, CSS or script."""
    evil = '"><script>alert(1)</script>'
    world.tenants[app.host] = app.model_copy(
        update={
            "name": evil,
            "branding": Branding(
                logo_url="https://cdn.example/logo.svg",
                favicon_url="javascript:alert(1)",
                primary_color="red;}</style><script>",
                homepage_url="javascript:alert(1)",
                terms_url="https://evil.example; script-src *",
                support_email=evil,
            ),
        }
    )

    answer = await http.get("/login")

    assert "<script>" not in answer.text
    assert "javascript:" not in answer.text
    assert "/brand/1f5fd6.css" in answer.text
    policy = answer.headers["content-security-policy"]
    assert "img-src 'self' https://cdn.example;" in policy
    assert "evil.example" not in policy


HOSTILE = '</p><a href="https://evil.example">Sign in</a><script>x</script>{{ app }}'


async def test_own_texts(
    http: httpx.AsyncClient, people: People, world: FakeServices, app: Tenant
) -> None:
    """An application's texts are on the named pages, in their language, escaped and cut. The page
    keeps its own texts, and other applications do not show them."""
    other = world.add("other")
    texts = {
        "sign_in_heading": "Club entrance",
        "sign_in_text": HOSTILE + "x" * 1000,
        "sign_up_heading": "Join the club",
        "signed_out_text": "See you soon.",
        "footer_text": "Open all day",
    }
    change_settings(world, app, page_texts={"en": texts})
    sign_in = (await http.get("/login")).text
    sign_up = (await http.get("/signup")).text
    signed_out = (await http.get("/logout/done")).text
    german = (await http.get("/login?ui_locales=de")).text
    elsewhere = (await http.get(f"http://{other.host}/login?ui_locales=en")).text

    assert ("<h1>Club entrance</h1>" in sign_in, "to continue to" in sign_in) == (True, True)
    assert html.escape(HOSTILE, quote=False).replace('"', "&#34;") in sign_in
    assert ("x" * 301 in sign_in, "<script>x" in sign_in) == (False, False)
    assert ("<h1>Join the club</h1>" in sign_up, "Open all day" in sign_up) == (True, True)
    assert "signed out of" in signed_out
    assert "See you soon." in signed_out
    for page in (german, elsewhere):
        assert not any(text in page for text in ("Club", "evil", "Open all day"))


async def test_the_icon_of_an_application(http: httpx.AsyncClient, people: People) -> None:
    """The icon is a letter in the brand colour if the application has none. Only a letter is used."""
    page = (await http.get("/login")).text
    icon = await http.get("/brand/e11d48.svg?letter=%C3%84")
    markup = [await http.get("/brand/e11d48.svg", params={"letter": x}) for x in ("<", "ab", "")]
    none = await http.get("/brand/red.svg?letter=A")

    assert '<link rel="icon" href="/brand/1f5fd6.svg?letter=D">' in page
    assert (icon.headers["content-type"], ">Ä</text>" in icon.text) == ("image/svg+xml", True)
    assert "immutable" in icon.headers["cache-control"]
    assert all("></text>" in answer.text for answer in markup)
    assert none.status_code == 404


async def test_assets(http: httpx.AsyncClient, people: People) -> None:
    """An asset is named by its content and cached for a year. Another version is cached for a short
    time. A path cannot leave the folder."""
    page = (await http.get("/login")).text
    sheet = re.search(r'href="(/static/hosted.css\?v=[0-9a-f]+)"', page)
    assert sheet

    kept = await http.get(sheet[1])
    old = await http.get("/static/hosted.css?v=0")
    brand = await http.get("/brand/e11d48.css")
    odd = [
        await http.get(path)
        for path in ("/static/..%2fassets.py", "/static/x", "/brand/red.css", "/brand/e11d48.css.x")
    ]

    assert "immutable" in kept.headers["cache-control"]
    assert "immutable" not in old.headers["cache-control"]
    assert kept.headers["content-encoding"] == "gzip"
    assert brand.text.startswith("@layer brand{:root{--hue:")
    assert [answer.status_code for answer in odd] == [404] * 4


async def test_an_error_is_a_page_for_people(http: httpx.AsyncClient, people: People) -> None:
    """A browser gets a page with a reference, and a program gets a problem document."""
    page = await http.get("/nothing", headers={"accept": "text/html,*/*"})
    document = await http.get("/nothing", headers={"accept": "application/json"})
    api = await http.get("/api/nothing", headers={"accept": "text/html"})

    assert (page.status_code, "Page not found" in page.text) == (404, True)
    assert re.search(r"<code>[0-9a-f]{32}</code>", page.text)
    assert document.headers["content-type"] == "application/problem+json"
    assert api.headers["content-type"] == "application/problem+json"


async def test_a_service_away(
    http: httpx.AsyncClient, people: People, gateway_app: GatewayApp
) -> None:
    """The form says so and keeps its input. A page says when to try again."""
    await post(http, "/login", email=EMAIL)
    del people.world.bus.handlers[SignInWithPassword]
    del people.world.bus.handlers[Authorize]

    form = await post(http, "/login/password", email=EMAIL, password=PASSWORD)
    page = await http.get("/oauth2/authorize?client_id=x", headers={"accept": "text/html"})

    assert (form.status_code, "The service is busy" in form.text) == (503, True)
    assert form.headers["retry-after"] == "1"
    assert (page.status_code, page.headers["retry-after"]) == (503, "1")


@pytest.mark.parametrize("junk", ["x", "e30", "W10", "eyJmbG93Ijo1fQ", "%00", "a" * 3000])
async def test_an_invalid_flow_cookie(http: httpx.AsyncClient, people: People, junk: str) -> None:
    """An invalid flow cookie does not break the page."""
    http.cookies.set("aero2_trail", junk, domain="demo.localhost")

    assert (await http.get("/login")).status_code == 200
    assert (await http.get("/login/code")).status_code == 303


# Names in another writing direction

HEBREW = "\u05d7\u05e0\u05d5\u05ea 7"
ISOLATED = f"\u2068{HEBREW}\u2069"
ASSIGNED = re.compile(r"{% trans ([^%]*=[^%]*)%}")


async def test_a_name_of_another_direction_is_isolated(
    http: httpx.AsyncClient, people: People, world: FakeServices, app: Tenant
) -> None:
    """In titles, headings and sentences a name is isolated, so that it moves no number or
    punctuation."""
    world.tenants[app.host] = app.model_copy(update={"name": HEBREW})
    sign_in = (await http.get("/login")).text
    assert f"to continue to {ISOLATED}" in sign_in
    assert f"· {ISOLATED}</title>" in sign_in
    link = (await http.get(f"/login/link?token={LINK}")).text
    assert f"<h1>Sign in to {ISOLATED}</h1>" in link

    await signed_in(http, world, world.tenants[app.host])
    people.authorization = Authorization(
        kind="consent", request="r", client_id="c", client_name=HEBREW, scopes=["openid"]
    )
    consent = (await http.get("/oauth2/authorize?client_id=c")).text
    assert f"<h1>Give {ISOLATED} access?</h1>" in consent
    assert f"<bdi>{HEBREW}</bdi>" in consent


def test_every_name_in_a_sentence_is_isolated() -> None:
    """Every value in a sentence of a template goes through a filter that isolates it."""
    for path in TEMPLATES.rglob("*.html"):
        for listed in ASSIGNED.findall(path.read_text()):
            for one in listed.split(", "):
                safe = one.strip().endswith(("|isolate", "|bold", "|as_typed")) or ".time(" in one
                safe = safe or one.strip().startswith(("num=", "link="))  # a number, an address
                assert safe, f"{path.name}: {one}"
