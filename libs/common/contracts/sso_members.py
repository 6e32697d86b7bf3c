"""Members whom the provider of an organization vouches for."""

from __future__ import annotations

from pydantic import Field

from common.contracts.base import SYSTEM, Contract, Id, Request
from common.contracts.fields import Email
from common.contracts.roles import RoleId


class JoinedThroughProvider(Contract):
    """The role of the user in the organization. `null`: they are not a member."""

    role: str | None = None


class JoinThroughProvider(
    Request[JoinedThroughProvider],
    subject="tenancy.member.join_through_provider",
    needs=SYSTEM,
    safe=True,
):
    """Adds a user to the organization whose own provider they signed in with, and sets the role that
    the provider's claims map to. Nobody joins unless the organization has verified the domain of the
    address that the provider asserts. A role that no rule names stays as it is, and so does the last
    admin. Idempotent. Raises OrganizationNotFound."""

    org_id: Id
    user_id: Id
    email: Email | None = Field(default=None, description="The address that the provider asserts.")
    role: RoleId | None = Field(default=None, description="The role that a rule gives.")
    mapped_roles: list[RoleId] = Field(
        default=[], max_length=50, description="All roles that the rules name."
    )
