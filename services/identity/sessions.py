"""Sessions: check, list, end."""

from __future__ import annotations

import asyncpg

from common import audit
from common.context import Context
from common.contracts.base import Done
from common.contracts.sessions import (
    ActivateOrganization,
    CheckSession,
    CurrentSession,
    EndSession,
    ListSessions,
    ListUserSessions,
    NoSession,
    RevokeAllSessions,
    Revoked,
    RevokeOtherSessions,
    RevokeSession,
    RevokeUserSession,
    RevokeUserSessions,
    Session,
    SessionNotFound,
    Sessions,
    SignedInSession,
    SignOut,
)
from common.contracts.users import UserNotFound
from common.events.sessions import Logout, SessionRevoked, SessionsRevoked
from common.problems import NotFound
from identity import (
    delegation_checks,
    impersonation_end,
    last_active,
    session_end,
    session_start,
    sso,
)
from identity.caller_checks import the_user
from identity.deps import Deps
from identity.queries import accounts, session_ends, sessions

MOST = 200
"""Sessions in a user's own list."""


async def check(deps: Deps, ctx: Context, request: CheckSession) -> Session:
    """Returns the live session of a token. Raises NoSession."""
    async with deps.db.reader(ctx) as db:
        live = await sessions.get_live(
            db, app_id=ctx.app_id, token_hashes=deps.keys.hashes("session", request.token)
        )
    if live is None:
        raise NoSession
    if live.actor_id is not None:
        await impersonation_end.check(deps, ctx, live)
    if request.is_use and last_active.is_due(live.last_active_at, live.idle_expires_at):
        deps.last_active.mark(ctx, live.id)
    return live.session()


async def list_own(deps: Deps, ctx: Context, request: ListSessions) -> Sessions:
    """Returns the calling user's live sessions, the newest first."""
    user_id = the_user(ctx)
    async with deps.db.reader(ctx) as db:
        entries = await sessions.list_of_user(
            db, app_id=ctx.app_id, user_id=user_id, current=ctx.caller.session_id, limit=MOST
        )
    return Sessions(sessions=entries)


async def list_of_user(deps: Deps, ctx: Context, request: ListUserSessions) -> Sessions:
    """Returns one page of a user's live sessions, the newest first. Raises UserNotFound."""
    kind = f"sessions:{request.user_id}"
    at, id = deps.cursors.read(ctx.app_id, kind, request.cursor, 2)
    async with deps.db.reader(ctx) as db:
        if await accounts.by_id(db, app_id=ctx.app_id, id=request.user_id) is None:
            raise UserNotFound
        entries = await sessions.list_of_user(
            db,
            app_id=ctx.app_id,
            user_id=request.user_id,
            current=None,
            limit=request.limit + 1,
            before=at,
            before_id=id,
        )
    page, next = deps.cursors.page(
        ctx.app_id,
        kind,
        entries,
        request.limit,
        key=lambda session: (session.created_at, session.id),
    )
    return Sessions(sessions=page, next=next)


async def revoke(deps: Deps, ctx: Context, request: RevokeSession) -> Done:
    """Ends one of the caller's other sessions. Raises CurrentSession, SessionNotFound."""
    if request.session_id == ctx.caller.session_id:
        raise CurrentSession
    return await _end_one(deps, ctx, request.session_id, the_user(ctx), reason="user")


async def revoke_of_user(deps: Deps, ctx: Context, request: RevokeUserSession) -> Done:
    """Ends one session of a user. Raises NotHeld, SessionNotFound."""
    await delegation_checks.over_user(deps, ctx, request.user_id)
    return await _end_one(deps, ctx, request.session_id, request.user_id, reason="administrator")


async def revoke_others(deps: Deps, ctx: Context, request: RevokeOtherSessions) -> Revoked:
    """Ends all sessions of the caller except this one."""
    return await _end_all(deps, ctx, the_user(ctx), "user", spare=ctx.caller.session_id)


async def revoke_all(deps: Deps, ctx: Context, request: RevokeAllSessions) -> Revoked:
    """Ends all sessions of the caller."""
    return await _end_all(deps, ctx, the_user(ctx), "user")


