"""The browser's half of /oauth2/authorize: it does what the oidc service says.

A pending request waits at oidc under a name, which travels through the sign-in pages as `request`;
`/oauth2/authorize/resume` goes on with it.
"""

from __future__ import annotations

from typing import Final
from urllib.parse import urlencode, urlsplit

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from common.contracts.authorization import Authorization, Authorize, ResumeAuthorization, SignedIn
from common.contracts.oauth_errors import SignInOver
from common.ip_addresses import client_network
from common.problems import BadRequest, TooLarge
from gateway.admission.flood_limits import PENDING_AUTHORIZATION
from gateway.auth import browser_sessions as browser
from gateway.auth.caller import session_without_rights
from gateway.http import csrf, forms
from gateway.http.request import GatewayRequest
from gateway.pages import changed_session as moved
from gateway.pages import errors, flow_cookie
from gateway.pages.fields import Fields, at
from gateway.pages.languages import N_
from gateway.pages.render import Page, go, open_page, origin_of
from gateway.state import Signed

LONGEST: Final = 6000
"""Bytes of parameters that fit into an address; what is longer waits at oidc."""
LARGEST: Final = 32_768
"""Bytes of parameters at all: they are kept while the person signs in, and anybody may send them."""

DECIDED: Final = ("redirect", "form_post", "consent")
"""What the request comes to once its session is chosen."""

ASKS: Final = {
    "openid": ("person", N_("Identify you")),
    "profile": ("person", N_("See your name, picture and language")),
    "email": ("mail", N_("See your e-mail address")),
    "phone": ("phone", N_("See your phone number")),
    "address": ("mail", N_("See your postal address")),
    "offline_access": ("clock", N_("Stay connected when you're not using it")),
    "account": ("person", N_("Manage your account: profile, sessions and organizations")),
}
"""What the scopes of OpenID Connect Core 5.4 and 11 mean to a person."""


async def authorize(request: Request) -> Response:
    """GET or POST /oauth2/authorize (RFC 6749 section 3.1, OpenID Connect Core 3.1.2.1)"""
    visit: GatewayRequest = request.scope["visit"]
    if visit.method == "POST":
        return await _posted(visit)
    signed = await session_without_rights(visit)
    others = await browser.others(visit, signed)
    asked = Authorize(
        params=forms.query(visit),
        session=browser.facts(signed),
        others=_facts(others),
        choices=browser.choices(visit),
    )
    return await _begin(visit, signed, asked, others)


async def _posted(visit: GatewayRequest) -> Response:
    """Posted from another site, the browser kept its cookies (SameSite=Lax) to itself; it brings
    them along to where it is sent."""
    params = await forms.form(visit)
    query = urlencode(params)
    if len(query) > LARGEST:
        raise TooLarge(f"the parameters can have at most {LARGEST} bytes")
    if len(query) <= LONGEST:
        return go(f"/oauth2/authorize?{query}")
    return await _begin(visit, None, Authorize(params=params, unseen=True), [])


def _facts(others: list[Signed]) -> list[SignedIn]:
    return [facts for one in others if (facts := browser.facts(one)) is not None]


async def _begin(
    visit: GatewayRequest, signed: Signed | None, request: Authorize, others: list[Signed]
) -> Response:
    """What waits at oidc is counted: anybody may make it wait."""
    limits = visit.gateway.limits
    whom = signed.session.user_id if signed else client_network(visit.ip)
    limits.spend(visit, PENDING_AUTHORIZATION, whom)
    kept = None
    try:
        what = await visit.gateway.bus.call(visit.context(), request)
        kept = what.request
    finally:
        if kept is None:
            limits.refund(visit, PENDING_AUTHORIZATION, whom)
    return follow(visit, _session(what, signed, others), what)


def _session(what: Authorization, signed: Signed | None, others: list[Signed]) -> Signed | None:
    """The session that the request goes on with: a hint or a choice may name another one than the
    active."""
    for other in others:
        if other.session.id == what.session_id:
            return other
    return signed


async def resume(request: Request) -> Response:
    """GET /oauth2/authorize/resume: after signing in. POST: with the person's decision."""
    visit: GatewayRequest = request.scope["visit"]
    consent = None
    signed = await session_without_rights(visit)
    others = await browser.others(visit, signed)
    if visit.method == "POST":
        fields = forms.once(await forms.form(visit))
        csrf.check_form(visit, fields.get("csrf"))
        consent = fields.get("consent")
        if consent not in ("allow", "deny"):
            raise BadRequest("consent must be allow or deny")
        token = fields.get("csrf")
        shown = next((one for one in others if csrf.is_of_session(visit, token, one)), signed)
        if shown is not None and shown is not signed:
            others = [*([signed] if signed else []), *(one for one in others if one is not shown)]
            signed = shown
        if signed and not csrf.is_of_session(visit, token, signed):
            again = at("/oauth2/authorize/resume", request=fields.get("request"))
            return moved.changed_session(visit, Fields(), signed, again)
    else:
        fields = forms.once(forms.query(visit))
    asked = ResumeAuthorization(
        request=fields.get("request", ""),
        session=browser.facts(signed),
        others=_facts(others),
        choices=browser.choices(visit),
        consent=consent,
        selected=fields.get("selected") == "1",
    )
    what = await visit.gateway.bus.call(visit.context(), asked)
    if what.error == SignInOver.code:
        over = await errors.sign_in_over(visit, asked.request)
        if over is not None:
            return over
    if others and what.kind in DECIDED and what.client_id and what.session_id:
        browser.remember(visit, what.client_id, what.session_id)
    return follow(visit, _session(what, signed, others), what)


def follow(visit: GatewayRequest, signed: Signed | None, what: Authorization) -> Response:
    """Do what the authorization endpoint decided."""
    if what.kind == "redirect":
        assert what.location is not None
        return go(what.location)
    if what.kind == "resume":
        return go(at("/oauth2/authorize/resume", request=what.request))
    page = open_page(visit, signed, away=True, ui_locales=what.ui_locales)
    if what.kind == "form_post":
        return page.show(
            "post.html", action=what.location, fields=what.fields, client=what.client_name
        )
    if what.kind == "error":
        return errors.told(page, what.error, what.error_description)
    if what.kind == "consent" and signed is not None:
        return _consent(page, what)
    flow_cookie.write(visit, client=what.client_name or "", request=what.request or "")
    return go(
        at(
            "/accounts" if what.kind == "select_account" else "/login",
            request=what.request,
            email=what.login_hint,
            again="1" if what.reauthenticate else None,
            way=what.way,
        )
    )


def _consent(page: Page, what: Authorization) -> Response:
    known = [ASKS[scope] for scope in what.scopes if scope in ASKS]
    other = [("key", scope) for scope in what.scopes if scope not in ASKS]
    apis = [
        ("key", page.say(N_("Use %(api)s on your behalf"), api=name)) for name in what.resources
    ]
    site = urlsplit(what.client_uri).netloc if what.client_uri else None
    return page.show(
        "consent.html",
        carried={"request": what.request},
        client=what.client_name or what.client_id,
        asks=[(sign, page.say(sentence)) for sign, sentence in known] + other + apis,
        site=site,
        policy_uri=_web(what.policy_uri),
        tos_uri=_web(what.tos_uri),
        switch=at("/accounts", request=what.request),
    )


def _web(url: str | None) -> str | None:
    return url if url and origin_of(url) else None


ROUTES = [
    Route("/oauth2/authorize", authorize, methods=["GET", "POST"]),
    Route("/oauth2/authorize/resume", resume, methods=["GET", "POST"]),
]
