"""What users allowed clients: listed and withdrawn, by administrators and by themselves."""

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
    RevokeClientGrants,
    RevokedGrants,
    RevokeMyGrant,
)
from common.events.consents import GrantRevoked
from common.problems import Forbidden
from oidc.clients import find
from oidc.deps import Deps
from oidc.queries import codes, consents, token_families
from oidc.queries.consents import GrantRow
from oidc.timestamps import moment


async def of_client(deps: Deps, ctx: Context, page: ListClientGrants) -> Grants:
    client = await find(deps, ctx, page.client)
    of = f"grants:{client.client_id}"
    after, after_id = deps.cursors.read(ctx.app_id, of, page.cursor, 2)
    async with deps.db.reading(ctx) as db:
        rows = await consents.of_client(
            db,
            app_id=ctx.app_id,
            client_id=client.client_id,
            after=moment(after),
            after_id=after_id,
            limit=page.limit + 1,
        )
    shown, following = deps.cursors.page(
        ctx.app_id, of, rows, page.limit, key=lambda row: (row.created_at, row.user_id)
    )
    return Grants(grants=[_grant(row) for row in shown], next=following)


async def revoke_of_client(deps: Deps, ctx: Context, request: RevokeClientGrants) -> RevokedGrants:
    client = await find(deps, ctx, request.client)
    return await _revoke(deps, ctx, client.client_id, request.user_id, "administrator")


async def mine(deps: Deps, ctx: Context, _: ListMyGrants) -> Grants:
    async with deps.db.reading(ctx) as db:
        rows = await consents.of_user(db, app_id=ctx.app_id, user_id=_the_user(ctx))
    return Grants(grants=[_grant(row) for row in rows])


async def revoke_mine(deps: Deps, ctx: Context, request: RevokeMyGrant) -> Done:
    revoked = await _revoke(deps, ctx, request.client_id, _the_user(ctx), "user")
    if not revoked.revoked_count:
        raise ClientNotFound
    return Done()


async def _revoke(
    deps: Deps, ctx: Context, client_id: str, user_id: str | None, reason: str
) -> RevokedGrants:
    """The consent and every token made under it. Whoever has tokens without a consent (a
    first-party client's users) loses them as well. Codes first: an exchange that was faster has
    begun its family by then, and that ends with the others."""
    async with deps.db.transaction(ctx) as tx:
        consented = await consents.delete(
            tx, app_id=ctx.app_id, client_id=client_id, user_id=user_id
        )
        await codes.spend(tx, app_id=ctx.app_id, client_id=client_id, user_id=user_id)
        ended = await token_families.end_of_client(
            tx, app_id=ctx.app_id, client_id=client_id, user_id=user_id, reason=reason
        )
        count = max(consented, len(ended))
        if count:
            event = GrantRevoked(client_id=client_id, reason=reason, count=count)
            await audit.record(tx, ctx, event, user_id=user_id)
    if user_id is None:
        await deps.changed(ctx, "client", client_id)
    else:
        for family_id in ended:
            await deps.changed(ctx, "token", family_id)
        await deps.changed(ctx, "consent", user_id)
    return RevokedGrants(revoked_count=count)


def _the_user(ctx: Context) -> str:
    if ctx.caller.user_id is None:
        raise Forbidden("only a user of this application has grants of his own")
    return ctx.caller.user_id


def _grant(row: GrantRow) -> Grant:
    return Grant(**{name: getattr(row, name) for name in GrantRow.__dataclass_fields__})