async def revoke_all_of_user(deps: Deps, ctx: Context, request: RevokeUserSessions) -> Revoked:
    """Ends all sessions of a user. Raises NotHeld, UserNotFound."""
    await delegation_checks.over_user(deps, ctx, request.user_id)
    return await _end_all(deps, ctx, request.user_id, "administrator")


async def sign_out(deps: Deps, ctx: Context, request: SignOut) -> Done:
    """Ends the session of a token. Does nothing if it has ended already."""
    async with deps.db.transaction(ctx) as tx:
        ended = await session_ends.revoke_by_token(
            tx, app_id=ctx.app_id, token_hashes=deps.keys.hashes("session", request.token)
        )
        if ended is not None:
            event: Logout | SessionRevoked = Logout(session_id=ended.id)
            if request.successor is not None and await session_ends.set_successor(
                tx, app_id=ctx.app_id, id=ended.id, successor=request.successor
            ):
                event = SessionRevoked(session_id=ended.id, reason="replaced")
            if not await impersonation_end.record(ctx, tx, ended):
                await audit.record(tx, ctx, event, user_id=ended.user_id)
    if ended is not None:
        await deps.invalidation.publish(ctx, "session", ended.id)
    return Done()


async def end(deps: Deps, ctx: Context, request: EndSession) -> Done:
    """Ends a session by its id, as the system does for a logout of a client."""
    async with deps.db.transaction(ctx) as tx:
        ended = await session_ends.revoke(
            tx, app_id=ctx.app_id, id=request.session_id, user_id=None, reason=request.reason
        )
        if ended is not None and not await impersonation_end.record(ctx, tx, ended):
            await audit.record(tx, ctx, Logout(session_id=ended.id), user_id=ended.user_id)
    if ended is not None:
        await deps.invalidation.publish(ctx, "session", ended.id)
    return Done()


async def activate_organization(
    deps: Deps, ctx: Context, request: ActivateOrganization
) -> SignedInSession:
    """Makes an organization the active one of a session, and replaces the session. Raises
    SessionNotFound, SsoRequired; NotFound if the user is not a member."""
    tenant = await deps.tenants.get(ctx)
    try:
        async with deps.db.transaction(ctx) as tx:
            await sso.check_active(ctx, tx, session_id=request.session_id, org_id=request.org_id)
            user_id = await sessions.activate_organization(
                tx, app_id=ctx.app_id, id=request.session_id, org_id=request.org_id
            )
            account = user_id and await accounts.by_id(tx, app_id=ctx.app_id, id=user_id)
            if not account:
                raise SessionNotFound
            started_session = await session_start.renew(
                deps, ctx, tx, tenant, account=account, session_id=request.session_id
            )
    except asyncpg.ForeignKeyViolationError:
        raise NotFound("the user is not a member of this organization") from None
    return await session_start.finish(deps, ctx, started_session)


async def _end_one(deps: Deps, ctx: Context, session_id: str, user_id: str, *, reason: str) -> Done:
    async with deps.db.transaction(ctx) as tx:
        ended = await session_ends.revoke(
            tx, app_id=ctx.app_id, id=session_id, user_id=user_id, reason=reason
        )
        if ended is None:
            raise SessionNotFound
        await impersonation_end.record(ctx, tx, ended)
        event = SessionRevoked(session_id=ended.id, reason=reason)
        await audit.record(tx, ctx, event, user_id=user_id)
    await deps.invalidation.publish(ctx, "session", ended.id)
    return Done()


async def _end_all(
    deps: Deps, ctx: Context, user_id: str, reason: str, *, spare: str | None = None
) -> Revoked:
    async with deps.db.transaction(ctx) as tx:
        if not await accounts.lock(tx, app_id=ctx.app_id, id=user_id):
            raise UserNotFound
        ended = await session_end.end_all(ctx, tx, user_id, reason=reason, spare=spare)
        if ended:
            event = SessionsRevoked(count=len(ended), reason=reason)
            await audit.record(tx, ctx, event, user_id=user_id)
    await session_end.publish_revocations(deps, ctx, user_id, ended)
    return Revoked(revoked_count=len(ended))
