"""The ways in which a user can sign in. Nobody may remove the last one."""

from __future__ import annotations

from common.context import Context
from common.contracts.sign_in import LastWayIn
from common.contracts.tenants import Tenant
from common.db import Db
from identity.queries import ways_in


async def keep_one(ctx: Context, tx: Db, tenant: Tenant, user_id: str, *, without: str) -> None:
    """Checks that the user can still sign in without the passkey or the link `without`. The caller has
    locked the user's row (`accounts.lock`) and removes it in the same transaction. Raises LastWayIn.
    """
    settings = tenant.settings
    remaining = await ways_in.count(
        tx,
        app_id=ctx.app_id,
        user_id=user_id,
        methods=list(settings.auth_methods),
        requires_verified=settings.require_verified_email,
        without=without,
    )
    if remaining == 0:
        raise LastWayIn
