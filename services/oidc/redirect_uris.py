"""Checks URLs that developers register: redirect URIs, origins, resource identifiers.

A function named `…_mistake` returns what is wrong, or None.
"""

from __future__ import annotations

import ipaddress
import re
from typing import Final
from urllib.parse import SplitResult, urlsplit

from common.egress import Egress

ORIGIN: Final = re.compile(r"https?://[a-z0-9.-]+(:[0-9]{1,5})?")
PRIVATE_SCHEME: Final = re.compile(r"[a-z][a-z0-9+-]*(\.[a-z0-9+-]+)+")
"""RFC 8252 section 7.1: a private-use scheme is a reversed domain name, so it has a dot."""
DEFAULT_PORT: Final = {"https": 443, "http": 80}


def redirect_uri_mistake(uri: str, *, native: bool) -> str | None:
    """Checks a redirect URI (RFC 6749 section 3.1.2, RFC 8252 section 7, RFC 9700 section 2.1)."""
    parts = _parts(uri)
    if (
        not uri.isascii()
        or not uri.isprintable()
        or any(c.isspace() or c in '"<>\\^`{|}*' for c in uri)
    ):
        return "contains a character that a redirect URI may not have"
    if not parts.scheme:
        return "is not an absolute URL"
    if "#" in uri:
        return "must not have a fragment"
    if parts.scheme == "https":
        return (
            None
            if parts.hostname and "@" not in parts.netloc
            else "needs a host, without user or password"
        )
    if parts.scheme == "http":
        if parts.hostname and is_local(parts.hostname) and "@" not in parts.netloc:
            return None
        return "http is allowed only for localhost, 127.0.0.1 and [::1]: use https"
    if native and PRIVATE_SCHEME.fullmatch(parts.scheme):
        return None
    return "needs https; a native client may use a scheme like com.example.app"


def is_local(host: str) -> bool:
    """Tells whether the host is this machine, by name or loopback address."""
    if host == "localhost" or host.endswith(".localhost"):
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def identifier_mistake(uri: str) -> str | None:
    """Checks the identifier of a resource (RFC 8707 section 2), which must be normalized."""
    parts = _parts(uri)
    if not parts.scheme or "#" in uri:
        return "is not an absolute URI without fragment (RFC 8707 section 2)"
    if not uri.isascii() or not uri.isprintable() or any(c in ' "<>\\^`{|}' for c in uri):
        return "contains a character that a URI may not have (RFC 3986 section 2)"
    if parts.scheme == "urn":
        return None if len(parts.path) > 2 else "is not a URN"
    if parts.scheme not in ("https", "http"):
        return "needs https, http or urn"
    if not parts.hostname or "@" in parts.netloc:
        return "needs a host, without user or password"
    if f"{parts.scheme}://{parts.netloc}" != _origin(parts):
        return f"is not normalized: write {_origin(parts)} (RFC 3986 section 6.2.3)"
    return None


def same_identifier(uri: str) -> str:
    """Returns the identifier to compare: an empty path equals `/` (RFC 3986 section 6.2.3)."""
    parts = _parts(uri)
    return f"{uri}/" if parts.netloc and not parts.path and not parts.query else uri


def _origin(parts: SplitResult) -> str:
    host = f"[{parts.hostname}]" if ":" in (parts.hostname or "") else parts.hostname
    default = parts.port in (None, DEFAULT_PORT.get(parts.scheme))
    return f"{parts.scheme}://{host}" if default else f"{parts.scheme}://{host}:{parts.port}"


def origin_mistake(origin: str) -> str | None:
    """Checks an origin: browsers send it in exactly one form (RFC 6454 section 6.2)."""
    parts = _parts(origin)
    if not ORIGIN.fullmatch(origin) or not parts.hostname:
        return "is not an origin like https://app.example.com"
    if parts.port is not None and parts.port == DEFAULT_PORT[parts.scheme]:
        return "must not have the default port: browsers leave it out"
    return None


def call_mistake(uri: str, egress: Egress) -> str | None:
    """Checks a URL that we call: `OutgoingHttp` would refuse every call to another one."""
    parts = _parts(uri)
    if not parts.hostname:
        return None
    try:
        permitted = egress.permits(parts.hostname)
    except ValueError:
        permitted = egress.private or not is_local(parts.hostname)
    if permitted and (parts.scheme == "https" or egress.private):
        return None
    return "must be a public https URL (AERO2_EGRESS_PRIVATE, AERO2_EGRESS_DENY)"


def is_web(uri: str) -> bool:
    """Tells whether this is an absolute http or https URL."""
    parts = _parts(uri)
    printable = uri.isprintable() and not any(c.isspace() for c in uri)
    return parts.scheme in ("https", "http") and bool(parts.hostname) and printable


def host(uri: str) -> str | None:
    """Returns the host of a URL, or None if it has none."""
    return _parts(uri).hostname


def _parts(uri: str) -> SplitResult:
    """Returns the parts of a URL. They are empty if it has an invalid address or port."""
    try:
        parts = urlsplit(uri)
        parts.port  # noqa: B018 - raises ValueError if it is invalid
    except ValueError:
        return SplitResult("", "", "", "", "")
    return parts
