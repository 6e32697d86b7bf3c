"""Checks URLs that developers register: redirect URIs, origins, resource identifiers.

A function named `…_mistake` returns what is wrong, or None.
"""

from __future__ import annotations

import ipaddress
import re
from typing import Final
from urllib.parse import SplitResult, urlsplit

from common.egress import Egress
from common.field_errors import FieldError, field_error

ORIGIN: Final = re.compile(r"https?://[a-z0-9.-]+(:[0-9]{1,5})?")
PRIVATE_SCHEME: Final = re.compile(r"[a-z][a-z0-9+-]*(\.[a-z0-9+-]+)+")
"""RFC 8252 section 7.1: a private-use scheme is a reversed domain name, so it has a dot."""
KNOWN_SCHEMES: Final = frozenset(
    {
        *("cursor", "vscode", "vscode-insiders", "windsurf", "zed", "kiro", "jetbrains"),
        *("claude", "codex", "goose", "raycast", "warp"),
    }
)
"""Schemes without a dot that apps are known to use. Each is compared exactly, and needs `://`. A browser runs none of
them as code, as it does with `javascript:`."""
DEFAULT_PORT: Final = {"https": 443, "http": 80}


def redirect_uri_mistake(uri: str, *, native: bool) -> str | None:
    """Returns the error code for a redirect URI, or None if it is valid.

    RFC 6749 section 3.1.2, RFC 8252 section 7, RFC 9700 section 2.1.
    """
    parts = _parts(uri)
    if (
        not uri.isascii()
        or not uri.isprintable()
        or any(c.isspace() or c in '"<>\\^`{|}*' for c in uri)
    ):
        return "uri_character_refused"
    if not parts.scheme:
        return "uri_not_absolute"
    if "#" in uri:
        return "uri_with_fragment"
    if parts.scheme == "https":
        return None if parts.hostname and "@" not in parts.netloc else "uri_host_refused"
    if parts.scheme == "http":
        if parts.hostname and is_local(parts.hostname) and "@" not in parts.netloc:
            return None
        return "uri_http_not_local"
    if native and is_private_use(uri):
        return None
    return "uri_scheme_refused"


def is_private_use(uri: str) -> bool:
    """Returns whether the system opens the URI with an app: its scheme has a dot (RFC 8252 section 7.1), or is one
    of KNOWN_SCHEMES."""
    scheme, _, rest = uri.partition(":")
    if PRIVATE_SCHEME.fullmatch(_parts(uri).scheme):
        return True
    return scheme in KNOWN_SCHEMES and rest.startswith("//") and len(rest) > 2


def is_for_device(uri: str) -> bool:
    """Returns whether a redirect URI leads to an app on the user's device (RFC 8252 section 7)."""
    parts = _parts(uri)
    return is_private_use(uri) or (
        parts.scheme == "http" and parts.hostname is not None and is_local(parts.hostname)
    )


def is_local(host: str) -> bool:
    """Returns whether the host is this machine, by name or loopback address."""
    if host == "localhost" or host.endswith(".localhost"):
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def identifier_mistake(field: str, uri: str) -> FieldError | None:
    """Returns what is wrong with the identifier of a resource, or None (RFC 8707 section 2). Each
    API has one spelling."""
    parts = _parts(uri)
    if not parts.scheme or "#" in uri:
        return field_error(field, "resource_not_absolute")
    if not uri.isascii() or not uri.isprintable() or any(c in ' "<>\\^`{|}' for c in uri):
        return field_error(field, "resource_character_refused")
    if parts.scheme == "urn":
        return None if len(parts.path) > 2 else field_error(field, "resource_not_a_urn")
    if parts.scheme not in ("https", "http"):
        return field_error(field, "resource_scheme_refused")
    if not parts.hostname or "@" in parts.netloc:
        return field_error(field, "uri_host_refused")
    if f"{parts.scheme}://{parts.netloc}" != _origin(parts):
        return field_error(field, "resource_not_normalized", normalized=_origin(parts))
    return None


def same_identifier(uri: str) -> str:
    """Returns the identifier to compare: an empty path equals `/` (RFC 3986 section 6.2.3)."""
    parts = _parts(uri)
    return f"{uri}/" if parts.netloc and not parts.path and not parts.query else uri


def other_spelling(identifier: str) -> str:
    """Returns the identifier of a host with its final slash instead of without, or the other way
    round. Any other identifier has one spelling (RFC 3986 section 6.2.3)."""
    spelled = same_identifier(identifier)
    if spelled != identifier:
        return spelled
    short = identifier.removesuffix("/")
    return short if same_identifier(short) == identifier else identifier


def _origin(parts: SplitResult) -> str:
    host = f"[{parts.hostname}]" if ":" in (parts.hostname or "") else parts.hostname
    default = parts.port in (None, DEFAULT_PORT.get(parts.scheme))
    return f"{parts.scheme}://{host}" if default else f"{parts.scheme}://{host}:{parts.port}"


def origin_mistake(origin: str) -> str | None:
    """Returns the error code for an origin, or None if it is valid. A browser must send the same
    text (RFC 6454 section 6.2), or it never matches."""
    parts = _parts(origin)
    if not ORIGIN.fullmatch(origin) or not parts.hostname:
        return "not_an_origin"
    if parts.port is not None and parts.port == DEFAULT_PORT[parts.scheme]:
        return "origin_with_default_port"
    return None


def call_mistake(uri: str, egress: Egress) -> str | None:
    """Returns the code of why `OutgoingHttp` would refuse to call a URL, or None."""
    parts = _parts(uri)
    if not parts.hostname:
        return None
    deployment = egress.deployment
    if deployment and deployment.serves(parts.scheme, parts.hostname, parts.port, parts.path):
        return None
    try:
        permitted = egress.permits(parts.hostname)
    except ValueError:
        permitted = egress.private or not is_local(parts.hostname)
    if permitted and (parts.scheme == "https" or egress.private):
        return None
    return "uri_not_callable"


def is_web(uri: str) -> bool:
    """Returns whether this is an absolute http or https URL."""
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
