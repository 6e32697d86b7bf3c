"""What the tenancy service answers about organizations: developer teams in the Dashboard, customers'
teams in every other application.

Two sorts of people manage an organization: its own admins, and whoever holds
`organizations:read` / `organizations:write` in the application (its secret key, its
administrators, its developers). Everybody else sees only organizations he belongs to; any other
is not found.
"""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Any, Final, Literal, TypeAlias

import orjson
from pydantic import AfterValidator, Field

from common.contracts.base import (
    KNOWN,
    OPEN,
    SIGNED_IN,
    SYSTEM,
    Contract,
    Done,
    Id,
    Page,
    Request,
)
from common.contracts.fields import Email, Locale, Name, Token, Url
from common.contracts.rbac import RoleId
from common.contracts.sessions import SignedInSession
from common.problems import Conflict, Forbidden, NotFound

OrgSlug: TypeAlias = Annotated[
    str, Field(min_length=3, max_length=63, pattern=r"^[a-z](?:-?[a-z0-9])*$")
]
"""Lower case letters, digits and single hyphens, beginning with a letter."""

INVITATION_PATH: Final = "/accept-org-invite"
"""The page an invitation's link leads to, with `?token=`."""
METADATA_BYTES: Final = 16_384


def _small(value: dict[str, Any]) -> dict[str, Any]:
    if len(orjson.dumps(value)) > METADATA_BYTES:
        raise ValueError(f"at most {METADATA_BYTES} bytes of JSON")
    return value


Metadata: TypeAlias = Annotated[dict[str, Any], AfterValidator(_small)]


class OrganizationNotFound(NotFound):
    code, title = "organization_not_found", "There is no such organization."


class OrgSlugTaken(Conflict):
    code, title = "organization_slug_taken", "Another organization has this slug."


class LastAdmin(Conflict):
    """An organization always keeps somebody who manages it."""

    code, title = "last_admin", "Somebody else has to become admin first."


class TeamOwnsApplications(Conflict):
    code, title = "team_owns_applications", "Transfer or delete the team's applications first."


class PersonalTeam(Conflict):
    code, title = "personal_team", "A personal team stays with its developer."


class AlreadyMember(Conflict):
    code, title = "already_member", "This person is a member already."


class OrganizationInvitationPending(Conflict):
    code, title = "organization_invitation_pending", "This address has a pending invitation."


class OrganizationInvitationNotFound(NotFound):
    """Unknown, used, revoked, expired: nobody learns which."""

    code, title = "organization_invitation_not_found", "There is no such invitation."


class OtherAddress(Forbidden):
    """The invitation was mailed to an address that is not the caller's."""

    code, title = "other_address", "This invitation is for another address."


class MemberNotFound(NotFound):
    code, title = "member_not_found", "There is no such member."


class NoOrganizationsHere(Forbidden):
    """The application's settings do not let users create organizations."""

    code, title = "organizations_not_by_users", "Organizations are not created by users here."


# Organizations


class Organization(Contract):
    """`role` is the caller's own, null where he manages it from outside. `private_metadata` is
    shown only to holders of `organizations:read`."""

    id: Id
    slug: str
    name: str
    logo_url: str | None = None
    is_personal: bool = False
    public_metadata: dict[str, Any] = {}
    private_metadata: dict[str, Any] | None = None
    role: str | None = None
    created_at: datetime
    updated_at: datetime


class Organizations(Contract):
    organizations: list[Organization]
    next: str | None = None


class CreateOrganization(Request[Organization], subject="tenancy.organization.create", needs=KNOWN):
    """A user becomes its first admin (where the application lets users create organizations; in
    the Dashboard with `teams:write`). Others need `organizations:write`, and may name the admin.
    Raises OrgSlugTaken, NoOrganizationsHere."""

    name: str = Field(min_length=1, max_length=100)
    slug: OrgSlug | None = Field(default=None, description="Made from the name where absent.")
    logo_url: Url | None = None
    public_metadata: Metadata = Field(default={}, description="Members may read it.")
    private_metadata: Metadata = Field(
        default={}, description="Only with `organizations:write`; never shown to members."
    )
    admin_user_id: Id | None = Field(
        default=None, description="Only with `organizations:write`: the first admin."
    )


