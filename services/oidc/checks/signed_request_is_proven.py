"""A signed authorization request (RFC 9101): only the parameters in its request object count.

Nothing in the object is used before its signature is verified, neither where the answer would go nor how.
"""

from __future__ import annotations

from common.context import Context
from common.contracts.oauth_errors import InvalidRequestObject, OAuthError
from oidc import request_objects
from oidc.authorization_request import AuthorizationRequest
from oidc.deps import Deps
from oidc.oauth_parameters import by_name
from oidc.queries import client_assertions


async def signed_request_is_proven(deps: Deps, ctx: Context, request: AuthorizationRequest) -> None:
    """Replaces the parameters by those in the request object. Raises InvalidRequestObject.

    Does nothing if the application or the client has no request objects: a later step refuses it.
    """
    request_object = request.parameters.get("request")
    if request_object is None or not await are_supported(deps, ctx, request):
        return
    if len(request.parameters.values_of("request")) > 1:
        raise OAuthError("request is given more than once")
    if "request_uri" in request.parameters:
        raise OAuthError("the request has both request and request_uri")
    proven = await request_objects.prove(deps, ctx, request.client, request_object)
    if proven.jti_hash is not None:
        async with deps.db.reader(ctx) as db:
            used = await client_assertions.is_used(
                db,
                app_id=ctx.app_id,
                client_id=request.client.client_id,
                jti_hash=proven.jti_hash,
            )
        if used:
            raise InvalidRequestObject("the request object was used before")
    request.params, request.parameters = proven.params, by_name(proven.params)
    request.signed, request.jti_hash = True, proven.jti_hash


async def are_supported(deps: Deps, ctx: Context, request: AuthorizationRequest) -> bool:
    """Returns whether the application takes request objects, and the client has keys for them."""
    client = request.client
    if client.jwks is None and client.jwks_uri is None:
        return False
    return (await deps.tenants.get(ctx)).settings.request_objects
