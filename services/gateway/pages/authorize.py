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

from common.contracts.oidc import Authorization, Authorize, ResumeAuthorization
from common.problems import BadRequest, TooLarge
from gateway import browser, csrf, forms
from gateway.callers import session_of
from gateway.languages import N_
from gateway.limits import KEPT, network
from gateway.pages import errors, trail
from gateway.pages.forms import at
from gateway.pages.render import Page, go, open_page, origin_of
from gateway.state import Signed
from gateway.visit import Visit

LONGEST: Final = 6000
"""Bytes of parameters that fit into an address; what is longer waits at oidc."""
LARGEST: Final = 32_768
"""Bytes of parameters at all: they are kept while the person signs in, and anybody may send them."""

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
    visit: Visit = request.scope["visit"]
    if visit.method == "POST":
        return await _posted(visit)
    signed = await session_of(visit)
    asked = Authorize(params=forms.query(visit), session=browser.facts(signed))
    return await _begin(visit, signed, asked)


async def _posted(visit: Visit) -> Response:
    """Posted from another site, the browser kept its cookies (SameSite=Lax) to itself; it brings
    them along to where it is sent."""
    params = await forms.form(visit)
    query = urlencode(params)
    if len(query) > LARGEST:
        raise TooLarge("the parameters are too large")
    if len(query) <= LONGEST:
        return go(f"/oauth2/authorize?{query}")
    return await _begin(visit, None, Authorize(params=params, unseen=True))


async def _begin(visit: Visit, signed: Signed | None, asked: Authorize) -> Response:
    """What waits at oidc is counted: anybody may make it wait."""
    limits = visit.gateway.limits
    whom = signed.session.user_id if signed else network(visit.ip)
    limits.spend(visit, KEPT, whom)
    kept = None
    try:
        what = await visit.gateway.bus.call(visit.context(), asked)
        kept = what.request
    finally:
        if kept is None:
            limits.give(visit, KEPT, whom)
    return follow(visit, signed, what)


async def resume(request: Request) -> Response:
    """GET /oauth2/authorize/resume: after signing in. POST: with the person's decision."""
    visit: Visit = request.scope["visit"]
    consent = None
    if visit.method == "POST":
        fields = forms.once(await forms.form(visit))
        csrf.check_form(visit, fields.get("csrf"))
        consent = fields.get("consent")
        if consent not in ("allow", "deny"):
            raise BadRequest("say whether you allow it")
    else:
        fields = forms.once(forms.query(visit))
    signed = await session_of(visit)
    asked = ResumeAuthorization(
        request=fields.get("request", ""),
        session=browser.facts(signed),
        consent=consent,
        selected=fields.get("selected") == "1",
    )
    return follow(visit, signed, await visit.gateway.bus.call(visit.context(), asked))


def follow(visit: Visit, signed: Signed | None, what: Authorization) -> Response:
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
    trail.write(visit, client=what.client_name or "", request=what.request or "")
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
    site = urlsplit(what.client_uri).netloc if what.client_uri else None
    return page.show(
        "consent.html",
        carried={"request": what.request},
        client=what.client_name or what.client_id,
        asks=[(sign, page.say(sentence)) for sign, sentence in known] + other,
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
