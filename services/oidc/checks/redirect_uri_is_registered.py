"""The redirect URI must be registered (RFC 6749 section 3.1.2.3, RFC 9700 section 2.1).

It is compared character by character. Only the port of a native app's loopback address may differ
(RFC 8252 section 7.3), also if that is written as `localhost`, which is how most agents write it.
"""

from __future__ import annotations

import re
from typing import Final

from common.context import Context
from common.contracts.oauth_errors import OAuthError
from oidc.authorization_request import AuthorizationRequest
from oidc.deps import Deps

LOOPBACK: Final = re.compile(
    r"(http://(?:127\.0\.0\.1|\[::1\]|localhost))(?::([0-9]{1,5}))?([/?].*)?"
)

MAX_SHOWN: Final = 300
"""Characters of the URI in the error message."""


async def redirect_uri_is_registered(_: Deps, ctx: Context, request: AuthorizationRequest) -> None:
    """Sets `redirect_uri`. Raises OAuthError if it is not registered."""
    uris = request.parameters.values_of("redirect_uri")
    if len(uris) > 1:
        raise OAuthError("redirect_uri is given more than once")
    if not uris:
        _use_registered_uri(request)
        return
    if not matches(request.client.redirect_uris, request.client.type, uris[0]):
        raise OAuthError(f"redirect_uri is not registered for this client: {uris[0][:MAX_SHOWN]}")
    request.redirect_uri = uris[0]


def matches(registered: list[str], type: str, uri: str) -> bool:
    """Returns whether a URI is one of the registered ones of a client of this type."""
    if uri in registered:
        return True
    if type != "native":
        return False
    portless = _without_port(uri)
    return portless is not None and any(_without_port(other) == portless for other in registered)


def _without_port(uri: str) -> tuple[str, str] | None:
    """Returns the host and the rest of a loopback URI, or None for other URIs. An empty path equals `/`
    (RFC 3986 section 6.2.3)."""
    match = LOOPBACK.fullmatch(uri)
    if match is None or not 1 <= int(match[2] or 80) <= 65_535:
        return None
    rest = match[3] or ""
    return match[1], rest if rest.startswith("/") else f"/{rest}"


def _use_registered_uri(request: AuthorizationRequest) -> None:
    """Sets the client's only redirect URI, as OAuth allows (RFC 6749 section 3.1.2.3).

    OpenID Connect Core section 3.1.2.1 does not allow to leave it out.
    """
    if len(request.client.redirect_uris) != 1 or "openid" in request.parameters.get(
        "scope", ""
    ).split(" "):
        raise OAuthError("redirect_uri is missing")
    request.redirect_uri, request.redirect_uri_given = request.client.redirect_uris[0], False
