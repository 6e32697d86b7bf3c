"""Operators who sign in to the Dashboard: they show a second factor each time.

The service rbac knows who is an operator, and no transaction waits for another service. So a sign-in with
one factor is committed without a session first, and starts one when rbac has answered.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from common import freshness, logs
from common.context import Context
from common.contracts.rights import GetRights
from common.ids import DASHBOARD
from common.operator_rules import OPERATES
from common.problems import Problem, Unavailable
from common.second_factor_rules import are_two
from identity import delegation_checks, email_rules
from identity.authentication_result import AuthenticationResult
from identity.deps import Deps
from identity.queries import accounts

log = logs.get(__name__)


def may_be_one(deps: Deps, ctx: Context, result: AuthenticationResult) -> bool:
    """Returns whether the user of this sign-in may be an operator who lacks a second factor. A new user
    is none yet. The session that the owner link starts may go without: there is nobody yet who could
    have a factor."""
    if ctx.app_id != DASHBOARD or deps.operator_mfa == "optional":
        return False
    if result.new_user or result.previous is not None or result.actor is not None:
        return False
    return not are_two(result.factors, result.amr)


async def is_one(deps: Deps, ctx: Context, user_id: str) -> bool:
    """Returns whether the user is an operator. Raises Unavailable if rbac does not answer: an operator
    must not pass for somebody else."""
    try:
        rights = await deps.bus.call(ctx.as_system(), GetRights(user_id=user_id))
    except Problem as problem:
        log.warning("operators cannot be told apart", code=problem.code)
        raise Unavailable from None
    return OPERATES in rights.permissions


async def check_fresh(deps: Deps, ctx: Context, user_id: str) -> None:
    """Raises FreshSignInNeeded or FreshTokenNeeded if the user is an operator and the caller signed in
    too long ago."""
    if ctx.app_id == DASHBOARD and await is_one(deps, ctx, user_id):
        freshness.check(ctx.caller)


async def check_naming(deps: Deps, ctx: Context, emails: Iterable[str | None]) -> None:
    """Checks that the caller may give a user these addresses. If the deployment names one of them as its
    operator, its user becomes one. Raises NotHeld, FreshSignInNeeded, FreshTokenNeeded."""
    if any(
        email and email_rules.names_operator(deps.operator_email, ctx.app_id, email)
        for email in emails
    ):
        await delegation_checks.over_everybody(deps, ctx)
        freshness.check(ctx.caller)


async def check_change(deps: Deps, ctx: Context, user_id: str, changes: dict[str, Any]) -> None:
    """Checks that the caller may change the address of this user: who can read its mail can become the
    user. Raises NotHeld, FreshSignInNeeded, FreshTokenNeeded."""
    if ctx.app_id != DASHBOARD or changes.keys().isdisjoint({"email", "email_verified"}):
        return
    await check_fresh(deps, ctx, user_id)
    async with deps.db.reader(ctx) as db:
        account = await accounts.by_id(db, app_id=ctx.app_id, id=user_id)
    if account is not None:
        await check_naming(deps, ctx, [changes.get("email", account.email)])
