"""Consents: administrators and users list them and revoke them."""

from __future__ import annotations

from dataclasses import asdict

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
from common.problems import Forbidden
from oidc import client_display, grant_revocation
from oidc.clients import find
from oidc.deps import Deps
from oidc.queries import consents
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
    return await grant_revocation.revoke(
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
    revoked = await grant_revocation.revoke(
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
    revoked = await grant_revocation.revoke(
        deps, ctx, request.client_id, user_id=_calling_user(ctx), reason="user"
    )
    if not revoked.revoked_count:
        raise ClientNotFound
    return Done()


def _calling_user(ctx: Context) -> str:
    if ctx.caller.user_id is None:
        raise Forbidden("only a user of this application has grants of their own")
    return ctx.caller.user_id


def _grant(row: ConsentRow) -> Grant:
    fields = asdict(row)
    host = client_display.unverified_host(
        fields.pop("source"), row.client_id, fields.pop("redirect_uris")
    )
    return Grant(**fields, unverified_host=host)
