"""The refresh token grant (RFC 6749 section 6, RFC 9700 section 4.14).

One statement consumes a token, so of several requests at once only one rotates it. The others get
the same successor, if they come within the grace. So does a client that repeats a request because
it did not get the answer. The successor is not stored for this: it is an HMAC of the consumed token
under one of our keys, so only we can compute it again. The hash of the successor, which is stored, names
the key: another replica may have made it under another one. A token whose successor has been used was copied,
and its whole family is revoked.
"""

from __future__ import annotations

from dataclasses import replace

from common import audit
from common.context import Context
from common.contracts.oauth_errors import InvalidGrant
from common.contracts.tokens import Tokens
from common.crypto import key_id
from common.db import Db
from common.earlier_commits import wait_for_earlier_commits
from common.events.tokens import TokenRefreshed, TokenReused
from oidc import bindings, grant_policy, refresh_token_text, token_response
from oidc.deps import Deps
from oidc.queries import refresh_tokens, token_families, token_grants
from oidc.queries.clients import RegisteredClient
from oidc.queries.refresh_tokens import ProvenBinding, RotatedGrant
from oidc.queries.token_grants import TokenGrant
from oidc.token_request import TokenRequest

MAX_LENGTH = 200
"""Characters of a refresh token."""
NOTHING_PROVEN = ProvenBinding()
UNKNOWN = "the refresh token is unknown, used, expired or revoked"


async def handle(deps: Deps, ctx: Context, request: TokenRequest) -> Tokens:
    """Exchanges a refresh token for new tokens."""
    client, parameters = request.client, request.parameters
    presented_token = parameters.required("refresh_token")
    if len(presented_token) > MAX_LENGTH:
        raise InvalidGrant(UNKNOWN)
    rotates = client.rotate_refresh_tokens
    next_token = presented_token
    if rotates:
        next_token = refresh_token_text.successor_of(deps.keys, presented_token)
    grant, next_token = await _redeem(deps, ctx, request, next_token=next_token)
    if grant.org_id is not None:
        grant = await _with_org_role(deps, ctx, grant, grant.org_id)
    if grant.cnf != request.cnf:
        grant = replace(grant, cnf=request.cnf)
    scopes, resource = _narrowed(ctx, request, grant)
    return await token_response.for_grant(
        deps,
        ctx,
        client,
        grant,
        seed=next_token if rotates else f"{next_token}{grant.issued_at}",
        requested_scopes=scopes,
        resource=resource,
        refresh_token=next_token,
    )


async def _redeem(
    deps: Deps, ctx: Context, request: TokenRequest, *, next_token: str
) -> tuple[TokenGrant, str]:
    """Consumes the refresh token. Returns its grant, and `next_token` or the successor that it got before.
    Raises InvalidGrant.

    If the client asks for more than was granted, the transaction rolls back. Otherwise its next
    request would present a used token.
    """
    client, parameters = request.client, request.parameters
    hashes = deps.keys.hashes("refresh", parameters["refresh_token"])
    narrowing = parameters.get("scope") is not None or parameters.values_of("resource")
    async with deps.db.transaction(ctx) if narrowing else deps.db.autocommit(ctx) as db:
        grant = issued = await _renew(deps, db, ctx, request, hashes=hashes, next_token=next_token)
        if grant is None:
            # A new statement, so that it sees what a request at the same time has committed.
            grant = rotated = await refresh_tokens.find_rotated(
                db,
                app_id=ctx.app_id,
                token_hashes=hashes,
                client_id=client.client_id,
                client_epoch=client.epoch,
                grace=deps.settings.refresh_grace,
            )
            if rotated is not None:
                bindings.check_refresh(client, rotated.cnf, request.cnf)
                next_token = _successor(deps, parameters["refresh_token"], rotated)
                await wait_for_earlier_commits(db)
        if grant is None and await _session_was_replaced(db, ctx, client, hashes):
            grant = issued = await _renew(
                deps, db, ctx, request, hashes=hashes, next_token=next_token
            )
        if grant is not None:
            _narrowed(ctx, request, grant)
    if grant is None:
        await _end_reused(deps, ctx, request, hashes)
        raise InvalidGrant(UNKNOWN)
    if issued is not None:  # a repeated request is not a second event
        _note_refreshed(deps, ctx, client, issued)
    return grant, next_token


