"""Lists the organizations of a user, for administrators."""

from __future__ import annotations

from common.context import Context
from common.contracts.organizations import ListUserOrganizations, Organizations
from common.contracts.users import UserNotFound
from tenancy.deps import Deps
from tenancy.organization_access import to_organization
from tenancy.queries import members, organizations


async def list_(deps: Deps, ctx: Context, request: ListUserOrganizations) -> Organizations:
    """Returns a page of the user's organizations, each with the user's role. Raises UserNotFound."""
    of = f"organizations of {request.user_id}"
    (after,) = deps.cursors.read(ctx.app_id, of, request.cursor, 1)
    async with deps.db.reader(ctx) as db:
        if await members.named_user(db, app_id=ctx.app_id, user_id=request.user_id) is None:
            raise UserNotFound
        rows = await organizations.page_of_user(
            db,
            app_id=ctx.app_id,
            user_id=request.user_id,
            words=[],
            after=after,
            limit=request.limit + 1,
        )
    page, next = deps.cursors.page(ctx.app_id, of, rows, request.limit, key=lambda row: (row.id,))
    return Organizations(organizations=[to_organization(ctx, row) for row in page], next=next)
