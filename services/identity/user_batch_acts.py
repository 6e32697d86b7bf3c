"""The acts of a batch on one user, and what they answer."""

from __future__ import annotations

from typing import Final, Literal

from common.context import Context
from common.contracts.assignments import AssignRole
from common.contracts.sessions import RevokeUserSessions
from common.contracts.user_batches import BatchResult, UserBatch
from common.contracts.users import (
    DeleteUser,
    DisableUser,
    EnableUser,
    GetUser,
    UserNotFound,
)
from common.problems import Problem
from identity import sessions, user_details, user_state, users
from identity.deps import Deps

Answer = Literal["done", "unchanged"]
PASSING: Final = 500
"""Problems from this status on are faults that pass. The part is tried again."""


async def act_on(
    deps: Deps, ctx: Context, batch: UserBatch, *, number: int, user_id: str
) -> BatchResult:
    """Does the act on one user. Returns its result. Raises a Problem that passes, like Busy."""
    try:
        status = await _act(deps, ctx, batch, user_id)
    except UserNotFound:
        return BatchResult(row=number, status="missing", user_id=user_id)
    except Problem as problem:
        if problem.status >= PASSING or problem.status == 429:
            raise
        return BatchResult(row=number, status="refused", user_id=user_id, code=problem.code)
    return BatchResult(row=number, status=status, user_id=user_id)


async def _act(deps: Deps, ctx: Context, batch: UserBatch, user_id: str) -> Answer:
    if batch.act == "delete":
        await users.delete(deps, ctx, DeleteUser(user_id=user_id))
        return "done"
    if batch.act == "end_sessions":
        revoked = await sessions.revoke_all_of_user(deps, ctx, RevokeUserSessions(user_id=user_id))
        return "done" if revoked.revoked_count else "unchanged"
    user = await user_details.get(deps, ctx, GetUser(user_id=user_id))
    if batch.act == "assign_role":
        await deps.bus.call(ctx, AssignRole(user_id=user_id, role_id=batch.role_id or ""))
        return "done"
    wanted = batch.act == "disable"
    if user.disabled == wanted:
        return "unchanged"
    if wanted:
        await user_state.disable(deps, ctx, DisableUser(user_id=user_id))
    else:
        await user_state.enable(deps, ctx, EnableUser(user_id=user_id))
    return "done"
