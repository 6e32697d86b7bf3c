"""A code for tokens: RFC 6749 section 4.1.3, RFC 7636 section 4.6, OpenID Connect Core 3.1.3."""

from __future__ import annotations

from typing import Any

from common import audit
from common.context import Context
from common.contracts.oauth_errors import InvalidGrant, InvalidTarget, OAuthError
from common.contracts.tokens import Tokens
from common.crypto import token
from common.events.tokens import CodeReused, TokenIssued
from oidc import pkce, tokens
from oidc.deps import Deps
from oidc.params import Given
from oidc.queries import codes, token_families
from oidc.queries.clients import Registered
from oidc.queries.codes import Granted, Taken


async def handle(deps: Deps, ctx: Context, client: Registered, params: Given) -> Tokens:
    code, redirect_uri = params.required("code"), params.get("redirect_uri")
    verifier = params.get("code_verifier")
    challenge = pkce.challenge_of(verifier)
    if verifier is not None and challenge is None:
        raise InvalidGrant("code_verifier is malformed")
    if client.needs_pkce and verifier is None:
        raise OAuthError("code_verifier is missing")
    hashes = deps.keys.hashes("code", code)
    refresh = token("rt_") if "refresh_token" in client.grant_types else None
    entry = audit.entry(ctx, TokenIssued(client_id=client.client_id, scopes=[]))
    wanted = params.listed("resource")
    async with deps.db.transaction(ctx) if wanted else deps.db.single(ctx) as db:
        taken = await codes.exchange(
            db,
            app_id=ctx.app_id,
            code_hashes=hashes,
            client_id=client.client_id,
            client_epoch=client.epoch,
            redirect_uri=redirect_uri,
            challenge=challenge,
            refresh_hash=deps.keys.hash("refresh", refresh) if refresh else None,
            refresh_lifetime=client.refresh_token_lifetime,
            max_lifetime=client.refresh_token_max_lifetime,
            entry=entry,
        )
        # Asked for more than the code is good for, nothing has happened: the code can be used yet.
        resource = _narrowed(wanted, taken.resource)
    if taken.family_id is None:
        await _refuse(deps, ctx, client, taken, hashes, challenge)
    granted = _granted(taken)
    return await tokens.answer(
        deps,
        ctx,
        client,
        granted,
        seed=hashes[0],
        resource=resource,
        refresh_token=refresh,
        nonce=granted.nonce,
    )


def _narrowed(request: list[str], granted: list[str] | None) -> list[str] | None:
    """RFC 8707 section 2.2: any of the resources of the authorization, none beyond them."""
    if not request or granted is None:
        return None
    if not set(request) <= set(granted):
        raise InvalidTarget("the resource was not part of the authorization")
    return request


async def _refuse(
    deps: Deps,
    ctx: Context,
    client: Registered,
    taken: Taken,
    hashes: list[str],
    challenge: str | None,
) -> None:
    """Always raises. A code presented twice ends what the first use began (RFC 9700 4.5)."""
    if taken.redirect_uri_fits is None:
        await _end_replayed(deps, ctx, client, hashes)
        raise InvalidGrant("the code is unknown, used, expired or of another client")
    if not taken.redirect_uri_fits:
        raise InvalidGrant("redirect_uri differs from the authorization request")
    if not taken.challenge_fits:
        if challenge is None:
            raise InvalidGrant("code_verifier is missing")
        raise InvalidGrant("code_verifier does not match code_challenge")
    raise InvalidGrant("the user's session has ended")


async def _end_replayed(deps: Deps, ctx: Context, client: Registered, hashes: list[str]) -> None:
    async with deps.db.transaction(ctx) as tx:
        used = await codes.used(
            tx, app_id=ctx.app_id, code_hashes=hashes, client_id=client.client_id
        )
        if used is None:
            return
        ended = await token_families.end(
            tx, app_id=ctx.app_id, id=used.family_id, reason="code_reused"
        )
        if ended:
            event = CodeReused(client_id=client.client_id)
            await audit.record(tx, ctx, event, user_id=used.user_id)
    if ended:
        await deps.changed(ctx, "token", used.family_id)


def _granted(taken: Taken) -> Granted:
    columns: dict[str, Any] = {name: getattr(taken, name) for name in Granted.__dataclass_fields__}
    return Granted(**columns)