class ListOrganizations(
    Page, Request[Organizations], subject="tenancy.organization.list", needs=KNOWN, safe=True
):
    """The caller's own; with `all`, or for callers who are no users, every one of the application
    (needs `organizations:read`)."""

    all: bool = False
    search: str | None = Field(
        default=None, max_length=100, description="In name or slug, from the beginning."
    )


class GetOrganization(
    Request[Organization], subject="tenancy.organization.get", needs=KNOWN, safe=True
):
    """Raises OrganizationNotFound, also for whoever does not belong to it."""

    org_id: Id


class OrganizationChanges(Contract):
    """What is absent stays."""

    name: str | None = Field(default=None, min_length=1, max_length=100)
    slug: OrgSlug | None = None
    logo_url: Url | None = Field(default=None, description="null takes it away.")
    public_metadata: Metadata | None = Field(default=None, description="Replaces it whole.")
    private_metadata: Metadata | None = Field(
        default=None, description="Only with `organizations:write`."
    )


class UpdateOrganization(Request[Organization], subject="tenancy.organization.update", needs=KNOWN):
    """By its admins. Raises OrganizationNotFound, OrgSlugTaken."""

    org_id: Id
    changes: OrganizationChanges


class DeleteOrganization(Request[Done], subject="tenancy.organization.delete", needs=KNOWN):
    """By its admins, with memberships, invitations and domains. Raises OrganizationNotFound,
    TeamOwnsApplications, PersonalTeam."""

    org_id: Id


class SwitchOrganization(
    Request[SignedInSession], subject="tenancy.organization.activate", needs=SIGNED_IN, within=3.0
):
    """Make an organization the active one of the caller's session, or none. His rights change, so
    the session gets a new id and a new token. Raises OrganizationNotFound."""

    org_id: Id | None = None


class EnsurePersonalTeam(
    Request[Organization], subject="tenancy.organization.personal", needs=SYSTEM, safe=True
):
    """The personal team of a developer, made where he has none. Idempotent; Dashboard only."""

    user_id: Id
    name: Name | None = Field(default=None, description="The developer's name, for the team's.")


# Members


class Member(Contract):
    user_id: Id
    email: str | None = None
    name: str | None = None
    picture: str | None = None
    role: str
    created_at: datetime


class Members(Contract):
    members: list[Member]
    next: str | None = None


class ListMembers(Page, Request[Members], subject="tenancy.member.list", needs=KNOWN, safe=True):
    """In the order they joined, for members. Raises OrganizationNotFound."""

    org_id: Id


class NewMember(Contract):
    user_id: Id
    role: RoleId = "member"


class AddMember(
    NewMember, Request[Member], subject="tenancy.member.create", needs="organizations:write"
):
    """Put a user into an organization without asking him. Raises OrganizationNotFound,
    UserNotFound, RoleNotFound, AlreadyMember."""

    org_id: Id


class MemberRole(Contract):
    role: RoleId


class ChangeMemberRole(MemberRole, Request[Member], subject="tenancy.member.update", needs=KNOWN):
    """By its admins. Raises OrganizationNotFound, MemberNotFound, RoleNotFound, LastAdmin."""

    org_id: Id
    user_id: Id


class RemoveMember(Request[Done], subject="tenancy.member.delete", needs=KNOWN):
    """By its admins, or by the member himself: he leaves. Raises OrganizationNotFound,
    MemberNotFound, LastAdmin."""

    org_id: Id
    user_id: Id


