"""The owner link: made on the machine itself, it makes its holder the first operator, once."""

from __future__ import annotations

from datetime import timedelta
from typing import Final

import asyncpg

from common import audit, clock, crypto
from common.context import Context
from common.contracts.base import Done
from common.contracts.links import LINKS
from common.contracts.owner import ClaimOwner, CreateOwnerLink, GetOwnerLink, OwnerLink
from common.contracts.sessions import SignedInSession
from common.contracts.sign_in import LinkSpent
from common.contracts.tenants import Tenant
from common.contracts.users import EmailTaken
from common.db import Db
from common.events.users import OwnerClaimed, UserCreated
from common.ids import DASHBOARD, new_id
from common.problems import NotFound
from identity import authentication_result, password_policy, session_start
from identity.deps import Deps
from identity.limits import CODE_BY_IP
from identity.queries import accounts, codes, owner_links

TYPE: Final = "owner_link"
NOBODY: Final = "owner"
"""In place of an address: the holder of the link brings their own."""


async def create(deps: Deps, ctx: Context, request: CreateOwnerLink) -> OwnerLink:
    """Creates an owner link. Earlier links stop working. Raises NotFound outside the Dashboard."""
    _in_dashboard(ctx)
    tenant = await deps.tenants.get(ctx)
    token = crypto.token("own_")
    async with deps.db.transaction(ctx) as tx:
        await codes.end_older(tx, app_id=ctx.app_id, email=NOBODY, types=[TYPE])
        await codes.insert(
            tx,
            app_id=ctx.app_id,
            id=new_id(),
            email=NOBODY,
            user_id=None,
            type=TYPE,
            code_hash=None,
            link_hash=deps.keys.hash("link", token),
            browser_hash=None,
            payload={},
            ttl=request.ttl,
        )
    return OwnerLink(
        token=token,
        url=f"{tenant.origin}{LINKS['owner']}?token={token}",
        expires_at=clock.utc_now() + timedelta(seconds=request.ttl),
    )


async def get(deps: Deps, ctx: Context, request: GetOwnerLink) -> Done:
    """Checks that the link is valid. Raises LinkSpent."""
    _in_dashboard(ctx)
    async with deps.db.reader(ctx) as db:
        holds = await codes.is_link_valid(
            db,
            app_id=ctx.app_id,
            types=[TYPE],
            link_hashes=deps.keys.hashes("link", request.token),
        )
    if not holds:
        raise LinkSpent
    return Done()


async def claim(deps: Deps, ctx: Context, request: ClaimOwner) -> SignedInSession:
    """Creates the first operator and starts a session. Raises LinkSpent, EmailTaken, WeakPassword,
    RateLimited."""
    _in_dashboard(ctx)
    tenant = await deps.tenants.get(ctx)
    await deps.limits.count(ctx, (CODE_BY_IP, ctx.ip))
    await get(deps, ctx, GetOwnerLink(token=request.token))  # before anything costly
    phc = None
    if request.password is not None:
        await password_policy.check(
            deps, ctx, tenant, request.password, email=request.email, name=request.name
        )
        phc = await deps.hashing.hash(ctx.app_id, request.password)
    try:
        async with deps.db.transaction(ctx) as tx:
            started_session = await _create_owner(deps, ctx, tx, tenant, request=request, phc=phc)
    except asyncpg.UniqueViolationError:
        raise EmailTaken from None
    return await session_start.finish(deps, ctx, started_session)


async def _create_owner(
    deps: Deps, ctx: Context, tx: Db, tenant: Tenant, *, request: ClaimOwner, phc: str | None
) -> session_start.StartedSession:
    consumed_code = await codes.consume_link(
        tx,
        app_id=ctx.app_id,
        types=[TYPE],
        link_hashes=deps.keys.hashes("link", request.token),
        browser_hashes=None,
    )
    if consumed_code is None:
        raise LinkSpent
    id = new_id()
    await accounts.insert(
        tx,
        app_id=ctx.app_id,
        id=id,
        email=request.email,
        email_verified=True,  # the deployment is theirs
        name=request.name,
        locale=request.locale,
    )
    await owner_links.set_owner(tx, app_id=ctx.app_id, id=consumed_code.id, user_id=id)
    if phc is not None:
        await accounts.set_password(tx, app_id=ctx.app_id, user_id=id, phc=phc)
    await audit.record(tx, ctx, UserCreated(user_id=id, by="owner_link"), user_id=id)
    await audit.record(tx, ctx, OwnerClaimed(user_id=id), user_id=id)
    account = await accounts.by_id(tx, app_id=ctx.app_id, id=id)
    assert account is not None
    result = authentication_result.AuthenticationResult(
        method="owner_link",
        factor="password" if phc else "owner_link",
        amr=["pwd"] if phc else ["otp"],
        browser=request.browser,
        new_user=True,
    )
    return await session_start.begin(deps, ctx, tx, tenant, account=account, result=result)


def _in_dashboard(ctx: Context) -> None:
    if ctx.app_id != DASHBOARD:
        raise NotFound
