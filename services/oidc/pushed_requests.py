"""The endpoint for pushed authorization requests (RFC 9126).

A request is checked when it is pushed, and again when a browser comes with its name. Its row is one of
`authorization_requests`: see docs/adr/0040.
"""

from __future__ import annotations

from typing import Final

from common.context import Context
from common.contracts.authorization import Params
from common.contracts.oauth_errors import (
    InvalidDpopProof,
    InvalidRequestObject,
    OAuthError,
    PushedRequestsAreOff,
)
from common.contracts.pushed_requests import PushAuthorization, PushedAuthorization
from common.crypto import token
from oidc import authorize, client_auth, oauth_parameters, possession, request_objects
from oidc.authorization_request import AuthorizationRequest
from oidc.bindings import DPOP
from oidc.checks.pushed_request_is_waiting import PREFIX, PURPOSE
from oidc.deps import Deps
from oidc.queries import pushed_requests
from oidc.queries.clients import RegisteredClient
from oidc.queries.pushed_requests import NewPushedAuthorization

PATH: Final = "/oauth2/par"
LIFETIME: Final = 60
"""Seconds in which a browser has to come with the name (section 2.2)."""
CREDENTIALS: Final = frozenset({"client_secret", "client_assertion", "client_assertion_type"})
"""Parameters that authenticate the client, and are not stored."""
STEPS: Final = authorize.CLIENT_STEPS + authorize.PROTOCOL_STEPS


async def push(deps: Deps, ctx: Context, request: PushAuthorization) -> PushedAuthorization:
    """Authenticates the client, and stores its parameters if the authorization endpoint takes them."""
    if not (await deps.tenants.get(ctx)).settings.pushed_authorization_requests:
        raise PushedRequestsAreOff
    parameters = oauth_parameters.without_repeats(request.params)
    client = await client_auth.authenticate(deps, ctx, parameters, request.basic)
    if "request_uri" in parameters:  # section 2.1
        raise OAuthError("request_uri cannot be pushed")
    params = _without_credentials(request.params, client)
    authorization = AuthorizationRequest.from_parameters(params, None)
    authorization.pushing = True
    for step in STEPS:
        await step(deps, ctx, authorization)
    if request.dpop is not None:
        cnf = await possession.prove_key(deps, ctx, client, request.dpop, method="POST", path=PATH)
        _bind(authorization, cnf[DPOP])
    return await _store(deps, ctx, authorization)


def _bind(authorization: AuthorizationRequest, thumbprint: str) -> None:
    """Binds the code to the key of a proof, as `dpop_jkt` would (RFC 9449 section 10.1). Raises
    InvalidDpopProof if that names another key."""
    named = authorization.parameters.get("dpop_jkt")
    if named is None:
        authorization.params = [*authorization.params, ("dpop_jkt", thumbprint)]
    elif named != thumbprint:
        raise InvalidDpopProof("dpop_jkt names another key than the DPoP proof")


def _without_credentials(params: Params, client: RegisteredClient) -> Params:
    """Returns the parameters of the authorization request, with the client that has authenticated."""
    others = CREDENTIALS | {"client_id"}
    kept = [(name, value) for name, value in params if name not in others]
    return [("client_id", client.client_id), *kept]


async def _store(
    deps: Deps, ctx: Context, authorization: AuthorizationRequest
) -> PushedAuthorization:
    handle = token()
    new = NewPushedAuthorization(
        app_id=ctx.app_id,
        id_hash=deps.keys.hash(PURPOSE, handle),
        client_id=authorization.client.client_id,
        params=authorization.params,
        signed=authorization.signed,
        lifetime=LIFETIME,
        jti_hash=authorization.jti_hash,
        jti_lifetime=request_objects.NOTED_FOR,
    )
    async with deps.db.autocommit(ctx) as db:
        if not await pushed_requests.insert(db, new):
            raise InvalidRequestObject("the request object was used before")
    return PushedAuthorization(request_uri=PREFIX + handle, expires_in=LIFETIME)
