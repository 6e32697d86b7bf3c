"""The last operator stays: without one, nobody could manage the deployment."""

from __future__ import annotations

from common.context import Context
from common.contracts.roles import LastHolder
from common.db import Db
from common.ids import DASHBOARD
from common.operator_rules import LOCK, ROLE
from identity.queries import operators


async def keep(tx: Db, ctx: Context, user_id: str) -> None:
    """Raises LastHolder if the user is the last enabled operator. Until the transaction ends, nobody
    else disables, deletes or demotes one."""
    if ctx.app_id != DASHBOARD:
        return
    await operators.lock(tx, key=LOCK)
    if await operators.is_last(tx, app_id=ctx.app_id, role_id=ROLE, user_id=user_id):
        raise LastHolder
