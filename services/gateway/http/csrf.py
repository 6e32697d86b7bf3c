"""Cross-site request forgery: where a cookie speaks for the browser, the browser must say from
where it speaks.

Pages carry a form token bound to the application, a cookie of the browser (which also covers
signing in) and the session they were shown in. It is masked with fresh bytes on every page, so that
compression gives nothing of it away (BREACH). JSON
calls with a cookie need an Origin, Referer or Sec-Fetch-Site of this host or of an origin that the
application allows. Calls whose credential is a bearer token or key are exempt: no browser adds
those by itself, as it does Basic.
"""

from __future__ import annotations

import hmac
import secrets
from hmac import compare_digest
from typing import TYPE_CHECKING, Final
from urllib.parse import urlsplit

from common.audit_chain import unb64
from common.crypto import b64url
from common.problems import Forbidden
from gateway.auth.caller import bearer_of
from gateway.http.request import GatewayRequest, parse_cookies, set_cookie

if TYPE_CHECKING:
    from gateway.state import Signed

SAFE = frozenset({"GET", "HEAD", "OPTIONS"})
YEAR = 31_536_000
"""Seconds."""
DIGEST: Final = 32
"""Bytes of SHA-256."""


class CrossSite(Forbidden):
    """A request of another site, or a form that was not ours."""

    code, title = "cross_site", "This request came from another site, or its form is out of date."


def browser_id(visit: GatewayRequest) -> str:
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


def known_browser(visit: GatewayRequest) -> bool:
    """Whether this browser came with the name that it was given before."""
    sent = parse_cookies(visit.headers.get(b"cookie", b"").decode("latin-1"))
    return 20 <= len(sent.get(visit.gateway.settings.browser_cookie, "")) <= 64


def form_token(visit: GatewayRequest, signed: Signed | None) -> str:
    """What a page's form carries in its hidden field `csrf`. `signed` is the session that the page
    shows, if any."""
    session = _session_digest(visit, signed)
    plain = session + _mac(visit, session)
    mask = secrets.token_bytes(len(plain))
    return b64url(mask + _xor(mask, plain))


def check_form(visit: GatewayRequest, token: str | None) -> None:
    """Raises CrossSite unless the form is one that this application gave to this browser."""
    _check_source(visit, required=False, form=True)
    session, mac = _unmasked(token or "")
    if not compare_digest(mac, _mac(visit, session)):
        raise CrossSite


def is_of_session(visit: GatewayRequest, token: str | None, signed: Signed | None) -> bool:
    """Whether a form that `check_form` accepts was shown in this very session, at the same level
    of authentication."""
    session, _ = _unmasked(token or "")
    return compare_digest(session, _session_digest(visit, signed))


def _session_digest(visit: GatewayRequest, signed: Signed | None) -> bytes:
    facts = "-"
    if signed is not None:
        shown = signed.session
        level = (shown.id, shown.user_id, shown.auth_time.isoformat(), shown.acr)
        facts = "|".join(str(fact) for fact in (*level, shown.active_org_id))
    return _digest(visit, "session", facts)


def _mac(visit: GatewayRequest, session: bytes) -> bytes:
    return _digest(visit, "form", f"{visit.app.app_id}|{browser_id(visit)}|{session.hex()}")


def _digest(visit: GatewayRequest, kind: str, message: str) -> bytes:
    key = visit.gateway.settings.keys.derive("csrf")
    return hmac.digest(key, f"{kind}|{message}".encode(), "sha256")


def _unmasked(token: str) -> tuple[bytes, bytes]:
    """The session's digest and the authentication code; empty for what is no token."""
    try:
        masked = unb64(token)
    except ValueError:
        masked = b""
    if len(masked) != 4 * DIGEST:
        return b"", b""
    plain = _xor(masked[: 2 * DIGEST], masked[2 * DIGEST :])
    return plain[:DIGEST], plain[DIGEST:]


def _xor(one: bytes, other: bytes) -> bytes:
    return bytes(a ^ b for a, b in zip(one, other, strict=True))


def check_call(visit: GatewayRequest, *, by_bearer: bool) -> None:
    """For JSON calls: raises CrossSite where a cookie speaks and its source is not ours.
    `by_bearer`: a bearer token or key is the credential where there is one."""
    if visit.method in SAFE or (by_bearer and bearer_of(visit) is not None):
        return
    if visit.gateway.settings.session_cookie in visit.cookies:
        _check_source(visit, required=True)
    elif visit.header(b"origin") not in (None, "null"):
        _check_source(visit, required=False)  # signing in: nobody may be signed in by a stranger


def _check_source(visit: GatewayRequest, *, required: bool, form: bool = False) -> None:
    """`form`: of a page of ours, which stands on this very host."""
    origin = visit.header(b"origin")
    if origin is not None and origin != "null":
        if not _ours(visit, origin, form=form):
            raise CrossSite
        return
    referer = visit.header(b"referer")
    if referer:
        parts = urlsplit(referer)
        if not _ours(visit, f"{parts.scheme}://{parts.netloc}", form=form):
            raise CrossSite
        return
    site = visit.header(b"sec-fetch-site")
    if site is not None and site not in ("same-origin", "none"):
        raise CrossSite
    if required and site != "same-origin":
        raise CrossSite


def _ours(visit: GatewayRequest, origin: str, *, form: bool) -> bool:
    """The Dashboard and forms know their own origin only."""
    origin = origin.lower()
    if form or visit.app.is_dashboard:
        return origin == visit.origin
    return origin == visit.origin or origin in visit.app.settings.allowed_origins
