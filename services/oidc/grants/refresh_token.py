"""A refresh token for its successor: RFC 6749 section 6, RFC 9700 section 4.14.

A token is taken by one statement, so of many that present it at once one rotates it. The others,
and whoever did not get the answer and asks again within the grace, present the immediate parent of
a living token: they get the same child. The child is not stored for that; it is an HMAC of its
parent under a key of ours, so it can be told again, and by nobody else. Anything older than the
parent means that a token was copied: the whole family ends.
"""

from __future__ import annotations

from common import audit
from common.context import Context
from common.contracts.oauth_errors import InvalidGrant, InvalidScope, InvalidTarget
from common.contracts.tokens import Tokens
from common.crypto import Keys, b64url
from common.db import Db
from common.events.tokens import TokenRefreshed, TokenReused
from oidc import scopes, tokens
from oidc.deps import Deps
from oidc.params import Given
from oidc.queries import logouts, refresh_tokens, token_families
from oidc.queries.clients import Registered
from oidc.queries.codes import Granted

MAX_LENGTH = 200


async def handle(deps: Deps, ctx: Context, client: Registered, params: Given) -> Tokens:
    presented = params.required("refresh_token")
    if len(presented) > MAX_LENGTH:
        raise InvalidGrant("the refresh token is not one of ours")
    child = child_of(deps.keys, presented) if client.rotate_refresh_tokens else presented
    granted = await _take(deps, ctx, client, params, child)
    return await tokens.answer(
        deps,
        ctx,
        client,
        granted,
        seed=child if client.rotate_refresh_tokens else f"{child}{granted.issued_at}",
        asked_scopes=_narrowed_scopes(params.get("scope"), granted),
        resource=_narrowed(params.listed("resource"), granted),
        refresh_token=child,
    )


def child_of(keys: Keys, parent: str) -> str:
    """The successor of a token: unpredictable without our key, and always the same."""
    return "rt_" + b64url(keys.digest("refresh-child", parent.encode()))


async def _take(deps: Deps, ctx: Context, client: Registered, params: Given, child: str) -> Granted:
    """Whoever asks for more than was granted gets nothing, and keeps the token: to have rotated it
    would turn his next refresh into a reuse."""
    hashes = deps.keys.hashes("refresh", params["refresh_token"])
    narrowing = params.get("scope") is not None or params.listed("resource")
    async with deps.db.transaction(ctx) if narrowing else deps.db.single(ctx) as db:
        granted = taken = await _next(deps, db, ctx, client, hashes, child)
        if granted is None:
            # A new statement, so it sees what whoever was faster has committed.
            granted = await refresh_tokens.again(
                db,
                app_id=ctx.app_id,
                token_hashes=hashes,
                client_id=client.client_id,
                client_epoch=client.epoch,
                grace=deps.settings.refresh_grace,
            )
        if granted is None and await _followed(db, ctx, client, hashes):
            granted = taken = await _next(deps, db, ctx, client, hashes, child)
        if granted is not None:
            _narrowed_scopes(params.get("scope"), granted)
            _narrowed(params.listed("resource"), granted)
    if granted is None:
        await _end_reused(deps, ctx, client, hashes)
        raise InvalidGrant("the refresh token is unknown, used, expired or revoked")
    if taken is not None:  # not told again to whoever asks again
        deps.activity.note(
            ctx,
            TokenRefreshed(client_id=client.client_id),
            user_id=taken.user_id,
            session_id=taken.session_id,
            org_id=taken.org_id,
        )
    return granted


async def _next(
    deps: Deps, db: Db, ctx: Context, client: Registered, hashes: list[str], child: str
) -> Granted | None:
    if not client.rotate_refresh_tokens:
        return await refresh_tokens.prolong(
            db,
            app_id=ctx.app_id,
            token_hashes=hashes,
            client_id=client.client_id,
            client_epoch=client.epoch,
            lifetime=client.refresh_token_lifetime,
        )
    return await refresh_tokens.rotate(
        db,
        app_id=ctx.app_id,
        token_hashes=hashes,
        client_id=client.client_id,
        client_epoch=client.epoch,
        child_hash=deps.keys.hash("refresh", child),
        lifetime=client.refresh_token_lifetime,
    )


async def _followed(db: Db, ctx: Context, client: Registered, hashes: list[str]) -> bool:
    """Whether the grant's session was only replaced by another, to which it now belongs."""
    known = await refresh_tokens.find(db, app_id=ctx.app_id, token_hashes=hashes)
    if known is None or known.client_id != client.client_id or known.used_at is not None:
        return False
    return await logouts.follow(db, app_id=ctx.app_id, family_id=known.family_id)


async def _end_reused(deps: Deps, ctx: Context, client: Registered, hashes: list[str]) -> None:
    """An old token of this client ends its family. What merely expired, or was ended already, or
    is of another client, ends nothing."""
    async with deps.db.transaction(ctx) as tx:
        known = await refresh_tokens.find(tx, app_id=ctx.app_id, token_hashes=hashes)
        if known is None or known.used_at is None or known.client_id != client.client_id:
            return
        ended = await token_families.end(
            tx, app_id=ctx.app_id, id=known.family_id, reason="refresh_token_reused"
        )
        if ended:
            event = TokenReused(client_id=client.client_id)
            await audit.record(tx, ctx, event, user_id=known.user_id)
    if ended:
        await deps.changed(ctx, "token", known.family_id)


def _narrowed_scopes(request: str | None, granted: Granted) -> list[str]:
    """RFC 6749 section 6: fewer than were granted, never more."""
    wanted = scopes.parsed(request)
    if not set(wanted) <= set(granted.scopes):
        raise InvalidScope("a scope was not granted")
    return wanted or granted.scopes


def _narrowed(request: list[str], granted: Granted) -> list[str] | None:
    """RFC 8707 section 2.2."""
    if request and not set(request) <= set(granted.resource):
        raise InvalidTarget("the resource was not part of the authorization")
    return request or None
