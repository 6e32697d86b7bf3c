"""Consents: administrators and users list them and revoke them."""

from __future__ import annotations

from common import audit
from common.context import Context
from common.contracts.base import Done
from common.contracts.clients import ClientNotFound
from common.contracts.consents import (
    Grant,
    Grants,
    ListClientGrants,
    ListMyGrants,
    ListUserGrants,
    RevokeClientGrants,
    RevokedGrants,
    RevokeMyGrant,
    RevokeUserGrant,
)
from common.contracts.users import UserNotFound
from common.events.consents import GrantRevoked
from common.problems import Forbidden
from oidc.clients import find
from oidc.deps import Deps
from oidc.queries import authorization_codes, consents, token_families
from oidc.queries.consents import ConsentRow
from oidc.timestamps import from_text


async def list_of_client(deps: Deps, ctx: Context, request: ListClientGrants) -> Grants:
    """Lists which users have consented to a client."""
    client = await find(deps, ctx, request.client)
    of = f"grants:{client.client_id}"
    after, after_id = deps.cursors.read(ctx.app_id, of, request.cursor, 2)
    async with deps.db.reader(ctx) as db:
        rows = await consents.page_of_client(
            db,
            app_id=ctx.app_id,
            client_id=client.client_id,
            after=from_text(after),
            after_id=after_id,
            limit=request.limit + 1,
        )
    page, next_cursor = deps.cursors.page(
        ctx.app_id, of, rows, request.limit, key=lambda row: (row.created_at, row.user_id)
    )
    return Grants(grants=[_grant(row) for row in page], next=next_cursor)


async def revoke_of_client(deps: Deps, ctx: Context, request: RevokeClientGrants) -> RevokedGrants:
    """Revokes what one user, or all users, granted a client."""
    client = await find(deps, ctx, request.client)
    return await _revoke(
        deps, ctx, client.client_id, user_id=request.user_id, reason="administrator"
    )


async def list_of_user(deps: Deps, ctx: Context, request: ListUserGrants) -> Grants:
    """Lists the clients that a user has consented to. Raises UserNotFound."""
    async with deps.db.reader(ctx) as db:
        if not await consents.is_user(db, app_id=ctx.app_id, user_id=request.user_id):
            raise UserNotFound
        rows = await consents.list_of_user(db, app_id=ctx.app_id, user_id=request.user_id)
    return Grants(grants=[_grant(row) for row in rows])


async def revoke_of_user(deps: Deps, ctx: Context, request: RevokeUserGrant) -> Done:
    """Revokes what a user granted a client. Raises ClientNotFound if it is nothing."""
    revoked = await _revoke(
        deps, ctx, request.client_id, user_id=request.user_id, reason="administrator"
    )
    if not revoked.revoked_count:
        raise ClientNotFound
    return Done()


async def list_own(deps: Deps, ctx: Context, _: ListMyGrants) -> Grants:
    """Lists the clients that the calling user has consented to."""
    async with deps.db.reader(ctx) as db:
        rows = await consents.list_of_user(db, app_id=ctx.app_id, user_id=_calling_user(ctx))
    return Grants(grants=[_grant(row) for row in rows])


async def revoke_own(deps: Deps, ctx: Context, request: RevokeMyGrant) -> Done:
    """Revokes what the calling user granted a client. Raises ClientNotFound if it is nothing."""
    revoked = await _revoke(deps, ctx, request.client_id, user_id=_calling_user(ctx), reason="user")
    if not revoked.revoked_count:
        raise ClientNotFound
    return Done()


async def _revoke(
    deps: Deps, ctx: Context, client_id: str, *, user_id: str | None, reason: str
) -> RevokedGrants:
    """Deletes the consents and revokes all codes and tokens of the client.

    Users of first-party clients have tokens without a consent, and lose them too. Codes come first:
    an exchange at the same time has started its token family by then, which is revoked next.
    """
    async with deps.db.transaction(ctx) as tx:
        consent_count = await consents.delete(
            tx, app_id=ctx.app_id, client_id=client_id, user_id=user_id
        )
        await authorization_codes.revoke_unused(
            tx, app_id=ctx.app_id, client_id=client_id, user_id=user_id
        )
        family_ids = await token_families.revoke_of_client(
            tx, app_id=ctx.app_id, client_id=client_id, user_id=user_id, reason=reason
        )
        count = max(consent_count, len(family_ids))
        if count:
            event = GrantRevoked(client_id=client_id, reason=reason, count=count)
            await audit.record(tx, ctx, event, user_id=user_id)
    if user_id is None:
        await deps.invalidate(ctx, "client", client_id)
    else:
        for family_id in family_ids:
            await deps.invalidate(ctx, "token", family_id)
        await deps.invalidate(ctx, "consent", user_id)
    return RevokedGrants(revoked_count=count)


def _calling_user(ctx: Context) -> str:
    if ctx.caller.user_id is None:
        raise Forbidden("only a user of this application has grants of their own")
    return ctx.caller.user_id


def _grant(row: ConsentRow) -> Grant:
    return Grant(**{name: getattr(row, name) for name in ConsentRow.__dataclass_fields__})
