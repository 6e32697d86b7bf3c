"""Decides access evaluations (OpenID AuthZEN) by the rules of access checks."""

from __future__ import annotations

from pydantic import ValidationError

from common.context import Context
from common.contracts.access_check import Question
from common.contracts.access_evaluation import AccessDecisions, AccessEvaluation, EvaluateAccess
from rbac import access_check
from rbac.deps import Deps

USER = "user"
"""The type of subject that is known."""


async def evaluate(deps: Deps, ctx: Context, request: EvaluateAccess) -> AccessDecisions:
    """Returns a decision for each evaluation, in order. Unknown names are denied."""
    questions = [_question(evaluation) for evaluation in request.evaluations]
    answerable = [question for question in questions if question is not None]
    verdicts = iter(await access_check.verdicts(deps, ctx, answerable) if answerable else ())
    return AccessDecisions(
        decisions=[question is not None and next(verdicts).allowed for question in questions]
    )


def _question(evaluation: AccessEvaluation) -> Question | None:
    """Returns the evaluation as an access check, or None if it names no user, permission or organization
    of ours."""
    if evaluation.subject.type != USER:
        return None
    try:
        return Question(
            user_id=evaluation.subject.id,
            permission=f"{evaluation.resource.type}:{evaluation.action.name}",
            org_id=evaluation.resource.properties.org_id,
        )
    except ValidationError:
        return None
