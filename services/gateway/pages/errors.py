"""Errors as pages: what happened, what to do, and a reference for support."""

from __future__ import annotations

from base64 import b64encode
from hashlib import sha256
from typing import Final

from markupsafe import escape

from common.contracts.oauth_errors import InvalidRequestUri, SignInOver, UnusableClientDocument
from common.contracts.sign_in import SsoRequired
from common.message_ids import N_
from common.problems import Impersonating, Problem, RateLimited
from gateway.admission.admission import admission_of
from gateway.http import csrf
from gateway.http.request import GatewayRequest
from gateway.http.response import GatewayResponse, html_response, problem_response
from gateway.pages import client_document_error, pending_requests, sso_required
from gateway.pages.branding import origin_of
from gateway.pages.languages import OFFERED, first_of, language
from gateway.pages.render import PageView, open_page
from gateway.state import Gateway

WORDS: Final[dict[int, tuple[str, str]]] = {
    400: (
        N_("This request isn't valid"),
        N_("Go back and try again. If it happens again, contact support."),
    ),
    401: (N_("You're not signed in"), N_("Sign in and try again.")),
    403: (
        N_("This isn't allowed"),
        N_(
            "You may not have permission, or the page is out of date. Go back, reload it and try again."
        ),
    ),
    404: (N_("Page not found"), N_("This page doesn't exist. Check the address and try again.")),
    405: (N_("Page not found"), N_("This page doesn't exist. Check the address and try again.")),
    410: (N_("This is no longer available"), N_("It was already used or has expired.")),
    412: (N_("Changed meanwhile"), N_("Somebody else was faster. Go back, reload and try again.")),
    413: (N_("That's too much data"), N_("Go back, shorten what you entered and try again.")),
    422: (N_("Some details aren't valid"), N_("Go back, check what you entered and try again.")),
    429: (N_("Too many attempts"), N_("Wait a moment and try again.")),
    503: (
        N_("Temporarily unavailable"),
        N_("This part of the service isn't available right now. Try again in a moment."),
    ),
    504: (N_("This took too long"), N_("The server didn't answer in time. Try again in a moment.")),
}
OTHERWISE: Final = (N_("Something went wrong"), N_("We've logged it. Try again in a moment."))
NO_COOKIES: Final = (
    N_("Cookies are off"),
    N_(
        "Signing in needs cookies, but your browser sent none. Allow cookies for this site, then try again."
    ),
)
"""For a form without the browser's cookie. It is refused like one of another site, and reloading does
not help."""

REFUSED: Final[dict[type[Problem], str]] = {
    Impersonating: N_(
        "You act as this user, and only they can do this. End the impersonation first."
    ),
}
"""Sentences for calls that are refused because of who the caller is."""


def page_or_problem(gateway: Gateway, request: GatewayRequest, error: Problem) -> GatewayResponse:
    """Returns a page if a person asks with a browser, else a problem document."""
    if _is_person(gateway, request):
        return problem_page(gateway, request, error)
    return problem_response(error, request)


def _is_person(gateway: Gateway, request: GatewayRequest) -> bool:
    """Returns whether a browser asks for HTML, and not for something of the API."""
    if request.path.startswith("/api/") or request.host == f"api.{gateway.settings.domain}":
        return False
    return "text/html" in (request.header(b"accept") or "")


def problem_page(gateway: Gateway, request: GatewayRequest, error: Problem) -> GatewayResponse:
    """Returns the problem as a page. Without an application, and in a flood, it has no brand."""
    if request.tenant is None or admission_of(request).flooded:
        response = _bare_page(request, error)
    else:
        page = open_page(gateway, request)
        heading, says = WORDS.get(error.status, OTHERWISE)
        says = REFUSED.get(type(error), says)
        if isinstance(error, csrf.CrossSite) and not csrf.has_browser_id(gateway.settings, request):
            heading, says = NO_COOKIES
        form_page = request.state.form_page
        way = (form_page, page.translate("Go back")) if form_page else None
        heading, says = page.translate(heading), page.translate(says)
        if isinstance(error, SsoRequired):
            heading, says, way = sso_required.explanation(page, error, otherwise=way)
        response = _page(
            page,
            error.status,
            heading,
            says,
            way=way,
            address=form_page,
        )
    if isinstance(error, RateLimited) or error.status == 503:
        seconds = max(1, int(error.extra.get("retry_after", 1)))
        response.headers.append((b"retry-after", str(seconds).encode()))
    return response


