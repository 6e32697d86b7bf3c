"""Nobody gives, or takes, what he does not hold himself."""

from __future__ import annotations

from collections.abc import Collection

from common.context import Context
from common.contracts.roles import NotHeld
from common.db import Db
from rbac.queries import rights


async def must_hold(
    tx: Db, ctx: Context, permissions: Collection[str], *, org_id: str | None = None
) -> None:
    """Raises NotHeld naming what the caller lacks.

    The application's secret key, an operator or developer with full rights, and we ourselves hold
    everything. A user holds what his credential carries and he still has at this moment: it may
    be narrower than his rights, and his rights may have shrunk since.
    """
    who = ctx.caller
    if "*" in who.permissions:
        return
    held = who.permissions
    if who.user_id is not None:
        now = await rights.of(tx, app_id=ctx.app_id, user_id=who.user_id, org_id=org_id)
        held = held.intersection((*now.permissions, *now.org_permissions))
    missing = sorted(set(permissions) - held)
    if missing:
        raise NotHeld(f"you do not hold {', '.join(missing)}", missing=missing)
