"""Cross-site request forgery: a request that a cookie authenticates must say where it comes from.

Forms carry a token. It is bound to the application, to a cookie of the browser (so it also covers
the sign-in form) and to the session that the page shows. Every page masks it with fresh random
bytes, so that compression reveals nothing about it (BREACH).

JSON calls with a cookie need an Origin, Referer or Sec-Fetch-Site of this host or of an origin that
the application allows. Calls with a bearer token or key are exempt: a browser does not add those by
itself. It does add Basic credentials, so these are not exempt.
"""

from __future__ import annotations

import hmac
import secrets
from hmac import compare_digest
from typing import Final
from urllib.parse import urlsplit

from common.audit_chain import unb64
from common.contracts.sessions import Session
from common.crypto import b64url
from common.problems import Forbidden
from gateway.http.authorization import has_access_token
from gateway.http.request import GatewayRequest
from gateway.settings import GatewaySettings

SAFE = frozenset({"GET", "HEAD", "OPTIONS"})
YEAR = 31_536_000
"""Seconds."""
DIGEST: Final = 32
"""Bytes of SHA-256."""


class CrossSite(Forbidden):
    """The request comes from another site, or the form is not one that this application showed."""

    code, title = "cross_site", "This request came from another site, or its form is out of date."


def browser_id(settings: GatewaySettings, request: GatewayRequest) -> str:
    """Returns the random name of this browser. On the first visit it makes one and sets the cookie."""
    name = settings.browser_cookie
    value = request.cookie(name) or ""
    if not _is_browser_id(value):
        value = secrets.token_urlsafe(24)
        request.set_cookie(name, value, YEAR)
    return value


def has_browser_id(settings: GatewaySettings, request: GatewayRequest) -> bool:
    """Returns whether the browser sent the name that an earlier response gave it."""
    return _is_browser_id(request.cookies.get(settings.browser_cookie, ""))


def _is_browser_id(value: str) -> bool:
    return 20 <= len(value) <= 64


def form_token(settings: GatewaySettings, request: GatewayRequest, session: Session | None) -> str:
    """Returns the value of the hidden field `csrf`. `session` is the one that the page shows, if any."""
    active = settings.keys.active
    digest = _session_digest(settings, session, active)
    plain = digest + _mac(settings, request, digest, active)
    mask = secrets.token_bytes(len(plain))
    return b64url(mask + _xor(mask, plain))


def check_form(settings: GatewaySettings, request: GatewayRequest, token: str | None) -> None:
    """Raises CrossSite unless this application showed the form to this browser."""
    _check_source(request, required=False, form=True)
    digest, mac = _unmasked(token or "")
    keys = settings.keys.configured
    if not any(compare_digest(mac, _mac(settings, request, digest, kid)) for kid in keys):
        raise CrossSite


def is_form_of_session(
    settings: GatewaySettings, token: str | None, session: Session | None
) -> bool:
    """Returns whether the form was shown in this session, at the same level of authentication. The
    form has passed `check_form`."""
    digest, _ = _unmasked(token or "")
    keys = settings.keys.configured
    return any(compare_digest(digest, _session_digest(settings, session, kid)) for kid in keys)


def _session_digest(settings: GatewaySettings, session: Session | None, kid: str) -> bytes:
    facts = "-"
    if session is not None:
        level = (session.id, session.user_id, session.auth_time.isoformat(), session.acr)
        facts = "|".join(str(fact) for fact in (*level, session.active_org_id))
    return _digest(settings, "session", facts, kid)


def _mac(settings: GatewaySettings, request: GatewayRequest, session: bytes, kid: str) -> bytes:
    browser = browser_id(settings, request)
    return _digest(settings, "form", f"{request.app.app_id}|{browser}|{session.hex()}", kid)


def _digest(settings: GatewaySettings, kind: str, message: str, kid: str) -> bytes:
    return hmac.digest(settings.keys.derive("csrf", kid), f"{kind}|{message}".encode(), "sha256")


def _unmasked(token: str) -> tuple[bytes, bytes]:
    """Returns the digest of the session and the authentication code; both empty if it is no token."""
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


def check_call(settings: GatewaySettings, request: GatewayRequest, *, by_bearer: bool) -> None:
    """Raises CrossSite for a JSON call that a cookie authenticates and that another site sent.
    `by_bearer`: if there is a bearer token or key, it is the credential, not the cookie."""
    if request.method in SAFE or (by_bearer and has_access_token(request)):
        return
    if settings.session_cookie in request.cookies:
        _check_source(request, required=True)
    elif request.header(b"origin") not in (None, "null"):
        _check_source(request, required=False)  # another site must not sign anybody in


def _check_source(request: GatewayRequest, *, required: bool, form: bool = False) -> None:
    """Raises CrossSite if the browser names another source, or none if one is `required`. `form`: the
    source must be a page of this host."""
    origin = request.header(b"origin")
    if origin is not None and origin != "null":
        if not _is_own(request, origin, form=form):
            raise CrossSite
        return
    referer = request.header(b"referer")
    if referer:
        parts = urlsplit(referer)
        if not _is_own(request, f"{parts.scheme}://{parts.netloc}", form=form):
            raise CrossSite
        return
    site = request.header(b"sec-fetch-site")
    if site is not None and site not in ("same-origin", "none"):
        raise CrossSite
    if required and site != "same-origin":
        raise CrossSite


def _is_own(request: GatewayRequest, origin: str, *, form: bool) -> bool:
    """Returns whether the origin is the host's own or, for calls of applications, an allowed one."""
    origin = origin.lower()
    if form or request.app.is_dashboard:
        return origin == request.origin
    return origin == request.origin or origin in request.app.settings.allowed_origins
