"""The authorization code grant.

RFC 6749 section 4.1.3, RFC 7636 section 4.6, OpenID Connect Core section 3.1.3.
"""

from __future__ import annotations

from typing import Any

from common import audit
from common.context import Context
from common.contracts.oauth_errors import InvalidGrant, InvalidTarget, OAuthError
from common.contracts.tokens import Tokens
from common.crypto import token
from common.events.tokens import CodeReused, TokenIssued
from oidc import pkce, token_response
from oidc.deps import Deps
from oidc.oauth_parameters import OAuthParameters
from oidc.queries import authorization_codes, code_exchange, token_families
from oidc.queries.clients import RegisteredClient
from oidc.queries.code_exchange import CodeExchange, ConsumedCode
from oidc.queries.token_grants import TokenGrant


async def handle(
    deps: Deps, ctx: Context, client: RegisteredClient, parameters: OAuthParameters
) -> Tokens:
    """Redeems an authorization code."""
    hashes = deps.keys.hashes("code", parameters.required("code"))
    challenge = _challenge(client, parameters)
    refresh_token = token("rt_") if "refresh_token" in client.grant_types else None
    exchange = CodeExchange(
        app_id=ctx.app_id,
        code_hashes=hashes,
        client_id=client.client_id,
        redirect_uri=parameters.get("redirect_uri"),
        challenge=challenge,
        refresh_hash=deps.keys.hash("refresh", refresh_token) if refresh_token else None,
        refresh_lifetime=client.refresh_token_lifetime,
        max_lifetime=client.refresh_token_max_lifetime,
        client_epoch=client.epoch,
    )
    entry = audit.entry(ctx, TokenIssued(client_id=client.client_id, scopes=[]))
    requested = parameters.values_of("resource")
    async with deps.db.transaction(ctx) if requested else deps.db.autocommit(ctx) as db:
        consumed_code = await code_exchange.exchange(db, exchange, entry)
        # Rolls back if the resource was not granted, so the client can use the code once more.
        resource = _narrowed_resource(requested, consumed_code.resource)
    if consumed_code.family_id is None:
        await _end_replayed(deps, ctx, client, consumed_code, hashes=hashes)
        raise _refusal(consumed_code, challenge)
    grant = _token_grant(consumed_code)
    return await token_response.for_grant(
        deps,
        ctx,
        client,
        grant,
        seed=hashes[0],
        resource=resource,
        refresh_token=None if grant.actor_id else refresh_token,
        nonce=grant.nonce,
    )


def _challenge(client: RegisteredClient, parameters: OAuthParameters) -> str | None:
    """Returns the challenge that belongs to the `code_verifier` (RFC 7636 section 4.6)."""
    verifier = parameters.get("code_verifier")
    challenge = pkce.challenge_of(verifier)
    if verifier is not None and challenge is None:
        raise InvalidGrant("code_verifier is malformed")
    if client.needs_pkce and verifier is None:
        raise OAuthError("code_verifier is missing")
    return challenge


def _narrowed_resource(requested: list[str], granted: list[str] | None) -> list[str] | None:
    """Returns the requested resources. Raises InvalidTarget if one was not granted.

    RFC 8707 section 2.2: a client may ask for fewer resources than were granted, not for others.
    """
    if not requested or granted is None:
        return None
    if not set(requested) <= set(granted):
        raise InvalidTarget("the resource was not part of the authorization")
    return requested


def _refusal(code: ConsumedCode, challenge: str | None) -> InvalidGrant:
    """Returns the error that says why the code was not exchanged."""
    if code.redirect_uri_matches is None:
        return InvalidGrant("the code is unknown, used, expired or of another client")
    if not code.redirect_uri_matches:
        return InvalidGrant("redirect_uri differs from the authorization request")
    if not code.challenge_matches:
        if challenge is None:
            return InvalidGrant("code_verifier is missing")
        return InvalidGrant("code_verifier does not match code_challenge")
    return InvalidGrant("the user's session has ended")


async def _end_replayed(
    deps: Deps, ctx: Context, client: RegisteredClient, code: ConsumedCode, *, hashes: list[str]
) -> None:
    """Revokes the tokens of a code that is presented a second time (RFC 9700 section 4.5)."""
    if code.redirect_uri_matches is not None:
        return
    async with deps.db.transaction(ctx) as tx:
        replayed_code = await authorization_codes.find_used(
            tx, app_id=ctx.app_id, code_hashes=hashes, client_id=client.client_id
        )
        if replayed_code is None:
            return
        revoked = await token_families.revoke(
            tx, app_id=ctx.app_id, id=replayed_code.family_id, reason="code_reused"
        )
        if revoked:
            event = CodeReused(client_id=client.client_id)
            await audit.record(tx, ctx, event, user_id=replayed_code.user_id)
    if revoked:
        await deps.invalidate(ctx, "token", replayed_code.family_id)


def _token_grant(code: ConsumedCode) -> TokenGrant:
    columns: dict[str, Any] = {
        name: getattr(code, name) for name in TokenGrant.__dataclass_fields__
    }
    return TokenGrant(**columns)
