"""The authorization code grant.

RFC 6749 section 4.1.3, RFC 7636 section 4.6, OpenID Connect Core section 3.1.3.
"""

from __future__ import annotations

from functools import partial
from hmac import compare_digest

from common import audit, logs
from common.context import Context
from common.contracts.oauth_errors import InvalidGrant, OAuthError
from common.contracts.tokens import Tokens
from common.crypto import sha256_b64url
from common.events.tokens import CodeReused
from oidc import bindings, code_content, family_start, grant_policy, pkce, token_response
from oidc.code_content import CodeContent
from oidc.deps import Deps
from oidc.oauth_parameters import OAuthParameters
from oidc.queries import authorization_codes, code_exchange, token_families
from oidc.queries.clients import RegisteredClient
from oidc.queries.code_exchange import CodeUse
from oidc.token_request import TokenRequest

log = logs.get(__name__)

UNKNOWN = "the code is unknown, used, expired or of another client"


async def handle(deps: Deps, ctx: Context, request: TokenRequest) -> Tokens:
    """Redeems an authorization code.

    The redirect URI and the verifier are compared first, but the code is used up whatever the result
    is. A code of another client is not used up: see docs/adr/0019.
    """
    client, parameters = request.client, request.parameters
    presented_code = parameters.required("code")
    challenge = _challenge(client, parameters)
    content = await _find_content(deps, ctx, client, presented_code)
    mismatch = _mismatch(content, request, challenge)
    resource = None
    if mismatch is None:  # The client can use the code once more, if it asks for too much.
        granted = grant_policy.granted_resources(ctx, client, content.resource)
        resource = grant_policy.narrow_resources(parameters.values_of("resource"), granted)
    refresh_token = family_start.new_refresh_token(request, content)
    family = family_start.new_family(deps, ctx, request, content, refresh_token=refresh_token)
    use = CodeUse(code_expires_at=content.expires_at, accepted=mismatch is None)
    async with deps.db.autocommit(ctx) as db:
        entry = family_start.issued_event(ctx, family)
        redeemed = await code_exchange.exchange(db, family, use, entry)
    if not redeemed.spent:
        await _end_replayed(deps, ctx, client, content.id)
        raise InvalidGrant(UNKNOWN)
    if redeemed.user_epoch is None:
        raise mismatch or InvalidGrant(family_start.ENDED)
    grant = family_start.token_grant(family, redeemed)
    return await token_response.for_grant(
        deps,
        ctx,
        client,
        grant,
        seed=f"code {content.id}",
        resource=resource,
        refresh_token=None if grant.actor_id else refresh_token,
        nonce=grant.nonce,
    )


async def _find_content(
    deps: Deps, ctx: Context, client: RegisteredClient, presented_code: str
) -> CodeContent:
    """Returns what a code of this client is bound to. Raises InvalidGrant for any other text.

    Only for a code that we have issued, and that does not carry its content, the database is asked.
    """
    reader = partial(deps.db.reader, ctx)
    opened = await code_content.open_code(deps.sealer, reader, ctx.app_id, presented_code)
    if opened is None:
        raise InvalidGrant(UNKNOWN)
    content = opened.content
    if content is None:
        async with reader() as db:
            members = await authorization_codes.find_content(db, app_id=ctx.app_id, id=opened.id)
        if members is None:  # expired, and perhaps used
            await _end_replayed(deps, ctx, client, opened.id)
            raise InvalidGrant(UNKNOWN)
        content = CodeContent.decoded(opened.id, members)
    if content is None:  # a newer replica has bound it to something that is not known here
        raise InvalidGrant(UNKNOWN)
    if content.client_id != client.client_id:
        log.warning("code presented by another client", client_id=client.client_id)
        raise InvalidGrant(UNKNOWN)
    return content


def _challenge(client: RegisteredClient, parameters: OAuthParameters) -> str | None:
    """Returns the challenge that belongs to the `code_verifier` (RFC 7636 section 4.6)."""
    verifier = parameters.get("code_verifier")
    challenge = pkce.challenge_of(verifier)
    if verifier is not None and challenge is None:
        raise InvalidGrant("code_verifier is malformed")
    if client.needs_pkce and verifier is None:
        raise OAuthError("code_verifier is missing")
    return challenge


def _mismatch(
    content: CodeContent, request: TokenRequest, challenge: str | None
) -> OAuthError | None:
    """Returns the error for what the client presents and the code is not bound to."""
    if not _is_redirect_uri_of(content, request.parameters.get("redirect_uri")):
        return InvalidGrant("redirect_uri differs from the authorization request")
    if challenge is None and content.code_challenge is not None:
        return InvalidGrant("code_verifier is missing")
    if not compare_digest(challenge or "", content.code_challenge or ""):
        return InvalidGrant("code_verifier does not match code_challenge")
    try:
        grant_policy.check_epoch(request.client, content.client_epoch)
        bindings.check_grant(content.cnf, request.cnf)
    except OAuthError as error:
        return error
    return None


def _is_redirect_uri_of(content: CodeContent, presented: str | None) -> bool:
    """Returns whether the redirect URI is that of the request, or was in neither request."""
    if presented is None:
        return not content.redirect_uri_given
    return compare_digest(sha256_b64url(presented), content.redirect_uri_hash)


async def _end_replayed(deps: Deps, ctx: Context, client: RegisteredClient, id: str) -> None:
    """Revokes the tokens of a code that is presented a second time (RFC 9700 section 4.5)."""
    async with deps.db.transaction(ctx) as tx:
        family = await token_families.find_owner(tx, app_id=ctx.app_id, id=id)
        if family is None or family.client_id != client.client_id:
            return
        revoked = await token_families.revoke(tx, app_id=ctx.app_id, id=id, reason="code_reused")
        if revoked:
            event = CodeReused(client_id=client.client_id)
            await audit.record(tx, ctx, event, user_id=family.user_id)
    if revoked:
        await deps.invalidate(ctx, "token", id)