async def sign_in_over(
    gateway: Gateway, request: GatewayRequest, pending: str | None
) -> GatewayResponse | None:
    """Returns the page that says that a pending request is over, with the way back to the client.
    Returns None while it waits, or without a request."""
    if not pending:
        return None
    state = await pending_requests.state_of(gateway, request, pending)
    if state.pending:
        return None
    page, link = open_page(gateway, request), state.client_link
    way = None
    if link and origin_of(link):
        name = state.client_name or request.app.name
        way = (link, page.translate("Continue to %(client)s", client=name))
    return authorization_error(page, SignInOver.code, None, way=way)


def authorization_error(
    page: PageView,
    error: str | None,
    description: str | None,
    *,
    way: tuple[str, str] | None = None,
) -> GatewayResponse:
    """Returns an error of the authorization endpoint that goes to the user, not to the client (RFC 6749
    section 4.1.2.1)."""
    if error in (SignInOver.code, InvalidRequestUri.code):
        says = page.translate(
            "It was already finished or took too long. Go back to the application and sign in again "
            "if it asks you to."
        )
        return _page(page, 400, page.translate("This sign-in has ended"), says, way=way)
    if error == UnusableClientDocument.code:
        heading, says = client_document_error.heading_and_text(page)
        return _page(page, 400, heading, says, detail=description or "")
    return _page(
        page,
        400,
        page.translate("This sign-in request isn't valid"),
        page.translate(
            "There's a problem with the app that sent you here. Go back and try again, or contact "
            "its developer:"
        ),
        detail=": ".join(filter(None, [error, description])),
    )


def logout_refused(page: PageView, error: str | None, description: str | None) -> GatewayResponse:
    """Returns an error of the logout endpoint: nobody was signed out, and how the user can sign out."""
    return _page(
        page,
        400,
        page.translate("This sign-out request isn't valid"),
        page.translate(
            "There's a problem with the app that sent you here. You can still sign out here."
        ),
        detail=": ".join(filter(None, [error, description])),
        way=("/logout", page.translate("Sign out")),
    )


def _page(
    page: PageView,
    status: int,
    heading: str,
    says: str,
    *,
    detail: str = "",
    way: tuple[str, str] | None = None,
    address: str | None = None,
) -> GatewayResponse:
    """Renders the page. Its button leads to `way`, else to the account if the browser has a session
    cookie, else to the sign-in page. `address` is where a GET leads in another language."""
    signed_in = page.request.cookie(page.gateway.settings.session_cookie) is not None
    account = ("/account", page.translate("Your account"))
    link, button = way or (account if signed_in else ("/login", page.translate("Sign in")))
    return page.show(
        "error.html",
        status,
        heading=heading,
        says=says,
        detail=detail,
        reference=page.request.trace_id,
        link=link,
        button=button,
        address=address,
    )


BARE: Final = """
:root { color-scheme: light dark; font: 1rem/1.5 system-ui, sans-serif }
body { max-width: 32rem; margin: 12vh auto 0; padding: 0 1.5rem; overflow-wrap: anywhere }
h1 { font-size: 1.25rem; line-height: 1.3; text-wrap: balance }
"""
"""The style of a page without an application: there is no host to fetch a stylesheet from."""
BARE_POLICY: Final = (
    f"default-src 'none'; style-src 'sha256-{b64encode(sha256(BARE.encode()).digest()).decode()}'; "
    "base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)
NOBODY: Final = (
    N_("No application here"),
    N_(
        "There's no application at this address. Check the address, or ask the person who gave it to you."
    ),
)


def _bare_page(request: GatewayRequest, error: Problem) -> GatewayResponse:
    """Returns a page without an application's name, colours and texts."""
    spoken = language(first_of(request.header(b"accept-language")) or OFFERED[0])
    heading, says = NOBODY if error.status == 404 else WORDS.get(error.status, OTHERWISE)
    text = f"""<!doctype html>
<html lang="{spoken.code}" dir="{spoken.direction}">
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="robots" content="noindex">
<title>{escape(spoken.translate(heading))}</title>
<style>{BARE}</style>
<main>
<h1>{escape(spoken.translate(heading))}</h1>
<p>{escape(spoken.translate(says))}</p>
<p><small>{escape(spoken.translate("If you contact support, include this reference:"))}
<code>{request.trace_id}</code></small></p>
</main>
</html>
"""
    headers = {
        "content-security-policy": BARE_POLICY,
        "content-language": spoken.code,
        "cache-control": "no-store",
    }
    return html_response(text, error.status, headers)