def _successor(deps: Deps, token: str, rotated: RotatedGrant) -> str:
    """Returns the successor that a token has got. Raises InvalidGrant if it was made under a key that is
    unknown here, such as one of the deployment that the application came from."""
    try:
        return refresh_token_text.successor_of(deps.keys, token, key_id(rotated.successor_hash))
    except KeyError:
        raise InvalidGrant("the refresh token was used") from None


async def _with_org_role(deps: Deps, ctx: Context, grant: TokenGrant, org_id: str) -> TokenGrant:
    """Returns the grant with its user's present role in the organization.

    Most grants have no organization, and three more tables would be a fifth of the statement that
    rotates a token, read or not. If this fails, the client repeats its request.
    """
    async with deps.db.reader(ctx) as db:
        role = await token_grants.find_org_role(
            db,
            app_id=ctx.app_id,
            org_id=org_id,
            user_id=grant.user_id,
            session_id=grant.session_id,
        )
    return replace(grant, org_role=role)


def _note_refreshed(deps: Deps, ctx: Context, client: RegisteredClient, grant: TokenGrant) -> None:
    deps.activity.note(
        ctx,
        TokenRefreshed(client_id=client.client_id),
        user_id=grant.user_id,
        session_id=grant.session_id,
        org_id=grant.org_id,
    )


async def _renew(
    deps: Deps,
    db: Db,
    ctx: Context,
    request: TokenRequest,
    *,
    hashes: list[str],
    next_token: str,
) -> TokenGrant | None:
    """Rotates the token, or extends it if the client's refresh tokens do not rotate."""
    client = request.client
    if not client.rotate_refresh_tokens:
        return await refresh_tokens.extend(
            db,
            app_id=ctx.app_id,
            token_hashes=hashes,
            client_id=client.client_id,
            client_epoch=client.epoch,
            proven=_proven(request),
            lifetime=client.refresh_token_lifetime,
        )
    return await refresh_tokens.rotate(
        db,
        app_id=ctx.app_id,
        token_hashes=hashes,
        client_id=client.client_id,
        client_epoch=client.epoch,
        proven=_proven(request),
        successor_hash=deps.keys.hash("refresh", next_token),
        lifetime=client.refresh_token_lifetime,
        offline=refresh_token_text.is_offline(next_token),
    )


def _proven(request: TokenRequest) -> ProvenBinding:
    """Returns what the request proves, as `bindings.check_refresh` compares it."""
    if request.cnf is None:
        return NOTHING_PROVEN
    kind = None if request.client.public else next(iter(request.cnf))
    return ProvenBinding(request.cnf, kind)


async def _session_was_replaced(
    db: Db, ctx: Context, client: RegisteredClient, hashes: list[str]
) -> bool:
    """Returns whether only the session's id has changed. If so, moves the family to the new session."""
    token = await refresh_tokens.find(db, app_id=ctx.app_id, token_hashes=hashes)
    if token is None or token.client_id != client.client_id or token.used_at is not None:
        return False
    return await token_families.move_to_next_session(
        db, app_id=ctx.app_id, family_id=token.family_id
    )


async def _end_reused(deps: Deps, ctx: Context, request: TokenRequest, hashes: list[str]) -> None:
    """Revokes the family of a used token of this client (RFC 9700 section 4.14.2).

    Does nothing for a token that has only expired, and for one of another client. Raises InvalidDpopProof if
    a token was not used because it is bound to a key that the request does not prove.
    """
    client = request.client
    async with deps.db.transaction(ctx) as tx:
        token = await refresh_tokens.find(tx, app_id=ctx.app_id, token_hashes=hashes)
        if token is None or token.client_id != client.client_id:
            return
        if token.used_at is None:
            if not token.expired and not token.revoked:
                bindings.check_refresh(client, token.cnf, request.cnf)
            return
        revoked = await token_families.revoke(
            tx, app_id=ctx.app_id, id=token.family_id, reason="refresh_token_reused"
        )
        if revoked:
            event = TokenReused(client_id=client.client_id)
            await audit.record(tx, ctx, event, user_id=token.user_id)
    if revoked:
        await deps.invalidate(ctx, "token", token.family_id)


def _narrowed(
    ctx: Context, request: TokenRequest, grant: TokenGrant
) -> tuple[list[str], list[str] | None]:
    """Returns the scopes and resources of the new tokens. Raises if one of them was not granted."""
    parameters = request.parameters
    resources = grant_policy.granted_resources(ctx, request.client, grant.resource)
    return (
        grant_policy.narrow_scopes(parameters.get("scope"), grant.scopes),
        grant_policy.narrow_resources(parameters.values_of("resource"), resources),
    )
