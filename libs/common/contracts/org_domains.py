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
    code, title = "domain_taken", "Another organization has proven this domain, or you added it."


class DomainNotFound(NotFound):
    code, title = "domain_not_found", "There is no such domain."


class DomainNotProven(Conflict):
    """`expected` is the TXT record that was not found."""

    code, title = "domain_not_proven", "The TXT record is not there yet."


class OrganizationDomain(Contract):
    """Prove it with a TXT record `record_value` at `record_name`."""

    id: Id
    org_id: Id
    domain: str
    record_name: str
    record_value: str
    verified_at: Timestamp | None = None
    auto_join: bool = False
    role: str = "member"
    created_at: Timestamp


class OrganizationDomains(Contract):
    domains: list[OrganizationDomain]


class NewDomain(Contract):
    domain: EmailDomain
    auto_join: bool = Field(default=True, description="Whether verified addresses join.")
    role: RoleId = Field(default="member", description="As what.")


class AddOrganizationDomain(
    NewDomain,
    Request[OrganizationDomain],
    subject="tenancy.organization_domain.create",
    needs=KNOWN,
):
    """By its admins. Anybody may claim, only who proves it holds it. Raises DomainTaken."""

    org_id: Id


class ListOrganizationDomains(
    Request[OrganizationDomains],
    subject="tenancy.organization_domain.list",
    needs=KNOWN,
    safe=True,
):
    """For its admins."""

    org_id: Id


class OrganizationDomainChanges(Contract):
    """Absent fields stay; neither can be null."""

    auto_join: bool = True
    role: RoleId = "member"


class UpdateOrganizationDomain(
    Request[OrganizationDomain], subject="tenancy.organization_domain.update", needs=KNOWN
):
    org_id: Id
    domain_id: Id
    changes: OrganizationDomainChanges


class VerifyOrganizationDomain(
    Request[OrganizationDomain],
    subject="tenancy.organization_domain.verify",
    needs=KNOWN,
    within=8.0,
):
    """Look for the TXT record now. Raises DomainNotFound, DomainNotProven, DomainTaken."""

    org_id: Id
    domain_id: Id


class DeleteOrganizationDomain(
    Request[Done], subject="tenancy.organization_domain.delete", needs=KNOWN
):
    """Members stay."""

    org_id: Id
    domain_id: Id


class Joined(Contract):
    org_ids: list[Id]


class JoinByDomain(
    Request[Joined], subject="tenancy.member.join_by_domain", needs=SYSTEM, safe=True
):
    """After a user's address has been verified: make them a member where its domain is proven and
    lets its users join. Reads the address itself, and joins only a verified one. Idempotent."""

    user_id: Id