class LeaveOrganizations(
    Request[Done], subject="tenancy.member.leave_all", needs=SYSTEM, within=5.0
):
    """All memberships of a user end, because he is about to be deleted; a personal team that is his
    alone goes with him. Idempotent. Unless `forced`, raises LastAdmin where others would stay
    behind without an admin, and TeamOwnsApplications where applications would without anybody;
    both name the `organizations`."""

    user_id: Id
    forced: bool = False


# Invitations

InvitationStatus = Literal["pending", "accepted", "revoked", "expired"]


class OrganizationInvitation(Contract):
    """Never with its token: that is only in the mail."""

    id: Id
    org_id: Id
    email: str
    role: str
    status: InvitationStatus
    invited_by: Id | None = None
    accepted_at: datetime | None = None
    sent_at: datetime
    expires_at: datetime
    created_at: datetime


class OrganizationInvitations(Contract):
    invitations: list[OrganizationInvitation]
    next: str | None = None


class Invite(Contract):
    email: Email
    role: RoleId = "member"
    expires_in: int = Field(default=7 * 86_400, ge=3600, le=90 * 86_400, description="Seconds.")
    locale: Locale | None = Field(default=None, description="Of the mail.")


class InviteMember(
    Invite, Request[OrganizationInvitation], subject="tenancy.invitation.create", needs=KNOWN
):
    """Mail a link that works once. Whether the address has an account is not told. Raises
    OrganizationNotFound, RoleNotFound, AlreadyMember, OrganizationInvitationPending."""

    org_id: Id


class ListOrganizationInvitations(
    Page,
    Request[OrganizationInvitations],
    subject="tenancy.invitation.list",
    needs=KNOWN,
    safe=True,
):
    """The newest first, for its admins."""

    org_id: Id
    status: InvitationStatus | None = None


class ResendOrganizationInvitation(
    Request[OrganizationInvitation], subject="tenancy.invitation.resend", needs=KNOWN
):
    """A new link with the time it had at first; the old link is dead. An expired one lives again.
    Raises OrganizationInvitationNotFound."""

    org_id: Id
    invitation_id: Id
    locale: Locale | None = None


class RevokeOrganizationInvitation(Request[Done], subject="tenancy.invitation.revoke", needs=KNOWN):
    """Raises OrganizationInvitationNotFound."""

    org_id: Id
    invitation_id: Id


class OrganizationOffer(Contract):
    """What the holder of an invitation's link may know before accepting."""

    org_id: Id
    org_name: str
    org_slug: str
    logo_url: str | None = None
    email: str
    role: str
    expires_at: datetime


class GetOrganizationOffer(
    Request[OrganizationOffer], subject="tenancy.invitation.offer", needs=OPEN, safe=True
):
    """For the landing page, and for sign-up where the application takes new users by invitation
    only: who holds the token has read the mail sent to `email`. Raises
    OrganizationInvitationNotFound."""

    token: Token = Field(repr=False)


class AcceptOrganizationInvitation(
    Request[Organization], subject="tenancy.invitation.accept", needs=SIGNED_IN
):
    """The caller's address must be the invited one, case ignored. Raises
    OrganizationInvitationNotFound, OtherAddress."""

    token: Token = Field(repr=False)


# E-mail domains

Domain: TypeAlias = Annotated[
    str,
    Field(
        max_length=253,
        pattern=r"^(?:[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?\.)+[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?$",
    ),
]
"""Lower case, A-labels, no trailing dot."""


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
    verified_at: datetime | None = None
    auto_join: bool = False
    role: str = "member"
    created_at: datetime


class OrganizationDomains(Contract):
    domains: list[OrganizationDomain]


class NewDomain(Contract):
    domain: Domain
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
    auto_join: bool | None = None
    role: RoleId | None = None


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
    """After a user's address has been verified: make him a member where its domain is proven and
    lets its users join. Reads the address itself, and joins only a verified one. Idempotent."""

    user_id: Id
