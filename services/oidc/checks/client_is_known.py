"""The client must be known before anybody is redirected (RFC 6749 section 4.1.2.1)."""

from __future__ import annotations

from common.context import Context
from common.contracts.oauth_errors import OAuthError
from oidc import client_document_urls, client_documents
from oidc.authorization_request import AuthorizationRequest
from oidc.client_cache import find_registered
from oidc.deps import Deps


async def client_is_known(deps: Deps, ctx: Context, request: AuthorizationRequest) -> None:
    """Sets `client`, or `document_pending` if its document is fetched after the sign-in only."""
    if len(request.parameters.values_of("client_id")) > 1:
        raise OAuthError("client_id is given more than once")
    client_id = request.parameters.required("client_id")
    if client_document_urls.is_url(client_id):
        client = await client_documents.find(
            deps, ctx, client_id, may_fetch=request.may_fetch_document
        )
        if client is None and request.pushing:  # has authenticated as the client that is stored
            client = await find_registered(deps, ctx, client_id)
        elif client is None:
            client = client_documents.unknown(ctx, client_id)
            request.document_pending = True
    else:
        client = await find_registered(deps, ctx, client_id)
    if client is None or not client.enabled:
        raise OAuthError("the client is unknown")
    request.client = client
