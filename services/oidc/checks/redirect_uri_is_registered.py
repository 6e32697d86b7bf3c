"""RFC 6749 section 3.1.2.3, RFC 9700 section 2.1, RFC 8252 section 7.3: compared as it is written,
except for the port of a native app's loopback address."""

from __future__ import annotations

import re
from typing import Final

from common.context import Context
from common.contracts.oauth_errors import OAuthError
from oidc.deps import Deps
from oidc.request import AuthorizationRequest

LOOPBACK: Final = re.compile(r"(http://(?:127\.0\.0\.1|\[::1\]))(?::([0-9]{1,5}))?(/.*)?")

LONGEST: Final = 300
"""Characters of an address that its developer is shown."""


async def redirect_uri_is_registered(_: Deps, ctx: Context, request: AuthorizationRequest) -> None:
    given = request.given.listed("redirect_uri")
    if len(given) > 1:
        raise OAuthError("redirect_uri is given more than once")
    if not given:
        _take_the_only_one(request)
        return
    if not matches(request.client.redirect_uris, request.client.type, given[0]):
        message = f"redirect_uri is not registered for this client: {given[0][:LONGEST]}"
        if request.client.type == "native" and given[0].startswith("http://localhost"):
            message += " (any port is accepted for 127.0.0.1 and [::1] alone)"
        raise OAuthError(message)
    request.redirect_uri = given[0]


def matches(registered: list[str], type: str, uri: str) -> bool:
    """Whether an address is one of a client's, of this type of client."""
    if uri in registered:
        return True
    if type != "native":
        return False
    portless = _without_port(uri)
    return portless is not None and any(_without_port(known) == portless for known in registered)


def _without_port(uri: str) -> tuple[str, str] | None:
    found = LOOPBACK.fullmatch(uri)
    if found is None or not 1 <= int(found[2] or 80) <= 65_535:
        return None
    return found[1], found[3] or ""


def _take_the_only_one(request: AuthorizationRequest) -> None:
    """OAuth lets it be left out where one is registered; OpenID Connect Core 3.1.2.1 does not."""
    if len(request.client.redirect_uris) != 1 or "openid" in request.given.get("scope", "").split(
        " "
    ):
        raise OAuthError("redirect_uri is missing")
    request.redirect_uri, request.redirect_uri_given = request.client.redirect_uris[0], False
