"""E-mail domains of organizations: a user who verifies an address there joins without an invitation."""

from __future__ import annotations

from pydantic import Field

from common.contracts.base import (
    KNOWN,
    SYSTEM,
    Contract,
    Done,
    Id,
    Request,
)
from common.contracts.fields import EmailDomain, Timestamp
from common.contracts.roles import RoleId
from common.problems import Conflict, NotFound


class DomainTaken(Conflict):
    """Another organization has verified the domain, or this one has added it."""

    code, title = "domain_taken", "Another organization has verified this domain, or you added it."


class DomainNotFound(NotFound):
    """The organization has no domain with this id."""

    code, title = "domain_not_found", "This domain does not exist."


class DomainNotProven(Conflict):
    """The TXT record was not found. `expected` is its value."""

    code, title = "domain_not_proven", "The TXT record was not found. DNS changes can take a while."


class OrganizationDomain(Contract):
    """An e-mail domain of an organization. To verify it, set the TXT record `record_value` at
    `record_name`."""

    id: Id
    org_id: Id
    domain: str
    record_name: str
    record_value: str
    verified_at: Timestamp | None = None
    missing_since: Timestamp | None = Field(
        default=None,
        description="The TXT record of a verified domain is missing since then. Nobody joins by the "
        "domain. After three days it is no longer verified.",
    )
    auto_join: bool = False
    role: str = "member"
    created_at: Timestamp


class OrganizationDomains(Contract):
    """The e-mail domains of an organization."""

    domains: list[OrganizationDomain]


class NewDomain(Contract):
    """An e-mail domain to add to an organization."""

    domain: EmailDomain
    auto_join: bool = Field(
        default=True, description="Whether users with a verified address join automatically."
    )
    role: RoleId = Field(default="member", description="The role of users who join.")


class AddOrganizationDomain(
    NewDomain,
    Request[OrganizationDomain],
    subject="tenancy.organization_domain.create",
    needs=KNOWN,
):
    """Adds an e-mail domain. It has no effect until it is verified. For admins. Raises
    DomainTaken."""

    org_id: Id


class ListOrganizationDomains(
    Request[OrganizationDomains],
    subject="tenancy.organization_domain.list",
    needs=KNOWN,
    safe=True,
):
    """Lists the e-mail domains of an organization. For admins."""

    org_id: Id


class OrganizationDomainChanges(Contract):
    """Changes of an e-mail domain. Fields that you leave out stay as they are."""

    auto_join: bool = True
    role: RoleId = "member"


class UpdateOrganizationDomain(
    Request[OrganizationDomain], subject="tenancy.organization_domain.update", needs=KNOWN
):
    """Changes an e-mail domain. For admins. Raises DomainNotFound, RoleNotFound."""

    org_id: Id
    domain_id: Id
    changes: OrganizationDomainChanges


class VerifyOrganizationDomain(
    Request[OrganizationDomain],
    subject="tenancy.organization_domain.verify",
    needs=KNOWN,
    within=8.0,
):
    """Looks up the TXT record now. For admins. Raises DomainNotFound, DomainNotProven,
    DomainTaken."""

    org_id: Id
    domain_id: Id


class DeleteOrganizationDomain(
    Request[Done], subject="tenancy.organization_domain.delete", needs=KNOWN
):
    """Removes an e-mail domain. Members who joined through it stay. For admins."""

    org_id: Id
    domain_id: Id


class Joined(Contract):
    """The organizations that a user has joined."""

    org_ids: list[Id]


class JoinByDomain(
    Request[Joined], subject="tenancy.member.join_by_domain", needs=SYSTEM, safe=True
):
    """Adds a user to the organizations that have verified the domain of their address and let its
    users join. Does nothing if the address is not verified. Idempotent."""

    user_id: Id
