"""Operators who sign in: they show a second factor each time."""

from __future__ import annotations

from common import logs
from common.context import Context
from common.contracts.rights import GetRights
from common.ids import DASHBOARD
from common.operators import OPERATES
from common.problems import Problem, Unavailable
from common.second_factor_rules import are_two
from identity.authentication_result import AuthenticationResult
from identity.deps import Deps

log = logs.get(__name__)


async def must_show_two_factors(
    deps: Deps, ctx: Context, user_id: str, result: AuthenticationResult
) -> bool:
    """Returns whether the user is an operator whose sign-in needs a second factor. The session that
    the owner link starts may go without: there is nobody yet who could have one.

    Asks rbac only if the answer matters. Raises Unavailable if rbac does not answer: an operator must
    not pass for somebody else."""
    if ctx.app_id != DASHBOARD or deps.operator_mfa == "optional":
        return False
    if result.new_user or result.previous is not None or result.actor is not None:
        return False
    if are_two(result.factors, result.amr):
        return False
    try:
        rights = await deps.bus.call(ctx.as_system(), GetRights(user_id=user_id))
    except Problem as problem:
        log.warning("operators cannot be told apart", code=problem.code)
        raise Unavailable from None
    return OPERATES in rights.permissions
