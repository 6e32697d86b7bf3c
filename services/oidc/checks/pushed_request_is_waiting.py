"""A pushed authorization request (RFC 9126 section 4): only its parameters count.

The first visit of a browser makes it last as long as any request that waits for its user. Each visit is a
request of its own, and one of them gets the code.
"""

from __future__ import annotations

from typing import Final

from common.context import Context
from common.contracts.oauth_errors import InvalidRequestUri, OAuthError
from oidc.authorization_request import AuthorizationRequest
from oidc.deps import Deps
from oidc.oauth_parameters import by_name
from oidc.prompts import LIFETIME
from oidc.queries import pushed_requests
from oidc.queries.pushed_requests import PushedLink, PushedParameters

PREFIX: Final = "urn:ietf:params:oauth:request_uri:"
PURPOSE: Final = "pushed-request"
"""The purpose of its hash, so that no other name of a request is one of a pushed request."""
MAX_LENGTH: Final = 200


async def pushed_request_is_waiting(
    deps: Deps, ctx: Context, request: AuthorizationRequest
) -> None:
    """Replaces the parameters by the pushed ones. Raises InvalidRequestUri if there are none."""
    uri = request.parameters.get("request_uri")
    if uri is None or not uri.startswith(PREFIX):
        return
    if len(request.parameters.values_of("request_uri")) > 1:
        raise OAuthError("request_uri is given more than once")
    if "request" in request.parameters:
        raise OAuthError("the request has both request and request_uri")
    settings = (await deps.tenants.get(ctx)).settings
    if len(uri) > MAX_LENGTH or not settings.pushed_authorization_requests:
        raise InvalidRequestUri
    pushed = await _find(deps, ctx, request, uri.removeprefix(PREFIX))
    if pushed is None:
        raise InvalidRequestUri
    request.params = [(name, value) for name, value in pushed.params]
    request.parameters = by_name(request.params)
    request.pushed_hash, request.signed = pushed.id_hash, pushed.signed


async def _find(
    deps: Deps, ctx: Context, request: AuthorizationRequest, handle: str
) -> PushedParameters | None:
    """Returns the pushed parameters. A visit is noted, but not if the request is only checked."""
    link = PushedLink(
        app_id=ctx.app_id,
        id_hashes=deps.keys.hashes(PURPOSE, handle),
        client_id=request.client.client_id,
        lifetime=LIFETIME,
    )
    if request.checking:
        async with deps.db.reader(ctx) as db:
            return await pushed_requests.find(db, link)
    async with deps.db.autocommit(ctx) as db:
        return await pushed_requests.visit(db, link)
