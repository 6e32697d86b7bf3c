"""Cookies: reading the Cookie header, and writing Set-Cookie values (RFC 6265bis)."""

from __future__ import annotations

from http.cookies import CookieError, SimpleCookie


def parse_cookies(header: str) -> dict[str, str]:
    """Returns the cookies by name. The first of two with the same name counts. A malformed part is
    skipped."""
    cookies: dict[str, str] = {}
    for part in header.split(";"):
        name, equals, value = part.strip().partition("=")
        if equals and name and name not in cookies:
            cookies[name] = value.strip().strip('"')
    return cookies


def set_cookie(
    name: str, value: str, *, secure: bool, max_age: int | None, http_only: bool = True
) -> bytes:
    """Returns a Set-Cookie value: host-only, Path=/, SameSite=Lax (RFC 6265bis section 4.1).
    `max_age` is in seconds; None: until the browser is closed."""
    try:
        cookie = SimpleCookie({name: value})
    except CookieError:
        raise ValueError("not a cookie name") from None
    morsel = cookie[name]
    morsel["path"] = "/"
    morsel["samesite"] = "Lax"
    morsel["secure"] = secure
    morsel["httponly"] = http_only
    if max_age is not None:
        morsel["max-age"] = max_age
    return morsel.OutputString().encode()
