"""Access evaluations: the questions of a policy enforcement point (OpenID AuthZEN, Authorization API
1.0)."""

from __future__ import annotations

from pydantic import Field

from common.contracts.base import Contract, Request

MAX_EVALUATIONS = 100
"""Questions of one call."""
MAX_NAME = 200
"""Characters of a type, an id or a name."""


class EvaluatedSubject(Contract):
    """The subject of a question (section 5.1). Only `user` is known as a type, and its id is that of a
    user. Properties that a caller adds have no effect."""

    type: str = Field(min_length=1, max_length=MAX_NAME)
    id: str = Field(min_length=1, max_length=MAX_NAME)


class EvaluatedAction(Contract):
    """The action of a question (section 5.3)."""

    name: str = Field(min_length=1, max_length=MAX_NAME)


class EvaluatedResourceProperties(Contract):
    """The property of a resource that counts: the organization to which it belongs."""

    org_id: str | None = Field(default=None, max_length=MAX_NAME)


class EvaluatedResource(Contract):
    """The resource of a question (section 5.2). Permissions are about types of resources, so its id has
    no effect."""

    type: str = Field(min_length=1, max_length=MAX_NAME)
    id: str = Field(min_length=1, max_length=MAX_NAME)
    properties: EvaluatedResourceProperties = EvaluatedResourceProperties()


class AccessEvaluation(Contract):
    """One question: whether the subject may do the action to the resource. The permission is
    `<type of the resource>:<name of the action>`."""

    subject: EvaluatedSubject
    action: EvaluatedAction
    resource: EvaluatedResource


class AccessDecisions(Contract):
    """The decisions, in the order of the questions. False also for what does not exist."""

    decisions: list[bool]


class EvaluateAccess(
    Request[AccessDecisions],
    subject="rbac.access.evaluate",
    needs="authz:evaluate",
    within=2.0,
    safe=True,
):
    """Decides for each question whether a role grants the permission to the user now."""

    evaluations: list[AccessEvaluation] = Field(min_length=1, max_length=MAX_EVALUATIONS)
