"""Impersonation: an administrator or a developer acts as a user.

An administrator of the application gets a session at once. A developer is signed in on another host,
so they get a link that works once, for a minute, and starts the session on the application's host.
Both sessions pass the gate, name their actor, and are checked for as long as they last
(`impersonation_end`).
"""

from __future__ import annotations

from datetime import timedelta
from typing import Final

from common import clock, crypto
from common.context import Caller, Context
from common.contracts.impersonation import Impersonation, RedeemImpersonation, StartImpersonation
from common.contracts.links import LINKS
from common.contracts.sessions import SignedInSession
from common.contracts.sign_in import LinkSpent
from common.contracts.users import UserNotFound
from common.ids import DASHBOARD, new_id
from common.problems import Forbidden
from identity import delegation_checks, impersonation_checks, session_start
from identity.authentication_result import Actor, AuthenticationResult
from identity.deps import Deps
from identity.limits import CODE_BY_IP
from identity.queries import accounts, codes

TYPE: Final = "impersonation"
LINK_TTL: Final = 60
"""Seconds."""
NOBODY: Final = "impersonation"
"""In place of an address: nothing is mailed."""


async def start(deps: Deps, ctx: Context, request: StartImpersonation) -> Impersonation:
    """Starts a session of the user for an administrator, or returns a link for a developer. Raises
    ImpersonationOff, ImpersonationRefused, NotHeld, UserNotFound, AccountDisabled, Forbidden."""
    actor = _actor(ctx, request)
    await delegation_checks.over_user(deps, ctx, request.user_id)
    await _check(deps, ctx, request.user_id, actor)
    async with deps.db.reader(ctx) as db:
        if await accounts.by_id(db, app_id=ctx.app_id, id=request.user_id) is None:
            raise UserNotFound
    if ctx.caller.kind == "developer":
        return await _link(deps, ctx, request.user_id, actor)
    session = await _begin(deps, ctx, request.user_id, actor)
    return Impersonation(session=session, expires_at=session.full().expires_at)


def _actor(ctx: Context, request: StartImpersonation) -> Actor:
    """Returns the caller as an actor. Raises Forbidden for a key, a client or a token: only somebody
    who is signed in can act as a user."""
    caller = ctx.caller
    in_person = caller.kind in ("user", "developer") and not caller.by_token
    if not in_person or caller.id is None or caller.session_id is None:
        raise Forbidden("only somebody who is signed in can act as a user")
    return Actor(
        id=caller.id,
        app_id=DASHBOARD if caller.kind == "developer" else ctx.app_id,
        session_id=caller.session_id,
        reason=request.reason,
        minutes=request.minutes,
    )


async def _check(deps: Deps, ctx: Context, user_id: str, actor: Actor) -> None:
    await impersonation_checks.check(
        deps,
        ctx,
        user_id=user_id,
        actor_id=actor.id,
        actor_app_id=actor.app_id,
        actor_session=actor.session_id,
    )


async def _link(deps: Deps, ctx: Context, user_id: str, actor: Actor) -> Impersonation:
    """Stores a link that works once, on the application's host."""
    tenant = await deps.tenants.get(ctx)
    token = crypto.token("imp_")
    payload = {
        "actor_id": actor.id,
        "actor_session": actor.session_id,
        "reason": actor.reason,
        "minutes": actor.minutes,
    }
    async with deps.db.transaction(ctx) as tx:
        await codes.insert(
            tx,
            app_id=ctx.app_id,
            id=new_id(),
            email=NOBODY,
            user_id=user_id,
            type=TYPE,
            code_hash=None,
            link_hash=deps.keys.hash("link", token),
            browser_hash=None,
            payload=payload,
            ttl=LINK_TTL,
        )
    url = f"{tenant.origin}{LINKS['impersonation']}?token={token}"
    return Impersonation(url=url, expires_at=clock.utc_now() + timedelta(seconds=LINK_TTL))


async def redeem(deps: Deps, ctx: Context, request: RedeemImpersonation) -> SignedInSession:
    """Starts the session of a developer's link. The rights are checked again. Raises LinkSpent,
    ImpersonationOff, ImpersonationRefused, AccountDisabled, RateLimited."""
    await deps.limits.count(ctx, (CODE_BY_IP, ctx.ip))
    async with deps.db.transaction(ctx) as tx:
        consumed_code = await codes.consume_link(
            tx,
            app_id=ctx.app_id,
            types=[TYPE],
            link_hashes=deps.keys.hashes("link", request.token),
            browser_hashes=None,
        )
    if consumed_code is None or consumed_code.user_id is None:
        raise LinkSpent
    payload = consumed_code.payload
    actor = Actor(
        id=payload["actor_id"],
        app_id=DASHBOARD,
        session_id=payload["actor_session"],
        reason=payload["reason"],
        minutes=payload["minutes"],
    )
    await _check(deps, ctx, consumed_code.user_id, actor)
    ctx = ctx.with_caller(Caller("developer", actor.id))
    return await _begin(deps, ctx, consumed_code.user_id, actor)


async def _begin(deps: Deps, ctx: Context, user_id: str, actor: Actor) -> SignedInSession:
    tenant = await deps.tenants.get(ctx)
    async with deps.db.transaction(ctx) as tx:
        account = await accounts.by_id(tx, app_id=ctx.app_id, id=user_id)
        if account is None:
            raise UserNotFound
        result = AuthenticationResult(method="impersonation", factor=None, amr=[], actor=actor)
        started = await session_start.begin(deps, ctx, tx, tenant, account=account, result=result)
    return await session_start.finish(deps, ctx, started)
