"""The browser's half of /oauth2/authorize: it does what the oidc service says.

A pending request waits at oidc under a name, which travels through the sign-in pages as `request`;
`/oauth2/authorize/resume` goes on with it.
"""

from __future__ import annotations

from urllib.parse import urlencode

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from common.contracts.oidc import Authorization, Authorize, Params, ResumeAuthorization
from common.problems import BadRequest
from gateway import browser, csrf, forms
from gateway.callers import session_of
from gateway.pages import render
from gateway.visit import Visit


async def authorize(request: Request) -> Response:
    """GET or POST /oauth2/authorize (RFC 6749 section 3.1, OpenID Connect Core 3.1.2.1)"""
    visit: Visit = request.scope["visit"]
    params = forms.query(visit) if visit.method == "GET" else await forms.form(visit)
    session = browser.facts(await session_of(visit))
    asked = Authorize(params=params, session=session)
    return follow(visit, await visit.gateway.bus.call(visit.context(), asked))


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
    asked = ResumeAuthorization(
        request=fields.get("request", ""),
        session=browser.facts(await session_of(visit)),
        consent=consent,
    )
    return follow(visit, await visit.gateway.bus.call(visit.context(), asked))


def follow(visit: Visit, what: Authorization) -> Response:
    """Do what the authorization endpoint decided."""
    if what.kind == "redirect":
        assert what.location is not None
        return render.go(what.location)
    if what.kind == "form_post":
        return render.page(
            visit,
            "form_post.html",
            location=what.location,
            fields=what.fields,
            form_action=_origin(what.location or ""),
        )
    if what.kind == "consent":
        return render.page(visit, "consent.html", asked=what)
    if what.kind == "error":
        return render.page(
            visit, "error.html", 400, title=what.error, detail=what.error_description
        )
    carried: Params = [("request", what.request or "")]
    if what.login_hint:
        carried.append(("email", what.login_hint))
    if what.ui_locales:
        carried.append(("ui_locales", what.ui_locales))
    if what.reauthenticate:
        carried.append(("again", "1"))
    page = "/accounts" if what.kind == "select_account" else "/login"
    return render.go(f"{page}?{urlencode(carried)}")


def _origin(url: str) -> str:
    """What the page's policy allows its form to be sent to: that one origin."""
    scheme, _, rest = url.partition("://")
    return f"{scheme}://{rest.partition('/')[0]}"


ROUTES = [
    Route("/oauth2/authorize", authorize, methods=["GET", "POST"]),
    Route("/oauth2/authorize/resume", resume, methods=["GET", "POST"]),
]
