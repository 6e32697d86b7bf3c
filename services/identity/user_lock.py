"""The lock of a user's row, under which a change or the deletion of the user is decided."""

from __future__ import annotations

from common import conditions
from common.context import Context
from common.contracts.users import UserNotFound
from common.db import Db
from identity.deps import Deps
from identity.queries import accounts, users


async def lock(tx: Db, ctx: Context, user_id: str) -> None:
    """Locks the user until the transaction ends. Raises UserNotFound, and ChangedMeanwhile if a
    condition of the request does not hold for the user as administrators see them."""
    if not await accounts.lock(tx, app_id=ctx.app_id, id=user_id):
        raise UserNotFound
    if conditions.is_conditional():
        conditions.check(await users.get(tx, app_id=ctx.app_id, id=user_id))


async def check_condition(deps: Deps, ctx: Context, user_id: str) -> None:
    """Raises what `lock` raises, if the request has a condition. A deletion calls it before the user
    leaves their organizations, and locks the user only after that."""
    if conditions.is_conditional():
        async with deps.db.transaction(ctx) as tx:
            await lock(tx, ctx, user_id)
