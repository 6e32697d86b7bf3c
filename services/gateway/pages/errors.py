"""Errors as pages: what happened, what to do, and a reference for whoever is asked for help."""

from __future__ import annotations

from base64 import b64encode
from hashlib import sha256
from typing import Final

from markupsafe import escape
from starlette.responses import HTMLResponse, Response

from common.contracts.authorization import AuthorizationState, GetAuthorizationState
from common.contracts.oauth_errors import SignInOver
from common.problems import Problem, RateLimited
from gateway.http import csrf
from gateway.http.request import GatewayRequest
from gateway.pages.languages import N_, OFFERED, first_of, language
from gateway.pages.render import Page, open_page, origin_of

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
    413: (N_("That's too much data"), N_("Go back, shorten what you entered and try again.")),
    422: (N_("Some details aren't valid"), N_("Go back, check what you entered and try again.")),
    429: (N_("Too many attempts"), N_("Wait a moment and try again.")),
    503: (
        N_("Temporarily unavailable"),
        N_("This part of the service isn't available right now. Try again in a moment."),
    ),
    504: (N_("This took too long"), N_("The server didn't answer in time. Try again in a moment.")),
}
OTHERWISE: Final = (
    N_("Something went wrong"),
    N_("We've logged it. Try again in a moment."),
)
NO_COOKIES: Final = (
    N_("Cookies are off"),
    N_(
        "Signing in needs cookies, but your browser sent none. Allow cookies for this site, then try again."
    ),
)
"""A form without our cookie is refused as another site's would be; reloading does not help."""


LONGEST_NAME: Final = 200
"""Characters of a pending request's name, as its contract has it."""


def problem(visit: GatewayRequest, error: Problem) -> Response:
    """A problem for a person."""
    had_cookies = csrf.known_browser(visit)
    if visit.tenant is None or "flood" in visit.facts:
        response = _bare(visit, error)
    else:
        page = open_page(visit)
        heading, says = WORDS.get(error.status, OTHERWISE)
        if isinstance(error, csrf.CrossSite) and not had_cookies:
            heading, says = NO_COOKIES
        response = _page(page, error.status, page.say(heading), page.say(says))
    if isinstance(error, RateLimited) or error.status == 503:
        response.headers["retry-after"] = str(max(1, int(error.extra.get("retry_after", 1))))
    return response


async def sign_in_over(visit: GatewayRequest, request: str | None) -> Response | None:
    """The page that says a pending request is over, with the way back to the application; None
    while it waits, or without a request."""
    if not request:
        return None
    state = AuthorizationState(pending=False)
    if len(request) <= LONGEST_NAME:
        call = GetAuthorizationState(request=request)
        state = await visit.gateway.bus.call(visit.context(), call)
    if state.pending:
        return None
    page, link = open_page(visit), state.client_link
    way = None
    if link and origin_of(link):
        name = state.client_name or visit.app.name
        way = (link, page.say("Continue to %(client)s", client=name))
    return told(page, SignInOver.code, None, way=way)


def told(
    page: Page,
    error: str | None,
    description: str | None,
    *,
    way: tuple[str, str] | None = None,
) -> Response:
    """What the authorization endpoint may tell only the person (RFC 6749 section 4.1.2.1)."""
    if error == SignInOver.code:
        says = page.say(
            "It was already finished or took too long. Go back to the application and sign in again "
            "if it asks you to."
        )
        return _page(page, 400, page.say("This sign-in has ended"), says, way=way)
    return _page(
        page,
        400,
        page.say("This sign-in request isn't valid"),
        page.say(
            "There's a problem with the app that sent you here. Go back and try again, or contact "
            "its developer:"
        ),
        ": ".join(filter(None, [error, description])),
    )


def logout_refused(page: Page, error: str | None, description: str | None) -> Response:
    """What the logout endpoint tells only the person: nobody was signed out, and how they can be."""
    return _page(
        page,
        400,
        page.say("This sign-out request isn't valid"),
        page.say("There's a problem with the app that sent you here. You can still sign out here."),
        ": ".join(filter(None, [error, description])),
        way=("/logout", page.say("Sign out")),
    )


def _page(
    page: Page,
    status: int,
    heading: str,
    says: str,
    detail: str = "",
    *,
    way: tuple[str, str] | None = None,
) -> Response:
    """Leads on to `way`, else to the account if the browser has a session cookie, else to signing in."""
    signed_in = page.visit.gateway.settings.session_cookie in page.visit.cookies
    account = ("/account", page.say("Your account"))
    link, button = way or (account if signed_in else ("/login", page.say("Sign in")))
    return page.show(
        "error.html",
        status,
        heading=heading,
        says=says,
        detail=detail,
        reference=page.visit.trace[3:35],
        link=link,
        button=button,
    )


BARE: Final = """
:root { color-scheme: light dark; font: 1rem/1.5 system-ui, sans-serif }
body { max-width: 32rem; margin: 12vh auto 0; padding: 0 1.5rem; overflow-wrap: anywhere }
h1 { font-size: 1.25rem; line-height: 1.3; text-wrap: balance }
"""
"""All the looks of a page that is nobody's: there is no host to fetch a stylesheet from."""
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


def _bare(visit: GatewayRequest, error: Problem) -> Response:
    """No application answers on this host, or it is flooded: nobody's name, colours or words."""
    spoken = language(first_of(visit.header(b"accept-language")) or OFFERED[0])
    heading, says = NOBODY if error.status == 404 else WORDS.get(error.status, OTHERWISE)
    text = f"""<!doctype html>
<html lang="{spoken.code}" dir="{spoken.direction}">
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="robots" content="noindex">
<title>{escape(spoken.say(heading))}</title>
<style>{BARE}</style>
<main>
<h1>{escape(spoken.say(heading))}</h1>
<p>{escape(spoken.say(says))}</p>
<p><small>{escape(spoken.say("If you contact support, include this reference:"))}
<code>{visit.trace[3:35]}</code></small></p>
</main>
</html>
"""
    headers = {
        "content-security-policy": BARE_POLICY,
        "content-language": spoken.code,
        "cache-control": "no-store",
    }
    return HTMLResponse(text, error.status, headers=headers)
