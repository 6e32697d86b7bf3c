"""Cross-site request forgery: where a cookie speaks for the browser, the browser must say from
where it speaks.

Pages carry a form token bound to a cookie of the browser, which also covers signing in. JSON
calls with a cookie need an Origin, Referer or Sec-Fetch-Site of this host or of an origin that the
application allows. Calls with a bearer token or key are exempt: no browser adds those by itself.
"""

from __future__ import annotations

import hmac
import secrets
from hmac import compare_digest
from urllib.parse import urlsplit

from common.crypto import b64url
from common.problems import Forbidden
from gateway.visit import Visit, parse_cookies, set_cookie

SAFE = frozenset({"GET", "HEAD", "OPTIONS"})
YEAR = 31_536_000
"""Seconds."""


class CrossSite(Forbidden):
    """A request of another site, or a form that was not ours."""

    code, title = "cross_site", "This request came from another site. Go back and try again."


def browser_id(visit: Visit) -> str:
    """The browser's own random name; made, and set as a cookie, on first sight."""
    settings = visit.gateway.settings
    known = visit.cookies.get(settings.browser_cookie, "")
    if 20 <= len(known) <= 64:
        return known
    made = secrets.token_urlsafe(24)
    visit.cookies[settings.browser_cookie] = made
    visit.cookies_out.append(
        set_cookie(settings.browser_cookie, made, secure=settings.secure, max_age=YEAR)
    )
    return made


def known_browser(visit: Visit) -> bool:
    """Whether this browser came with the name that it was given before."""
    sent = parse_cookies(visit.headers.get(b"cookie", b"").decode("latin-1"))
    return 20 <= len(sent.get(visit.gateway.settings.browser_cookie, "")) <= 64


def form_token(visit: Visit) -> str:
    """What a page's form carries in its hidden field `csrf`."""
    key = visit.gateway.settings.keys.derive("csrf")
    message = f"{visit.app.app_id}|{browser_id(visit)}".encode()
    return b64url(hmac.digest(key, message, "sha256"))


def check_form(visit: Visit, token: str | None) -> None:
    """Raises CrossSite unless the form is one that this application gave to this browser."""
    _check_source(visit, required=False)
    if not token or not compare_digest(token.encode(), form_token(visit).encode()):
        raise CrossSite


def check_call(visit: Visit) -> None:
    """For JSON calls: raises CrossSite where a cookie speaks and its source is not ours."""
    if visit.method in SAFE or b"authorization" in visit.headers:
        return
    if visit.gateway.settings.session_cookie in visit.cookies:
        _check_source(visit, required=True)
    elif visit.header(b"origin") not in (None, "null"):
        _check_source(visit, required=False)  # signing in: nobody may be signed in by a stranger


def _check_source(visit: Visit, *, required: bool) -> None:
    origin = visit.header(b"origin")
    if origin is not None and origin != "null":
        if not _ours(visit, origin):
            raise CrossSite
        return
    referer = visit.header(b"referer")
    if referer:
        parts = urlsplit(referer)
        if not _ours(visit, f"{parts.scheme}://{parts.netloc}"):
            raise CrossSite
        return
    site = visit.header(b"sec-fetch-site")
    if site is not None and site not in ("same-origin", "none"):
        raise CrossSite
    if required and site != "same-origin":
        raise CrossSite


def _ours(visit: Visit, origin: str) -> bool:
    origin = origin.lower()
    return origin == visit.origin or origin in visit.app.settings.allowed_origins
