"""Answers access checks: whether a user has a permission, and from which role."""

from __future__ import annotations

from common.context import Context
from common.contracts.access_check import CheckAccess, Question, Reason, Verdict, Verdicts
from common.field_errors import field_error
from common.problems import Forbidden, Invalid
from rbac.deps import Deps
from rbac.queries import access_check
from rbac.queries.access_check import QuestionFacts, RoleGrant

READS = "roles:read"


async def check(deps: Deps, ctx: Context, request: CheckAccess) -> Verdicts:
    """Returns a verdict for each question, in order.

    Raises Forbidden if the caller asks about others without `roles:read`, and Invalid if a question
    names no user and the caller is none.
    """
    users = [_user_of(ctx, question, n) for n, question in enumerate(request.checks)]
    checks = [
        question.model_copy(update={"user_id": user_id})
        for question, user_id in zip(request.checks, users, strict=True)
    ]
    return Verdicts(results=await verdicts(deps, ctx, checks))


async def verdicts(deps: Deps, ctx: Context, questions: list[Question]) -> list[Verdict]:
    """Returns a verdict for each question, in order. Each question names its user."""
    users = [question.user_id or "" for question in questions]
    async with deps.db.reader(ctx) as db:
        facts = await access_check.facts(db, app_id=ctx.app_id, questions=questions, users=users)
        grants = await access_check.grants(db, app_id=ctx.app_id, questions=questions, users=users)
    return [
        _verdict(question, user_id, fact, [grant for grant in grants if grant.n == fact.n])
        for question, user_id, fact in zip(questions, users, facts, strict=True)
    ]


def _user_of(ctx: Context, question: Question, n: int) -> str:
    """Returns the user of the n-th question: the caller if it names nobody."""
    caller_id = ctx.caller.user_id
    if question.user_id is None:
        if caller_id is None:
            raise Invalid(errors=[field_error(f"checks.{n}.user_id", "user_required")])
        return caller_id
    if question.user_id != caller_id and not ctx.caller.may(READS):
        raise Forbidden(f"requires {READS} to ask about other users", needs=READS)
    return question.user_id


def _verdict(
    question: Question, user_id: str, fact: QuestionFacts, grants: list[RoleGrant]
) -> Verdict:
    why_not = _why_not(question, fact, grants)
    return Verdict(
        user_id=user_id,
        permission=question.permission,
        org_id=question.org_id,
        allowed=why_not is None,
        reasons=[
            Reason(role_id=grant.role_id, role=grant.role, via=grant.via, org_id=grant.org_id)
            for grant in grants
        ]
        if why_not is None
        else [],
        why_not=why_not,
    )


def _why_not(question: Question, fact: QuestionFacts, grants: list[RoleGrant]) -> str | None:
    """Returns why access is denied, or None if it is allowed."""
    if not fact.permission:
        return "unknown_permission"
    if not fact.user:
        return "unknown_user"
    if fact.disabled:
        return "disabled"
    if grants:
        return None
    if question.org_id is not None and not fact.member:
        return "not_a_member"
    return "not_granted"
